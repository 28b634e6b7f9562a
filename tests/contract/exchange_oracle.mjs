// SPDX-License-Identifier: Apache-2.0
// exchange_oracle.mjs - what `strom contract export` writes, held against the standards' own words: ODCS documents
// against ODCS's JSON Schema (of the package open-data-contract-standard from PyPI, STROM_ODCS_SCHEMA), AsyncAPI
// documents by @asyncapi/parser with its parsers for Avro and Protobuf.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { finish, require, test } from '../format/probe.mjs'

const Ajv = require('ajv/dist/2019').default
const { Parser } = require('@asyncapi/parser')
const { AvroSchemaParser } = require('@asyncapi/avro-schema-parser')
const { ProtoBuffSchemaParser } = require('@asyncapi/protobuf-schema-parser')
const yaml = createRequire(require.resolve('@asyncapi/parser'))('js-yaml')

const STROM = process.env.STROM_BROKER ?? fileURLToPath(new URL('../../build/src/server/strom', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'strom-exchange-'))
const odcs = new Ajv({ strict: false, validateFormats: false, allErrors: true })
  .compile(JSON.parse(readFileSync(process.env.STROM_ODCS_SCHEMA)))
const asyncapi = new Parser({ schemaParsers: [AvroSchemaParser(), ProtoBuffSchemaParser()] })

function freePort () {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

const [kafka, http] = [await freePort(), await freePort()]
const env = { ...process.env, STROM_BOOTSTRAP: `127.0.0.1:${kafka}`, STROM_REGISTRY: `http://127.0.0.1:${http}` }
const broker = spawn(STROM, ['serve', '--set', `data.dir=${join(folder, 'data')}`,
  '--set', `listeners=127.0.0.1:${kafka}`, '--set', `http.listeners=127.0.0.1:${http}`], { stdio: 'ignore' })

const strom = (...words) => execFileSync(STROM, words, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

async function ready () {
  for (let tries = 0; tries < 600; tries++) {
    try {
      return strom('cluster')
    } catch (e) {
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  throw new Error('the broker does not answer')
}

const rules = { domainRules: [
  { name: 'positive', doc: 'amounts are positive', kind: 'CONDITION', type: 'CEL', mode: 'WRITE',
    expr: 'message.amount > 0' },
  { name: 'named', kind: 'CONDITION', type: 'CEL', mode: 'WRITE', expr: "message.by != ''", onFailure: 'NONE' }] }
const metadata = { properties: { owner: 'shop', 'confluent:version': '1.2.3' }, tags: { '**.by': ['PII'] } }
const SIDES = {
  json: {
    schemaType: 'JSON',
    schema: {
      type: 'object',
      required: ['amount'],
      properties: {
        amount: { type: 'number', minimum: 0 },
        by: { type: 'string', format: 'date-time' },
        lines: { type: 'array', items: { type: 'object', properties: { sku: { type: ['string', 'null'] } } } },
        any: {}
      }
    }
  },
  avro: {
    schemaType: 'AVRO',
    schema: {
      type: 'record',
      name: 'Order',
      namespace: 'shop',
      fields: [{ name: 'amount', type: 'double' }, { name: 'by', type: 'string' },
        { name: 'lines', type: { type: 'array', items: { type: 'record', name: 'Line', fields: [
          { name: 'sku', type: ['null', 'string'], default: null }] } } },
        { name: 'day', type: { type: 'int', logicalType: 'date' } },
        { name: 'tags', type: { type: 'map', values: 'long' } }]
    }
  },
  protobuf: {
    schemaType: 'PROTOBUF',
    schema: 'syntax = "proto3"; package shop; message Order { double amount = 1; string by = 2; '
      + 'repeated Line lines = 3; message Line { optional string sku = 1; } }'
  }
}
const full = name => ({ ...SIDES[name], ruleSet: rules, metadata })

function odcsCheck (topic) {
  const document = JSON.parse(strom('contract', 'export', topic, '--format', 'json'))
  if (!odcs(document)) {
    throw new Error(JSON.stringify(odcs.errors.slice(0, 5)))
  }
  const written = yaml.load(strom('contract', 'export', topic), { schema: yaml.JSON_SCHEMA })
  if (!isDeepStrictEqual(written, document)) {
    throw new Error('as YAML it is another document')
  }
}

async function asyncapiCheck (topic, side) {
  for (const format of ['json', 'yaml']) {
    const text = strom('contract', 'export', topic, '--as', 'asyncapi', '--format', format)
    const { document, diagnostics } = await asyncapi.parse(text)
    const bad = diagnostics.filter(d => d.severity === 0)
    if (bad.length > 0) {
      throw new Error(JSON.stringify(bad.slice(0, 5).map(d => `${d.path.join('.')}: ${d.message}`)))
    }
    const message = document.channels().all()[0].messages().all()[0]
    if (side === 'key' && message.hasPayload()) {
      throw new Error('a contract for keys alone says what values are')
    }
    if (side !== 'key' && !message.payload().properties()?.amount) {
      throw new Error('the fields of the payload are not seen')
    }
  }
}

await ready()
try {
  for (const name of Object.keys(SIDES)) {
    for (const side of ['value', 'key', 'both']) {
      const topic = `${name}-${side}`
      const path = join(folder, `${topic}.json`)
      const contract = { topic, settings: { 'strom.validation.on.failure': 'dlq' } }
      if (side !== 'value') contract.key = full(name)
      if (side !== 'key') contract.value = full(name)
      writeFileSync(path, JSON.stringify(contract))
      strom('contract', 'apply', path, '--yes')
      await test(`odcs ${topic}`, () => odcsCheck(topic))
      await test(`asyncapi ${topic}`, () => asyncapiCheck(topic, side))
    }
  }
  await test('the judges refuse', async () => {
    if (odcs({ kind: 'DataContract', apiVersion: 'v3.1.0' })) throw new Error('an ODCS document without an id passes')
    const { diagnostics } = await asyncapi.parse('{"asyncapi": "3.1.0", "info": {"title": "t"}}')
    if (!diagnostics.some(d => d.severity === 0)) throw new Error('an AsyncAPI document without a version passes')
  })
} finally {
  broker.kill()
}
broker.on('exit', () => rmSync(folder, { recursive: true }))
finish({ close () {} })
