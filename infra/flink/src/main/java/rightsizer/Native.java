package rightsizer;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The calls of the native library, which contains the rules (aggregator/flink). */
final class Native {
    /** Means that no day is closed. */
    static final int NO_DAY = Integer.MIN_VALUE;

    private static final String LIBRARY = "librightsizer_flink.so";

    static {
        load();
    }

    private Native() {}

    /** Reads the settings, and returns the engine that the other calls take. */
    static native long open(byte[] settings);

    /** Decodes stream records, and returns the inputs of each function and the records that cannot be used. */
    static native byte[] read(long engine, byte[] records, long nowMs);

    /** Returns a function's next state and its proposals, after new inputs or a closed day. */
    static native byte[] advance(
            long engine,
            byte[] function,
            byte[] state,
            byte[] inputs,
            long nowMs,
            long eventMs,
            int closedDay,
            boolean closes);

    /** Returns the version of the states that the library writes. */
    static native int version();

    static long open(String settings) {
        return open(settings.getBytes(StandardCharsets.UTF_8));
    }

    /** Loads a new copy for each class loader, because the JVM gives a library to only one of them. */
    private static void load() {
        String processor = System.getProperty("os.arch").equals("aarch64") ? "aarch64" : "x86_64";
        String name = "/native/linux-" + processor + "/" + LIBRARY;
        try (InputStream library = Native.class.getResourceAsStream(name)) {
            if (library == null) {
                throw new UnsatisfiedLinkError(
                        "this jar has no native library for "
                                + System.getProperty("os.name") + " " + System.getProperty("os.arch")
                                + ". hint: build it on such a machine with `make flink`, or take the release's jar");
            }
            Path copy = Files.createTempFile("rightsizer-", ".so");
            Files.copy(library, copy, StandardCopyOption.REPLACE_EXISTING);
            try {
                System.load(copy.toString());
            } catch (UnsatisfiedLinkError e) {
                throw new UnsatisfiedLinkError(
                        "the native library in this jar does not load on " + System.getProperty("os.name") + " "
                                + System.getProperty("os.arch") + ": " + e.getMessage()
                                + ". hint: build the jar on such a machine with `make flink`, or take the release's jar");
            } finally {
                Files.delete(copy);
            }
        } catch (IOException e) {
            throw new UnsatisfiedLinkError("cannot unpack the native library: " + e.getMessage());
        }
    }
}
