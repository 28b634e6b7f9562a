# kafka-consumer-groups and kafka-groups: consumers of the classic protocol come and go, offsets are reset and deleted.
$ kafka-groups --list
| GROUP                TYPE                 PROTOCOL
$ kafka-consumer-groups --list
$ kafka-topics --create --topic work --partitions 1
| Created topic work.
$ kafka-topics --create --topic other --partitions 2
| Created topic other.
$ kafka-console-producer --topic work
>* 100 job {}
% tail 2
$ kafka-console-consumer --topic work --group crew --from-beginning --max-messages 40 --timeout-ms 30000
| job 39
| Processed a total of 40 messages
$ kafka-consumer-groups --list
| crew
$ kafka-consumer-groups --list --state
| GROUP                     STATE
| crew                      Empty
$ kafka-consumer-groups --list --state Stable
| GROUP                     STATE
$ kafka-consumer-groups --list --type
| GROUP                     TYPE
| crew                      Classic
$ kafka-groups --list
| GROUP                TYPE                 PROTOCOL
| crew                 Classic              consumer
$ kafka-groups --list --consumer
| GROUP                TYPE                 PROTOCOL
| crew                 Classic              consumer
$ kafka-consumer-groups --describe --group crew
| Consumer group 'crew' has no active members.
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
| crew            work            0          40              100             60              -               -               -
$ kafka-consumer-groups --describe --group crew --state
| Consumer group 'crew' has no active members.
| GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                #MEMBERS
| crew            $B  (1)      -                    Empty                0
$ kafka-consumer-groups --describe --group crew --members
| Consumer group 'crew' has no active members.
| GROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS
$ kafka-consumer-groups --describe --group nobody
| Error: Executing consumer group command failed due to org.apache.kafka.common.errors.GroupIdNotFoundException: Group nobody not found.
| java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.GroupIdNotFoundException: Group nobody not found.
$ kafka-consumer-groups --describe --all-groups
| Consumer group 'crew' has no active members.
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
| crew            work            0          40              100             60              -               -               -
# The next member goes on where the first stopped.
% tail 2
$ kafka-console-consumer --topic work --group crew --max-messages 60 --timeout-ms 30000
| job 99
| Processed a total of 60 messages
$ kafka-consumer-groups --describe --group crew --offsets
| Consumer group 'crew' has no active members.
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
| crew            work            0          100             100             0               -               -               -
# A member that stays.
& reader kafka-console-consumer --topic work --group crew --command-property client.id=reader
% until reader
$ kafka-consumer-groups --describe --group crew
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID                                 HOST            CLIENT-ID
| crew            work            0          100             100             0               reader-<uuid> /127.0.0.1      reader
$ kafka-consumer-groups --describe --group crew --members
| GROUP           CONSUMER-ID                                 HOST            CLIENT-ID       #PARTITIONS
| crew            reader-<uuid> /127.0.0.1      reader          1
$ kafka-consumer-groups --describe --group crew --members --verbose
| GROUP           CONSUMER-ID                                 HOST            CLIENT-ID       #PARTITIONS     CURRENT-EPOCH   CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT
| crew            reader-<uuid> /127.0.0.1      reader          1               -               work:0               -               -
$ kafka-consumer-groups --describe --group crew --state
| GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                #MEMBERS
| crew            $B  (1)      range                Stable               1
$ kafka-consumer-groups --describe --group crew --state --verbose
| GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                GROUP-EPOCH     TARGET-ASSIGNMENT-EPOCH   #MEMBERS
| crew            $B  (1)      range                Stable               -               -                         1
$ kafka-consumer-groups --list --state
| GROUP                     STATE
| crew                      Stable
$ kafka-consumer-groups --delete --group crew
| Error: Deletion of some consumer groups failed:
| * Group 'crew' could not be deleted due to: org.apache.kafka.common.errors.GroupNotEmptyException: The group is not empty.
$ kafka-consumer-groups --reset-offsets --group crew --topic work --to-earliest --execute
| Error: Assignments can only be reset if the group 'crew' is inactive, but the current state is Stable.
| GROUP           TOPIC           PARTITION  NEW-OFFSET
$ kafka-consumer-groups --delete-offsets --group crew --topic work
| Error: Encountered some partition-level error, see the follow-up details.
| TOPIC           PARTITION  STATUS
| work            0          Error: org.apache.kafka.common.errors.GroupSubscribedToTopicException: Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.
! reader
| Processed a total of 0 messages
% until no active members
$ kafka-consumer-groups --describe --group crew
| Consumer group 'crew' has no active members.
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
| crew            work            0          100             100             0               -               -               -
# Offsets by hand.
$ kafka-consumer-groups --reset-offsets --group crew --topic work --to-earliest --dry-run
| GROUP           TOPIC           PARTITION  NEW-OFFSET
| crew            work            0          0
$ kafka-consumer-groups --reset-offsets --group crew --topic work --to-earliest --execute
| GROUP           TOPIC           PARTITION  NEW-OFFSET
| crew            work            0          0
$ kafka-consumer-groups --reset-offsets --group crew --topic work --shift-by 30 --execute
| GROUP           TOPIC           PARTITION  NEW-OFFSET
| crew            work            0          30
$ kafka-consumer-groups --reset-offsets --group crew --topic work:0 --to-offset 55 --execute
| GROUP           TOPIC           PARTITION  NEW-OFFSET
| crew            work            0          55
$ kafka-consumer-groups --reset-offsets --group crew --topic work:0 --to-offset 5555 --execute
| GROUP           TOPIC           PARTITION  NEW-OFFSET
| crew            work            0          100
$ kafka-consumer-groups --reset-offsets --group crew --all-topics --to-current --export --dry-run
| work,0,100
$ kafka-consumer-groups --reset-offsets --group crew --topic work --to-datetime 2001-01-01T00:00:00.000 --execute
| GROUP           TOPIC           PARTITION  NEW-OFFSET
| crew            work            0          0
$ kafka-consumer-groups --reset-offsets --group fresh --topic other --to-latest --execute
| GROUP           TOPIC           PARTITION  NEW-OFFSET
| fresh           other           1          0
| fresh           other           0          0
$ kafka-consumer-groups --describe --group fresh
| Consumer group 'fresh' has no active members.
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
| fresh           other           0          0               0               0               -               -               -
| fresh           other           1          0               0               0               -               -               -
% tail 2
$ kafka-console-consumer --topic work --group crew --max-messages 1 --timeout-ms 30000
| job 0
| Processed a total of 1 messages
$ kafka-consumer-groups --delete-offsets --group crew --topic work
| Request succeeded for deleting offsets from group crew.
| TOPIC           PARTITION  STATUS
| work            0          Successful
$ kafka-consumer-groups --describe --group crew
| Consumer group 'crew' has no active members.
$ kafka-consumer-groups --delete-offsets --group crew --topic nowhere
| Request succeeded for deleting offsets from group crew.
| TOPIC           PARTITION  STATUS
| nowhere         -          Error: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.
$ kafka-consumer-groups --delete-offsets --group nobody --topic work
| Error: The group id does not exist.
| TOPIC           PARTITION  STATUS
| work            0          Error: org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.
$ kafka-consumer-groups --delete --group crew
| Deletion of requested consumer groups ('crew') was successful.
$ kafka-consumer-groups --delete --group nobody
| Error: Deletion of some consumer groups failed:
| * Group 'nobody' could not be deleted due to: org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.
$ kafka-consumer-groups --delete --group fresh
| Deletion of requested consumer groups ('fresh') was successful.
$ kafka-consumer-groups --list
# kafka-verifiable-consumer commits after each batch and tells every step.
$ kafka-verifiable-consumer --topic work --group-id checked --max-messages 100 --reset-policy earliest
| {"timestamp":<ms>,"name":"startup_complete"}
| {"timestamp":<ms>,"name":"partitions_assigned","partitions":[{"topic":"work","partition":0}]}
| {"timestamp":<ms>,"name":"records_consumed","count":100,"partitions":[{"topic":"work","partition":0,"count":100,"minOffset":0,"maxOffset":99}]}
| {"timestamp":<ms>,"name":"offsets_committed","offsets":[{"topic":"work","partition":0,"offset":100}],"success":true}
| {"timestamp":<ms>,"name":"partitions_revoked","partitions":[{"topic":"work","partition":0}]}
| {"timestamp":<ms>,"name":"shutdown_complete"}
$ kafka-consumer-groups --describe --group checked
| Consumer group 'checked' has no active members.
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
| checked         work            0          100             100             0               -               -               -
$ kafka-consumer-perf-test --topic work --group measured --num-records 100
| start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
| <time>, <time>, 0.0006, <n>, 100, <n>...
$ kafka-consumer-groups --describe --group measured
| Consumer group 'measured' has no active members.
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
| measured        work            0          100             100             0               -               -               -
# The protocol of KIP-848.
$ kafka-console-consumer --topic work --group modern --from-beginning --max-messages 1 --timeout-ms 20000 --command-property group.protocol=consumer
| job 0
| Processed a total of 1 messages
$ kafka-groups --list --group-type consumer
| GROUP                TYPE                 PROTOCOL
| modern               Consumer             consumer
$ kafka-consumer-groups --list --type consumer
| GROUP                     TYPE
| modern                    Consumer
$ kafka-consumer-groups --describe --group modern
| Consumer group 'modern' has no active members.
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
| modern          work            0          1               100             99              -               -               -
$ kafka-consumer-groups --describe --group modern --state
| Consumer group 'modern' has no active members.
| GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                #MEMBERS
| modern          $B  (1)      uniform              Empty                0
& reader kafka-console-consumer --topic other --group modern --command-property client.id=reader --command-property group.protocol=consumer
% until (?s)reader.*reader
% sort
$ kafka-consumer-groups --describe --group modern
| GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID            HOST            CLIENT-ID
| modern          other           0          -               0               -               <id> /127.0.0.1      reader
| modern          other           1          -               0               -               <id> /127.0.0.1      reader
| modern          work            0          1               100             99              -                      -               -
$ kafka-consumer-groups --describe --group modern --members --verbose
| GROUP           CONSUMER-ID            HOST            CLIENT-ID       #PARTITIONS     CURRENT-EPOCH   CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT
| modern          <id> /127.0.0.1      reader          2               3               other:0,1            3               other:0,1
$ kafka-consumer-groups --describe --group modern --state --verbose
| GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                GROUP-EPOCH     TARGET-ASSIGNMENT-EPOCH   #MEMBERS
| modern          $B  (1)      uniform              Stable               3               3                         1
! reader
| Processed a total of 0 messages
$ kafka-consumer-groups --delete --group modern
| Deletion of requested consumer groups ('modern') was successful.
