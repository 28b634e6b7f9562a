// SPDX-License-Identifier: Apache-2.0
// kafka-crab-js 5.0.0 (a recent librdkafka through Rust): produce and fetch with every codec it
// was built with (zstd is not one). It picks partitions by key and hides timestamps, so topics have one partition here
// and timestamps are not compared.
import { createRequire } from 'node:module'
import { BOOTSTRAP, check, equal, freshTopic, records, runAll } from './scenario.mjs'

const require = createRequire(import.meta.url)
const { KafkaClientConfig } = require('kafka-crab-js')
const { Kafka, logLevel } = require('kafkajs')

const admin = new Kafka({ brokers: [BOOTSTRAP], logLevel: logLevel.NOTHING }).admin()
await admin.connect()
const client = new KafkaClientConfig({
  brokers: BOOTSTRAP, clientId: 'crab-test', logLevel: 'error', brokerAddressFamily: 'v4', configuration: {}
})

async function create (topic) {
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] })
}

async function fetch (topic, offset, count) {
  const consumer = client.createConsumer({
    groupId: 'unused', enableAutoCommit: false, configuration: { 'check.crcs': 'true', 'auto.offset.reset': 'earliest' }
  })
  await consumer.subscribe([{ topic, partitionOffset: [{ partition: 0, offset: { offset } }] }])
  const got = []
  let noticed = false
  while (got.length < count) {
    let messages
    try {
      messages = await consumer.recvBatch(100, 2000)
    } catch (error) {
      // librdkafka asks for the coordinator of a group that nobody uses, and tells us the answer once.
      check(/UnsupportedVersion/.test(error.message) && !noticed, error.message)
      noticed = true
      continue
    }
    got.push(...messages)
    check(messages.length > 0, `only ${got.length} of ${count} records came`)
  }
  await consumer.disconnect()
  return got
}

async function codec (name) {
  const topic = freshTopic('crab-' + name)
  await create(topic)
  const producer = client.createProducer({
    configuration: {
      'compression.type': name, 'enable.idempotence': 'true', acks: 'all', 'message.timeout.ms': '15000'
    }
  })
  const sent = records().filter(r => r.value !== null)
  const acknowledged = await producer.send({
    topic,
    messages: sent.map(({ key, value, headers }) => ({ payload: value, headers, ...(key && { key }) }))
  })
  equal('acknowledged', acknowledged.length, sent.length)
  await producer.flush()
  const got = await fetch(topic, 0, sent.length)
  got.forEach((message, i) => {
    equal('offset', message.offset, i)
    equal(`key ${i}`, message.key ?? null, sent[i].key)
    equal(`value ${i}`, message.payload, sent[i].value)
    equal(`headers ${i}`, message.headers ?? {}, sent[i].headers)
  })
  equal('from the middle', (await fetch(topic, 100, 5))[0].offset, 100)
}

await runAll('crab', {
  codec_none: () => codec('none'),
  codec_gzip: () => codec('gzip'),
  codec_snappy: () => codec('snappy'),
  codec_lz4: () => codec('lz4')
})
