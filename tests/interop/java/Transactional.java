// SPDX-License-Identifier: Apache-2.0
// Transactional.java - what the workers with transactions share (TxnWorker, HistoryWorker): a producer with a
// transactional id, calls that outlive a broker that is away, and what is told of them as JSON lines. As
// tests/support/transactional.py.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.Random;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.ApplicationRecoverableException;
import org.apache.kafka.common.errors.TimeoutException;

abstract class Transactional {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final String PROTOCOL = System.getProperty("group.protocol", "classic");
    static volatile boolean isStopped = false;

    final JsonNode settings;
    final String name; // the transactional id
    final String life; // how often it was started
    final Random chance;
    final KafkaProducer<String, String> producer;

    Transactional(JsonNode settings, int timeoutMs) {
        this.settings = settings;
        name = settings.get("name").asText();
        life = settings.get("life").asText();
        chance = new Random((settings.get("seed").asText() + name + life).hashCode());
        Properties p = common();
        p.put("transactional.id", name);
        p.put("transaction.timeout.ms", String.valueOf(timeoutMs));
        p.put("max.block.ms", "60000");
        p.put("linger.ms", "2");
        p.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        producer = new KafkaProducer<>(p);
    }

    private Properties common() {
        Properties p = new Properties();
        p.put("bootstrap.servers", settings.get("bootstrap").asText());
        p.put("client.id", name + "." + life);
        p.put("reconnect.backoff.ms", "10");
        p.put("reconnect.backoff.max.ms", "100");
        p.put("retry.backoff.ms", "20");
        p.put("retry.backoff.max.ms", "100");
        return p;
    }

    // Of a group, or with an empty name of none.
    KafkaConsumer<String, String> consumer(String group, int recordsMax) {
        Properties p = common();
        p.put("isolation.level", "read_committed");
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("fetch.max.wait.ms", "50");
        p.put("max.poll.records", String.valueOf(recordsMax));
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
        return new KafkaConsumer<>(p);
    }

    // One line, in one write: a process that is killed leaves no half line.
    static void tell(ObjectNode event) {
        byte[] line = (event + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(line, 0, line.length);
        System.out.flush();
    }

    static ObjectNode event(String what) {
        return JSON.createObjectNode().put("event", what).put("at", System.nanoTime() / 1e9);
    }

    static void untilDone(Runnable action) {
        while (true) {
            try {
                action.run();
                return;
            } catch (TimeoutException e) {
                // it may be called again
            }
        }
    }

    // Runs one transaction. fill writes into it and says whether it is to be committed, which committing() tells of
    // first. Returns whether it was.
    boolean inTransaction(BooleanSupplier fill) {
        producer.beginTransaction();
        try {
            if (fill.getAsBoolean()) {
                tell(committing());
                untilDone(producer::commitTransaction);
                return true;
            }
        } catch (ApplicationRecoverableException e) { // the producer is at its end, not only the transaction
            throw e;
        } catch (KafkaException e) {
            tell(event("notice").put("text", e.toString()));
        }
        untilDone(producer::abortTransaction);
        return false;
    }

    ObjectNode committing() {
        return event("committing");
    }

    abstract void start();

    // Until isStopped.
    abstract void work() throws InterruptedException;

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

    static void run(String settings, Function<JsonNode, Transactional> make)
            throws JsonProcessingException, InterruptedException {
        Thread listener = new Thread(Transactional::listen);
        listener.setDaemon(true);
        listener.start();
        Transactional worker = make.apply(JSON.readTree(settings));
        try {
            untilDone(worker.producer::initTransactions);
            worker.start();
            worker.work();
        } catch (KafkaException e) {
            tell(event("error").put("text", e.toString()));
            System.exit(1);
        }
        worker.producer.close();
        tell(event("left"));
    }
}
