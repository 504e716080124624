package rightsizer;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.Encoder;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Opens sources and sinks: the ARN of a Kinesis stream, or a folder of files with one record per line. */
final class Places {
    /** The job's use of the Kinesis connector. The implementation is a separate class, because tests run without it. */
    interface Streams {
        DataStream<byte[]> source(StreamExecutionEnvironment env, String arn, String name, Options options);

        void sink(DataStream<byte[]> records, String arn, String name, Options options);
    }

    /** The connector in Maven's registry, with the version of the pom. */
    private static final String CONNECTOR = "org.apache.flink:flink-connector-aws-kinesis-streams:6.0.0-2.0";

    private static final Duration LOOK_EVERY = Duration.ofMillis(200);

    private Places() {}

    static DataStream<Tuple2<Byte, byte[]>> source(
            StreamExecutionEnvironment env, Stream stream, String place, Options options) throws IOException {
        byte number = stream.number();
        String name = stream.name().toLowerCase();
        boolean grows = options.isLive() && stream != Stream.INITIAL;
        // Looked at for streams too, so that a wrong time ends the job before it begins.
        if (options.from() != null && !isStream(place) && stream == Stream.REPORTS) {
            throw new IllegalArgumentException(
                    "option from is for a Kinesis stream, and " + place + " is a folder, which is read whole. hint: "
                            + "leave it out");
        }
        DataStream<byte[]> records = isStream(place)
                ? kinesis().source(env, place, name, options)
                : lines(env, place, name, grows);
        return records
                .map(record -> Tuple2.of(number, record))
                .returns(Types.TUPLE(Types.BYTE, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
    }

    static void sink(DataStream<byte[]> records, String place, String name, Options options) {
        if (isStream(place)) {
            kinesis().sink(records, place, name, options);
            return;
        }
        Encoder<byte[]> line = (record, out) -> {
            out.write(record);
            out.write('\n');
        };
        FileSink.DefaultRowFormatBuilder<byte[]> sink = FileSink.forRowFormat(new Path(place), line);
        // Live, a file is finished by the next checkpoint, so that an urgent proposal does not wait for others.
        FileSink<byte[]> files = options.isLive()
                ? sink.withRollingPolicy(OnCheckpointRollingPolicy.build()).build()
                : sink.build();
        records.sinkTo(files).uid(name).name(name);
    }

    private static boolean isStream(String place) {
        return place.startsWith("arn:");
    }

    private static DataStream<byte[]> lines(StreamExecutionEnvironment env, String place, String name, boolean grows)
            throws IOException {
        Path folder = new Path(place);
        if (!folder.getFileSystem().exists(folder)) {
            throw new FileNotFoundException(
                    name + ": there is no folder " + place + ". Nothing was read. hint: make it, or name another with --"
                            + name + "; a Kinesis stream is named by its ARN");
        }
        FileSource.FileSourceBuilder<byte[]> source = FileSource.forRecordStreamFormat(new Lines(), folder);
        if (grows) {
            source.monitorContinuously(LOOK_EVERY);
        }
        return env.fromSource(source.build(), WatermarkStrategy.noWatermarks(), name).uid(name);
    }

    private static Streams kinesis() {
        try {
            return (Streams) Class.forName("rightsizer.KinesisStreams").getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException | LinkageError e) {
            throw new IllegalStateException(
                    "this jar was built without the Kinesis connector, which Maven's registry did not have. hint: name a "
                            + "registry that has " + CONNECTOR + " in Maven's settings.xml and run `make flink` again",
                    e);
        }
    }
}
