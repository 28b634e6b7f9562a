// SPDX-License-Identifier: Apache-2.0
// avro_oracle.mjs - src/format/avro/ beside avsc, an Avro for JavaScript that shares nothing with it: the
// same values in the same payloads, the same payloads refused, the same canonical text, the same schemas
// compatible. Where avsc is known to look away, EXPLAINED says so, and how often is printed.
import { Probe, Random, finish, require, test } from './probe.mjs'

const avro = require('avsc')
const SCHEMAS = Number(process.env.STROM_ORACLE_SCHEMAS ?? 1500)
const VALUES = 6
const MUTANTS = 10
const probe = new Probe()

// Longs beyond 2^53 need a type of their own in JavaScript.
const bigLong = avro.types.LongType.__with({
  fromBuffer: b => b.readBigInt64LE(),
  toBuffer: v => { const b = Buffer.alloc(8); b.writeBigInt64LE(v); return b },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: v => typeof v === 'bigint',
  compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0)
})
const typeOf = (schema, exact = true) =>
  avro.Type.forSchema(schema, { wrapUnions: true, registry: exact ? { long: bigLong } : {} })

// ---- schemas and values at random

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']

class Schemas {
  constructor (random) {
    this.r = random
    this.names = 0
    this.records = []
  }

  name (prefix) {
    return prefix + this.names++
  }

  record (depth) {
    const name = this.name('R')
    // Names inside a namespace are its own, so no type out there could be meant: such a record keeps to primitives.
    const isClosed = this.r.below(6) === 0
    if (!isClosed) this.records.push(name)
    const fields = []
    for (let i = this.r.below(6); i > 0; i--) {
      fields.push({ name: `f${i}`, type: isClosed ? this.r.pick(PRIMITIVES) : this.type(depth - 1) })
    }
    return { type: 'record', name, ...(isClosed ? { namespace: 'a.b', doc: 'why' } : {}), fields }
  }

  union (depth) {
    const branches = PRIMITIVES.filter(() => this.r.below(3) === 0)
    if (this.r.below(2) === 0) branches.reverse()
    if (depth > 0 && this.r.below(2) === 0) branches.push(this.record(depth - 1))
    if (depth > 0 && this.r.below(3) === 0) branches.push({ type: 'array', items: this.type(depth - 1) })
    if (branches.length === 0) branches.push('null')
    return branches // names come after their definitions: avsc asks for that
  }

  type (depth) {
    const kind = depth <= 0 ? 0 : this.r.below(10)
    switch (kind) {
      case 4: return this.record(depth)
      case 5: return this.union(depth)
      case 6: return { type: 'array', items: this.type(depth - 1) }
      case 7: return { type: 'map', values: this.type(depth - 1) }
      case 8: return { type: 'fixed', name: this.name('F'), size: this.r.below(20) + 1 }
      case 9: return this.r.below(2) === 0 && this.records.length > 0
        ? ['null', this.r.pick(this.records)]
        : { type: 'enum', name: this.name('E'), symbols: ['A', 'B', 'C'].slice(this.r.below(3)) }
      default: return this.r.pick(PRIMITIVES)
    }
  }
}

const TEXTS = ['', 'a', 'Zürich', 'of seven', 'longer than one word of eight', '😀 and on', 'nul \0 inside']
const LONGS = [0n, 1n, -1n, 63n, -64n, 64n, 1767225600000n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n]
const INTS = [0, 1, -1, 63, 64, -65, 2147483647, -2147483648, 12345]
const DOUBLES = [0, -0, 1.5, -1e300, Infinity, NaN, 5e-324, 3.4028234663852886e38]

function valueOf (r, type, depth) {
  switch (type.typeName) {
    case 'null': return null
    case 'boolean': return r.below(2) === 1
    case 'int': return r.pick(INTS)
    case 'abstract:long': return r.pick(LONGS)
    case 'float': return Math.fround(r.pick(DOUBLES.filter(d => Math.abs(d) !== 1e300)))
    case 'double': return r.pick(DOUBLES)
    case 'bytes': return Buffer.from(r.pick(TEXTS))
    case 'string': return r.pick(TEXTS)
    case 'fixed': return Buffer.alloc(type.size, r.below(256))
    case 'enum': return r.pick(type.symbols)
    case 'array': return Array.from({ length: depth > 0 ? r.below(4) : 0 }, () => valueOf(r, type.itemsType, depth - 1))
    case 'map': {
      const map = {}
      for (let i = depth > 0 ? r.below(3) : 0; i > 0; i--) {
        map[`k${r.below(9)}`] = valueOf(r, type.valuesType, depth - 1)
      }
      return map
    }
    case 'union:wrapped': {
      const nulls = type.types.filter(t => t.typeName === 'null')
      const branch = depth <= 0 && nulls.length > 0 ? nulls[0] : r.pick(type.types)
      return branch.typeName === 'null' ? null : { [branch.branchName]: valueOf(r, branch, depth - 1) }
    }
    case 'record': {
      const record = {}
      for (const f of type.fields) record[f.name] = valueOf(r, f.type, depth - 1)
      return record
    }
  }
  throw new Error(`a type ${type.typeName}`)
}

