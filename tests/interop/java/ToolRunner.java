// SPDX-License-Identifier: Apache-2.0
// ToolRunner.java - runs the main methods of Apache Kafka's command line tools in one JVM, because each start of a JVM
// costs more than most tools take. Speaks JSON lines: see `Run` for what comes in, `finish` for what goes out.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.utils.Exit;

public final class ToolRunner {
    private static final ObjectMapper JSON = new ObjectMapper();
    // A tool's threads inherit the run that they belong to, so that several tools can run at a time.
    private static final InheritableThreadLocal<Run> CURRENT = new InheritableThreadLocal<>();
    private static final Map<Integer, Run> RUNS = new ConcurrentHashMap<>();
    private static PrintStream answers;

    // What Exit.exit throws instead of ending the JVM.
    private static final class Exited extends RuntimeException {
        Exited(int status) {
            super("exit " + status, null, false, false);
        }
    }

    // One tool: {"id": 1, "main": "org.apache.kafka.tools.TopicCommand", "args": [...], "stdin": "..."}.
    // {"stop": 1} is a SIGTERM to it.
    private static final class Run extends Thread {
        final int id;
        final String main;
        final String[] args;
        final InputStream in;
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        final List<Runnable> hooks = new ArrayList<>();
        volatile int status = 0;
        volatile boolean exited = false; // what a real exit would have cut off is not heard

        Run(JsonNode request) {
            id = request.get("id").asInt();
            main = request.get("main").asText();
            args = JSON.convertValue(request.get("args"), String[].class);
            in = new ByteArrayInputStream(request.path("stdin").asText("").getBytes(StandardCharsets.UTF_8));
            setDaemon(true);
        }

        @Override
        public void run() {
            CURRENT.set(this);
            try {
                Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) args);
            } catch (InvocationTargetException e) {
                if (!(e.getCause() instanceof Exited)) {
                    e.getCause().printStackTrace();
                    status = exited ? status : 1;
                }
            } catch (ReflectiveOperationException e) {
                e.printStackTrace();
                status = 1;
            }
            exited = false;
            stopTool();
            finish();
        }

        // What the JVM would do at its end: the tool's shutdown hooks, each once.
        void stopTool() {
            List<Runnable> todo;
            synchronized (hooks) {
                todo = new ArrayList<>(hooks);
                hooks.clear();
            }
            todo.forEach(Runnable::run);
        }

        void finish() {
            RUNS.remove(id);
            ObjectNode answer = JSON.createObjectNode().put("id", id).put("status", status);
            answer.put("out", out.toString(StandardCharsets.UTF_8));
            synchronized (answers) {
                answers.println(answer);
            }
        }
    }

    // Standard output of whoever writes: its run's, or the real standard error.
    private static final class Output extends OutputStream {
        private final PrintStream rest;

        Output(PrintStream rest) {
            this.rest = rest;
        }

        @Override
        public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int from, int length) {
            Run run = CURRENT.get();
            if (run == null)
                rest.write(bytes, from, length);
            else if (!run.exited)
                run.out.write(bytes, from, length);
        }
    }

    private static final class Input extends InputStream {
        @Override
        public int read() throws IOException {
            Run run = CURRENT.get();
            return run == null ? -1 : run.in.read();
        }

        @Override
        public int read(byte[] bytes, int from, int length) throws IOException {
            Run run = CURRENT.get();
            return run == null ? -1 : run.in.read(bytes, from, length);
        }
    }

    private static void exit(int status, String message) {
        Run run = CURRENT.get();
        if (run != null && !run.exited) { // a tool may catch Exited and exit once more
            run.status = status;
            run.exited = true;
        }
        throw new Exited(status);
    }

    private static void addHook(String name, Runnable hook) {
        Run run = CURRENT.get();
        synchronized (run.hooks) {
            run.hooks.add(hook);
        }
    }

    public static void main(String[] args) throws IOException {
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        answers = System.out;
        PrintStream output = new PrintStream(new Output(System.err), true, StandardCharsets.UTF_8);
        System.setOut(output);
        System.setErr(output);
        System.setIn(new Input());
        Exit.setExitProcedure(ToolRunner::exit);
        Exit.setHaltProcedure(ToolRunner::exit);
        Exit.setShutdownHookAdder(ToolRunner::addHook);
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            JsonNode request = JSON.readTree(line);
            if (request.has("stop")) {
                Run run = RUNS.get(request.get("stop").asInt());
                if (run != null)
                    new Thread(run::stopTool).start();
                continue;
            }
            Run run = new Run(request);
            RUNS.put(run.id, run);
            run.start();
        }
        System.exit(0);
    }
}
