# SPDX-License-Identifier: Apache-2.0
"""schemas_topic.py - `_schemas` as Apache Kafka's console consumer prints it, imported into a second broker: what that
one's registry answers then is what the first one's does."""
import json
import os
import urllib.parse
import urllib.request

import jvm
from work import WORK, check, run_ok

SECONDS = 60


def ask(broker, path):
    with urllib.request.urlopen(broker.http + path, timeout=SECONDS) as response:
        return json.load(response)


def everything(broker):
    """Every version of every subject, but for times; contexts; the configs of subjects."""
    versions = ask(broker, '/schemas?subjectPrefix=:*:&deleted=true&limit=100000')
    subjects = sorted({version['subject'] for version in versions})
    return ([{k: v for k, v in version.items() if k != 'ts'} for version in versions], ask(broker, '/contexts'),
            [ask(broker, f'/config/{urllib.parse.quote(subject, safe="")}?defaultToGlobal=true')
             for subject in subjects])


def printed(broker):
    runner = jvm.ToolRunner()
    try:
        code, out = runner.wait(runner.start('kafka-console-consumer', [
            '--bootstrap-server', broker.bootstrap, '--topic', '_schemas', '--partition', '0', '--offset', 'earliest',
            '--timeout-ms', '2000', '--formatter-property', 'print.key=true'], ''))
    finally:
        runner.close()
    check(code in (0, 1), f'the console consumer ended with {code}: {out[-500:]}')
    lines = [line for line in out.splitlines() if line.startswith('{"keytype"')]
    check(len(lines) > 10, f'the console consumer printed {out[-500:]}')
    return ''.join(line + '\n' for line in lines)


def play(peer, broker):
    """Prints its line; raises Failure."""
    path = os.path.join(WORK, 'schemas.txt')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(printed(broker))
    with peer.make() as second:
        run_ok([peer.options.broker, 'schema', 'import', '--from-file', path, '--registry', second.http])
        before, after = everything(broker), everything(second)
        check(before == after, f'imported: {after}, of {before}'[:2000])
    print(f'ok schemas-topic console consumer and import: {len(before[0])} versions', flush=True)
