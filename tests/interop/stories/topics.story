# kafka-topics: a topic's life. Kafka 4 stores min.insync.replicas for the whole cluster and so shows it everywhere.
$ kafka-topics --create --topic life --partitions 3 --config retention.ms=99000
| Created topic life.
$ kafka-topics --create --topic life
| Error while executing topic command : Topic 'life' already exists.
= 1
$ kafka-topics --create --topic life --if-not-exists
# Strom does not send names back that no topic can have.
$ kafka-topics --create --topic 'no good'
K Error while executing topic command : Topic name is invalid: 'no good' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'
S Error while executing topic command : Topic name is invalid: it contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'
= 1
# One broker takes any replication factor for one, and any broker's id for its own: scripts ask for three.
$ kafka-topics --create --topic three --replication-factor 3
K Error while executing topic command : Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 broker(s) are registered.
K = 1
S Created topic three.
$ kafka-topics --create --topic badconfig --config no.such.setting=1
| Error while executing topic command : Unknown topic config name: no.such.setting
= 1
$ kafka-topics --create --topic badvalue --config retention.ms=soon
| Error while executing topic command : Invalid value soon for configuration retention.ms: Not a number of type LONG
= 1
$ kafka-topics --create --topic with.dot
| WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.
| Created topic with.dot.
$ kafka-topics --create --topic placed --replica-assignment 1,1
| Created topic placed.
$ kafka-topics --create --topic placed2 --replica-assignment 7
K Error while executing topic command : The manual partition assignment includes broker 7, but no such broker is registered.
K = 1
S Created topic placed2.
% sort
$ kafka-topics --describe --topic life
| 	Topic: life	Partition: 0	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
| 	Topic: life	Partition: 1	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
| 	Topic: life	Partition: 2	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
K Topic: life	TopicId: <id>	PartitionCount: 3	ReplicationFactor: 1	Configs: min.insync.replicas=1,retention.ms=99000
S Topic: life	TopicId: <id>	PartitionCount: 3	ReplicationFactor: 1	Configs: retention.ms=99000
$ kafka-topics --alter --topic life --partitions 5
$ kafka-topics --alter --topic life --partitions 4
| Error while executing topic command : The topic life currently has 5 partition(s); 4 would not be an increase.
= 1
% sort
$ kafka-topics --describe --topic life
| 	Topic: life	Partition: 0	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
| 	Topic: life	Partition: 1	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
| 	Topic: life	Partition: 2	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
| 	Topic: life	Partition: 3	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
| 	Topic: life	Partition: 4	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
K Topic: life	TopicId: <id>	PartitionCount: 5	ReplicationFactor: 1	Configs: min.insync.replicas=1,retention.ms=99000
S Topic: life	TopicId: <id>	PartitionCount: 5	ReplicationFactor: 1	Configs: retention.ms=99000
% sort
$ kafka-topics --list
| life
| placed
S placed2
S three
| with.dot
$ kafka-topics --describe --topic nowhere
| Error while executing topic command : Topic 'nowhere' does not exist as expected
= 1
$ kafka-topics --alter --topic nowhere --partitions 9
| Error while executing topic command : Topic 'nowhere' does not exist as expected
= 1
$ kafka-topics --describe --under-replicated-partitions
$ kafka-topics --describe --unavailable-partitions
% sort
$ kafka-topics --describe --topics-with-overrides
K Topic: life	TopicId: <id>	PartitionCount: 5	ReplicationFactor: 1	Configs: min.insync.replicas=1,retention.ms=99000
K Topic: placed	TopicId: <id>	PartitionCount: 2	ReplicationFactor: 1	Configs: min.insync.replicas=1
K Topic: with.dot	TopicId: <id>	PartitionCount: 1	ReplicationFactor: 1	Configs: min.insync.replicas=1
S Topic: life	TopicId: <id>	PartitionCount: 5	ReplicationFactor: 1	Configs: retention.ms=99000
$ kafka-topics --delete --topic life
$ kafka-topics --delete --topic nowhere
| Error while executing topic command : Topic 'nowhere' does not exist as expected
= 1
$ kafka-topics --delete --topic nowhere --if-exists
% sort
$ kafka-topics --list
| placed
S placed2
S three
| with.dot
# The name is free again.
$ kafka-topics --create --topic life
| Created topic life.
$ kafka-topics --describe --topic life
K Topic: life	TopicId: <id>	PartitionCount: 1	ReplicationFactor: 1	Configs: min.insync.replicas=1
S Topic: life	TopicId: <id>	PartitionCount: 1	ReplicationFactor: 1	Configs:
| 	Topic: life	Partition: 0	Leader: 1	Replicas: 1	Isr: 1	Elr: 	LastKnownElr:
