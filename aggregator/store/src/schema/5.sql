-- Version 5: log groups are read as a whole and read again; functions that were never heard of are listed.

DROP VIEW review;

-- Whether its logs hold reports of failures alone.
ALTER TABLE inventory ADD COLUMN failures_only INTEGER NOT NULL DEFAULT 0;

-- Sources are counted in the order of their numbers: files come behind log groups, which begin at 16.
UPDATE days SET source = 1099511627776 WHERE source = 2;

-- Log groups that were read: `days.source` is 16 + id.
CREATE TABLE log_groups (
    id        INTEGER PRIMARY KEY,
    log_group TEXT NOT NULL UNIQUE
);

-- What a log group gave for a day, which is replaced as a whole when that day is read again.
CREATE TABLE log_days (
    log_group   INTEGER NOT NULL REFERENCES log_groups (id),
    day         INTEGER NOT NULL,
    read_ms     INTEGER NOT NULL,
    invocations INTEGER NOT NULL,
    PRIMARY KEY (log_group, day)
) WITHOUT ROWID;
CREATE INDEX days_of_log_groups ON days (source, day) WHERE source >= 16 AND source < 1099511627776;

-- One line a function, the most money first: a full review in one SELECT.
CREATE VIEW review AS
SELECT * FROM (
SELECT
    f.function,
    f.current_mb,
    f.peak_mb,
    f.policy_mb,
    f.target_mb,
    f.to_mb,
    -- An ended recommendation tells something only while it is about the present decision.
    CASE
        WHEN f.policy_mb IS NULL AND EXISTS
            (SELECT 1 FROM peaks p WHERE p.function_id = f.id AND p.peak_mb > 0) THEN 'idle'
        WHEN f.policy_mb IS NULL THEN 'no-memory-figure'
        WHEN r.status IS NULL THEN 'ok'
        WHEN f.to_mb IS NULL AND r.status IN ('skipped', 'failed', 'expired', 'rejected') THEN 'ok'
        ELSE r.status
    END AS status,
    f.confidence,
    f.reasons,
    f.invocations,
    f.usd_before AS monthly_usd_before,
    f.usd_after AS monthly_usd_after,
    round(f.usd_before - f.usd_after, 2) AS monthly_usd_saved,
    -- Ran out of memory and has not been given more yet.
    coalesce(f.to_mb IS NOT NULL AND r.urgent
        AND r.status IN ('open', 'approved', 'sent', 'skipped', 'failed'), 0)
        AS urgent,
    r.id AS recommendation,
    r.closed_reason,
    f.seen,
    f.duplicates,
    f.late,
    f.lost,
    f.self_kib,
    f.version,
    coalesce(f.arch, i.arch) AS arch,
    coalesce(f.runtime, i.runtime) AS runtime,
    f.p99_ms,
    date(f.decided_day * 86400, 'unixepoch') AS decided_on,
    datetime(f.last_ms / 1000, 'unixepoch') AS last_report
FROM functions_now f
LEFT JOIN inventory i ON i.function = f.function
LEFT JOIN recommendations r ON r.function_id = f.id AND r.id = (
    SELECT n.id FROM recommendations n
    WHERE n.function_id = f.id AND n.status NOT IN ('superseded', 'withdrawn')
    ORDER BY n.issued_ms DESC, n.day DESC, n.id LIMIT 1)
UNION ALL
-- Functions that the account has and no report ever told of.
SELECT
    i.function, i.memory_mb, NULL, NULL, NULL, NULL, 'no-reports', NULL,
    CASE WHEN i.failures_only THEN '[{"code":"partial-evidence","invocations":0}]' END,
    0, NULL, NULL, NULL, 0, NULL, NULL, 0, 0, 0, 0, 0, '$LATEST', i.arch, i.runtime, NULL, NULL, NULL
FROM inventory i
WHERE i.gone_ms IS NULL AND NOT EXISTS (SELECT 1 FROM functions f WHERE f.function = i.function)
)
ORDER BY urgent DESC, abs(coalesce(monthly_usd_before - monthly_usd_after, 0)) DESC, function;
