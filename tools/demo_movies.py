# SPDX-License-Identifier: Apache-2.0
"""demo_movies.py - the first act: 3,201 real and dirty records under a data contract. Observe, enforce, see, mend,
replay; at the end every record that was sent is accounted for.
"""
import json
import os
import subprocess

from confluent_kafka import Producer

from demo_support import DATA, ROOT, DemoFailed, fact, good, heading, paint

TOPIC, LETTERS, PARTITIONS = 'movies', 'movies.dlq', 3
CONTRACT = 'examples/movies.contract.json'
BY_PYTHON, BY_NODE = 'confluent-kafka (Python)', 'kafkajs (Node.js)'


def movies():
    with open(os.path.join(DATA, 'movies.json'), encoding='utf-8') as f:
        return [json.dumps(movie).encode() for movie in json.load(f)]


class Sent:
    """How many records were sent, of all clients."""

    def __init__(self):
        self.count = 0


def send_python(broker, rows, sent):
    """Returns the errors that the client reported."""
    errors = []
    producer = Producer({'bootstrap.servers': broker.bootstrap, 'enable.idempotence': True, 'linger.ms': 5,
                         'client.id': 'archive-python', 'log_level': 0})
    for row in rows:
        producer.produce(TOPIC, value=row, on_delivery=lambda error, _: errors.append(error) if error else None)
        producer.poll(0)
    if producer.flush(60):
        raise DemoFailed('records without an answer')
    sent.count += len(rows) - len(errors)
    return errors


def send_node(broker, node, rows, sent):
    done = subprocess.run([node, os.path.join(ROOT, 'tools', 'demo_movies.mjs'), broker.bootstrap, TOPIC],
                          input=b'\n'.join(rows), capture_output=True, check=False, timeout=60)
    if done.returncode != 0:
        raise DemoFailed(f'demo_movies.mjs: {done.stderr.decode(errors="replace")}')
    sent.count += json.loads(done.stdout)['acknowledged']


def counted(broker, topic):
    """Records in a topic, as kcat reads them."""
    out = subprocess.run(['kcat', '-b', broker.bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f',
                          '%p\n'], capture_output=True, check=True, timeout=60)
    return len(out.stdout.splitlines())


def waiting(shell):
    (listed,) = json.loads(shell.run('dlq', 'list', '--json'))
    return listed['waiting']


def show_contract():
    with open(os.path.join(ROOT, CONTRACT), encoding='utf-8') as f:
        contract = json.load(f)
    schema = contract['value']['schemaFile']
    print(f'  the schema (examples/{schema}) says which fields there are, and their ranges; rules say more:')
    for rule in contract['value']['ruleSet']['domainRules']:
        print(f'  {paint("1;33", rule["name"]):<{28 if paint("", "") == "" else 39}} {rule["doc"]}')


def show(shell, broker, node):
    rows, sent = movies(), Sent()
    heading(f'{len(rows):,} movies of vega-datasets, and a contract for them')
    show_contract()

    heading('1  Observe: everything may enter, and the broker tells what it would refuse')
    shell.show('contract', 'apply', CONTRACT, '--yes')
    send_python(broker, rows, sent)
    fact(BY_PYTHON, f'{sent.count:,} records sent and accepted')
    shell.show('contract', 'status', TOPIC, lines=14)

    heading('2  Enforce: bad records are set aside, the good ones go on')
    shell.show('config', 'set', '--topic', TOPIC, 'strom.validation.on.failure=dlq')
    send_node(broker, node, rows, sent)
    set_aside = waiting(shell)
    fact(BY_NODE, f'{len(rows):,} records sent: {len(rows) - set_aside:,} in {TOPIC}, {set_aside} in {LETTERS}')
    shell.show('dlq', 'show', TOPIC, '--count', '2', lines=8)

    heading('3  Mend: the records, then the contract; each dead letter goes home once')
    shell.show('dlq', 'replay', TOPIC, '--set', 'Title=string(message.Title)', '--set',
               'Release Date=int(message["Release Date"].substring(7)) < 2012 ? message["Release Date"]'
               ' : message["Release Date"].replace(" 20", " 19")')
    with open(os.path.join(ROOT, CONTRACT), encoding='utf-8') as f:
        contract = json.load(f)
    contract['settings']['strom.validation.on.failure'] = 'dlq'
    rating = contract['value']['ruleSet']['domainRules'][0]
    rating['expr'] = rating['expr'].replace("'Not Rated'", "'Not Rated', 'Open'")
    contract['value']['schemaFile'] = 'examples/' + contract['value']['schemaFile']
    with open(os.path.join(shell.folder, 'mended.json'), 'w', encoding='utf-8') as f:
        json.dump(contract, f)
    print('  the contract learns that movies may be rated "Open":')
    shell.show('contract', 'apply', 'mended.json', '--yes', '--no-history')
    shell.show('dlq', 'replay', TOPIC)

    heading('4  Refuse: the producer gets an error, and the broker says why')
    shell.run('config', 'set', '--topic', TOPIC, 'strom.validation.on.failure=reject')
    bad = {**json.loads(rows[0]), 'US Gross': 146083, 'Worldwide Gross': 46083}
    errors = send_python(broker, [json.dumps(bad).encode()], sent)
    if len(errors) != 1:
        raise DemoFailed('a record that earns less in the world than in the US was accepted')
    fact(BY_PYTHON, paint('1;31', errors[0].str()))
    shell.show('contract', 'violations', TOPIC, last=1)

    heading('Everything accounted for')
    accepted, left = counted(broker, TOPIC), waiting(shell)
    fact('sent and acknowledged', f'{sent.count:,}')
    fact(f'in {TOPIC}', f'{accepted:,}')
    fact(f'waiting in {LETTERS}', f'{left}: no title, no gross, no budget; somebody has to know')
    if accepted + left != sent.count:
        raise DemoFailed('the sum is wrong')
    good('to the record')
