# kafka-configs: quotas of clients and users.
$ kafka-configs --alter --entity-type clients --entity-name greedy --add-config producer_byte_rate=1024,consumer_byte_rate=2048
| Completed updating config for client greedy.
$ kafka-configs --alter --entity-type clients --entity-default --add-config request_percentage=200
| Completed updating default config for clients in the cluster.
$ kafka-configs --alter --entity-type users --entity-name alice --add-config producer_byte_rate=4096
| Completed updating config for user alice.
$ kafka-configs --alter --entity-type users --entity-name alice --entity-type clients --entity-name greedy --add-config consumer_byte_rate=512
| Completed updating config for user alice.
$ kafka-configs --describe --entity-type clients --entity-name greedy
| Quota configs for client-id 'greedy' are consumer_byte_rate=2048.0, producer_byte_rate=1024.0
% sort
$ kafka-configs --describe --entity-type clients
| Quota configs for client-id 'greedy' are consumer_byte_rate=2048.0, producer_byte_rate=1024.0
| Quota configs for the default client-id are request_percentage=200.0
% sort
$ kafka-configs --describe --entity-type users
| Quota configs for user-principal 'alice' are producer_byte_rate=4096.0
$ kafka-configs --describe --entity-type users --entity-name alice --entity-type clients --entity-name greedy
| Quota configs for user-principal 'alice', client-id 'greedy' are consumer_byte_rate=512.0
$ kafka-configs --alter --entity-type clients --entity-name greedy --add-config no_such_quota=1
| Only quota configs can be added for 'clients' using --bootstrap-server. Unexpected config names: Set(no_such_quota)
= 1
$ kafka-configs --alter --entity-type clients --entity-name greedy --delete-config producer_byte_rate
| Completed updating config for client greedy.
$ kafka-configs --describe --entity-type clients --entity-name greedy
| Quota configs for client-id 'greedy' are consumer_byte_rate=2048.0
