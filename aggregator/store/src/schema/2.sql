-- Version 2: what the evidence tells of a function is kept by facts whose order does not matter;
-- recommendations are found by their function; CPU time is kept by day and size, and how an environment's memory climbs.

DROP VIEW review;

ALTER TABLE functions ADD COLUMN newest_mb INTEGER NOT NULL DEFAULT 0;
-- The environment that began last, where one was seen to begin, and its size.
ALTER TABLE functions ADD COLUMN started_mb INTEGER;
ALTER TABLE functions ADD COLUMN started_ms INTEGER;
-- Reports that its environments say they saw and that never arrived.
ALTER TABLE functions ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
UPDATE functions SET newest_mb = current_mb;
UPDATE functions SET started_mb = current_mb, started_ms = current_ms
    WHERE current_ms > 946684800000;
UPDATE functions SET lost = (SELECT CAST(total(max(e.total - e.seen, 0)) AS INTEGER)
    FROM environments e WHERE e.function_id = functions.id AND e.total > 0);
ALTER TABLE functions DROP COLUMN current_mb;
ALTER TABLE functions DROP COLUMN current_ms;
-- The extension's own largest resident size in KiB.
ALTER TABLE functions ADD COLUMN self_kib INTEGER NOT NULL DEFAULT 0;
-- What ran out of memory before this day does not count any more: a person said so, or the code changed.
ALTER TABLE functions ADD COLUMN cleared_day INTEGER;
-- 95th percentile of the durations before the first decrease since the code last changed.
ALTER TABLE functions ADD COLUMN baseline_p95_ms REAL;
UPDATE functions SET self_kib = coalesce((SELECT max(e.self_kib)
    FROM environments e WHERE e.function_id = functions.id), 0);

ALTER TABLE days ADD COLUMN cpu_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE days ADD COLUMN cpu_wall_ms INTEGER NOT NULL DEFAULT 0;

ALTER TABLE environments DROP COLUMN cpu_ms;
-- Highest memory used in the 1st, 2nd, 3rd to 4th, 5th to 8th, … invocation.
ALTER TABLE environments ADD COLUMN high_water TEXT NOT NULL DEFAULT '';

-- Days on which a size ran out are few, and are looked for among all that are remembered.
CREATE INDEX peaks_censored ON peaks (function_id, day, censored_mb) WHERE censored_mb > 0;

ALTER TABLE recommendations RENAME TO recommendations_1;
DROP INDEX recommendations_by_function;
DROP INDEX recommendations_by_status;
CREATE TABLE recommendations (
    function_id   INTEGER NOT NULL REFERENCES functions (id),
    id            TEXT NOT NULL,
    day           INTEGER NOT NULL,
    status        TEXT NOT NULL,
    from_mb       INTEGER NOT NULL,
    to_mb         INTEGER NOT NULL,
    urgent        INTEGER NOT NULL,
    auto          INTEGER NOT NULL,
    issued_ms     INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    sent_ms       INTEGER,
    closed_ms     INTEGER,
    closed_reason TEXT,
    -- When the function got its size, by the window's clock.
    applied_ms    INTEGER,
    -- The recommendation that this one takes back.
    rollback_of   TEXT,
    -- Who approved or rejected it, why, and when.
    reviewed_by   TEXT,
    reviewed_why  TEXT,
    reviewed_ms   INTEGER,
    -- The record as it goes over the stream; NULL where only the function's name is known.
    record        TEXT,
    -- The rows themselves lie in the order they were made, which is that of functions too: with a record
    -- a row is too long for a table without row ids, which would give each a page of its own.
    PRIMARY KEY (function_id, id)
);
INSERT INTO recommendations
    SELECT function_id, id, day, status, from_mb, to_mb, urgent, auto, issued_ms, expires_ms, sent_ms,
           closed_ms, closed_reason,
           CASE WHEN status IN ('applied', 'rolled-back') THEN closed_ms END, NULL,
           reviewed_by, reviewed_why, reviewed_ms, record
    FROM recommendations_1;
DROP TABLE recommendations_1;
CREATE INDEX recommendations_live ON recommendations (function_id)
    WHERE status IN ('open', 'approved', 'sent');
CREATE INDEX recommendations_outbox ON recommendations (urgent DESC, issued_ms)
    WHERE status = 'approved' OR (status = 'open' AND auto);
CREATE INDEX recommendations_changes ON recommendations (function_id, applied_ms)
    WHERE status IN ('applied', 'verified', 'rolled-back', 'reverted');

-- Ids of log events seen in the last days: subscriptions deliver some twice.
CREATE TABLE log_events (
    day INTEGER NOT NULL,
    id  INTEGER NOT NULL,
    PRIMARY KEY (day, id)
) WITHOUT ROWID;

-- What a stream forgot before it was read.
CREATE TABLE gaps (
    source   TEXT NOT NULL,
    -- 0 where it is not known up to when everything was read.
    from_ms  INTEGER NOT NULL,
    to_ms    INTEGER NOT NULL,
    why      TEXT NOT NULL,
    noted_ms INTEGER NOT NULL,
    PRIMARY KEY (source, from_ms)
) WITHOUT ROWID;

-- What the control plane says of each function's $LATEST.
CREATE TABLE inventory (
    function          TEXT PRIMARY KEY,
    memory_mb         INTEGER NOT NULL,
    timeout_s         INTEGER NOT NULL,
    arch              TEXT NOT NULL,
    runtime           TEXT,
    code_sha256       TEXT,
    -- 'zip' or 'image'.
    package           TEXT NOT NULL,
    -- ARNs of layer versions, as a JSON array.
    layers            TEXT NOT NULL,
    log_group         TEXT NOT NULL,
    -- A JSON object; NULL where they could never be read.
    tags              TEXT,
    edge_replica      INTEGER NOT NULL,
    managed_instances INTEGER NOT NULL,
    snap_start        INTEGER NOT NULL,
    -- When it was seen last, and since when it is gone.
    seen_ms           INTEGER NOT NULL,
    gone_ms           INTEGER
) WITHOUT ROWID;

-- The size that a function has. The newest line tells it where nothing better does, or a day after
-- whatever did: before, that line may be of an old environment.
CREATE VIEW functions_now AS
SELECT
    f.*,
    CASE
        WHEN f.last_ms > max(coalesce(f.started_ms, 0), coalesce(f.applied_ms, 0)) + 86400000
            OR coalesce(f.started_ms, f.applied_ms) IS NULL THEN f.newest_mb
        WHEN coalesce(f.applied_ms, 0) >= coalesce(f.started_ms, 0) THEN f.applied_mb
        ELSE f.started_mb
    END AS current_mb
FROM functions f;

-- One line a function, the most money first: a full review in one SELECT.
CREATE VIEW review AS
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
    f.arch,
    f.runtime,
    f.p99_ms,
    date(f.decided_day * 86400, 'unixepoch') AS decided_on,
    datetime(f.last_ms / 1000, 'unixepoch') AS last_report
FROM functions_now f
LEFT JOIN recommendations r ON r.function_id = f.id AND r.id = (
    SELECT n.id FROM recommendations n
    WHERE n.function_id = f.id AND n.status NOT IN ('superseded', 'withdrawn')
    ORDER BY n.issued_ms DESC, n.day DESC, n.id LIMIT 1)
ORDER BY urgent DESC, abs(coalesce(f.usd_before - f.usd_after, 0)) DESC, f.function;
