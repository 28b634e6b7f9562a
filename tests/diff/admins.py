# SPDX-License-Identifier: Apache-2.0
"""admins.py - scripts of administration: topics, partitions, configurations, quotas, what a broker tells of itself."""
import re

import messages

APIS = ['CreateTopics', 'DeleteTopics', 'CreatePartitions', 'DescribeConfigs', 'AlterConfigs',
        'IncrementalAlterConfigs', 'DescribeLogDirs', 'DescribeClientQuotas', 'ElectLeaders']
TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3
UNKNOWN_ID = bytes(range(16))


def noted_topics(p, what, answer):
    """Notes an answer without ids, which are new in each broker; topics are in the order of their names."""
    topics = [dict(t, topic_id=None, configs=None) for t in answer.get('topics', [])]
    p.note(what, dict(answer, topics=topics))
    return answer


# ---- topics

def create(p, *topics, **more):
    link = p.link('maker')
    what = re.sub(p.name, '<name>', f'CreateTopics {topics} {more}')
    return noted_topics(p, what, link.ask('CreateTopics', quiet=True, **dict(topics=list(topics), timeout_ms=20000)
                                          | more))


def topic(p, what, partitions=1, replicas=1, **more):
    return dict(name=f'{p.name}-{what}', num_partitions=partitions, replication_factor=replicas) | more


def rows(*places):
    return [{'partition_index': index, 'broker_ids': list(brokers)} for index, brokers in places]


def created(p):
    """Counts, factors and assignments at their bounds; each only validated first."""
    for n, values in enumerate([
            dict(), dict(partitions=3), dict(partitions=0), dict(partitions=-1), dict(partitions=-2),
            dict(partitions=-2147483648), dict(replicas=0), dict(replicas=-1), dict(replicas=-2), dict(replicas=2),
            dict(replicas=32767), dict(partitions=-1, replicas=-1)]):
        for validate_only in (True, False):
            create(p, topic(p, f'n{n}', **values), validate_only=validate_only)
    for n, places in enumerate([
            [(0, (1,))], [(0, (1,)), (1, (1,))], [(1, (1,))], [(0, (1,)), (2, (1,))], [(0, ())], [(0, (1, 1))],
            [(0, (9,))], [(0, (1, 9))], [(0, (1,)), (0, (1,))], [(-1, (1,))], [(0, (1,)), (1, (1, 2))], [(0, (-1,))]]):
        create(p, topic(p, f'a{n}', partitions=-1, replicas=-1, assignments=rows(*places)))
    for partitions, replicas in ((1, 1), (-1, 1), (1, -1), (2, -1)):
        create(p, topic(p, 'both', partitions, replicas, assignments=rows((0, (1,)))))


def names(p):
    """Names that are no names, that are there already, that only differ in '.' and '_', twice in one request."""
    for name in ('', '.', '..', 'bad name', 'ä', 'a/b', 'x' * 249, 'x' * 250, '__consumer_offsets'):
        create(p, dict(topic(p, ''), name=name), validate_only=True)
    create(p, topic(p, 'twice'))
    create(p, topic(p, 'twice'))
    create(p, topic(p, 'twice', partitions=0))
    create(p, topic(p, 'a.b'))
    create(p, topic(p, 'a_b'))
    create(p, topic(p, 'a_b'), validate_only=True)
    create(p, topic(p, 'same'), topic(p, 'same', partitions=2), topic(p, 'other'))
    create(p, topic(p, 'same'), topic(p, 'fine'))
    create(p)


# Configurations of topics that both have, with the same default.
SAME = {'cleanup.policy', 'compression.type', 'delete.retention.ms', 'flush.messages', 'flush.ms', 'max.message.bytes',
        'message.timestamp.type', 'min.cleanable.dirty.ratio', 'retention.bytes', 'segment.bytes'}
