#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cli_test.py - every command of the command line against a real broker: what it prints, its JSON, its errors and
its exit codes.

Usage: cli_test.py [--strom build/src/server/strom] [NAME...]; a NAME runs the tests that have it in theirs."""
import argparse
import base64
import json
import os
import pty
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rawkafka  # noqa: E402
import contracts  # noqa: E402
import guide  # noqa: E402
import schemas  # noqa: E402
from broker import Broker, free_port  # noqa: E402
from program import TIMEOUT_S, Cli, eventually, has, same  # noqa: E402

CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
SETTINGS = {'group.initial.rebalance.delay.ms': '0', 'group.min.session.timeout.ms': '500'}


# ---- help and usage

COMMANDS = [['topic', verb] for verb in ('create', 'list', 'describe', 'alter', 'delete', 'trim')] + \
    [['group', verb] for verb in ('list', 'describe', 'reset', 'delete')] + \
    [['quota', verb] for verb in ('list', 'set', 'remove')] + \
    [['config', verb] for verb in ('list', 'get', 'set', 'unset', 'alter', 'describe')] + \
    [['schema', verb] for verb in ('list', 'get', 'diff', 'register', 'check', 'validate', 'delete', 'config', 'mode',
                                   'infer', 'import')] + \
    [[name] for name in ('serve', 'produce', 'consume', 'cluster', 'dump', 'repair', 'completion', 'help', 'version')]


def test_help(cli, _broker):
    for command in COMMANDS:
        page = cli.text(*command, '--help')
        has(page, 'strom ' + ' '.join(command), 'USAGE', 'FLAGS', 'EXAMPLES', 'EXIT CODES', '--help')
        same(cli.text('help', *command), page)
        same(cli.text(*command, '--nonsense', '-h'), page)
        long = [line for line in page.splitlines() if len(line) > 100]
        same(long, [])
    has(cli.text('topic', '--help'), 'create', 'trim')
    cli.run('topic', expect=2)
    has(cli.text('--help'), 'serve', *(command[0] for command in COMMANDS))
    has(cli.run(expect=2)[1], 'COMMANDS')
    has(cli.error('help', 'topic', 'creat', expect=2), 'creat')
    has(cli.error('serve', '--sett', 'a=b', expect=2), 'did you mean --set')
    has(cli.run('serve', '--set', 'no.such.setting=1', expect=2)[1], 'no.such.setting')
    has(cli.text('version'), 'strom 0')
    assert cli.json('version')['version'][0].isdigit()


def test_usage(cli, _broker):
    has(cli.error('tpic', expect=2), 'no command', 'did you mean `strom topic`')
    has(cli.error('sevre', expect=2), 'did you mean `strom serve`')
    has(cli.error('topic', 'creat', expect=2), 'did you mean `strom topic create`')
    has(cli.error('topic', 'create', expect=2), 'NAME is missing')
    has(cli.error('topic', 'create', 'a', 'b', expect=2), 'one argument too many')
    has(cli.error('topic', 'create', 'a', '--partition', '3', expect=2), 'did you mean --partitions')
    has(cli.error('topic', 'create', 'a', '--partitions', 'x', expect=2), 'wants a number')
    has(cli.error('topic', 'create', 'a', '--config', 'x', expect=2), 'key=value')
    has(cli.error('topic', 'alter', 'a', expect=2), 'nothing to change')
    has(cli.error('topic', 'trim', 'a', '--partition', '0', expect=2), 'needed')
    has(cli.error('topic', 'trim', 'a', '--partition', '0', '--offset', '-4', expect=2), '--offset')
    has(cli.error('produce', 'a', '--compression', 'rar', expect=2), 'zstd')
    has(cli.error('produce', 'a', '--acks', '2', expect=2), '--acks')
    has(cli.error('produce', 'a', '--key', 'k', '--key-separator', ':', expect=2), 'exclude')
    has(cli.error('produce', 'a', '--header', 'x', expect=2), 'key=value')
    has(cli.error('consume', 'a', '--group', 'g', '--partition', '1', expect=2), 'exclude')
    has(cli.error('consume', 'a', '--group', 'g', '--offset', '-5', expect=2), 'strom group reset')
    has(cli.error('consume', 'a', '--group', '', expect=2), 'wants a name')
    has(cli.error('consume', 'a', '--verbose', expect=2), 'give --group')
    has(cli.error('consume', 'a', 'b', '--partition', '1', expect=2), 'single topic')
    has(cli.error('consume', 'a', '--format', '%q', expect=2), 'after a %')
    has(cli.error('consume', 'a', '--exit', '--follow', expect=2), 'exclude')
    has(cli.error('config', 'alter', '--config', 'a=b', expect=2), '--topic NAME or --broker')
    has(cli.error('config', 'set', 'a=b', expect=2), '--topic NAME or --broker')
    has(cli.error('config', 'set', 'a', '--broker', expect=2), 'KEY=VALUE')
    has(cli.error('config', 'list', '--id', '1', expect=2), '--broker too')
    has(cli.error('topic', 'trim', 'a', expect=2), 'needed')
    has(cli.error('topic', 'trim', 'a', '--before', 'noon', expect=2), '--before')
    has(cli.error('config', 'describe', '--topic', 't', '--broker', expect=2), 'exclude')
    has(cli.error('topic', 'list', '--bootstrap-server', 'host:notaport', expect=2), 'host:port')
    has(cli.error('topic', 'list', '--timeout-ms', '0', expect=2), '--timeout-ms')


def test_manual(cli, _broker):
    """The manual has every command and is roff that groff has nothing to say against."""
    pages = [cli.run('help', '--man')[0]] + [cli.run('help', '--man', *command)[0] for command in COMMANDS]
    for command in COMMANDS:
        has(pages[0].decode(), '.SS "strom ' + ' '.join(command))
    if shutil.which('groff') is None:
        print('    groff is not installed: only the words were looked at')
        return
    for page in pages:
        done = subprocess.run(['groff', '-man', '-Tutf8', '-ww'], input=page, capture_output=True, timeout=TIMEOUT_S,
                              check=True)
        same(done.stderr, b'')
        has(re.sub('.\b', '', done.stdout.decode()), 'NAME', 'EXIT STATUS')


def complete(cli, line, bootstrap=None):
    """What bash offers at the end of a line, by the script of `strom completion bash`."""
    script = cli.text('completion', 'bash')
    script += '\nCOMP_LINE=$1 COMP_POINT=${#1}; _strom; printf "%s\\n" "${COMPREPLY[@]}"'
    env = {**cli.env, 'PATH': os.path.dirname(cli.binary) + ':' + os.environ['PATH']}
    if bootstrap:
        env['STROM_BOOTSTRAP'] = bootstrap
    done = subprocess.run(['bash', '-c', script, 'bash', line], capture_output=True, env=env, timeout=TIMEOUT_S,
                          check=True)
    same(done.stderr, b'')
    return done.stdout.decode().split()


def test_completion(cli, broker):
    cli.run('topic', 'create', 'complete-a')
    cli.run('topic', 'create', 'complete-b')
    same(complete(cli, 'strom con'), ['consume', 'config', 'contract'])
    same(complete(cli, 'strom topic '), ['create', 'list', 'describe', 'alter', 'delete', 'trim'])
    same(complete(cli, 'strom produce t --compression z'), ['zstd'])
    same(complete(cli, 'strom produce t --compression=g'), ['gzip'])
    has(' '.join(complete(cli, 'strom produce t --')), '--key-separator', '--bootstrap-server', '--help')
    same(complete(cli, 'strom consume complete-'), ['complete-a', 'complete-b'])
    line = f'strom topic delete --bootstrap-server {broker.bootstrap} complete-a complete-b'
    same(complete(cli, line, '127.0.0.1:1'), ['complete-b'])
    same(complete(cli, 'strom consume complete-', f'127.0.0.1:{free_port()}'), [])
    same(complete(cli, 'strom topic create x --config retention.m'), ['retention.ms='])
    same(complete(cli, 'strom topic create x --config=retention.m'), ['retention.ms='])
    same(complete(cli, 'strom help top'), ['topic'])
    same(complete(cli, 'strom completion '), ['bash', 'zsh', 'fish'])
    same(complete(cli, 'strom nonsense '), [])
    with tempfile.TemporaryDirectory() as there:
        with open(f'{there}/some.wal', 'wb'):
            same(complete(cli, f'strom dump {there}/so'), [f'{there}/some.wal'])
            same(complete(cli, f'strom produce t --file={there}/so'), [f'{there}/some.wal'])
    has(cli.error('completion', 'tcsh', expect=2), 'bash, zsh and fish')
    for shell in ('zsh', 'fish'):
        if shutil.which(shell) is not None:
            subprocess.run([shell, '-n', '/dev/stdin'], input=cli.run('completion', shell)[0], check=True)


def test_unreachable(cli, _broker):
    closed = f'127.0.0.1:{free_port()}'
    for command in (['topic', 'list'], ['cluster'], ['produce', 't'], ['consume', 't'], ['config', 'describe']):
        err = cli.error(*command, expect=3, bootstrap=closed)
        has(err, 'cannot reach ' + closed, 'refused', 'strom serve')
    has(cli.error('topic', 'list', '--bootstrap-server', 'no-such-host.invalid', expect=3), 'no-such-host.invalid')


def test_bootstrap_list(cli, broker):
    both = f'127.0.0.1:{free_port()},{broker.bootstrap}'
    assert cli.json('cluster', bootstrap=both)['answered_by'] == broker.bootstrap
    assert cli.json('cluster', '--bootstrap-server', broker.bootstrap, bootstrap='127.0.0.1:1')


# ---- topics and settings

def test_topics(cli, _broker):
    made = cli.json('topic', 'create', 'topics-a', '--partitions', '3', '--config', 'retention.ms=86400000',
                    '--config', 'cleanup.policy=compact')
    same((made['topic'], made['created'], made['partitions']), ('topics-a', True, 3))
    has(cli.error('topic', 'create', 'topics-a'), 'TOPIC_ALREADY_EXISTS (36)', '--if-not-exists')
    same(cli.json('topic', 'create', 'topics-a', '--if-not-exists')['created'], False)
    has(cli.text('topic', 'create', 'topics-b'), 'Created topic topics-b')
    same(cli.json('topic', 'create', 'topics-c', '--validate-only')['created'], False)
    has(cli.error('topic', 'create', 'bad name'), 'INVALID_TOPIC_EXCEPTION (17)', 'letters')
    has(cli.error('topic', 'create', 'topics-d', '--config', 'retention.m=1'), 'INVALID_CONFIG (40)',
        'did you mean retention.ms')
    has(cli.error('topic', 'create', 'topics-d', '--config', 'retention.ms=soon'), 'INVALID_CONFIG (40)')
    names = [t['topic'] for t in cli.json('topic', 'list')]
    same(names, sorted(names))
    same([n for n in names if n.startswith('topics-')], ['topics-a', 'topics-b'])
    has(cli.text('topic', 'list'), 'TOPIC', 'PARTITIONS', 'topics-a')

    [topic] = cli.json('topic', 'describe', 'topics-a')
    same(topic['configs'], {'retention.ms': '86400000', 'cleanup.policy': 'compact'})
    same([p['partition'] for p in topic['partitions']], [0, 1, 2])
    same(topic['partitions'][0]['end_offset'], 0)
    has(cli.text('topic', 'describe', 'topics-a'), 'PARTITION', 'retention.ms=86400000')
    has(cli.error('topic', 'describe', 'topics-aa'), 'UNKNOWN_TOPIC_OR_PARTITION (3)', 'did you mean "topics-a"')
    same(len(cli.json('topic', 'describe', 'topics-a', 'topics-b')), 2)

    cli.run('topic', 'alter', 'topics-a', '--delete-config', 'retention.ms', '--config', 'segment.ms=600000',
            '--partitions', '5')
    [topic] = cli.json('topic', 'describe', 'topics-a')
    same(topic['configs'], {'segment.ms': '600000', 'cleanup.policy': 'compact'})
    same(len(topic['partitions']), 5)
    has(cli.error('topic', 'alter', 'topics-a', '--partitions', '2'), 'INVALID_PARTITIONS (37)', 'only grow')
    has(cli.error('topic', 'alter', 'topics-z', '--config', 'segment.ms=1'), 'UNKNOWN_TOPIC_OR_PARTITION')
    has(cli.error('topic', 'alter', 'topics-a', '--config', 'segmen.ms=1'), 'did you mean segment.ms')

    has(cli.error('topic', 'delete', 'topics-b', 'topics-y'), 'cannot delete topic topics-y')
    same(cli.json('topic', 'delete', 'topics-a', 'topics-b', '--if-exists'),
         [{'topic': 'topics-a', 'deleted': True}, {'topic': 'topics-b', 'deleted': False}])
    same([t['topic'] for t in cli.json('topic', 'list') if t['topic'].startswith('topics-')], [])


def test_config(cli, _broker):
    cli.run('topic', 'create', 'config-t')
    cli.run('config', 'alter', '--topic', 'config-t', '--config', 'max.message.bytes=5000',
            '--append-config', 'cleanup.policy=compact')
    found = {c['name']: c for c in cli.json('config', 'describe', '--topic', 'config-t')}
    same((found['max.message.bytes']['value'], found['max.message.bytes']['source']), ('5000', 'topic'))
    same(found['cleanup.policy']['value'], 'delete,compact')
    cli.run('config', 'alter', '--topic', 'config-t', '--subtract-config', 'cleanup.policy=delete',
            '--delete-config', 'max.message.bytes')
    found = {c['name']: c for c in cli.json('config', 'describe', '--topic', 'config-t')}
    same({n: c['value'] for n, c in found.items()}, {'cleanup.policy': 'compact'})
    everything = cli.json('config', 'describe', '--topic', 'config-t', '--all', '--explain')
    assert any(c['source'] == 'default' for c in everything) and all(c['text'] for c in everything)
    has(cli.text('config', 'describe', '--topic', 'config-t', '--all'), 'retention.ms', 'default')

    cli.run('config', 'alter', '--broker', '--config', 'log.retention.ms=123456789')
    found = {c['name']: c for c in cli.json('config', 'describe')}
    same((found['log.retention.ms']['value'], found['log.retention.ms']['source']), ('123456789', 'broker'))
    same(found['data.dir']['read_only'], True)
    cli.run('config', 'alter', '--broker', '--delete-config', 'log.retention.ms')
    assert 'log.retention.ms' not in {c['name'] for c in cli.json('config', 'describe', '--broker')}
    cli.error('config', 'alter', '--broker', '--config', 'data.dir=/tmp')
    has(cli.error('config', 'describe', '--topic', 'config-x'), 'did you mean "config-t"')


def test_config_values(cli, _broker):
    cli.run('topic', 'create', 'value-t')
    out = cli.text('config', 'set', '--topic', 'value-t', 'retention.ms=1234567', 'segment.ms=600000')
    has(out, 'Changed 2 settings')
    same(cli.text('config', 'get', '--topic', 'value-t', 'retention.ms'), '1234567\n')
    same(cli.text('config', 'get', '--topic', 'value-t', 'segment.ms', 'retention.ms'),
         'segment.ms=600000\nretention.ms=1234567\n')
    cli.run('config', 'set', '--broker', 'log.retention.ms=7654321')
    try:
        [found] = cli.json('config', 'get', '--topic', 'value-t', 'retention.ms')
        same((found['value'], found['source'], found['synonyms'][0]['value']), ('1234567', 'topic', '1234567'))
        same(found['synonyms'][1]['value'], '7654321')
        has(cli.text('config', 'list', '--topic', 'value-t'), 'WITHOUT', '7654321')
        cli.run('config', 'unset', '--topic', 'value-t', 'retention.ms')
        same(cli.text('config', 'get', '--topic', 'value-t', 'retention.ms'), '7654321\n')
    finally:
        cli.run('config', 'unset', '--broker', 'log.retention.ms')
    names = [c['name'] for c in cli.json('config', 'list', '--topic', 'value-t', '--all')]
    same(names, sorted(names))
    has(cli.error('config', 'get', '--topic', 'value-t', 'retention.m'), 'no setting', 'did you mean retention.ms')
    has(cli.error('config', 'set', '--topic', 'value-t', 'retention.ms=x'), 'INVALID_CONFIG (40)')
    err = cli.error('config', 'set', '--topic', 'value-t', 'retention.ms=5', 'retention.m=1')
    has(err, 'did you mean retention.ms')
    found = cli.json('config', 'list', '--topic', 'value-t')
    same([c['name'] for c in found if c['source'] == 'topic'], ['segment.ms'])


def test_quotas(cli, _broker):
    has(cli.error('quota', 'set', 'producer_byte_rate=1', expect=2), 'whose quota')
    has(cli.error('quota', 'set', '--user', 'a', '--user-default', 'producer_byte_rate=1', expect=2), 'exclude')
    has(cli.error('quota', 'set', '--user', 'a', '--ip', '10.0.0.1', 'producer_byte_rate=1', expect=2), '--ip')
    for wrong in ('producer_byte_rate', 'producer_byte_rate=', 'producer_byte_rate=x', 'producer_byte_rate=nan',
                  'producer_byte_rate=0x10', '=1'):
        has(cli.error('quota', 'set', '--user', 'a', wrong, expect=2), 'KEY=NUMBER')

    def quotas(*words):
        return {', '.join(sorted(f"{e['type']} {e['name']}" for e in q['entity'])): q['quotas']
                for q in cli.json('quota', 'list', *words)}
    out = cli.text('quota', 'set', '--user', 'quota-u', 'producer_byte_rate=1048576', 'request_percentage=12.5')
    has(out, 'Changed 2 quotas')
    cli.run('quota', 'set', '--user', 'quota-u', '--client', 'quota-c', 'consumer_byte_rate=1e6')
    cli.run('quota', 'set', '--client-default', 'consumer_byte_rate=5000000')
    out = cli.text('quota', 'set', '--client', 'quota-x', '--validate-only', 'consumer_byte_rate=5')
    has(out, 'nothing was changed')
    own = {'producer_byte_rate': 1048576, 'request_percentage': 12.5}
    pair = {'consumer_byte_rate': 1000000}
    same(quotas('--user', 'quota-u'), {'user quota-u': own, 'client-id quota-c, user quota-u': pair})
    same(quotas('--client-default'), {'client-id None': {'consumer_byte_rate': 5000000}})
    same(quotas('--client', 'quota-x'), {})
    has(cli.text('quota', 'list'), 'user quota-u', '(default)', '12.5', '1048576')
    has(cli.error('quota', 'set', '--user', 'quota-u', 'no_such_rate=1'), 'INVALID_REQUEST (42)')
    cli.run('quota', 'remove', '--user', 'quota-u', 'producer_byte_rate', 'request_percentage')
    cli.run('quota', 'remove', '--user', 'quota-u', '--client', 'quota-c', 'consumer_byte_rate')
    cli.run('quota', 'remove', '--client-default', 'consumer_byte_rate')
    same(quotas(), {})


def test_topic_patterns(cli, _broker):
    for name in ('pat-a', 'pat-b', 'pat-bb'):
        cli.run('topic', 'create', name, '--partitions', '2')
    cli.run('config', 'set', '--topic', 'pat-b', 'segment.ms=600000')

    def names(*words):
        return [t['topic'] for t in cli.json('topic', *words)]
    same(names('list', 'pat-*'), ['pat-a', 'pat-b', 'pat-bb'])
    same(names('list', 'pat-?', 'nothing'), ['pat-a', 'pat-b'])
    same(names('describe', 'pat-b*'), ['pat-b', 'pat-bb'])
    same(names('describe', 'pat-*', '--configured'), ['pat-b'])
    same(names('describe', 'pat-*', '--under-replicated'), [])
    same(names('describe', 'pat-*', '--unavailable'), [])
    has(cli.text('topic', 'describe', 'pat-a'), 'REPLICAS', 'IN SYNC')
    has(cli.run('topic', 'list', 'nothing-*')[1], 'No topic is called so')


def at_terminal(cli, answer, *words):
    """Exit code and standard error of a command whose standard input is a terminal, where a person types."""
    leader, follower = pty.openpty()
    process = cli.start(*words, stdin=follower)
    os.close(follower)
    os.write(leader, answer)
    err = process.stderr.read().decode()
    code = process.wait(TIMEOUT_S)
    os.close(leader)
    return code, err


def test_trim_and_confirm(cli, _broker):
    cli.run('topic', 'create', 'trim-t', '--partitions', '2')
    cli.run('produce', 'trim-t', '--partition', '0', stdin=b'x\n' * 10)
    cli.run('produce', 'trim-t', '--partition', '1', stdin=b'x\n' * 10)
    starts = [r['timestamp'] for r in cli.records('trim-t', '--partition', '1')]

    def start_offsets():
        [topic] = cli.json('topic', 'describe', 'trim-t')
        return [p['start_offset'] for p in topic['partitions']]
    has(cli.run('topic', 'trim', 'trim-t', '--before', '2999-01-01')[1], 'Nothing to drop')
    cli.run('topic', 'trim', 'trim-t', '--before', f'@{starts[0]}')  # the first record of partition 1 stays
    same(start_offsets()[1], 0)
    same([p['start_offset'] for p in cli.json('topic', 'trim', 'trim-t', '--offset', '3')], [3, 3])
    code, err = at_terminal(cli, b'no\n', 'topic', 'trim', 'trim-t', '--offset', 'end')
    same(code, 1)
    has(err, 'Drop records of 2 partitions of trim-t', 'nothing was done')
    same(start_offsets(), [3, 3])
    same(at_terminal(cli, b'yes\n', 'topic', 'trim', 'trim-t', '--offset', '5', '--partition', '1')[0], 0)
    same(start_offsets(), [3, 5])
    same(at_terminal(cli, b'', 'topic', 'trim', 'trim-t', '--offset', 'end', '--yes')[0], 0)
    same(start_offsets(), [10, 10])
    same(at_terminal(cli, b'\n', 'topic', 'delete', 'trim-t')[0], 1)
    same(at_terminal(cli, b'yes\n', 'topic', 'delete', 'trim-t')[0], 0)


def test_cluster(cli, broker):
    cluster = cli.json('cluster')
    same([b['port'] for b in cluster['brokers']], [broker.port])
    same(len(cluster['cluster_id']), 22)
    assert {'Produce', 'Fetch', 'ApiVersions'} <= {a['name'] for a in cluster['apis']}
    has(cli.text('cluster', '--apis'), cluster['cluster_id'], 'REQUEST', 'Fetch', broker.bootstrap)


# ---- groups

def listed(cli, *words):
    return {g['group']: g for g in cli.json('group', 'list', *words)}


def committed(cli, group):
    [found] = cli.json('group', 'describe', group)
    return {(p['topic'], p['partition']): p['committed'] for p in found['partitions']}


def test_group_usage(cli, _broker):
    has(cli.error('group', 'reset', 'g', expect=2), 'where to')
    has(cli.error('group', 'reset', 'g', '--to-latest', expect=2), 'which partitions')
    has(cli.error('group', 'reset', 'g', '--to-latest', '--to-earliest', '--topic', 't', expect=2), 'more than one')
    has(cli.error('group', 'reset', 'g', '--from-file', 'x', '--topic', 't', expect=2), '--from-file names')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--all-topics', '--to-latest', expect=2), 'either')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--to-offset', '-1', expect=2), '--to-offset must be')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--to-datetime', 'noon', expect=2), '2026-01-31')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--by-duration', '1h', expect=2), 'PT15M')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--to-latest', '--execute', '--dry-run', expect=2), 'exclude')
    has(cli.error('group', 'describe', expect=2), 'GROUP... is missing')
    has(cli.error('group', 'describe', 'g', '--watch', '--members', expect=2), 'excludes')
    has(cli.error('group', 'describe', 'g', '--watch=0', expect=2), '--watch must be')


def test_group_offsets(cli, _broker):
    """Offsets without members: reset in all ways, describe, list, delete."""
    cli.run('topic', 'create', 'goff', '--partitions', '3')
    cli.run('topic', 'create', 'goff-b')
    eventually(lambda: cli.records('goff', '--partition', '0') == [])
    for p in range(3):
        cli.run('produce', 'goff', '--partition', str(p), stdin=b'x\n' * (10 * (p + 1)))
    cli.run('produce', 'goff-b', stdin=b'x\n' * 5)

    def reset(*words):
        cli.run('group', 'reset', 'goff-g', *words, '--execute')
        return committed(cli, 'goff-g')

    plan = cli.json('group', 'reset', 'goff-g', '--topic', 'goff', '--to-latest')
    same((plan['executed'], [p['new_offset'] for p in plan['partitions']]), (False, [10, 20, 30]))
    has(cli.error('group', 'describe', 'goff-g'), 'GROUP_ID_NOT_FOUND (69)')  # a plan changes nothing
    same(reset('--topic', 'goff', '--to-offset', '15'),
         {('goff', 0): 10, ('goff', 1): 15, ('goff', 2): 15})
    same(reset('--topic', 'goff:0,2', '--shift-by', '-5'), {('goff', 0): 5, ('goff', 1): 15, ('goff', 2): 10})
    same(reset('--topic', 'goff', '--shift-by', '1000'), {('goff', 0): 10, ('goff', 1): 20, ('goff', 2): 30})
    same(reset('--topic', 'goff:1', '--to-earliest', '--topic', 'goff-b'),
         {('goff', 0): 10, ('goff', 1): 0, ('goff', 2): 30, ('goff-b', 0): 0})
    same(reset('--all-topics', '--to-datetime', '2020-01-01T00:00:00Z')[('goff', 2)], 0)
    same(reset('--all-topics', '--to-datetime', '2999-01-01')[('goff', 2)], 30)
    same(reset('--all-topics', '--by-duration', 'PT1H')[('goff', 2)], 0)
    before = reset('--topic', 'goff', '--to-latest')
    lines = cli.text('group', 'reset', 'goff-g', '--all-topics', '--to-current', '--export')
    same(lines, 'goff,0,10\ngoff,1,20\ngoff,2,30\ngoff-b,0,0\n')
    reset('--all-topics', '--to-earliest')
    cli.run('group', 'reset', 'goff-g', '--from-file', '-', '--execute', stdin=lines.encode())
    same(committed(cli, 'goff-g'), before)
    has(cli.error('group', 'reset', 'goff-g', '--from-file', '-', stdin=b'goff,0,1\nnonsense\n', expect=2), 'line 2')
    has(cli.run('group', 'reset', 'goff-g', '--topic', 'goff', '--to-offset', '99')[1], 'offsets 0 to 10')
    has(cli.error('group', 'reset', 'goff-g', '--topic', 'goff:9', '--to-latest'), 'partitions 0 to 2')
    has(cli.error('group', 'reset', 'goff-g', '--topic', 'gofff', '--to-latest'), 'did you mean "goff"')
    has(cli.error('group', 'reset', 'goff-none', '--all-topics', '--to-latest'), 'no partition to reset')

    cli.run('group', 'reset', 'goff-g', '--topic', 'goff', '--shift-by', '-4', '--execute')
    [group] = cli.json('group', 'describe', 'goff-g')
    same((group['state'], group['members'], group['lag']), ('Empty', [], 17))
    same([p['lag'] for p in group['partitions']], [4, 4, 4, 5])
    has(cli.text('group', 'describe', 'goff-g'), 'group goff-g: Empty, 0 members, lag 17', 'COMMITTED')
    same(listed(cli)['goff-g']['members'], 0)
    assert 'goff-g' in listed(cli, '--state', 'empty') and 'goff-g' not in listed(cli, '--state', 'Stable')
    has(cli.text('group', 'list'), 'GROUP', 'goff-g')
    has(cli.error('group', 'describe', 'goff-x'), 'did you mean "goff-g"')
    same(complete(cli, 'strom group describe goff-'), ['goff-g'])

    same(cli.json('group', 'delete', 'goff-g', '--topic', 'goff:0,1'), [{'group': 'goff-g', 'offsets_deleted': 2}])
    same(committed(cli, 'goff-g'), {('goff', 2): 26, ('goff-b', 0): 0})
    has(cli.text('group', 'delete', 'goff-g', '--topic', 'goff'), 'forgot 1 offset')
    has(cli.error('group', 'delete', 'goff-g', '--topic', 'goff'), 'no offset for topic goff')
    has(cli.text('group', 'delete', 'goff-g'), 'Deleted group goff-g')
    has(cli.error('group', 'delete', 'goff-g'), 'GROUP_ID_NOT_FOUND (69)')
    same(cli.json('group', 'delete', 'goff-g', '--if-exists'), [{'group': 'goff-g', 'deleted': False}])


def test_group_of_deleted_topic(cli, _broker):
    cli.run('topic', 'create', 'gone-t')
    cli.run('topic', 'create', 'gone-stays')
    cli.run('group', 'reset', 'gone-g', '--topic', 'gone-t', '--topic', 'gone-stays', '--to-earliest', '--execute')
    cli.run('topic', 'delete', 'gone-t')
    # A broker may forget the offsets with the topic; what it tells must make sense.
    [group] = cli.json('group', 'describe', 'gone-g')
    for p in group['partitions']:
        same((p['committed'], p['end_offset'], p['lag']), (0, None, None) if p['topic'] == 'gone-t' else (0, 0, 0))
    same(group['partitions'][-1]['topic'] == 'gone-t' or len(group['partitions']) == 1, True)


def test_group_watch(cli, _broker):
    cli.run('topic', 'create', 'watch-t')
    cli.run('produce', 'watch-t', stdin=b'x\n' * 100)
    cli.run('group', 'reset', 'watch-g', '--topic', 'watch-t', '--to-earliest', '--execute')
    watcher = cli.start('group', 'describe', 'watch-g', '--watch=1', '--json', stdin=subprocess.DEVNULL)
    first = json.loads(watcher.stdout.readline())
    same((first['lag'], first['consumed_per_s'], first['zero_in_s']), (100, None, None))
    cli.run('group', 'reset', 'watch-g', '--topic', 'watch-t', '--shift-by', '60', '--execute')
    while (line := json.loads(watcher.stdout.readline()))['lag'] != 40:
        pass
    assert line['consumed_per_s'] > 0 and line['produced_per_s'] == 0 and line['zero_in_s'] > 0, line
    same(line['partitions'][0]['committed'], 60)
    watcher.send_signal(signal.SIGINT)
    same((watcher.wait(TIMEOUT_S), watcher.stderr.read()), (0, b''))
    watcher = cli.start('group', 'describe', 'watch-g', 'watch-later', '--watch', stdin=subprocess.DEVNULL)
    has(watcher.stdout.readline().decode(), 'group watch-g: Empty')
    watcher.send_signal(signal.SIGTERM)
    rest = watcher.stdout.read().decode()
    has(rest, 'zero in', 'ZERO IN', 'group watch-later: Dead')
    assert '\x1b' not in rest
    same(watcher.wait(TIMEOUT_S), 0)


def raw_member(broker, group, metadata, assignment, protocol='range'):
    """Joins a group by hand with whatever bytes; returns the connection, which keeps the member alive."""
    member = rawkafka.Connection(('127.0.0.1', broker.port))
    body = rawkafka.string(group) + struct.pack('>ii', 30000, 30000) + rawkafka.string('') + \
        rawkafka.string('consumer') + struct.pack('>i', 1) + rawkafka.string(protocol) + \
        struct.pack('>i', len(metadata)) + metadata
    answer = member.ask(rawkafka.request(11, 2, body))
    error, generation = struct.unpack_from('>hi', answer, 8)
    same(error, 0)
    at = 14
    texts = []
    for _ in range(3):
        size, = struct.unpack_from('>h', answer, at)
        texts.append(answer[at + 2:at + 2 + size].decode())
        at += 2 + size
    member_id = texts[2]
    body = rawkafka.string(group) + struct.pack('>i', generation) + rawkafka.string(member_id) + \
        struct.pack('>i', 1) + rawkafka.string(member_id) + struct.pack('>i', len(assignment)) + assignment
    same(struct.unpack_from('>h', member.ask(rawkafka.request(14, 1, body)), 8)[0], 0)
    member.member_id = member_id
    return member


def test_group_hostile_members(cli, broker):
    """A member may tell the others anything; describe shows what it can and says what it cannot. (No rotten count of
    topics in a subscription: Apache Kafka 4.2 reads those, and then never answers the group.)"""
    topic = rawkafka.string('t')
    for i, (metadata, assignment, is_opaque) in enumerate([
            (b'', b'', False), (b'\xff', b'\xff\xff\xff', True),
            (b'\0\0\0\0\0\0\0\0\0\0', b'\0\0\0\0\0\x09', True),
            (b'\0\0\0\0\0\x01' + topic + b'\0\0\0\0',
             b'\0\0\0\0\0\x01' + topic + b'\0\0\0\x03\0\0\0\x01\xff\xff\xff\xff\0\0\0\x02\0\0\0\0', False)]):
        member = raw_member(broker, f'hostile-{i}', metadata, assignment)
        [group] = cli.json('group', 'describe', f'hostile-{i}')
        same((group['state'], [m['opaque'] for m in group['members']]), ('Stable', [is_opaque]))
        has(cli.text('group', 'describe', f'hostile-{i}'), 'Stable, 1 member')
        has(cli.text('group', 'describe', f'hostile-{i}', '--members'), '(not a consumer' if is_opaque else 'MEMBER')
        has(cli.error('group', 'reset', f'hostile-{i}', '--topic', 'x', '--to-latest'), 'NON_EMPTY_GROUP (68)',
            '1 member', 'stop its consumers')
        has(cli.error('group', 'delete', f'hostile-{i}'), 'NON_EMPTY_GROUP (68)', 'stop its consumers')
        member.close()


class Reader:
    """`strom consume` running as a member of a group; collects what it prints."""

    def __init__(self, cli, *words):
        self.process = cli.start('consume', *words, '--verbose', '--format', '%t %p %o %v\\n', stdin=subprocess.DEVNULL)
        self.lines, self.notes = [], []
        self.threads = [threading.Thread(target=self.collect, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.notes))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def collect(stream, into):
        for line in stream:
            into.append(line.decode().rstrip('\n'))

    def assigned(self):
        """The partitions of the last assignment that it told, None before the first."""
        notes = list(self.notes)
        begins = [i for i, note in enumerate(notes) if 'the group gives' in note]
        if not begins:
            return None
        count = int(notes[begins[-1]].split('gives ')[1].split()[0])
        found = [note.split() for note in notes[begins[-1] + 1:] if note.startswith('  ')]
        return sorted((w[0], int(w[2])) for w in found) if len(found) == count else None

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        same(self.process.wait(TIMEOUT_S), 0)
        for thread in self.threads:
            thread.join()
        return self.lines


def share(readers, count):
    """Whether the readers have `count` partitions between them, each one's."""
    assigned = [r.assigned() for r in readers]
    if None in assigned:
        return False
    flat = [p for parts in assigned for p in parts]
    return len(flat) == len(set(flat)) == count


