// SPDX-License-Identifier: Apache-2.0
// StreamsApp.java - a Kafka Streams application with exactly_once_v2: joins, a windowed aggregation, repartition and
// changelog topics. streams.py feeds it, kills it and knows the exact answer.
//
//   clicks (key c17, value user,amount)  --by user, with payments within a second--> pairs (user: c17,p4)
//   clicks --user's region from a global table, by region, per minute--> totals (region@minute: count,sum)

import java.io.IOException;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

public final class StreamsApp {
    private static final Duration LATE = Duration.ofHours(24); // nothing is too late to count

    private StreamsApp() {
    }

    private static void tell(String event, String text) {
        System.out.printf("{\"event\": \"%s\", \"at\": %.6f, \"text\": \"%s\"}%n", event, System.nanoTime() / 1e9,
                text.replaceAll("[\\\\\"\\s]+", " "));
        System.out.flush();
    }

    private static String first(String value) {
        return value.substring(0, value.indexOf(','));
    }

    private static String second(String value) {
        return value.substring(value.indexOf(',') + 1);
    }

    // count,sum and one amount more.
    private static String add(String total, String amount) {
        return (Long.parseLong(first(total)) + 1) + "," + (Long.parseLong(second(total)) + Long.parseLong(amount));
    }

    private static void pairs(KStream<String, String> clicks, KStream<String, String> payments) {
        KStream<String, String> byUser = clicks.map((key, value) -> KeyValue.pair(first(value), key));
        byUser.join(payments.map((key, value) -> KeyValue.pair(value, key)), (click, payment) -> click + "," + payment,
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(1), LATE)).to("pairs");
    }

    private static void totals(KStream<String, String> clicks, GlobalKTable<String, String> regions) {
        clicks.join(regions, (key, value) -> first(value), (value, region) -> region + "," + second(value))
                .map((key, value) -> KeyValue.pair(first(value), second(value)))
                .groupByKey()
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), LATE))
                .aggregate(() -> "0,0", (region, amount, total) -> add(total, amount),
                        Materialized.<String, String, WindowStore<Bytes, byte[]>>as("totals-store"))
                .toStream((window, total) -> window.key() + "@" + window.window().start())
                .to("totals", Produced.with(Serdes.String(), Serdes.String()));
    }

    private static Properties properties(String bootstrap, String stateDir) {
        Properties p = new Properties();
        p.put("application.id", "streams-app");
        p.put("bootstrap.servers", bootstrap);
        p.put("state.dir", stateDir);
        p.put("processing.guarantee", "exactly_once_v2");
        p.put("num.stream.threads", "2");
        p.put("commit.interval.ms", "100");
        p.put("statestore.cache.max.bytes", "0"); // every change comes out
        p.put("default.key.serde", Serdes.StringSerde.class.getName());
        p.put("default.value.serde", Serdes.StringSerde.class.getName());
        p.put("auto.offset.reset", "earliest");
        p.put("reconnect.backoff.max.ms", "200");
        p.put("consumer.session.timeout.ms", "6000");
        p.put("consumer.heartbeat.interval.ms", "500");
        return p;
    }

    public static void main(String[] args) throws IOException {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> clicks = builder.stream("clicks");
        pairs(clicks, builder.stream("payments"));
        totals(clicks, builder.globalTable("regions"));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties(args[0], args[1]));
        streams.setStateListener((now, before) -> tell("state", now.name()));
        streams.setUncaughtExceptionHandler(e -> {
            tell("notice", e.toString());
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.start();
        while (System.in.read() > '\n') {
            // until a line has come, or its end
        }
        tell("closed", Boolean.toString(streams.close(Duration.ofSeconds(30))));
    }
}
