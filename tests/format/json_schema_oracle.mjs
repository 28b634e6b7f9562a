// SPDX-License-Identifier: Apache-2.0
// json_schema_oracle.mjs - src/format/json/ beside ajv: random schemas of drafts 7, 2019-09 and 2020-12 and random
// payloads that nearly fit them. Numbers are such that JavaScript's doubles are exact. ajv has errors of its own
// (`contains` beside other keywords at an empty array, unevaluated*), so a third validator judges where the two differ.
import { pathToFileURL } from 'node:url'
import { Probe, Random, finish, require, test } from './probe.mjs'

const SCHEMAS = Number(process.env.STROM_ORACLE_SCHEMAS ?? 500)
const PAYLOADS = 24
const probe = new Probe()

const DRAFTS = {
  'draft 7': { ajv: 'ajv', uri: 'http://json-schema.org/draft-07/schema#', defs: 'definitions', judge: 'draft-07' },
  '2019-09': {
    ajv: 'ajv/dist/2019', uri: 'https://json-schema.org/draft/2019-09/schema', defs: '$defs', judge: 'draft-2019-09'
  },
  '2020-12': {
    ajv: 'ajv/dist/2020', uri: 'https://json-schema.org/draft/2020-12/schema', defs: '$defs', judge: 'draft-2020-12'
  }
}

const NAMES = ['a', 'b', 'c', 'dd', 'é', 'a.b', 'a"b', 'long-name-of-a-property']
const STRINGS = ['', 'a', 'ab', 'abc', 'é', '🐲', '🐲é', 'a b', '2020-01-01', 'x\ny', 'A1', 'aaaa']
const NUMBERS = [0, 1, -1, 2, 3, 5, 10, 0.5, -0.25, 1.5, 1e3, 7, 100]
const PATTERNS = ['^a', 'b$', '^[a-c]+$', '^.$', '^..$', '^\\w+$', '\\d', '^(?!a)', '^(a|ab)(c|bcd)?$', '^\\p{L}*$',
  '^[^a]', '^$', '^(?=.*b).{2,}$', '^a{2,}$', '\\s', '^(.)\\1', '^\\p{Lu}\\d$']

class Generator {
  constructor (random, draft) {
    this.r = random
    this.draft = draft
    this.later = draft !== 'draft 7'
  }

  chance (n) {
    return this.r.below(n) === 0
  }

  some (list, max) {
    const picked = new Set()
    for (let i = this.r.below(max + 1); i > 0; i--) picked.add(this.r.pick(list))
    return [...picked]
  }

  value (depth) {
    const kind = this.r.below(depth > 0 ? 9 : 6)
    switch (kind) {
      case 0: return null
      case 1: return this.chance(2)
      case 2: case 3: return this.r.pick(NUMBERS)
      case 4: case 5: return this.r.pick(STRINGS)
      case 6: case 7: return Object.fromEntries(this.some(NAMES, 4).map(n => [n, this.value(depth - 1)]))
      default: return Array.from({ length: this.r.below(4) }, () => this.value(depth - 1))
    }
  }

  list (depth, max = 3) {
    return Array.from({ length: 1 + this.r.below(max) }, () => this.schema(depth - 1))
  }

  map (depth) {
    return Object.fromEntries(this.some(NAMES, 4).map(n => [n, this.schema(depth - 1)]))
  }

  schema (depth) {
    if (depth <= 0 || this.chance(8)) {
      return this.r.pick([true, true, false, {}, { type: 'string' }, { type: 'integer' }, { type: 'object' },
        { type: ['null', 'array'] }, { const: this.value(1) }, { enum: [this.value(1), this.value(0), 1] },
        { $ref: '#/' + DRAFTS[this.draft].defs + '/' + this.r.pick(['x', 'y']) }])
    }
    const s = {}
    const makers = this.makers(depth)
    for (let i = 1 + this.r.below(4); i > 0; i--) Object.assign(s, this.r.pick(makers)())
    return s
  }

