import java.time.ZoneOffset;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * The mean of daily peaks and 100 MB in Flink SQL, over the same telemetry as the job: what {@code speed.py} compares
 * the job with. It has no windows, no duplicates, no late evidence and no state between runs.
 */
public final class MeanOfPeaks {
    private MeanOfPeaks() {}

    public static void main(String[] args) throws Exception {
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.newInstance().inBatchMode().build());
        tables.getConfig().setLocalTimeZone(ZoneOffset.UTC);
        tables.getConfig().set("parallelism.default", "2");
        tables.getConfig().set("table.exec.resource.default-parallelism", "2");
        tables.executeSql(
                "CREATE TABLE telemetry (functionName STRING, records ARRAY<ROW<`time` STRING, `type` STRING,"
                        + " `record` ROW<metrics ROW<maxMemoryUsedMB INT>>>>)"
                        + " WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = '" + args[0] + "')");
        tables.executeSql("CREATE TABLE sizes (functionName STRING, mb DOUBLE)"
                + " WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = '" + args[1] + "')");
        tables.executeSql("INSERT INTO sizes SELECT functionName, AVG(CAST(peak AS DOUBLE)) + 100 FROM ("
                        + " SELECT t.functionName, SUBSTRING(e.`time`, 1, 10) AS `day`,"
                        + " MAX(e.`record`.metrics.maxMemoryUsedMB) AS peak"
                        + " FROM telemetry AS t CROSS JOIN UNNEST(t.records) AS e (`time`, `type`, `record`)"
                        + " WHERE e.`type` = 'platform.report'"
                        + " GROUP BY t.functionName, SUBSTRING(e.`time`, 1, 10)) GROUP BY functionName")
                .await();
    }
}