CONFIGS = [
    ('cleanup.policy', ('delete', 'compact', 'compact,delete', 'delete,compact', '', 'nonsense', 'DELETE', None)),
    ('retention.ms', ('-1', '-2', '0', '1', '9223372036854775807', '9223372036854775808', 'x', '', '1.5', ' 5 ')),
    ('retention.bytes', ('-1', '-2', '0')),
    ('segment.bytes', ('1048576', '1048575', '14', '0', '2147483648')),
    ('segment.ms', ('0', '1', '-1')),
    ('max.message.bytes', ('0', '-1', '2147483647', '2147483648')),
    ('compression.type', ('producer', 'gzip', 'zstd', 'none', 'uncompressed', 'lz5', 'GZIP', '')),
    ('min.insync.replicas', ('1', '0', '2', '-1')),
    ('message.timestamp.type', ('CreateTime', 'x', 'createtime')),
    ('message.timestamp.after.max.ms', ('0', '-1')),
    ('min.cleanable.dirty.ratio', ('0', '1', '0.5', '1.1', 'x')),
    ('preallocate', ('true', 'false', 'True', 'yes', '')),
    ('unclean.leader.election.enable', ('true', 'x')),
    ('flush.messages', ('1', '0')),
    ('index.interval.bytes', ('0', '-1')),
    ('no.such.config', ('1',)),
    ('', ('1',)),
    ('max.compaction.lag.ms', ('1', '0')),
    ('min.compaction.lag.ms', ('0', '-1')),
    ('file.delete.delay.ms', ('-1',)),
    ('delete.retention.ms', ('0', '-1')),
    ('compression.gzip.level', ('1', '10', '-1')),
    ('compression.zstd.level', ('3', '23')),
    ('compression.lz4.level', ('9', '18', '0')),
    ('local.retention.ms', ('-2', '5')),
    ('remote.storage.enable', ('true', 'false')),
]


def configs_created(p):
    """Configurations of a new topic: the words with which they are refused."""
    if p.era not in (2, 7):
        return
    for name, values in CONFIGS:
        for value in values:
            create(p, topic(p, 'c', configs=[{'name': name, 'value': value}]), validate_only=True)
    create(p, topic(p, 'c', configs=[{'name': 'retention.ms', 'value': '5'}, {'name': 'retention.ms', 'value': '6'}]),
           validate_only=True)
    create(p, topic(p, 'c', configs=[{'name': 'retention.ms', 'value': 'x'}, {'name': 'segment.ms', 'value': 'y'}]),
           validate_only=True)


def deleted(p):
    """DeleteTopics by names, by ids, by both, twice."""
    t, u, v = p.topic('t'), p.topic('u'), p.topic('v')
    c = p.link()

    def ask(*topics):
        if p.era >= 6:
            c.ask('DeleteTopics', topics=list(topics), timeout_ms=20000)
        else:
            c.ask('DeleteTopics', topic_names=[row['name'] for row in topics if row.get('name')], timeout_ms=20000)
    ask()
    ask({'name': 'no-such-topic'}, {'name': 'bad name'}, {'name': '.'})
    ask({'name': t}, {'name': t})
    ask({'name': t})
    ask({'name': t})
    if p.era >= 6:
        ask({'topic_id': p.ids[u]}, {'topic_id': UNKNOWN_ID})
        ask({'name': u, 'topic_id': p.ids[u]})
        ask({'name': None, 'topic_id': bytes(16)})
        ask({'name': u}, {'topic_id': p.ids[u]})
        ask({'topic_id': p.ids[u]}, {'topic_id': p.ids[u]})
        ask({'topic_id': p.ids[u]})
    else:
        ask({'name': u}, {'name': 'no-such-topic'})
    c.ask('DeleteTopics', topic_names=[v], topics=[{'name': v}], timeout_ms=10000)


def partitions(p):
    """CreatePartitions: counts, assignments."""
    if p.era > 3:
        return
    t = p.topic('t', partitions=2)
    c = p.link()

    def ask(count, assignments=None, name=t, **more):
        c.ask('CreatePartitions', topics=[{'name': name, 'count': count, 'assignments': assignments}],
              **dict(timeout_ms=20000, validate_only=False) | more)
    for count in (3, 2, 1, 0, -1, -2147483648):
        ask(count, validate_only=True)
    ask(3)
    ask(3)
    ask(2)
    for brokers in ([], [[1]], [[1], [1]], [[9]], [[]], [[1, 1]], [[1, 9]], [[-1]]):
        ask(4, [{'broker_ids': b} for b in brokers], validate_only=True)
    ask(4, [{'broker_ids': [1]}])
    for name in ('no-such-topic', '', 'bad name'):
        ask(3, name=name)
    c.ask('CreatePartitions', topics=[], timeout_ms=1000)
    c.ask('CreatePartitions', timeout_ms=1000, topics=[{'name': t, 'count': n, 'assignments': None} for n in (5, 6)])
    told = dict(topics=[{'name': t}])
    c.ask_until(lambda answer: len(answer['topics'][0]['partitions']) == 4, 'DescribeTopicPartitions', **told)


# ---- configurations

