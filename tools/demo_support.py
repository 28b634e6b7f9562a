# SPDX-License-Identifier: Apache-2.0
"""demo_support.py - what the acts of the demo share: how things are printed, and `strom` as a person types it."""
import os
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATA = os.path.join(ROOT, 'tests/clients/node_modules/vega-datasets/data')
COLOUR = sys.stdout.isatty() and 'NO_COLOR' not in os.environ
WIDTH = 118


class DemoFailed(Exception):
    """Strom did not do what the demo is there to show."""


def paint(code, text):
    return f'\033[{code}m{text}\033[0m' if COLOUR else text


def heading(text):
    print('\n' + paint('1;36', text), flush=True)


def fact(name, value):
    print(f'  {name:<28} {paint("1", value)}', flush=True)


def good(text):
    print('  ' + paint('1;32', text), flush=True)


class Shell:
    """Runs `strom` commands against the broker, and shows them as they could be typed."""

    def __init__(self, binary, broker, folder):
        self.binary = os.path.abspath(binary)
        self.folder = folder
        os.symlink(os.path.join(ROOT, 'examples'), os.path.join(folder, 'examples'))
        self.env = {**os.environ, 'STROM_BOOTSTRAP': broker.bootstrap, 'STROM_REGISTRY': broker.http}

    def run(self, *words, stdin=None, expect=0):
        done = subprocess.run([self.binary, *words], input=stdin, capture_output=True, env=self.env, cwd=self.folder,
                              check=False, timeout=60)
        if done.returncode != expect:
            raise DemoFailed(f'strom {shlex.join(words)}: exit code {done.returncode}\n{done.stderr.decode()}')
        return done.stdout

    def show(self, *words, expect=0, lines=None, last=None):
        """Shows the command and at most `lines` lines of what it prints, or the `last` ones."""
        print('  ' + paint('2', f'$ strom {shlex.join(words)}'))
        out = self.run(*words, expect=expect).decode().splitlines()
        if last is not None and len(out) > last:
            print(f'  ... {len(out) - last} earlier ones')
            out = out[-last:]
        for line in out[:lines]:
            print('  ' + (line if len(line) <= WIDTH else line[:WIDTH - 3] + '...'))
        if lines is not None and len(out) > lines:
            print(f'  ... {len(out) - lines} more')
        sys.stdout.flush()
