package rightsizer;

import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.Encoder;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Opens sources and sinks: the ARN of a Kinesis stream, or a folder of files with one record per line. */
final class Places {
    /** The job's use of the Kinesis connector. The implementation is a separate class, because tests run without it. */
    interface Streams {
        DataStream<byte[]> source(StreamExecutionEnvironment env, String arn, String name);

        void sink(DataStream<byte[]> records, String arn, String name);
    }

    private Places() {}

    static DataStream<Tuple2<Byte, byte[]>> source(StreamExecutionEnvironment env, Stream stream, String place) {
        byte number = stream.number();
        String name = stream.name().toLowerCase();
        DataStream<byte[]> records = isStream(place) ? kinesis().source(env, place, name) : lines(env, place, name);
        return records
                .map(record -> Tuple2.of(number, record))
                .returns(Types.TUPLE(Types.BYTE, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
    }

    static void sink(DataStream<byte[]> records, String place, String name) {
        if (isStream(place)) {
            kinesis().sink(records, place, name);
            return;
        }
        Encoder<byte[]> line = (record, out) -> {
            out.write(record);
            out.write('\n');
        };
        records.sinkTo(FileSink.forRowFormat(new Path(place), line).build()).uid(name).name(name);
    }

    private static boolean isStream(String place) {
        return place.startsWith("arn:");
    }

    private static DataStream<byte[]> lines(StreamExecutionEnvironment env, String folder, String name) {
        FileSource<String> source =
                FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(folder)).build();
        return env.fromSource(source, WatermarkStrategy.noWatermarks(), name)
                .uid(name)
                .map(line -> line.getBytes(StandardCharsets.UTF_8))
                .returns(PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
    }

    private static Streams kinesis() {
        try {
            return (Streams) Class.forName("rightsizer.KinesisStreams").getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException | LinkageError e) {
            throw new IllegalStateException(
                    "this jar was built without the Kinesis connector. hint: build it with `make flink`", e);
        }
    }
}
