package rightsizer;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.operators.ProcessingTimeService.ProcessingTimeCallback;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decodes many stream records in one native call. The output has a function's key, its newest time and its inputs. All
 * inputs of one function and day are in one element, so that the function's state is read and written once for them.
 *
 * <p>It also sets the watermarks: the time of the newest event or, if no records arrive, the machine's clock, because
 * an empty shard would otherwise keep days open.
 */
final class ReadRecords extends AbstractStreamOperator<Tuple3<String, Long, byte[]>>
        implements OneInputStreamOperator<Tuple2<Byte, byte[]>, Tuple3<String, Long, byte[]>>,
                BoundedOneInput,
                ProcessingTimeCallback {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(ReadRecords.class);
    private static final byte INPUT = 1;
    private static final byte POISON = 2;
    private static final int MOST_BYTES = 8 << 20;
    private static final int MOST_RECORDS = 16_384;
    private static final long IDLE_MS = 60_000;

    /** Side output of records that cannot be used. */
    static final OutputTag<byte[]> QUARANTINE = new OutputTag<>("quarantine") {};

    private final String settings;
    private final boolean live;
    private final long waitMs;
    private final boolean makesTime;

    private transient long engine;
    private transient ByteArrayOutputStream waiting;
    private transient int count;
    private transient long newest;
    private transient long readAt;
    private transient long watermark;
    private transient Counter records;
    private transient Counter refused;

    /** {@code makesTime}: initial states are of the past, and time begins when the last is read. */
    ReadRecords(String settings, boolean live, long waitMs, boolean makesTime) {
        this.makesTime = makesTime;
        this.settings = settings;
        this.live = live;
        this.waitMs = waitMs;
    }

    @Override
    public void open() throws Exception {
        super.open();
        engine = Native.openInTask(settings);
        waiting = new ByteArrayOutputStream();
        newest = Long.MIN_VALUE;
        watermark = Long.MIN_VALUE;
        readAt = now();
        records = getMetricGroup().counter("records");
        refused = getMetricGroup().counter("refused");
        getProcessingTimeService().registerTimer(now() + waitMs, this);
    }

    @Override
    public void processElement(StreamRecord<Tuple2<Byte, byte[]>> element) throws Exception {
        DataOutputStream out = new DataOutputStream(waiting);
        out.writeByte(element.getValue().f0);
        out.writeInt(element.getValue().f1.length);
        out.write(element.getValue().f1);
        count++;
        if (waiting.size() >= MOST_BYTES || count >= MOST_RECORDS) {
            flush();
        }
    }

    @Override
    public void onProcessingTime(long at) throws Exception {
        flush();
        if (live && now() - readAt > IDLE_MS) {
            newest = Math.max(newest, now() - IDLE_MS);
            passOnTime();
        }
        getProcessingTimeService().registerTimer(now() + waitMs, this);
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpoint) throws Exception {
        flush();
    }

    @Override
    public void endInput() throws Exception {
        flush();
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        if (mark.getTimestamp() == Long.MAX_VALUE) {
            flush();
            output.emitWatermark(new Watermark(EndOfInput.watermark(watermark)));
        }
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) {
        // Its own watermarks go on.
    }

    private void flush() throws IOException {
        if (count == 0) {
            return;
        }
        int read = count;
        List<byte[]> unusable = new ArrayList<>();
        records.inc(count);
        readAt = now();
        ByteBuffer answer = ByteBuffer.wrap(Native.read(engine, waiting.toByteArray(), readAt));
        waiting.reset();
        count = 0;
        Map<Tuple2<String, Long>, Tuple3<String, Long, byte[]>> inputs = new LinkedHashMap<>();
        Map<Tuple2<String, Long>, ByteArrayOutputStream> bytes = new LinkedHashMap<>();
        while (answer.hasRemaining()) {
            byte kind = answer.get();
            byte[] first = frame(answer);
            if (kind == POISON) {
                unusable.add(first);
                continue;
            }
            if (kind != INPUT) {
                throw new IOException("the native library is from another release than this jar");
            }
            String function = new String(first, StandardCharsets.UTF_8);
            long at = answer.getLong();
            byte[] input = frame(answer);
            newest = Math.max(newest, at);
            Tuple2<String, Long> place = Tuple2.of(function, Days.boundary(at));
            inputs.merge(place, Tuple3.of(function, at, null), (a, b) -> a.f1 >= b.f1 ? a : b);
            ByteArrayOutputStream all = bytes.computeIfAbsent(place, key -> new ByteArrayOutputStream());
            all.write(ByteBuffer.allocate(4).putInt(input.length).array());
            all.write(input);
        }
        for (Map.Entry<Tuple2<String, Long>, Tuple3<String, Long, byte[]>> entry : inputs.entrySet()) {
            Tuple3<String, Long, byte[]> one = entry.getValue();
            one.f2 = bytes.get(entry.getKey()).toByteArray();
            output.collect(new StreamRecord<>(one, one.f1));
        }
        quarantine(unusable, read);
        passOnTime();
    }

    /** Counts and passes on the records that cannot be used. The log has one line about them, which an alarm counts. */
    private void quarantine(List<byte[]> unusable, int read) {
        if (unusable.isEmpty()) {
            return;
        }
        refused.inc(unusable.size());
        unusable.forEach(row -> output.collect(QUARANTINE, new StreamRecord<>(row)));
        String first = new String(unusable.get(0), StandardCharsets.UTF_8);
        LOG.warn("records that cannot be used: {} of {}. The first: {}", unusable.size(), read, first);
    }

    private void passOnTime() {
        if (makesTime && newest - 1 > watermark && newest > Long.MIN_VALUE) {
            watermark = newest - 1;
            output.emitWatermark(new Watermark(watermark));
        }
    }

    private long now() {
        return getProcessingTimeService().getCurrentProcessingTime();
    }

    private static byte[] frame(ByteBuffer from) {
        byte[] bytes = new byte[from.getInt()];
        from.get(bytes);
        return bytes;
    }
}
