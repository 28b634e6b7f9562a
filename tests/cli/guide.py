# SPDX-License-Identifier: Apache-2.0
"""guide.py - types docs/guide.md as it stands: every block of shell must end well, and show what the guide says."""
import os
import re
import shutil
import subprocess
import tempfile

from program import has

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOVIES = 'tests/clients/node_modules/vega-datasets/data/movies.json'
# What the reader sees after each block, in order.
SEEN = [
    (), ('3201 records: 3118 pass, 40 would be refused, 43 would be observed', 'some would fail', 'releasedByNow'),
    ('movies is governed by this contract.', 'knownRating'), ('movies.dlq', 'Release Date lies before 2012'),
    ('dlq  strom:structure',), ('41 dead letters of movies.dlq wait', '29 accepted, 12 set aside again'),
    ('there is something to change', '2 accepted, 10 set aside again'), ('refused',),
    ('Everything is in place; nothing to change.',),
]


def test_guide(cli, broker):
    with open(os.path.join(ROOT, 'docs', 'guide.md'), encoding='utf-8') as f:
        blocks = re.findall(r'```sh\n(.*?)```', f.read(), re.S)
    assert len(blocks) == len(SEEN), f'{len(blocks)} blocks, {len(SEEN)} expectations'
    with tempfile.TemporaryDirectory(prefix='strom-guide-') as folder:
        shutil.copytree(os.path.join(ROOT, 'examples'), os.path.join(folder, 'examples'))
        os.makedirs(os.path.join(folder, os.path.dirname(MOVIES)))
        os.makedirs(os.path.join(folder, 'build', 'src', 'server'))
        os.symlink(os.path.join(ROOT, MOVIES), os.path.join(folder, MOVIES))
        os.symlink(cli.binary, os.path.join(folder, 'build', 'src', 'server', 'strom'))
        path = f'{folder}/build/src/server:{os.environ["PATH"]}'
        env = {**cli.env, 'STROM_REGISTRY': broker.http, 'PATH': path}
        for block, seen in zip(blocks, SEEN):
            script = block.replace('127.0.0.1:9092', cli.env['STROM_BOOTSTRAP'])
            done = subprocess.run(['bash', '-e', '-o', 'pipefail', '-c', script], capture_output=True, env=env,
                                  cwd=folder, check=False, timeout=60)
            said = (done.stdout + done.stderr).decode()
            assert done.returncode == 0, f'{block}\nexit code {done.returncode}\n{said}'
            has(said, *seen)
        left = sorted(os.listdir(folder))
        assert left == ['build', 'examples', 'tests'], f'the guide leaves {left}'
