# SPDX-License-Identifier: Apache-2.0
"""golang.py - the Go side of the interop tests: a Go that is new enough, and our programs."""
import json
import os
import re
import shutil

from work import HERE, WORK, Failure, once, run, run_ok

SOURCES = os.path.join(HERE, 'go')
PROGRAMS = os.path.join(WORK, 'go')
# franz-go and sarama want Go 1.25. Debian 12 has 1.19, which can fetch this from the module proxy as it can any module.
TOOLCHAIN = 'golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64'
FETCHES_ITSELF = (1, 21)  # from here on, go gets the toolchain that go.mod asks for by itself


def go_version(go):
    """(1, 21), or None if that is no Go."""
    code, out = run([go, 'version'], env=dict(os.environ, GOTOOLCHAIN='local'))
    found = re.search(r'go version go(\d+)\.(\d+)', out)
    return (int(found.group(1)), int(found.group(2))) if code == 0 and found else None


def find_go():
    go = shutil.which('go')
    if go is None:
        raise Failure('no go: apt-get install golang-go')
    version = go_version(go)
    if version is not None and version >= FETCHES_ITSELF:
        return go
    out = run_ok([go, 'mod', 'download', '-json', TOOLCHAIN], seconds=600, cwd=WORK)
    root = json.loads(out[out.index('{'):])['Dir']
    make_executable(root)
    return os.path.join(root, 'bin', 'go')


def make_executable(root):
    """Modules carry no file modes."""
    for folder in ('bin', os.path.join('pkg', 'tool')):
        for path, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                os.chmod(os.path.join(path, name), 0o755)


def setup():
    sources = sorted(os.path.join(path, name) for path, _, names in os.walk(SOURCES) for name in names)
    once(PROGRAMS, sources, lambda: run_ok([find_go(), 'build', '-o', PROGRAMS + '/', './franz', './sarama',
                                           './registry', './verdicts', './contractcost'],
                                           seconds=900, cwd=SOURCES, env=dict(os.environ, GOFLAGS='-mod=readonly')))


def program(name, *arguments):
    return [os.path.join(PROGRAMS, name), *arguments]
