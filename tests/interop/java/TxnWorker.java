// SPDX-License-Identifier: Apache-2.0
// TxnWorker.java - tests/crash/txn_worker.py with Apache Kafka's own producer and consumer: a feeder, or a copier as
// Kafka's documentation has it (read, send, sendOffsetsToTransaction with the group's metadata, commit).

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ApplicationRecoverableException;
import org.apache.kafka.common.errors.TimeoutException;

public final class TxnWorker {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double ABORTED = 0.25; // share of the transactions that a feeder aborts
    private static final int PAUSE_MS = 20;
    private static final String PROTOCOL = System.getProperty("group.protocol", "classic");
    private static volatile boolean isStopped = false;

    private final JsonNode settings;
    private final String name;
    private final Random chance;
    private final KafkaProducer<String, String> producer;
    private int number = 0;

    private TxnWorker(JsonNode settings) {
        this.settings = settings;
        name = settings.get("name").asText();
        chance = new Random((settings.get("seed").asText() + name + settings.get("life").asText()).hashCode());
        Properties p = common();
        p.put("transactional.id", name);
        p.put("transaction.timeout.ms", "60000");
        p.put("max.block.ms", "60000");
        p.put("linger.ms", "2");
        p.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        producer = new KafkaProducer<>(p);
    }

    private Properties common() {
        Properties p = new Properties();
        p.put("bootstrap.servers", settings.get("bootstrap").asText());
        p.put("client.id", name);
        p.put("reconnect.backoff.ms", "10");
        p.put("reconnect.backoff.max.ms", "100");
        p.put("retry.backoff.ms", "20");
        p.put("retry.backoff.max.ms", "100");
        return p;
    }

    // One line, in one write: a process that is killed leaves no half line.
    private static void tell(ObjectNode event) {
        byte[] line = (event + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(line, 0, line.length);
        System.out.flush();
    }

    private static ObjectNode event(String what) {
        return JSON.createObjectNode().put("event", what).put("at", System.nanoTime() / 1e9);
    }

    private interface Fill {
        Map<Integer, Integer> into(String txn);
    }

    private static void untilDone(Runnable action) {
        while (true) {
            try {
                action.run();
                return;
            } catch (TimeoutException e) {
                // it may be called again
            }
        }
    }

    // Runs one; fill writes into it and returns the records of each partition. Returns whether it was committed.
    private boolean transaction(Fill fill, boolean isCommit) {
        String txn = name + "." + settings.get("life").asText() + "." + number++;
        producer.beginTransaction();
        try {
            Map<Integer, Integer> counts = fill.into(txn);
            if (isCommit) {
                ObjectNode committing = event("committing").put("txn", txn);
                ObjectNode rows = committing.putObject("counts");
                counts.forEach((partition, count) -> rows.put(partition.toString(), count));
                tell(committing);
                untilDone(producer::commitTransaction);
                tell(event("committed").put("txn", txn));
                return true;
            }
        } catch (ApplicationRecoverableException e) { // the producer is at its end, not only the transaction
            throw e;
        } catch (KafkaException e) {
            tell(event("notice").put("text", e.toString()));
        }
        untilDone(producer::abortTransaction);
        tell(event("aborted").put("txn", txn));
        return false;
    }

    private Map<Integer, Integer> write(String txn) {
        List<Integer> partitions = new ArrayList<>();
        for (int p = 0; p < settings.get("partitions").asInt(); p++)
            partitions.add(p);
        Collections.shuffle(partitions, chance);
        Map<Integer, Integer> counts = new HashMap<>();
        for (int p : partitions.subList(0, 1 + chance.nextInt(partitions.size()))) {
            counts.put(p, 1 + chance.nextInt(4));
            for (int i = 0; i < counts.get(p); i++)
                producer.send(new ProducerRecord<>(settings.get("input").asText(), p, null, txn + "/" + p + "/" + i));
        }
        if (chance.nextBoolean())
            producer.flush();
        return counts;
    }

    private void feed() throws InterruptedException {
        while (!isStopped) {
            transaction(this::write, chance.nextDouble() >= ABORTED);
            Thread.sleep(PAUSE_MS);
        }
    }

    private KafkaConsumer<String, String> consumer() {
        Properties p = common();
        p.put("group.id", settings.get("group").asText());
        p.put("group.protocol", PROTOCOL);
        if (PROTOCOL.equals("classic")) { // else the broker says
            p.put("session.timeout.ms", "3000");
            p.put("heartbeat.interval.ms", "300");
        }
        p.put("isolation.level", "read_committed");
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("fetch.max.wait.ms", "50");
        p.put("max.poll.records", "40");
        p.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        return new KafkaConsumer<>(p);
    }

    private void copy() {
        try (KafkaConsumer<String, String> consumer = consumer()) {
            consumer.subscribe(List.of(settings.get("input").asText()));
            while (!isStopped) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
                if (!records.isEmpty() && !transaction(txn -> pass(consumer, records), true))
                    rewind(consumer);
            }
        }
    }

    private Map<Integer, Integer> pass(KafkaConsumer<String, String> consumer, ConsumerRecords<String, String> records) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> r : records) {
            producer.send(new ProducerRecord<>(settings.get("output").asText(), r.partition(), null, r.value()));
            offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        return Map.of();
    }

    // Back to what is committed: what was read since then has to be read again.
    private static void rewind(KafkaConsumer<String, String> consumer) {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition tp : consumer.assignment()) {
            OffsetAndMetadata found = committed.get(tp);
            consumer.seek(tp, found == null ? 0 : found.offset());
        }
    }

    private static void listen() {
        try {
            while (System.in.read() >= 0 && System.in.available() > 0) {
                // a command, or the end of the file: both mean the same
            }
        } catch (IOException e) {
            // whoever started us has gone
        }
        isStopped = true;
    }

    public static void main(String[] args) throws JsonProcessingException, InterruptedException {
        Thread listener = new Thread(TxnWorker::listen);
        listener.setDaemon(true);
        listener.start();
        TxnWorker worker = new TxnWorker(JSON.readTree(args[0]));
        try {
            untilDone(worker.producer::initTransactions);
            tell(event("started"));
            if (worker.settings.get("kind").asText().equals("feeder"))
                worker.feed();
            else
                worker.copy();
        } catch (KafkaException e) {
            tell(event("error").put("text", e.toString()));
            System.exit(1);
        }
        worker.producer.close();
        tell(event("left"));
    }
}
