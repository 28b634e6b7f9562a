// SPDX-License-Identifier: Apache-2.0
// probe.mjs - a probe for scripts, seeded randomness, and the lines that ./dev counts.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
// The npm packages lie with those of the clients.
export const require = createRequire(here + '../clients/')

export class Probe {
  constructor (path = process.env.STROM_FORMAT_PROBE ?? here + '../../build/tests/format/format_probe') {
    this.process = spawn(path, [], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.waiting = []
    this.process.on('exit', code => this.waiting.forEach(w => w.reject(new Error(`${path} ended with ${code}`))))
    createInterface({ input: this.process.stdout }).on('line', line => this.waiting.shift().resolve(JSON.parse(line)))
  }

  ask (request) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
      this.process.stdin.write(JSON.stringify(request) + '\n')
    })
  }

  close () {
    this.process.stdin.end()
  }
}

// mulberry32: 32 bits of state, the same everywhere.
export class Random {
  constructor (seed) {
    this.state = seed >>> 0
  }

  next () {
    this.state = (this.state + 0x6D2B79F5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  below (bound) {
    return this.next() % bound
  }

  pick (list) {
    return list[this.below(list.length)]
  }
}

let failures = 0

// One line per case; its function throws what is wrong and may return a note.
export async function test (name, run) {
  try {
    const note = await run()
    console.log(`ok ${name}${note ? ` (${note})` : ''}`)
  } catch (e) {
    failures++
    console.log(`not ok ${name}: ${String(e.message).slice(0, 2000)}`)
  }
}

export function finish (probe) {
  probe.close()
  process.exitCode = failures > 0 ? 1 : 0
}
