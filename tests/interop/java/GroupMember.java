// SPDX-License-Identifier: Apache-2.0
// GroupMember.java - a group member with Apache Kafka's own consumer, in the classic protocol or, with
// STROM_GROUP_PROTOCOL=consumer in the environment, the consumer protocol (KIP-848), where the broker knows sessions and
// assigns. tests/clients/groups tells what a member is given and what it tells.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

public final class GroupMember implements ConsumerRebalanceListener {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> ASSIGNORS = Map.of(
            "range", "org.apache.kafka.clients.consumer.RangeAssignor",
            "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            "cooperative", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    private static final boolean IS_CONSUMER_PROTOCOL = "consumer".equals(System.getenv("STROM_GROUP_PROTOCOL"));

    private final JsonNode settings;
    private final boolean isAuto;
    private final KafkaConsumer<String, String> consumer;
    private final Map<TopicPartition, OffsetAndMetadata> pending = new HashMap<>(); // delivered, not committed
    private static volatile boolean isStopped = false;

    private GroupMember(JsonNode settings) {
        this.settings = settings;
        isAuto = settings.get("commit").asText().equals("auto");
        consumer = new KafkaConsumer<>(properties());
    }

    private Properties properties() {
        Properties p = new Properties();
        p.put("bootstrap.servers", settings.get("bootstrap").asText());
        p.put("group.id", settings.get("group").asText());
        p.put("client.id", settings.get("name").asText());
        putProtocol(p, settings.get("assignor").asText());
        p.put("enable.auto.commit", Boolean.toString(isAuto));
        p.put("auto.commit.interval.ms", "200");
        p.put("auto.offset.reset", "earliest");
        p.put("metadata.max.age.ms", "500");
        p.put("fetch.max.wait.ms", "100");
        p.put("reconnect.backoff.max.ms", "500");
        p.put("max.poll.records", "100");
        // Or it forgets all topics when its only broker is away, and joins anew.
        p.put("metadata.recovery.strategy", "none");
        p.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        if (settings.hasNonNull("instance"))
            p.put("group.instance.id", settings.get("instance").asText());
        return p;
    }

    private void putProtocol(Properties p, String assignor) {
        if (IS_CONSUMER_PROTOCOL) {
            p.put("group.protocol", "consumer");
            p.put("group.remote.assignor", assignor.equals("range") ? "range" : "uniform");
            return;
        }
        p.put("group.protocol", "classic");
        p.put("session.timeout.ms", settings.get("session_ms").asText());
        p.put("heartbeat.interval.ms", settings.get("heartbeat_ms").asText());
        p.put("partition.assignment.strategy", ASSIGNORS.get(assignor));
    }

    private static ObjectNode event(String name) {
        // nanoTime is CLOCK_MONOTONIC on Linux.
        return JSON.createObjectNode().put("event", name).put("at", System.nanoTime() / 1e9);
    }

    // One line, in one write: a process that is killed leaves no half line.
    private static void tell(ObjectNode event) {
        byte[] line = (event + "\n").getBytes(StandardCharsets.UTF_8);
        synchronized (GroupMember.class) {
            System.out.write(line, 0, line.length);
            System.out.flush();
        }
    }

    private static ArrayNode names(Collection<TopicPartition> partitions) {
        ArrayNode rows = JSON.createArrayNode();
        partitions.forEach(tp -> rows.addArray().add(tp.topic()).add(tp.partition()));
        return rows;
    }

    private static void listen() {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try {
            String line = in.readLine();
            while (line != null && !JSON.readTree(line).get(0).asText().equals("stop"))
                line = in.readLine();
        } catch (IOException e) {
            // whoever started us has gone
        }
        isStopped = true;
    }

    private void run() {
        String[] topics = JSON.convertValue(settings.get("topics"), String[].class);
        consumer.subscribe(Arrays.asList(topics), this);
        while (!isStopped) {
            deliver(consumer.poll(Duration.ofMillis(100)));
            if (!isAuto)
                commit();
        }
        consumer.close();
        tell(event("left"));
    }

    private void deliver(ConsumerRecords<String, String> records) {
        if (records.isEmpty())
            return;
        ObjectNode event = event("records");
        ArrayNode rows = event.putArray("rows");
        for (ConsumerRecord<String, String> r : records) {
            rows.addArray().add(r.topic()).add(r.partition()).add(r.offset()).add(r.value());
            pending.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        tell(event);
    }

    private void commit() {
        if (pending.isEmpty())
            return;
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>(pending);
        pending.clear();
        try {
            consumer.commitSync(offsets);
            ObjectNode event = event("committed");
            ArrayNode rows = event.putArray("offsets");
            offsets.forEach((tp, o) -> rows.addArray().add(tp.topic()).add(tp.partition()).add(o.offset()));
            tell(event);
        } catch (FencedInstanceIdException e) {
            throw e;
        } catch (KafkaException e) {
            tell(event("refused").put("text", e.toString()));
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        ObjectNode event = event("assigned");
        if (IS_CONSUMER_PROTOCOL)
            event.putNull("generation"); // each member has an epoch of its own
        else
            event.put("generation", consumer.groupMetadata().generationId());
        event.set("partitions", names(partitions));
        tell(event);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        if (!isAuto)
            commit();
        revoked(partitions, false);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        pending.clear();
        revoked(partitions, true);
    }

    private void revoked(Collection<TopicPartition> partitions, boolean isLost) {
        if (partitions.isEmpty())
            return;
        ObjectNode event = event("revoked").put("lost", isLost);
        event.set("partitions", names(partitions));
        tell(event);
    }

    public static void main(String[] args) throws JsonProcessingException {
        tell(event("started").put("pid", ProcessHandle.current().pid()));
        Thread listener = new Thread(GroupMember::listen);
        listener.setDaemon(true);
        listener.start();
        GroupMember member = new GroupMember(JSON.readTree(args[0]));
        try {
            member.run();
        } catch (FencedInstanceIdException e) {
            tell(event("fenced").put("text", e.toString()));
            System.exit(1);
        }
    }
}
