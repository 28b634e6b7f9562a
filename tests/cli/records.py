# SPDX-License-Identifier: Apache-2.0
"""records.py - the scenarios of produce and consume, alone and beside kcat, played by cli_test.py."""
import base64
import os
import shutil
import subprocess
import tempfile
import time

from program import TIMEOUT_S, eventually, has, same

CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']


def test_round_trip(cli, _broker):
    for codec in CODECS:
        topic = f'trip-{codec}'
        cli.run('topic', 'create', topic, '--partitions', '3')
        lines = [f'k{i % 50}\tvalue {i} ' + 'x' * (i % 200) for i in range(5000)]
        out, err = cli.run('produce', topic, '--key-separator', '\\t', '--compression', codec, '--batch-records', '500',
                           stdin='\n'.join(lines).encode())
        same(out, b'')
        has(err, 'Wrote 5000 records')
        got = cli.records(topic)
        same(sorted(f"{r['key']}\t{r['value']}" for r in got), sorted(lines))
        for p in range(3):  # offsets dense, keys in order and in one place
            offsets = [r['offset'] for r in got if r['partition'] == p]
            same(offsets, list(range(len(offsets))))
        for key in ('k0', 'k7', 'k49'):
            mine = [r for r in got if r['key'] == key]
            same(len({r['partition'] for r in mine}), 1)
            numbers = [int(r['value'].split()[1]) for r in mine]
            same(numbers, sorted(numbers))


def test_bytes(cli, _broker):
    cli.run('topic', 'create', 'bytes')
    lines = [b'plain', b'', b'\xff\xfe binary \x00 here', 'h\u00e9 \U0001f30a'.encode(),
             b'"quoted"\\\t\x1b[31m', b' spaces ']
    cli.run('produce', 'bytes', stdin=b'\n'.join(lines) + b'\r\n')
    out, _ = cli.run('consume', 'bytes', '--exit')
    same(out, b'\n'.join(lines) + b'\n')
    got = cli.records('bytes')
    same([base64.b64decode(r['value_base64']) if 'value_base64' in r else r['value'].encode() for r in got], lines)
    same(sum('value_base64' in r for r in got), 1)


def test_keys_headers_nulls(cli, _broker):
    cli.run('topic', 'create', 'keys', '--partitions', '4')
    cli.run('produce', 'keys', '--partition', '2', '--key', 'a', '--header', 'h=1', '--header', 'g=', stdin=b'one\n\n')
    cli.run('produce', 'keys', '--partition', '2', '--key-separator', '::', '--empty-as-null',
            stdin=b'b::two::2\nb::\nthree')
    got = cli.records('keys', '--partition', '2')
    same([(r['key'], r['value']) for r in got],
         [('a', 'one'), ('a', ''), ('b', 'two::2'), ('b', None), (None, 'three')])
    same(got[0]['headers'], [{'key': 'h', 'value': '1'}, {'key': 'g', 'value': ''}])
    same(got[2]['headers'], [])
    same(cli.text('consume', 'keys', '--exit', '--format', '%t %p %o %k=%v %K %S %h|', '--null', 'NULL'),
         'keys 2 0 a=one 1 3 h=1,g=|keys 2 1 a= 1 0 h=1,g=|keys 2 2 b=two::2 1 6 |keys 2 3 b=NULL 1 -1 |'
         'keys 2 4 NULL=three -1 5 |')
    same(cli.text('consume', 'keys', '--exit', '--count', '1', '--show-key', '--show-headers', '--show-offset'),
         '2:0\th=1,g=\ta\tone\n')
    has(cli.error('produce', 'keys', '--partition', '4', stdin=b'x'), 'partitions 0 to 3')
    has(cli.error('consume', 'keys', '--partition', '4', '--exit'), 'partitions 0 to 3')