def write(cli, topic, begin, end):
    cli.run('produce', topic, '--key-separator', ':', '--quiet',
            stdin='\n'.join(f'k{i}:{i}' for i in range(begin, end)).encode())


def test_group_members(cli, _broker):
    """Members come and go under load: every record once, in order within its partition, and all is committed."""
    cli.run('topic', 'create', 'mem-a', '--partitions', '4')
    cli.run('topic', 'create', 'mem-b', '--partitions', '3')
    write(cli, 'mem-a', 0, 2000)
    words = ['mem-a', 'mem-b', '--group', 'mem-g']
    readers = [Reader(cli, *words)]
    eventually(lambda: share(readers, 7))
    readers.append(Reader(cli, *words))
    eventually(lambda: share(readers, 7))
    write(cli, 'mem-b', 2000, 4000)
    readers.append(Reader(cli, *words))
    eventually(lambda: share(readers, 7))
    same(sorted(len(r.assigned()) for r in readers), [2, 2, 3])
    [group] = cli.json('group', 'describe', 'mem-g')
    same((group['state'], group['protocol'], len(group['members'])), ('Stable', 'range', 3))
    same({p['owner'] for p in group['partitions']}, {m['member'] for m in group['members']})
    has(cli.text('group', 'describe', 'mem-g', '--members'), 'mem-a:', 'mem-b:', '127.0.0.1')
    has(cli.error('group', 'delete', 'mem-g', '--topic', 'mem-a'), 'GROUP_SUBSCRIBED_TO_TOPIC (86)')
    write(cli, 'mem-a', 4000, 6000)
    eventually(lambda: sum(len(r.lines) for r in readers) >= 6000)
    gone = readers[0]
    gone.stop()
    eventually(lambda: share(readers[1:], 7))
    write(cli, 'mem-b', 6000, 8000)
    eventually(lambda: sum(len(r.lines) for r in readers) >= 8000)
    for reader in readers[1:]:
        reader.stop(how=signal.SIGTERM)
    lines = [line.split() for r in readers for line in r.lines]
    same(sorted(int(line[3]) for line in lines), list(range(8000)))
    for reader in readers:
        for where in {tuple(line.split()[:2]) for line in reader.lines}:
            offsets = [int(line.split()[2]) for line in reader.lines if tuple(line.split()[:2]) == where]
            same(offsets, sorted(offsets))
    [group] = cli.json('group', 'describe', 'mem-g')
    same((group['state'], group['lag'], len(group['partitions'])), ('Empty', 0, 7))
    same(cli.text('consume', *words, '--exit'), '')
    write(cli, 'mem-a', 8000, 8010)
    same(len(cli.text('consume', *words, '--count', '3').splitlines()), 3)
    same(len(cli.text('consume', *words, '--exit').splitlines()), 7)


