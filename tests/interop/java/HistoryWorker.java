// SPDX-License-Identifier: Apache-2.0
// HistoryWorker.java - tests/history/worker.py with Apache Kafka's own producer and consumer: transactions of sends and
// polls in any mixture, told as JSON lines.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

public final class HistoryWorker extends Transactional implements ConsumerRebalanceListener {
    private static final double ABORTED = 0.2;
    private static final int STEPS_MAX = 5;
    private static final int TIMEOUT_MS = 20000;
    private static final int RECORDS_MAX = 30;
    private static final int PAUSE_MS_MAX = 20;

    private final String topic;
    private final String group;
    private final int partitions;
    private final KafkaConsumer<String, String> consumer;
    private final Map<String, Long> offsets = new ConcurrentHashMap<>(); // of this transaction's values
    private boolean hasMoved = true;
    private int values = 0;
    private int ops = 0;

    private HistoryWorker(JsonNode settings) {
        super(settings, TIMEOUT_MS);
        topic = settings.get("topic").asText();
        group = settings.get("group").asText();
        partitions = settings.get("partitions").asInt();
        consumer = consumer(group, RECORDS_MAX);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> gone) {
        hasMoved = true;
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> fresh) {
        hasMoved = true;
    }

    @Override
    void start() {
        if (!group.isEmpty()) {
            consumer.subscribe(List.of(topic), this);
            return;
        }
        List<TopicPartition> all = new ArrayList<>();
        for (int p = 0; p < partitions; p++)
            all.add(new TopicPartition(topic, p));
        consumer.assign(all);
        consumer.seekToBeginning(all);
    }

    private void transaction() {
        offsets.clear();
        tell(event("begin").put("op", ++ops));
        if (!inTransaction(this::fill)) {
            tell(event("fail"));
            return;
        }
        ObjectNode ok = event("ok");
        ObjectNode rows = ok.putObject("offsets");
        offsets.forEach(rows::put);
        tell(ok);
    }

    private boolean fill() {
        Map<TopicPartition, OffsetAndMetadata> read = new HashMap<>();
        int steps = 1 + chance.nextInt(STEPS_MAX - 1);
        for (int i = 0; i < steps; i++) {
            if (chance.nextDouble() < 0.6)
                send();
            else
                poll(read);
        }
        if (!read.isEmpty() && !group.isEmpty())
            producer.sendOffsetsToTransaction(read, consumer.groupMetadata());
        return chance.nextDouble() >= ABORTED;
    }

    private void send() {
        String value = name + "." + life + "/" + values++;
        int partition = chance.nextInt(partitions);
        tell(event("send").put("partition", partition).put("value", value));
        producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) -> {
            if (error == null)
                offsets.put(value, metadata.offset());
        });
    }

    private void poll(Map<TopicPartition, OffsetAndMetadata> read) {
        ArrayNode rows = JSON.createArrayNode();
        Map<TopicPartition, OffsetAndMetadata> fresh = new HashMap<>();
        for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(50))) {
            rows.addArray().add(r.partition()).add(r.offset()).add(r.value());
            fresh.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        boolean moved = hasMoved; // the listener is called inside of poll, before the records of its assignment
        hasMoved = false;
        if (moved)
            read.clear();
        read.putAll(fresh);
        ObjectNode told = event("poll").put("moved", moved);
        told.set("rows", rows);
        tell(told);
    }

    @Override
    void work() throws InterruptedException {
        while (!isStopped) {
            transaction();
            Thread.sleep(chance.nextInt(PAUSE_MS_MAX));
        }
        consumer.close();
    }

    public static void main(String[] args) throws JsonProcessingException, InterruptedException {
        run(args[0], HistoryWorker::new);
    }
}
