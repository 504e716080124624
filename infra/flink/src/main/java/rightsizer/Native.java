package rightsizer;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The rules: the native library of aggregator/flink, which has the same calls. */
final class Native {
    /** No day is closed. */
    static final int NO_DAY = Integer.MIN_VALUE;

    private static final String LIBRARY = "librightsizer_flink.so";

    static {
        load();
    }

    private Native() {}

    /** Reads the settings; the answer names the engine in the other calls. */
    static native long open(byte[] settings);

    /** Reads stream records into inputs of functions, and what cannot be used. */
    static native byte[] read(long engine, byte[] records, long nowMs);

    /** Brings one function's state forward. */
    static native byte[] advance(
            long engine,
            byte[] function,
            byte[] state,
            byte[] inputs,
            long nowMs,
            long eventMs,
            int closedDay,
            boolean closes);

    /** The version of the states that it writes. */
    static native int version();

    static long open(String settings) {
        return open(settings.getBytes(StandardCharsets.UTF_8));
    }

    /** A copy of its own for each class loader: the JVM loads a library for one of them only. */
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
