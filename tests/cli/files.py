# SPDX-License-Identifier: Apache-2.0
"""files.py - the scenarios of dump and repair, played by cli_test.py."""
import os
import random
import re
import tempfile

from broker import Broker
from program import has, same


def test_dump_and_repair(cli, _broker):
    with Broker(cli.binary) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'dumped', *words)
        cli.run('produce', 'dumped', *words, stdin=b'x\n' * 1000)
        has(cli.error('repair', '--data-dir', own.data_dir, '--yes'), 'in use', 'stop the server')
        own.stop()
        wal = sorted(os.listdir(f'{own.data_dir}/wal'))
        path = f'{own.data_dir}/wal/{wal[0]}'
        text = cli.text('dump', path)
        has(text, 'TOPIC_CREATE', 'name=dumped', 'DATA', 'lsn 1')
        same(sum(int(n) for n in re.findall(r' records=(\d+)', text)), 1000)
        assert 'TOPIC_CREATE' not in cli.text('dump', path, '--no-items')
        here = os.getcwd()
        os.chdir(f'{own.data_dir}/wal')
        binary, cli.binary = cli.binary, os.path.abspath(os.path.join(here, cli.binary))
        try:
            has(cli.text('dump', wal[0]), 'TOPIC_CREATE')
        finally:
            os.chdir(here)
            cli.binary = binary
        for kind in ('snap', 'obj'):
            for name in sorted(os.listdir(f'{own.data_dir}/{kind}')):
                text = cli.text('dump', f'{own.data_dir}/{kind}/{name}')
                has(text, 'END' if kind == 'snap' else 'merged object')
        has(cli.text('repair', '--data-dir', own.data_dir), 'the log is sound', 'Nothing was changed')
        has(cli.text('repair', '--data-dir', own.data_dir, '--yes'), 'the log is sound')

        damaged = f'{own.data_dir}/wal/damaged'
        with open(path, 'rb') as f:
            data = bytearray(f.read())
        data[150] ^= 1
        with open(damaged, 'wb') as f:
            f.write(data)
        has(cli.text('dump', damaged), 'DAMAGED')
        with open(damaged, 'wb') as f:
            f.write(random.Random(3).randbytes(10000))
        has(cli.error('dump', damaged), 'neither')
    with tempfile.TemporaryDirectory() as there:
        has(cli.error('dump', f'{there}/x/none.wal'), 'there is no file')
        has(cli.error('repair', '--data-dir', f'{there}/none'), 'is no data directory')
        has(cli.error('repair', '--data-dir', there, '--yes'), 'is no data directory')
        same(os.listdir(there), [])
        for name in ('a.snap', 'b.obj', 'c.wal'):
            with open(f'{there}/{name}', 'wb') as f:
                f.write(b'STRS' + random.Random(4).randbytes(5000))
        cli.error('dump', f'{there}/a.snap')
        cli.error('dump', f'{there}/b.obj')
        has(cli.text('dump', f'{there}/c.wal'), '5004 bytes')


def test_repair_rotten(cli, _broker):
    """A flipped bit in an acknowledged bundle: dump shows it, repair cuts before it and keeps a copy."""
    with Broker(cli.binary) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'rotten', *words)
        for i in range(5):
            cli.run('produce', 'rotten', *words, stdin=b'%d\n' % i)
        own.kill()
        path = f'{own.data_dir}/wal/{sorted(os.listdir(own.data_dir + "/wal"))[0]}'
        with open(path, 'r+b') as f:
            data = f.read()
            at = data.index(b'STRM', data.index(b'STRM', 4096 * 4)) + 120  # in the metadata of a bundle in the middle
            f.seek(at)
            f.write(bytes([data[at] ^ 1]))
        has(cli.text('dump', path), 'DAMAGED')
        has(cli.text('repair', '--data-dir', own.data_dir), 'Nothing was changed')
        with open(path, 'rb') as f:
            f.seek(at)
            same(f.read(1), bytes([data[at] ^ 1]))
        has(cli.text('repair', '--data-dir', own.data_dir, '--yes'), 'lost')
        lost = [n for n in os.listdir(own.data_dir + '/wal') if n.startswith('lost-')]
        assert lost
        has(cli.text('dump', *(f'{own.data_dir}/wal/{n}' for n in lost)), 'object 1')
        own.start()
        got = [int(r['value']) for r in cli.records('rotten', *words)]
        same(got, list(range(len(got))))
        assert len(got) < 5
        cli.run('produce', 'rotten', *words, stdin=b'again\n')
        has(cli.text('consume', 'rotten', '--exit', *words), 'again')
