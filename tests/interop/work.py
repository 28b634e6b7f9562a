# SPDX-License-Identifier: Apache-2.0
"""work.py - what the interop tests share: where things are, how they are fetched once, how a command is run."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLIENTS = os.path.join(ROOT, 'tests', 'clients')
WORK = os.path.join(ROOT, 'build-interop')
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
sys.path.insert(0, CLIENTS)
from scenario import Failure, check  # noqa: E402


def run(command, stdin='', seconds=120, **options):
    """Runs a command; returns (exit code, output with errors)."""
    result = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=seconds, check=False, **options)
    return result.returncode, result.stdout


def run_ok(command, **options):
    code, out = run(command, **options)
    check(code == 0, f'{" ".join(command[:4])} ended with {code}: {out[-500:]}')
    return out


def once(directory, sources, make):
    """Calls make to fill a directory, once per change of the sources."""
    stamp = os.path.join(directory, '.strom-stamp')
    wanted = ''.join(open(path, encoding='utf-8').read() for path in sources)
    if os.path.exists(stamp) and open(stamp, encoding='utf-8').read() == wanted:
        return
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    make()
    with open(stamp, 'w', encoding='utf-8') as f:
        f.write(wanted)


__all__ = ['CLIENTS', 'HERE', 'ROOT', 'WORK', 'Failure', 'check', 'once', 'run', 'run_ok']
