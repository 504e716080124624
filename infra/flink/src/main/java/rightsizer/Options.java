package rightsizer;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/** The job's options: {@code --name value}, or the runtime properties of Managed Service for Apache Flink. */
final class Options {
    private static final File MANAGED = new File("/etc/flink/application_properties.json");
    private static final Set<String> NAMES = Set.of(
            "reports", "decisions", "proposals", "quarantine", "settings", "settings-text", "clock", "parallelism",
            "checkpoint-ms", "bundle-ms", "home", "accept", "initial", "states", "from", "state-version");

    /** What the options of the Kinesis connector begin with here. */
    private static final String CONNECTOR = "kinesis.";

    private final Map<String, String> given = new HashMap<>();

    Options(String[] args) throws IOException {
        if (args.length == 0 && MANAGED.exists()) {
            for (JsonNode group : new ObjectMapper().readTree(MANAGED)) {
                if (group.path("PropertyGroupId").asText().equals("rightsizer")) {
                    group.path("PropertyMap").fields().forEachRemaining(
                            entry -> set(entry.getKey(), entry.getValue().asText()));
                }
            }
        }
        for (int at = 0; at < args.length; at += 2) {
            if (!args[at].startsWith("--") || at + 1 == args.length) {
                throw new IllegalArgumentException("expected --NAME VALUE, not " + args[at]);
            }
            set(args[at].substring(2), args[at + 1]);
        }
    }

    private void set(String name, String value) {
        if (!NAMES.contains(name) && !name.startsWith(CONNECTOR)) {
            throw new IllegalArgumentException("unknown option " + name + ". hint: the options are " + NAMES + " and "
                    + CONNECTOR + "NAME for the Kinesis connector's option NAME");
        }
        given.put(name, value);
    }

    String get(String name, String otherwise) {
        return given.getOrDefault(name, otherwise);
    }

    String need(String name) {
        String value = given.get(name);
        if (value == null) {
            throw new IllegalArgumentException("option " + name + " is missing");
        }
        return value;
    }

    long number(String name, long otherwise, long least, long most) {
        String value = get(name, Long.toString(otherwise));
        try {
            long number = Long.parseLong(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // The words below are for it too.
        }
        throw new IllegalArgumentException(
                "option " + name + " is " + value + ", expected a whole number from " + least + " to " + most);
    }

    /** Returns the time from which streams are read, or null for their oldest record. */
    Instant from() {
        String from = given.get("from");
        if (from == null) {
            return null;
        }
        try {
            return OffsetDateTime.parse(from).toInstant();
        } catch (DateTimeParseException e) {
            throw new IllegalArgumentException(
                    "option from is " + from + ", expected a time such as 2026-03-01T10:00:00Z", e);
        }
    }

    boolean isLive() {
        String clock = get("clock", "wall");
        if (!clock.equals("wall") && !clock.equals("event")) {
            throw new IllegalArgumentException("clock is " + clock + ", expected wall or event");
        }
        return clock.equals("wall");
    }

    /** Returns the options of the Kinesis connector, with its own names. */
    Map<String, String> connector() {
        Map<String, String> its = new HashMap<>();
        given.forEach((name, value) -> {
            if (name.startsWith(CONNECTOR)) {
                its.put(name.substring(CONNECTOR.length()), value);
            }
        });
        return its;
    }

    /** Returns the aggregator's settings with a section for this job. */
    String settings() throws IOException {
        String file = get("settings", null);
        String text = file == null ? get("settings-text", "") : Files.readString(Path.of(file));
        StringBuilder own = new StringBuilder(text).append("\n[flink]\n");
        own.append("event_clock = ").append(!isLive()).append('\n');
        if (given.containsKey("state-version")) {
            own.append("state_version = ").append(given.get("state-version")).append('\n');
        }
        if (given.containsKey("home")) {
            own.append("home = \"").append(given.get("home")).append("\"\n");
        }
        if (given.containsKey("accept")) {
            String rules = String.join("\", \"", given.get("accept").split(","));
            own.append("accept = [\"").append(rules).append("\"]\n");
        }
        return own.toString();
    }
}
