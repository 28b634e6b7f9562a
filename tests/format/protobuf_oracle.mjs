// SPDX-License-Identifier: Apache-2.0
// protobuf_oracle.mjs - src/format/protobuf/ beside protobufjs, which knows editions: the canonical text means the
// same to it, its payloads are taken and show its values, and of mutants what we take it can decode. What protoc and
// libprotobuf say is asked by protobuf_oracle.py.
import { Probe, Random, finish, require, test } from './probe.mjs'

const protobuf = require('protobufjs')
const SCHEMAS = Number(process.env.STROM_ORACLE_SCHEMAS ?? 400)
const PAYLOADS = 6
const MUTANTS = 8
const SIGNED = ['int32', 'int64', 'sint32', 'sint64', 'sfixed32', 'sfixed64']
const UNSIGNED = ['uint32', 'uint64', 'fixed32', 'fixed64']
const SCALARS = [...SIGNED, ...UNSIGNED, 'double', 'float', 'bool', 'string', 'bytes']
const KEYS = ['int32', 'uint64', 'sint32', 'bool', 'string']
const probe = new Probe()

// ---- schemas and values at random

class Schemas {
  constructor (random) {
    this.r = random
    this.syntax = this.r.pick(['proto2', 'proto3', 'edition'])
    this.names = 0
    this.types = []
    this.enums = []
  }

  name (prefix) {
    return prefix + this.names++
  }

  label (isOneof) {
    if (isOneof) return ''
    const repeated = this.r.below(4) === 0
    if (this.syntax === 'proto2') return repeated ? 'repeated ' : 'optional '
    if (this.syntax === 'proto3') return repeated ? 'repeated ' : this.r.pick(['', 'optional '])
    return repeated ? 'repeated ' : ''
  }

  options (label, type) {
    if (this.syntax !== 'edition' || this.r.below(3) > 0) return ''
    const isNumber = SCALARS.includes(type) && type !== 'string' && type !== 'bytes'
    if (label === 'repeated ') return isNumber ? ' [features.repeated_field_encoding = EXPANDED]' : ''
    if (this.types.includes(type)) return ' [features.message_encoding = DELIMITED]'
    return label === '' && SCALARS.includes(type) ? ' [features.field_presence = IMPLICIT]' : ''
  }

  field (number, isOneof = false) {
    if (!isOneof && this.r.below(8) === 0) {
      return `map<${this.r.pick(KEYS)}, ${this.r.pick([...SCALARS, ...this.types])}> ${this.name('m')} = ${number};`
    }
    const type = this.r.pick([...SCALARS, ...this.types, ...this.enums])
    const label = this.label(isOneof)
    return `${label}${type} ${this.name('f')} = ${number}${isOneof ? '' : this.options(label, type)};`
  }

  message () {
    const name = this.name('M')
    const body = []
    let number = 0
    const next = () => { number += 1 + this.r.below(9); return number }
    for (let i = this.r.below(6); i >= 0; i--) body.push(this.field(next()))
    if (this.r.below(3) === 0) {
      body.push(`oneof ${this.name('o')} { ${this.field(next(), true)} ${this.field(next(), true)} }`)
    }
    this.types.push(name)
    return `message ${name} {\n  ${body.join('\n  ')}\n}`
  }

  text () {
    const head = this.syntax === 'edition' ? 'edition = "2023";' : `syntax = "${this.syntax}";`
    const name = this.name('E')
    this.enums.push(name)
    const parts = [`enum ${name} { ${this.name('V')} = 0; ${this.name('V')} = 5; ${this.name('V')} = -3; }`]
    for (let i = this.r.below(3); i >= 0; i--) parts.push(this.message())
    return `${head}\n${parts.join('\n')}\n`
  }
}

function scalar (r, type) {
  const big = () => (BigInt(r.next()) << 32n | BigInt(r.next())) >> BigInt(r.below(64))
  if (SIGNED.includes(type)) {
    return type.endsWith('32') ? String(BigInt.asIntN(32, big())) : String(BigInt.asIntN(64, big()))
  }
  if (UNSIGNED.includes(type)) return String(BigInt.asUintN(type.endsWith('32') ? 32 : 64, big()))
  if (type === 'bool') return r.below(2) === 1
  if (type === 'double' || type === 'float') return r.pick([0, 1.5, -2.25, 1024])
  if (type === 'string') return r.pick(['', 'a', 'ä€', '😀 text'])
  return Buffer.from(r.pick(['', '00ff', '616263']), 'hex')
}

function value (r, field, depth) {
  if (field.resolvedType instanceof protobuf.Enum) return r.pick(Object.values(field.resolvedType.values))
  if (field.resolvedType) return object(r, field.resolvedType, depth - 1)
  return scalar(r, field.type)
}

function object (r, type, depth) {
  const made = {}
  for (const field of type.fieldsArray) {
    if (r.below(3) === 0 || (field.resolvedType instanceof protobuf.Type && depth <= 0)) continue
    if (field.map) {
      made[field.name] = {}
      for (let i = r.below(3); i > 0; i--) made[field.name][String(scalar(r, field.keyType))] = value(r, field, depth)
    } else if (field.repeated) {
      made[field.name] = Array.from({ length: r.below(4) }, () => value(r, field, depth))
    } else if (!field.partOf || r.below(2) === 0) {
      made[field.name] = value(r, field, depth)
    }
  }
  for (const oneof of type.oneofsArray) { // one member alone
    oneof.fieldsArray.filter(f => f.name in made).slice(1).forEach(f => delete made[f.name])
  }
  return made
}