def test_group_killed_member(cli, _broker):
    """kill -9: the others go on where it committed, after its session timed out."""
    cli.run('topic', 'create', 'kill-t', '--partitions', '4')
    words = ['kill-t', '--group', 'kill-g', '--session-timeout-ms', '1000']
    readers = [Reader(cli, *words) for _ in range(2)]
    eventually(lambda: share(readers, 4))
    write(cli, 'kill-t', 0, 1000)
    eventually(lambda: sum(len(r.lines) for r in readers) >= 1000)
    readers[0].process.kill()
    write(cli, 'kill-t', 1000, 2000)
    eventually(lambda: share(readers[1:], 4))
    eventually(lambda: len({line.split()[3] for r in readers for line in list(r.lines)}) == 2000)
    readers[1].stop()
    same(sum(p['lag'] for p in cli.json('group', 'describe', 'kill-g')[0]['partitions']), 0)


def test_group_static_member(cli, _broker):
    """A static member that goes and comes back within its session leaves the others alone."""
    cli.run('topic', 'create', 'static-t', '--partitions', '4')
    words = ['static-t', '--group', 'static-g']
    first = Reader(cli, *words, '--instance-id', 'one')
    eventually(lambda: share([first], 4))
    other = Reader(cli, *words, '--instance-id', 'two')
    eventually(lambda: share([first, other], 4))
    [group] = cli.json('group', 'describe', 'static-g')
    same(sorted(m['instance_id'] for m in group['members']), ['one', 'two'])
    had, notes = first.assigned(), list(other.notes)
    first.stop()
    back = Reader(cli, *words, '--instance-id', 'one')
    eventually(lambda: back.assigned() is not None)
    same((back.assigned(), other.notes), (had, notes))
    thief = Reader(cli, *words, '--instance-id', 'two')
    same(other.process.wait(TIMEOUT_S), 1)
    eventually(lambda: any('took over' in note for note in other.notes))
    for reader in (back, thief):
        reader.stop()


