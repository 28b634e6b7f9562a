// SPDX-License-Identifier: Apache-2.0
// @kafkajs/confluent-schema-registry 4.1.0: the registry client that most kafkajs users have.
import { createRequire } from 'node:module'
import { check, equal, freshTopic, runAll } from './scenario.mjs'

const require = createRequire(import.meta.url)
const { SchemaRegistry, SchemaType, COMPATIBILITY } = require('@kafkajs/confluent-schema-registry')

function registry () {
  return new SchemaRegistry({ host: process.env.STROM_HTTP, retry: { retries: 0 } })
}

async function expectError (text, action) {
  let error
  try {
    await action()
  } catch (e) {
    error = e
  }
  check(error, `no error, expected ${text}`)
  check(`${error.name}: ${error.message}`.includes(text), `wrong error: ${error.name}: ${error.message}`)
}

function order (more = []) {
  return { type: 'record', name: 'Order', namespace: 'shop', fields: [{ name: 'id', type: 'int' }, ...more] }
}
const note = { name: 'note', type: 'string', default: '' }

await runAll('kafkajs-registry', {
  async avro () {
    const subject = freshTopic('kafkajs-avro')
    const schema = { type: SchemaType.AVRO, schema: JSON.stringify(order()) }
    const { id } = await registry().register(schema, { subject })
    equal('again', (await registry().register(schema, { subject })).id, id)
    const bytes = await registry().encode(id, { id: 7 })
    equal('framing', [bytes[0], bytes.readInt32BE(1)], [0, id])
    equal('value', (await registry().decode(bytes)).id, 7)
    equal('latest', await registry().getLatestSchemaId(subject), id)
    equal('version', await registry().getRegistryId(subject, 1), id)
    equal('by schema', await registry().getRegistryIdBySchema(subject, schema), id)
    const newer = { type: SchemaType.AVRO, schema: JSON.stringify(order([note])) }
    const next = await registry().register(newer, { subject, compatibility: COMPATIBILITY.BACKWARD })
    check(next.id > id, `ids ${id}, ${next.id}`)
    const readerSchema = order([note])
    const value = await registry().decode(bytes, { [SchemaType.AVRO]: { readerSchema } })
    equal('read with the newer', value.note, '')
  },

  async compatibility () {
    const subject = freshTopic('kafkajs-compatibility')
    const bad = { type: SchemaType.AVRO, schema: JSON.stringify(order([{ name: 'more', type: 'string' }])) }
    await registry().register({ type: SchemaType.AVRO, schema: JSON.stringify(order()) }, { subject })
    await expectError('incompatible', () => registry().register(bad, { subject }))
    await expectError('Compatibility does not match', () =>
      registry().register(bad, { subject, compatibility: COMPATIBILITY.FULL }))
    await expectError('not found', () => registry().getLatestSchemaId(freshTopic('none')))
  },

  async references () {
    const base = freshTopic('kafkajs-base')
    const subject = freshTopic('kafkajs-outer')
    const inner = { type: 'record', name: 'Inner', namespace: 'shop', fields: [{ name: 'x', type: 'int' }] }
    const outer = { type: 'record', name: 'Outer', namespace: 'shop', fields: [{ name: 'in', type: 'shop.Inner' }] }
    await registry().register({ type: SchemaType.AVRO, schema: JSON.stringify(inner) }, { subject: base })
    const references = [{ name: 'shop.Inner', subject: base, version: 1 }]
    const whole = { type: SchemaType.AVRO, schema: JSON.stringify(outer), references }
    const { id } = await registry().register(whole, { subject })
    const bytes = await registry().encode(id, { in: { x: 3 } })
    equal('value', (await registry().decode(bytes)).in.x, 3)
  },

  async json () {
    const subject = freshTopic('kafkajs-json')
    const schema = JSON.stringify({ type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] })
    const { id } = await registry().register({ type: SchemaType.JSON, schema }, { subject })
    const bytes = await registry().encode(id, { id: 1 })
    equal('value', await registry().decode(bytes), { id: 1 })
    await expectError('', () => registry().encode(id, { id: 'one' }))
  },

  async protobuf () {
    const subject = freshTopic('kafkajs-proto')
    const schema = 'syntax = "proto3";\npackage shop;\nmessage Order { int32 id = 1; string note = 2; }\n'
    const { id } = await registry().register({ type: SchemaType.PROTOBUF, schema }, { subject })
    const bytes = await registry().encode(id, { id: 5, note: 'n' })
    const value = await registry().decode(bytes)
    equal('value', [value.id, value.note], [5, 'n'])
  }
})
