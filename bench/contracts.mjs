// SPDX-License-Identifier: Apache-2.0
// contracts.mjs - what contracts.py's rules take in @confluentinc/schemaregistry: serialising without and with them.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(new URL('../tests/clients/', import.meta.url))
const {
  SchemaRegistryClient, AvroSerializer, JsonSerializer, SerdeType, RuleRegistry, CelExecutor
} = require('@confluentinc/schemaregistry')

const { format, schema, rules, orders, broken } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const registry = new RuleRegistry()
registry.registerExecutor(new CelExecutor())
const client = SchemaRegistryClient.newClient({ baseURLs: ['mock://'] })
const Serializer = format === 'AVRO' ? AvroSerializer : JsonSerializer
const conf = { useLatestVersion: true, autoRegisterSchemas: false }
await client.register('plain-value', { schema, schemaType: format })
await client.register('ruled-value', { schema, schemaType: format, ruleSet: { domainRules: rules } })

const serializer = new Serializer(client, SerdeType.VALUE, conf, registry)

async function best (topic) {
  let best = Infinity
  for (let round = 0; round < 30; round++) {
    const begin = process.hrtime.bigint()
    for (const order of orders) await serializer.serialize(topic, order)
    best = Math.min(best, Number(process.hrtime.bigint() - begin) / orders.length)
  }
  return best
}

// Rules that are skipped cost nothing.
if (await serializer.serialize('ruled', broken).then(() => true, () => false)) {
  throw new Error('a record that breaks a rule was serialised')
}
console.log(JSON.stringify({ plain_ns: await best('plain'), ruled_ns: await best('ruled') }))
