# SPDX-License-Identifier: Apache-2.0
"""jvm.py - the Java side of the interop tests: jars from Maven, our few classes, and one JVM that runs many tools."""
import glob
import json
import os
import queue
import subprocess
import threading

from work import HERE, WORK, Failure, check, once, run_ok

JARS = os.path.join(WORK, 'java')
CLASSES = os.path.join(WORK, 'classes')
FLAGS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']
KAFKA_TOOLS = 'org.apache.kafka.tools.'
TOOLS = {
    'kafka-acls': KAFKA_TOOLS + 'AclCommand',
    'kafka-broker-api-versions': KAFKA_TOOLS + 'BrokerApiVersionsCommand',
    'kafka-client-metrics': KAFKA_TOOLS + 'ClientMetricsCommand',
    'kafka-cluster': KAFKA_TOOLS + 'ClusterTool',
    'kafka-configs': 'kafka.admin.ConfigCommand',
    'kafka-console-consumer': KAFKA_TOOLS + 'consumer.ConsoleConsumer',
    'kafka-console-producer': KAFKA_TOOLS + 'ConsoleProducer',
    'kafka-consumer-groups': KAFKA_TOOLS + 'consumer.group.ConsumerGroupCommand',
    'kafka-consumer-perf-test': KAFKA_TOOLS + 'ConsumerPerformance',
    'kafka-delete-records': KAFKA_TOOLS + 'DeleteRecordsCommand',
    'kafka-features': KAFKA_TOOLS + 'FeatureCommand',
    'kafka-get-offsets': KAFKA_TOOLS + 'GetOffsetShell',
    'kafka-groups': KAFKA_TOOLS + 'GroupsCommand',
    'kafka-leader-election': KAFKA_TOOLS + 'LeaderElectionCommand',
    'kafka-log-dirs': KAFKA_TOOLS + 'LogDirsCommand',
    'kafka-metadata-quorum': KAFKA_TOOLS + 'MetadataQuorumCommand',
    'kafka-producer-perf-test': KAFKA_TOOLS + 'ProducerPerformance',
    'kafka-reassign-partitions': KAFKA_TOOLS + 'reassign.ReassignPartitionsCommand',
    'kafka-replica-verification': KAFKA_TOOLS + 'ReplicaVerificationTool',
    'kafka-topics': KAFKA_TOOLS + 'TopicCommand',
    'kafka-transactions': KAFKA_TOOLS + 'TransactionsCommand',
    'kafka-verifiable-consumer': KAFKA_TOOLS + 'VerifiableConsumer',
    'kafka-verifiable-producer': KAFKA_TOOLS + 'VerifiableProducer',
}
# These end with System.exit and print in hooks of the JVM itself, so they get one each.
OWN_JVM = ('kafka-verifiable-consumer', 'kafka-verifiable-producer')


def setup():
    """Jars and classes, once per change of what they come from."""
    pom = os.path.join(HERE, 'pom.xml')
    once(JARS, [pom], lambda: run_ok(['mvn', '-q', '-B', '-f', pom, 'dependency:copy-dependencies',
                                      f'-DoutputDirectory={JARS}'], seconds=600))
    sources = sorted(glob.glob(os.path.join(HERE, 'java', '*.java')))
    once(CLASSES, [pom] + sources, lambda: run_ok(['javac', '-nowarn', '-cp', JARS + '/*', '-d', CLASSES] + sources))


def command(main, *arguments, flags=()):
    return ['java', *FLAGS, *flags, '-cp', f'{CLASSES}:{JARS}/*', main, *arguments]


class ToolRunner:
    """One JVM in which tools run, several at a time if need be. See java/ToolRunner.java."""

    def __init__(self):
        self.process = subprocess.Popen(command('ToolRunner'), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.answers = {}  # id: a queue that gets one answer
        self.own = {}      # id: a process, for those that have a JVM of their own
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            self.answers[answer['id']].put(answer)
        for waiting in list(self.answers.values()):
            waiting.put(None)

    def _send(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failure(f'the JVM of the tools ended with {self.process.wait()}') from None

    def start(self, tool, arguments, stdin=''):
        """Starts a tool and returns its number."""
        check(tool in TOOLS, f'no tool {tool}')
        number = len(self.answers) + len(self.own) + 1
        if tool in OWN_JVM:
            self.own[number] = subprocess.Popen(command(TOOLS[tool], *arguments), stdin=subprocess.DEVNULL, text=True,
                                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            return number
        self.answers[number] = queue.Queue()
        self._send({'id': number, 'main': TOOLS[tool], 'args': arguments, 'stdin': stdin})
        return number

    def stop(self, number):
        """What Ctrl-C would do to it."""
        if number in self.own:
            self.own[number].terminate()
            return
        self._send({'stop': number})

    def wait(self, number, seconds=90):
        """(exit code, output with errors)."""
        try:
            if number in self.own:
                out, _ = self.own[number].communicate(timeout=seconds)
                return self.own[number].returncode, out
            answer = self.answers[number].get(timeout=seconds)
        except (queue.Empty, subprocess.TimeoutExpired):
            raise Failure(f'the tool did not end within {seconds} s') from None
        if answer is None:
            raise Failure(f'the tool ended the JVM with {self.process.wait()}')
        return answer['status'], answer['out']

    def close(self):
        for process in [self.process, *self.own.values()]:
            process.kill()
            process.wait()
