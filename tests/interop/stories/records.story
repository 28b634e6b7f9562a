# kafka-console-producer and -consumer, kafka-get-offsets, kafka-delete-records.
$ kafka-topics --create --topic talk --partitions 2
| Created topic talk.
$ kafka-console-producer --topic talk --reader-property parse.key=true --reader-property key.separator=: --reader-property parse.headers=true --reader-property headers.delimiter=; --command-property enable.idempotence=true
> trace:1,empty:;a:first
> trace:2;b:second
> trace:3;c:third
> trace:4;a:fourth
$ kafka-console-consumer --topic talk --partition 0 --offset earliest --max-messages 4 --timeout-ms 20000 --formatter-property print.key=true --formatter-property print.headers=true --formatter-property print.offset=true --formatter-property print.partition=true
| Partition:0	Offset:0	trace:1,empty:	a	first
| Partition:0	Offset:1	trace:2	b	second
| Partition:0	Offset:2	trace:3	c	third
| Partition:0	Offset:3	trace:4	a	fourth
| Processed a total of 4 messages
$ kafka-console-consumer --topic talk --partition 0 --offset 2 --max-messages 1 --timeout-ms 20000
| third
| Processed a total of 1 messages
$ kafka-console-consumer --topic talk --partition 0 --offset latest --timeout-ms 500
| Processed a total of 0 messages
$ kafka-console-producer --topic nowhere --command-property max.block.ms=1500
> lost
$ kafka-topics --create --topic gz
| Created topic gz.
$ kafka-console-producer --topic gz --compression-codec gzip
>* 500 value {} value {} value {}
% tail 2
$ kafka-console-consumer --topic gz --partition 0 --offset earliest --max-messages 500 --timeout-ms 20000
| value 499 value 499 value 499
| Processed a total of 500 messages
$ kafka-topics --create --topic sn
| Created topic sn.
$ kafka-console-producer --topic sn --compression-codec snappy
>* 500 value {} value {} value {}
% tail 2
$ kafka-console-consumer --topic sn --partition 0 --offset earliest --max-messages 500 --timeout-ms 20000
| value 499 value 499 value 499
| Processed a total of 500 messages
$ kafka-topics --create --topic l4
| Created topic l4.
$ kafka-console-producer --topic l4 --compression-codec lz4
>* 500 value {} value {} value {}
% tail 2
$ kafka-console-consumer --topic l4 --partition 0 --offset earliest --max-messages 500 --timeout-ms 20000
| value 499 value 499 value 499
| Processed a total of 500 messages
$ kafka-topics --create --topic zs
| Created topic zs.
$ kafka-console-producer --topic zs --compression-codec zstd
>* 500 value {} value {} value {}
% tail 2
$ kafka-console-consumer --topic zs --partition 0 --offset earliest --max-messages 500 --timeout-ms 20000
| value 499 value 499 value 499
| Processed a total of 500 messages
$ kafka-get-offsets --topic talk
| talk:0:4
| talk:1:0
$ kafka-get-offsets --topic talk --time earliest
| talk:0:0
| talk:1:0
$ kafka-get-offsets --topic zs --time 1000
| zs:0:0
$ kafka-get-offsets --topic zs --time earliest-local
| zs:0:0
$ kafka-get-offsets --topic zs --time latest-tiered
$ kafka-topics --create --topic solo
| Created topic solo.
$ kafka-console-producer --topic solo
> only
$ kafka-get-offsets --topic solo --time max-timestamp
| solo:0:0
$ kafka-get-offsets --topic nowhere
| Error occurred: Could not match any topic-partitions with the specified filters
= 1
% sort
$ kafka-get-offsets --exclude-internal-topics
| gz:0:500
| l4:0:500
| sn:0:500
| solo:0:1
| talk:0:4
| talk:1:0
| zs:0:500
@ delete.json {"version": 1, "partitions": [{"topic": "zs", "partition": 0, "offset": 40}]}
$ kafka-delete-records --offset-json-file $DIR/delete.json
| Executing records delete operation
| Records delete operation completed:
| partition: zs-0	low_watermark: 40
$ kafka-get-offsets --topic zs --time earliest
| zs:0:40
$ kafka-console-consumer --topic zs --partition 0 --offset earliest --max-messages 1 --timeout-ms 20000
| value 40 value 40 value 40
| Processed a total of 1 messages
@ delete.json {"version": 1, "partitions": [{"topic": "zs", "partition": 0, "offset": 999}, {"topic": "gz", "partition": 0, "offset": -1}]}
% sort
$ kafka-delete-records --offset-json-file $DIR/delete.json
| Executing records delete operation
| Records delete operation completed:
| partition: gz-0	low_watermark: 500
| partition: zs-0	error: org.apache.kafka.common.errors.OffsetOutOfRangeException: The requested offset is not within the range of offsets maintained by the server.
$ kafka-get-offsets --topic gz --time earliest
| gz:0:500