  makers (depth) {
    const r = this.r
    const sub = () => this.schema(depth - 1)
    const makers = [
      () => ({ type: r.pick(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']) }),
      () => ({ type: this.some(['object', 'array', 'string', 'number', 'null'], 3).concat('boolean') }),
      () => ({ enum: Array.from({ length: 1 + r.below(12) }, () => this.value(2)) }),
      () => ({ const: this.value(2) }),
      () => ({ minLength: r.below(3) }), () => ({ maxLength: r.below(4) }), () => ({ pattern: r.pick(PATTERNS) }),
      () => ({ minimum: r.pick(NUMBERS) }), () => ({ maximum: r.pick(NUMBERS) }),
      () => ({ exclusiveMinimum: r.pick(NUMBERS) }), () => ({ exclusiveMaximum: r.pick(NUMBERS) }),
      () => ({ multipleOf: r.pick([1, 2, 0.5, 3, 0.25]) }),
      () => ({ properties: this.map(depth) }), () => ({ properties: this.map(depth) }),
      () => ({ properties: this.map(depth), required: this.some(NAMES, 2) }),
      () => ({ required: this.some(NAMES, 3) }),
      () => ({ additionalProperties: sub() }), () => ({ additionalProperties: false, properties: this.map(depth) }),
      () => ({ patternProperties: { [r.pick(PATTERNS)]: sub(), [r.pick(PATTERNS)]: sub() } }),
      () => ({ propertyNames: sub() }), () => ({ minProperties: r.below(3) }), () => ({ maxProperties: r.below(4) }),
      () => ({ minItems: r.below(3) }), () => ({ maxItems: r.below(4) }), () => ({ uniqueItems: true }),
      () => ({ contains: sub() }), () => ({ items: sub() }), () => ({ items: sub() }),
      () => ({ allOf: this.list(depth) }), () => ({ anyOf: this.list(depth) }), () => ({ oneOf: this.list(depth) }),
      () => ({ not: sub() }), () => ({ if: sub(), then: sub(), else: sub() })
    ]
    if (this.draft === '2020-12') {
      makers.push(() => ({ prefixItems: this.list(depth) }))
    } else {
      makers.push(() => ({ items: this.list(depth), additionalItems: sub() }))
    }
    if (this.later) {
      makers.push(
        () => ({ dependentRequired: { [r.pick(NAMES)]: this.some(NAMES, 2) } }),
        () => ({ dependentSchemas: { [r.pick(NAMES)]: sub() } }),
        () => ({ contains: sub(), minContains: r.below(3), maxContains: 1 + r.below(3) }),
        () => ({ unevaluatedProperties: sub() }), () => ({ unevaluatedProperties: false }),
        () => ({ unevaluatedItems: sub() }), () => ({ unevaluatedItems: false }),
        () => ({ $ref: '#/$defs/' + r.pick(['x', 'y']) }))
    } else {
      makers.push(() => ({ dependencies: { [r.pick(NAMES)]: this.some(NAMES, 2), [r.pick(NAMES)]: sub() } }))
    }
    return makers
  }

  document () {
    const { uri, defs } = DRAFTS[this.draft]
    const body = this.schema(3)
    const root = typeof body === 'object' && !('$ref' in body && this.draft === 'draft 7') ? body : { allOf: [body] }
    // x refers to itself one level down, so that recursion is met.
    const x = { anyOf: [{ type: 'string' }, { type: 'object', properties: { a: { $ref: `#/${defs}/x` } } }] }
    return { $schema: uri, [defs]: { x, y: this.leaf() }, ...root }
  }

  leaf () {
    return this.r.pick([{ type: 'number' }, { minLength: 2 }, { type: ['array', 'null'] }, { maximum: 3 }, true])
  }

  // A value that has a chance to fit: shaped by the schema where that is easy.
  fitting (schema, depth) {
    if (typeof schema !== 'object' || depth <= 0 || this.chance(6)) return this.value(2)
    if ('const' in schema && !this.chance(4)) return schema.const
    if (schema.enum && !this.chance(4)) return this.r.pick(schema.enum)
    for (const k of ['allOf', 'anyOf', 'oneOf']) {
      if (schema[k] && this.chance(2)) return this.fitting(this.r.pick(schema[k]), depth - 1)
    }
    const known = { ...schema.properties, ...schema.dependentSchemas }
    if (Object.keys(known).length > 0 || schema.required) {
      const value = {}
      for (const n of [...(schema.required ?? []), ...Object.keys(known)]) {
        if (!this.chance(4)) value[n] = this.fitting(known[n] ?? true, depth - 1)
      }
      if (this.chance(3)) value[this.r.pick(NAMES)] = this.value(1)
      return value
    }
    const items = schema.prefixItems ?? (Array.isArray(schema.items) ? schema.items : undefined)
    if (items) return items.slice(0, this.r.below(items.length + 1)).map(s => this.fitting(s, depth - 1))
    if (schema.items !== undefined || schema.contains !== undefined) {
      const of = schema.items ?? schema.contains
      return Array.from({ length: this.r.below(4) }, () => this.fitting(of, depth - 1))
    }
    return this.value(2)
  }
}

// White space and escapes do not change what a payload is.
function write (random, value) {
  let text = random.below(3) === 0 ? JSON.stringify(value, null, 1) : JSON.stringify(value)
  if (random.below(3) === 0) {
    const escape = c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')
    text = text.replace(/[a-zé]/gu, c => random.below(6) === 0 ? escape(c) : c)
    if (!isJson(text)) text = JSON.stringify(value)
  }
  return text
}

function isJson (text) {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

// ajv's code for unevaluatedProperties throws at some payloads; undefined then.
function ask (validate, value) {
  try {
    return validate(value)
  } catch {
    return undefined
  }
}

const judges = {}
let judged = 0

// What @hyperjump/json-schema says.
async function third (name, schema, value) {
  judges[name] ??= await import(pathToFileURL(require.resolve(`@hyperjump/json-schema/${name}`)).href)
  const uri = `https://example.org/${judged++}`
  judges[name].registerSchema(schema, uri)
  return (await judges[name].validate(uri, value)).valid
}

for (const [draft, { ajv, judge }] of Object.entries(DRAFTS)) {
  const Ajv = require(ajv).default
  await test(`${draft}: random schemas and payloads`, async () => {
    const random = new Random(20201200 + draft.length * 7)
    let agreed = 0
    let valid = 0
    let skipped = 0
    let crashed = 0
    const wrong = []
    const waiting = []
    for (let n = 0; n < SCHEMAS; n++) {
      const generator = new Generator(random, draft)
      const schema = generator.document()
      let validate
      try {
        validate = new Ajv({ strict: false, validateFormats: false, logger: false }).compile(schema)
      } catch (e) {
        skipped++
        continue
      }
      const texts = Array.from({ length: PAYLOADS }, () => write(random, generator.fitting(schema, 5)))
      const answer = probe.ask({ op: 'check', format: 'JSON', schema: JSON.stringify(schema),
        payloads: texts.map(t => Buffer.from(t).toString('hex')) })
      waiting.push(answer.then(a => {
        if (!a.ok) throw new Error(`${a.error} for ${JSON.stringify(schema)}`)
        texts.forEach((text, i) => {
          const theirs = ask(validate, JSON.parse(text))
          if (theirs === undefined) {
            crashed++
          } else if (theirs === a.verdicts[i].ok) {
            agreed++
            valid += theirs ? 1 : 0
          } else {
            wrong.push({ schema, text, theirs, ours: a.verdicts[i] })
          }
        })
      }))
      if (waiting.length >= 50) await Promise.all(waiting.splice(0))
    }
    await Promise.all(waiting)
    let alone = 0
    for (let i = wrong.length - 1; i >= 0; i--) {
      if (await third(judge, wrong[i].schema, JSON.parse(wrong[i].text)) === wrong[i].ours.ok) {
        alone++
        wrong.splice(i, 1)
      }
    }
    wrong.sort((a, b) => JSON.stringify(a.schema).length - JSON.stringify(b.schema).length)
    if (wrong.length > 0) {
      throw new Error(`${wrong.length} of ${agreed + wrong.length} differ: ${JSON.stringify(wrong[0])}`)
    }
    if (alone > agreed / 100) throw new Error(`ajv alone differs ${alone} times in ${agreed}`)
    if (valid < agreed / 10) throw new Error(`only ${valid} of ${agreed} payloads were valid: nothing is shown`)
    return `${agreed} verdicts agree, ${valid} of them valid; ajv alone differs at ${alone}; ` +
      `${skipped} schemas that ajv refuses, ${crashed} payloads at which its code throws`
  })
}

await test('what differs by a member is told apart', async () => {
  const schema = JSON.stringify({ type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] })
  const payloads = ['{"a":1}', '{"a":1.5}', '{}', '{"a":1'].map(t => Buffer.from(t).toString('hex'))
  const { verdicts } = await probe.ask({ op: 'check', format: 'JSON', schema, payloads })
  if (verdicts.map(v => v.ok).join() !== 'true,false,false,false') throw new Error(JSON.stringify(verdicts))
})

finish(probe)
