// SPDX-License-Identifier: Apache-2.0
// member.mjs - member.py for the npm clients: the settings they are given, the events they tell, the word to stop.
import { createInterface } from 'node:readline'

export const SETTINGS = JSON.parse(process.argv[2] ?? '{}')
export const IS_AUTO = SETTINGS.commit === 'auto'

let stop
export const stopped = new Promise(resolve => { stop = resolve })

// CLOCK_MONOTONIC in seconds, as Python's time.monotonic(). A write to a pipe is done when it returns.
export function tell (event, fields = {}) {
  const at = Number(process.hrtime.bigint()) / 1e9
  process.stdout.write(JSON.stringify({ event, at, ...fields }) + '\n')
}

export function start () {
  tell('started', { pid: process.pid })
  const lines = createInterface({ input: process.stdin })
  lines.on('line', line => JSON.parse(line)[0] === 'stop' && stop())
  lines.on('close', stop) // whoever started us has gone
}

// What this member owns, told as it changes.
export class Owned {
  partitions = []

  // The rest is given up by then, unless rebalances are cooperative; not every client tells so.
  assign (partitions, generation) {
    if (SETTINGS.assignor !== 'cooperative') this.revoke(this.partitions, true)
    this.partitions = [...this.partitions, ...partitions]
    tell('assigned', { partitions, generation })
  }

  revoke (partitions = this.partitions, lost = false) {
    const names = new Set(partitions.map(String))
    this.partitions = this.partitions.filter(p => !names.has(String(p)))
    if (partitions.length > 0) tell('revoked', { partitions, lost })
  }

  has (topic, partition) {
    return this.partitions.some(([t, p]) => t === topic && p === partition)
  }
}

// Offsets of records that were told and not yet committed.
export class Pending {
  offsets = new Map()

  add (topic, partition, next) {
    this.offsets.set(`${topic}/${partition}`, [topic, partition, next])
  }

  take () {
    const offsets = [...this.offsets.values()]
    this.offsets.clear()
    return offsets
  }
}
