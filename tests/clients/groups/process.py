# SPDX-License-Identifier: Apache-2.0
"""process.py - child processes that tell what happens as JSON lines: the members of a group, and the load."""
import json
import os
import signal
import subprocess
import threading
import time

STOP_SECONDS = 30
NOISE_LINES = 40


class Talker:
    """A child that writes events to its standard output and takes commands on its standard input, a JSON line each.

    Owner: the thread that starts it; the reader thread only appends to `events` and notifies `changed`.
    """

    def __init__(self, command, environment, changed):
        self.changed = changed  # a Condition that all children of a story share
        self.events = []
        self.noise = []  # the last lines that were no events
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            event = parse(line)
            with self.changed:
                if event is None:
                    self.noise = self.noise[1 - NOISE_LINES:] + [line.decode(errors='replace').rstrip()]
                else:
                    self.events.append(event)
                    self.on_event(event)
                self.changed.notify_all()
        self.process.wait()
        with self.changed:
            self.changed.notify_all()

    def on_event(self, event):
        """Called with `changed` held."""

    def command(self, *words):
        try:
            self.process.stdin.write((json.dumps(words) + '\n').encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died: whoever waits for the answer will notice

    def has_ended(self):
        return self.process.poll() is not None

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        if not self.has_ended():
            self.signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join(STOP_SECONDS)


def parse(line):
    """The event of a line, or None."""
    if not line.startswith(b'{'):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if 'event' in event and 'at' in event else None


class Member(Talker):
    """A member of a group; `owned` is what it says it has: {(topic, partition): records since it was assigned}."""

    def __init__(self, name, command, environment, changed):
        self.name = name
        self.owned = {}
        self.marks = []  # (time, what was done to it), for the checker
        self.pid = None  # of the client; not always that of the process
        self.stopping = self.killed = self.may_end = False
        super().__init__(command, environment, changed)

    def on_event(self, event):
        kind = event['event']
        if kind == 'started':
            self.pid = event['pid']
        elif kind == 'assigned':
            self.owned.update({tuple(p): 0 for p in event['partitions']})
        elif kind == 'revoked':
            for p in event['partitions']:
                self.owned.pop(tuple(p), None)
        elif kind == 'records':
            for topic, partition, *_ in event['rows']:
                if (topic, partition) in self.owned:
                    self.owned[topic, partition] += 1

    def count(self, *kinds):
        return sum(e['event'] in kinds for e in self.events)

    def stop(self):
        """Asks it to leave the group and end."""
        self.stopping = True
        self.command('stop')

    def crash(self):
        """kill -9 of the client: no goodbye to the group."""
        self.killed = True
        self.marks.append((time.monotonic(), 'killed'))
        os.kill(self.pid, signal.SIGKILL)

    def freeze(self):
        self.marks.append((time.monotonic(), 'frozen'))
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        """It finds that the group went on without it. Some clients join again, others end, to be started again."""
        os.kill(self.pid, signal.SIGCONT)

    def failure(self):
        """Why it is no member that the story can go on with, or None."""
        if self.has_ended() and not self.reader.is_alive() and not (self.stopping or self.killed or self.may_end):
            return f'{self.name} ended with {self.process.returncode}: {" / ".join(self.noise[-15:])}'
        return next((f'{self.name} says {e["text"]}' for e in self.events if e['event'] == 'error'), None)

    def story(self):
        """Its events for the checker."""
        return [(e['at'], self.name, e) for e in self.events] + \
            [(at, self.name, {'event': kind}) for at, kind in self.marks]
