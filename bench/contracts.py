# SPDX-License-Identifier: Apache-2.0
"""contracts.py - what a contract costs a topic (`./dev bench contracts`). See README.md.

A broker takes the same batches on a topic without a contract and at each level, in turns: the throughput that is lost,
and the CPU time of the broker for each record, which other programs disturb least; beside it, the same rules in
Confluent's clients for JavaScript and Go.
"""
import json
import os
import shutil
import statistics
import struct
import socket
import subprocess
import threading
import time
import urllib.request

from programs import OTHERS_CPU_MAX, Failed, api_versions, free_port

HEADING = '## What a contract costs'
HERE = os.path.dirname(os.path.abspath(__file__))
KIB, MIB = 1 << 10, 1 << 20
LEVELS = ('none', 'id', 'structure', 'contract')
RULES = [{'name': 'positive', 'kind': 'CONDITION', 'mode': 'WRITE', 'type': 'CEL', 'expr': 'message.qty > 0'},
         {'name': 'named', 'kind': 'CONDITION', 'mode': 'WRITE', 'type': 'CEL',
          'expr': "size(message.id) > 0 && message.price >= 0.0"}]
BAD_ACTIONS = ('reject', 'dlq')
BAD_OF = 100
BAD_COUNTS = {0: 'none', 1: 'one of a batch', BAD_OF: 'all'}  # a batch of 64 KiB has less than a hundred
HEAVY = [{'name': f'heavy{n}', 'kind': 'CONDITION', 'mode': 'WRITE', 'type': 'CEL',
          'expr': f"size(message.items) > {n % 3} && message.items.all(i, i.matches('^item [0-9]+ of (the|a) sho+p$'))"}
         for n in range(10)]
HEAVY += [{'name': 'printable', 'kind': 'CONDITION', 'mode': 'WRITE', 'type': 'CEL_FIELD',
           'expr': "typeName == 'STRING' ; value.matches('^[ -~]*$')"}]
GOALS = {('avro', 'id'): 1, ('avro', 'structure'): 5, ('avro', 'contract'): 10, ('protobuf', 'id'): 1,
         ('protobuf', 'structure'): 5, ('protobuf', 'contract'): 10, ('json', 'contract'): 25}
AVRO = {'type': 'record', 'name': 'Order', 'namespace': 'shop', 'fields': [
    {'name': 'id', 'type': 'string'}, {'name': 'note', 'type': 'string'}, {'name': 'qty', 'type': 'int'},
    {'name': 'price', 'type': 'double'}, {'name': 'items', 'type': {'type': 'array', 'items': 'string'}}]}
JSON = {'type': 'object', 'required': ['id', 'qty', 'price'], 'properties': {
    'id': {'type': 'string'}, 'note': {'type': 'string'}, 'qty': {'type': 'integer'}, 'price': {'type': 'number'},
    'items': {'type': 'array', 'items': {'type': 'string'}}}}
PROTOBUF = ('syntax = "proto3"; package shop; message Order { string id = 1; string note = 2; int32 qty = 3; '
            'double price = 4; repeated string items = 5; }')


def orders():
    """Sixty-four of about 1 KiB."""
    return [{'id': f'order-{n:05d}', 'note': ' '.join(f'word{n * i % 997}' for i in range(90)), 'qty': n + 1,
             'price': n * 1.25, 'items': [f'item {n * i % 89} of the shop' for i in range(12)]} for n in range(64)]


def varint(n):
    out = bytearray()
    while n > 0x7f:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def avro(order):
    def text(s):
        return varint(2 * len(s)) + s.encode()
    return (text(order['id']) + text(order['note']) + varint(2 * order['qty']) + struct.pack('<d', order['price'])
            + varint(2 * len(order['items'])) + b''.join(text(i) for i in order['items']) + b'\0')


def protobuf(order):
    def field(number, s):
        return bytes([number << 3 | 2]) + varint(len(s)) + s.encode()
    return (b'\0' + field(1, order['id']) + field(2, order['note']) + b'\x18' + varint(order['qty']) + b'\x21'
            + struct.pack('<d', order['price']) + b''.join(field(5, i) for i in order['items']))


def plain_json(order):
    return json.dumps(order).encode()


FORMATS = {'avro': ('AVRO', json.dumps(AVRO), avro), 'protobuf': ('PROTOBUF', PROTOBUF, protobuf),
           'json': ('JSON', json.dumps(JSON), plain_json)}