// A value as format_probe shows it.
function shown (field, v) {
  if (field.resolvedType instanceof protobuf.Enum) return 's' + (field.resolvedType.valuesById[v] ?? '')
  if (field.resolvedType) return seen(field.resolvedType, v)
  if (field.type === 'bool') return v
  if (field.type === 'string') return 's' + v
  if (field.type === 'bytes') return 'x' + Buffer.from(v).toString('hex')
  if (field.type === 'double' || field.type === 'float') {
    const b = Buffer.alloc(8)
    b.writeDoubleLE(v)
    return 'd' + b.toString('hex')
  }
  return 'i' + String(v)
}

// A message with what fields without presence show when they are absent.
function seen (type, given) {
  const entries = []
  for (const field of [...type.fieldsArray].sort((a, b) => a.id - b.id)) {
    const v = given[field.name]
    if (field.map) {
      const items = Object.entries(v ?? {}).map(([k, x]) => [k, shown(field, x)])
      if (items.length > 0) entries.push([field.name, { map: items.sort() }])
    } else if (field.repeated) {
      if (v?.length > 0) entries.push([field.name, v.map(x => shown(field, x))])
    } else if (v !== undefined && v !== null) {
      entries.push([field.name, shown(field, v)])
    } else if (!field.hasPresence && !(field.resolvedType instanceof protobuf.Type)) {
      entries.push([field.name, shown(field, field.resolvedType ? 0 : field.type === 'bytes' ? [] : field.typeDefault)])
    }
  }
  return { record: entries }
}

const sorted = v => Array.isArray(v) ? v.map(sorted)
  : v?.record ? { record: v.record.map(([k, x]) => [k, sorted(x)]) }
    : v?.map ? { map: v.map.map(([k, x]) => [k, sorted(x)]).sort() } : v

function mutate (r, payload) {
  const b = Buffer.from(payload)
  if (b.length === 0) return Buffer.from([r.below(256)])
  const at = r.below(b.length)
  const kind = r.below(3)
  if (kind === 0) b[at] ^= 1 << r.below(8)
  if (kind === 1) return b.subarray(0, at)
  if (kind === 2) return Buffer.concat([b.subarray(0, at), Buffer.from([r.below(256)]), b.subarray(at)])
  return b
}

// ---- the comparison

const ordered = v => Array.isArray(v) ? v.map(ordered)
  : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map(k => [k, ordered(v[k])])) : v
const meaning = text => JSON.stringify(ordered(protobuf.parse(text, { keepCase: true }).root.resolveAll().toJSON()))

function same (a, b, what) {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)]
  if (x !== y) throw new Error(`${what}\n${x}\n${y}`)
}

async function checkSchema (seed, counts) {
  const r = new Random(seed)
  const text = new Schemas(r).text()
  const canonical = await probe.ask({ op: 'print', format: 'PROTOBUF', schema: text, form: 'canonical', new: true })
  if (!canonical.ok) throw new Error(`refused: ${canonical.error}\n${text}`)
  same(meaning(text), meaning(canonical.text), `seed ${seed}: the canonical text means something else\n${text}`)
  const root = protobuf.parse(text, { keepCase: true }).root.resolveAll()
  const types = root.nestedArray.filter(t => t instanceof protobuf.Type)
  for (const [index, type] of types.entries()) {
    const cases = []
    for (let i = 0; i < PAYLOADS; i++) {
      const given = object(r, type, 3)
      const payload = Buffer.from(type.encode(type.fromObject(given)).finish())
      cases.push({ payload, given })
      for (let k = 0; k < MUTANTS; k++) cases.push({ payload: mutate(r, payload) })
    }
    const answer = await probe.ask({ op: 'check', format: 'PROTOBUF', schema: text, values: true, root: [index],
      payloads: cases.map(c => c.payload.toString('hex')) })
    if (!answer.ok) throw new Error(`${answer.error}\n${text}`)
    for (const [i, { payload, given }] of cases.entries()) {
      const verdict = answer.verdicts[i]
      const where = `seed ${seed}, ${type.name}, ${payload.toString('hex')}\n${text}`
      if (given) {
        if (!verdict.ok) throw new Error(`refused: ${verdict.path}: ${verdict.text}\n${where}`)
        const read = type.toObject(type.decode(payload), { longs: String }) // what another reader finds in it
        same(seen(type, read), sorted(verdict.value), where)
        counts.values++
      } else if (verdict.ok) {
        try { type.decode(payload) } catch (e) {
          if (!/max depth/.test(e.message)) throw new Error(`taken, but protobufjs says: ${e.message}\n${where}`)
        }
        counts.mutants++
      } else counts.refused++
    }
  }
}

await test('protobuf-protobufjs', async () => {
  const counts = { values: 0, mutants: 0, refused: 0 }
  for (let seed = 1; seed <= SCHEMAS; seed++) await checkSchema(seed, counts)
  return `${SCHEMAS} schemas, ${counts.values} payloads with values, ${counts.mutants} mutants taken by both, ` +
    `${counts.refused} refused by us`
})
finish(probe)
