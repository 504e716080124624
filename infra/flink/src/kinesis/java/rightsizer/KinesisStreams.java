package rightsizer;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kinesis.sink.KinesisStreamsSink;
import org.apache.flink.connector.kinesis.source.KinesisStreamsSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.apache.ApacheHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;

/** Kinesis streams, read exactly once and written at least once: a proposal's id makes a repetition harmless. */
final class KinesisStreams implements Places.Streams {
    /** Short enough that an out-of-memory reaches the aggregator within two seconds. */
    private static final long MOST_BUFFERED_MS = 500;

    private static final Duration LOOK_FOR = Duration.ofSeconds(5);

    KinesisStreams() {}

    @Override
    public DataStream<byte[]> source(StreamExecutionEnvironment env, String arn, String name, Options options) {
        mustExist(arn, name, options);
        KinesisStreamsSource<byte[]> source = KinesisStreamsSource.<byte[]>builder()
                .setStreamArn(arn)
                .setSourceConfig(Configuration.fromMap(reading(options)))
                .setDeserializationSchema(new Bytes())
                .build();
        // Flink does not find the type out from a source that is generic.
        return env.fromSource(
                        source,
                        WatermarkStrategy.noWatermarks(),
                        name,
                        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO)
                .uid(name);
    }

    @Override
    public void sink(DataStream<byte[]> records, String arn, String name, Options options) {
        mustExist(arn, name, options);
        Properties client = new Properties();
        client.setProperty("aws.region", region(arn));
        client.putAll(options.connector());
        records.sinkTo(KinesisStreamsSink.<byte[]>builder()
                        .setStreamName(arn.substring(arn.indexOf('/') + 1))
                        .setKinesisClientProperties(client)
                        .setSerializationSchema(record -> record)
                        .setPartitionKeyGenerator(KinesisStreams::function)
                        .setMaxTimeInBufferMS(MOST_BUFFERED_MS)
                        .setFailOnError(true)
                        .build())
                .uid(name)
                .name(name);
    }

    private static String region(String arn) {
        return arn.split(":")[3];
    }

    /**
     * Fails if there is no such stream: the job itself would only try again and again. Who submits the job may not be
     * allowed to look, or not reach the stream; then the job finds out.
     */
    private static void mustExist(String arn, String name, Options options) {
        String endpoint = options.connector().get("aws.endpoint");
        try (KinesisClient kinesis = KinesisClient.builder()
                .httpClientBuilder(ApacheHttpClient.builder())
                .region(Region.of(region(arn)))
                .endpointOverride(endpoint == null ? null : URI.create(endpoint))
                .overrideConfiguration(client -> client.apiCallTimeout(LOOK_FOR))
                .build()) {
            kinesis.describeStreamSummary(stream -> stream.streamARN(arn));
        } catch (ResourceNotFoundException e) {
            throw new IllegalArgumentException(
                    name + ": there is no stream " + arn + ". Nothing was read or written. hint: create it, or name "
                            + "another with --" + name,
                    e);
        } catch (SdkException e) {
            System.err.println(name + ": could not look whether there is a stream " + arn + ": " + e.getMessage());
        }
    }

    /**
     * Returns the source's options. A stream is read from its oldest record, so that no evidence is lost, or from the
     * time until which a system that moves here has read it.
     */
    private static Map<String, String> reading(Options options) {
        Map<String, String> reading = new HashMap<>(Map.of("source.init.position", "TRIM_HORIZON"));
        Instant from = options.from();
        if (from != null) {
            // The form that the connector expects.
            DateTimeFormatter form = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSXXX");
            String time = from.atOffset(ZoneOffset.UTC).format(form);
            reading.putAll(Map.of("source.init.position", "AT_TIMESTAMP", "source.init.timestamp", time));
        }
        reading.putAll(options.connector());
        return reading;
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
