# SPDX-License-Identifier: Apache-2.0
"""groups.py - the stories of tests/clients/groups, played with clients that Debian and npm do not have."""
import argparse
import importlib.util
import os
import sys

import golang
import jvm
import pypi
from work import CLIENTS, HERE, Failure

FOLDER = os.path.join(CLIENTS, 'groups')
sys.path.insert(0, FOLDER)
spec = importlib.util.spec_from_file_location('clients_groups_run', os.path.join(FOLDER, 'run.py'))
group_run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(group_run)
Client = group_run.Client


def java_client():
    jvm.setup()
    # The last are for cooperative rebalances: what it delivers during one it does not commit by itself.
    churns = (('auto', 'roundrobin'), ('manual', 'range'))
    return Client('java', jvm.command('GroupMember', flags=['-Xmx96m']), churns=churns, is_cooperative=True,
                  is_static=True, rolls=('range', 'cooperative'))


def franz_client():
    golang.setup()
    return Client('franz-go', golang.program('franz', 'member'), is_cooperative=True, is_static=True,
                  rejoins='its session ends when a connection is refused')


def sarama_client():
    golang.setup()
    return Client('sarama', golang.program('sarama', 'member'), is_static=True)


# The members (and the admin script) of the older versions of the same libraries, with the newest.

def confluent_client():
    python = pypi.setup()
    return Client('confluent-2.16', [python, os.path.join(FOLDER, 'confluent_member.py')],
                  admin=[python, os.path.join(FOLDER, 'confluent_admin.py')], is_cooperative=True, is_static=True,
                  rolls=('range',))  # its sticky assignor says something of its own, which would be lost


def in_consumer_protocol(client):
    """The same in the consumer protocol (KIP-848). A static member that crashed finds its instance taken until its
    session is over: that story is not for it."""
    client.name += '-consumer'
    client.command = ['env', 'STROM_GROUP_PROTOCOL=consumer', *client.command]
    client.admin, client.is_cooperative, client.is_static, client.rolls = None, False, False, ()
    return client


def kafka_python_client():
    return Client('kafka-python-3', [pypi.setup(), os.path.join(FOLDER, 'kafka_python_member.py')])


def aiokafka_client():
    return Client('aiokafka', [pypi.setup(), os.path.join(HERE, 'aiokafka_member.py')], is_static=True,
                  fights='it does not know the error of who is fenced, and joins again')


CLIENTS_BY_NAME = {'java': java_client, 'franz-go': franz_client, 'sarama': sarama_client,
                   'confluent': confluent_client,
                   'java-consumer': lambda: in_consumer_protocol(java_client()),
                   'confluent-consumer': lambda: in_consumer_protocol(confluent_client()),
                   'kafka-python': kafka_python_client, 'aiokafka': aiokafka_client}


# Those of one batch play at the same time: they wait more than they work.
BATCHES = [['java', 'franz-go', 'sarama'], ['confluent', 'kafka-python', 'aiokafka'],
           ['java-consumer', 'confluent-consumer']]


def play(peer, names):
    """Returns whether something failed."""
    for name in names:
        if name not in CLIENTS_BY_NAME:
            raise Failure(f'no client {name} for groups; there are {" ".join(CLIENTS_BY_NAME)}')
    failed = False
    for batch in BATCHES:
        clients = [CLIENTS_BY_NAME[name]() for name in batch if not names or name in names]
        failed |= bool(clients) and play_batch(peer, clients)
    return failed


def play_batch(peer, clients):
    options = argparse.Namespace(broker=peer.options.broker, bootstrap=None, story=None)
    if not peer.options.kafka:
        return bool(group_run.run_clients(clients, options))
    broker = peer.make(group_run.SETTINGS)
    try:
        broker.start()
        options.bootstrap = broker.bootstrap
        return bool(group_run.run_clients(clients, options))
    finally:
        broker.close()