def described_configs(p):
    """Each configuration of a topic: value, source, synonyms."""
    if p.era > 4:
        return
    t = p.topic('t', cleanup_policy='compact', max_message_bytes='5000')
    c = p.link()

    def ask(kind, name, keys=None, **more):
        c.ask('DescribeConfigs', **dict(include_synonyms=False, resources=[
            {'resource_type': kind, 'resource_name': name, 'configuration_keys': keys}]) | more)
    some = ['cleanup.policy', 'max.message.bytes', 'segment.ms', 'no.such.config']
    for synonyms in (False, True):
        ask(TOPIC, t, some, include_synonyms=synonyms)
    answer = c.ask('DescribeConfigs', quiet=True, include_synonyms=True, resources=[
        {'resource_type': TOPIC, 'resource_name': t, 'configuration_keys': None}])
    for row in sorted(answer['results'][0]['configs'], key=lambda row: row['name']):
        if row['name'] in SAME:
            p.note(f'configuration {row["name"]}', dict(row, documentation=None))
    for name in ('no-such-topic', '', 'bad name'):
        ask(TOPIC, name, some)
    for kind in (BROKER, LOGGER):
        for name in ('9', 'x', '-1'):
            ask(kind, name, ['log.retention.ms'])
    ask(BROKER, '1', ['num.partitions', 'log.retention.hours', 'no.such.config'])
    ask(BROKER, '', ['num.partitions'])
    for kind in (0, 1, 3, 64, -1):
        ask(kind, 'x', some)
    c.ask('DescribeConfigs', resources=[])
    c.ask('DescribeConfigs', resources=[
        {'resource_type': TOPIC, 'resource_name': name, 'configuration_keys': some[:1]} for name in (t, t, 'none')])


def settle(p, c, t, mark):
    """What has been altered is seen by now: the last change, of another configuration, is."""
    c.ask('IncrementalAlterConfigs', quiet=True, resources=[{'resource_type': TOPIC, 'resource_name': t, 'configs': [
        {'name': 'index.interval.bytes', 'config_operation': SET, 'value': f'{mark}'}]}])
    asked = [{'resource_type': TOPIC, 'resource_name': t, 'configuration_keys': ['index.interval.bytes']}]

    def is_seen():
        answer = c.ask('DescribeConfigs', quiet=True, resources=asked)
        return answer['results'][0]['configs'][0]['value'] == f'{mark}'
    p.until('a configuration', is_seen)


def altered(p):
    """IncrementalAlterConfigs: every operation, good and bad values, several resources."""
    if p.era > 1:
        return
    t = p.topic('t')
    c = p.link()

    def ask(*changes, kind=TOPIC, name=t, **more):
        rows_ = [{'name': key, 'config_operation': how, 'value': value} for key, how, value in changes]
        c.ask('IncrementalAlterConfigs', resources=[
            {'resource_type': kind, 'resource_name': name, 'configs': rows_}], **more)

    marks = iter(range(1, 1000))

    def state():
        settle(p, c, t, next(marks))
        c.ask('DescribeConfigs', resources=[{'resource_type': TOPIC, 'resource_name': t, 'configuration_keys': [
            'retention.ms', 'cleanup.policy', 'segment.bytes', 'max.message.bytes']}])
    for name, values in CONFIGS:
        for value in values:
            ask((name, SET, value), validate_only=True)
    for change in (('retention.ms', SET, '5000'), ('retention.ms', DELETE, None), ('retention.ms', DELETE, 'x'),
                   ('retention.ms', DELETE, None), ('cleanup.policy', APPEND, 'compact'),
                   ('cleanup.policy', APPEND, 'compact'), ('cleanup.policy', SUBTRACT, 'delete'),
                   ('cleanup.policy', SUBTRACT, 'nonsense'), ('cleanup.policy', APPEND, 'nonsense'),
                   ('retention.ms', APPEND, '5'), ('retention.ms', SUBTRACT, '5'), ('retention.ms', 4, '5'),
                   ('retention.ms', -1, '5'), ('retention.ms', SET, None), ('cleanup.policy', APPEND, None),
                   ('cleanup.policy', SUBTRACT, 'compact'), ('no.such.config', DELETE, None)):
        ask(change)
        state()
    ask(('retention.ms', SET, '1'), ('retention.ms', SET, '2'))
    ask(('retention.ms', SET, '1'), ('segment.bytes', SET, 'x'))
    ask()
    state()
    for name in ('no-such-topic', '', 'bad name'):
        ask(('retention.ms', SET, '1'), name=name)
    for kind in (0, 1, 3, 64, -1):
        ask(('retention.ms', SET, '1'), kind=kind)
    c.ask('IncrementalAlterConfigs', resources=[])
    c.ask('IncrementalAlterConfigs', resources=[{'resource_type': TOPIC, 'resource_name': t, 'configs': []}] * 2)


