#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""txn_history_test.py - every kind of damage that txn_history.py names is found, by that name."""
import sys

from txn_history import INPUT, OUTPUT, History, Wrong, value_of

COUNTS = {'0': 2, '1': 1}
GOOD = [(0, 0), (0, 1), (1, 0)]  # partition and index of each record of a transaction


def make(states, records, copies=None):
    """states: {transaction: its events}; records and copies: (transaction, partition, index) in order."""
    history = History()
    for txn, events in states.items():
        for event in events:
            history.told({'event': event, 'txn': txn, **({'counts': COUNTS} if event == 'committing' else {})})
    for topic, rows in ((INPUT, records), (OUTPUT, records if copies is None else copies)):
        for offset, (txn, partition, index) in enumerate(rows):
            history.saw(topic, partition, offset, value_of(txn, partition, index))
    history.judge()


def of(txn, rows=None):
    return [(txn, *row) for row in (GOOD if rows is None else rows)]


DONE, ASKED, ABORTED = ['committing', 'committed'], ['committing'], ['aborted']
CASES = {
    'good': ('', {'a': DONE, 'b': ABORTED}, of('a'), None),
    'unanswered and there': ('', {'a': ASKED}, of('a'), None),
    'unanswered and not there': ('', {'a': ASKED, 'b': DONE}, of('b'), None),
    'a commit is missing': ('LOST', {'a': DONE, 'b': DONE}, of('a'), None),
    'its last record is missing': ('LOST', {'a': DONE}, of('a', [(0, 0), (1, 0)]), None),
    'its first record is missing': ('LOST', {'a': DONE}, of('a', [(0, 1), (1, 0)]), None),
    'one partition only': ('TORN', {'a': ASKED}, of('a', [(1, 0)]), None),
    'part of a partition': ('TORN', {'a': ASKED}, of('a', [(0, 0), (1, 0)]), None),
    'a record twice': ('DOUBLED', {'a': DONE}, of('a', [(0, 0), (0, 0), (0, 1), (1, 0)]), None),
    'aborted': ('ABORTED READ', {'a': ABORTED}, of('a'), None),
    'aborted after all': ('ABORTED READ', {'a': ASKED + ABORTED}, of('a'), None),
    'never to be committed': ('ABORTED READ', {}, of('a'), None),
    'copied in part': ('COPY', {'a': DONE}, of('a'), of('a', [(0, 0), (1, 0)])),
    'copied twice': ('COPY', {'a': DONE}, of('a'), of('a', [(0, 0), (0, 1), (0, 1), (1, 0)])),
    'copied in another order': ('COPY', {'a': DONE}, of('a'), of('a', [(0, 1), (0, 0), (1, 0)])),
}


def main():
    failed = 0
    for name, (wanted, states, records, copies) in CASES.items():
        try:
            make(states, records, copies)
            found = ''
        except Wrong as e:
            found = str(e)
        is_right = found.startswith(wanted) if wanted else not found
        failed += not is_right
        print(f'ok txn_history {name}' if is_right else f'not ok txn_history {name}: {found or "nothing found"}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
