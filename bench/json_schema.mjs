// SPDX-License-Identifier: Apache-2.0
// json_schema.mjs - json_schema.c's files by ajv: JSON.parse and the compiled validator, as a consumer does it.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(new URL('../tests/clients/', import.meta.url))
const drafts = { '2019-09': require('ajv/dist/2019').default, '2020-12': require('ajv/dist/2020').default }

for (const path of process.argv.slice(2)) {
  const { schema, payloads } = JSON.parse(readFileSync(path, 'utf8'))
  const draft = Object.keys(drafts).find(d => schema.$schema.includes(d))
  const Ajv = drafts[draft] ?? require('ajv').default
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema)
  const texts = payloads.map(p => JSON.stringify(p))
  let best = Infinity
  for (let round = 0; round < 1000; round++) {
    const begin = process.hrtime.bigint()
    for (let i = 0; i < 10; i++) {
      for (const text of texts) {
        if (!validate(JSON.parse(text))) throw new Error(`${path}: ${JSON.stringify(validate.errors)}`)
      }
    }
    best = Math.min(best, Number(process.hrtime.bigint() - begin) / (10 * texts.length))
  }
  console.log(JSON.stringify({ file: path, ns: best }))
}
