// SPDX-License-Identifier: Apache-2.0
// contract_oracle.mjs - src/contract/ beside the rule executors of @confluentinc/schemaregistry: the same rule sets
// and records, in Avro, JSON Schema and Protobuf, and the same verdicts. Where that client differs from Confluent's
// Java ones, which are the norm here, EXPLAINED says how and why, and how often is printed.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Probe, Random, finish, require, test } from '../format/probe.mjs'

const {
  SchemaRegistryClient, AvroSerializer, JsonSerializer, ProtobufSerializer, SerdeType, RuleRegistry, CelExecutor,
  CelFieldExecutor
} = require('@confluentinc/schemaregistry')
// The client's own CEL, whatever version stands beside the client.
const ofClient = createRequire(require.resolve('@confluentinc/schemaregistry'))
const { celEnv } = ofClient('@bufbuild/cel')
const { STRINGS_EXT_FUNCS } = ofClient('@bufbuild/cel/ext/strings')
const { create, createFileRegistry, createMutableRegistry, fromBinary } = require('@bufbuild/protobuf')
const { FileDescriptorProtoSchema, file_google_protobuf_descriptor: descriptorFile } = require('@bufbuild/protobuf/wkt')
const { file_confluent_meta: metaFile } = require('@confluentinc/schemaregistry/dist/confluent/meta_pb')

const RULE_SETS = Number(process.env.STROM_ORACLE_RULE_SETS ?? 50) // of each format
const RECORDS = 20 // of each rule set
const NOW = 1700000000000
const build = fileURLToPath(new URL('../../build/tests/', import.meta.url))
const probe = new Probe(process.env.STROM_CONTRACT_PROBE ?? build + 'contract/contract_probe')
const formats = new Probe(process.env.STROM_FORMAT_PROBE ?? build + 'format/format_probe')

// ---- one order in each format

const AVRO = JSON.stringify({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'string', 'confluent:tags': ['KEY'] },
    { name: 'note', type: ['null', 'string'], default: null, 'confluent:tags': ['TEXT'] },
    { name: 'qty', type: 'int', 'confluent:tags': ['NUMBER'] },
    { name: 'price', type: 'double', 'confluent:tags': ['NUMBER'] },
    { name: 'paid', type: 'boolean' },
    { name: 'items', type: { type: 'array', items: 'string' }, 'confluent:tags': ['TEXT'] },
    {
      name: 'home',
      type: {
        type: 'record', name: 'Home', fields: [{ name: 'zip', type: 'string' }, { name: 'country', type: 'string' }]
      }
    }
  ]
})
const JSON_SCHEMA = JSON.stringify({
  type: 'object',
  required: ['id', 'qty', 'price', 'paid', 'items', 'home'],
  properties: {
    id: { type: 'string', 'confluent:tags': ['KEY'] },
    note: { type: ['null', 'string'], 'confluent:tags': ['TEXT'] },
    qty: { type: 'integer', 'confluent:tags': ['NUMBER'] },
    price: { type: 'number', 'confluent:tags': ['NUMBER'] },
    paid: { type: 'boolean' },
    items: { type: 'array', items: { type: 'string' }, 'confluent:tags': ['TEXT'] },
    home: { type: 'object', properties: { zip: { type: 'string' }, country: { type: 'string' } } }
  }
})
const PROTOBUF = `syntax = "proto3"; package shop; import "confluent/meta.proto";
message Order {
  string id = 1 [(confluent.field_meta).tags = "KEY"];
  optional string note = 2 [(confluent.field_meta).tags = "TEXT"];
  int32 qty = 3 [(confluent.field_meta).tags = "NUMBER"];
  double price = 4 [(confluent.field_meta).tags = "NUMBER"];
  bool paid = 5;
  repeated string items = 6 [(confluent.field_meta).tags = "TEXT"];
  Home home = 7;
}
message Home { string zip = 1; string country = 2; }`

const METADATA = { tags: { '**.zip': ['ZIP'], 'shop.Home.c*': ['LAND'], '$.home.c*': ['LAND'] } }

