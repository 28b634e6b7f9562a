# The tools that measure and verify.
$ kafka-topics --create --topic perf --partitions 3
| Created topic perf.
% tail 1
$ kafka-producer-perf-test --topic perf --num-records 20000 --record-size 200 --throughput -1 --command-property acks=all compression.type=lz4
| 20000 records sent, <n> records/sec (<n> MB/sec), <n> ms avg latency, <n> ms max latency, <n> ms 50th, <n> ms 95th, <n> ms 99th, <n> ms 99.9th.
% tail 1
$ kafka-producer-perf-test --topic perf --num-records 2000 --record-size 1000 --throughput 10000 --command-property acks=1 enable.idempotence=false
| 2000 records sent, <n> records/sec (<n> MB/sec), <n> ms avg latency, <n> ms max latency, <n> ms 50th, <n> ms 95th, <n> ms 99th, <n> ms 99.9th.
$ kafka-get-offsets --topic perf --time earliest
| perf:0:0
| perf:1:0
| perf:2:0
$ kafka-topics --create --topic verify
| Created topic verify.
$ kafka-verifiable-producer --topic verify --max-messages 5
| {"timestamp":<ms>,"name":"startup_complete"}
| {"timestamp":<ms>,"name":"producer_send_success","key":null,"value":"0","offset":0,"topic":"verify","partition":0}
| {"timestamp":<ms>,"name":"producer_send_success","key":null,"value":"1","offset":1,"topic":"verify","partition":0}
| {"timestamp":<ms>,"name":"producer_send_success","key":null,"value":"2","offset":2,"topic":"verify","partition":0}
| {"timestamp":<ms>,"name":"producer_send_success","key":null,"value":"3","offset":3,"topic":"verify","partition":0}
| {"timestamp":<ms>,"name":"producer_send_success","key":null,"value":"4","offset":4,"topic":"verify","partition":0}
| {"timestamp":<ms>,"name":"shutdown_complete"}
| {"timestamp":<ms>,"name":"tool_data","sent":5,"acked":5,"target_throughput":-1,"avg_throughput":<n>}
$ kafka-verifiable-producer --topic verify --max-messages 2 --acks 0 --value-prefix 7
| {"timestamp":<ms>,"name":"startup_complete"}
| {"timestamp":<ms>,"name":"producer_send_success","key":null,"value":"7.0","offset":-1,"topic":"verify","partition":0}
| {"timestamp":<ms>,"name":"producer_send_success","key":null,"value":"7.1","offset":-1,"topic":"verify","partition":0}
| {"timestamp":<ms>,"name":"shutdown_complete"}
| {"timestamp":<ms>,"name":"tool_data","sent":2,"acked":2,"target_throughput":-1,"avg_throughput":<n>}
$ kafka-get-offsets --topic verify
| verify:0:7
