#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""aiokafka 0.14: an idempotent producer and an assigned consumer with every codec."""
import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from scenario import BOOTSTRAP, CODECS, PARTITIONS, RECORDS, Suite, compare, equal, fresh_topic, records


async def create(topic):
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    finally:
        await admin.close()


async def produce(topic, codec):
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, enable_idempotence=True, linger_ms=20,
                                compression_type=None if codec == 'none' else codec)
    await producer.start()
    try:
        futures = [await producer.send(topic, value=r.value, key=r.key, partition=r.partition, headers=r.headers,
                                       timestamp_ms=r.timestamp_ms) for r in records()]
        await producer.flush()
        return [await future for future in futures]
    finally:
        await producer.stop()


async def fetch(topic):
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=None, check_crcs=True)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, p) for p in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        got, count = {p: [] for p in range(PARTITIONS)}, 0
        while count < RECORDS:
            for message in [m for batch in (await consumer.getmany(timeout_ms=5000)).values() for m in batch]:
                same = (message.key, message.value, tuple(message.headers), message.timestamp)
                got[message.partition].append((message.offset, same))
                count += 1
        equal('end offsets', sorted((await consumer.end_offsets(got_partitions(topic))).values()), [100, 100, 100])
        return got
    finally:
        await consumer.stop()


def got_partitions(topic):
    return [TopicPartition(topic, p) for p in range(PARTITIONS)]


async def codec(name):
    topic = fresh_topic('aiokafka-' + name)
    await create(topic)
    await produce(topic, name)
    compare(await fetch(topic))


def main():
    suite = Suite('aiokafka')
    for name in CODECS:
        suite.run('codec_' + name, lambda name=name: asyncio.run(asyncio.wait_for(codec(name), 60)))
    suite.end()


if __name__ == '__main__':
    main()
