// SPDX-License-Identifier: Apache-2.0
// @confluentinc/schemaregistry 1.10.1: its client and its Avro, JSON and Protobuf serdes; kafkajs carries the records.
import { createRequire } from 'node:module'
import { BOOTSTRAP, check, equal, freshTopic, runAll } from './scenario.mjs'

const require = createRequire(import.meta.url)
const { Kafka, logLevel } = require('kafkajs')
const {
  SchemaRegistryClient, AvroSerializer, AvroDeserializer, JsonSerializer, JsonDeserializer, ProtobufSerializer,
  ProtobufDeserializer, SerdeType
} = require('@confluentinc/schemaregistry')
const { create, createFileRegistry, createMutableRegistry } = require('@bufbuild/protobuf')
const { FieldDescriptorProto_Type, FileDescriptorProtoSchema } = require('@bufbuild/protobuf/wkt')

const URL = process.env.STROM_HTTP
const kafka = new Kafka({ brokers: [BOOTSTRAP], clientId: 'registry-test', logLevel: logLevel.NOTHING })

// A client of its own each time: what it remembers would hide what the registry answers.
function client () {
  return new SchemaRegistryClient({ baseURLs: [URL], cacheCapacity: 100, cacheLatestTtlSecs: 1, maxRetries: 0 })
}

async function expectStatus (status, code, action) {
  let error
  try {
    await action()
  } catch (e) {
    error = e
  }
  check(error, `no error, expected ${status} ${code}`)
  equal('status and code', [error.status, error.errorCode], [status, code])
}

function record (name, fields, more = {}) {
  return JSON.stringify({ type: 'record', name, namespace: 'shop', fields, ...more })
}
const long = { name: 'id', type: 'long' }
const note = { name: 'note', type: ['null', 'string'], default: null }
const total = { name: 'total', type: 'double' }

async function roundTrip (topic, serializer, deserializer, values) {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] })
  await admin.disconnect()
  const producer = kafka.producer()
  await producer.connect()
  const messages = []
  for (const value of values) {
    messages.push({ value: await serializer.serialize(topic, value) })
  }
  await producer.send({ topic, messages })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: `${topic}-readers` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const got = []
  await new Promise((resolve, reject) => {
    consumer.run({
      eachMessage: async ({ message }) => {
        try {
          got.push(await deserializer.deserialize(topic, message.value))
          if (got.length === values.length) resolve()
        } catch (e) {
          reject(e)
        }
      }
    })
  })
  await consumer.disconnect()
  return { got, messages }
}

function protoTypes (...files) {
  const protos = files.map(f => create(FileDescriptorProtoSchema, f))
  return createFileRegistry(protos[protos.length - 1], name => protos.find(p => p.name === name))
}

