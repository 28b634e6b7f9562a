// SPDX-License-Identifier: Apache-2.0
// ContractWorker.java - Apache Kafka's own producer against a topic that a contract governs, and its consumer behind it.
//   ContractWorker idempotent|transactions BOOTSTRAP TOPIC reject|dlq COUNT BAD_EACH
// makes the topic, writes to it, with five requests in flight or in transactions of fifty records, and reads it and its
// dead letters to the end. Prints one JSON object: {"delivered": [n...], "refused": [n...], "strange": [text...],
// "stored": [n...], "aside": [n...]}.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

public final class ContractWorker {
    private static final int TRANSACTION = 50;
    private static final ObjectMapper JSON = new ObjectMapper();
    private final List<Integer> delivered = Collections.synchronizedList(new ArrayList<>());
    private final List<Integer> refused = Collections.synchronizedList(new ArrayList<>());
    private final List<String> strange = Collections.synchronizedList(new ArrayList<>());

    private static Properties producer(String bootstrap) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("batch.size", "150");
        p.put("linger.ms", "1");
        p.put("max.in.flight.requests.per.connection", "5");
        p.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        return p;
    }

    // Each badEach-th record is bad in any case, one hundred of five depends on the contract.
    private static ProducerRecord<String, String> record(String topic, int n, int badEach) {
        int c = n % badEach == 0 ? 0 : n / 100 % 5 != 0 ? 3 : 1;
        return new ProducerRecord<>(topic, 0, null, "{\"n\":" + n + ",\"c\":" + c + "}");
    }

    private void report(int n, Exception e) {
        if (e == null) {
            delivered.add(n);
        } else if (e instanceof InvalidRecordException || e.getMessage().startsWith("Failed to append record because")) {
            refused.add(n); // the other one: it was in a batch with such a record (KIP-467)
        } else {
            strange.add(n + ": " + e);
        }
    }

    private void produce(String bootstrap, String topic, int count, int badEach) throws InterruptedException {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(producer(bootstrap))) {
            for (int i = 0; i < count; i++) {
                final int n = i;
                producer.send(record(topic, n, badEach), (metadata, e) -> report(n, e));
                if (n % 50 == 0) {
                    Thread.sleep(10);
                }
            }
        }
    }

    private void transactions(String bootstrap, String topic, int count, int badEach) {
        Properties p = producer(bootstrap);
        p.put("transactional.id", topic);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p)) {
            producer.initTransactions();
            for (int begin = 0; begin < count; begin += TRANSACTION) {
                List<Integer> all = new ArrayList<>();
                producer.beginTransaction();
                try {
                    for (int n = begin; n < begin + TRANSACTION; n++) {
                        all.add(n);
                        producer.send(record(topic, n, badEach));
                    }
                    producer.flush();
                    if (begin % (4 * TRANSACTION) == 0) {
                        throw new KafkaException("as it is meant");
                    }
                    producer.commitTransaction();
                    delivered.addAll(all);
                } catch (KafkaException e) {
                    producer.abortTransaction();
                    refused.addAll(all);
                }
            }
        }
    }

    private static List<Integer> read(String bootstrap, String topic, String isolation) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("isolation.level", isolation);
        p.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        List<Integer> numbers = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(p)) {
            TopicPartition partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            long deadline = System.currentTimeMillis() + 20000;
            while (consumer.position(partition) < end) { // over gaps, too
                if (System.currentTimeMillis() > deadline) {
                    throw new KafkaException("stuck at " + consumer.position(partition) + " of " + end);
                }
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    JsonNode value = JSON.readTree(record.value());
                    numbers.add(value.get("n").asInt());
                }
            }
        }
        return numbers;
    }

    private static void create(String bootstrap, String topic, String onFailure) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        Map<String, String> configs =
            Map.of("strom.value.validation.level", "structure", "strom.validation.on.failure", onFailure);
        try (Admin admin = Admin.create(p)) {
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(configs))).all().get();
        }
    }

    public static void main(String[] args) throws Exception {
        ContractWorker w = new ContractWorker();
        String bootstrap = args[1];
        String topic = args[2];
        int count = Integer.parseInt(args[4]);
        int badEach = Integer.parseInt(args[5]);
        create(bootstrap, topic, args[3]);
        if (args[0].equals("transactions")) {
            w.transactions(bootstrap, topic, count, badEach);
        } else {
            w.produce(bootstrap, topic, count, badEach);
        }
        boolean hasLetters = args[3].equals("dlq");
        Map<String, Object> said = new TreeMap<>();
        said.put("delivered", w.delivered);
        said.put("refused", w.refused);
        said.put("strange", w.strange);
        said.put("stored", read(bootstrap, topic, "read_committed"));
        said.put("aside", hasLetters ? read(bootstrap, topic + ".dlq", "read_committed") : List.of());
        read(bootstrap, topic, "read_uncommitted"); // comes to the end, too
        System.out.println(JSON.writeValueAsString(said));
    }
}
