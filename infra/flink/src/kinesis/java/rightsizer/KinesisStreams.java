package rightsizer;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kinesis.sink.KinesisStreamsSink;
import org.apache.flink.connector.kinesis.source.KinesisStreamsSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Kinesis streams, read exactly once and written at least once: a proposal's id makes a repetition harmless. */
final class KinesisStreams implements Places.Streams {
    /** Starts a stream at its oldest record, so that no evidence is lost. */
    private static final Map<String, String> FROM_THE_OLDEST = Map.of("source.init.position", "TRIM_HORIZON");
    /** What was read before a system moved here is not read again. */
    private static Map<String, String> from(String time) {
        return Map.of("source.init.position", "AT_TIMESTAMP", "source.init.timestamp", time);
    }

    /** Short enough that an out-of-memory reaches the aggregator within two seconds. */
    private static final long MOST_BUFFERED_MS = 500;

    KinesisStreams() {}

    @Override
    public DataStream<byte[]> source(StreamExecutionEnvironment env, String arn, String name, String from) {
        KinesisStreamsSource<byte[]> source = KinesisStreamsSource.<byte[]>builder()
                .setStreamArn(arn)
                .setSourceConfig(Configuration.fromMap(from == null ? FROM_THE_OLDEST : from(from)))
                .setDeserializationSchema(new Bytes())
                .build();
        return env.fromSource(source, WatermarkStrategy.noWatermarks(), name).uid(name);
    }

    @Override
    public void sink(DataStream<byte[]> records, String arn, String name) {
        String[] parts = arn.split(":");
        Properties client = new Properties();
        client.setProperty("aws.region", parts[3]);
        records.sinkTo(KinesisStreamsSink.<byte[]>builder()
                        .setStreamName(parts[5].substring(parts[5].indexOf('/') + 1))
                        .setKinesisClientProperties(client)
                        .setSerializationSchema(record -> record)
                        .setPartitionKeyGenerator(KinesisStreams::function)
                        .setMaxTimeInBufferMS(MOST_BUFFERED_MS)
                        .setFailOnError(true)
                        .build())
                .uid(name)
                .name(name);
    }

    /** Returns the function of a proposal as the partition key, so that its proposals stay in order. */
    private static String function(byte[] record) {
        String text = new String(record, StandardCharsets.UTF_8);
        String field = "\"function\":\"";
        int begin = text.indexOf(field) + field.length();
        int end = text.indexOf('"', begin);
        return begin < field.length() || end < begin ? "none" : text.substring(begin, Math.min(end, begin + 256));
    }

    private static final class Bytes extends AbstractDeserializationSchema<byte[]> {
        private static final long serialVersionUID = 1L;

        @Override
        public byte[] deserialize(byte[] record) {
            return record;
        }
    }
}