def test_group_topic_grows(cli, _broker):
    cli.run('topic', 'create', 'grow-t', '--partitions', '1')
    reader = Reader(cli, 'grow-t', '--group', 'grow-g')
    eventually(lambda: share([reader], 1))
    cli.run('topic', 'alter', 'grow-t', '--partitions', '3')
    write(cli, 'grow-t', 0, 100)
    eventually(lambda: share([reader], 3))
    eventually(lambda: len(reader.lines) == 100)
    reader.stop()


def test_group_blocked_output(cli, _broker):
    """Nobody reads the output: the member stays for --max-poll-ms, and commits nothing that was not taken."""
    cli.run('topic', 'create', 'block-t')
    cli.run('produce', 'block-t', '--quiet', stdin=b'x' * 999 + b'\n' + (b'y' * 999 + b'\n') * 999)
    words = ['consume', 'block-t', '--group', 'block-g', '--session-timeout-ms', '3000']

    def members():
        return [m['member'] for m in cli.json('group', 'describe', 'block-g')[0]['members']]
    blocked = cli.start(*words, stdin=subprocess.DEVNULL)
    eventually(lambda: listed(cli).get('block-g', {}).get('members') == 1)
    [member] = members()
    begin = time.monotonic()
    while time.monotonic() - begin < 7:  # two session timeouts
        same(members(), [member])
    same(committed(cli, 'block-g'), {('block-t', 0): None})
    blocked.send_signal(signal.SIGTERM)  # it cannot finish: it leaves after 3 seconds
    same(blocked.wait(TIMEOUT_S), 1)
    has(blocked.stderr.read().decode(), 'output is blocked')
    same(members(), [])

    blocked = cli.start(*words, '--max-poll-ms', '1500', '--count', '1000', stdin=subprocess.DEVNULL)
    eventually(lambda: listed(cli)['block-g']['members'] == 1)
    eventually(lambda: listed(cli)['block-g']['members'] == 0)
    same(len(blocked.stdout.read()), 1000000)
    same(blocked.wait(TIMEOUT_S), 0)
    has(blocked.stderr.read().decode(), '--max-poll-ms')


