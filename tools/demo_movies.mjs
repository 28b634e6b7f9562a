// SPDX-License-Identifier: Apache-2.0
// demo_movies.mjs - lines of standard input are sent as they are by kafkajs, an ordinary client that knows no contract.
//
// node demo_movies.mjs BOOTSTRAP TOPIC; prints one JSON object: {acknowledged}.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(new URL('../tests/clients/package.json', import.meta.url))
const { Kafka, logLevel } = require('kafkajs')

const [bootstrap, topic] = process.argv.slice(2)
const BATCH = 500

const messages = []
for await (const line of createInterface({ input: process.stdin })) messages.push({ value: line })
const kafka = new Kafka({ brokers: [bootstrap], clientId: 'archive-node', logLevel: logLevel.NOTHING })
const producer = kafka.producer()
await producer.connect()
let acknowledged = 0
for (let i = 0; i < messages.length; i += BATCH) {
  const some = messages.slice(i, i + BATCH)
  await producer.send({ topic, messages: some })
  acknowledged += some.length
}
await producer.disconnect()
console.log(JSON.stringify({ acknowledged }))
