#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""answers_test.py - requests that administration tools send, and odd ones, answered as Apache Kafka answers them.

What Kafka 4.2.0 said is in tests/golden/answers_kafka_4.2.0.json, recorded from one node with id 1 by

  STROM_BOOTSTRAP=HOST:PORT tests/clients/answers_test.py --record

Where Strom differs on purpose, the case says so (words=False: the code is the same, the text is ours) or is not here
but in src/kafka/tools_test.c.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import messages  # noqa: E402
from rawkafka import Connection  # noqa: E402
from scenario import BOOTSTRAP, Failure, Suite, fresh_topic  # noqa: E402

GOLDEN = os.path.join(ROOT, 'tests', 'golden', 'answers_kafka_4.2.0.json')
TOPIC = fresh_topic('answers')
NOPE = fresh_topic('nope')
HOST, PORT = BOOTSTRAP.rsplit(':', 1)
CHANGING = {'log_dir', 'total_bytes', 'usable_bytes', 'partition_size', 'last_fetch_timestamp', 'log_end_offset',
            'last_caught_up_timestamp', 'high_watermark', 'documentation', 'nodes', 'subscription_id',
            'client_instance_id', 'replica_directory_id'}


class Case:
    """One request in some versions; words: the texts of errors are compared, too."""

    def __init__(self, api, what, versions, values, words=True):
        self.api, self.what, self.versions, self.values, self.words = api, what, versions, values, words

    def ask(self, version):
        with Connection((HOST, int(PORT))) as connection:
            return messages.ask(connection, self.api, version, self.values)


def one_topic(field, index_field, *indexes):
    return {'topics': [{field: TOPIC, index_field: list(indexes)}]}


def elect(election_type, topics):
    return {'election_type': election_type, 'topic_partitions': topics}


def reassign(*wishes, topic=TOPIC):
    return {'topics': [{'name': topic, 'partitions': [{'partition_index': i, 'replicas': r} for i, r in wishes]}]}


def quorum(topic, *indexes):
    return {'topics': [{'topic_name': topic, 'partitions': [{'partition_index': i} for i in indexes]}]}


def features(*updates, **values):
    return dict(values, feature_updates=[dict(zip(('feature', 'max_version_level', 'upgrade_type'), u))
                                         for u in updates])


def users(*names):
    return {'users': [{'name': name} for name in names]}


def describe(resource_type, name, *keys):
    return {'resources': [{'resource_type': resource_type, 'resource_name': name,
                           'configuration_keys': list(keys) or None}]}


def alter(resource_type, name, key, value, **config):
    return {'validate_only': True, 'resources': [{
        'resource_type': resource_type, 'resource_name': name,
        'configs': [dict({'name': key, 'value': value}, **config)]}]}


ACL = {'resource_type_filter': 1, 'pattern_type_filter': 1, 'operation': 1, 'permission_type': 1}
RULE = {'resource_type': 2, 'resource_name': 't', 'principal': 'User:a', 'host': '*', 'operation': 3,
        'permission_type': 3}
SOME = [{'topic': TOPIC, 'partitions': [0, 9, -1, 0]}, {'topic': NOPE, 'partitions': [0]},
        {'topic': TOPIC, 'partitions': []}, {'topic': 'bad name', 'partitions': [1]}]
