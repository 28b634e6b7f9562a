# SPDX-License-Identifier: Apache-2.0
"""contract_counts.py - instructions of the broker for each record of a governed topic (`./dev bench contract-counts`).

As contracts.py measures, but counted by callgrind: whatever else the machine does, a change of some percent shows.
"""
import os
import shutil

import contracts
from instructions import Counted
from programs import Failed, free_port

HEADING = '## Instructions of a contract'
BATCHES = (300, 900)  # of the two runs whose difference counts
CLEAN = [(name, codec, level) for name in contracts.NAMES for codec in ('none', 'lz4') for level in contracts.LEVELS]
BAD = [('avro', codec, action, bad) for codec in ('none', 'lz4') for action in contracts.BAD_ACTIONS
       for bad in contracts.BAD_COUNTS]
NAMES = ['bad']


def once(bench, case, batches):
    """(instructions, records, the functions) of one run."""
    name, codec, level, *bad = case
    kind, schema, encode = contracts.FORMATS[name]
    http = free_port()
    with Counted(bench, f'http.listeners=127.0.0.1:{http}') as broker:
        schema_id = contracts.register(http, 'counted-value', kind, schema)
        orders = contracts.spoiled(contracts.BAD_OF, *bad) if bad else None
        config = {}
        if bad:
            config = {'topic_config': f'strom.value.validation.level=contract,strom.validation.on.failure={level}'}
        elif level != 'none':
            config = {'topic_config': f'strom.value.validation.level={level}'}
        load = dict(topic='counted', connections=16, partitions=16, refused=True, batch_bytes=64 * contracts.KIB,
                    record_bytes=1, codec=codec, values=contracts.values_file(bench, name, schema_id, encode, orders),
                    seconds=300, warmup=0, **config)
        size = bench.load('produce', broker.port, bytes=1, **load)['batch_bytes']
        result = bench.load('produce', broker.port, bytes=batches * size, **load)
    return broker.total, result['bytes_all'] / result['batch_bytes'] * result['batch_records'], broker.top


def counted(bench, case):
    """Instructions for each record, and where they go."""
    (few, few_records, _), (many, many_records, top) = (once(bench, case, n) for n in BATCHES)
    each = (many - few) / (many_records - few_records)
    print(f'  {", ".join(map(str, case))}: {each:,.0f} instructions per record', flush=True)
    for n, function in top[:14]:
        print(f'    {n / many_records:7,.0f} {function}')
    return each


def clean_rows(bench, wanted):
    bare = 0
    for name, codec, level in CLEAN:
        if not wanted(name):
            continue
        each = counted(bench, (name, codec, level))
        bare = each if level == 'none' else bare
        yield f'| {name}, {codec} | {level} | {each:,.0f} | {f"{each - bare:+,.0f}" if level != "none" else ""} |'


def bad_rows(bench):
    clean = 0
    for case in BAD:
        name, codec, action, bad = case
        each = counted(bench, case)
        clean = each if bad == 0 else clean
        times = f'{each / clean:.2f}' if bad > 0 else ''
        yield f'| {name}, {codec} | {action} | {contracts.BAD_COUNTS[bad]} | {each:,.0f} | {times} |'


def section(bench, wanted, about):
    if shutil.which('valgrind') is None:
        raise Failed('needs valgrind')
    os.makedirs(bench.data, exist_ok=True)
    lines = [HEADING, '', *about, '',
             'Of the whole broker, in user space, for each record of 1 KiB in batches of 64 KiB, by callgrind, which '
             'counts each byte of a large copy as one; the kernel is not in it.', '',
             '| records | level | instructions | over none |', '|---|---|---:|---:|', *clean_rows(bench, wanted)]
    if wanted('bad'):
        lines += ['', 'Under the contract, records that break a rule.', '',
                  '| records | on failure | bad | instructions | times clean |', '|---|---|---|---:|---:|',
                  *bad_rows(bench)]
    return '\n'.join(lines) + '\n'
