# kafka-configs: topics and brokers. A setting whose default Kafka keeps under another name (log.retention.hours) or
# nowhere has no synonyms there; Strom names the broker's setting.
$ kafka-topics --create --topic settings
| Created topic settings.
$ kafka-configs --alter --entity-type topics --entity-name settings --add-config max.message.bytes=2000,retention.ms=5000
| Completed updating config for topic settings.
$ kafka-configs --describe --entity-type topics --entity-name settings
| Dynamic configs for topic settings are:
|   max.message.bytes=2000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000, DEFAULT_CONFIG:message.max.bytes=1048588}
K   retention.ms=5000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=5000}
S   retention.ms=5000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=5000, DEFAULT_CONFIG:log.retention.ms=604800000}
$ kafka-configs --alter --entity-type topics --entity-name settings --add-config cleanup.policy=[compact,delete]
| Completed updating config for topic settings.
$ kafka-configs --alter --entity-type topics --entity-name settings --delete-config retention.ms
| Completed updating config for topic settings.
$ kafka-configs --describe --entity-type topics --entity-name settings
| Dynamic configs for topic settings are:
|   cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}
|   max.message.bytes=2000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000, DEFAULT_CONFIG:message.max.bytes=1048588}
$ kafka-configs --alter --entity-type topics --entity-name settings --add-config no.such.setting=1
| Error while executing config command with args '--bootstrap-server $B --alter --entity-type topics --entity-name settings --add-config no.such.setting=1'
| java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidConfigurationException: Unknown topic config name: no.such.setting
= 1
$ kafka-configs --alter --entity-type topics --entity-name settings --add-config retention.ms=soon
| Error while executing config command with args '--bootstrap-server $B --alter --entity-type topics --entity-name settings --add-config retention.ms=soon'
| java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidConfigurationException: Invalid value soon for configuration retention.ms: Not a number of type LONG
= 1
$ kafka-configs --alter --entity-type topics --entity-name settings --delete-config retention.bytes
| Invalid config(s): retention.bytes
= 1
$ kafka-configs --alter --entity-type topics --entity-name nowhere --add-config retention.ms=1
| Error while executing config command with args '--bootstrap-server $B --alter --entity-type topics --entity-name nowhere --add-config retention.ms=1'
K java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.UnknownTopicOrPartitionException:
S java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.
= 1
$ kafka-configs --describe --entity-type topics --entity-name nowhere
| The topic 'nowhere' doesn't exist and doesn't have dynamic config.
$ kafka-configs --describe --entity-type topics
| Dynamic configs for topic settings are:
|   cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}
|   max.message.bytes=2000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000, DEFAULT_CONFIG:message.max.bytes=1048588}
% sort
$ kafka-configs --describe --entity-type topics --entity-name settings --all
|   cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}
|   compression.gzip.level=-1 sensitive=false synonyms={DEFAULT_CONFIG:compression.gzip.level=-1}
|   compression.lz4.level=9 sensitive=false synonyms={DEFAULT_CONFIG:compression.lz4.level=9}
|   compression.type=producer sensitive=false synonyms={DEFAULT_CONFIG:compression.type=producer}
|   compression.zstd.level=3 sensitive=false synonyms={DEFAULT_CONFIG:compression.zstd.level=3}
S   confluent.key.schema.validation=false sensitive=false synonyms={DEFAULT_CONFIG:confluent.key.schema.validation=false}
S   confluent.key.subject.name.strategy=io.confluent.kafka.serializers.subject.TopicNameStrategy sensitive=false synonyms={DEFAULT_CONFIG:confluent.key.subject.name.strategy=io.confluent.kafka.serializers.subject.TopicNameStrategy}
S   confluent.value.schema.validation=false sensitive=false synonyms={DEFAULT_CONFIG:confluent.value.schema.validation=false}
S   confluent.value.subject.name.strategy=io.confluent.kafka.serializers.subject.TopicNameStrategy sensitive=false synonyms={DEFAULT_CONFIG:confluent.value.subject.name.strategy=io.confluent.kafka.serializers.subject.TopicNameStrategy}
|   delete.retention.ms=86400000 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.delete.retention.ms=86400000}
|   file.delete.delay.ms=60000 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.delete.delay.ms=60000}
|   flush.messages=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.flush.interval.messages=9223372036854775807}
K   flush.ms=9223372036854775807 sensitive=false synonyms={}
K   follower.replication.throttled.replicas= sensitive=false synonyms={}
S   flush.ms=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.flush.interval.ms=9223372036854775807}
S   follower.replication.throttled.replicas= sensitive=false synonyms={DEFAULT_CONFIG:follower.replication.throttled.replicas=}
|   index.interval.bytes=4096 sensitive=false synonyms={DEFAULT_CONFIG:log.index.interval.bytes=4096}
K   leader.replication.throttled.replicas= sensitive=false synonyms={}
S   leader.replication.throttled.replicas= sensitive=false synonyms={DEFAULT_CONFIG:leader.replication.throttled.replicas=}
|   local.retention.bytes=-2 sensitive=false synonyms={DEFAULT_CONFIG:log.local.retention.bytes=-2}
|   local.retention.ms=-2 sensitive=false synonyms={DEFAULT_CONFIG:log.local.retention.ms=-2}
|   max.compaction.lag.ms=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.max.compaction.lag.ms=9223372036854775807}
|   max.message.bytes=2000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000, DEFAULT_CONFIG:message.max.bytes=1048588}
|   message.timestamp.after.max.ms=3600000 sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.after.max.ms=3600000}
|   message.timestamp.before.max.ms=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.before.max.ms=9223372036854775807}
|   message.timestamp.type=CreateTime sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.type=CreateTime}
|   min.cleanable.dirty.ratio=0.5 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.min.cleanable.ratio=0.5}
|   min.compaction.lag.ms=0 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.min.compaction.lag.ms=0}
K   min.insync.replicas=1 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:min.insync.replicas=1, DEFAULT_CONFIG:min.insync.replicas=1}
S   min.insync.replicas=1 sensitive=false synonyms={DEFAULT_CONFIG:min.insync.replicas=1}
|   preallocate=false sensitive=false synonyms={DEFAULT_CONFIG:log.preallocate=false}
K   remote.log.copy.disable=false sensitive=false synonyms={}
K   remote.log.delete.on.disable=false sensitive=false synonyms={}
K   remote.storage.enable=false sensitive=false synonyms={}
S   remote.log.copy.disable=false sensitive=false synonyms={DEFAULT_CONFIG:remote.log.copy.disable=false}
S   remote.log.delete.on.disable=false sensitive=false synonyms={DEFAULT_CONFIG:remote.log.delete.on.disable=false}
S   remote.storage.enable=false sensitive=false synonyms={DEFAULT_CONFIG:remote.storage.enable=false}
|   retention.bytes=-1 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.bytes=-1}
K   retention.ms=604800000 sensitive=false synonyms={}
S   retention.ms=604800000 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.ms=604800000}
|   segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}
|   segment.index.bytes=10485760 sensitive=false synonyms={DEFAULT_CONFIG:log.index.size.max.bytes=10485760}
K   segment.jitter.ms=0 sensitive=false synonyms={}
K   segment.ms=604800000 sensitive=false synonyms={}
S   segment.jitter.ms=0 sensitive=false synonyms={DEFAULT_CONFIG:log.roll.jitter.ms=0}
S   segment.ms=604800000 sensitive=false synonyms={DEFAULT_CONFIG:log.roll.ms=604800000}
S   strom.durability=fsync sensitive=false synonyms={DEFAULT_CONFIG:strom.durability=fsync}
S   strom.key.schema.version.min=0 sensitive=false synonyms={DEFAULT_CONFIG:strom.key.schema.version.min=0}
S   strom.key.subject= sensitive=false synonyms={DEFAULT_CONFIG:strom.key.subject=}
S   strom.key.validation.level=none sensitive=false synonyms={DEFAULT_CONFIG:strom.key.validation.level=none}
S   strom.validation.dlq.topic= sensitive=false synonyms={DEFAULT_CONFIG:strom.validation.dlq.topic=}
S   strom.validation.on.failure=reject sensitive=false synonyms={DEFAULT_CONFIG:strom.validation.on.failure=reject}
S   strom.value.null=accept sensitive=false synonyms={DEFAULT_CONFIG:strom.value.null=accept}
S   strom.value.schema.version.min=0 sensitive=false synonyms={DEFAULT_CONFIG:strom.value.schema.version.min=0}
S   strom.value.subject= sensitive=false synonyms={DEFAULT_CONFIG:strom.value.subject=}
S   strom.value.validation.level=none sensitive=false synonyms={DEFAULT_CONFIG:strom.value.validation.level=none}
|   unclean.leader.election.enable=false sensitive=false synonyms={DEFAULT_CONFIG:unclean.leader.election.enable=false}
| All configs for topic settings are:
# Kafka keeps settings of one broker apart from those of all; to Strom both are the same.
$ kafka-configs --describe --entity-type brokers --entity-name 1
| Dynamic configs for broker 1 are:
$ kafka-configs --alter --entity-type brokers --entity-name 1 --add-config log.retention.ms=777777
| Completed updating config for broker 1.
% until log.retention.ms=777777 s
$ kafka-configs --describe --entity-type brokers --entity-name 1
| Dynamic configs for broker 1 are:
K   log.retention.ms=777777 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=777777, DEFAULT_CONFIG:log.retention.hours=168}
S   log.retention.ms=777777 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=777777}
$ kafka-configs --alter --entity-type brokers --entity-name 1 --delete-config log.retention.ms
| Completed updating config for broker 1.
$ kafka-configs --alter --entity-type brokers --entity-default --add-config log.retention.ms=888888
| Completed updating default config for brokers in the cluster.
% until log.retention.ms=888888 s
$ kafka-configs --describe --entity-type brokers --entity-default
| Default configs for brokers in the cluster are:
|   log.retention.ms=888888 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=888888}
K   min.insync.replicas=1 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:min.insync.replicas=1}
$ kafka-configs --alter --entity-type brokers --entity-default --delete-config log.retention.ms
| Completed updating default config for brokers in the cluster.
$ kafka-configs --alter --entity-type brokers --entity-name 1 --add-config broker.id=9
| Error while executing config command with args '--bootstrap-server $B --alter --entity-type brokers --entity-name 1 --add-config broker.id=9'
K java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidRequestException: Cannot update these configs dynamically: Set(broker.id)
S java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidRequestException: Cannot update these configs dynamically: [broker.id]: set it at start, with --set or in the configuration file
= 1
