// SPDX-License-Identifier: Apache-2.0
// scenario.mjs - scenario.py for the npm clients: the same records, the same ok / not ok lines.
import { inspect, isDeepStrictEqual } from 'node:util'
import { randomBytes } from 'node:crypto'

export const BOOTSTRAP = process.env.STROM_BOOTSTRAP ?? '127.0.0.1:9092'
export const PARTITIONS = 3
export const RECORDS = 300
export const TIME_MS = Date.now() - 3_600_000 // old enough, too young for retention

// Empty now and then, one of 100,000 bytes, else up to 600 bytes of every value.
function valueOf (i) {
  const length = i === 150 ? 100_000 : i % 13 === 0 ? 0 : (i * 37) % 600
  return Buffer.from(Array.from({ length }, (_, j) => (i * 31 + j * 7) & 255))
}

export function records () {
  return Array.from({ length: RECORDS }, (_, i) => {
    const key = i % 7 === 3 ? null : Buffer.from(`key-${i}`)
    return {
      partition: i % PARTITIONS,
      key,
      value: i % 11 === 5 && key ? null : valueOf(i),
      headers: i % 5 === 0
        ? {}
        : { trace: Buffer.from(String(i)), empty: Buffer.alloc(0), bin: Buffer.from([0, 255, i & 255]) },
      timestamp: TIME_MS + i
    }
  })
}

export function freshTopic (what) {
  return `${what}-${randomBytes(5).toString('hex')}`
}

export function check (claim, message) {
  if (!claim) throw new Error(message)
}

export function equal (what, got, expected) {
  if (!isDeepStrictEqual(got, expected)) {
    const show = x => inspect(x, { depth: 4, breakLength: Infinity }).slice(0, 300)
    throw new Error(`${what}: got ${show(got)}, expected ${show(expected)}`)
  }
}

// fetched: {partition: [{offset, key, value, headers, timestamp}]}. Every byte, every offset, in order.
export function compare (fetched, expected = records(), fields = ['key', 'value', 'headers', 'timestamp']) {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const want = expected.filter(r => r.partition === partition)
    const got = fetched[partition] ?? []
    equal(`records in partition ${partition}`, got.length, want.length)
    got.forEach((record, number) => {
      equal(`offset in partition ${partition}`, record.offset, number)
      for (const field of fields) {
        equal(`${field} of ${partition}/${number}`, record[field], want[number][field])
      }
    })
  }
}

// Runs action, which has to fail with one of the Kafka error names somewhere in its error.
export async function expectError (codes, action) {
  let error
  try {
    await action()
  } catch (e) {
    error = e
  }
  check(error, `no error, expected one of ${codes}`)
  const text = inspect(error, { depth: 8 }) + (error.errors ? inspect(error.errors, { depth: 8 }) : '')
  check(codes.some(code => text.includes(code)), `wrong error: ${text.slice(0, 400)}, expected one of ${codes}`)
}

const SCENARIO_SECONDS = 40

export async function runAll (client, scenarios) {
  let failed = 0
  for (const [name, scenario] of Object.entries(scenarios)) {
    let timer
    const late = new Promise((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not finished after ${SCENARIO_SECONDS} s`)), SCENARIO_SECONDS * 1000)
    })
    try {
      await Promise.race([scenario(), late])
      console.log(`ok ${client} ${name}`)
    } catch (e) {
      failed++
      console.log(`not ok ${client} ${name}: ${inspect(e, { depth: 5 }).replace(/\s+/g, ' ').slice(0, 700)}`)
    } finally {
      clearTimeout(timer)
    }
  }
  process.exit(failed ? 1 : 0)
}
