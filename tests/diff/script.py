# SPDX-License-Identifier: Apache-2.0
"""script.py - what a script sees of one broker: connections that ask in the versions of one era, and a transcript of
every answer in which whatever may differ between two brokers (ids, ports, nodes) has a name of its own instead.

An era is a number from 0 on: in era n each API is asked in version n, or in its first or last where that is not one
of its versions. So the eras together ask every version, and one era asks about what clients of one time would.
"""
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
import batches  # noqa: E402
import messages  # noqa: E402
from rawkafka import Connection  # noqa: E402

PATIENCE_S = 40  # more than the session timeout of most members
UUID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')
NAMELESS = {'node_id', 'port', 'leader_id', 'controller_id', 'cluster_id'}  # there or not, but never compared
TIMES = {'transaction_start_time_ms', 'last_timestamp', 'log_append_time_ms'}  # the same
NOT_IN_TRANSACTION = 48, 120  # Kafka answers either, by which other Produces it verifies at that moment
ORDERED = {'records', 'aborted_transactions'}
NUMBERED = {'producer_id': 'producer', 'session_id': 'session'}  # each number gets a name
LOADING, NOT_ENOUGH_REPLICAS, CONCURRENT_TRANSACTIONS = 14, 19, 51
OLD_RECORDS = {'retention_ms': '-1', 'segment_ms': '9223372036854775807'}  # what topics of records from long ago need


class Stuck(Exception):
    """What a script waits for does not happen."""


def version_of(api, era):
    spec = messages.APIS[api]
    return min(max(era, spec.version_min), spec.version_max)


def last_era(apis):
    return max(messages.APIS[api].version_max for api in apis)


class Unordered:
    """Lists that come in any order are sorted by what does not differ between brokers."""
    KEYS = ('entity_type', 'entity', 'name', 'topic', 'topic_id', 'member_id', 'group_id', 'transactional_id',
            'producer_id', 'partition_index', 'partition', 'index', 'key')

    @classmethod
    def rank(cls, value):
        return [UUID.sub('', repr(part)) for part in [value[key] for key in cls.KEYS if key in value] + [value]]

    @classmethod
    def sort(cls, values):
        is_any = values and isinstance(values[0], dict) and any(key in values[0] for key in cls.KEYS)
        return sorted(values, key=cls.rank) if is_any else values


def merged(topics):
    """A broker may tell of one topic in several places."""
    found = {}
    for topic in topics:
        key = isinstance(topic, dict) and 'partitions' in topic and (topic.get('topic'), topic.get('topic_id'),
                                                                     topic.get('name'), topic.get('error'))
        if key in found and key:
            found[key]['partitions'] = found[key]['partitions'] + topic['partitions']
        else:
            found[key or len(found)] = dict(topic) if key else topic
    return list(found.values())


class Transcript:
    """The answers of one broker, in order, comparable with another's."""

    def __init__(self, topics):
        self.lines = []  # (what, value)
        self.names = {}
        self.is_produced = False  # what is being noted is an answer of Produce or TxnOffsetCommit
        self.nameless = NAMELESS | TIMES
        self.topics = {topic_id: f'<id of {name}>' for name, topic_id in topics.items()}

    def name_of(self, kind, value):
        return self.names.setdefault((kind, value), f'<{kind} {len(self.names) + 1}>')

    def with_names(self, value, field=''):
        """Ids of topics, producers and sessions replaced by names, records by what they are."""
        if isinstance(value, dict):
            if value.get('aborted_transactions') or (value.get('error') and 'aborted_transactions' in value):
                value = dict(value, aborted_transactions=batches.aborted_in(value))
            return {name: self.with_names(v, name) for name, v in value.items()}
        if isinstance(value, list):
            return [self.with_names(v, field) for v in value]
        if field == 'producer_epoch' and field in self.nameless and value != -1:
            return f'<{field}>'
        if field == 'error' and value in NOT_IN_TRANSACTION and self.is_produced:
            return '48 or 120'
        if field in NUMBERED and value not in (-1, 0):
            return value if isinstance(value, str) else self.name_of(NUMBERED[field], value)
        if field == 'records' and value:
            return value.label if isinstance(value, Records) else self.with_names(batches.parse(value))
        return self.topics.get(value, value) if isinstance(value, bytes) else value

    def normal(self, value, field=''):
        if isinstance(value, dict):
            return {name: self.normal(v, name) for name, v in value.items()}
        if isinstance(value, list):
            values = [self.with_names(v, field) for v in value]
            values = merged(values) if field == 'topics' else values
            if field == 'partitions' and all(isinstance(v, int) for v in values):
                return sorted(values)
            if field == 'subscribed_topic_names':
                return sorted(values)
            return [self.normal(v, field) for v in (values if field in ORDERED else Unordered.sort(values))]
        if field in self.nameless and value != -1:
            return f'<{field}>'
        if isinstance(value, str):
            return UUID.sub(lambda found: self.name_of('id', found.group()), value)
        return value

    def add(self, what, value):
        self.is_produced = ': Produce ' in what or ': TxnOffsetCommit ' in what
        self.lines.append((what, self.normal(self.with_names(value))))


class Records(bytes):
    """Records that a script sends, and what a transcript calls them."""
    label = ''

    @classmethod
    def of(cls, data, label):
        records = cls(data)
        records.label = label
        return records


def has_error(value, codes):
    if isinstance(value, dict):
        return any(('error' in name and v in codes) or has_error(v, codes) for name, v in value.items())
    return isinstance(value, list) and any(has_error(v, codes) for v in value)


