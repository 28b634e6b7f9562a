// SPDX-License-Identifier: Apache-2.0
// HistoryWorker.java - tests/history/worker.py with Apache Kafka's own producer and consumer: transactions of sends and
// polls in any mixture, told as JSON lines.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ApplicationRecoverableException;
import org.apache.kafka.common.errors.TimeoutException;

public final class HistoryWorker implements ConsumerRebalanceListener {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double ABORTED = 0.2;
    private static final int STEPS_MAX = 5;
    private static final String PROTOCOL = System.getProperty("group.protocol", "classic");
    private static volatile boolean isStopped = false;

    private final String topic;
    private final String group;
    private final String name;
    private final int partitions;
    private final JsonNode settings;
    private final Random chance;
    private final KafkaProducer<String, String> producer;
    private final KafkaConsumer<String, String> consumer;
    private final Map<String, Long> offsets = new ConcurrentHashMap<>(); // of this transaction's values
    private boolean hasMoved = true;
    private int values = 0;
    private int ops = 0;

    private HistoryWorker(JsonNode settings) {
        this.settings = settings;
        topic = settings.get("topic").asText();
        group = settings.get("group").asText();
        name = settings.get("name").asText() + "." + settings.get("life").asText();
        partitions = settings.get("partitions").asInt();
        chance = new Random((settings.get("seed").asText() + name).hashCode());
        Properties p = common();
        p.put("transactional.id", settings.get("name").asText());
        p.put("transaction.timeout.ms", "20000");
        p.put("max.block.ms", "60000");
        p.put("linger.ms", "2");
        p.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        producer = new KafkaProducer<>(p);
        p = common();
        p.put("isolation.level", "read_committed");
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("fetch.max.wait.ms", "50");
        p.put("max.poll.records", "30");
        p.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        if (!group.isEmpty()) {
            p.put("group.id", group);
            p.put("group.protocol", PROTOCOL);
            if (PROTOCOL.equals("classic")) { // else the broker says
                p.put("session.timeout.ms", "3000");
                p.put("heartbeat.interval.ms", "300");
            }
        }
        consumer = new KafkaConsumer<>(p);
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

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> gone) {
        hasMoved = true;
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> fresh) {
        hasMoved = true;
    }

    private void start() {
        untilDone(producer::initTransactions);
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
        producer.beginTransaction();
        try {
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
            if (chance.nextDouble() >= ABORTED) {
                tell(event("committing"));
                untilDone(producer::commitTransaction);
                ObjectNode ok = event("ok");
                ObjectNode rows = ok.putObject("offsets");
                offsets.forEach(rows::put);
                tell(ok);
                return;
            }
        } catch (ApplicationRecoverableException e) { // the producer is at its end, not only the transaction
            throw e;
        } catch (KafkaException e) {
            tell(event("notice").put("text", e.toString()));
        }
        untilDone(producer::abortTransaction);
        tell(event("fail"));
    }

    private void send() {
        String value = name + "/" + values++;
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
        Thread listener = new Thread(HistoryWorker::listen);
        listener.setDaemon(true);
        listener.start();
        HistoryWorker worker = new HistoryWorker(JSON.readTree(args[0]));
        try {
            worker.start();
            while (!isStopped) {
                worker.transaction();
                Thread.sleep(worker.chance.nextInt(20));
            }
        } catch (KafkaException e) {
            tell(event("error").put("text", e.toString()));
            System.exit(1);
        }
        worker.consumer.close();
        worker.producer.close();
        tell(event("left"));
    }
}
