package rightsizer;

/** The streams, as the native library numbers them. */
enum Stream {
    REPORTS,
    DECISIONS;

    byte number() {
        return (byte) ordinal();
    }
}
