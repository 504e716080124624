package rightsizer;

/**
 * The watermarks at the end of bounded inputs.
 *
 * <p>Flink ends every input with the largest watermark of all, which hides how late the evidence was: whether the last
 * day closed would depend on which input ended last. The readers therefore end with a watermark that contains their
 * latest time. The latest of all readers makes the smallest of these watermarks, which is the one that passes when the
 * last input has ended.
 *
 * <p>A reader that ended before a restore is not asked again. The last days then close as far as the others reached.
 */
final class EndOfInput {
    private static final long FIRST = 1L << 61;
    private static final long LAST = Long.MAX_VALUE - 1;

    private EndOfInput() {}

    /** Returns the watermark of a reader whose inputs have ended. {@code latest} is its last watermark in event time. */
    static long watermark(long latest) {
        return LAST - Math.min(Math.max(latest, 0), FIRST);
    }

    static boolean isReached(long watermark) {
        return watermark >= FIRST;
    }

    /** Returns the latest event time of all inputs. It is negative if all of them ended before a restore. */
    static long latest(long watermark) {
        return LAST - watermark;
    }
}