def test_offsets(cli, _broker):
    cli.run('topic', 'create', 'offsets', '--partitions', '2')
    cli.run('produce', 'offsets', '--partition', '0', stdin=b'\n'.join(b'%d' % i for i in range(100)))
    time.sleep(0.01)
    now = int(time.time() * 1000)
    time.sleep(0.01)
    cli.run('produce', 'offsets', '--partition', '0', stdin=b'100\n101\n')

    def values(*words):
        return [int(r['value']) for r in cli.records('offsets', *words)]
    same(values(), list(range(102)))
    same(values('--offset', 'latest'), [])
    same(values('--offset', '99'), [99, 100, 101])
    same(values('--offset', '-3'), [99, 100, 101])
    same(values('--offset', '-1000'), list(range(102)))
    same(values('--offset', f'@{now}'), [100, 101])
    same(values('--offset', f'@{now + 10**9}'), [])
    same(values('--count', '5'), [0, 1, 2, 3, 4])
    same(values('--partition', '1'), [])
    same(values('--partition', '0', '--partition', '0', '--count', '2'), [0, 1])
    has(cli.error('consume', 'offsets', '--offset', '103', '--partition', '0', '--exit'), 'OFFSET_OUT_OF_RANGE (1)',
        'offsets 0 to 102')
    has(cli.error('consume', 'offsets', '--offset', 'soon', '--exit', expect=2), '@MS')

    same(cli.json('topic', 'trim', 'offsets', '--partition', '0', '--offset', '90'),
         [{'topic': 'offsets', 'partition': 0, 'start_offset': 90}])
    same(values(), list(range(90, 102)))
    has(cli.error('topic', 'trim', 'offsets', '--partition', '0', '--offset', '200'), 'OFFSET_OUT_OF_RANGE')
    has(cli.error('consume', 'offsets', '--offset', '5', '--partition', '0', '--exit'), 'offsets 90 to 102')
    has(cli.text('topic', 'trim', 'offsets', '--partition', '0', '--offset', 'end'), 'now starts at offset 102')
    same(cli.records('offsets'), [])
    has(cli.error('topic', 'trim', 'offsets', '--partition', '7', '--offset', '0'), 'UNKNOWN_TOPIC_OR_PARTITION')


def test_acks(cli, _broker):
    cli.run('topic', 'create', 'acks')
    for acks in ('all', '1', '0'):
        cli.run('produce', 'acks', '--acks', acks, stdin=b'x\n' * 20000)
    eventually(lambda: len(cli.records('acks')) == 60000)
    done = cli.json('produce', 'acks', stdin=b'yy\n' * 10)
    same((done['records'], done['bytes'], done['topic']), (10, 20, 'acks'))
    same(cli.run('produce', 'acks', '--quiet', stdin=b'x')[1], '')
    same(cli.json('produce', 'acks', stdin=b'')['records'], 0)


def test_file(cli, _broker):
    cli.run('topic', 'create', 'file')
    with tempfile.NamedTemporaryFile() as f:
        text = ''.join(f'line {i} {"y" * (i % 3000)}\n' for i in range(3000))
        f.write(text.encode() + b'no end of line')
        f.flush()
        cli.run('produce', 'file', '--file', f.name)
    same(cli.text('consume', 'file', '--exit'), text + 'no end of line\n')
    with tempfile.TemporaryDirectory() as there:
        has(cli.error('produce', 'file', '--file', f'{there}/none/x'), 'there is no file')
        same(os.listdir(there), [])


def test_refused(cli, _broker):
    cli.run('topic', 'create', 'refused', '--config', 'cleanup.policy=compact')
    err = cli.error('produce', 'refused', stdin=b'no key\n')
    has(err, 'INVALID_RECORD (87)', 'a batch of 1 record from line 1: ', '--key')
    cli.run('topic', 'create', 'small', '--config', 'max.message.bytes=1000')
    has(cli.error('produce', 'small', stdin=b'ok\n' + b'x' * 5000), 'MESSAGE_TOO_LARGE (10)', 'max.message.bytes')
    cli.run('topic', 'create', 'large', '--config', 'max.message.bytes=8000000')
    cli.run('produce', 'large', stdin=b'z' * 6000000)
    same(cli.run('consume', 'large', '--exit')[0], b'z' * 6000000 + b'\n')
    has(cli.error('produce', 'large', stdin=b'z' * (33 << 20)), 'after line 0')


def test_kcat(cli, broker):
    if shutil.which('kcat') is None:
        print('    kcat is not installed: skipped')
        return
    kcat = ['kcat', '-b', broker.bootstrap, '-q']
    for codec in CODECS:
        topic = f'kcat-{codec}'
        cli.run('topic', 'create', topic, '--partitions', '5')
        lines = [f'key{i % 97}:value {i}' for i in range(2000)]
        text = ('\n'.join(lines) + '\n').encode()
        cli.run('produce', topic, '--key-separator', ':', '--compression', codec, stdin=text)
        done = subprocess.run(kcat + ['-C', '-t', topic, '-e', '-K:'], capture_output=True, timeout=TIMEOUT_S,
                              check=True)
        same(sorted(done.stdout.decode().splitlines()), sorted(lines))
        # the same keys from another producer with Kafka's partitioner go to the same partitions
        subprocess.run(kcat + ['-P', '-t', topic, '-K:', '-z', codec, '-X', 'topic.partitioner=murmur2_random'],
                       input=text, timeout=TIMEOUT_S, check=True)
        got = cli.records(topic)
        same(sorted(f"{r['key']}:{r['value']}" for r in got), sorted(lines * 2))
        for key in {r['key'] for r in got}:
            same(len({r['partition'] for r in got if r['key'] == key}), 1)
