// SPDX-License-Identifier: Apache-2.0
// @platformatic/kafka 1.35.0, or the one that STROM_PLATFORMATIC names: transactions with new versions of every API.
// It leaves out markers but not what was aborted, so the lists of aborted transactions are applied here.
import { isDeepStrictEqual } from 'node:util'
import { BOOTSTRAP, equal, expectError, freshTopic, runAll } from './scenario.mjs'

const { Admin, Consumer, Producer } = await import(process.env.STROM_PLATFORMATIC ?? '@platformatic/kafka')

const PARTITIONS = 2
const TRANSACTIONAL = 16
const CONTROL = 32
const common = { clientId: 'platformatic-txn', bootstrapBrokers: [BOOTSTRAP], retries: 1, autocreateTopics: false }
const admin = new Admin(common)

async function create (what) {
  const topic = freshTopic(what)
  await admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: 1 })
  return topic
}

function transactional (transactionalId) {
  return new Producer({ ...common, idempotent: true, acks: -1, transactionalId })
}

// One record in each partition.
function send (sender, topic, text) {
  const value = Buffer.from(text)
  const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition, value }))
  return sender.send({ messages })
}

// Kafka answers the commit before its markers are written.
async function becomes (what, ask, expected) {
  const deadline = Date.now() + 5000
  let got
  do {
    got = await ask()
  } while (!isDeepStrictEqual(got, expected) && Date.now() < deadline)
  equal(what, got, expected)
}

// The values of partition 0 as a consumer of that isolation level (0 or 1) has to see them.
async function read (topic, isolationLevel) {
  const consumer = new Consumer({ ...common, groupId: freshTopic('reader') })
  const metadata = await admin.metadata({ topics: [topic] })
  const partition = {
    partition: 0, currentLeaderEpoch: -1, fetchOffset: 0n, lastFetchedEpoch: -1, partitionMaxBytes: 1048576
  }
  const { responses } = await consumer.fetch({
    node: metadata.topics.get(topic).partitions[0].leader,
    maxWaitTime: 100,
    minBytes: 1,
    isolationLevel,
    topics: [{ topicId: metadata.topics.get(topic).id, partitions: [partition] }]
  })
  await consumer.close()
  const [{ records, abortedTransactions }] = responses[0].partitions
  return valuesOf(records ?? [], [...(abortedTransactions ?? [])])
}

// KIP-98: what is aborted begins at the first offset in the list and ends at its producer's next marker.
function valuesOf (batches, aborted) {
  const values = []
  const skipped = new Set()
  for (const batch of batches) {
    while (aborted.length > 0 && aborted[0].firstOffset < batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n) {
      skipped.add(aborted.shift().producerId)
    }
    if (batch.attributes & CONTROL) {
      skipped.delete(batch.producerId)
    } else if (!(batch.attributes & TRANSACTIONAL && skipped.has(batch.producerId))) {
      values.push(...batch.records.map(r => r.value.toString()))
    }
  }
  return values
}

await runAll(process.env.STROM_PLATFORMATIC ? 'platformatic-2-txn' : 'platformatic-txn', {
  async commit_and_abort () {
    const topic = await create('platformatic-txn')
    const producer = transactional(topic)
    const all = []
    for (const [number, end] of ['commit', 'abort', 'abort', 'commit', 'abort', 'commit'].entries()) {
      const transaction = await producer.beginTransaction()
      await send(transaction, topic, end + number)
      equal('while it is open', await read(topic, 1), all.filter(text => text.startsWith('commit')))
      await transaction[end]()
      all.push(end + number)
      await becomes('read_committed', () => read(topic, 1), all.filter(text => text.startsWith('commit')))
      equal('read_uncommitted', await read(topic, 0), all)
    }
    await producer.close()
  },
  async offsets () {
    const [source, sink] = [await create('platformatic-source'), await create('platformatic-sink')]
    const plain = new Producer({ ...common, acks: -1 })
    await send(plain, source, 'in')
    await plain.close()
    const consumer = new Consumer({ ...common, groupId: sink, autocommit: false, maxWaitTime: 100 })
    const stream = await consumer.consume({ topics: [source], mode: 'earliest', autocommit: false })
    const taken = []
    for await (const message of stream) {
      taken.push(message)
      if (taken.length === PARTITIONS) break
    }
    const producer = transactional(sink)
    const topics = [{ topic: source, partitions: [0, 1] }]
    for (const [end, expected] of [['abort', [-1n, -1n]], ['commit', [1n, 1n]]]) {
      const transaction = await producer.beginTransaction()
      await transaction.addConsumer(consumer)
      await send(transaction, sink, end)
      for (const message of taken) await transaction.addOffset(message)
      await transaction[end]()
      const committed = async () => (await consumer.listCommittedOffsets({ topics })).get(source)
      await becomes(`offsets after ${end}`, committed, expected)
    }
    await becomes('output', () => read(sink, 1), ['commit'])
    await producer.close()
    await consumer.close(true)
  },
  // It asks for producer id 0 where it should ask for none, so a second producer with the id looks like a zombie.
  async zombie () {
    const topic = await create('platformatic-zombie')
    const [first, second] = [transactional(topic), transactional(topic)]
    const transaction = await first.beginTransaction()
    await send(transaction, topic, 'first')
    await expectError(['PRODUCER_FENCED'], () => second.beginTransaction())
    await transaction.commit()
    await becomes('read_committed', () => read(topic, 1), ['first'])
    await first.close()
  }
})
