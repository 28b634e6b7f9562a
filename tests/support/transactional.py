# SPDX-License-Identifier: Apache-2.0
"""transactional.py - what the workers with transactions share (tests/crash/txn_worker.py, tests/history/worker.py): one
librdkafka producer with a transactional id, calls that outlive a broker that is away, and what is told of them as JSON
lines (clients/groups/process.py). A worker may be killed like the broker."""
import json
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, libversion

CALL_S = 60
# librdkafka 2.16 drops all brokers that it knows when none answers, but keeps a dropped one as the group's coordinator:
# send_offsets_to_transaction then waits for ever, past its timeout, for a connection that no thread makes any more, and
# the broker sees no TxnOffsetCommit (its issues 5511 and 5456). Versions before 2.10 do not know the setting.
RECOVERY = {'metadata.recovery.strategy': 'none'} if libversion()[1] >= 0x020a0000 else {}


def tell(event, **fields):
    print(json.dumps({'event': event, 'at': time.monotonic(), **fields}), flush=True)


class NeedsAbort(Exception):
    """The transaction can only be aborted."""


def is_rewound(error):
    """librdkafka has aborted with a batch on its way, lost the connection, and given the batch's sequence again; it was
    stored. Strom refuses it, and the producer is of no use any more (docs/kafka-differences.md)."""
    return error.fatal() and error.code() == KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER


def call(action, *arguments):
    """Calls again while the error is one that passes."""
    while True:
        try:
            return action(*arguments)
        except KafkaException as e:
            error = e.args[0]
            if error.txn_requires_abort():
                raise NeedsAbort(str(error)) from None
            if not error.retriable() or error.fatal():
                raise


class Transactional:
    """settings: bootstrap, name (the transactional id), life (how often it was started), seed."""

    def __init__(self, settings, timeout_ms):
        self.settings = settings
        self.name, self.life = settings['name'], settings['life']
        self.chance = random.Random(f'{settings["seed"]} {self.name} {self.life}')
        self.common = {'bootstrap.servers': settings['bootstrap'], 'broker.address.family': 'v4', 'log_level': 0,
                       'reconnect.backoff.ms': 10, 'reconnect.backoff.max.ms': 100, 'retry.backoff.ms': 20,
                       'topic.metadata.refresh.fast.interval.ms': 20, **RECOVERY}
        self.timeout_ms = timeout_ms
        self.producer = self.make_producer()
        self.stopping = threading.Event()

    def make_producer(self):
        return Producer({**self.common, 'transactional.id': self.name, 'linger.ms': 2,
                         'transaction.timeout.ms': self.timeout_ms, 'message.timeout.ms': self.timeout_ms})

    def make_consumer(self, group):
        return Consumer({**self.common, 'group.id': group, 'enable.auto.commit': False, 'auto.offset.reset': 'earliest',
                         'isolation.level': 'read_committed', 'session.timeout.ms': 3000,
                         'heartbeat.interval.ms': 300, 'fetch.wait.max.ms': 50})

    def start(self):
        threading.Thread(target=self._commands, daemon=True).start()
        call(self.producer.init_transactions, CALL_S)

    def _commands(self):
        sys.stdin.readline()  # a command or the end of the file: both mean the same
        self.stopping.set()

    def produce(self, topic, partition, value, **more):
        while True:
            try:
                self.producer.produce(topic, value, partition=partition, **more)
                return
            except BufferError:
                self.producer.poll(0.05)
            except KafkaException as e:
                if e.args[0].fatal():
                    raise
                raise NeedsAbort(str(e)) from None  # a batch has failed meanwhile

    def send_offsets(self, offsets, consumer):
        call(self.producer.send_offsets_to_transaction, offsets, consumer.consumer_group_metadata(), CALL_S)

    def in_transaction(self, fill):
        """Runs one. fill writes into it and says whether it is to be committed; before that commit it is told by
        committing(). Returns whether it was."""
        began = time.monotonic()
        try:
            call(self.producer.begin_transaction)
            try:
                if fill():
                    self.committing()
                    call(self.producer.commit_transaction, CALL_S)
                    return True
            except NeedsAbort as e:
                tell('notice', text=str(e))
            self.abort(began)
        except KafkaException as e:
            if not is_rewound(e.args[0]):
                raise
            tell('notice', text=str(e))
            self.renew()
        return False

    def abort(self, began):
        """librdkafka asks for the end of a transaction whose AddPartitionsToTxn has not been answered. If that was lost
        with the broker, nothing is open, the last end was a commit, and Kafka, too, answers INVALID_TXN_STATE, which is
        fatal to the producer (librdkafka's issue 4849). Then another one goes on, as an application's would. Tells
        "refused" with the time of the begin: a broker that was there since then would have no right to it."""
        try:
            call(self.producer.abort_transaction, CALL_S)
        except KafkaException as e:
            if e.args[0].code() != KafkaError.INVALID_TXN_STATE:
                raise
            tell('refused', began=began)
            self.renew()

    def renew(self):
        """Another producer goes on. To begin, it ends whatever is open."""
        self.producer = self.make_producer()
        call(self.producer.init_transactions, CALL_S)

    def committing(self):
        tell('committing')


def main(make):
    """make is called with the settings of the command line; what it gives has start and run."""
    try:
        worker = make(json.loads(sys.argv[1]))
        worker.start()
        worker.run()
    except (KafkaException, NeedsAbort) as e:
        tell('error', text=str(e))
        return 1
    tell('left')
    return 0