// A value of avsc in the words of format_probe; of a map the last of equal keys, sorted.
function spell (type, v) {
  switch (type.typeName) {
    case 'null': case 'boolean': return v
    case 'int': case 'abstract:long': return `i${v}`
    case 'float': case 'double': {
      const b = Buffer.alloc(8)
      b.writeDoubleLE(v)
      return Number.isNaN(v) ? 'dNaN' : `d${b.toString('hex')}`
    }
    case 'bytes': case 'fixed': return `x${v.toString('hex')}`
    case 'string': case 'enum': return `s${v}`
    case 'array': return v.map(i => spell(type.itemsType, i))
    case 'map': return { map: Object.keys(v).sort().map(k => [k, spell(type.valuesType, v[k])]) }
    case 'union:wrapped': {
      if (v === null) return null
      const name = Object.keys(v)[0]
      return spell(type.types.find(t => t.branchName === name), v[name])
    }
    case 'record': return { record: type.fields.map(f => [f.name, spell(f.type, v[f.name])]) }
  }
  throw new Error(`a type ${type.typeName}`)
}

// The probe's own value, with what may differ in spelling made equal.
function tidy (v) {
  if (typeof v === 'string' && v[0] === 'd') {
    return Number.isNaN(Buffer.from(v.slice(1), 'hex').readDoubleLE()) ? 'dNaN' : v
  }
  if (Array.isArray(v)) return v.map(tidy)
  if (v?.record) return { record: v.record.map(([k, inner]) => [k, tidy(inner)]) }
  if (v?.map) {
    const last = new Map(v.map)
    return { map: [...last.keys()].sort().map(k => [k, tidy(last.get(k))]) }
  }
  return v
}

// ---- payloads

// What avsc does not look at. Of these payloads avsc's verdict is not asked for: some it would read for ever.
const EXPLAINED = [
  [/a boolean is the byte 0 or 1/, 'any byte but 0 is true'],
  [/is no UTF-8/, 'bad UTF-8 becomes U+FFFD'],
  [/is no number of (32|64) bits/, 'numbers of any length are read'],
  [/is negative: -/, 'lengths may be negative'],
  [/a block of \d+ items|inside the (count|size) of a block/, 'counts are not held against what is left'],
  [/a block that says it ends|the size of a block is/, 'sizes of blocks are not held against the items'],
  [/items that take no bytes/, 'nulls are counted without end'],
  [/nested more than/, 'depth has no limit but the stack']
]

function mutate (r, payload) {
  const b = Buffer.from(payload)
  const at = r.below(b.length + 1)
  switch (r.below(5)) {
    case 0: return b.subarray(0, at)
    case 1: return Buffer.concat([b, Buffer.from([r.below(256)])])
    case 2: return Buffer.concat([b.subarray(0, at), Buffer.from([r.below(256)]), b.subarray(at)])
    default:
      if (b.length > 0) b[at % b.length] = r.below(3) === 0 ? r.below(256) : b[at % b.length] ^ (1 << r.below(8))
      return b
  }
}

const counts = new Map()
const note = why => counts.set(why, (counts.get(why) ?? 0) + 1)

function judge (type, payload, verdict) {
  if (!verdict.ok) {
    const explained = EXPLAINED.find(([pattern]) => pattern.test(verdict.text))
    if (explained) return note(explained[1])
  }
  let value, error
  try {
    value = type.fromBuffer(payload)
  } catch (e) {
    error = e
  }
  const where = () => `schema ${JSON.stringify(type.schema())} payload ${payload.toString('hex')}`
  if (verdict.ok !== (error === undefined)) {
    const ours = verdict.ok ? 'we accept' : `we refuse (${verdict.path}: ${verdict.text})`
    throw new Error(`${ours}, avsc: ${error?.message ?? 'accepts'}; ${where()}`)
  }
  if (!verdict.ok) return note('both refuse')
  const ours = JSON.stringify(tidy(verdict.value))
  const theirs = JSON.stringify(spell(type, value))
  if (ours.includes('"deep"')) return note('deeper than is printed')
  if (ours !== theirs) throw new Error(`we read ${ours}, avsc ${theirs}; ${where()}`)
  note('both read the same')
}