CASES = [
    Case('DescribeAcls', 'any', [1, 2, 3], ACL),
    Case('CreateAcls', 'two', [1, 2, 3], {'creations': [RULE, RULE]}),
    Case('CreateAcls', 'none', [3], {'creations': []}),
    Case('DeleteAcls', 'two', [1, 2, 3], {'filters': [ACL, ACL]}),

    Case('DescribeLogDirs', 'all', [1, 2, 3, 4], {'topics': None}),
    Case('DescribeLogDirs', 'none', [4], {'topics': []}),
    Case('DescribeLogDirs', 'some', [1, 4], {'topics': [{'topic': TOPIC, 'partitions': [1, 9, -1]},
                                                        {'topic': NOPE, 'partitions': [0]}]}),

    Case('ElectLeaders', 'preferred', [1, 2], elect(0, SOME)),
    Case('ElectLeaders', 'before types', [0], {'topic_partitions': SOME}),
    Case('ElectLeaders', 'unclean', [1, 2], elect(1, SOME)),
    Case('ElectLeaders', 'unknown type', [1, 2], elect(2, SOME)),
    Case('ElectLeaders', 'all', [1, 2], elect(0, None)),
    Case('ElectLeaders', 'all of an unknown type', [2], elect(-1, None)),
    Case('ElectLeaders', 'none', [2], elect(2, [])),

    Case('AlterPartitionReassignments', 'as it is', [0, 1], reassign((0, [1]), (0, [1]), (1, [1]))),
    Case('AlterPartitionReassignments', 'cancel', [0, 1], reassign((0, None))),
    Case('AlterPartitionReassignments', 'nowhere', [0, 1], reassign((0, []))),
    Case('AlterPartitionReassignments', 'elsewhere', [0, 1], reassign((0, [2]), (1, [1, 2]), (2, [-1]))),
    Case('AlterPartitionReassignments', 'twice', [0, 1], reassign((0, [1, 1]))),
    Case('AlterPartitionReassignments', 'no such partition', [0, 1],
         reassign((9, [1]), (-1, [1]), (9, None), (9, [7]))),
    Case('AlterPartitionReassignments', 'no such topic', [0, 1], reassign((0, [1]), (0, None), topic=NOPE)),
    Case('AlterPartitionReassignments', 'no partition', [0, 1], reassign()),
    Case('AlterPartitionReassignments', 'none', [0, 1], {'topics': []}),
    Case('AlterPartitionReassignments', 'same factor', [1], dict(reassign((0, [1]), (1, [1, 2])),
                                                                 allow_replication_factor_change=False)),
    Case('ListPartitionReassignments', 'all', [0], {'topics': None}),
    Case('ListPartitionReassignments', 'some', [0], one_topic('name', 'partition_indexes', 0, 9)),

    Case('DescribeUserScramCredentials', 'all', [0], {'users': None}),
    Case('DescribeUserScramCredentials', 'nobody', [0], {'users': []}),
    Case('DescribeUserScramCredentials', 'one', [0], users('a')),
    Case('DescribeUserScramCredentials', 'one twice', [0], users('a', 'a')),

    Case('DescribeQuorum', 'the log', [0, 1, 2], quorum('__cluster_metadata', 0)),
    Case('DescribeQuorum', 'a topic', [2], quorum(TOPIC, 0)),
    Case('DescribeQuorum', 'another partition too', [2], quorum('__cluster_metadata', 0, 1)),
    Case('DescribeQuorum', 'no partition', [2], quorum('__cluster_metadata')),
    Case('DescribeQuorum', 'nothing', [2], {'topics': []}),

    Case('UpdateFeatures', 'unknown', [0, 1, 2], features(('foo.version', 1))),
    Case('UpdateFeatures', 'unknown, to be deleted', [0, 1, 2], features(('foo.version', 0))),
    Case('UpdateFeatures', 'negative', [0, 1, 2], features(('foo.version', -1))),
    Case('UpdateFeatures', 'type 0', [1, 2], features(('foo.version', 1, 0))),
    Case('UpdateFeatures', 'type 4', [1, 2], features(('foo.version', -1, 4))),
    Case('UpdateFeatures', 'none', [0, 1, 2], features()),
    Case('UpdateFeatures', 'only to validate', [1, 2], features(('foo.version', 1), validate_only=True)),

    Case('DescribeProducers', 'no producers', [0], one_topic('name', 'partition_indexes', 0, 1)),
    Case('DescribeProducers', 'no such partition', [0], one_topic('name', 'partition_indexes', 9, -1), words=False),
    Case('DescribeProducers', 'no such topic', [0], {'topics': [{'name': NOPE, 'partition_indexes': [0]}]}),
    Case('DescribeProducers', 'no topic name', [0], {'topics': [{'name': 'a b', 'partition_indexes': [0]}]},
         words=False),

    Case('GetTelemetrySubscriptions', 'a new client', [0], {}),
    Case('PushTelemetry', 'an unknown subscription', [0], {'client_instance_id': b'1' * 16, 'subscription_id': 1}),
    Case('PushTelemetry', 'no instance', [0], {'subscription_id': 1}),

    Case('ListConfigResources', 'client metrics', [0], {}),
    Case('ListConfigResources', 'all', [1], {'resource_types': []}),
    Case('ListConfigResources', 'topics', [1], {'resource_types': [2, 2]}),
    Case('ListConfigResources', 'brokers', [1], {'resource_types': [4]}),
    Case('ListConfigResources', 'loggers', [1], {'resource_types': [8]}),
    Case('ListConfigResources', 'metrics and groups', [1], {'resource_types': [16, 32]}),
    *[Case('ListConfigResources', f'type {t}', [1], {'resource_types': [2, t]}) for t in (0, 1, 3, 64, -1)],

    Case('DescribeConfigs', 'logger of another broker', [4], describe(8, '2')),
    Case('DescribeConfigs', 'logger of no broker', [4], describe(8, '')),
    Case('DescribeConfigs', 'logger of no number', [4], describe(8, 'x')),
    Case('DescribeConfigs', 'another broker', [1, 4], describe(4, '2')),
    Case('DescribeConfigs', 'no number', [1, 4], describe(4, 'x')),
    Case('DescribeConfigs', 'client metrics without a name', [4], describe(16, '')),
    Case('DescribeConfigs', 'group without a name', [4], describe(32, '')),
    *[Case('DescribeConfigs', f'type {t}', [1, 4], describe(t, 'x'), words=False) for t in (0, 1, 3, 64)],
    Case('DescribeConfigs', 'no such topic', [4], describe(2, NOPE), words=False),

    Case('IncrementalAlterConfigs', 'logger', [1], alter(8, '1', 'root', 'WARN')),
    Case('IncrementalAlterConfigs', 'unknown logger', [1], alter(8, '1', 'nosuch.logger', 'WARN')),
    Case('IncrementalAlterConfigs', 'unknown level', [1], alter(8, '1', 'root', 'LOUD'), words=False),
    Case('IncrementalAlterConfigs', 'append a level', [1], alter(8, '1', 'root', 'INFO', config_operation=2)),
    Case('IncrementalAlterConfigs', 'remove a level', [1], alter(8, '1', 'root', None, config_operation=1)),
    Case('IncrementalAlterConfigs', 'logger of another broker', [1], alter(8, '2', 'root', 'INFO'), words=False),
    Case('IncrementalAlterConfigs', 'unknown of a group', [1], alter(32, 'g', 'zork', '1')),
    Case('IncrementalAlterConfigs', 'group without a name', [1], alter(32, '', 'zork', '1'), words=False),
    Case('AlterConfigs', 'logger', [2], alter(8, '1', 'root', 'WARN')),
    *[Case(api, f'type {t}', [version], alter(t, 'x', 'a', 'b')) for t in (0, 1, 3, 64)
      for api, version in (('IncrementalAlterConfigs', 1), ('AlterConfigs', 2))],
]


