package rightsizer;

/** Days as windows see them: one closes an hour after its midnight UTC. */
final class Days {
    static final long DAY_MS = 86_400_000L;
    private static final long DELAY_MS = 3_600_000L;

    private Days() {}

    /** The close at or before a time. Evidence counts for the segment that begins there. */
    static long boundary(long timeMs) {
        return Math.floorDiv(timeMs - DELAY_MS, DAY_MS) * DAY_MS + DELAY_MS;
    }

    /** The last day that is closed at a time, counted from 1970-01-01. */
    static int closed(long timeMs) {
        return (int) Math.floorDiv(timeMs - DELAY_MS, DAY_MS) - 1;
    }
}
