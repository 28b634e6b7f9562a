// SPDX-License-Identifier: Apache-2.0
// kafkajs 2.2.4: transactions of the first protocol, with old versions of every API.
import { createRequire } from 'node:module'
import { BOOTSTRAP, check, equal, expectError, freshTopic, runAll } from './scenario.mjs'

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs')

const kafka = new Kafka({
  brokers: [BOOTSTRAP],
  clientId: 'kafkajs-txn',
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, retries: 20 }
})
const admin = kafka.admin()
await admin.connect()
const PARTITIONS = 3
const FENCED = ['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'INVALID_TXN_STATE']

async function create (what) {
  const topic = freshTopic(what)
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }] })
  return topic
}

async function transactional (transactionalId) {
  const producer = kafka.producer({
    transactionalId, idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, transactionTimeout: 20000
  })
  await producer.connect()
  return producer
}

// One record in each partition.
function send (sender, topic, text) {
  const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, value: text }))
  return sender.send({ topic, messages, acks: -1 })
}

// Calls action with what partition 0 brings to a consumer of that isolation, in its own order.
async function read (topic, readUncommitted, action) {
  const consumer = kafka.consumer({ groupId: freshTopic('reader'), readUncommitted, maxWaitTimeInMs: 100 })
  const got = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ partition, message }) => { if (partition === 0) got.push(message.value.toString()) }
  })
  try {
    return await action(got)
  } finally {
    await consumer.disconnect()
  }
}

async function until (what, isTrue) {
  const deadline = Date.now() + 20000
  while (!isTrue()) {
    check(Date.now() < deadline, `${what()} after 20 s`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

function reads (topic, readUncommitted, expected) {
  return read(topic, readUncommitted, async got => {
    await until(() => `${got} instead of ${expected}`, () => got.length >= expected.length)
    equal('values', got, expected)
  })
}

// The offsets of a group, each partition's; -1: none.
async function committed (groupId, topic) {
  const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] })
  return partitions.sort((a, b) => a.partition - b.partition).map(p => Number(p.offset))
}

// Transactions one after the other, each with two records in every partition, and with the end that is its name.
async function alternate (topic, ends) {
  const producer = await transactional(topic)
  for (const [number, end] of ends.entries()) {
    const transaction = await producer.transaction()
    await send(transaction, topic, `${end}${number}-a`)
    await send(transaction, topic, `${end}${number}-b`)
    await transaction[end]()
  }
  await producer.disconnect()
}

await runAll('kafkajs-txn', {
  async commit_and_abort () {
    const topic = await create('kafkajs-txn')
    await alternate(topic, ['commit', 'abort', 'abort', 'commit', 'abort', 'commit'])
    const all = ['commit0-a', 'commit0-b', 'abort1-a', 'abort1-b', 'abort2-a', 'abort2-b', 'commit3-a', 'commit3-b',
      'abort4-a', 'abort4-b', 'commit5-a', 'commit5-b']
    await reads(topic, true, all)
    await reads(topic, false, all.filter(text => text.startsWith('commit')))
  },
  async open () {
    const topic = await create('kafkajs-open')
    const producer = await transactional(topic)
    const transaction = await producer.transaction()
    await send(transaction, topic, 'open')
    await reads(topic, true, ['open'])
    await read(topic, false, async got => {
      const plain = kafka.producer({ allowAutoTopicCreation: false })
      await plain.connect()
      await send(plain, topic, 'behind')
      await plain.disconnect()
      equal('before the commit', got, [])
      await transaction.commit()
      await until(() => got, () => got.length === 2)
      equal('after the commit', got, ['open', 'behind'])
    })
    await producer.disconnect()
  },
  async offsets () {
    const [source, sink] = [await create('kafkajs-source'), await create('kafkajs-sink')]
    const groupId = freshTopic('kafkajs-group')
    const producer = await transactional(groupId)
    for (const [end, expected] of [['abort', [-1, -1, -1]], ['commit', [7, 7, 7]]]) {
      const transaction = await producer.transaction()
      await send(transaction, sink, end)
      const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, offset: '7' }))
      await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic: source, partitions }] })
      await transaction[end]()
      equal(`offsets after ${end}`, await committed(groupId, source), expected)
    }
    await producer.disconnect()
    await reads(sink, false, ['commit'])
  },
  async zombie () {
    const topic = await create('kafkajs-zombie')
    const old = await transactional(topic)
    const opened = await old.transaction()
    await send(opened, topic, 'old')
    const next = await transactional(topic)
    const transaction = await next.transaction()
    await send(transaction, topic, 'new')
    await expectError(FENCED, () => send(opened, topic, 'zombie'))
    await expectError(FENCED, () => opened.commit())
    await transaction.commit()
    await reads(topic, false, ['new'])
    await reads(topic, true, ['old', 'new'])
    await next.disconnect()
  }
})
