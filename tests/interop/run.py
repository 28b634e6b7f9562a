#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - the newest clients: confluent-kafka, kafka-python and aiokafka from PyPI, and Apache Kafka's own command
line tools from Maven. Prints `ok name` and `not ok name: why`.

  tests/interop/run.py --broker build/src/server/strom [--bootstrap HOST:PORT] [python|java]
"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLIENTS = os.path.join(ROOT, 'tests', 'clients')
WORK = os.path.join(ROOT, 'build-interop')
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
sys.path.insert(0, CLIENTS)
from broker import Broker, BrokerFailed  # noqa: E402
from scenario import Failure, Suite, check, equal, fresh_topic  # noqa: E402

SETTINGS = {'auto.create.topics.enable': 'false'}
TOOLS = 'org.apache.kafka.tools.'


def run(command, stdin='', seconds=120, **options):
    """Runs a command; returns (exit code, output with errors)."""
    result = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=seconds, check=False, **options)
    return result.returncode, result.stdout


def run_ok(command, **options):
    code, out = run(command, **options)
    check(code == 0, f'{" ".join(command[:4])} ended with {code}: {out[-500:]}')
    return out


# ---- Python

def python_setup():
    """A venv with the pinned clients; made once per change of requirements.txt."""
    python = os.path.join(WORK, 'venv', 'bin', 'python')
    stamp = os.path.join(WORK, 'venv', '.strom-stamp')
    wanted = open(os.path.join(HERE, 'requirements.txt'), encoding='utf-8').read()
    if not os.path.exists(stamp) or open(stamp, encoding='utf-8').read() != wanted:
        run_ok(['/usr/bin/python3', '-m', 'venv', os.path.join(WORK, 'venv')], seconds=300)
        run_ok([python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r',
                os.path.join(HERE, 'requirements.txt')], seconds=600)
        with open(stamp, 'w', encoding='utf-8') as f:
            f.write(wanted)
    return python


def python_clients(bootstrap):
    """The scripts of tests/clients under the new libraries; returns whether one failed."""
    python = python_setup()
    failed = False
    for script in (os.path.join(CLIENTS, 'confluent_test.py'), os.path.join(CLIENTS, 'kafka_python_test.py'),
                   os.path.join(HERE, 'aiokafka_test.py')):
        environment = dict(os.environ, STROM_BOOTSTRAP=bootstrap, PYTHONPATH=CLIENTS)
        code, out = run([python, script], seconds=240, env=environment)
        for line in out.splitlines():
            print(line.replace('ok ', 'ok newest ', 1) if re.match(r'(not )?ok ', line) else line, flush=True)
        if code != 0 and not re.search(r'^not ok ', out, re.M):
            print(f'not ok newest {os.path.basename(script)}: ended with {code}', flush=True)
        failed |= code != 0
    return failed


# ---- Apache Kafka's tools

