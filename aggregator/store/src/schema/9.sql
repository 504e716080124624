-- Version 9: what other tools found out about sizes. No decision reads it.

-- Sizes at which another tool ran a function: the newest measurement of each. The function as in
-- `functions`, where it need not be.
CREATE TABLE measured_sizes (
    function    TEXT NOT NULL,
    memory_mb   INTEGER NOT NULL,
    -- Who measured: 'power-tuning'.
    source      TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    -- Means of an invocation; the cost in US dollars.
    duration_ms REAL NOT NULL,
    usd         REAL,
    PRIMARY KEY (function, memory_mb, source)
) WITHOUT ROWID;

-- What AWS Compute Optimizer says about a version of a function, as of its last refresh.
CREATE TABLE compute_optimizer (
    function   TEXT NOT NULL,
    version    TEXT NOT NULL,
    at_ms      INTEGER NOT NULL,
    finding    TEXT NOT NULL,
    current_mb INTEGER,
    -- The size that it holds right.
    memory_mb  INTEGER,
    PRIMARY KEY (function, version)
) WITHOUT ROWID;

DROP VIEW review;

-- A line of `rightsizer list`.
CREATE VIEW review AS
SELECT
    v.*,
    -- Of the version whose traffic it is, else of $LATEST, else of the one that was looked at last.
    (SELECT o.memory_mb FROM compute_optimizer o WHERE o.function = v.function
     ORDER BY o.version <> v.version, o.version <> '$LATEST', o.at_ms DESC, o.version LIMIT 1)
        AS compute_optimizer_mb
FROM (
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
) v
ORDER BY urgent DESC, abs(coalesce(monthly_usd_before - monthly_usd_after, 0)) DESC, function;
