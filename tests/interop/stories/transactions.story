# kafka-transactions: what is open, who writes, and how an administrator ends it.
$ kafka-topics --create --topic ledger --partitions 1
| Created topic ledger.
$ kafka-transactions list
| TransactionalId	Coordinator	ProducerId	TransactionState
& bank kafka-producer-perf-test --bootstrap-server $B --command-property linger.ms=0 --topic ledger --num-records 500 --record-size 10 --throughput 20 --transactional-id bank --transaction-duration-ms 3000000
% until Ongoing
$ kafka-transactions list
| TransactionalId	Coordinator	ProducerId	TransactionState
| bank           	1          	0         	Ongoing
$ kafka-transactions list --transactional-id-pattern b.*
| TransactionalId	Coordinator	ProducerId	TransactionState
| bank           	1          	0         	Ongoing
$ kafka-transactions list --transactional-id-pattern x.*
| TransactionalId	Coordinator	ProducerId	TransactionState
$ kafka-transactions list --duration-filter 100000000
| TransactionalId	Coordinator	ProducerId	TransactionState
$ kafka-transactions describe --transactional-id bank
| CoordinatorId	TransactionalId	ProducerId	ProducerEpoch	TransactionState	TransactionTimeoutMs	CurrentTransactionStartTimeMs	TransactionDurationMs	TopicPartitions
| 1            	bank           	0         	0            	Ongoing         	60000               	<ms>                	<n>	ledger-0
$ kafka-transactions describe --transactional-id nobody
| Failed to describe transaction state of transactional-id `nobody`: DescribeTransactions request for transactionalId `nobody` failed because the ID could not be found. Enable debug logging for additional detail.
= 1
% sort
$ kafka-transactions describe-producers --topic ledger --partition 0
| 0         	0            	-1                    	<n>	<ms>	<n>
| ProducerId	ProducerEpoch	LatestCoordinatorEpoch	LastSequence	LastTimestamp	CurrentTransactionStartOffset
$ kafka-transactions find-hanging --broker-id 1 --max-transaction-timeout 1
| Topic	Partition	ProducerId	ProducerEpoch	CoordinatorEpoch	StartOffset	LastTimestamp	Duration(min)
$ kafka-transactions find-hanging --topic ledger --max-transaction-timeout 15
| Topic	Partition	ProducerId	ProducerEpoch	CoordinatorEpoch	StartOffset	LastTimestamp	Duration(min)
$ kafka-transactions find-hanging --topic ledger --partition 0 --max-transaction-timeout 15
| Topic	Partition	ProducerId	ProducerEpoch	CoordinatorEpoch	StartOffset	LastTimestamp	Duration(min)
$ kafka-transactions abort --topic ledger --partition 0 --start-offset 77
| Could not find any open transactions starting at offset 77 on partition ledger-0
= 1
$ kafka-transactions abort --topic ledger --partition 0 --start-offset 0
$ kafka-transactions forceTerminateTransaction --transactionalId bank
% until Empty
$ kafka-transactions list
| TransactionalId	Coordinator	ProducerId	TransactionState
| bank           	1          	0         	Empty
$ kafka-transactions describe --transactional-id bank
| CoordinatorId	TransactionalId	ProducerId	ProducerEpoch	TransactionState	TransactionTimeoutMs	CurrentTransactionStartTimeMs	TransactionDurationMs	TopicPartitions
| 1            	bank           	0         	2            	Empty           	30000               	None                         	None
$ kafka-transactions forceTerminateTransaction --transactionalId nobody
$ kafka-console-consumer --topic ledger --from-beginning --timeout-ms 2000 --isolation-level read_committed
| Processed a total of 0 messages