const CONDITIONS = [
  'message.qty >= 0', 'message.qty < 5 || message.paid', 'message.price > 1.5', "message.id.startsWith('a')",
  'size(message.items) > 0', 'message.items.all(x, size(x) < 4)', "message.items.exists(x, x == 'b')",
  "message.home.zip.matches('^[0-9]{5}$')", "message.id in ['a1', 'b2', '']", '!message.paid || message.price > 0.0',
  "message.home.country == 'DE' ? message.home.zip.size() == 5 : true", "message.qty == 3 ; message.paid",
  "message.paid ; size(message.id) == 2", " ; message.paid", 'message.id.lowerAscii() == message.id',
  "message.id + '-' + message.home.country != 'a1-DE'", "message.items.map(x, x + '!').exists(y, y == 'a!')",
  "message.items.filter(x, x != 'a').size() <= 1", 'message.nosuch == 1', "message.nosuch == 1 ; false",
  "size(message.id) > 1 && message.id.charAt(0) == 'a'", "message.id.replace('a', 'b') != 'b1'",
  "message.items.exists_one(x, x.startsWith('a'))", 'message.price < 10.0 && message.price > -10.0', 'true', 'false',
  "message.id.contains('1') || message.home.zip.endsWith('0')", "'x'", "message.items[0] == 'a'",
  'double(message.qty) <= message.price', "string(message.paid) == 'true'", "message.home.zip < '5'"
]
const FIELD_CONDITIONS = [
  ['KEY', "value != ''"], ['KEY', 'size(value) == 2'], ['TEXT', 'size(value) < 4'], ['TEXT', 'false'],
  ['ZIP', "value.matches('^[0-9]*$')"], ['LAND', "value in ['DE', 'FR']"], ['NUMBER', 'value >= 0'],
  ['NUMBER', 'value < 4 ; value > -1'], ['', "name == 'zip' ; size(value) == 5"], ['', "name == 'qty' ; value > 1"],
  ['', "typeName == 'STRING' ; value != 'b2'"], ['', "fullName != 'shop.Home.zip' && fullName != '$.home.zip'"],
  ['KEY', "message.paid || value != 'a1'"], ['KEY', "tags == ['KEY']"], ['ZIP', "'ZIP' in tags && size(tags) == 1"],
  ['NOBODY', 'false'], ['KEY', '1 / 0 == 1']
]

const TEXTS = ['', 'a', 'a1', 'b2', 'A1', 'long', 'über']
const ZIPS = ['', '12345', '1234', '90000', 'x']

function recordOf (r) {
  const items = []
  for (let i = r.below(4); i > 0; i--) items.push(r.pick(['a', 'b', 'abc', 'long one']))
  return {
    id: r.pick(TEXTS),
    note: r.below(3) === 0 ? null : r.pick(TEXTS),
    qty: r.pick([0, 1, 3, 5, -1]),
    price: r.pick([0, 1.5, 2.25, 99.5, -3.5]),
    paid: r.below(2) === 0,
    items,
    home: { zip: r.pick(ZIPS), country: r.pick(['DE', 'FR', '']) }
  }
}

function rulesOf (r) {
  const rules = []
  for (let i = r.below(3); i > 0; i--) {
    const mode = r.pick(['WRITE', 'WRITEREAD'])
    rules.push({ name: `c${i}`, kind: 'CONDITION', mode, type: 'CEL', expr: r.pick(CONDITIONS) })
  }
  // That client puts the answers into the arrays that it walks: one such rule, and last.
  if (rules.length === 0 || r.below(2) === 0) {
    const [tag, expr] = r.pick(FIELD_CONDITIONS)
    rules.push({ name: 'f', kind: 'CONDITION', mode: 'WRITE', type: 'CEL_FIELD', tags: tag === '' ? [] : [tag], expr })
  }
  if (r.below(8) === 0) rules[0].disabled = true
  if (r.below(8) === 0) rules[0].mode = 'READ'
  if (r.below(8) === 0) rules[0].onFailure = 'NONE'
  return { domainRules: rules, ...(r.below(10) === 0 ? { enableAt: r.pick(['ALL', 'NONE']) } : {}) }
}

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
const client = SchemaRegistryClient.newClient({ baseURLs: ['mock://'] })
const conf = { useLatestVersion: true, autoRegisterSchemas: false }

async function protobuf () {
  const printed = await formats.ask({ op: 'print', format: 'PROTOBUF', schema: PROTOBUF, form: 'serialized' })
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
    ours: PROTOBUF,
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

async function compareOne (format, side, r, number) {
  const ruleSet = rulesOf(r)
  const topic = `${format}-${number}`
  const bare = `${format}-bare`
  const schemaType = format
  await client.register(`${bare}-value`, { schema: side.theirs, schemaType })
  await client.register(`${topic}-value`, { schema: side.theirs, schemaType, ruleSet, metadata: METADATA })
  const records = Array.from({ length: RECORDS }, () => recordOf(r))
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
    const rejected = answer.verdicts[i].findings.filter(f => f.action === 'reject')
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
  AVRO: async () => plain(AVRO, AvroSerializer),
  JSON: async () => plain(JSON_SCHEMA, JsonSerializer),
  PROTOBUF: protobuf
}
for (const [format, make] of Object.entries(sides)) {
  await test(`verdicts of rules, ${format}`, async () => {
    const side = await make()
    const r = new Random(Number(process.env.STROM_ORACLE_SEED ?? 6))
    let judged = 0
    refused = 0
    for (let i = 0; i < RULE_SETS; i++) judged += await compareOne(format, side, r, i)
    return `${judged} records, ${refused} rule sets refused when bound`
  })
}
console.log(`# answers for items written over them there: ${unreadable}`)
for (const [why, count] of Object.entries(explained)) console.log(`# ${why}: ${count}`)
formats.close()
finish(probe)
