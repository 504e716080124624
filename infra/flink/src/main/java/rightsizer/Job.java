package rightsizer;

import java.util.Locale;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Builds the job: it reads both streams, groups the evidence by function, and writes proposals. */
public final class Job {
    /** The quarantine of a job without another place: the reader's lines in the log. */
    private static final String LOG = "log";

    /** Flink's own bound of a parallelism. */
    private static final int MOST_TASKS = 1 << 15;

    private static final long HOUR_MS = 3_600_000;

    private Job() {}

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ROOT);
        Options options = new Options(args);
        Native.check(options.settings());
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        // Nothing changes a record after it is passed on, so tasks of one chain need no copies.
        env.getConfig().enableObjectReuse();
        if (options.get("parallelism", null) != null) {
            env.setParallelism((int) options.number("parallelism", 1, 1, MOST_TASKS));
        }
        if (options.get("checkpoint-ms", null) != null) {
            env.enableCheckpointing(options.number("checkpoint-ms", 60_000, 10, Days.DAY_MS));
            // By default a job that fails for good deletes its last checkpoint, and with it every state.
            env.getCheckpointConfig()
                    .setExternalizedCheckpointRetention(ExternalizedCheckpointRetention.DELETE_ON_CANCELLATION);
        }
        build(env, options);
        env.execute("rightsizer");
    }

    static void build(StreamExecutionEnvironment env, Options options) throws Exception {
        String settings = options.settings();
        DataStream<Tuple2<Byte, byte[]>> records = Places.source(env, Stream.REPORTS, options.need("reports"), options);
        String decisions = options.get("decisions", null);
        SingleOutputStreamOperator<Tuple3<String, Long, byte[]>> inputs = read(records, options, settings, "read");
        DataStream<Tuple3<String, Long, byte[]>> all = inputs;
        DataStream<byte[]> refused = inputs.getSideOutput(ReadRecords.QUARANTINE);
        if (decisions != null) {
            SingleOutputStreamOperator<Tuple3<String, Long, byte[]>> answers =
                    read(Places.source(env, Stream.DECISIONS, decisions, options), options, settings, "read-decisions");
            all = inputs.union(answers);
            refused = refused.union(answers.getSideOutput(ReadRecords.QUARANTINE));
        }
        String initial = options.get("initial", null);
        if (initial != null) {
            all = all.union(read(Places.source(env, Stream.INITIAL, initial, options), options, settings, "read-initial"));
        }
        String states = options.get("states", null);
        SingleOutputStreamOperator<byte[]> proposals = all.keyBy(input -> input.f0)
                .process(new FunctionStates(settings, states != null))
                .returns(PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO)
                .uid("functions")
                .name("functions");
        Places.sink(proposals, options.need("proposals"), "proposals", options);
        if (states != null) {
            Places.sink(proposals.getSideOutput(FunctionStates.STATES), states, "states", options);
        }
        String quarantine = options.get("quarantine", LOG);
        if (!quarantine.equals(LOG)) {
            Places.sink(refused, quarantine, "quarantine", options);
        }
    }

    private static SingleOutputStreamOperator<Tuple3<String, Long, byte[]>> read(
            DataStream<Tuple2<Byte, byte[]>> records, Options options, String settings, String name) {
        long bundleMs = options.number("bundle-ms", 200, 1, HOUR_MS);
        boolean makesTime = !name.equals("read-initial");
        return records
                .transform(
                        name,
                        Types.TUPLE(Types.STRING, Types.LONG, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO),
                        new ReadRecords(settings, options.isLive(), bundleMs, makesTime))
                .uid(name);
    }
}
