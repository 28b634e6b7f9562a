# SPDX-License-Identifier: Apache-2.0
"""program.py - what the tests of the command line share: the program, run against one broker, and comparisons."""
import json
import os
import signal
import subprocess
import time

TIMEOUT_S = 60
SETTINGS = {'group.initial.rebalance.delay.ms': '0', 'group.min.session.timeout.ms': '500'}  # of the broker


class Cli:
    """Runs the program against one broker."""

    def __init__(self, binary, bootstrap):
        self.binary = binary
        self.env = {**os.environ, 'STROM_BOOTSTRAP': bootstrap}

    def run(self, *words, stdin=b'', expect=0, bootstrap=None):
        """(stdout, stderr) as bytes and text; fails unless the exit code is the one expected."""
        env = {**self.env, 'STROM_BOOTSTRAP': bootstrap} if bootstrap else self.env
        done = subprocess.run([self.binary, *words], input=stdin, capture_output=True, env=env, timeout=TIMEOUT_S,
                              check=False)
        err = done.stderr.decode(errors='replace')
        assert done.returncode == expect, f'{words}: exit code {done.returncode}, not {expect}\n{err}'
        return done.stdout, err

    def text(self, *words, **options):
        return self.run(*words, **options)[0].decode()

    def error(self, *words, expect=1, **options):
        out, err = self.run(*words, expect=expect, **options)
        has(err, 'strom: ')
        return err

    def json(self, *words, **options):
        return json.loads(self.run(*words, '--json', **options)[0])

    def records(self, *words, **options):
        """What consume --exit --json prints, one object per record."""
        out, _ = self.run('consume', *words, '--exit', '--json', **options)
        return [json.loads(line) for line in out.splitlines()]

    def start(self, *words, stdin=subprocess.PIPE):
        # A shell starts its background jobs with Ctrl-C ignored, and children inherit that.
        return subprocess.Popen([self.binary, *words], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                                env=self.env)


def same(got, want):
    assert got == want, f'\n  got  {got!r}\n  want {want!r}'


def has(text, *parts):
    for part in parts:
        assert part in text, f'no {part!r} in:\n{text}'


def eventually(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, 'it did not happen in time'
        time.sleep(0.01)