async function payloads () {
  for (let seed = 1; seed <= SCHEMAS; seed++) {
    const r = new Random(seed)
    const schema = new Schemas(r).record(4)
    const type = typeOf(schema)
    const all = []
    for (let i = 0; i < VALUES; i++) {
      let payload
      try {
        payload = type.toBuffer(valueOf(r, type, 6))
      } catch (e) {
        if (e instanceof RangeError) continue // a value without end
        throw e
      }
      all.push([payload, true])
      for (let m = 0; m < MUTANTS; m++) all.push([mutate(r, payload), false])
    }
    const answer = await probe.ask({
      op: 'check',
      new: true,
      values: true,
      schema: JSON.stringify(schema),
      payloads: all.map(([p]) => p.toString('hex'))
    })
    if (!answer.ok) throw new Error(`${JSON.stringify(schema)}: ${answer.error}`)
    all.forEach(([payload, isValid], i) => {
      const verdict = answer.verdicts[i]
      if (isValid && !verdict.ok) {
        throw new Error(`seed ${seed}: what avsc wrote is refused: ${verdict.path} ${verdict.text}`)
      }
      judge(type, payload, verdict)
    })
  }
  return [...counts].map(([why, n]) => `${why}: ${n}`).join('; ')
}

// ---- canonical text

async function canonical () {
  for (let seed = 1; seed <= SCHEMAS; seed++) {
    const schema = new Schemas(new Random(seed)).record(4)
    const answer = await probe.ask({ op: 'print', form: 'parsing', schema: JSON.stringify(schema) })
    const theirs = JSON.stringify(typeOf(schema, false).schema())
    if (answer.text !== theirs) throw new Error(`we print ${answer.text}, avsc ${theirs}`)
  }
  return `${SCHEMAS} schemas`
}

// ---- compatibility

// Another version of a schema: now and then something else in one place.
function evolve (r, schema) {
  if (typeof schema === 'string') {
    return PRIMITIVES.includes(schema) && r.below(12) === 0 ? r.pick(PRIMITIVES) : schema
  }
  if (Array.isArray(schema)) {
    const kept = schema.filter(() => r.below(10) > 0).map(s => evolve(r, s))
    const names = kept.map(s => (typeof s === 'string' ? s : s.name ?? s.type))
    if (r.below(8) === 0) kept.unshift(r.pick(PRIMITIVES))
    const unique = kept.filter((s, i) => typeof s !== 'string' || kept.indexOf(s) === i)
    return unique.length > 0 && names.length > 0 ? unique : schema
  }
  const copy = { ...schema }
  if (copy.items) copy.items = evolve(r, copy.items)
  if (copy.values) copy.values = evolve(r, copy.values)
  if (copy.symbols && r.below(5) === 0) copy.symbols = r.below(2) === 0 ? [...copy.symbols, 'D'] : ['C']
  if (copy.size && r.below(15) === 0) copy.size++
  if (copy.fields) {
    copy.fields = copy.fields.filter(f => r.below(15) > 0 || /"name"/.test(JSON.stringify(f.type)))
      .map(f => ({ ...f, type: evolve(r, f.type) }))
    if (r.below(6) === 0) copy.fields.push({ name: 'fresh', type: 'int', default: 7 })
    if (r.below(20) === 0) copy.fields.push({ name: 'hard', type: 'int' })
  }
  return copy
}

async function compatibility () {
  const seen = { yes: 0, no: 0 }
  for (let seed = 1; seed <= SCHEMAS; seed++) {
    const r = new Random(seed * 7919)
    const schema = new Schemas(r).record(4)
    const [reader, writer] = [evolve(r, schema), evolve(r, schema)]
    let theirs = true
    let why = ''
    let types
    try {
      types = [typeOf(reader, false), typeOf(writer, false)]
    } catch {
      continue // a name whose definition was evolved away
    }
    try {
      types[0].createResolver(types[1])
    } catch (e) {
      [theirs, why] = [false, e.message]
    }
    const answer = await probe.ask({ op: 'compare', reader: JSON.stringify(reader), writer: JSON.stringify(writer) })
    if (!answer.ok || answer.compatible !== theirs) {
      throw new Error(`seed ${seed}: we say ${JSON.stringify(answer)}, avsc ${theirs} ${why}; reader ` +
        `${JSON.stringify(reader)} writer ${JSON.stringify(writer)}`)
    }
    seen[theirs ? 'yes' : 'no']++
  }
  if (seen.yes < SCHEMAS / 10 || seen.no < SCHEMAS / 10) throw new Error(`too one-sided: ${JSON.stringify(seen)}`)
  return `compatible: ${seen.yes}, not: ${seen.no}`
}

await test('avro: payloads as avsc reads them', payloads)
await test('avro: canonical text as avsc prints it', canonical)
await test('avro: compatible as avsc resolves it', compatibility)
finish(probe)
