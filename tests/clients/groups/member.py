# SPDX-License-Identifier: Apache-2.0
"""member.py - what the members in Python share: the settings they are given, the events they tell, the word to stop.

README.md describes the events. member.mjs is the same for the npm clients.
"""
import json
import os
import sys
import threading
import time

SETTINGS = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
IS_CONSUMER_PROTOCOL = os.environ.get('STROM_GROUP_PROTOCOL') == 'consumer'  # KIP-848
IS_INCREMENTAL = IS_CONSUMER_PROTOCOL or SETTINGS.get('assignor') == 'cooperative'
stopped = threading.Event()


def tell(event, **fields):
    """One line, in one write: a process that is killed leaves no half line."""
    line = json.dumps({'event': event, 'at': time.monotonic(), **fields}) + '\n'
    sys.stdout.write(line)
    sys.stdout.flush()


def start(pid=None):
    """Tells the process that is to be killed, and begins to listen for the word to stop."""
    tell('started', pid=pid or os.getpid())
    threading.Thread(target=_listen, daemon=True).start()


class Owned:
    """What this member owns, told as it changes."""

    def __init__(self):
        self.partitions = []

    def assign(self, partitions, generation=None):
        """The rest is given up by then, unless rebalances are cooperative: librdkafka 2.0.2 does not always tell."""
        partitions = [list(p) for p in partitions]
        if not IS_INCREMENTAL and self.partitions:
            self.revoke(self.partitions, lost=True)
        self.partitions = self.partitions + partitions
        tell('assigned', partitions=partitions, generation=generation)

    def revoke(self, partitions, lost=False):
        partitions = [list(p) for p in partitions]
        self.partitions = [p for p in self.partitions if p not in partitions]
        if partitions:
            tell('revoked', partitions=partitions, lost=lost)


def _listen():
    for line in sys.stdin:
        if json.loads(line)[0] == 'stop':
            break
    stopped.set()  # also when whoever started us has gone