def test_group_start_of_new_partitions(cli, _broker):
    cli.run('topic', 'create', 'begin-t')
    write(cli, 'begin-t', 0, 10)
    reader = Reader(cli, 'begin-t', '--group', 'begin-latest', '--offset', 'latest')
    eventually(lambda: reader.assigned() == [('begin-t', 0)])
    write(cli, 'begin-t', 10, 12)
    eventually(lambda: len(reader.lines) == 2)
    reader.stop()
    same([line.split()[3] for line in reader.lines], ['10', '11'])
    cli.run('group', 'reset', 'begin-latest', '--topic', 'begin-t', '--to-offset', '5', '--execute')
    cli.run('topic', 'trim', 'begin-t', '--partition', '0', '--offset', '7')
    out, err = cli.run('consume', 'begin-t', '--group', 'begin-latest', '--exit')
    same(out.split(), [b'7', b'8', b'9', b'10', b'11'])
    has(err, '5 is committed')


def test_group_hostile_leader(cli, broker):
    """Another member leads and assigns what is not there, and the same twice; then what is no assignment."""
    cli.run('topic', 'create', 'lead-t', '--partitions', '2')
    cli.run('produce', 'lead-t', '--partition', '1', '--quiet', stdin=b'x\n' * 5)
    topic, group = rawkafka.string('lead-t'), rawkafka.string('lead-g')
    subscription = b'\0\0\0\0\0\x01' + topic + b'\0\0\0\0'
    made_up = b'\0\0\0\0\0\x02' + topic + struct.pack('>i5i', 5, 1, 7, -1, 1, 0x7fffffff) + \
        rawkafka.string('nowhere') + struct.pack('>ii', 1, 0) + b'\0\0\0\0'
    for turn, assignment in enumerate((made_up, b'\0\0\0\0\x7f')):
        leader = raw_member(broker, 'lead-g', subscription, b'')
        reader = Reader(cli, 'lead-t', '--group', 'lead-g')
        eventually(lambda: listed(cli)['lead-g']['state'] == 'PreparingRebalance')
        join = group + struct.pack('>ii', 30000, 30000) + rawkafka.string(leader.member_id) + \
            rawkafka.string('consumer') + struct.pack('>i', 1) + rawkafka.string('range') + \
            struct.pack('>i', len(subscription)) + subscription
        answer = leader.ask(rawkafka.request(11, 2, join))
        error, generation = struct.unpack_from('>hi', answer, 8)
        same(error, 0)
        other = next(name for name in re.findall(rb'strom-cli[-0-9a-f]*', answer))
        sync = group + struct.pack('>i', generation) + rawkafka.string(leader.member_id) + struct.pack('>i', 1) + \
            rawkafka.string(other.decode()) + struct.pack('>i', len(assignment)) + assignment
        leader.ask(rawkafka.request(14, 1, sync))
        if turn == 0:
            eventually(lambda: reader.assigned() == [('lead-t', 1)])
            eventually(lambda: len(reader.lines) == 5)
            has('\n'.join(reader.notes), '3 partitions of lead-t', '1 partition of nowhere')
            reader.stop()
        else:
            same(reader.process.wait(TIMEOUT_S), 1)
            eventually(lambda: any('no assignment' in note for note in reader.notes))
        leave = group + rawkafka.string(leader.member_id)
        leader.ask(rawkafka.request(13, 1, leave))
        leader.close()


