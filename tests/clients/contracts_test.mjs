// SPDX-License-Identifier: Apache-2.0
// Topics bound to contracts, and @confluentinc/schemaregistry's serializers in front of them: Avro, JSON Schema and
// Protobuf, by id and by GUID in a header. `enableAt: SERVER` keeps the client from running the rules, so that what it
// writes may break them. kafkajs carries the records.
import { createRequire } from 'node:module'
import { BOOTSTRAP, check, equal, expectError, freshTopic, runAll } from './scenario.mjs'

const require = createRequire(import.meta.url)
const { Kafka, logLevel } = require('kafkajs')
const {
  SchemaRegistryClient, AvroSerializer, JsonSerializer, ProtobufSerializer, SerdeType, HeaderSchemaIdSerializer
} = require('@confluentinc/schemaregistry')
const { create, createFileRegistry, createMutableRegistry } = require('@bufbuild/protobuf')
const { FieldDescriptorProto_Type, FileDescriptorProtoSchema } = require('@bufbuild/protobuf/wkt')

const URL = process.env.STROM_HTTP
const kafka = new Kafka({ brokers: [BOOTSTRAP], clientId: 'contracts-test', logLevel: logLevel.NOTHING })

function client () {
  return new SchemaRegistryClient({ baseURLs: [URL], cacheCapacity: 100, cacheLatestTtlSecs: 1, maxRetries: 0 })
}

function rules (...expressions) {
  const domainRules = expressions.map((expr, n) => (
    { name: `rule${n + 1}`, kind: 'CONDITION', type: 'CEL', mode: 'WRITE', expr }))
  return { domainRules, enableAt: 'SERVER' }
}

async function bind (topic) {
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = [{ name: 'strom.value.validation.level', value: 'contract' }]
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }] })
  await admin.disconnect()
}

async function violations (topic) {
  return (await (await fetch(`${URL}/contracts/violations?topic=${topic}`)).json()).violations
}

// Serializes `good`, which must be stored, and each of `bad`, which must be refused by the rule that is named.
async function judge (topic, serializer, good, bad) {
  const producer = kafka.producer({ retry: { retries: 0 } })
  await producer.connect()
  const send = async value => {
    const headers = {}
    const bytes = await serializer.serialize(topic, value, headers)
    await producer.send({ topic, messages: [{ value: bytes, headers }] })
  }
  for (const value of good) {
    await send(value)
  }
  for (const [value, rule] of bad) {
    await expectError(['INVALID_RECORD', 'UNKNOWN'], () => send(value))
    equal('rule', (await violations(topic)).at(-1).rule, rule)
  }
  await producer.disconnect()
  const seen = await (await fetch(`${URL}/contracts/topics/${topic}`)).json()
  equal('counts', [seen.passed, seen.refused], [good.length, bad.length])
}

const ORDER = JSON.stringify({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [{ name: 'id', type: 'long' }, { name: 'amount', type: 'double' },
    { name: 'note', type: ['null', 'string'], default: null }]
})
const GOOD = { id: 1, amount: 2.5, note: 'fine' }
const BAD = [[{ id: 1, amount: 0, note: null }, 'rule1'], [{ id: -1, amount: 1, note: null }, 'rule2']]

async function avro (what, more) {
  const topic = freshTopic(what)
  await client().register(`${topic}-value`,
    { schema: ORDER, ruleSet: rules('message.amount > 0.0', 'message.id > 0') })
  await bind(topic)
  const writer = new AvroSerializer(client(), SerdeType.VALUE, { useLatestVersion: true, ...more })
  await judge(topic, writer, [GOOD], BAD)
}

await runAll('contracts-js', {
  async avro_by_id () {
    await avro('avro', {})
  },

  async avro_by_guid_in_a_header () {
    await avro('avro-header', { schemaIdSerializer: HeaderSchemaIdSerializer })
  },

  async json () {
    const topic = freshTopic('json')
    const schema = JSON.stringify({
      title: 'Order',
      type: 'object',
      properties: {
        id: { type: 'integer' }, amount: { type: 'number' }, tags: { type: 'array', items: { type: 'string' } }
      },
      required: ['id']
    })
    await client().register(`${topic}-value`,
      { schema, schemaType: 'JSON', ruleSet: rules('message.tags.all(t, t.size() > 1)') })
    await bind(topic)
    const writer = new JsonSerializer(client(), SerdeType.VALUE, { useLatestVersion: true, validate: false })
    await judge(topic, writer, [{ id: 1, amount: 1.5, tags: ['aa'] }],
      [[{ id: 'one', tags: [] }, 'strom:structure'], [{ id: 1, tags: ['aa', 'b'] }, 'rule1'],
        [{ tags: [] }, 'strom:structure']])
    check((await violations(topic))[0].path === '$.id', 'the path of a fault')
  },

  async protobuf () {
    const topic = freshTopic('proto')
    const { STRING, INT64 } = FieldDescriptorProto_Type
    const file = create(FileDescriptorProtoSchema, {
      name: `${topic}.proto`,
      package: 'shop',
      syntax: 'proto3',
      messageType: [
        { name: 'Ignored', field: [{ name: 'x', number: 1, type: STRING, label: 1 }] },
        {
          name: 'Order',
          field: [{ name: 'id', number: 1, type: INT64, label: 1 }, { name: 'note', number: 2, type: STRING, label: 1 }]
        }]
    })
    const types = createFileRegistry(file, () => undefined)
    const registered = new ProtobufSerializer(client(), SerdeType.VALUE,
      { autoRegisterSchemas: true, registry: createMutableRegistry(...types) })
    const order = types.getMessage('shop.Order')
    await registered.serialize(topic, create(order, { id: 1n }))
    const { schema, references } = await client().getLatestSchemaMetadata(`${topic}-value`)
    await client().register(`${topic}-value`,
      { schema, references, schemaType: 'PROTOBUF', ruleSet: rules('!has(message.id) || message.id > 0') })
    await bind(topic)
    const writer = new ProtobufSerializer(client(), SerdeType.VALUE,
      { useLatestVersion: true, registry: createMutableRegistry(...types) })
    await judge(topic, writer, [create(order, { id: 1n, note: 'fine' })], [[create(order, { id: -1n }), 'rule1']])
  }
})
