# SPDX-License-Identifier: Apache-2.0
"""formats.py - the suite `formats`: what checking one payload costs, beside what decoding it costs others."""
import datetime
import json
import os
import shutil
import subprocess

HEADING = '## Payloads checked'

# Per name: at most this many ns per byte, and at least so many times as fast as the peer.
GOALS = {'Avro': (0.75, 12), 'JSON Schema': (4, 4)}

HERE = os.path.dirname(os.path.abspath(__file__))


def lines_of(*command):
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def json_schema(build):
    """Each file of json_schema/, beside ajv if node and it are there (./dev setup)."""
    folder = os.path.join(HERE, 'json_schema')
    files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    ours = lines_of(os.path.join(build, 'bench/json_schema'), *files)
    has_ajv = shutil.which('node') and os.path.isdir(os.path.join(HERE, '../tests/clients/node_modules/ajv'))
    ajv = lines_of('node', os.path.join(HERE, 'json_schema.mjs'), *files) if has_ajv else [None] * len(files)
    return [{'name': f'JSON Schema, {os.path.basename(a["file"])[:-5]}', 'bytes': a['bytes'], 'check_ns': a['ns'],
             'peer': b and 'JSON.parse and ajv', 'peer_ns': b and b['ns']} for a, b in zip(ours, ajv)]


def measure(build):
    return lines_of(os.path.join(build, 'bench/formats')) + json_schema(build)


def row(case):
    per_byte = case['check_ns'] / case['bytes']
    most_per_byte, least_ratio = GOALS[case['name'].split(',')[0]]
    verdict, peer, ratio = per_byte <= most_per_byte, 'not installed', ''
    if case['peer'] is not None:
        times = case['peer_ns'] / case['check_ns']
        peer, ratio = f'{case["peer"]}: {case["peer_ns"]:,.0f}', f'{times:.1f}'
        verdict = verdict and times >= least_ratio
    return (f'| {case["name"]} | {case["bytes"]} | {case["check_ns"]:,.0f} | {per_byte:.2f} | {peer} | {ratio} | '
            f'≤ {most_per_byte} ns per byte, ≥ {least_ratio} times | {"met" if verdict else "missed"} |')


def section(build, command, machine):
    lines = [HEADING, '',
             'One payload in the cache, checked again and again: bounds, ranges, UTF-8, nothing allocated. Beside it,',
             'in turns of the same run, a library of the format decodes it into its generic value. The best round of',
             'each counts.', '',
             f'- Command: `{command}`', f'- Machine: {machine}',
             f'- Date: {datetime.date.today().isoformat()}; gcc -O2, asserts on', '',
             '| payload | bytes | check, ns | per byte | beside, ns | times as fast | goal | |',
             '|---|---:|---:|---:|---|---:|---|---|']
    return '\n'.join(lines + [row(case) for case in measure(build)]) + '\n'
