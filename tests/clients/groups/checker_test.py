#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""checker_test.py - each rule of the checker fires on a story that breaks it, and on no story that does not."""
import sys

from checker import Checker

T = 't'


def assigned(member, *partitions, generation=None):
    return member, {'event': 'assigned', 'partitions': [[T, p] for p in partitions], 'generation': generation}


def revoked(member, *partitions, lost=False):
    return member, {'event': 'revoked', 'partitions': [[T, p] for p in partitions], 'lost': lost}


def records(member, partition, first, end):
    return member, {'event': 'records', 'rows': [[T, partition, o, f'{T}/{partition}/{o}'] for o in range(first, end)]}


def observed(partition, offset):
    return None, {'event': 'observed', 'offsets': [[T, partition, offset]]}


def happened(event, member=None):
    return member, {'event': event}


# name: (what the violation says, or None; the story; produced; why the client repeats)
START = [assigned('A', 0), records('A', 0, 0, 5)]
STORIES = {
    'nothing wrong': (None, [*START, observed(0, 5)], 5, None),
    'handed over': (None, [*START, revoked('A', 0), assigned('B', 0), records('B', 0, 5, 8), observed(0, 8)], 8, None),
    'grows within a generation': (None, [assigned('A', 0, generation=3), assigned('B', 1, generation=3),
                                         records('A', 0, 0, 5), observed(0, 5)], 5, None),
    'repeats after a kill': (None, [*START, observed(0, 2), happened('killed', 'A'), assigned('B', 0),
                                    records('B', 0, 2, 8), observed(0, 8)], 8, None),
    'repeats after a refused commit': (None, [*START, happened('refused', 'A'), revoked('A', 0), assigned('B', 0),
                                              records('B', 0, 0, 5), observed(0, 5)], 5, None),
    'repeats after a loss': (None, [*START, revoked('A', 0, lost=True), assigned('B', 0), records('B', 0, 0, 5),
                                    observed(0, 5)], 5, None),
    'loses without noticing': (None, [*START, assigned('B', 0), records('A', 0, 5, 6), records('B', 0, 3, 8),
                                      revoked('A', 0, lost=True), observed(0, 8)], 8, None),
    'repeats after the broker died': (None, [*START, happened('broker_killed'), revoked('A', 0), assigned('B', 0),
                                             records('B', 0, 0, 5), observed(0, 5)], 5, None),
    'client that repeats': (None, [*START, revoked('A', 0), assigned('B', 0), records('B', 0, 3, 8),
                                   observed(0, 8)], 8, 'it does'),
    'zombie': (None, [*START, happened('frozen', 'A'), assigned('B', 0), records('A', 0, 5, 7),
                      records('B', 0, 0, 6), revoked('A', 0, lost=True), records('B', 0, 6, 8),
                      observed(0, 8)], 8, None),
    'repeated without failure': ('came again', [*START, revoked('A', 0), assigned('B', 0), records('B', 0, 4, 8),
                                                observed(0, 8)], 8, None),
    'repeated twice after one kill': ('came again', [
        *START, happened('killed', 'A'), assigned('B', 0), records('B', 0, 3, 6), revoked('B', 0), assigned('C', 0),
        records('C', 0, 3, 6), observed(0, 6)], 6, None),
    'repeated in a session': ('where 5 was next', [*START, records('A', 0, 4, 6), observed(0, 6)], 6, 'it does'),
    'skipped in a session': ('where 5 was next', [*START, records('A', 0, 6, 8), observed(0, 8)], 8, 'it does'),
    'skipped at a handover': ('never delivered', [*START, happened('killed', 'A'), assigned('B', 0),
                                                  records('B', 0, 6, 8), observed(0, 8)], 8, 'it does'),
    'two owners': ('two owners', [*START, assigned('B', 0), observed(0, 5)], 5, None),
    'given what it has': ('which it has', [*START, assigned('A', 0), observed(0, 5)], 5, None),
    'not the owner': ('does not own', [assigned('A', 0), records('B', 0, 0, 1), records('A', 0, 0, 5),
                                       observed(0, 5)], 5, None),
    'after the revocation': ('does not own', [*START, revoked('A', 0), records('A', 0, 5, 6), observed(0, 5)], 5, None),
    'went back': ('back to 3', [*START, observed(0, 4), observed(0, 3), observed(0, 5)], 5, None),
    'before the committed': ('though 5 was', [*START, observed(0, 5), happened('killed', 'A'), assigned('B', 0),
                                              records('B', 0, 2, 6), observed(0, 6)], 6, None),
    'twice in a generation': ('twice in generation 7', [
        assigned('A', 0, generation=7), records('A', 0, 0, 5), revoked('A', 0), assigned('A', 0, generation=7),
        records('A', 0, 4, 5), observed(0, 5)], 5, 'it does'),
    'generation back': ('after generation 4', [assigned('A', 0, generation=4), revoked('A', 0),
                                               assigned('A', 0, generation=3), records('A', 0, 0, 5),
                                               observed(0, 5)], 5, None),
    'not delivered': ('5 delivered of 6', [*START, observed(0, 6)], 6, None),
    'not committed': ('4 committed of 5', [*START, observed(0, 4)], 5, None),
    'nothing delivered': ('0 delivered of 5', [observed(0, 5)], 5, None),
    'wrong value': ("got 'x'", [assigned('A', 0), ('A', {'event': 'records', 'rows': [[T, 0, 0, 'x']]}),
                                observed(0, 1)], 1, None),
}


