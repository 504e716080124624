package rightsizer;

/** The streams that are read, in the order of the native library's numbers. */
enum Stream {
    REPORTS,
    DECISIONS,
    /** The states with which functions begin, from `rightsizer to-flink`. */
    INITIAL;

    byte number() {
        return (byte) ordinal();
    }
}
