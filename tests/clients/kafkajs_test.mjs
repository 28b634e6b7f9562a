// SPDX-License-Identifier: Apache-2.0
// kafkajs 2.2.4 (old versions of every API): the common scenarios. Its consumer needs a group, so fetches go
// through its own cluster object, which is what its consumer uses underneath.
import { createRequire } from 'node:module'
import {
  BOOTSTRAP, PARTITIONS, RECORDS, TIME_MS, check, compare, equal, expectError, freshTopic, records, runAll
} from './scenario.mjs'

const require = createRequire(import.meta.url)
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')
const LZ4 = require('@2l/kafkajs-lz4')
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = new LZ4().codec

const kafka = new Kafka({
  brokers: [BOOTSTRAP], clientId: 'kafkajs-test', logLevel: logLevel.NOTHING, retry: { retries: 3 }
})
const admin = kafka.admin()
await admin.connect()

const hidden = Object.getOwnPropertySymbols(kafka).find(s => s.description === 'private:Kafka:createCluster')
const cluster = kafka[hidden]({ allowAutoTopicCreation: false })
await cluster.connect()

async function create (topic, configEntries = [], numPartitions = PARTITIONS) {
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }] })
}

async function produce (topic, messages, compression = CompressionTypes.None, idempotent = true) {
  const producer = kafka.producer({ allowAutoTopicCreation: false, idempotent, retry: { retries: 2 } })
  await producer.connect()
  try {
    return await producer.send({
      topic, compression, acks: -1, messages: messages.map(m => ({ ...m, timestamp: String(m.timestamp) }))
    })
  } finally {
    await producer.disconnect()
  }
}

async function fetchOnce (topic, positions, options = {}) {
  await cluster.addTargetTopic(topic)
  const [[nodeId]] = Object.entries(cluster.findLeaderForPartitions(topic, Object.keys(positions).map(Number)))
  const broker = await cluster.findBroker({ nodeId })
  const partitions = Object.entries(positions).map(([partition, fetchOffset]) => ({
    partition: Number(partition), fetchOffset, maxBytes: options.partitionBytes ?? 1048576
  }))
  const response = await broker.fetch({
    maxWaitTime: options.maxWaitTime ?? 500,
    minBytes: 1,
    maxBytes: 10485760,
    isolationLevel: 1,
    topics: [{ topic, partitions }]
  })
  return response.responses[0].partitions
}

// Everything from the given positions on, until `count` records are there.
async function fetch (topic, count, partitionBytes) {
  const positions = Object.fromEntries(Array.from({ length: PARTITIONS }, (_, p) => [p, 0]))
  const got = Object.fromEntries(Object.keys(positions).map(p => [p, []]))
  for (let found = 0, tries = 0; found < count && tries < 500; tries++) {
    for (const { partition, messages } of await fetchOnce(topic, positions, { partitionBytes })) {
      for (const m of messages.filter(m => Number(m.offset) >= positions[partition])) {
        got[partition].push({
          offset: Number(m.offset), key: m.key, value: m.value, headers: m.headers, timestamp: Number(m.timestamp)
        })
        positions[partition] = Number(m.offset) + 1
        found++
      }
    }
  }
  return got
}

async function codec (type) {
  const topic = freshTopic('kafkajs')
  await create(topic)
  await produce(topic, records(), type)
  compare(await fetch(topic, RECORDS))
}

