// SPDX-License-Identifier: Apache-2.0
// @platformatic/kafka 1.35.0, or the one that STROM_PLATFORMATIC names (new versions of every API, topic ids): the
// common scenarios. Its consumer group is not used: consumer.fetch asks one broker directly.
import {
  BOOTSTRAP, PARTITIONS, RECORDS, TIME_MS, check, compare, equal, expectError, freshTopic, records, runAll
} from './scenario.mjs'

const {
  Admin, Consumer, Producer, ConfigResourceTypes, IncrementalAlterConfigOperationTypes
} = await import(process.env.STROM_PLATFORMATIC ?? '@platformatic/kafka')

const common = {
  clientId: 'platformatic-test', bootstrapBrokers: [BOOTSTRAP], retries: 1, autocreateTopics: false
}
const admin = new Admin(common)
const consumer = new Consumer({ ...common, groupId: 'unused' })

async function create (topic, configs = [], partitions = PARTITIONS) {
  return (await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs }))[0]
}

async function produce (topic, messages, compression = 'none') {
  const producer = new Producer({ ...common, idempotent: true, acks: -1, compression })
  try {
    return await producer.send({
      messages: messages.map(({ key, value, headers, timestamp, partition }) => ({
        topic, partition, headers: new Map(Object.entries(headers).map(([k, v]) => [Buffer.from(k), v])),
        timestamp: BigInt(timestamp), ...(key && { key }), ...(value && { value })
      }))
    })
  } finally {
    await producer.close()
  }
}

async function fetchOnce (topic, positions, options = {}) {
  const metadata = await admin.metadata({ topics: [topic] })
  const response = await consumer.fetch({
    node: metadata.topics.get(topic).partitions[0].leader,
    maxWaitTime: options.maxWaitTime ?? 500,
    minBytes: 1,
    topics: [{
      topicId: metadata.topics.get(topic).id,
      partitions: Object.entries(positions).map(([partition, offset]) => ({
        partition: Number(partition), currentLeaderEpoch: -1, fetchOffset: BigInt(offset), lastFetchedEpoch: -1,
        partitionMaxBytes: options.partitionBytes ?? 1048576
      }))
    }]
  })
  return response.responses.flatMap(r => r.partitions)
}

// Everything from offset 0 on, until `count` records are there.
async function fetch (topic, count, partitionBytes) {
  const positions = Object.fromEntries(Array.from({ length: PARTITIONS }, (_, p) => [p, 0]))
  const got = Object.fromEntries(Object.keys(positions).map(p => [p, []]))
  for (let found = 0, tries = 0; found < count && tries < 500; tries++) {
    const answered = await fetchOnce(topic, positions, { partitionBytes })
    for (const { partitionIndex: partition, records: batches } of answered) {
      for (const batch of batches ?? []) {
        for (const r of batch.records) {
          const offset = Number(batch.firstOffset) + r.offsetDelta
          if (offset >= positions[partition]) {
            got[partition].push({
              offset,
              key: r.key,
              value: r.value,
              headers: Object.fromEntries(r.headers.map(([k, v]) => [k.toString(), v])),
              timestamp: Number(batch.firstTimestamp + r.timestampDelta)
            })
            positions[partition] = offset + 1
            found++
          }
        }
      }
    }
  }
  return got
}

async function codec (name) {
  const topic = freshTopic('platformatic')
  await create(topic)
  await produce(topic, records(), name)
  compare(await fetch(topic, RECORDS))
}

