# SPDX-License-Identifier: Apache-2.0
"""cel.py - the suite `cel`: what one run of a compiled expression costs, beside JavaScript's engines."""
import datetime
import json
import os
import shutil
import subprocess

HEADING = '## Expressions'

# At most this many ns.
GOALS = {'one comparison': 30, 'three terms': 80}
PER_NODE_MAX = 10
PEER_TIMES_MIN = 5

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(HERE, '../tests/clients/node_modules')
PEERS = {'bufbuild': '@bufbuild/cel', 'marcbachmann': '@marcbachmann/cel-js'}


def lines_of(*command):
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def peers(texts):
    """The fastest engine of each expression: (ns, name), or None. node looks for modules beside the script: a copy."""
    if not shutil.which('node') or not all(os.path.isdir(os.path.join(MODULES, name)) for name in PEERS.values()):
        return [None] * len(texts)
    script = os.path.join(MODULES, '../.bench-cel.mjs')
    shutil.copyfile(os.path.join(HERE, 'cel.mjs'), script)
    try:
        answers = lines_of('node', script, *texts)
    finally:
        os.unlink(script)
    known = [[(ns, PEERS[name]) for name, ns in answer.items() if ns is not None] for answer in answers]
    return [min(one) if one else None for one in known]


def row(case, peer):
    most = GOALS.get(case['name'], PER_NODE_MAX * case['nodes'])
    is_met, beside, times = case['slot_ns'] <= most, 'not installed', ''
    if peer is not None:
        ratio = peer[0] / case['slot_ns']
        beside, times = f'{peer[1]}: {peer[0]:,.0f}', f'{ratio:.0f}'
        is_met = is_met and ratio >= PEER_TIMES_MIN
    text = case['text'].replace('|', '\\|')
    return (f'| {case["name"]}: `{text}` | {case["nodes"]} | {case["slot_ns"]:,.0f} | {case["view_ns"]:,.0f} | '
            f'{beside} | {times} | ≤ {most} ns, ≥ {PEER_TIMES_MIN} times | {"met" if is_met else "missed"} |')


def section(build, command, machine):
    cases = lines_of(os.path.join(build, 'bench/cel'))
    rows = [row(case, peer) for case, peer in zip(cases, peers([case['text'] for case in cases]))]
    return '\n'.join([
        HEADING, '',
        'One compiled expression over one Avro record in the cache, run again and again. *Slots*: the values of its',
        'static paths were found while the payload was checked, as the broker does; *views*: they are looked up in the',
        'payload. Beside it the faster of JavaScript\'s two engines, over the same record as an object. The best round',
        'of each counts.', '',
        f'- Command: `{command}`', f'- Machine: {machine}',
        f'- Date: {datetime.date.today().isoformat()}; gcc -O2, asserts on', '',
        '| expression | nodes run | slots, ns | views, ns | beside, ns | times as fast | goal | |',
        '|---|---:|---:|---:|---|---:|---|---|'] + rows) + '\n'
