// SPDX-License-Identifier: Apache-2.0
// A group member with kafkajs 2.2.4.
import { createRequire } from 'node:module'
import { IS_AUTO, Owned, SETTINGS, start, stopped, tell } from './member.mjs'

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs')

const kafka = new Kafka({
  brokers: [SETTINGS.bootstrap],
  clientId: SETTINGS.name,
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 }
})
const consumer = kafka.consumer({
  groupId: SETTINGS.group,
  sessionTimeout: SETTINGS.session_ms,
  rebalanceTimeout: SETTINGS.session_ms,
  heartbeatInterval: SETTINGS.heartbeat_ms,
  metadataMaxAge: 500,
  maxWaitTimeInMs: 100,
  allowAutoTopicCreation: false
})
const owned = new Owned()

async function eachBatch ({ batch, isRunning, isStale }) {
  if (!isRunning() || isStale()) return
  const { topic, partition } = batch
  tell('records', { rows: batch.messages.map(m => [topic, partition, Number(m.offset), String(m.value)]) })
  if (IS_AUTO) return
  const next = Number(batch.lastOffset()) + 1
  try {
    await consumer.commitOffsets([{ topic, partition, offset: String(next) }])
    tell('committed', { offsets: [[topic, partition, next]] })
  } catch (error) {
    tell('refused', { text: String(error) })
    throw error // kafkajs joins again if that is why
  }
}

consumer.on('consumer.rebalancing', () => owned.revoke())
consumer.on('consumer.group_join', ({ payload }) => {
  owned.assign(Object.entries(payload.memberAssignment).flatMap(([t, ps]) => ps.map(p => [t, p])))
})
consumer.on('consumer.crash', ({ payload }) => {
  tell('notice', { text: String(payload.error) })
  if (!payload.restart) process.exit(1) // as its documentation advises
})

start()
await consumer.connect()
await consumer.subscribe({ topics: SETTINGS.topics, fromBeginning: true })
await consumer.run({ autoCommit: IS_AUTO, autoCommitInterval: 200, eachBatch })
await stopped
await consumer.disconnect()
owned.revoke()
tell('left')
process.exit(0)
