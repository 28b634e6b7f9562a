// SPDX-License-Identifier: Apache-2.0
// AvroGolden.java - answers of Apache Avro for Java, for src/format/avro/golden_test.c. It reads requests, or the file
// of an earlier run, and writes each line again with the answers of today. Run by a developer, with Java 17 and the
// jars of Avro and Jackson:
//
//     mvn dependency:get -Dartifact=org.apache.avro:avro:1.12.0
//     java -cp 'jars/*' tools/AvroGolden.java < tests/golden/avro_java_1.12.0.txt > new
//
// A line is a JSON object. {"schema":S,"new":B}: text S read as a new schema (names and defaults are judged) or as an
// old one; answers "canonical", as it prints, and "parsing", its Parsing Canonical Form, or "error".
// {"reader":S,"writer":S}: answers "differences", each kind, place and message, sorted and once each.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.TreeSet;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaNormalization;

public class AvroGolden {
    private static Schema parse(JsonNode text, boolean isNew) {
        Schema.Parser parser = new Schema.Parser(isNew ? NameValidator.STRICT_VALIDATOR : NameValidator.NO_VALIDATION);
        parser.setValidateDefaults(isNew);
        return parser.parse(text.asText());
    }

    private static void read(ObjectNode line) {
        line.remove("canonical");
        line.remove("parsing");
        line.remove("error");
        try {
            Schema schema = parse(line.get("schema"), line.path("new").asBoolean());
            line.put("canonical", schema.toString());
            line.put("parsing", SchemaNormalization.toParsingForm(schema));
        } catch (RuntimeException e) {
            String text = e.toString();
            line.put("error", text.substring(0, Math.min(100, text.length())));
        }
    }

    private static void compare(ObjectNode line) {
        Set<String> found = new TreeSet<>();
        Schema reader = parse(line.get("reader"), false);
        Schema writer = parse(line.get("writer"), false);
        SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult().getIncompatibilities()
            .forEach(i -> found.add(i.getType() + " " + i.getLocation() + " " + i.getMessage()));
        ArrayNode differences = line.putArray("differences");
        found.forEach(differences::add);
    }

    public static void main(String[] args) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String text = in.readLine(); text != null; text = in.readLine()) {
            ObjectNode line = (ObjectNode) mapper.readTree(text);
            if (line.has("schema")) {
                read(line);
            } else {
                compare(line);
            }
            out.println(mapper.writeValueAsString(line));
        }
    }
}
