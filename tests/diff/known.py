# SPDX-License-Identifier: Apache-2.0
"""known.py - the differences that docs/kafka-differences.md explains: each row must still be one."""
import re

# (script, what was asked, path), each a regular expression of the whole
ROWS = [
    ('coordinators', r'.* key_type=(2|3|-1|127)( .*)?', r'.*(error|error_message)'),
    ('join_checks', 'm: DescribeGroups .*', r'groups\[0\]\.(error|error_message|group_state)'),
    ('ids_first', 'looker: DescribeGroups .*', r'groups\[0\]\.(error|error_message|group_state)'),
    ('ids_used', "m: JoinGroup .* group_instance_id='i' .*", '(error|member_id)'),
    ('static_in_rounds', 'looker: DescribeGroups .*', r'groups\[0\]\.members\[1\]\.client_id'),
    ('static_member_of_full', "d: JoinGroup .* member_id='' .*", '.*'),
    ('commit_values', '.* OffsetCommit .*', 'topics'),
    # administration
    ('created', '.*(.replication_factor.: (2|32767)|broker_ids).*', '.*'),
    ('partitions', '.*broker_ids.*', '.*'),
    ('partitions', ".*('no-such-topic'|''|'bad name').*", '.*error_message'),
    ('partitions', '.*count.*count.*', 'results'),
    ('names', ".*('bad name'|'ä'|'a/b'|'x{30,}).*", '.*error_message'),
    ('names', '.*__consumer_offsets.*', '.*'),
    ('names', '.*-same.*', 'topics'),
    ('configs_created|altered', '.*(retention.bytes.*-2|gzip.level|remote.storage.enable|segment.ms.*y).*', '.*'),
    ('deleted', '.*DeleteTopics.*', 'topics'),
    ('described_configs', '.*', r'.*(synonyms|error_message)'),
    ('altered', '.*(config_operation.: (4|-1)|no.such.config|nonsense).*', '.*(error|error_message)'),
    ('altered|replaced', ".*resource_name.: (''|'bad name').*", '.*(error|error_message)'),
    ('versions', 'apis|features', '.*'),
    ('quotas', ".*(inf|e.18|'b'|producer_byte_rate.*producer_byte_rate).*", '.*'),
    # transactions; docs/kafka-differences.md names each in these words
    ('.*', '.*: DescribeTransactions .*', r'transaction_states\[.*\]\.transaction_start_time_ms'),
    ('positions', '.*: DescribeTransactions .*', r'transaction_states\[0\]\.topics'),
    ('.*', '.*: DescribeProducers .*', r'.*\.(coordinator_epoch|last_sequence|producer_epoch)'),
    ('.*', '.*: Produce .*', r'.*(error_message|\.log_start_offset)'),
    ('.*', '.*: Produce .*', r'.*\.log_append_time_ms'),
    ('(records|batches)_that_lie', '.*: Produce .*', r'.*\.record_errors'),
    ('records_that_lie', ".*: Produce .*'garbage'.*", '.*error'),
    ('batches_that_lie', '.*: Produce .*(one byte|is cut|length |attributes (5|7)|not compressed).*', '.*error'),
    ('odd_bits', '.*: Produce .*', '.*'),
    ('sessions', '.*: Fetch .*session_id=0 session_epoch=0 topics=\\[\\].*', 'session_id'),
    ('.*', '.* isolation_level=(2|-1|127) .*', '.*'),
    ('limits', '.*: Fetch .* max_bytes=-.*|.*_max_bytes.: -.*', '.*'),
    ('several', '.*: Fetch .*', '.*'),
    ('by_time', ".*: ListOffsets .*(partition_index.*){2,}", '.*'),
    ('deleted_records', ".*: DeleteRecords .*(partition_index.*){2,}", '.*'),
    ('deleted_records', '.*: ListOffsets .*-3.*', '.*'),
    ('metadata', '.*: Metadata v1[0-3] .*topic_id.*', '.*'),
    ('deltas_that_lie', '.*', '.*'),
    ('sequences', ".*: Produce .*'epoch': -1.*", '.*error'),
    ('.*', ".*'partitions': \\[\\].*", 'topics'),
    ('places', '.*: Produce .*__consumer_offsets.*', '.*error'),
    ('aborted_lists|last_stable', '.*: ListOffsets .*', '.*'),
    ('records_in_transactions', '.*(gap first|of nobody, said).*', '.*'),
    ('wrong_ids', '.*Produce .*-v.*', '.*'),
    ('fenced_ids', '.*', '.*'),
    ('positions', '.*DescribeGroups.*', '.*'),
    ('positions_of_members', '.*: TxnOffsetCommit .* generation_id=1 .*', '.*error'),
    ('listed', '.*duration_filter.*', '.*'),
]


class Table:
    def __init__(self):
        self.used = set()

    def explains(self, script, difference):
        what, path = difference[0], difference[1]
        for row in ROWS:
            if all(re.fullmatch(pattern, text, re.S) for pattern, text in zip(row, (script, what, path))):
                self.used.add(row)
                return True
        return False

    def unused(self):
        return [row for row in ROWS if row not in self.used]