class Tools:
    """org.apache.kafka.tools against one broker."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.jars = os.path.join(WORK, 'java')

    def setup(self):
        if not os.path.isdir(self.jars):
            run_ok(['mvn', '-q', '-B', '-f', os.path.join(HERE, 'pom.xml'), 'dependency:copy-dependencies',
                    f'-DoutputDirectory={self.jars}'], seconds=600)

    def tool(self, name, *arguments, stdin=''):
        """The output without the logger's complaints."""
        out = run_ok(['java', '-Xmx256m', '-cp', self.jars + '/*', name, *arguments, '--bootstrap-server',
                      self.bootstrap], stdin=stdin)
        return '\n'.join(line for line in out.splitlines() if not line.startswith('SLF4J'))

    def topic_lifecycle(self):
        topic = fresh_topic('java-life')
        self.tool(TOOLS + 'TopicCommand', '--create', '--topic', topic, '--partitions', '3', '--config',
                  'retention.ms=99000')
        described = self.tool(TOOLS + 'TopicCommand', '--describe', '--topic', topic)
        check('PartitionCount: 3' in described and 'retention.ms=99000' in described, described)
        self.tool(TOOLS + 'TopicCommand', '--alter', '--topic', topic, '--partitions', '5')
        described = self.tool(TOOLS + 'TopicCommand', '--describe', '--topic', topic)
        check('PartitionCount: 5' in described, described)
        check(topic in self.tool(TOOLS + 'TopicCommand', '--list').split(), 'the topic is not listed')
        self.tool(TOOLS + 'TopicCommand', '--delete', '--topic', topic)
        check(topic not in self.tool(TOOLS + 'TopicCommand', '--list').split(), 'the topic is still listed')

    def configs(self):
        topic = fresh_topic('java-config')
        self.tool(TOOLS + 'TopicCommand', '--create', '--topic', topic)
        command = 'kafka.admin.ConfigCommand'
        self.tool(command, '--alter', '--entity-type', 'topics', '--entity-name', topic, '--add-config',
                  'max.message.bytes=2000,retention.ms=5000')
        self.tool(command, '--alter', '--entity-type', 'topics', '--entity-name', topic, '--delete-config',
                  'retention.ms')
        described = self.tool(command, '--describe', '--entity-type', 'topics', '--entity-name', topic)
        check('max.message.bytes=2000' in described and 'retention.ms=5000' not in described, described)

    def produce_and_consume(self):
        for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
            topic = fresh_topic('java-' + codec)
            self.tool(TOOLS + 'TopicCommand', '--create', '--topic', topic)
            lines = [f'key-{i}:value-{i}-' + 'x' * (i % 90) for i in range(2000)]
            self.tool(TOOLS + 'ConsoleProducer', '--topic', topic, '--compression-codec', codec, '--command-property',
                      'enable.idempotence=true', '--reader-property', 'parse.key=true', '--reader-property',
                      'key.separator=:', stdin='\n'.join(lines) + '\n')
            out = self.tool(TOOLS + 'consumer.ConsoleConsumer', '--topic', topic, '--partition', '0', '--offset',
                            'earliest', '--max-messages', '2000', '--timeout-ms', '20000', '--command-property',
                            'enable.auto.commit=false', '--formatter-property', 'print.key=true',
                            '--formatter-property', 'key.separator=:')
            equal(codec, [line for line in out.splitlines() if line.startswith('key-')], lines)

    def offsets_and_delete_records(self):
        topic = fresh_topic('java-offsets')
        self.tool(TOOLS + 'TopicCommand', '--create', '--topic', topic)
        self.tool(TOOLS + 'ConsoleProducer', '--topic', topic, stdin='\n'.join(map(str, range(100))) + '\n')

        def offset_at(time):
            return self.tool(TOOLS + 'GetOffsetShell', '--topic', topic, '--time', time).strip()
        equal('latest', offset_at('-1'), f'{topic}:0:100')
        equal('earliest', offset_at('-2'), f'{topic}:0:0')
        equal('largest timestamp', offset_at('-3').rsplit(':', 1)[0], f'{topic}:0')
        plan = os.path.join(WORK, 'delete.json')
        with open(plan, 'w', encoding='utf-8') as f:
            f.write('{"version": 1, "partitions": [{"topic": "%s", "partition": 0, "offset": 40}]}' % topic)
        self.tool(TOOLS + 'DeleteRecordsCommand', '--offset-json-file', plan)
        equal('earliest after delete', offset_at('-2'), f'{topic}:0:40')

    def cluster(self):
        check(re.search(r'Cluster ID: \S+', self.tool(TOOLS + 'ClusterTool', 'cluster-id')), 'no cluster id')
        check('Produce(0)' in self.tool(TOOLS + 'BrokerApiVersionsCommand'), 'no API versions')


def java_clients(bootstrap):
    tools = Tools(bootstrap)
    suite = Suite('java')
    suite.run('setup', tools.setup)
    if not suite.failed:
        for name in ('topic_lifecycle', 'configs', 'produce_and_consume', 'offsets_and_delete_records', 'cluster'):
            suite.run(name, getattr(tools, name))
    return suite.failed > 0


GROUPS = {'python': python_clients, 'java': java_clients}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--bootstrap', help='use this broker instead of starting one')
    parser.add_argument('groups', nargs='*', metavar='python|java')
    options = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    failed = False
    for name in options.groups or GROUPS:
        broker = None if options.bootstrap else Broker(options.broker, settings=SETTINGS)
        try:
            if broker:
                broker.start()
            failed |= GROUPS[name](options.bootstrap or broker.bootstrap)
            if broker and not broker.alive():
                print(f'not ok {name} broker: died with {broker.process.returncode}\n{broker.log_tail()}', flush=True)
                failed = True
        except (Failure, BrokerFailed, subprocess.TimeoutExpired) as e:
            print(f'not ok {name}: {e}', flush=True)
            failed = True
        finally:
            if broker:
                broker.close()
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
