// SPDX-License-Identifier: Apache-2.0
// Groups from the outside with the admin client of kafkajs 2.2.4: list, describe, offsets, reset, delete.
import { createRequire } from 'node:module'
import { BOOTSTRAP, check, equal, expectError, freshTopic, runAll } from '../scenario.mjs'

const { Kafka, AssignerProtocol, logLevel } = createRequire(import.meta.url)('kafkajs')

const kafka = new Kafka({
  brokers: [BOOTSTRAP],
  clientId: 'kafkajs-admin',
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, retries: 8 }
})
const admin = kafka.admin()
await admin.connect()

// A topic of 3 partitions with 10 records each, and the id of a group for it.
async function prepare () {
  const topic = freshTopic('kafkajs-admin')
  await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] })
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({ length: 30 }, (_, i) => ({ partition: i % 3, value: `record ${i}` }))
  await producer.send({ topic, messages })
  await producer.disconnect()
  return { topic, groupId: freshTopic('kafkajs-admin-group') }
}

// A member that has read what is there; resolves with it and the first offset that came of each partition.
async function join ({ topic, groupId }, count) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 100 })
  const first = {}
  let left = count
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
    const eachMessage = async ({ partition, message }) => {
      first[partition] ??= message.offset
      if (--left === 0) resolve()
    }
    consumer.run({ autoCommitThreshold: 1, eachMessage }).catch(reject)
  })
  return { consumer, first }
}

async function offsets ({ topic, groupId }) {
  const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] })
  return partitions.sort((a, b) => a.partition - b.partition).map(p => p.offset)
}

const state = async groupId => (await admin.describeGroups([groupId])).groups[0].state

await runAll('kafkajs groups', {
  async admin_describe () {
    const game = await prepare()
    const { consumer } = await join(game, 30)
    const listed = (await admin.listGroups()).groups.find(g => g.groupId === game.groupId)
    equal('protocol type in the list', listed?.protocolType, 'consumer')
    const { groups: [group] } = await admin.describeGroups([game.groupId])
    equal('error', group.errorCode, 0)
    equal('state', group.state, 'Stable')
    equal('protocol', group.protocol, 'RoundRobinAssigner')
    equal('members', group.members.map(m => m.clientId), ['kafkajs-admin'])
    check(/^\/?127\.0\.0\.1$/.test(group.members[0].clientHost), `client host ${group.members[0].clientHost}`)
    const { assignment } = AssignerProtocol.MemberAssignment.decode(group.members[0].memberAssignment)
    equal('assignment', assignment[game.topic].sort(), [0, 1, 2])
    const { topics } = AssignerProtocol.MemberMetadata.decode(group.members[0].memberMetadata)
    equal('subscription', topics, [game.topic])
    await consumer.disconnect()
    equal('state', await state(game.groupId), 'Empty')
    equal('state of no group', await state(freshTopic('nobody')), 'Dead')
  },
  async admin_offsets () {
    const game = await prepare()
    equal('before', await offsets(game), ['-1', '-1', '-1'])
    const { consumer } = await join(game, 30)
    const setting = { groupId: game.groupId, topic: game.topic, partitions: [{ partition: 1, offset: '7' }] }
    await expectError(['must have no running instances'], () => admin.setOffsets(setting))
    await consumer.disconnect()
    equal('after', await offsets(game), ['10', '10', '10'])
    await admin.setOffsets(setting)
    equal('set', await offsets(game), ['10', '7', '10'])
    const { consumer: again, first } = await join(game, 3)
    equal('read again', first, { 1: '7' })
    await again.disconnect()
    await admin.resetOffsets({ groupId: game.groupId, topic: game.topic, earliest: true })
    const { consumer: last, first: all } = await join(game, 30)
    equal('read from the start', all, { 0: '0', 1: '0', 2: '0' })
    await last.disconnect()
  },
  async admin_delete () {
    const game = await prepare()
    const { consumer } = await join(game, 30)
    await expectError(['NON_EMPTY_GROUP'], () => admin.deleteGroups([game.groupId]))
    await consumer.disconnect()
    equal('deleted', (await admin.deleteGroups([game.groupId]))[0].errorCode, 0)
    equal('state', await state(game.groupId), 'Dead')
    equal('offsets', await offsets(game), ['-1', '-1', '-1'])
    check(!(await admin.listGroups()).groups.some(g => g.groupId === game.groupId), 'the group is still listed')
    await expectError(['GROUP_ID_NOT_FOUND'], () => admin.deleteGroups([game.groupId]))
  }
})
