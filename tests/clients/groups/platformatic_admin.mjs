// SPDX-License-Identifier: Apache-2.0
// Groups from the outside with the admin client of @platformatic/kafka (new versions of every API).
import { BOOTSTRAP, check, equal, expectError, freshTopic, runAll } from '../scenario.mjs'

const { Admin, Consumer, Producer } = await import(process.env.STROM_PLATFORMATIC ?? '@platformatic/kafka')

const common = { clientId: 'platformatic-admin', bootstrapBrokers: [BOOTSTRAP], retries: 1 }
const admin = new Admin(common)

// A topic of 3 partitions with 10 records each, and the id of a group for it.
async function prepare () {
  const topic = freshTopic('platformatic-admin')
  await admin.createTopics({ topics: [topic], partitions: 3, replicas: 1 })
  const producer = new Producer(common)
  await producer.send({
    messages: Array.from({ length: 30 }, (_, i) => ({ topic, partition: i % 3, value: Buffer.from(`record ${i}`) }))
  })
  await producer.close()
  return { topic, groupId: freshTopic('platformatic-admin-group') }
}

// A member that has read `count` records and committed what it read; with the first offset of each partition.
async function join ({ topic, groupId }, count) {
  const consumer = new Consumer({
    ...common, groupId, sessionTimeout: 6000, rebalanceTimeout: 6000, heartbeatInterval: 500, maxWaitTime: 100
  })
  const stream = await consumer.consume({
    topics: [topic], mode: 'committed', fallbackMode: 'earliest', autocommit: false
  })
  const first = {}
  const next = {}
  for await (const { partition, offset } of stream) {
    first[partition] ??= Number(offset)
    next[partition] = offset + 1n
    if (--count === 0) break
  }
  await consumer.commit({
    offsets: Object.entries(next).map(([p, offset]) => ({ topic, partition: Number(p), offset, leaderEpoch: -1 }))
  })
  return { consumer, first }
}

async function offsets ({ topic, groupId }) {
  const groups = [{ groupId, topics: [{ name: topic, partitionIndexes: [0, 1, 2] }] }]
  const [{ topics: [{ partitions }] }] = await admin.listConsumerGroupOffsets({ groups })
  return partitions.sort((a, b) => a.partitionIndex - b.partitionIndex).map(p => Number(p.committedOffset))
}

async function describe (groupId) {
  return (await admin.describeGroups({ groups: [groupId] })).get(groupId)
}

const upper = state => state?.toUpperCase() // 1.x gives it in capitals

await runAll(process.env.STROM_PLATFORMATIC ? 'platformatic-2 groups' : 'platformatic groups', {
  async admin_describe () {
    const game = await prepare()
    const { consumer } = await join(game, 30)
    const listed = (await admin.listGroups()).get(game.groupId)
    equal('in the list', [upper(listed?.state), listed?.groupType], ['STABLE', 'classic'])
    equal('protocol type', listed.protocolType, 'consumer')
    const only = await admin.listGroups({ states: ['EMPTY'] })
    check(!only.has(game.groupId), 'a stable group is listed among the empty ones')
    const group = await describe(game.groupId)
    equal('state', upper(group.state), 'STABLE')
    const [member] = group.members.values()
    equal('member', [group.members.size, member.id, member.clientId], [1, consumer.memberId, 'platformatic-admin'])
    equal('assignment', [...member.assignments.values()], [{ topic: game.topic, partitions: [0, 1, 2] }])
    await consumer.close(true)
    equal('state', upper((await describe(game.groupId)).state), 'EMPTY')
  },
  async admin_offsets () {
    const game = await prepare()
    const { consumer } = await join(game, 30)
    const setting = {
      groupId: game.groupId, topics: [{ name: game.topic, partitionOffsets: [{ partition: 1, offset: 7n }] }]
    }
    await expectError(['UNKNOWN_MEMBER_ID'], () => admin.alterConsumerGroupOffsets(setting))
    await consumer.close(true)
    equal('after', await offsets(game), [10, 10, 10])
    await admin.alterConsumerGroupOffsets(setting)
    equal('altered', await offsets(game), [10, 7, 10])
    const { consumer: again, first } = await join(game, 3)
    equal('read again', first, { 1: 7 })
    const deletion = { groupId: game.groupId, topics: [{ name: game.topic, partitionIndexes: [2] }] }
    await expectError(['GROUP_SUBSCRIBED_TO_TOPIC'], () => admin.deleteConsumerGroupOffsets(deletion))
    await again.close(true)
    await admin.deleteConsumerGroupOffsets(deletion)
    equal('deleted', await offsets(game), [10, 10, -1])
  },
  async admin_remove_members () {
    const game = await prepare()
    const { consumer } = await join(game, 30)
    await admin.removeMembersFromConsumerGroup({ groupId: game.groupId, members: [{ memberId: consumer.memberId }] })
    equal('state', upper((await describe(game.groupId)).state), 'EMPTY')
    await consumer.close(true).catch(() => {}) // it wants to leave a group that it is not in
  },
  async admin_delete () {
    const game = await prepare()
    const { consumer } = await join(game, 30)
    await expectError(['NON_EMPTY_GROUP'], () => admin.deleteGroups({ groups: [game.groupId] }))
    await consumer.close(true)
    await admin.deleteGroups({ groups: [game.groupId] })
    check(!(await admin.listGroups()).has(game.groupId), 'the group is still listed')
    equal('offsets', await offsets(game), [-1, -1, -1])
    await expectError(['GROUP_ID_NOT_FOUND'], () => admin.deleteGroups({ groups: [game.groupId] }))
  }
})
