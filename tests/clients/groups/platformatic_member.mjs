// SPDX-License-Identifier: Apache-2.0
// A group member with @platformatic/kafka, or with the one that STROM_PLATFORMATIC names.
import { IS_AUTO, Owned, Pending, SETTINGS, start, stopped, tell } from './member.mjs'

const { Consumer } = await import(process.env.STROM_PLATFORMATIC ?? '@platformatic/kafka')

const consumer = new Consumer({
  groupId: SETTINGS.group,
  clientId: SETTINGS.name,
  bootstrapBrokers: [SETTINGS.bootstrap],
  ...(SETTINGS.instance && { groupInstanceId: SETTINGS.instance }),
  sessionTimeout: SETTINGS.session_ms,
  rebalanceTimeout: SETTINGS.session_ms,
  heartbeatInterval: SETTINGS.heartbeat_ms,
  metadataMaxAge: 500,
  maxWaitTime: 100,
  retries: 5, // it also asks again after refusals that stay: each costs it a second
  retryDelay: 200
})
const owned = new Owned()
const pending = new Pending()
const next = new Map() // "topic/partition": the offset to pass on next
let joins = 0
let held = null // messages that came since the last join, until the committed offsets are known

consumer.on('consumer:group:rebalance', () => owned.revoke())
consumer.on('consumer:group:join', ({ generationId, assignments }) => {
  pending.take()
  held = []
  owned.assign(assignments.flatMap(({ topic, partitions }) => partitions.map(p => [topic, p])), generationId)
  lookUp(++joins, assignments)
})
consumer.on('error', error => tell('notice', { text: String(error) }))
consumer.on('consumer:heartbeat:error', ({ error }) => {
  tell(error.findBy?.('apiId', 'FENCED_INSTANCE_ID') ? 'fenced' : 'notice', { text: String(error) })
})

start()
const stream = await consumer.consume({
  topics: SETTINGS.topics, mode: 'committed', fallbackMode: 'earliest', autocommit: IS_AUTO ? 200 : false
})
stream.on('data', message => held === null ? deliver(message) : held.push(message))

// At a join the stream goes back to the committed offsets: it hands out again what came since them and, from its
// buffer or from a position of long ago, what others have delivered. Neither is passed on.
async function lookUp (join, topics) {
  const committed = topics.length > 0 ? await consumer.listCommittedOffsets({ topics }) : new Map()
  if (join !== joins) return // the group has moved on
  for (const [topic, partition] of owned.partitions) {
    const name = `${topic}/${partition}`
    const offset = Math.max(Number(committed.get(topic)?.[partition] ?? 0), 0)
    const delivered = next.get(name) ?? 0
    if (offset < delivered) pending.add(topic, partition, delivered)
    else next.set(name, offset)
  }
  const messages = held
  held = null
  messages.forEach(deliver)
}

function deliver ({ topic, partition, offset, value }) {
  const name = `${topic}/${partition}`
  if (offset < (next.get(name) ?? 0)) return
  next.set(name, Number(offset) + 1)
  tell('records', { rows: [[topic, partition, Number(offset), String(value)]] })
  pending.add(topic, partition, Number(offset) + 1)
}

let timer = setTimeout(commitNow, 50)

async function commitNow () {
  await commit()
  timer = setTimeout(commitNow, 50)
}

async function commit () {
  const offsets = pending.take().filter(([topic, partition]) => owned.has(topic, partition))
  if (IS_AUTO || offsets.length === 0) return
  try {
    const rows = offsets.map(([topic, partition, offset]) => ({
      topic, partition, offset: BigInt(offset), leaderEpoch: -1
    }))
    await consumer.commit({ offsets: rows })
    tell('committed', { offsets })
  } catch (error) {
    tell('refused', { text: String(error) }) // a join follows, and looks up what is committed
  }
}

await stopped
clearTimeout(timer)
await stream.close()
await commit()
await consumer.close(true)
owned.revoke()
tell('left')
process.exit(0)