class Link:
    """One connection. What it asks is written down, unless `quiet`."""

    def __init__(self, peer, client_id):
        self.peer, self.client_id = peer, client_id
        self.opened = None
        self.parked = []  # (what, api, version) that were sent and not received

    @property
    def connection(self):
        """Made at the first use: a broker may end one that says nothing."""
        if self.opened is None:
            self.opened = Connection(self.peer.address, timeout=PATIENCE_S)
        return self.opened

    def send(self, api, version=None, **values):
        version = version_of(api, self.peer.era) if version is None else version
        values = {name: value for name, value in values.items() if in_version(api, name, version)}
        what = f'{self.client_id}: {api} v{version} {brief(self.peer.transcript.with_names(values))}'
        self.parked.append((what, api, version))
        try:
            self.connection.send(messages.request(api, version, values, client_id=self.client_id))
        except OSError:
            pass  # receive finds out

    def receive(self, quiet=False):
        what, api, version = self.parked.pop(0)
        try:
            answer = messages.response(api, version, self.connection.response())
        except ConnectionError:
            answer = {'closed': True}
        except TimeoutError:
            raise Stuck(f'no answer to {what}') from None
        except (OSError, ValueError) as e:
            answer = {'failed': f'{type(e).__name__}: {e}'}
        if not quiet:
            self.peer.transcript.add(what, answer)
        return answer

    def ask(self, api, version=None, quiet=False, **values):
        self.send(api, version, **values)
        return self.receive(quiet)

    def ask_until(self, is_done, api, version=None, **values):
        """Asks again until the answer is one, and writes down only the last."""
        end = time.monotonic() + PATIENCE_S
        while True:
            self.send(api, version, **values)
            what = self.parked[0][0]
            answer = self.receive(quiet=True)
            if is_done(answer) or time.monotonic() > end or 'closed' in answer:
                self.peer.transcript.add(what, answer)
                return answer
            time.sleep(0.01)

    def ask_settled(self, api, version=None, **values):
        """Asks again while the answer is that another step of the transaction is being taken, ids are fetched, or the
        coordinator could not be asked."""
        busy = LOADING, NOT_ENOUGH_REPLICAS, CONCURRENT_TRANSACTIONS
        return self.ask_until(lambda answer: not has_error(answer, busy), api, version, **values)

    def close(self):
        if self.opened is not None:
            self.opened.close()


def in_version(api, name, version):
    """A script says what it means once; a version leaves out what it has no field for."""
    return any(f.name == name and messages.wiregen.field_in(f, version)
               for f in messages.APIS[api].messages['request'][-1].fields)


def brief(values):
    texts = ((name, UUID.sub('<id>', repr(value))) for name, value in values.items())
    return ' '.join(f'{name}={text if len(text) < 300 else text[:300] + "..."}' for name, text in texts)


class Peer:
    """One broker, in one era. A script whose brokers count epochs in another way says `any_epochs()`."""

    def __init__(self, address, era, name, topics):
        self.address, self.era, self.name, self.topics = address, era, name, topics
        self.transcript = Transcript(topics)
        self.ids = dict(topics)  # of every topic that it knows
        self.links = []

    def link(self, client_id='c'):
        self.links.append(Link(self, client_id))
        return self.links[-1]

    def group(self, what='g'):
        """A group id of this script and era; the same for both brokers."""
        return f'{self.name}-{what}'

    def topic(self, what, partitions=1, **configs):
        """A topic of this script and era: its name. It is there, with leaders, when this returns."""
        name = f'{self.name}-{what}'
        link = self.link('maker')
        answer = link.ask('CreateTopics', version=7, quiet=True, timeout_ms=30000, topics=[
            {'name': name, 'num_partitions': partitions, 'replication_factor': 1, 'configs': [
                {'name': key.replace('_', '.'), 'value': value}
                for key, value in dict(OLD_RECORDS, **configs).items()]}])['topics'][0]
        if answer['error']:
            raise Stuck(f'{name}: {answer}')
        self.ids[name] = answer['topic_id']
        self.transcript.topics[answer['topic_id']] = f'<id of {name}>'
        wanted = [{'name': name, 'partitions': [
            {'partition_index': i, 'timestamp': -2} for i in range(partitions)]}]
        self.until(f'leaders of {name}', lambda: not any(
            row['error'] for row in link.ask('ListOffsets', version=6, quiet=True, replica_id=-1, topics=wanted)[
                'topics'][0]['partitions']))
        link.close()
        return name

    def any_epochs(self):
        self.transcript.nameless |= {'producer_epoch'}

    def note(self, what, value):
        self.transcript.add(what, value)

    def until(self, what, happens):
        """Waits until `happens()` is true."""
        end = time.monotonic() + PATIENCE_S
        while not happens():
            if time.monotonic() > end:
                raise Stuck(what)
            time.sleep(0.01)

    def close(self):
        for link in self.links:
            link.close()


def differences(a, b, at=''):
    """(path, value of a, value of b) of each leaf that is not the same."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(set(a) | set(b)):
            yield from differences(a.get(name, '<absent>'), b.get(name, '<absent>'), f'{at}.{name}' if at else name)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f'{at}[{i}]')
    elif a != b:
        yield at, a, b


def compare(a, b):
    """(what was asked, path, value of a, value of b) of each difference of two transcripts."""
    for (what, x), (other, y) in zip(a.lines, b.lines):
        if what != other:
            yield what, '', 'asks this', f'asks {other}'
            return
        for path, left, right in differences(x, y):
            yield what, path, left, right
        if 'failed' in str(x)[:12] + str(y)[:12]:
            return  # what follows is about something else
    if len(a.lines) != len(b.lines):
        yield 'the end', '', f'{len(a.lines)} answers', f'{len(b.lines)} answers'
