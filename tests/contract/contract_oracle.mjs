// SPDX-License-Identifier: Apache-2.0
// contract_oracle.mjs - src/contract/ beside the rule executors of @confluentinc/schemaregistry: the same rule sets
// and records, in Avro, JSON Schema and Protobuf, and the same verdicts. Where that client differs from Confluent's
// Java ones, which are the norm here, EXPLAINED says how and why, and how often is printed.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { FORMATS, METADATA, contractsOf } from './corpus.mjs'
import { Probe, finish, require, test } from '../format/probe.mjs'

const {
  SchemaRegistryClient, AvroSerializer, JsonSerializer, ProtobufSerializer, SerdeType, RuleRegistry, CelExecutor,
  CelFieldExecutor, SerializationError
} = require('@confluentinc/schemaregistry')
// The client's own CEL, whatever version stands beside the client.
const ofClient = createRequire(require.resolve('@confluentinc/schemaregistry'))
const { celEnv } = ofClient('@bufbuild/cel')
const { STRINGS_EXT_FUNCS } = ofClient('@bufbuild/cel/ext/strings')
const { create, createFileRegistry, createMutableRegistry, fromBinary } = require('@bufbuild/protobuf')
const { FileDescriptorProtoSchema, file_google_protobuf_descriptor: descriptorFile } = require('@bufbuild/protobuf/wkt')
const { file_confluent_meta: metaFile } = require('@confluentinc/schemaregistry/dist/confluent/meta_pb')

const NOW = 1700000000000
const build = fileURLToPath(new URL('../../build/tests/', import.meta.url))
const probe = new Probe(process.env.STROM_CONTRACT_PROBE ?? build + 'contract/contract_probe')
const formats = new Probe(process.env.STROM_FORMAT_PROBE ?? build + 'format/format_probe')

// ---- what that client does otherwise

const fieldsOf = record => [...Object.values(record), ...Object.values(record.home)]
const isBroken = (c, name) =>
  c.findings.some(f => f.rule === name && f.reason.startsWith('the expression cannot be evaluated'))
const exprOf = (c, name) => c.rules.find(rule => rule.name === name).expr
const EXPLAINED = {
  // Where a field rule's tags do not fit, its walk takes the field's own value for the verdict: false breaks the rule,
  // and in Avro 0, '' and null as well. Java skips such a field.
  'a false field fails a field rule there': c => c.theirs === 'f' && !c.ours.has('f') &&
    fieldsOf(c.record).some(v => v === false || (c.format === 'AVRO' && (v === null || v === '' || v === 0))),
  // An expression that cannot be evaluated gives an error as its value there, and only false fails. In Java it throws,
  // and the rule has failed; in a guard it lets the value pass, while there the body runs.
  'an error is no failure there': c => [...c.ours].every(name => name === c.theirs || isBroken(c, name)) &&
    (c.theirs === null || !c.ours.has(c.theirs)) && c.ours.size > 0,
  'an error in a guard runs the body there': c => c.theirs !== null && !c.ours.has(c.theirs) &&
    /nosuch.*;/.test(exprOf(c, c.theirs)),
  // It passes by what is null or not set; Java gives field rules null, or the zero of Protobuf.
  'a field that is null or not set is not looked at there': c =>
    c.ours.has('f') && c.theirs !== 'f' && c.record.note === null,
  // It walks a message within a message by the fields of the outer one, and so finds none.
  'fields of nested messages are not looked at there': c =>
    c.format === 'PROTOBUF' && c.ours.has('f') && c.theirs !== 'f' &&
    c.findings.every(f => f.rule !== 'f' || f.path.startsWith('$.home.'))
}
const explained = Object.fromEntries(Object.keys(EXPLAINED).map(key => [key, 0]))

// ---- both

const registry = new RuleRegistry()
const celExecutor = new CelExecutor()
const fieldExecutor = new CelFieldExecutor()
registry.registerExecutor(celExecutor)
registry.registerExecutor(fieldExecutor)
// Its own needs a producer.
registry.registerAction({
  configure () {},
  type: () => 'DLQ',
  async run (ctx) { throw new SerializationError(`rule failed: ${ctx.rule.name}`) },
  async close () {}
})
const client = SchemaRegistryClient.newClient({ baseURLs: ['mock://'] })
const conf = { useLatestVersion: true, autoRegisterSchemas: false }