def is_ours(value):
    """Lists of all topics have those of other tests, too."""
    if not isinstance(value, dict):
        return True
    return value.get('resource_type') != 2 or value['resource_name'] in (TOPIC, NOPE)


def normal(value, words):
    """Comparable: without what differs from run to run, null and empty texts alike, lists of topics by name."""
    if isinstance(value, dict):
        return {k: normal(v, words) for k, v in value.items() if k not in CHANGING and (words or k != 'error_message')}
    if isinstance(value, list):
        items = [normal(v, words) for v in value if is_ours(v)]
        is_partitions = items and isinstance(items[0], dict) and 'is_future_key' in items[0]
        return sorted(items, key=lambda p: p['partition_index']) if is_partitions else items
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return value.replace(TOPIC, 'TOPIC').replace(NOPE, 'NOPE') or None
    return value


def only_topic(answer, field, name_field):
    answer[field] = [t for t in answer[field] if t[name_field] == TOPIC]


def answer_of(case, version):
    answer = case.ask(version)
    if case.api == 'DescribeLogDirs' and case.what == 'all':
        only_topic(answer['results'][0], 'topics', 'name')
    if case.api == 'ElectLeaders' and case.what == 'all':
        only_topic(answer, 'replica_election_results', 'topic')
    return normal(answer, case.words)


def make_topic():
    spec = {'topics': [{'name': TOPIC, 'num_partitions': 3, 'replication_factor': 1}]}
    with Connection((HOST, int(PORT))) as connection:
        answer = messages.ask(connection, 'CreateTopics', 7, spec)
        while any(p['error'] for p in messages.ask(connection, 'DescribeProducers', 0, one_topic(
                'name', 'partition_indexes', 0, 1, 2))['topics'][0]['partitions']):
            pass  # Kafka answers "not the leader" for a moment
    if answer['topics'][0]['error'] != 0:
        raise Failure(answer['topics'][0]['error_message'])


def compare(api, golden):
    for case in CASES:
        if case.api != api:
            continue
        for version in case.versions:
            got, want = answer_of(case, version), golden[api][f'{case.what} v{version}']
            if got != want:
                raise Failure(f'{case.what} v{version}: {json.dumps(got)}, Kafka: {json.dumps(want)}')


def record():
    golden = {}
    for case in CASES:
        for version in case.versions:
            golden.setdefault(case.api, {})[f'{case.what} v{version}'] = answer_of(case, version)
    with open(GOLDEN, 'w', encoding='utf-8') as f:
        for i, (api, answers) in enumerate(golden.items()):
            f.write(('{' if i == 0 else ',') + f'\n"{api}": {{\n')
            f.write(',\n'.join(f' {json.dumps(k)}: {json.dumps(v)}' for k, v in answers.items()) + '\n}')
        f.write('\n}\n')


def main():
    make_topic()
    if sys.argv[1:] == ['--record']:
        record()
        return
    with open(GOLDEN, encoding='utf-8') as f:
        golden = json.load(f)
    suite = Suite('answers')
    for api in golden:
        suite.run(api, lambda api=api: compare(api, golden))
    suite.end()


if __name__ == '__main__':
    main()
