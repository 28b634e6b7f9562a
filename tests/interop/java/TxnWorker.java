// SPDX-License-Identifier: Apache-2.0
// TxnWorker.java - tests/crash/txn_worker.py with Apache Kafka's own producer and consumer: a feeder, or a copier as
// Kafka's documentation has it (read, send, sendOffsetsToTransaction with the group's metadata, commit).

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

public final class TxnWorker extends Transactional {
    private static final double ABORTED = 0.25; // share of the transactions that a feeder aborts
    private static final int PAUSE_MS = 20;
    private static final int TIMEOUT_MS = 60000;
    private static final int RECORDS_MAX = 40; // that a copier takes into one transaction

    private int number = 0;
    private String txn;
    private Map<Integer, Integer> counts = Map.of();

    private TxnWorker(JsonNode settings) {
        super(settings, TIMEOUT_MS);
    }

    private interface Fill {
        Map<Integer, Integer> into(String txn);
    }

    @Override
    ObjectNode committing() {
        ObjectNode committing = event("committing").put("txn", txn);
        ObjectNode rows = committing.putObject("counts");
        counts.forEach((partition, count) -> rows.put(partition.toString(), count));
        return committing;
    }

    // Runs one; fill writes into it and returns the records of each partition. Returns whether it was committed.
    private boolean transaction(Fill fill, boolean isCommit) {
        txn = name + "." + life + "." + number++;
        boolean isCommitted = inTransaction(() -> {
            counts = fill.into(txn);
            return isCommit;
        });
        tell(event(isCommitted ? "committed" : "aborted").put("txn", txn));
        return isCommitted;
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

    private void copy() {
        try (KafkaConsumer<String, String> consumer = consumer(settings.get("group").asText(), RECORDS_MAX)) {
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

    @Override
    void start() {
        tell(event("started"));
    }

    @Override
    void work() throws InterruptedException {
        if (settings.get("kind").asText().equals("feeder"))
            feed();
        else
            copy();
    }

    public static void main(String[] args) throws JsonProcessingException, InterruptedException {
        run(args[0], TxnWorker::new);
    }
}