NAMES = list(FORMATS)
CODECS = ('none', 'lz4')
CONNECTIONS = 64  # enough that the disk is the limit, if anything but the CPU can be
ROUNDS = 3  # of each repetition, so much shorter: what disturbs for long disturbs all levels


def register(http, subject, kind, schema, rules=None):
    body = json.dumps({'schemaType': kind, 'schema': schema, 'ruleSet': {'domainRules': rules or RULES}}).encode()
    request = urllib.request.Request(f'http://127.0.0.1:{http}/subjects/{subject}/versions', body,
                                     {'Content-Type': 'application/vnd.schemaregistry.v1+json'})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)['id']


def spoiled(count, bad):
    """So many orders, of which as many break the rules: one stands in the middle."""
    found = [dict(order) for order in (orders() * 2)[:count]]
    for i in range((count - bad) // 2, (count - bad) // 2 + bad):
        found[i]['qty'] = 0
    return found


def values_file(bench, name, schema_id, encode, values=None):
    path = os.path.join(bench.data, f'values-{name}')
    with open(path, 'wb') as f:
        for order in values or orders():
            value = b'\0' + struct.pack('>I', schema_id) + encode(order)
            f.write(struct.pack('>I', len(value)) + value)
    return path


def turn(bench, server, topic, level, values, codec, on_failure='reject', connections=16, seconds=None):
    """What one turn of a level measured."""
    config = {} if level == 'none' else {
        'topic_config': f'strom.value.validation.level={level},strom.validation.on.failure={on_failure}'}
    ns, start = server.cpu_ns_and_switches()[0], time.monotonic()
    result = bench.timed('produce', server.port, topic=topic, connections=connections, partitions=connections,
                         refused=True, batch_bytes=64 * KIB, record_bytes=1, values=values, codec=codec,
                         seconds=seconds or bench.seconds, **config)
    records = result['bytes_all'] / result['batch_bytes'] * result['batch_records']
    ns, elapsed = server.cpu_ns_and_switches()[0] - ns, time.monotonic() - start
    return {'ns': ns / records, 'rate': result['records_per_s'], 'busy': 100 * ns / 1e9 / elapsed,
            'is_calm': result['others_cpu'] <= OTHERS_CPU_MAX or bench.options.realtime}


def levels_of(bench, name):
    """--quick takes those that have a goal."""
    return [level for level in LEVELS if not bench.options.quick or level == 'none' or (name, level) in GOALS]


def level_turn(bench, name, level, codec, seconds):
    """A turn with an empty data directory of its own: what an earlier one left to merge would be this one's cost."""
    kind, schema, encode = FORMATS[name]
    folder, http = os.path.join(bench.data, 'contracts'), free_port()
    server = bench.strom(folder, f'http.listeners=127.0.0.1:{http}')
    try:
        values = values_file(bench, name, register(http, f'{name}-value', kind, schema), encode)
        return turn(bench, server, name, level, values, codec, connections=CONNECTIONS, seconds=seconds)
    finally:
        server.stop()
        shutil.rmtree(folder)


def measure(bench, name, codec):
    """{level: what each turn measured}: short turns, every other round of them backwards."""
    levels = levels_of(bench, name)
    found = {level: [] for level in levels}
    seconds = max(1, bench.seconds // ROUNDS)
    for n in range(ROUNDS * bench.repetitions):
        for level in levels if n % 2 == 0 else reversed(levels):
            found[level].append(level_turn(bench, name, level, codec, seconds))
    for level in levels:
        print(f'  {name}, {codec}, {level}: {middle(found[level], "rate"):,.0f} records/s, '
              f'{middle(found[level], "ns"):,.0f} ns per record', flush=True)
    return found


def middle(turns, what):
    return statistics.median(t[what] for t in turns)


def measure_bad(bench, name, codec):
    """{(action, bad records of a batch): what each turn measured}, clean batches in turns with the others."""
    kind, schema, encode = FORMATS[name]
    folder, http, found = os.path.join(bench.data, 'contracts'), free_port(), {}
    server = bench.strom(folder, f'http.listeners=127.0.0.1:{http}')
    try:
        for action in BAD_ACTIONS:
            schema_id = register(http, f'{name}-{action}-value', kind, schema)
        for _ in range(bench.repetitions):
            for action in BAD_ACTIONS:
                for bad in BAD_COUNTS:
                    values = values_file(bench, name, schema_id, encode, spoiled(BAD_OF, bad))
                    found.setdefault((action, bad), []).append(
                        turn(bench, server, f'{name}-{action}', 'contract', values, codec, action))
    finally:
        server.stop()
        shutil.rmtree(folder)
    return found


def bad_rows(name, codec, found):
    for action in BAD_ACTIONS:
        clean_ns, clean_rate = (middle(found[(action, 0)], what) for what in ('ns', 'rate'))
        for bad in BAD_COUNTS:
            ns, rate = (middle(found[(action, bad)], what) for what in ('ns', 'rate'))
            times, share, verdict = ns / clean_ns, rate / clean_rate, ''
            print(f'  {name}, {codec}, {action}, {bad} bad: {ns:,.0f} ns per record, {rate:,.0f} records/s', flush=True)
            if bad == BAD_OF:
                verdict = f'≥ half of the throughput: {100 * share:.0f} %, {"met" if share >= 0.5 else "missed"}'
            elif bad > 0:
                verdict = f'≤ 2 times as much: {times:.2f}, {"met" if times <= 2 else "missed"}'
            yield f'| {name}, {codec} | {action} | {BAD_COUNTS[bad]} | {rate:,.0f} | {ns:,.0f} | {verdict} |'


def peers():
    """{client: its command}, of those that are there."""
    modules = os.path.join(HERE, '../tests/clients/node_modules/@confluentinc/schemaregistry')
    program = os.path.join(HERE, '../build-interop/go/contractcost')
    found = {}
    if shutil.which('node') and os.path.isdir(modules):
        found['npm'] = ['node', os.path.join(HERE, 'contracts.mjs')]
    if os.access(program, os.X_OK):
        found['Go'] = [program]
    return found


def costs_there(bench, name):
    """{client: ns per record of serialising, without rules and with them}."""
    path, found = os.path.join(bench.data, 'peer.json'), {}
    with open(path, 'w', encoding='utf-8') as f:
        json.dump({'format': name.upper(), 'schema': FORMATS[name][1], 'rules': RULES, 'orders': orders(),
                   'broken': spoiled(1, 1)[0]}, f)
    for client, command in peers().items() if name != 'protobuf' else ():
        run = subprocess.run([*command, path], capture_output=True, text=True, timeout=300, check=False,
                             preexec_fn=lambda: bench.prepare_child(bench.cpus[1]))
        if run.returncode != 0:
            raise Failed(f'{command[-1]}: {run.stderr.strip()[-400:]}')
        found[client] = json.loads(run.stdout)
    return found


def cost_there(beside, client, here):
    """What a client's rules take, and how many times what the level takes here."""
    if client not in beside:
        return ''
    plain, rules = beside[client]['plain_ns'], beside[client]['ruled_ns'] - beside[client]['plain_ns']
    ratio = f'{rules / here:.1f} times; ' if here > 0 else ''
    return f'{rules:,.0f} ({ratio}{plain:,.0f} to encode)'


def verdict(name, level, found):
    """What is lost in rounds that no other program disturbed: the median, and from the smallest to the largest."""
    if (name, level) not in GOALS:
        return ''
    pairs = list(zip(found[level], found['none']))
    calm = [(turn, bare) for turn, bare in pairs if turn['is_calm'] and bare['is_calm']]
    lost = [100 * (1 - turn['rate'] / bare['rate']) for turn, bare in calm or pairs]
    goal, median = GOALS[(name, level)], statistics.median(lost)
    word = 'disturbed' if not calm else 'met' if median <= goal else 'missed'
    return f'≤ {goal} % of throughput: {median:.1f} % ({min(lost):.0f} to {max(lost):.0f}), {word}'


def rows(name, codec, found, beside):
    bare = middle(found['none'], 'ns')
    for level, turns in found.items():
        ns, theirs = middle(turns, 'ns'), ' | '
        if level == 'contract':
            theirs = ' | '.join(cost_there(beside, client, ns - bare) for client in ('npm', 'Go'))
        over = f'{ns - bare:+,.0f}' if level != 'none' else ''
        rate, busy = middle(turns, 'rate'), middle(turns, 'busy')
        yield (f'| {name}, {codec} | {level} | {rate:,.0f} | {busy:.0f} % | {ns:,.0f} | {over} | {theirs} | '
               f'{verdict(name, level, found)} |')


# ---- what others wait for

def probe(port, is_over):
    """Milliseconds that each small request of another connection took, one after the other."""
    found = []
    with socket.create_connection(('127.0.0.1', port), 30) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not is_over():
            start = time.monotonic()
            api_versions(s)
            found.append(1000 * (time.monotonic() - start))
            time.sleep(0.0005)
    return sorted(found)


def delays_under(bench, server, **load):
    """The same while one connection sends 8 MiB batches; and what that connection got through."""
    result = {}
    worker = threading.Thread(target=lambda: result.update(
        bench.timed('produce', server.port, connections=1, partitions=1, batch_bytes=8 * MIB, record_bytes=1, **load)))
    worker.start()
    found = probe(server.port, lambda: not worker.is_alive())
    worker.join()
    if 'bytes_all' not in result:
        raise Failed('the load of 8 MiB batches failed')
    return found, result['bytes_all'] / MIB / (bench.seconds + bench.warmup)


def delay_rows(bench, wanted):
    folder, http = os.path.join(bench.data, 'delays'), free_port()
    server = bench.strom(folder, f'http.listeners=127.0.0.1:{http}', 'num.network.threads=1',
                         f'message.max.bytes={16 * MIB}', f'strom.first.request.max.bytes={32 * MIB}')
    try:
        until = time.monotonic() + bench.seconds
        found = [('nothing else', probe(server.port, lambda: time.monotonic() > until), 0)]
        for name in (n for n in NAMES if wanted(n)):
            kind, schema, encode = FORMATS[name]
            values = values_file(bench, name, register(http, f'heavy-{name}-value', kind, schema, HEAVY), encode)
            for codec in ('none', 'zstd'):
                for topic, config in ((f'free-{name}-{codec}', {}),
                                      (f'heavy-{name}', {'topic_config': 'strom.value.validation.level=contract'})):
                    title = f'{name}, {codec}, {"heavy contract" if config else "no contract"}'
                    load = {'topic': topic, 'values': values, 'codec': codec, **config}
                    found.append((title, *delays_under(bench, server, **load)))
            for codec in ('gzip', 'lz4', 'zstd'):
                load = {'topic': f'{codec}-{name}', 'values': values, 'topic_config': f'compression.type={codec}'}
                found.append((f'{name}, none, no contract, stored as {codec}', *delays_under(bench, server, **load)))
    finally:
        server.stop()
        shutil.rmtree(folder)
    for title, took, rate in found:
        p50, p99, most = took[len(took) // 2], took[len(took) * 99 // 100], took[-1]
        print(f'  delay beside {title}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, at most {most:.2f} ms', flush=True)
        yield f'| {title} | {rate:,.0f} | {len(took):,} | {p50:.2f} | {p99:.2f} | {most:.2f} |'


def delay_section(bench, wanted):
    return ['', f'One loop; one connection sends 8 MiB batches of such records, under a contract of {len(HEAVY)} rules '
            'with regular expressions, and another one small requests (ApiVersions): ms that each of them took.', '',
            '| beside | MiB/s | requests | p50 | p99 | most |', '|---|---:|---:|---:|---:|---:|',
            *delay_rows(bench, wanted)]


def section(bench, wanted, about):
    lines = [HEADING, '', *about, '',
             f'Records of about 1 KiB in batches of 64 KiB, {CONNECTIONS} connections, acks=all, each synced; two '
             'CEL rules. Each turn has an empty data directory; medians of the turns. Throughput is compared '
             'within a round, which has a turn of each level. *Busy* is the broker, of its one CPU: near 100 % '
             'the CPU was the limit, not the disk. CPU time is of the whole broker for each record, everything it '
             'does in it. Beside it, what the same rules take in npm @confluentinc/schemaregistry and in '
             'confluent-kafka-go, for each record that is serialised, and how many times that is what the '
             'contract (its structure, too) takes here.', '',
             '| records | level | records/s | busy | CPU, ns per record | over none | npm, ns | Go, ns | goal |',
             '|---|---|---:|---:|---:|---:|---:|---:|---|']
    for name in NAMES:
        if wanted(name):
            beside = costs_there(bench, name)
            for codec in CODECS:
                lines += rows(name, codec, measure(bench, name, codec), beside)
    lines += ['', 'The same with records that break a rule, of 16 connections, in turns on one broker; the topic '
              'refuses their batch, or sets them aside.', '',
              '| records | on failure | bad | records/s | CPU, ns per record | goal |', '|---|---|---|---:|---:|---|']
    for name in NAMES:
        if wanted(name) and (name == NAMES[0] or bench.options.only or not bench.options.quick):
            for codec in CODECS:
                lines += bad_rows(name, codec, measure_bad(bench, name, codec))
    lines += delay_section(bench, wanted)
    missing = [client for client in ('npm', 'Go') if client not in peers()]
    if missing:
        lines += ['', f'- {" and ".join(missing)}: not here (`./dev setup` and `./dev interop` bring them)']
    return '\n'.join(lines) + '\n'