await runAll(process.env.STROM_PLATFORMATIC ? 'platformatic-2' : 'platformatic', {
  async topic_lifecycle () {
    const topic = freshTopic('platformatic-life')
    const created = await create(topic)
    equal('partitions', created.partitions, 3)
    const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
    equal('topic id', metadata.topics.get(topic).id, created.id)
    await expectError(['TOPIC_ALREADY_EXISTS'], () => create(topic))
    await admin.createPartitions({ topics: [{ name: topic, count: 5, assignments: null }] })
    const grown = await admin.metadata({ topics: [topic], forceUpdate: true })
    equal('partitions', grown.topics.get(topic).partitionsCount, 5)
    await admin.deleteTopics({ topics: [topic] })
    check(!(await admin.listTopics()).includes(topic), 'the topic is still listed')
    await expectError(['UNKNOWN_TOPIC_OR_PARTITION'], () => admin.deleteTopics({ topics: [topic] }))
    const again = await create(topic)
    check(again.id !== created.id, 'a topic made again has a new id')
  },
  async configs () {
    const topic = freshTopic('platformatic-config')
    await create(topic, [{ name: 'retention.ms', value: '123456' }])
    const resourceType = ConfigResourceTypes.TOPIC
    const describe = async () => {
      const [described] = await admin.describeConfigs({
        resources: [{ resourceType, resourceName: topic }], includeSynonyms: true, includeDocumentation: true
      })
      return Object.fromEntries(described.configs.map(config => [config.name, config.value]))
    }
    equal('retention.ms', (await describe())['retention.ms'], '123456')
    await admin.incrementalAlterConfigs({
      resources: [{
        resourceType,
        resourceName: topic,
        configs: [{
          name: 'max.message.bytes', configOperation: IncrementalAlterConfigOperationTypes.SET, value: '2000'
        }]
      }]
    })
    const after = await describe()
    equal('max.message.bytes', after['max.message.bytes'], '2000')
    equal('retention.ms stays', after['retention.ms'], '123456')
  },
  async offsets () {
    const topic = freshTopic('platformatic-offsets')
    await create(topic)
    await produce(topic, records())
    const offsetAt = async timestamp => {
      const partitions = [{ partitionIndex: 1, timestamp }]
      const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
      return Number(listed.partitions[0].offset)
    }
    const rows = [[-2n, 0], [-1n, 100], [0n, 0], [BigInt(TIME_MS + 5), 2], [BigInt(TIME_MS + 7), 2],
      [BigInt(TIME_MS + 298), 99], [BigInt(TIME_MS + 299), -1], [-3n, 99]]
    for (const [timestamp, offset] of rows) {
      equal(`offset at ${timestamp}`, await offsetAt(timestamp), offset)
    }
  },
  async delete_records () {
    const topic = freshTopic('platformatic-trim')
    await create(topic)
    await produce(topic, records())
    const partitions = [{ partition: 0, offset: 40n }]
    const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions }] })
    equal('low watermark', deleted.partitions[0].lowWatermark, 40n)
    await expectError(['OFFSET_OUT_OF_RANGE'], () => fetchOnce(topic, { 0: 39 }))
    const [part] = await fetchOnce(topic, { 0: 40 })
    equal('log start', part.logStartOffset, 40n)
  },
  async small_fetches () {
    const topic = freshTopic('platformatic-small')
    await create(topic)
    for (let i = 0; i < RECORDS; i += 30) {
      await produce(topic, records().slice(i, i + 30), 'lz4')
    }
    compare(await fetch(topic, RECORDS, 1000))
  },
  async unknown_topic () {
    const topics = [freshTopic('nobody-made-this')]
    await expectError(['UNKNOWN_TOPIC_OR_PARTITION', 'Unknown topic'], () => admin.metadata({ topics }))
    const nodeId = [...(await admin.metadata({ topics: [] })).brokers.keys()][0]
    const nobody = {
      partition: 0, currentLeaderEpoch: -1, fetchOffset: 0n, lastFetchedEpoch: -1, partitionMaxBytes: 1000
    }
    await expectError(['UNKNOWN_TOPIC_ID'], () => consumer.fetch({
      node: nodeId,
      maxWaitTime: 1,
      minBytes: 1,
      topics: [{ topicId: '01234567-89ab-4def-8123-456789abcdef', partitions: [nobody] }]
    }))
  },
  async too_large () {
    const topic = freshTopic('platformatic-large')
    await create(topic, [{ name: 'max.message.bytes', value: '1000' }])
    await expectError(['MESSAGE_TOO_LARGE'], () => produce(topic, [records()[150]]))
  },
  codec_none: () => codec('none'),
  codec_gzip: () => codec('gzip'),
  codec_snappy: () => codec('snappy'),
  codec_lz4: () => codec('lz4'),
  codec_zstd: () => codec('zstd')
})