await runAll('kafkajs', {
  async topic_lifecycle () {
    const topic = freshTopic('kafkajs-life')
    await create(topic)
    equal('partitions', (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length, 3)
    equal('created again', await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] }), false)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
    equal('partitions', (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length, 5)
    await expectError(['INVALID_PARTITIONS'], () => admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] }))
    await admin.deleteTopics({ topics: [topic] })
    check(!(await admin.listTopics()).includes(topic), 'the topic is still listed')
    await expectError(['UNKNOWN_TOPIC_OR_PARTITION'], () => admin.deleteTopics({ topics: [topic] }))
  },
  async configs () {
    const topic = freshTopic('kafkajs-config')
    await create(topic, [{ name: 'retention.ms', value: '123456' }])
    const type = ConfigResourceTypes.TOPIC
    const describe = async () => {
      const { resources } = await admin.describeConfigs({ resources: [{ type, name: topic }] })
      return Object.fromEntries(resources[0].configEntries.map(entry => [entry.configName, entry.configValue]))
    }
    const alter = async (name, value, validateOnly = false) => admin.alterConfigs({
      validateOnly, resources: [{ type, name: topic, configEntries: [{ name, value }] }]
    })
    equal('retention.ms', (await describe())['retention.ms'], '123456')
    await alter('max.message.bytes', '77', true)
    check((await describe())['max.message.bytes'] !== '77', 'validateOnly changed something')
    await alter('max.message.bytes', '2000')
    equal('max.message.bytes', (await describe())['max.message.bytes'], '2000')
    await expectError(['INVALID_CONFIG'], () => alter('retention.ms', 'soon'))
  },
  async cluster () {
    const { brokers, controller } = await admin.describeCluster()
    equal('brokers', brokers.map(b => `${b.host}:${b.port}`), [BOOTSTRAP])
    equal('controller', controller, brokers[0].nodeId)
  },
  async offsets () {
    const topic = freshTopic('kafkajs-offsets')
    await create(topic)
    await produce(topic, records())
    const of = rows => rows.find(row => row.partition === 1)
    const { low, high } = of(await admin.fetchTopicOffsets(topic))
    equal('offsets', { low, high }, { low: '0', high: '100' })
    for (const [timestamp, offset] of [[0, '0'], [TIME_MS + 5, '2'], [TIME_MS + 7, '2'], [TIME_MS + 298, '99']]) {
      equal(`offset at ${timestamp}`, of(await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)).offset, offset)
    }
  },
  async delete_records () {
    const topic = freshTopic('kafkajs-trim')
    await create(topic)
    await produce(topic, records())
    await admin.fetchTopicOffsets(topic) // without it kafkajs does not know the leader
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '40' }] })
    equal('low', (await admin.fetchTopicOffsets(topic)).find(p => p.partition === 0).low, '40')
    await expectError(['OFFSET_OUT_OF_RANGE'], () => fetchOnce(topic, { 0: 39 }))
    equal('first', (await fetchOnce(topic, { 0: 40 }))[0].messages.filter(m => Number(m.offset) >= 40)[0].offset, '40')
  },
  async small_fetches () {
    const topic = freshTopic('kafkajs-small')
    await create(topic)
    for (let i = 0; i < RECORDS; i += 30) {
      await produce(topic, records().slice(i, i + 30), CompressionTypes.GZIP)
    }
    compare(await fetch(topic, RECORDS, 1000))
  },
  async unknown_topic () {
    await expectError(['UNKNOWN_TOPIC_OR_PARTITION', 'does not host this topic-partition'],
      () => produce(freshTopic('nobody-made-this'), records().slice(0, 1)))
  },
  async too_large () {
    const topic = freshTopic('kafkajs-large')
    await create(topic, [{ name: 'max.message.bytes', value: '1000' }])
    await expectError(['MESSAGE_TOO_LARGE'], () => produce(topic, [records()[150]]))
  },
  async long_poll () {
    const topic = freshTopic('kafkajs-poll')
    await create(topic)
    await fetchOnce(topic, { 0: 0 }, { maxWaitTime: 1 })
    const begin = Date.now()
    const waiting = fetchOnce(topic, { 0: 0 }, { maxWaitTime: 20000 })
    await produce(topic, records().slice(0, 1))
    equal('woken with', (await waiting)[0].messages.length, 1)
    check(Date.now() - begin < 20000, 'its wait was over') // else it was woken
  },
  codec_none: () => codec(CompressionTypes.None),
  codec_gzip: () => codec(CompressionTypes.GZIP),
  codec_snappy: () => codec(CompressionTypes.Snappy),
  codec_lz4: () => codec(CompressionTypes.LZ4)
})