def replaced(p):
    """AlterConfigs: what is not named goes back to its default."""
    if p.era > 2:
        return
    t = p.topic('t', max_message_bytes='4000')
    c = p.link()
    marks = iter(range(1, 1000))

    def ask(*changes, kind=TOPIC, name=t, **more):
        c.ask('AlterConfigs', resources=[{'resource_type': kind, 'resource_name': name, 'configs': [
            {'name': key, 'value': value} for key, value in changes]}], **more)
        settle(p, c, t, next(marks))
        c.ask('DescribeConfigs', resources=[{'resource_type': TOPIC, 'resource_name': t, 'configuration_keys': [
            'retention.ms', 'max.message.bytes']}])
    ask(('retention.ms', '5'), validate_only=True)
    ask(('retention.ms', '5'))
    ask(('max.message.bytes', '6000'), ('retention.ms', '7'))
    ask(('max.message.bytes', 'x'))
    ask(('max.message.bytes', None))
    ask(('no.such.config', '1'))
    ask(('retention.ms', '1'), ('retention.ms', '2'))
    ask()
    for name in ('no-such-topic', '', 'bad name'):
        ask(('retention.ms', '1'), name=name)
    for kind in (0, 1, 3, 64, -1):
        ask(('retention.ms', '1'), kind=kind)


# ---- what a broker tells

def told_topics(p):
    """DescribeTopicPartitions: pages."""
    if p.era > 0:
        return
    t, u = p.topic('t', partitions=3), p.topic('u', partitions=2)
    c = p.link()

    def ask(*topics, limit=2000, cursor=None):
        c.ask('DescribeTopicPartitions', topics=[{'name': name} for name in topics], response_partition_limit=limit,
              cursor=cursor and {'topic_name': cursor[0], 'partition_index': cursor[1]})
    ask(t)
    ask(t, u)
    ask(u, t, 'no-such-topic')
    for limit in (1, 2, 3, 4, 5, 6, 0, -1, 2147483647):
        ask(t, u, limit=limit)
    for cursor in ((t, 0), (t, 1), (t, 2), (u, 0), (u, 1)):
        ask(t, u, cursor=cursor)
        ask(t, u, cursor=cursor, limit=1)


def told_cluster(p):
    if p.era > 2:
        return
    c = p.link()
    for kind in (1, 2, 0, 3, -1):
        for fenced in (False, True):
            c.ask('DescribeCluster', endpoint_type=kind, include_fenced_brokers=fenced)
    c.ask('DescribeCluster', include_cluster_authorized_operations=True)


def told_log_dirs(p):
    """Sizes and folders differ; which partitions there are does not."""
    if p.era > 4:
        return
    t = p.topic('t', partitions=2)
    c = p.link()
    for topics in ([], [{'topic': t, 'partitions': [0]}], [{'topic': t, 'partitions': [0, 1, 7]}],
                   [{'topic': 'none', 'partitions': [0]}], [{'topic': t, 'partitions': []}]):
        answer = c.ask('DescribeLogDirs', quiet=True, topics=topics)
        for row in answer['results']:
            row.update(log_dir=bool(row['log_dir']), total_bytes=0, usable_bytes=0)
        p.note(f'DescribeLogDirs {topics}', answer)


def elected(p):
    if p.era > 2:
        return
    t = p.topic('t', partitions=2)
    c = p.link()
    for kind in (0, 1, 2, -1):
        for places in (((t, (0,)),), ((t, (0, 1, 2, -1)), ('none', (0,)), ('', (0,))), ()):
            c.ask('ElectLeaders', election_type=kind, timeout_ms=10000, topic_partitions=[
                {'topic': name, 'partitions': list(indexes)} for name, indexes in places])


def resources_listed(p):
    if p.era > 1:
        return
    c = p.link()
    for kinds in ([METRICS], [GROUP], [64], [2, 64], [0], [-1], [BROKER], [LOGGER]):
        answer = c.ask('ListConfigResources', quiet=True, resource_types=kinds)
        rows_ = [row for row in answer['config_resources'] if row.get('resource_type') != TOPIC]
        p.note(f'ListConfigResources {kinds}', dict(answer, config_resources=rows_))


