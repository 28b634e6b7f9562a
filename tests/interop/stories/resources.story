# Configurations of what is neither a topic nor a broker.
# Strom has one logger; its level holds until the broker stops.
% grep root
$ kafka-configs --describe --entity-type broker-loggers --entity-name 1
K   root=ERROR sensitive=false synonyms={}
S   root=INFO sensitive=false synonyms={}
$ kafka-configs --alter --entity-type broker-loggers --entity-name 1 --add-config root=WARN
| Completed updating config for broker-logger 1.
% grep root
$ kafka-configs --describe --entity-type broker-loggers --entity-name 1
|   root=WARN sensitive=false synonyms={}
$ kafka-configs --alter --entity-type broker-loggers --entity-name 1 --add-config no.such.logger=WARN
| Invalid broker logger(s): no.such.logger
= 1
$ kafka-configs --alter --entity-type broker-loggers --entity-name 1 --delete-config root
| Error while executing config command with args '--bootstrap-server $B --alter --entity-type broker-loggers --entity-name 1 --delete-config root'
| java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidRequestException: Removing the log level of the root logger is not allowed
= 1
# Nothing subscribes to client metrics, and nothing can.
$ kafka-configs --describe --entity-type client-metrics
$ kafka-configs --describe --entity-type client-metrics --entity-name slow
| The client-metric 'slow' doesn't exist and doesn't have dynamic config.
$ kafka-configs --alter --entity-type client-metrics --entity-name slow --add-config interval.ms=1000
K Completed updating config for client-metric slow.
S Error while executing config command with args '--bootstrap-server $B --alter --entity-type client-metrics --entity-name slow --add-config interval.ms=1000'
S java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidRequestException: Client metrics subscriptions are not kept: this broker asks clients for no metrics
S = 1
# Groups get settings of their own with the new group protocol.
$ kafka-configs --describe --entity-type groups
$ kafka-configs --describe --entity-type groups --entity-name g
| The group 'g' doesn't exist and doesn't have dynamic config.
$ kafka-configs --alter --entity-type groups --entity-name g --add-config zork=1
| Error while executing config command with args '--bootstrap-server $B --alter --entity-type groups --entity-name g --add-config zork=1'
| java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidConfigurationException: Unknown group config name: zork
= 1
$ kafka-configs --alter --entity-type groups --entity-name g --add-config consumer.session.timeout.ms=50000
K Completed updating config for group g.
S Error while executing config command with args '--bootstrap-server $B --alter --entity-type groups --entity-name g --add-config consumer.session.timeout.ms=50000'
S java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidConfigurationException: Unknown group config name: consumer.session.timeout.ms
S = 1
