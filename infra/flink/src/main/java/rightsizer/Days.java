package rightsizer;

/** Calendar days in UTC, each of which closes an hour after it ends (W3). */
final class Days {
    static final long DAY_MS = 86_400_000L;
    private static final long DELAY_MS = 3_600_000L;

    private Days() {}

    /** Returns the last close at or before {@code timeMs}. Evidence from there to the next close is merged together. */
    static long boundary(long timeMs) {
        return Math.floorDiv(timeMs - DELAY_MS, DAY_MS) * DAY_MS + DELAY_MS;
    }

    /** Returns the last day that is closed at {@code timeMs}, as days since 1970-01-01. */
    static int closed(long timeMs) {
        return (int) Math.floorDiv(timeMs - DELAY_MS, DAY_MS) - 1;
    }
}
