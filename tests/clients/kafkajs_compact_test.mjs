// SPDX-License-Identifier: Apache-2.0
// kafkajs 2.2.4: its consumer through the gaps of a compacted topic. It never advances past an empty batch.
import { createRequire } from 'node:module'
import { BOOTSTRAP, check, equal, freshTopic, runAll } from './scenario.mjs'

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs')
const kafka = new Kafka({ brokers: [BOOTSTRAP], clientId: 'kafkajs-compact', logLevel: logLevel.NOTHING })
const admin = kafka.admin()
await admin.connect()

// What a consumer reads from the beginning up to the record whose value is `last`.
async function readUpTo (topic, last) {
  const consumer = kafka.consumer({ groupId: freshTopic('compact-group'), maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const got = []
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`no ${last} among ${got.length} records`)), 30000).unref()
    consumer.run({
      eachMessage: async ({ message }) => {
        got.push({ offset: Number(message.offset), key: String(message.key), value: String(message.value) })
        if (String(message.value) === last) resolve()
      }
    }).catch(reject)
  })
  await consumer.disconnect()
  return got
}

await runAll('kafkajs-compact', {
  async gaps () {
    const topic = freshTopic('kafkajs-compact')
    const configEntries = Object.entries({
      'cleanup.policy': 'compact', 'segment.ms': '100', 'min.cleanable.dirty.ratio': '0.01'
    }).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }] })
    const producer = kafka.producer({ allowAutoTopicCreation: false, idempotent: true })
    await producer.connect()
    const newest = {}
    let sent = 0
    const send = async () => {
      const messages = Array.from({ length: 10 }, () => ({ key: `key-${sent % 5}`, value: `value-${sent++}` }))
      const [{ baseOffset }] = await producer.send({ topic, messages })
      messages.forEach((m, i) => { newest[m.key] = { offset: Number(baseOffset) + i, ...m } })
    }
    for (let i = 0; i < 50; i++) await send()
    let got
    const deadline = Date.now() + 25_000
    while (true) { // until the broker has compacted
      await send()
      got = await readUpTo(topic, `value-${sent - 1}`)
      if (got.length < sent - 300) break
      check(Date.now() < deadline, `still ${got.length} of ${sent} records`)
    }
    for (let i = 1; i < got.length; i++) {
      check(got[i].offset > got[i - 1].offset, `offset ${got[i].offset} after ${got[i - 1].offset}`)
    }
    equal('newest', Object.fromEntries(got.map(m => [m.key, m])), newest)
    await producer.disconnect()
  }
})
await admin.disconnect()