await runAll('registry', {
  async register_evolve_and_look_up () {
    const subject = freshTopic('evolve')
    const r = client()
    const one = await r.registerFullResponse(subject, { schema: record('Order', [long]) })
    const two = await r.registerFullResponse(subject, { schema: record('Order', [long, note]) })
    check(two.id > one.id, `ids ${one.id}, ${two.id}`)
    equal('the first again', await client().register(subject, { schema: record('Order', [long]) }), one.id)
    equal('versions', await r.getAllVersions(subject), [1, 2])
    equal('latest', (await r.getLatestSchemaMetadata(subject)).version, 2)
    equal('by id', JSON.parse((await client().getBySubjectAndId(subject, one.id)).schema).fields.length, 1)
    equal('by guid', JSON.parse((await client().getByGuid(two.guid)).schema).fields.length, 2)
    equal('look up', await client().getVersion(subject, { schema: record('Order', [long, note]) }), 2)
    equal('its id', await client().getId(subject, { schema: record('Order', [long, note]) }), two.id)
    check((await r.getAllSubjects()).includes(subject), 'the subject is not listed')
    await expectStatus(404, 40403, () => client().getId(subject, { schema: record('Order', [total]) }))
    await expectStatus(404, 40401, () => client().getAllVersions(freshTopic('none')))
    await expectStatus(404, 40402, () => client().getSchemaMetadata(subject, 9))
    await expectStatus(422, 42201, () => client().register(subject, { schema: '{"type":"nonsense"}' }))
  },

  async incompatible_is_refused () {
    const subject = freshTopic('incompatible')
    const r = client()
    await r.register(subject, { schema: record('Order', [long]) })
    equal('test', await r.testCompatibility(subject, 1, { schema: record('Order', [long, total]) }), false)
    equal('all', await r.testSubjectCompatibility(subject, { schema: record('Order', [long, note]) }), true)
    await expectStatus(409, 409, () => r.register(subject, { schema: record('Order', [long, total]) }))
    equal('level', await r.updateCompatibility(subject, 'NONE'), 'NONE')
    equal('as set', await client().getCompatibility(subject), 'NONE')
    await r.register(subject, { schema: record('Order', [long, total]) })
    equal('versions', await r.getAllVersions(subject), [1, 2])
    await expectStatus(422, 42203, () => r.updateCompatibility(subject, 'SIDEWAYS'))
    await expectStatus(404, 40408, () => client().getCompatibility(freshTopic('none')))
  },

  async references () {
    const base = freshTopic('address')
    const subject = freshTopic('person')
    const r = client()
    await r.register(base, { schema: record('Address', [{ name: 'street', type: 'string' }]) })
    const references = [{ name: 'shop.Address', subject: base, version: 1 }]
    const info = { schema: record('Person', [{ name: 'home', type: 'shop.Address' }]), references }
    const id = await r.register(subject, info)
    const back = await client().getBySubjectAndId(subject, id)
    equal('references', back.references, references)
    await expectStatus(422, 42206, () => r.deleteSubject(base))
    await expectStatus(422, 42201, () => client().register(freshTopic('person'), { schema: info.schema }))
    await r.deleteSubject(subject)
    await r.deleteSubject(subject, true)
    equal('now it goes', await r.deleteSubject(base), [1])
  },

  async normalize () {
    const subject = freshTopic('normal')
    const plain = record('Order', [{ name: 'id', type: 'long', doc: 'which' }])
    const odd = JSON.stringify({
      fields: [{ doc: 'which', type: { type: 'long' }, name: 'id' }], name: 'shop.Order', type: 'record'
    })
    const id = await client().register(subject, { schema: plain }, true)
    equal('the same when normalized', await client().register(subject, { schema: odd }, true), id)
    equal('found so', await client().getId(subject, { schema: odd }, true), id)
  },

  async delete_softly_and_for_good () {
    const subject = freshTopic('delete')
    const r = client()
    await r.register(subject, { schema: record('Order', [long]) })
    await r.register(subject, { schema: record('Order', [long, note]) })
    await expectStatus(404, 40407, () => client().deleteSubjectVersion(subject, 1, true))
    equal('version', await r.deleteSubjectVersion(subject, 1), 1)
    equal('left', await client().getAllVersions(subject), [2])
    await expectStatus(404, 40406, () => client().deleteSubjectVersion(subject, 1))
    equal('for good', await r.deleteSubjectVersion(subject, 1, true), 1)
    await expectStatus(404, 40405, () => client().deleteSubject(subject, true))
    equal('subject', await client().deleteSubject(subject), [2])
    await expectStatus(404, 40404, () => client().deleteSubject(subject))
    await expectStatus(404, 40401, () => client().getAllVersions(subject))
    equal('subject for good', await client().deleteSubject(subject, true), [2])
  },

  async metadata_and_rules_are_kept () {
    const subject = freshTopic('contract')
    const metadata = { properties: { owner: 'shop' }, tags: { '**.id': ['PII'] }, sensitive: ['owner'] }
    const ruleSet = {
      domainRules: [{ name: 'positive', kind: 'CONDITION', type: 'CEL', mode: 'WRITE', expr: 'message.id > 0' }]
    }
    const id = await client().register(subject, { schema: record('Order', [long]), metadata, ruleSet })
    const back = await client().getBySubjectAndId(subject, id)
    equal('metadata', back.metadata, metadata)
    equal('rule', back.ruleSet.domainRules[0].expr, 'message.id > 0')
  },

  async avro_records () {
    const topic = freshTopic('avro')
    const values = [{ id: 1, note: 'first' }, { id: 2, note: null }]
    await client().register(`${topic}-value`, { schema: record('Order', [long, note]) })
    const writer = new AvroSerializer(client(), SerdeType.VALUE, { useLatestVersion: true })
    const reader = new AvroDeserializer(client(), SerdeType.VALUE, {})
    const { got, messages } = await roundTrip(topic, writer, reader, values)
    equal('values', got.map(v => [Number(v.id), v.note]), [[1, 'first'], [2, null]])
    equal('magic byte', messages[0].value[0], 0)
  },

  async json_records () {
    const topic = freshTopic('json')
    const schema = JSON.stringify({
      $schema: 'http://json-schema.org/draft-07/schema#',
      title: 'Order',
      type: 'object',
      properties: { id: { type: 'integer' }, note: { type: 'string' } },
      required: ['id']
    })
    await client().register(`${topic}-value`, { schema, schemaType: 'JSON' })
    const conf = { useLatestVersion: true, validate: true }
    const writer = new JsonSerializer(client(), SerdeType.VALUE, conf)
    const reader = new JsonDeserializer(client(), SerdeType.VALUE, {})
    const values = [{ id: 1, note: 'first' }, { id: 2 }]
    equal('values', (await roundTrip(topic, writer, reader, values)).got, values)
  },

  // The serializer sends descriptors, and has the registry print them; the reader asks for descriptors back.
  async protobuf_records () {
    const topic = freshTopic('proto')
    const { STRING, INT64, MESSAGE } = FieldDescriptorProto_Type
    const base = `${topic}/money`
    const types = protoTypes({
      name: `${base}.proto`,
      package: 'shop',
      syntax: 'proto3',
      messageType: [{ name: 'Money', field: [{ name: 'cents', number: 1, type: INT64, label: 1 }] }]
    }, {
      name: `${topic}.proto`,
      package: 'shop',
      syntax: 'proto3',
      dependency: [`${base}.proto`],
      messageType: [{
        name: 'Order',
        field: [{ name: 'note', number: 1, type: STRING, label: 1 },
          { name: 'total', number: 2, type: MESSAGE, typeName: '.shop.Money', label: 1 }]
      }]
    })
    const writer = new ProtobufSerializer(client(), SerdeType.VALUE,
      { autoRegisterSchemas: true, registry: createMutableRegistry(...types) })
    const reader = new ProtobufDeserializer(client(), SerdeType.VALUE, {})
    const order = types.getMessage('shop.Order')
    const value = create(order, { note: 'first', total: { cents: 5n } })
    const { got } = await roundTrip(topic, writer, reader, [value, create(order, {})])
    equal('values', got.map(v => [v.note, v.total?.cents]), [['first', 5n], ['', undefined]])
    const stored = await client().getLatestSchemaMetadata(`${topic}-value`)
    check(stored.schema.includes('message Order {'), `not printed: ${stored.schema}`)
    equal('references', stored.references, [{ name: `${base}.proto`, subject: `${base}.proto`, version: 1 }])
  }
})
