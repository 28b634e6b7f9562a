// SPDX-License-Identifier: Apache-2.0
// demo_registry.mjs - the part of the demo that is somebody else's code: JSON records from standard input are written
// with the Avro serializer of @confluentinc/schemaregistry and kafkajs, and read back with its deserializer.
//
// Then one that the contract of the topic refuses.
//
// node demo_registry.mjs BOOTSTRAP REGISTRY TOPIC; prints one JSON object:
// {records, json_bytes, avro_bytes, same, refused}.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'

const require = createRequire(new URL('../tests/clients/package.json', import.meta.url))
const { Kafka, logLevel } = require('kafkajs')
const { SchemaRegistryClient, AvroSerializer, AvroDeserializer, SerdeType } = require('@confluentinc/schemaregistry')

const [bootstrap, registry, topic] = process.argv.slice(2)
const PARTITIONS = 1
const BATCH = 500

// A field that may be absent in JSON is null in Avro.
function withoutNulls (value) {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null).map(([k, v]) => [k, withoutNulls(v)]))
}

async function produce (kafka, values) {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }] })
  await admin.disconnect()
  const client = new SchemaRegistryClient({ baseURLs: [registry] })
  const serializer = new AvroSerializer(client, SerdeType.VALUE, { useLatestVersion: true, autoRegisterSchemas: false })
  const messages = []
  for (const value of values) messages.push({ value: await serializer.serialize(topic, value) })
  const producer = kafka.producer()
  await producer.connect()
  for (let i = 0; i < messages.length; i += BATCH) {
    await producer.send({ topic, messages: messages.slice(i, i + BATCH) })
  }
  await producer.disconnect()
  return messages.reduce((sum, message) => sum + message.value.length, 0)
}

async function consume (kafka, count) {
  // A client of its own: it knows no schema yet, and asks for the one whose id is in each record.
  const client = new SchemaRegistryClient({ baseURLs: [registry] })
  const deserializer = new AvroDeserializer(client, SerdeType.VALUE, {})
  const consumer = kafka.consumer({ groupId: `${topic}-readers` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values = []
  await new Promise((resolve, reject) => {
    consumer.run({
      eachMessage: async ({ message }) => {
        try {
          values.push(await deserializer.deserialize(topic, message.value))
          if (values.length === count) resolve()
        } catch (e) {
          reject(e)
        }
      }
    }).catch(reject)
  })
  await consumer.disconnect()
  return values
}

const sent = []
let jsonBytes = 0
for await (const line of createInterface({ input: process.stdin })) {
  sent.push(JSON.parse(line))
  jsonBytes += Buffer.byteLength(line)
}
const kafka = new Kafka({ brokers: [bootstrap], clientId: 'demo', logLevel: logLevel.NOTHING })
const refused = async value => produce(kafka, [value]).then(() => null, e => e.message)
const plain = values => values.map(value => JSON.stringify(withoutNulls(value)))
const avroBytes = await produce(kafka, sent)
const got = await consume(kafka, sent.length)
console.log(JSON.stringify({
  records: got.length,
  json_bytes: jsonBytes,
  avro_bytes: avroBytes,
  same: isDeepStrictEqual(plain(got), plain(sent)),
  refused: await refused({ ...sent[0], properties: { ...sent[0].properties, mag: 12 } })
}))
process.exit(0)