def test_group_hung_broker(cli, _broker):
    """The broker stops answering (SIGSTOP): Ctrl-C still ends a member within seconds, a second one at once."""
    with Broker(cli.binary, settings=SETTINGS) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'hung', *words)
        readers = [Reader(cli, 'hung', '--group', f'hung-{i}', '--timeout-ms', '2000', *words) for i in range(2)]
        eventually(lambda: all(r.assigned() for r in readers))
        own.process.send_signal(signal.SIGSTOP)
        try:
            readers[0].process.send_signal(signal.SIGINT)
            readers[1].process.send_signal(signal.SIGINT)
            time.sleep(0.7)  # the same wish, and another one
            readers[1].process.send_signal(signal.SIGINT)
            same(readers[1].process.wait(TIMEOUT_S), 130)
            readers[0].process.wait(TIMEOUT_S)
        finally:
            own.process.send_signal(signal.SIGCONT)


def test_group_refusals(cli, broker):
    cli.run('topic', 'create', 'no-t')
    has(cli.error('consume', 'no-tt', '--group', 'no-g'), 'did you mean "no-t"')
    has(cli.error('consume', 'no-t', '--group', 'no-g', '--session-timeout-ms', '7200000'),
        'INVALID_SESSION_TIMEOUT (26)', '--session-timeout-ms')
    member = raw_member(broker, 'no-other', b'', b'', protocol='mine')
    has(cli.error('consume', 'no-t', '--group', 'no-other'), 'INCONSISTENT_GROUP_PROTOCOL (23)', 'range')
    member.close()


def test_group_broker_restart(cli, _broker):
    """kill -9 of the broker: members, who keep their ids, and commits survive it."""
    with Broker(cli.binary, settings=SETTINGS) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'again', '--partitions', '2', *words)
        reader = Reader(cli, 'again', '--group', 'again-g', *words)
        for i in range(3):
            cli.run('produce', 'again', '--quiet', *words, stdin=b''.join(b'%d\n' % (i * 100 + k) for k in range(100)))
            eventually(lambda n=i: len({line.split()[3] for line in list(reader.lines)}) == 100 * (n + 1))
            own.kill()
            own.start()
        reader.stop()
        same(cli.text('consume', 'again', '--group', 'again-g', '--exit', *words), '')


def test_group_with_kcat(cli, broker):
    """librdkafka and this share a group, whoever leads it."""
    if shutil.which('kcat') is None:
        print('    kcat is not installed: skipped')
        return
    cli.run('topic', 'create', 'mix-t', '--partitions', '5')
    kcat = ['kcat', '-b', broker.bootstrap, '-q', '-u', '-G', 'mix-g', '-X', 'auto.offset.reset=earliest', '-f', '%s\n',
            'mix-t']
    taken = []
    for turn in range(2):
        starts = [lambda: Reader(cli, 'mix-t', '--group', 'mix-g'),
                  lambda: subprocess.Popen(kcat, stdout=subprocess.PIPE, stderr=subprocess.PIPE)]
        both = {}
        for i in (0, 1) if turn == 0 else (1, 0):  # the first one leads
            both[i] = starts[i]()
            eventually(lambda n=len(both): listed(cli).get('mix-g', {}).get('state') == 'Stable' and
                       listed(cli)['mix-g']['members'] == n)
        reader, other = both[0], both[1]
        eventually(lambda: reader.assigned() is not None and len(reader.assigned()) in (2, 3))
        [group] = cli.json('group', 'describe', 'mix-g')
        same(sorted(len(m['assigned'][0]['partitions']) for m in group['members']), [2, 3])
        write(cli, 'mix-t', 1000 * turn, 1000 * turn + 1000)
        got = []
        threading.Thread(target=lambda stream=other.stdout, into=got: into.extend(stream), daemon=True).start()
        eventually(lambda: len(got) + len(reader.lines) >= 1000)
        other.terminate()
        other.wait(TIMEOUT_S)
        taken += [int(line) for line in got] + [int(line.split()[3]) for line in reader.stop()]
    same(sorted(taken), list(range(2000)))


# ---- records

def test_round_trip(cli, _broker):
    for codec in CODECS:
        topic = f'trip-{codec}'
        cli.run('topic', 'create', topic, '--partitions', '3')
        lines = [f'k{i % 50}\tvalue {i} ' + 'x' * (i % 200) for i in range(5000)]
        out, err = cli.run('produce', topic, '--key-separator', '\\t', '--compression', codec, '--batch-records', '500',
                           stdin='\n'.join(lines).encode())
        same(out, b'')
        has(err, 'Wrote 5000 records')
        got = cli.records(topic)
        same(sorted(f"{r['key']}\t{r['value']}" for r in got), sorted(lines))
        for p in range(3):  # offsets dense, keys in order and in one place
            offsets = [r['offset'] for r in got if r['partition'] == p]
            same(offsets, list(range(len(offsets))))
        for key in ('k0', 'k7', 'k49'):
            mine = [r for r in got if r['key'] == key]
            same(len({r['partition'] for r in mine}), 1)
            numbers = [int(r['value'].split()[1]) for r in mine]
            same(numbers, sorted(numbers))


def test_bytes(cli, _broker):
    cli.run('topic', 'create', 'bytes')
    lines = [b'plain', b'', b'\xff\xfe binary \x00 here', 'h\u00e9 \U0001f30a'.encode(),
             b'"quoted"\\\t\x1b[31m', b' spaces ']
    cli.run('produce', 'bytes', stdin=b'\n'.join(lines) + b'\r\n')
    out, _ = cli.run('consume', 'bytes', '--exit')
    same(out, b'\n'.join(lines) + b'\n')
    got = cli.records('bytes')
    same([base64.b64decode(r['value_base64']) if 'value_base64' in r else r['value'].encode() for r in got], lines)
    same(sum('value_base64' in r for r in got), 1)


def test_keys_headers_nulls(cli, _broker):
    cli.run('topic', 'create', 'keys', '--partitions', '4')
    cli.run('produce', 'keys', '--partition', '2', '--key', 'a', '--header', 'h=1', '--header', 'g=', stdin=b'one\n\n')
    cli.run('produce', 'keys', '--partition', '2', '--key-separator', '::', '--empty-as-null',
            stdin=b'b::two::2\nb::\nthree')
    got = cli.records('keys', '--partition', '2')
    same([(r['key'], r['value']) for r in got],
         [('a', 'one'), ('a', ''), ('b', 'two::2'), ('b', None), (None, 'three')])
    same(got[0]['headers'], [{'key': 'h', 'value': '1'}, {'key': 'g', 'value': ''}])
    same(got[2]['headers'], [])
    same(cli.text('consume', 'keys', '--exit', '--format', '%t %p %o %k=%v %K %S %h|', '--null', 'NULL'),
         'keys 2 0 a=one 1 3 h=1,g=|keys 2 1 a= 1 0 h=1,g=|keys 2 2 b=two::2 1 6 |keys 2 3 b=NULL 1 -1 |'
         'keys 2 4 NULL=three -1 5 |')
    same(cli.text('consume', 'keys', '--exit', '--count', '1', '--show-key', '--show-headers', '--show-offset'),
         '2:0\th=1,g=\ta\tone\n')
    has(cli.error('produce', 'keys', '--partition', '4', stdin=b'x'), 'partitions 0 to 3')
    has(cli.error('consume', 'keys', '--partition', '4', '--exit'), 'partitions 0 to 3')


