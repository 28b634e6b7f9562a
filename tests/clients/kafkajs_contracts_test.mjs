// SPDX-License-Identifier: Apache-2.0
// kafkajs 2.2.4 under a contract that changes under way: refusals in the middle of what an idempotent producer sends,
// dead letters, and readers that come to batches whose every record was set aside.
import { createRequire } from 'node:module'
import { BOOTSTRAP, check, equal, freshTopic, runAll } from './scenario.mjs'

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs')
const HTTP = process.env.STROM_HTTP
const kafka = new Kafka({
  brokers: [BOOTSTRAP],
  clientId: 'kafkajs-contracts',
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, retries: 20 }
})
const admin = kafka.admin()
await admin.connect()
const ROUNDS = 150

async function ask (method, path, body) {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(HTTP + path, { method, body: JSON.stringify(body), headers })
  check(answer.ok, `${method} ${path}: ${answer.status} ${answer.ok ? '' : await answer.text()}`)
}

// Values are {n, c}; a c below the limit is bad.
function setLimit (topic, limit) {
  const properties = { n: { type: 'integer' }, c: { type: 'integer', minimum: limit } }
  const schema = { type: 'object', required: ['n', 'c'], properties }
  return ask('POST', `/subjects/${topic}-value/versions`, { schemaType: 'JSON', schema: JSON.stringify(schema) })
}

async function governed (what, onFailure) {
  const topic = freshTopic(what)
  await ask('PUT', `/config/${topic}-value`, { compatibility: 'NONE' })
  await setLimit(topic, 1)
  const configEntries = [{ name: 'strom.value.validation.level', value: 'structure' },
    { name: 'strom.validation.on.failure', value: onFailure }]
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }] })
  return topic
}

const message = (n, c) => ({ partition: 0, value: JSON.stringify({ n, c }) })

async function plain () {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  return producer
}

// Reads up to a last record that is sent while the consumer waits, whatever gap lies before it; the numbers before it.
async function numbers (topic, readUncommitted = false) {
  const consumer = kafka.consumer({ groupId: freshTopic('reader'), readUncommitted, maxWaitTimeInMs: 100 })
  const got = []
  const producer = await plain()
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const rest = new Promise(resolve => consumer.on(consumer.events.FETCH, e => {
    if (e.payload.numberOfBatches === 0 || got.length > 0) resolve()
  }))
  await consumer.run({ eachMessage: async ({ message: { value } }) => { got.push(JSON.parse(value.toString()).n) } })
  try {
    await rest
    await producer.send({ topic, messages: [message(-1, 9)], acks: -1 })
    const deadline = Date.now() + 20000
    while (got[got.length - 1] !== -1) {
      check(Date.now() < deadline, `the last record does not come, after ${got.length}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  } finally {
    await consumer.disconnect()
    await producer.disconnect()
  }
  return got.filter(n => n !== -1)
}

async function exact (onFailure) {
  const topic = await governed(`js-${onFailure}`, onFailure)
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 5, allowAutoTopicCreation: false })
  await producer.connect()
  const delivered = []
  const refused = []
  const strange = []
  let isOver = false
  const changes = (async () => {
    for (let turn = 0; !isOver; turn++) {
      await setLimit(topic, 1 + turn % 3)
      await new Promise(resolve => setTimeout(resolve, 30))
    }
  })()
  for (let round = 0; round < ROUNDS; round += 5) {
    await Promise.all([0, 1, 2, 3, 4].map(async k => {
      const from = (round + k) * 4
      const each = [0, 1, 2, 3].map(i => message(from + i, i === 3 && k === 2 ? 0 : k === 4 ? 2 : 3))
      const what = each.map((_, i) => from + i)
      try {
        await producer.send({ topic, messages: each, acks: -1 })
        delivered.push(...what)
      } catch (e) {
        (e.type === 'INVALID_RECORD' || e.code === 87 ? refused : strange).push(...what)
        if (e.code !== 87 && strange.length <= 4) console.log(`# ${e.name} ${e.type} ${e.code} ${e.message}`)
      }
    }))
  }
  isOver = true
  await changes
  await producer.disconnect()
  const stored = await numbers(topic)
  const aside = onFailure === 'dlq' ? await numbers(`${topic}.dlq`) : []
  const all = [...stored, ...aside].sort((a, b) => a - b)
  equal('other errors', strange, [])
  check(delivered.length > 0, 'nothing was delivered')
  check((refused.length > 0) === (onFailure === 'reject'), `${refused.length} were refused`)
  equal('each once, and no other', all, delivered.sort((a, b) => a - b))
}

async function gaps () {
  for (const endsWithGap of [false, true]) {
    const topic = await governed('js-gaps', 'dlq')
    const producer = await plain()
    for (let k = 0; k < 12; k++) {
      const c = k % 2 === (endsWithGap ? 1 : 0) ? 0 : 1
      await producer.send({ topic, messages: Array.from({ length: 5 }, (_, n) => message(n, c)), acks: -1 })
    }
    await producer.disconnect()
    for (const readUncommitted of [false, true]) {
      equal(`records, gap at the end ${endsWithGap}`, (await numbers(topic, readUncommitted)).length, 30)
    }
  }
}

await runAll('kafkajs-contracts', {
  letters: () => exact('dlq'),
  refusals: () => exact('reject'),
  gaps
})
await admin.disconnect()
