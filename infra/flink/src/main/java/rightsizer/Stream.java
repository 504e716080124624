package rightsizer;

/** The streams that are read, in the order of the native library's numbers. */
enum Stream {
    REPORTS,
    DECISIONS;

    byte number() {
        return (byte) ordinal();
    }
}