# The same, of a client that delivers after it told of the revocation.
TRAILING_STORIES = {
    'trails': (None, [*START, revoked('A', 0), records('A', 0, 5, 7), assigned('B', 0), records('B', 0, 7, 8),
                      observed(0, 8)], 8, None),
    'trails after the next has begun': (None, [*START, revoked('A', 0), assigned('B', 0), records('B', 0, 7, 8),
                                               records('A', 0, 5, 7), observed(0, 8)], 8, None),
    'has it again': (None, [*START, revoked('A', 0), assigned('A', 0), records('A', 0, 5, 8), observed(0, 8)], 8, None),
    'trails, and skips': ('where 5 was next', [*START, revoked('A', 0), records('A', 0, 6, 7), assigned('B', 0),
                                               records('B', 0, 7, 8), observed(0, 8)], 8, None),
}
# The same, of a client that tells of revocations late.
LATE_STORIES = {
    'late': (None, [*START, assigned('B', 0), records('B', 0, 5, 8), revoked('A', 0), observed(0, 8)], 8, None),
    'never': ('two owners', [*START, assigned('B', 0), records('B', 0, 5, 8), observed(0, 8)], 8, None),
    'late, and skips': ('never delivered', [*START, assigned('B', 0), records('B', 0, 6, 8), revoked('A', 0),
                                            observed(0, 8)], 8, None),
}
# The same, of a client that sends commits again after newer ones when the broker has died.
RESENDING_STORIES = {
    'resends': (None, [*START, observed(0, 2), happened('broker_killed'), observed(0, 4), observed(0, 3),
                       observed(0, 5)], 5, None),
    'what was committed is gone': ('from 4 back to 3', [*START, observed(0, 4), happened('broker_killed'),
                                                        observed(0, 3), observed(0, 5)], 5, None),
    'goes back without a death': ('from 4 back to 3', [*START, observed(0, 4), observed(0, 3),
                                                       observed(0, 5)], 5, None),
}


def main():
    failed = 0
    for flaw, told in ((None, STORIES), ('trails', TRAILING_STORIES), ('late', LATE_STORIES),
                       ('resends', RESENDING_STORIES)):
        for name, story in told.items():
            failed += not holds(name, *story, {flaw: 'it does'} if flaw else {})
    return failed


def holds(name, expected, story, produced, repeats, flaws):
    checker = Checker(repeats, **flaws)
    checker.replay((at, member, event) for at, (member, event) in enumerate(story))
    violations = checker.finish({(T, 0): produced})
    right = not violations if expected is None else len(violations) == 1 and expected in violations[0]
    print(f'{"ok" if right else "not ok"} checker: {name}' + ('' if right else f': {violations}'))
    return right


if __name__ == '__main__':
    sys.exit(1 if main() else 0)
