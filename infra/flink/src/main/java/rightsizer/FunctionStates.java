package rightsizer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/**
 * Keeps each function's state as bytes. New evidence and the end of a day change the state, and may lead to proposals.
 *
 * <p>One source may be read far ahead of another. Evidence therefore waits until the watermark reaches its day, so that
 * a day closes on the same evidence in any order of reading.
 */
final class FunctionStates extends KeyedProcessFunction<String, Tuple3<String, Long, byte[]>, byte[]> {
    private static final long serialVersionUID = 1L;
    private static final byte[] NOTHING = {};
    /** The interval of the timer of a function without reports, until its state is empty. */
    private static final long IDLE_DAYS = 30;

    /** 2001-01-01: no evidence is older. */
    private static final long EARLIEST = Days.boundary(978_307_200_000L);
    /** The input that is a state from elsewhere: the tag after its length. */
    private static final byte INITIAL = 't';

    /** States as lines, for `rightsizer from-flink`. */
    static final OutputTag<byte[]> STATES = new OutputTag<>("states") {};

    private final String settings;
    private final boolean writesStates;

    private transient long engine;
    private transient ValueState<byte[]> state;
    private transient ListState<Tuple2<Long, byte[]>> ahead;
    private transient Counter proposals;
    private transient volatile int stateBytes;

    FunctionStates(String settings, boolean writesStates) {
        this.settings = settings;
        this.writesStates = writesStates;
    }

    @Override
    public void open(OpenContext context) throws IOException {
        engine = Native.openInTask(settings);
        state = getRuntimeContext().getState(new ValueStateDescriptor<>(
                "function", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        ahead = getRuntimeContext().getListState(new ListStateDescriptor<>(
                "ahead", Types.TUPLE(Types.LONG, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO)));
        proposals = getRuntimeContext().getMetricGroup().counter("proposals");
        getRuntimeContext().getMetricGroup().gauge("stateBytes", () -> stateBytes);
    }

    @Override
    public void processElement(Tuple3<String, Long, byte[]> input, Context context, Collector<byte[]> out)
            throws Exception {
        long watermark = context.timerService().currentWatermark();
        long begins = Days.boundary(input.f1);
        // Initial states come before all evidence: until the last is read there is no watermark.
        if (watermark < begins && input.f2[Integer.BYTES] != INITIAL) {
            ahead.add(Tuple2.of(begins, input.f2));
            context.timerService().registerEventTimeTimer(begins);
            return;
        }
        // The last close is the same in every run; the exact watermark is not, so it is not used.
        boolean isOutside = watermark < begins || EndOfInput.isReached(watermark);
        long event = isOutside ? Math.max(begins, EARLIEST) : Days.boundary(watermark);
        advance(context, out, input.f2, event, false);
        if (begins < EARLIEST) {
            // A state without evidence and days: its first report makes the timer.
            return;
        }
        context.timerService().registerEventTimeTimer(event + Days.DAY_MS);
    }

    @Override
    public void onTimer(long at, OnTimerContext context, Collector<byte[]> out) throws Exception {
        List<Tuple2<Long, byte[]>> later = new ArrayList<>();
        ByteArrayOutputStream begun = new ByteArrayOutputStream();
        Iterable<Tuple2<Long, byte[]>> all = ahead.get();
        if (all != null) {
            for (Tuple2<Long, byte[]> one : all) {
                if (one.f0 > at) {
                    later.add(one);
                } else {
                    begun.write(one.f1);
                }
            }
        }
        // At the end of bounded inputs all timers fire, but days that no input reached are not over.
        long watermark = context.timerService().currentWatermark();
        boolean isLater = EndOfInput.isReached(watermark) && at > EndOfInput.latest(watermark);
        if (isLater && later.isEmpty() && begun.size() == 0) {
            writeState(context);
            return;
        }
        boolean active = state.value() != null && advance(context, out, NOTHING, at, true);
        if (begun.size() > 0) {
            ahead.update(later);
            active = advance(context, out, begun.toByteArray(), at, false);
        }
        writeState(context);
        if (active) {
            context.timerService().registerEventTimeTimer(at + Days.DAY_MS);
        } else if (state.value() != null) {
            context.timerService().registerEventTimeTimer(at + IDLE_DAYS * Days.DAY_MS);
        }
    }

    private boolean advance(Context context, Collector<byte[]> out, byte[] inputs, long event, boolean closes)
            throws IOException {
        byte[] before = state.value();
        ByteBuffer answer = ByteBuffer.wrap(Native.advance(
                engine,
                context.getCurrentKey().getBytes(StandardCharsets.UTF_8),
                before == null ? NOTHING : before,
                inputs,
                context.timerService().currentProcessingTime(),
                event,
                Days.closed(event),
                closes));
        boolean active = answer.get() != 0;
        byte[] after = frame(answer);
        stateBytes = after.length;
        if (after.length == 0) {
            state.clear();
        } else {
            state.update(after);
        }
        while (answer.hasRemaining()) {
            proposals.inc();
            out.collect(frame(answer));
        }
        return active;
    }

    private void writeState(OnTimerContext context) throws IOException {
        if (writesStates && state.value() != null) {
            context.output(STATES, Base64.getEncoder().encode(state.value()));
        }
    }

    private static byte[] frame(ByteBuffer from) {
        byte[] bytes = new byte[from.getInt()];
        from.get(bytes);
        return bytes;
    }
}