def test_offsets(cli, _broker):
    cli.run('topic', 'create', 'offsets', '--partitions', '2')
    cli.run('produce', 'offsets', '--partition', '0', stdin=b'\n'.join(b'%d' % i for i in range(100)))
    time.sleep(0.01)
    now = int(time.time() * 1000)
    time.sleep(0.01)
    cli.run('produce', 'offsets', '--partition', '0', stdin=b'100\n101\n')

    def values(*words):
        return [int(r['value']) for r in cli.records('offsets', *words)]
    same(values(), list(range(102)))
    same(values('--offset', 'latest'), [])
    same(values('--offset', '99'), [99, 100, 101])
    same(values('--offset', '-3'), [99, 100, 101])
    same(values('--offset', '-1000'), list(range(102)))
    same(values('--offset', f'@{now}'), [100, 101])
    same(values('--offset', f'@{now + 10**9}'), [])
    same(values('--count', '5'), [0, 1, 2, 3, 4])
    same(values('--partition', '1'), [])
    same(values('--partition', '0', '--partition', '0', '--count', '2'), [0, 1])
    has(cli.error('consume', 'offsets', '--offset', '103', '--partition', '0', '--exit'), 'OFFSET_OUT_OF_RANGE (1)',
        'offsets 0 to 102')
    has(cli.error('consume', 'offsets', '--offset', 'soon', '--exit', expect=2), '@MS')

    same(cli.json('topic', 'trim', 'offsets', '--partition', '0', '--offset', '90'),
         [{'topic': 'offsets', 'partition': 0, 'start_offset': 90}])
    same(values(), list(range(90, 102)))
    has(cli.error('topic', 'trim', 'offsets', '--partition', '0', '--offset', '200'), 'OFFSET_OUT_OF_RANGE')
    has(cli.error('consume', 'offsets', '--offset', '5', '--partition', '0', '--exit'), 'offsets 90 to 102')
    has(cli.text('topic', 'trim', 'offsets', '--partition', '0', '--offset', 'end'), 'now starts at offset 102')
    same(cli.records('offsets'), [])
    has(cli.error('topic', 'trim', 'offsets', '--partition', '7', '--offset', '0'), 'UNKNOWN_TOPIC_OR_PARTITION')


def test_acks(cli, _broker):
    cli.run('topic', 'create', 'acks')
    for acks in ('all', '1', '0'):
        cli.run('produce', 'acks', '--acks', acks, stdin=b'x\n' * 20000)
    eventually(lambda: len(cli.records('acks')) == 60000)
    done = cli.json('produce', 'acks', stdin=b'yy\n' * 10)
    same((done['records'], done['bytes'], done['topic']), (10, 20, 'acks'))
    same(cli.run('produce', 'acks', '--quiet', stdin=b'x')[1], '')
    same(cli.json('produce', 'acks', stdin=b'')['records'], 0)


def test_file(cli, _broker):
    cli.run('topic', 'create', 'file')
    with tempfile.NamedTemporaryFile() as f:
        text = ''.join(f'line {i} {"y" * (i % 3000)}\n' for i in range(3000))
        f.write(text.encode() + b'no end of line')
        f.flush()
        cli.run('produce', 'file', '--file', f.name)
    same(cli.text('consume', 'file', '--exit'), text + 'no end of line\n')
    with tempfile.TemporaryDirectory() as there:
        has(cli.error('produce', 'file', '--file', f'{there}/none/x'), 'there is no file')
        same(os.listdir(there), [])


def test_refused(cli, _broker):
    cli.run('topic', 'create', 'refused', '--config', 'cleanup.policy=compact')
    err = cli.error('produce', 'refused', stdin=b'no key\n')
    has(err, 'INVALID_RECORD (87)', 'lines 1 to 1', '--key')
    cli.run('topic', 'create', 'small', '--config', 'max.message.bytes=1000')
    has(cli.error('produce', 'small', stdin=b'ok\n' + b'x' * 5000), 'MESSAGE_TOO_LARGE (10)', 'max.message.bytes')
    cli.run('topic', 'create', 'large', '--config', 'max.message.bytes=8000000')
    cli.run('produce', 'large', stdin=b'z' * 6000000)
    same(cli.run('consume', 'large', '--exit')[0], b'z' * 6000000 + b'\n')
    has(cli.error('produce', 'large', stdin=b'z' * (33 << 20)), 'after line 0')


# ---- live

def test_live(cli, _broker):
    """Lines of a pipe that stays open arrive; consume waits for them; Ctrl-C ends it."""
    cli.run('topic', 'create', 'live')
    reader = cli.start('consume', 'live', stdin=subprocess.DEVNULL)
    writer = cli.start('produce', 'live')
    for i in range(5):
        writer.stdin.write(b'live %d\n' % i)
        writer.stdin.flush()
        same(reader.stdout.readline(), b'live %d\n' % i)
    writer.stdin.close()
    same(writer.wait(TIMEOUT_S), 0)
    reader.send_signal(signal.SIGINT)
    assert reader.wait(TIMEOUT_S) in (-signal.SIGINT, 130), reader.returncode
    same(reader.stderr.read(), b'')


def test_closed_pipe(cli, _broker):
    cli.run('topic', 'create', 'pipe')
    cli.run('produce', 'pipe', stdin=b'0123456789\n' * 200000)
    for words in (['consume', 'pipe', '--exit'], ['consume', 'pipe', '--exit', '--json'], ['consume', 'pipe']):
        process = cli.start(*words, stdin=subprocess.DEVNULL)
        assert process.stdout.readline()
        process.stdout.close()
        process.wait(TIMEOUT_S)
        same((process.stderr.read(), process.returncode), (b'', 0))


class Proxy(threading.Thread):
    """Passes bytes to the broker and back, and cuts every connection after a few of either kind."""

    def __init__(self, port, cuts, bytes_max):
        super().__init__(daemon=True)
        self.port, self.cuts, self.bytes_max = port, cuts, bytes_max
        self.random = random.Random(1)
        self.last_left = None
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.address = f'127.0.0.1:{self.listener.getsockname()[1]}'
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(('127.0.0.1', self.port))
            left = [10**12]
            if self.cuts > 0:
                self.cuts -= 1
                left = [self.random.randrange(self.bytes_max)]
            self.last_left = left
            ends = (client, server)
            for a, b in (ends, ends[::-1]):
                threading.Thread(target=self.pump, args=(a, b, left), daemon=True).start()

    @staticmethod
    def pump(a, b, left):
        try:
            while data := a.recv(65536):
                data = data[:max(left[0], 0)]
                left[0] -= len(data)
                b.sendall(data)
                if left[0] <= 0:
                    break
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_broken_connections(cli, broker):
    """With acks=all nothing is lost, repeated or reordered however often the connection breaks."""
    cli.run('topic', 'create', 'broken', '--partitions', '3')
    proxy = Proxy(broker.port, 0, 400000)
    process = subprocess.Popen([cli.binary, 'produce', 'broken', '--batch-records', '200', '--key-separator', ':',
                                '--bootstrap-server', proxy.address, '--json'],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b'first:0\n')
    process.stdin.flush()
    eventually(lambda: len(cli.records('broken')) == 1)  # the handshake is over: from here every loss is repaired
    proxy.cuts = 12
    proxy.last_left[0] = 100000
    lines = [f'k{i % 7}:{i} {"w" * 100}' for i in range(40000)]
    for s in range(0, len(lines), 100):
        process.stdin.write(('\n'.join(lines[s:s + 100]) + '\n').encode())
    process.stdin.close()
    same((process.wait(TIMEOUT_S), process.stderr.read()), (0, b''))
    done = json.loads(process.stdout.read())
    assert done['retries'] > 5, done
    same(done['records'], len(lines) + 1)
    got = cli.records('broken')
    same(sorted(r['value'] for r in got), sorted(['0'] + [line.split(':', 1)[1] for line in lines]))
    for key in {r['key'] for r in got}:
        numbers = [int(r['value'].split()[0]) for r in got if r['key'] == key]
        same(numbers, sorted(numbers))


def test_killed_broker(cli, _broker):
    """kill -9 under a running producer and consumer; both go on when the broker is back."""
    with Broker(cli.binary) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'killed', '--partitions', '2', *words)
        reader = cli.start('consume', 'killed', '--count', '30000', *words, stdin=subprocess.DEVNULL)
        got = []
        collector = threading.Thread(target=lambda: got.extend(reader.stdout))
        collector.start()
        writer = cli.start('produce', 'killed', '--json', *words)
        for i in range(30000):
            writer.stdin.write(b'%d\n' % i)
            if i in (7000, 20000):
                writer.stdin.flush()
                eventually(lambda: len(got) > 1000)
                own.kill()
                own.start()
        writer.stdin.close()
        same(writer.wait(TIMEOUT_S), 0)
        same(reader.wait(TIMEOUT_S), 0)
        collector.join()
        same(json.loads(writer.stdout.read())['records'], 30000)
        same(sorted(int(line) for line in got), list(range(30000)))
        has(reader.stderr.read().decode(), 'trying again')


