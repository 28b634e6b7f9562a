// SPDX-License-Identifier: Apache-2.0
// WireGolden.java - prints each Kafka message in each version as bytes made by Kafka's own classes, for
// src/wire/golden_test.c. Run by a developer, with the jar of the release that we follow and Java 17:
//
//     mvn dependency:get -Dartifact=org.apache.kafka:kafka-clients:4.2.1
//     java -cp kafka-clients-4.2.1.jar:slf4j-api-1.7.36.jar tools/WireGolden.java > tests/golden/wire_kafka_4.2.1.txt
//
// A line is: key, request or response, version, hex. Every field that the version has gets a value that differs from
// its default and from its neighbours, so that a field at the wrong place, of the wrong width or in the wrong version
// changes the bytes; a second line per message leaves everything at its default, and null where that is allowed.

import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.record.MemoryRecords;

public class WireGolden {
    private static int next;

    // Small positive values: they fit every integer type, and error codes among them are published ones.
    private static Object value(Class<?> type, Type generic, short version, int depth) throws Exception {
        next = next % 120 + 1;
        if (type == boolean.class) return next % 2 == 0;
        if (type == byte.class) return (byte) next;
        if (type == short.class) return (short) next;
        if (type == int.class) return next;
        if (type == long.class) return (long) next << 33 | next;
        if (type == double.class) return next + 0.25;
        if (type == String.class) return "s" + next;
        if (type == Uuid.class) return new Uuid(next, next + 1000L);
        if (type == byte[].class) return new byte[] {(byte) next, 7};
        if (type == ByteBuffer.class) return ByteBuffer.wrap(new byte[] {(byte) next, 8, 9});
        if (type.getSimpleName().equals("BaseRecords"))
            return MemoryRecords.readableRecords(ByteBuffer.wrap(new byte[] {(byte) next, 1, 2, 3}));
        if (Collection.class.isAssignableFrom(type)) {
            Class<?> element = generic instanceof ParameterizedType p && p.getActualTypeArguments()[0] instanceof Class<?> c
                ? c : elementOf(type);
            @SuppressWarnings("unchecked")
            Collection<Object> all = type == List.class
                ? new ArrayList<>() : (Collection<Object>) type.getConstructor().newInstance();
            for (int i = 0; i < 2; i++) all.add(value(unbox(element), element, version, depth));
            return all;
        }
        Object message = type.getConstructor().newInstance();
        fill(message, version, depth + 1);
        return message;
    }

    private static Class<?> elementOf(Class<?> collection) {
        return (Class<?>) ((ParameterizedType) collection.getGenericSuperclass()).getActualTypeArguments()[0];
    }

    private static Class<?> unbox(Class<?> c) {
        if (c == Integer.class) return int.class;
        if (c == Long.class) return long.class;
        if (c == Short.class) return short.class;
        if (c == Byte.class) return byte.class;
        return c;
    }

    // Kafka names a setter as the field in camel case; its schema of this version says which fields exist.
    private static void fill(Object message, short version, int depth) throws Exception {
        Schema[] schemas = (Schema[]) message.getClass().getField("SCHEMAS").get(null);
        Schema schema = version < schemas.length ? schemas[version] : schemas[schemas.length - 1];
        if (schema == null) return;
        Set<String> names = new TreeSet<>();
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof org.apache.kafka.common.protocol.types.TaggedFields tagged) {
                for (Field field : tagged.fields().values()) names.add(field.name.replace("_", ""));
            } else {
                names.add(bound.def.name.replace("_", ""));
            }
        }
        List<Method> setters = new ArrayList<>();
        for (Method m : message.getClass().getMethods())
            if (m.getName().startsWith("set") && m.getParameterCount() == 1
                && names.contains(m.getName().substring(3).toLowerCase())) setters.add(m);
        setters.sort((a, b) -> a.getName().compareTo(b.getName()));
        if (setters.size() != names.size())
            throw new IllegalStateException(message.getClass() + " v" + version + ": " + names + " " + setters);
        for (Method m : setters)
            m.invoke(message, value(m.getParameterTypes()[0], m.getGenericParameterTypes()[0], version, depth));
    }

    private static void print(int key, String side, short version, Message message) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer bytes = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(bytes), cache, version);
        StringBuilder hex = new StringBuilder();
        for (byte b : bytes.array()) hex.append(String.format("%02x", b));
        System.out.println(key + " " + side + " " + version + " " + (hex.length() == 0 ? "-" : hex));
    }

    private static void both(ApiMessageType type, String side, ApiMessage empty, ApiMessage full, short version)
        throws Exception {
        fill(full, version, 0);
        print(type.apiKey(), side, version, full);
        try {
            print(type.apiKey(), side, version, empty);
        } catch (org.apache.kafka.common.errors.UnsupportedVersionException | NullPointerException e) {
            System.err.println(type + " " + side + " v" + version + ": its defaults cannot be written");
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("# Made by tools/WireGolden.java from org.apache.kafka:kafka-clients:4.2.1. Do not edit.");
        for (ApiMessageType type : ApiMessageType.values()) {
            if (!type.listeners().contains(ApiMessageType.ListenerType.BROKER)) continue;
            for (short v = type.lowestSupportedVersion(); v <= type.highestSupportedVersion(true); v++) {
                both(type, "request", type.newRequest(), type.newRequest(), v);
                both(type, "response", type.newResponse(), type.newResponse(), v);
            }
        }
    }
}
