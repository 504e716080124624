package rightsizer;

/** The streams, as the native library numbers them. */
enum Stream {
    REPORTS,
    DECISIONS,
    /** The states with which functions begin, from `rightsizer to-flink`. */
    INITIAL;

    byte number() {
        return (byte) ordinal();
    }
}
