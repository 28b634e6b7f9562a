# What an operator asks of the cluster.
$ kafka-topics --create --topic plain --partitions 2
| Created topic plain.
$ kafka-topics --create --topic solo
| Created topic solo.
$ kafka-cluster cluster-id --bootstrap-server $B
| Cluster ID: <id>
$ kafka-cluster list-endpoints --bootstrap-server $B
| ID         HOST      PORT       RACK       STATE      ENDPOINT_TYPE
| 1          127.0.0.1 <port>      null       unfenced   broker
# No brokers come and go.
$ kafka-cluster unregister --bootstrap-server $B --id 9
K org.apache.kafka.common.errors.BrokerIdNotRegisteredException: Broker ID 9 is not currently registered
K java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.BrokerIdNotRegisteredException: Broker ID 9 is not currently registered
K = 1
S The target cluster does not support the broker unregistration API.
# What Kafka has and Strom does not: SASL, delegation tokens, share and streams groups.
% grep usable: |id: 1
$ kafka-broker-api-versions
| $B (id: 1 rack: null isFenced: false) -> (
| 	Produce(0): 0 to 13 [usable: 13],
| 	Fetch(1): 4 to 18 [usable: 18],
| 	ListOffsets(2): 1 to 11 [usable: 11],
| 	Metadata(3): 0 to 13 [usable: 13],
| 	OffsetCommit(8): 2 to 10 [usable: 10],
| 	OffsetFetch(9): 1 to 10 [usable: 10],
| 	FindCoordinator(10): 0 to 6 [usable: 6],
| 	JoinGroup(11): 0 to 9 [usable: 9],
| 	Heartbeat(12): 0 to 4 [usable: 4],
| 	LeaveGroup(13): 0 to 5 [usable: 5],
| 	SyncGroup(14): 0 to 5 [usable: 5],
| 	DescribeGroups(15): 0 to 6 [usable: 6],
| 	ListGroups(16): 0 to 5 [usable: 5],
K 	SaslHandshake(17): 0 to 1 [usable: 1],
| 	ApiVersions(18): 0 to 4 [usable: 4],
| 	CreateTopics(19): 2 to 7 [usable: 7],
| 	DeleteTopics(20): 1 to 6 [usable: 6],
| 	DeleteRecords(21): 0 to 2 [usable: 2],
| 	InitProducerId(22): 0 to 5 [usable: 5],
| 	OffsetForLeaderEpoch(23): 2 to 4 [usable: 4],
| 	AddPartitionsToTxn(24): 0 to 5 [usable: 5],
| 	AddOffsetsToTxn(25): 0 to 4 [usable: 4],
| 	EndTxn(26): 0 to 5 [usable: 5],
| 	WriteTxnMarkers(27): 1 to 2 [usable: 2],
| 	TxnOffsetCommit(28): 0 to 5 [usable: 5],
| 	DescribeAcls(29): 1 to 3 [usable: 3],
| 	CreateAcls(30): 1 to 3 [usable: 3],
| 	DeleteAcls(31): 1 to 3 [usable: 3],
| 	DescribeConfigs(32): 1 to 4 [usable: 4],
| 	AlterConfigs(33): 0 to 2 [usable: 2],
K 	AlterReplicaLogDirs(34): 1 to 2 [usable: 2],
| 	DescribeLogDirs(35): 1 to 4 [usable: 4],
K 	SaslAuthenticate(36): 0 to 2 [usable: 2],
| 	CreatePartitions(37): 0 to 3 [usable: 3],
K 	CreateDelegationToken(38): 1 to 3 [usable: 3],
K 	RenewDelegationToken(39): 1 to 2 [usable: 2],
K 	ExpireDelegationToken(40): 1 to 2 [usable: 2],
K 	DescribeDelegationToken(41): 1 to 3 [usable: 3],
| 	DeleteGroups(42): 0 to 2 [usable: 2],
| 	ElectLeaders(43): 0 to 2 [usable: 2],
| 	IncrementalAlterConfigs(44): 0 to 1 [usable: 1],
| 	AlterPartitionReassignments(45): 0 to 1 [usable: 1],
| 	ListPartitionReassignments(46): 0 [usable: 0],
| 	OffsetDelete(47): 0 [usable: 0],
| 	DescribeClientQuotas(48): 0 to 1 [usable: 1],
| 	AlterClientQuotas(49): 0 to 1 [usable: 1],
| 	DescribeUserScramCredentials(50): 0 [usable: 0],
K 	AlterUserScramCredentials(51): 0 [usable: 0],
| 	DescribeQuorum(55): 0 to 2 [usable: 2],
| 	UpdateFeatures(57): 0 to 2 [usable: 2],
| 	DescribeCluster(60): 0 to 2 [usable: 2],
| 	DescribeProducers(61): 0 [usable: 0],
K 	UnregisterBroker(64): 0 [usable: 0],
| 	DescribeTransactions(65): 0 [usable: 0],
| 	ListTransactions(66): 0 to 2 [usable: 2],
| 	ConsumerGroupHeartbeat(68): 0 to 1 [usable: 1],
| 	ConsumerGroupDescribe(69): 0 to 1 [usable: 1],
| 	ListConfigResources(74): 0 to 1 [usable: 1],
| 	DescribeTopicPartitions(75): 0 [usable: 0],
K 	ShareGroupHeartbeat(76): 1 [usable: 1],
K 	ShareGroupDescribe(77): 1 [usable: 1],
K 	ShareFetch(78): 1 to 2 [usable: 2],
K 	ShareAcknowledge(79): 1 to 2 [usable: 2],
K 	AddRaftVoter(80): 0 to 1 [usable: 1],
K 	RemoveRaftVoter(81): 0 [usable: 0],
K 	InitializeShareGroupState(83): 0 [usable: 0],
K 	ReadShareGroupState(84): 0 [usable: 0],
K 	WriteShareGroupState(85): 0 to 1 [usable: 1],
K 	DeleteShareGroupState(86): 0 [usable: 0],
K 	ReadShareGroupStateSummary(87): 0 to 1 [usable: 1],
K 	StreamsGroupHeartbeat(88): 0 [usable: 0],
K 	StreamsGroupDescribe(89): 0 [usable: 0],
K 	DescribeShareGroupOffsets(90): 0 to 1 [usable: 1],
K 	AlterShareGroupOffsets(91): 0 [usable: 0],
K 	DeleteShareGroupOffsets(92): 0 [usable: 0]
# The other features are of things that Strom does not have.
$ kafka-features describe
K Feature: eligible.leader.replicas.version	SupportedMinVersion: 0	SupportedMaxVersion: 1	FinalizedVersionLevel: 1	Epoch: <n>
| Feature: group.version	SupportedMinVersion: 0	SupportedMaxVersion: 1	FinalizedVersionLevel: 1	Epoch: <n>
K Feature: kraft.version	SupportedMinVersion: 0	SupportedMaxVersion: 1	FinalizedVersionLevel: 0	Epoch: <n>
K Feature: metadata.version	SupportedMinVersion: 3.3-IV3	SupportedMaxVersion: 4.2-IV1	FinalizedVersionLevel: 4.2-IV1	Epoch: <n>
K Feature: share.version	SupportedMinVersion: 0	SupportedMaxVersion: 1	FinalizedVersionLevel: 1	Epoch: <n>
K Feature: streams.version	SupportedMinVersion: 0	SupportedMaxVersion: 1	FinalizedVersionLevel: 1	Epoch: <n>
| Feature: transaction.version	SupportedMinVersion: 0	SupportedMaxVersion: 2	FinalizedVersionLevel: 2	Epoch: <n>
# The log of Kafka's metadata is at another place each time.
% drop HighWatermark|CurrentVoters
$ kafka-metadata-quorum describe --status
| ClusterId: <id>
| LeaderId:               1
| LeaderEpoch:            1
| MaxFollowerLag:         0
| MaxFollowerLagTimeMs:   0
| CurrentObservers:       []
% grep NodeId
$ kafka-metadata-quorum describe --replication
| NodeId	DirectoryId           	LogEndOffset	Lag	LastFetchTimestamp	LastCaughtUpTimestamp	Status
$ kafka-log-dirs --describe --topic-list plain,solo
| Querying brokers for log directories information
| Received log directory information from brokers 1
| {"brokers":[{"broker":1,"logDirs":[{"partitions":[{"partition":"solo-0","size":0,"offsetLag":0,"isFuture":false},{"partition":"plain-1","size":0,"offsetLag":0,"isFuture":false},{"partition":"plain-0","size":0,"offsetLag":0,"isFuture":false}],"error":null,"logDir":"<data>"}]}],"version":1}
$ kafka-log-dirs --describe --topic-list plain --broker-list 1
| Querying brokers for log directories information
| Received log directory information from brokers 1
| {"brokers":[{"broker":1,"logDirs":[{"partitions":[{"partition":"plain-1","size":0,"offsetLag":0,"isFuture":false},{"partition":"plain-0","size":0,"offsetLag":0,"isFuture":false}],"error":null,"logDir":"<data>"}]}],"version":1}
$ kafka-leader-election --election-type preferred --topic plain --partition 0
| Valid replica already elected for partitions plain-0
$ kafka-leader-election --election-type preferred --all-topic-partitions
$ kafka-leader-election --election-type unclean --topic plain --partition 1
| Valid replica already elected for partitions plain-1
$ kafka-leader-election --election-type preferred --topic nowhere --partition 0
| Error completing leader election (PREFERRED) for partition: nowhere-0: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: No such topic as nowhere
| 1 replica(s) could not be elected
| org.apache.kafka.tools.AdminCommandFailedException: 1 replica(s) could not be elected
| 	Suppressed: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: No such topic as nowhere
= 1
$ kafka-reassign-partitions --list
| No partition reassignments found.
@ move.json {"version": 1, "partitions": [{"topic": "plain", "partition": 0, "replicas": [1]}]}
$ kafka-reassign-partitions --execute --reassignment-json-file $DIR/move.json
| Current partition replica assignment
| {"version":1,"partitions":[{"topic":"plain","partition":0,"replicas":[1],"log_dirs":["<data>"]}]}
| Save this to use as the --reassignment-json-file option during rollback
| Successfully started partition reassignment for plain-0
$ kafka-reassign-partitions --verify --reassignment-json-file $DIR/move.json
| Status of partition reassignment:
| Reassignment of partition plain-0 is completed.
| Clearing broker-level throttles on broker 1
| Clearing topic-level throttles on topic plain
@ far.json {"version": 1, "partitions": [{"topic": "plain", "partition": 0, "replicas": [7]}]}
$ kafka-reassign-partitions --execute --reassignment-json-file $DIR/far.json
| Error: Unknown broker id 7
| org.apache.kafka.tools.AdminCommandFailedException: Unknown broker id 7
= 1
@ topics.json {"version": 1, "topics": [{"topic": "plain"}]}
$ kafka-reassign-partitions --generate --topics-to-move-json-file $DIR/topics.json --broker-list 1
| Current partition replica assignment
| {"version":1,"partitions":[{"topic":"plain","partition":0,"replicas":[1],"log_dirs":["<data>"]},{"topic":"plain","partition":1,"replicas":[1],"log_dirs":["<data>"]}]}
| Proposed partition reassignment configuration
| {"version":1,"partitions":[{"topic":"plain","partition":0,"replicas":[1],"log_dirs":["any"]},{"topic":"plain","partition":1,"replicas":[1],"log_dirs":["any"]}]}
$ kafka-acls --list
| Error while executing ACL command: org.apache.kafka.common.errors.SecurityDisabledException: No Authorizer is configured on the broker
| java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.SecurityDisabledException: No Authorizer is configured on the broker
= 1
$ kafka-acls --add --allow-principal User:alice --operation Read --topic plain
| Error while executing ACL command: org.apache.kafka.common.errors.SecurityDisabledException: No Authorizer is configured on the broker
| java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.SecurityDisabledException: No Authorizer is configured on the broker
= 1
$ kafka-transactions list
| TransactionalId	Coordinator	ProducerId	TransactionState
$ kafka-transactions describe --transactional-id nobody
| Failed to describe transaction state of transactional-id `nobody`: DescribeTransactions request for transactionalId `nobody` failed because the ID could not be found. Enable debug logging for additional detail.
= 1
$ kafka-console-producer --topic solo --command-property enable.idempotence=true
> hello
$ kafka-transactions describe-producers --topic solo --partition 0
| ProducerId	ProducerEpoch	LatestCoordinatorEpoch	LastSequence	LastTimestamp	CurrentTransactionStartOffset
| 0         	0            	-1                    	<n>	<ms>	None
$ kafka-log-dirs --describe --topic-list solo
| Querying brokers for log directories information
| Received log directory information from brokers 1
| {"brokers":[{"broker":1,"logDirs":[{"partitions":[{"partition":"solo-0","size":73,"offsetLag":0,"isFuture":false}],"error":null,"logDir":"<data>"}]}],"version":1}
$ kafka-transactions find-hanging --broker-id 1
| Topic	Partition	ProducerId	ProducerEpoch	CoordinatorEpoch	StartOffset	LastTimestamp	Duration(min)
$ kafka-client-metrics --list
# Clients are asked for no metrics.
$ kafka-client-metrics --alter --name slow --metrics org.apache.kafka.producer. --interval 30000
K Altered client metrics config for slow.
S Error while executing client metrics command : Client metrics subscriptions are not kept: this broker asks clients for no metrics
S = 1
$ kafka-client-metrics --describe
K Client metrics configs for slow are:
K   interval.ms=30000
K   match=
K   metrics=org.apache.kafka.producer.
