# SPDX-License-Identifier: Apache-2.0
"""formats.py - the suite `formats`: what checking one payload costs, beside what decoding it costs others."""
import datetime
import json
import os
import subprocess

HEADING = '## Payloads checked'

# Per name: at most this many ns per byte, and at least so many times as fast as the peer.
GOALS = {'Avro': (0.75, 12)}


def measure(build):
    run = subprocess.run([os.path.join(build, 'bench/formats')], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


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