async function protobuf (schema) {
  const printed = await formats.ask({ op: 'print', format: 'PROTOBUF', schema, form: 'serialized' })
  const proto = fromBinary(FileDescriptorProtoSchema, Buffer.from(printed.text, 'base64'))
  proto.name = 'default'
  const files = { 'confluent/meta.proto': metaFile, 'google/protobuf/descriptor.proto': descriptorFile }
  const file = createFileRegistry(proto, path => files[path])
  const messages = createMutableRegistry(file.getMessage('shop.Order'), file.getMessage('shop.Home'))
  const order = file.getMessage('shop.Order')
  // Its executors know no message types, so that every CEL rule on one is an error, and passes. They get them here.
  celExecutor.env = fieldExecutor.executor.env = celEnv({ registry: messages, funcs: STRINGS_EXT_FUNCS })
  return {
    theirs: printed.text,
    ours: schema,
    serializer: () => new ProtobufSerializer(client, SerdeType.VALUE, { ...conf, registry: messages }, registry),
    message: record => create(order, {
      ...record,
      note: record.note ?? undefined,
      home: create(file.getMessage('shop.Home'), record.home),
      items: [...record.items]
    }),
    payload: bytes => bytes.subarray(6)
  }
}

const plain = (schema, Serializer) => ({
  theirs: schema,
  ours: schema,
  serializer: () => new Serializer(client, SerdeType.VALUE, conf, registry),
  message: record => structuredClone(record),
  payload: bytes => bytes.subarray(5)
})

// What a field rule answers for items is put in their place there, and what comes of it cannot be encoded.
const UNREADABLE = 'unreadable'

// The rule that refuses a record there, or null.
async function verdictOf (side, serializer, topic, record) {
  try {
    await serializer.serialize(topic, side.message(record))
    return null
  } catch (e) {
    const found = /[Rr]ule (?:failed: )?(\w+)/.exec(e.message)
    if (/^Invalid message at items/.test(e.message)) return UNREADABLE
    if (found === null) throw e
    return found[1]
  }
}

let refused = 0
let unreadable = 0

async function compareOne (format, side, number, { ruleSet, records }) {
  const topic = `${format}-${number}`
  const bare = `${format}-bare`
  const schemaType = format
  await client.register(`${bare}-value`, { schema: side.theirs, schemaType })
  await client.register(`${topic}-value`, { schema: side.theirs, schemaType, ruleSet, metadata: METADATA })
  const writer = side.serializer()
  const judge = side.serializer()
  const payloads = []
  for (const record of records) {
    payloads.push(side.payload(await writer.serialize(bare, side.message(record))).toString('hex'))
  }
  const answer = await probe.ask({
    format, schema: side.ours, ruleSet: JSON.stringify(ruleSet), metadata: JSON.stringify(METADATA), payloads, now: NOW
  })
  if (!answer.ok) {
    return refusedOne(ruleSet, answer.error)
  }
  for (const [i, record] of records.entries()) {
    const theirs = await verdictOf(side, judge, topic, record)
    const rejected = answer.verdicts[i].findings.filter(f => f.action === 'reject' || f.action === 'dlq')
    const ours = new Set(rejected.map(f => f.rule))
    if ((theirs === null && ours.size === 0) || ours.has(theirs)) continue
    if (theirs === UNREADABLE) {
      unreadable++
      continue
    }
    const c = { format, record, rules: ruleSet.domainRules, theirs, ours, findings: rejected }
    const why = Object.keys(EXPLAINED).find(key => EXPLAINED[key](c))
    if (why === undefined) {
      throw new Error(`there ${theirs}, here ${[...ours]}: ${JSON.stringify(ruleSet)} ${JSON.stringify(record)} ` +
        JSON.stringify(answer.verdicts[i]))
    }
    explained[why]++
  }
  return records.length
}

// What is refused when it is bound names what is not there: there an error, each time, and so no failure.
function refusedOne (ruleSet, error) {
  const name = /'(\w+)'/.exec(error)?.[1]
  const rule = ruleSet.domainRules.find(rule => rule.name === name)
  if (rule === undefined || !/has no field "nosuch"/.test(error) || !rule.expr.includes('nosuch')) {
    throw new Error(`refused: ${error} ${JSON.stringify(ruleSet)}`)
  }
  refused++
  return 0
}

const sides = {
  AVRO: async schema => plain(schema, AvroSerializer),
  JSON: async schema => plain(schema, JsonSerializer),
  PROTOBUF: protobuf
}
for (const format of FORMATS) {
  await test(`verdicts of rules, ${format}`, async () => {
    const contracts = contractsOf(format).filter(contract => contract.checks.length === 0) // it knows no checks
    const side = await sides[format](contracts[0].schema)
    let judged = 0
    refused = 0
    for (const [i, contract] of contracts.entries()) judged += await compareOne(format, side, i, contract)
    return `${judged} records, ${refused} rule sets refused when bound`
  })
}
console.log(`# answers for items written over them there: ${unreadable}`)
for (const [why, count] of Object.entries(explained)) console.log(`# ${why}: ${count}`)
formats.close()
finish(probe)
