// SPDX-License-Identifier: Apache-2.0
// corpus.mjs - seeded contracts and records in Avro, JSON Schema and Protobuf, which clients judge beside Strom:
// contract_oracle.mjs here, tests/interop/verdicts.py those that are not on npm. As a program it prints the corpus:
// {"metadata": {..}, "contracts": [{"format", "schema", "ruleSet", "checks", "records"}..]}.
import { fileURLToPath } from 'node:url'
import { Random } from '../format/probe.mjs'

const RULE_SETS = Number(process.env.STROM_ORACLE_RULE_SETS ?? 50) // of each format
const CHECKED = RULE_SETS / 5 // more of each format, whose schemas have checks inside
const RECORDS = 20 // of each contract
const SEED = Number(process.env.STROM_ORACLE_SEED ?? 6)

// ---- one order in each format; checks: {place: rule}

const noted = (checks, place, type) =>
  checks[place] === undefined ? type : { ...type, 'confluent:rules': [checks[place]] }

const avro = checks => JSON.stringify(noted(checks, 'order', {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    noted(checks, 'id', { name: 'id', type: 'string', 'confluent:tags': ['KEY'] }),
    noted(checks, 'note', { name: 'note', type: ['null', 'string'], default: null, 'confluent:tags': ['TEXT'] }),
    noted(checks, 'qty', { name: 'qty', type: 'int', 'confluent:tags': ['NUMBER'] }),
    { name: 'price', type: 'double', 'confluent:tags': ['NUMBER'] },
    { name: 'paid', type: 'boolean' },
    noted(checks, 'items', { name: 'items', type: { type: 'array', items: 'string' }, 'confluent:tags': ['TEXT'] }),
    {
      name: 'home',
      type: {
        type: 'record',
        name: 'Home',
        fields: [noted(checks, 'zip', { name: 'zip', type: 'string' }), { name: 'country', type: 'string' }]
      }
    }
  ]
}))

const json = checks => JSON.stringify(noted(checks, 'order', {
  type: 'object',
  required: ['id', 'qty', 'price', 'paid', 'items', 'home'],
  properties: {
    id: noted(checks, 'id', { type: 'string', 'confluent:tags': ['KEY'] }),
    note: noted(checks, 'note', { type: ['null', 'string'], 'confluent:tags': ['TEXT'] }),
    qty: noted(checks, 'qty', { type: 'integer', 'confluent:tags': ['NUMBER'] }),
    price: { type: 'number', 'confluent:tags': ['NUMBER'] },
    paid: { type: 'boolean' },
    items: noted(checks, 'items', { type: 'array', items: { type: 'string' }, 'confluent:tags': ['TEXT'] }),
    home: {
      type: 'object',
      properties: { zip: noted(checks, 'zip', { type: 'string' }), country: { type: 'string' } }
    }
  }
}))

function protobuf (checks) {
  const rule = place => `{ name: "${checks[place].name}", expr: ${JSON.stringify(checks[place].expr)} }`
  const meta = (place, tag) => {
    const options = []
    if (tag !== undefined) options.push(`(confluent.field_meta).tags = "${tag}"`)
    if (checks[place] !== undefined) options.push(`(confluent.field_meta).rules = ${rule(place)}`)
    return options.length > 0 ? ` [${options.join(', ')}]` : ''
  }
  return `syntax = "proto3"; package shop; import "confluent/meta.proto";
message Order {${checks.order === undefined ? '' : ` option (confluent.message_meta).rules = ${rule('order')};`}
  string id = 1${meta('id', 'KEY')};
  optional string note = 2${meta('note', 'TEXT')};
  int32 qty = 3${meta('qty', 'NUMBER')};
  double price = 4${meta('price', 'NUMBER')};
  bool paid = 5;
  repeated string items = 6${meta('items', 'TEXT')};
  Home home = 7;
}
message Home { string zip = 1${meta('zip')}; string country = 2; }`
}

const SCHEMAS = { AVRO: avro, JSON: json, PROTOBUF: protobuf }
export const FORMATS = Object.keys(SCHEMAS)
export const METADATA = { tags: { '**.zip': ['ZIP'], 'shop.Home.c*': ['LAND'], '$.home.c*': ['LAND'] } }

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

const CHECKS = [
  ['order', 'this.qty >= 0 || this.paid'], ['order', "this.home.country == 'DE' ? this.home.zip != '' : true"],
  ['order', "size(this.items) < 3 ? '' : 'too many'"], ['id', "this != ''"], ['id', "size(this) < 3 ? '' : 'too long'"],
  ['qty', 'this > 0'], ['note', 'size(this) < 4'], ['items', 'size(this) > 0'], ['zip', "this.matches('^[0-9]*$')"],
  ['zip', 'size(this) / 0 == 1']
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
  if (r.below(8) === 0) rules[0].onFailure = r.pick(['NONE', 'ERROR', 'DLQ'])
  return { domainRules: rules, ...(r.below(10) === 0 ? { enableAt: r.pick(['ALL', 'NONE']) } : {}) }
}

function checksOf (r) {
  const checks = {}
  for (let i = 1 + r.below(2); i > 0; i--) {
    const [place, expr] = r.pick(CHECKS)
    checks[place] = { name: `check-${place}`, expr }
  }
  return checks
}

// The contracts of a format, always the same ones.
export function contractsOf (format) {
  const r = new Random(SEED)
  return Array.from({ length: RULE_SETS + CHECKED }, (_, i) => {
    const checks = i < RULE_SETS ? {} : checksOf(r)
    return {
      format,
      schema: SCHEMAS[format](checks),
      ruleSet: rulesOf(r),
      checks: Object.values(checks).map(check => check.name),
      records: Array.from({ length: RECORDS }, () => recordOf(r))
    }
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify({ metadata: METADATA, contracts: FORMATS.flatMap(contractsOf) }))
}
