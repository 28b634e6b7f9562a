// SPDX-License-Identifier: Apache-2.0
// A group member with kafka-crab-js 5.0.0 (a recent librdkafka through Rust).
import { createRequire } from 'node:module'
import { IS_AUTO, Owned, SETTINGS, start, stopped, tell } from './member.mjs'

const { KafkaClientConfig } = createRequire(import.meta.url)('kafka-crab-js')

const ASSIGNORS = { range: 'range', roundrobin: 'roundrobin', cooperative: 'cooperative-sticky' }
const client = new KafkaClientConfig({
  brokers: SETTINGS.bootstrap, clientId: SETTINGS.name, logLevel: 'error', brokerAddressFamily: 'v4', configuration: {}
})
const consumer = client.createConsumer({
  groupId: SETTINGS.group,
  enableAutoCommit: IS_AUTO,
  configuration: {
    'session.timeout.ms': SETTINGS.session_ms,
    'heartbeat.interval.ms': SETTINGS.heartbeat_ms,
    'partition.assignment.strategy': ASSIGNORS[SETTINGS.assignor],
    'auto.offset.reset': 'earliest',
    'auto.commit.interval.ms': 200,
    'topic.metadata.refresh.interval.ms': 500,
    'fetch.wait.max.ms': 100,
    'reconnect.backoff.max.ms': 500,
    ...(SETTINGS.instance && { 'group.instance.id': SETTINGS.instance })
  }
})
const owned = new Owned()
consumer.onEvents((error, event) => {
  if (error) return tell('notice', { text: String(error) })
  if (event.name !== 'PreRebalance') return
  const { action, tpl } = event.payload
  const partitions = tpl.flatMap(t => t.partitionOffset.map(p => [t.topic, p.partition]))
  if (action === 'assign') owned.assign(partitions)
  else owned.revoke(partitions)
})

start()
stopped.then(leave)
await consumer.subscribe(SETTINGS.topics.map(topic => ({ topic })))
for (;;) {
  const message = await receive()
  tell('records', { rows: [[message.topic, message.partition, message.offset, String(message.payload)]] })
  if (!IS_AUTO) await commit(message)
}

async function receive () {
  for (;;) {
    try {
      const message = await consumer.recv() // not recvBatch, which holds back what it gathers
      if (message !== null) return message
      await stopped
    } catch (error) {
      tell(/FencedInstance/.test(error.message) ? 'fenced' : 'notice', { text: error.message })
    }
  }
}

async function commit (message) {
  try {
    await consumer.commitMessage(message, 'Sync')
    tell('committed', { offsets: [[message.topic, message.partition, message.offset + 1]] })
  } catch (error) {
    tell('refused', { text: error.message })
  }
}

async function leave () {
  await consumer.disconnect()
  owned.revoke()
  tell('left')
  process.exit(0)
}
