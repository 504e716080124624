package rightsizer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.reader.SimpleStreamFormat;
import org.apache.flink.connector.file.src.reader.StreamFormat;
import org.apache.flink.core.fs.FSDataInputStream;

/** Reads one record per line as bytes: the native library decodes them. */
final class Lines extends SimpleStreamFormat<byte[]> {
    private static final long serialVersionUID = 1L;
    private static final int AT_ONCE = 1 << 16;

    @Override
    public StreamFormat.Reader<byte[]> createReader(Configuration config, FSDataInputStream from) {
        return new Reader(from);
    }

    @Override
    public TypeInformation<byte[]> getProducedType() {
        return PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
    }

    private static final class Reader implements StreamFormat.Reader<byte[]> {
        private final FSDataInputStream from;
        private final byte[] buffer = new byte[AT_ONCE];
        private final ByteArrayOutputStream begun = new ByteArrayOutputStream();
        private int at;
        private int end;

        Reader(FSDataInputStream from) {
            this.from = from;
        }

        /** Returns the next line without its end, or null after the last one. */
        @Override
        public byte[] read() throws IOException {
            while (true) {
                int begin = at;
                while (at < end) {
                    if (buffer[at++] == '\n') {
                        return line(begin, at - 1);
                    }
                }
                begun.write(buffer, begin, end - begin);
                at = 0;
                end = Math.max(from.read(buffer, 0, AT_ONCE), 0);
                if (end == 0) {
                    return begun.size() == 0 ? null : line(0, 0);
                }
            }
        }

        private byte[] line(int begin, int until) {
            if (begun.size() == 0) {
                return Arrays.copyOfRange(buffer, begin, until);
            }
            begun.write(buffer, begin, until - begin);
            byte[] line = begun.toByteArray();
            begun.reset();
            return line;
        }

        @Override
        public void close() throws IOException {
            from.close();
        }
    }
}
