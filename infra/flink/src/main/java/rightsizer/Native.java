package rightsizer;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.flink.runtime.execution.SuppressRestartsException;

/** The calls of the native library, which contains the rules (aggregator/flink). */
final class Native {
    /** Means that no day is closed. */
    static final int NO_DAY = Integer.MIN_VALUE;

    private static final String LIBRARY = "librightsizer_flink.so";

    private static boolean isLoaded;
    private static UnsatisfiedLinkError unusable;

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

    /**
     * Checks the settings before the job is submitted. Who submits it may have a machine of another kind than the
     * cluster; then the tasks find out.
     */
    static void check(String settings) throws IOException {
        try {
            open(settings);
        } catch (UnsatisfiedLinkError e) {
            if (Native.class.getResource(resource()) != null) {
                throw e;
            }
            System.err.println("the settings are not checked before the start: " + e.getMessage());
        }
    }

    /** Opens it in a task. What would fail again after a restart ends the job. */
    static long openInTask(String settings) throws IOException {
        try {
            return open(settings);
        } catch (UnsatisfiedLinkError | RuntimeException e) {
            throw new SuppressRestartsException(e);
        }
    }

    private static synchronized long open(String settings) throws IOException {
        // The JVM names the reason only once, so it is kept for the other tasks.
        if (unusable != null) {
            throw new UnsatisfiedLinkError(unusable.getMessage());
        }
        if (!isLoaded) {
            try {
                load();
            } catch (UnsatisfiedLinkError e) {
                unusable = e;
                throw e;
            }
            isLoaded = true;
        }
        return open(settings.getBytes(StandardCharsets.UTF_8));
    }

    private static String resource() {
        String processor = System.getProperty("os.arch").equals("aarch64") ? "aarch64" : "x86_64";
        return "/native/" + System.getProperty("os.name").toLowerCase() + "-" + processor + "/" + LIBRARY;
    }

    /** Loads a new copy for each class loader, because the JVM gives a library to only one of them. */
    private static void load() throws IOException {
        try (InputStream library = Native.class.getResourceAsStream(resource())) {
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
            throw new IOException("cannot unpack the native library: " + e.getMessage(), e);
        }
    }
}