def serve_bytes(answers):
    """A listener whose every connection gets these bytes after its first request; then it is closed."""
    listener = socket.create_server(('127.0.0.1', 0))

    def run():
        while True:
            conn, _ = listener.accept()
            try:
                conn.recv(65536)
                conn.sendall(answers)
                conn.shutdown(socket.SHUT_WR)
                conn.recv(65536)
            except OSError:
                pass
            conn.close()
    threading.Thread(target=run, daemon=True).start()
    return f'127.0.0.1:{listener.getsockname()[1]}'


def test_hostile_server(cli, _broker):
    answers = [b'', b'HTTP/1.1 400 Bad Request\r\n\r\n', struct.pack('>i', -1), struct.pack('>i', 0x7fffffff),
               struct.pack('>i', 4) + b'\0\0\0\0', struct.pack('>ii', 1000, 0), struct.pack('>ii', 8, 5) + b'\xff' * 4,
               struct.pack('>iihI', 10, 0, 0, 0x7fffffff), struct.pack('>iih', 14, 0, 0) + b'\xff' * 8]
    for answer in answers:
        err = cli.error('topic', 'list', expect=3, bootstrap=serve_bytes(answer))
        has(err, 'cannot reach')
    silent = socket.create_server(('127.0.0.1', 0))
    address = f'127.0.0.1:{silent.getsockname()[1]}'
    has(cli.error('topic', 'list', '--timeout-ms', '300', expect=3, bootstrap=address), 'within 300 ms')


# ---- files

def test_dump_and_repair(cli, _broker):
    with Broker(cli.binary) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'dumped', *words)
        cli.run('produce', 'dumped', *words, stdin=b'x\n' * 1000)
        has(cli.error('repair', '--data-dir', own.data_dir, '--yes'), 'in use', 'stop the server')
        own.stop()
        wal = sorted(os.listdir(f'{own.data_dir}/wal'))
        path = f'{own.data_dir}/wal/{wal[0]}'
        text = cli.text('dump', path)
        has(text, 'TOPIC_CREATE', 'name=dumped', 'DATA', 'lsn 1')
        same(sum(int(n) for n in re.findall(r' records=(\d+)', text)), 1000)
        assert 'TOPIC_CREATE' not in cli.text('dump', path, '--no-items')
        here = os.getcwd()
        os.chdir(f'{own.data_dir}/wal')
        binary, cli.binary = cli.binary, os.path.abspath(os.path.join(here, cli.binary))
        try:
            has(cli.text('dump', wal[0]), 'TOPIC_CREATE')
        finally:
            os.chdir(here)
            cli.binary = binary
        for kind in ('snap', 'obj'):
            for name in sorted(os.listdir(f'{own.data_dir}/{kind}')):
                text = cli.text('dump', f'{own.data_dir}/{kind}/{name}')
                has(text, 'END' if kind == 'snap' else 'merged object')
        has(cli.text('repair', '--data-dir', own.data_dir), 'the log is sound', 'Nothing was changed')
        has(cli.text('repair', '--data-dir', own.data_dir, '--yes'), 'the log is sound')

        damaged = f'{own.data_dir}/wal/damaged'
        with open(path, 'rb') as f:
            data = bytearray(f.read())
        data[150] ^= 1
        with open(damaged, 'wb') as f:
            f.write(data)
        has(cli.text('dump', damaged), 'DAMAGED')
        with open(damaged, 'wb') as f:
            f.write(random.Random(3).randbytes(10000))
        has(cli.error('dump', damaged), 'neither')
    with tempfile.TemporaryDirectory() as there:
        has(cli.error('dump', f'{there}/x/none.wal'), 'there is no file')
        has(cli.error('repair', '--data-dir', f'{there}/none'), 'is no data directory')
        has(cli.error('repair', '--data-dir', there, '--yes'), 'is no data directory')
        same(os.listdir(there), [])
        for name in ('a.snap', 'b.obj', 'c.wal'):
            with open(f'{there}/{name}', 'wb') as f:
                f.write(b'STRS' + random.Random(4).randbytes(5000))
        cli.error('dump', f'{there}/a.snap')
        cli.error('dump', f'{there}/b.obj')
        has(cli.text('dump', f'{there}/c.wal'), '5004 bytes')


def test_repair_rotten(cli, _broker):
    """A flipped bit in an acknowledged bundle: dump shows it, repair cuts before it and keeps a copy."""
    with Broker(cli.binary) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'rotten', *words)
        for i in range(5):
            cli.run('produce', 'rotten', *words, stdin=b'%d\n' % i)
        own.kill()
        path = f'{own.data_dir}/wal/{sorted(os.listdir(own.data_dir + "/wal"))[0]}'
        with open(path, 'r+b') as f:
            data = f.read()
            at = data.index(b'STRM', data.index(b'STRM', 4096 * 4)) + 120  # in the metadata of a bundle in the middle
            f.seek(at)
            f.write(bytes([data[at] ^ 1]))
        has(cli.text('dump', path), 'DAMAGED')
        has(cli.text('repair', '--data-dir', own.data_dir), 'Nothing was changed')
        with open(path, 'rb') as f:
            f.seek(at)
            same(f.read(1), bytes([data[at] ^ 1]))
        has(cli.text('repair', '--data-dir', own.data_dir, '--yes'), 'lost')
        lost = [n for n in os.listdir(own.data_dir + '/wal') if n.startswith('lost-')]
        assert lost
        has(cli.text('dump', *(f'{own.data_dir}/wal/{n}' for n in lost)), 'object 1')
        own.start()
        got = [int(r['value']) for r in cli.records('rotten', *words)]
        same(got, list(range(len(got))))
        assert len(got) < 5
        cli.run('produce', 'rotten', *words, stdin=b'again\n')
        has(cli.text('consume', 'rotten', '--exit', *words), 'again')


# ---- with others

def test_kcat(cli, broker):
    if shutil.which('kcat') is None:
        print('    kcat is not installed: skipped')
        return
    kcat = ['kcat', '-b', broker.bootstrap, '-q']
    for codec in CODECS:
        topic = f'kcat-{codec}'
        cli.run('topic', 'create', topic, '--partitions', '5')
        lines = [f'key{i % 97}:value {i}' for i in range(2000)]
        text = ('\n'.join(lines) + '\n').encode()
        cli.run('produce', topic, '--key-separator', ':', '--compression', codec, stdin=text)
        done = subprocess.run(kcat + ['-C', '-t', topic, '-e', '-K:'], capture_output=True, timeout=TIMEOUT_S,
                              check=True)
        same(sorted(done.stdout.decode().splitlines()), sorted(lines))
        # the same keys from another producer with Kafka's partitioner go to the same partitions
        subprocess.run(kcat + ['-P', '-t', topic, '-K:', '-z', codec, '-X', 'topic.partitioner=murmur2_random'],
                       input=text, timeout=TIMEOUT_S, check=True)
        got = cli.records(topic)
        same(sorted(f"{r['key']}:{r['value']}" for r in got), sorted(lines * 2))
        for key in {r['key'] for r in got}:
            same(len({r['partition'] for r in got if r['key'] == key}), 1)


class Other:
    """A broker that somebody else started: --bootstrap."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        host, port = bootstrap.rsplit(':', 1)
        self.port = int(port)
        self.address = (host, self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def alive(self):
        socket.create_connection(self.address).close()
        return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--strom', default=os.path.join(ROOT, 'build', 'src', 'server', 'strom'))
    parser.add_argument('--bootstrap', help='test against this broker instead of an own one; names the tests then')
    parser.add_argument('names', nargs='*')
    options = parser.parse_args()
    everything = [*globals().items(), *vars(schemas).items(), *vars(contracts).items(),
                  *vars(guide).items()]
    tests = [(name, f) for name, f in everything if name.startswith('test_') and
             (not options.names or any(n in name for n in options.names))]
    failed = []
    with Other(options.bootstrap) if options.bootstrap else Broker(options.strom, settings=SETTINGS) as broker:
        cli = Cli(os.path.abspath(options.strom), broker.bootstrap)
        for name, test in tests:
            begin = time.monotonic()
            try:
                test(cli, broker)
                print(f'ok   {name} ({time.monotonic() - begin:.2f} s)', flush=True)
            except Exception:  # pylint: disable=broad-except
                failed.append(name)
                print(f'FAIL {name}\n{traceback.format_exc()}', flush=True)
            if not broker.alive():
                print(f'the broker died\n{broker.log_tail()}')
                failed.append('broker')
                break
    print(f'{len(tests) - len(failed)} of {len(tests)} passed' + (f'; failed: {", ".join(failed)}' if failed else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
