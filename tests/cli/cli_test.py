#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cli_test.py - every command of the command line against a real broker: what it prints, its JSON, its errors and
its exit codes.

Usage: cli_test.py [--strom build/src/server/strom] [NAME...]; a NAME runs the tests that have it in theirs."""
import argparse
import os
import socket
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import contracts  # noqa: E402
import files  # noqa: E402
import groups  # noqa: E402
import guide  # noqa: E402
import live  # noqa: E402
import records  # noqa: E402
import schemas  # noqa: E402
import topics  # noqa: E402
import usage  # noqa: E402
from broker import Broker  # noqa: E402
from program import SETTINGS, Cli  # noqa: E402

SUBJECTS = [usage, topics, groups, records, live, files, schemas, contracts, guide]


class Other:
    """A broker that somebody else started: --bootstrap."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        host, port = bootstrap.rsplit(':', 1)
        self.port = int(port)
        self.address = (host, self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def alive(self):
        socket.create_connection(self.address).close()
        return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--strom', default=os.path.join(ROOT, 'build', 'src', 'server', 'strom'))
    parser.add_argument('--bootstrap', help='test against this broker instead of an own one; names the tests then')
    parser.add_argument('names', nargs='*')
    options = parser.parse_args()
    everything = [item for subject in SUBJECTS for item in vars(subject).items()]
    tests = [(name, f) for name, f in everything if name.startswith('test_') and
             (not options.names or any(n in name for n in options.names))]
    failed = []
    with Other(options.bootstrap) if options.bootstrap else Broker(options.strom, settings=SETTINGS) as broker:
        cli = Cli(os.path.abspath(options.strom), broker.bootstrap)
        for name, test in tests:
            begin = time.monotonic()
            try:
                test(cli, broker)
                print(f'ok   {name} ({time.monotonic() - begin:.2f} s)', flush=True)
            except Exception:  # pylint: disable=broad-except
                failed.append(name)
                print(f'FAIL {name}\n{traceback.format_exc()}', flush=True)
            if not broker.alive():
                print(f'the broker died\n{broker.log_tail()}')
                failed.append('broker')
                break
    print(f'{len(tests) - len(failed)} of {len(tests)} passed' + (f'; failed: {", ".join(failed)}' if failed else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