def versions(p):
    """ApiVersions: software names, versions that are not there. Kafka has APIs that Strom has not."""
    c = p.link()
    for software in (('librdkafka', '2.0'), ('', ''), ('a b', '1'), ('-x', '1'), ('x-', '1'), ('x' * 300, '1'),
                     ('a.b-c', '1.2-3'), ('a', 'b c'), ('a', '.')):
        answer = c.ask('ApiVersions', quiet=True, client_software_name=software[0], client_software_version=software[1])
        p.note(f'ApiVersions {software}', {'error': answer.get('error'), 'throttle': answer.get('throttle_time_ms')})
    answer = p.link().ask('ApiVersions', quiet=True, client_software_name='a', client_software_version='1')
    ours = {api.key for api in messages.APIS.values()}
    p.note('apis', {str(row['api_key']): [row['min_version'], row['max_version']] for row in answer['api_keys']
                    if row['api_key'] in ours})
    p.note('features', {name: answer.get(name) for name in ('supported_features', 'finalized_features')})


# ---- quotas

def quotas(p):
    """AlterClientQuotas and DescribeClientQuotas."""
    if p.era > 1:
        return
    c = p.link()
    user = f'{p.name}-user'

    def alter(entity, *ops, **more):
        c.ask('AlterClientQuotas', entries=[{'entity': [
            {'entity_type': kind, 'entity_name': name} for kind, name in entity], 'ops': [
                {'key': key, 'value': value, 'remove': remove} for key, value, remove in ops]}], **more)

    marks = iter(range(1, 1000))

    def describe(*components, strict=False):
        mark = next(marks)  # what has been altered is seen by now: a quota that is altered last is
        c.ask('AlterClientQuotas', quiet=True, entries=[{
            'entity': [{'entity_type': 'client-id', 'entity_name': f'{p.name}-mark'}],
            'ops': [{'key': 'consumer_byte_rate', 'value': float(mark)}]}])
        last = dict(strict=True, components=[{'entity_type': 'client-id', 'match_type': 0, 'match': f'{p.name}-mark'}])
        p.until('a quota', lambda: f"'value': {float(mark)}" in str(c.ask('DescribeClientQuotas', quiet=True, **last)))
        c.ask('DescribeClientQuotas', strict=strict, components=[
            {'entity_type': kind, 'match_type': how, 'match': name} for kind, how, name in components])
    one = (('user', user),)
    rate = ('producer_byte_rate', 1024.0, False)
    alter(one, rate, validate_only=True)
    describe(('user', 0, user))
    alter(one, rate)
    alter(one, ('consumer_byte_rate', 5.5, False), ('request_percentage', 150.0, False))
    alter((('user', user), ('client-id', 'c')), rate)
    describe(('user', 0, user))
    describe(('user', 0, user), strict=True)
    describe(('user', 0, user), ('client-id', 0, 'c'))
    describe(('user', 0, user), ('client-id', 2, None))
    describe(('user', 0, f'{user}-none'))
    alter(one, ('producer_byte_rate', 0.0, True))
    alter(one, ('producer_byte_rate', 0.0, True))
    describe(('user', 0, user), strict=True)
    for value in (0.0, -1.0, 0.5, float('inf'), 1e300, 9223372036854775807.0):
        alter(one, ('consumer_byte_rate', value, False), validate_only=True)
        alter(one, ('request_percentage', value, False), validate_only=True)
        alter(one, ('controller_mutation_rate', value, False), validate_only=True)
    for key in ('', 'nonsense', 'connection_creation_rate'):
        alter(one, (key, 5.0, False), validate_only=True)
        alter(one, (key, 5.0, True), validate_only=True)
    for entity in ((), (('', 'x'),), (('nonsense', 'x'),), (('ip', '1.2.3.4'),), (('ip', 'no-such-host.invalid'),),
                   (('user', ''),), (('user', 'a'), ('user', 'b')), (('ip', '1.2.3.4'), ('user', 'a')),
                   (('client-id', ''),)):
        alter(entity, rate, validate_only=True)
    alter(one, rate, ('producer_byte_rate', 5.0, False), validate_only=True)
    alter(one)
    for components in ((('', 0, 'x'),), (('nonsense', 0, 'x'),), (('user', 3, 'x'),), (('user', -1, 'x'),),
                       (('user', 0, None),), (('user', 1, 'x'),), (('user', 2, 'x'),),
                       (('user', 0, user), ('user', 0, user)),
                       (('ip', 0, '1.2.3.4'), ('user', 0, 'x'))):
        describe(*components)
    alter(one, ('consumer_byte_rate', 0.0, True), ('request_percentage', 0.0, True))
    alter((('user', user), ('client-id', 'c')), ('producer_byte_rate', 0.0, True))
    describe(('user', 0, user))


SCRIPTS = [created, names, configs_created, deleted, partitions, described_configs, altered, replaced, told_topics,
           told_cluster, told_log_dirs, elected, resources_listed, versions, quotas]
