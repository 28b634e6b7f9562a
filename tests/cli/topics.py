# SPDX-License-Identifier: Apache-2.0
"""topics.py - the scenarios of topics, settings, quotas and the cluster, played by cli_test.py."""
import os
import pty

from program import TIMEOUT_S, has, same


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
