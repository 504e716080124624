-- Store of the aggregator, schema version 1. docs/STORE.md describes each table.
-- Times are milliseconds since 1970-01-01T00:00:00Z; days are counted from 1970-01-01.

CREATE TABLE state (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE functions (
    id           INTEGER PRIMARY KEY,
    function     TEXT NOT NULL UNIQUE,
    version      TEXT NOT NULL,
    arch         TEXT,
    runtime      TEXT,
    first_ms     INTEGER NOT NULL,
    -- When it was first heard of: by the wall clock where a stream told it, else first_ms.
    heard_ms     INTEGER NOT NULL,
    last_ms      INTEGER NOT NULL,
    -- Size of the environment that started last, and when that was.
    current_mb   INTEGER NOT NULL,
    current_ms   INTEGER NOT NULL,
    -- Size that the updater says it applied, and when that was by the window's clock.
    applied_mb   INTEGER,
    applied_ms   INTEGER,
    -- Reports that arrived, came again, came after their window.
    seen         INTEGER NOT NULL DEFAULT 0,
    duplicates   INTEGER NOT NULL DEFAULT 0,
    late         INTEGER NOT NULL DEFAULT 0,
    -- The last decision.
    decided_day  INTEGER,
    peak_mb      INTEGER,
    policy_mb    INTEGER,
    target_mb    INTEGER,
    to_mb        INTEGER,
    confidence   TEXT,
    reasons      TEXT,
    invocations  INTEGER,
    p99_ms       REAL,
    usd_before   REAL,
    usd_after    REAL
);

-- Day first: a live commit touches one day's pages.
CREATE TABLE days (
    day          INTEGER NOT NULL,
    function_id  INTEGER NOT NULL REFERENCES functions (id),
    source       INTEGER NOT NULL,
    memory_mb    INTEGER NOT NULL,
    version      TEXT NOT NULL,
    peak_mb      INTEGER NOT NULL,
    invocations  INTEGER NOT NULL,
    errors       INTEGER NOT NULL,
    timeouts     INTEGER NOT NULL,
    ooms         INTEGER NOT NULL,
    at_limit     INTEGER NOT NULL,
    censored     INTEGER NOT NULL,
    environments INTEGER NOT NULL,
    billed_ms    INTEGER NOT NULL,
    durations    BLOB NOT NULL,
    used         BLOB NOT NULL,
    PRIMARY KEY (day, function_id, source, memory_mb, version)
) WITHOUT ROWID;

CREATE TABLE peaks (
    function_id INTEGER NOT NULL REFERENCES functions (id),
    day         INTEGER NOT NULL,
    peak_mb     INTEGER NOT NULL,
    -- Largest size in which the demand was hidden on that day; 0 where it was not.
    censored_mb INTEGER NOT NULL,
    PRIMARY KEY (function_id, day)
) WITHOUT ROWID;

CREATE TABLE environments (
    function_id    INTEGER NOT NULL REFERENCES functions (id),
    env            TEXT NOT NULL,
    memory_mb      INTEGER NOT NULL,
    version        TEXT NOT NULL,
    first_ms       INTEGER NOT NULL,
    last_ms        INTEGER NOT NULL,
    marks          TEXT NOT NULL,
    total          INTEGER NOT NULL,
    seen           INTEGER NOT NULL,
    events_dropped INTEGER NOT NULL,
    days           TEXT NOT NULL,
    arch           TEXT,
    self_kib       INTEGER NOT NULL,
    cpu_ms         INTEGER NOT NULL,
    PRIMARY KEY (function_id, env, memory_mb, version)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    source   TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE recommendations (
    id            TEXT PRIMARY KEY,
    function_id   INTEGER NOT NULL REFERENCES functions (id),
    day           INTEGER NOT NULL,
    status        TEXT NOT NULL,
    from_mb       INTEGER NOT NULL,
    to_mb         INTEGER NOT NULL,
    urgent        INTEGER NOT NULL,
    auto          INTEGER NOT NULL,
    -- The record as it goes over the stream; NULL where only the function's name is known.
    record        TEXT,
    issued_ms     INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    sent_ms       INTEGER,
    closed_ms     INTEGER,
    closed_reason TEXT,
    -- Who approved or rejected it, why, and when.
    reviewed_by   TEXT,
    reviewed_why  TEXT,
    reviewed_ms   INTEGER
) WITHOUT ROWID;
CREATE INDEX recommendations_by_function ON recommendations (function_id, status);
CREATE INDEX recommendations_by_status ON recommendations (status);

-- Functions whose decreases are not sent for a while.
CREATE TABLE holds (
    function_id INTEGER PRIMARY KEY REFERENCES functions (id),
    until_ms    INTEGER NOT NULL,
    by          TEXT NOT NULL,
    why         TEXT NOT NULL,
    since_ms    INTEGER NOT NULL
);

CREATE TABLE outcomes (
    id       TEXT NOT NULL,
    status   TEXT NOT NULL,
    at_ms    INTEGER NOT NULL,
    function TEXT NOT NULL,
    from_mb  INTEGER NOT NULL,
    to_mb    INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    detail   TEXT NOT NULL,
    PRIMARY KEY (id, at_ms, status)
) WITHOUT ROWID;

CREATE TABLE quarantine (
    id     INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    bytes  INTEGER NOT NULL,
    sample TEXT NOT NULL
);

-- One line a function, the most money first: a full review in one SELECT.
CREATE VIEW review AS
SELECT
    f.function,
    CASE WHEN f.applied_ms >= f.current_ms THEN f.applied_mb ELSE f.current_mb END AS current_mb,
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
    (SELECT CAST(total(max(e.total - e.seen, 0)) AS INTEGER)
       FROM environments e WHERE e.function_id = f.id AND e.total > 0) AS lost,
    f.version,
    f.arch,
    f.runtime,
    f.p99_ms,
    date(f.decided_day * 86400, 'unixepoch') AS decided_on,
    datetime(f.last_ms / 1000, 'unixepoch') AS last_report
FROM functions f
LEFT JOIN recommendations r ON r.id = (
    SELECT n.id FROM recommendations n
    WHERE n.function_id = f.id AND n.status NOT IN ('superseded', 'withdrawn')
    ORDER BY n.issued_ms DESC, n.day DESC, n.id LIMIT 1)
ORDER BY urgent DESC, abs(coalesce(f.usd_before - f.usd_after, 0)) DESC, f.function;
