-- The store's schema. docs/STORE.md describes each table.
-- Times are milliseconds since 1970-01-01T00:00:00Z; days are counted from 1970-01-01.

CREATE TABLE state (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE functions (
    id              INTEGER PRIMARY KEY,
    function        TEXT NOT NULL UNIQUE,
    arch            TEXT,
    runtime         TEXT,
    -- Its first report, the first arrival of one, and its newest report.
    first_ms        INTEGER NOT NULL,
    heard_ms        INTEGER NOT NULL,
    last_ms         INTEGER NOT NULL,
    -- Version and size by the newest report, and when another version was reported last.
    version         TEXT NOT NULL,
    newest_mb       INTEGER NOT NULL DEFAULT 0,
    mixed_ms        INTEGER,
    -- The environment that began last, if one was seen to begin: its size, when, and its version.
    started_mb      INTEGER,
    started_ms      INTEGER,
    started_version TEXT,
    -- When it ran out of memory last, and at which size.
    ran_out_mb      INTEGER,
    ran_out_ms      INTEGER,
    -- The size that the updater applied last, and when by the window's clock.
    applied_mb      INTEGER,
    applied_ms      INTEGER,
    -- Reports that arrived, that were repeated, that came after their window; that its environments saw
    -- and that never arrived.
    seen            INTEGER NOT NULL DEFAULT 0,
    duplicates      INTEGER NOT NULL DEFAULT 0,
    late            INTEGER NOT NULL DEFAULT 0,
    lost            INTEGER NOT NULL DEFAULT 0,
    -- The extension's own largest resident size in KiB.
    self_kib        INTEGER NOT NULL DEFAULT 0,
    -- Whether a person imported evidence of it.
    imported        INTEGER NOT NULL DEFAULT 0,
    -- What ran out of memory up to this day no longer counts: a person cleared it, or the code changed.
    cleared_day     INTEGER,
    -- 95th percentile of the durations before the first decrease since the code last changed.
    baseline_p95_ms REAL,
    -- The last decision.
    decided_day     INTEGER,
    peak_mb         INTEGER,
    policy_mb       INTEGER,
    target_mb       INTEGER,
    to_mb           INTEGER,
    confidence      TEXT,
    reasons         TEXT,
    invocations     INTEGER,
    p99_ms          REAL,
    usd_before      REAL,
    usd_after       REAL,
    -- Larger sizes at which it would be faster for the same or little more money, as JSON.
    offers          TEXT
);

-- Day first, so that a commit of new reports touches one day's pages.
CREATE TABLE days (
    day          INTEGER NOT NULL,
    function_id  INTEGER NOT NULL REFERENCES functions (id),
    -- 0 and 1 are streams, 16 + id a log group, 2^40 and above files. The lowest kind counts (W7).
    source       INTEGER NOT NULL,
    memory_mb    INTEGER NOT NULL,
    version      TEXT NOT NULL,
    peak_mb      INTEGER NOT NULL,
    invocations  INTEGER NOT NULL,
    errors       INTEGER NOT NULL,
    -- Of the errors: those of the platform, and those in which the runtime's own heap was full.
    crashes      INTEGER NOT NULL DEFAULT 0,
    heap_limits  INTEGER NOT NULL DEFAULT 0,
    timeouts     INTEGER NOT NULL,
    ooms         INTEGER NOT NULL,
    at_limit     INTEGER NOT NULL,
    -- Whether the demand was hidden: the size may have been too small.
    censored     INTEGER NOT NULL,
    environments INTEGER NOT NULL,
    billed_ms    INTEGER NOT NULL,
    cpu_ms       INTEGER NOT NULL DEFAULT 0,
    cpu_wall_ms  INTEGER NOT NULL DEFAULT 0,
    -- Successful invocations that waited for a start, and their durations without it, summed.
    firsts       INTEGER NOT NULL DEFAULT 0,
    firsts_ms    INTEGER NOT NULL DEFAULT 0,
    -- Histograms: durations of invocations, of init and of restores from a snapshot in ms, memory used in MB.
    durations    BLOB NOT NULL,
    inits        BLOB NOT NULL DEFAULT x'',
    restores     BLOB NOT NULL DEFAULT x'',
    used         BLOB NOT NULL,
    -- The same of starts that failed or timed out.
    failed_inits    BLOB NOT NULL DEFAULT x'',
    failed_restores BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (day, function_id, source, memory_mb, version)
) WITHOUT ROWID;
CREATE INDEX days_of_log_groups ON days (source, day) WHERE source >= 16 AND source < 1099511627776;

CREATE TABLE peaks (
    function_id INTEGER NOT NULL REFERENCES functions (id),
    day         INTEGER NOT NULL,
    peak_mb     INTEGER NOT NULL,
    -- The largest size that hid the demand on that day; 0 if none did.
    censored_mb INTEGER NOT NULL,
    PRIMARY KEY (function_id, day)
) WITHOUT ROWID;
-- Days on which a size ran out are few, and are searched for among all that are remembered.
CREATE INDEX peaks_censored ON peaks (function_id, day, censored_mb) WHERE censored_mb > 0;

-- Who saw a day's peak: the highest use that logs or imports show, and the two highest by different
-- environments of the layer.
CREATE TABLE witnesses (
    function_id INTEGER NOT NULL REFERENCES functions (id),
    day         INTEGER NOT NULL,
    shown_mb    INTEGER NOT NULL,
    one_mb      INTEGER NOT NULL,
    one_env     INTEGER NOT NULL,
    two_mb      INTEGER NOT NULL,
    two_env     INTEGER NOT NULL,
    PRIMARY KEY (function_id, day)
) WITHOUT ROWID;

CREATE TABLE environments (
    function_id    INTEGER NOT NULL REFERENCES functions (id),
    env            TEXT NOT NULL,
    memory_mb      INTEGER NOT NULL,
    version        TEXT NOT NULL,
    first_ms       INTEGER NOT NULL,
    last_ms        INTEGER NOT NULL,
    -- The numbers of its records that were counted.
    marks          TEXT NOT NULL,
    total          INTEGER NOT NULL,
    seen           INTEGER NOT NULL,
    events_dropped INTEGER NOT NULL,
    days           TEXT NOT NULL,
    arch           TEXT,
    self_kib       INTEGER NOT NULL,
    -- Highest memory used in the 1st, 2nd, 3rd to 4th, 5th to 8th, … invocation.
    high_water     TEXT NOT NULL DEFAULT '',
    -- The amounts of memory used that log lines show, and how often each.
    used           TEXT NOT NULL DEFAULT '',
    -- How long its start took in ms.
    start_ms       INTEGER,
    PRIMARY KEY (function_id, env, memory_mb, version)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    source   TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
) WITHOUT ROWID;

-- Log groups that were read: `days.source` is 16 + id.
CREATE TABLE log_groups (
    id        INTEGER PRIMARY KEY,
    log_group TEXT NOT NULL UNIQUE
);

-- What a log group gave for a day, which is replaced as a whole if that day is read again.
CREATE TABLE log_days (
    log_group   INTEGER NOT NULL REFERENCES log_groups (id),
    day         INTEGER NOT NULL,
    read_ms     INTEGER NOT NULL,
    invocations INTEGER NOT NULL,
    PRIMARY KEY (log_group, day)
) WITHOUT ROWID;

-- Ids of log events: subscriptions deliver some twice within days; those of exports are negative, and kept as
-- long as the details of their days. `function` is a hash of its name, which outlives the function's row.
CREATE TABLE log_events (
    day      INTEGER NOT NULL,
    id       INTEGER NOT NULL,
    function INTEGER NOT NULL,
    PRIMARY KEY (day, id)
) WITHOUT ROWID;

-- What a stream dropped before it was read.
CREATE TABLE gaps (
    source   TEXT NOT NULL,
    -- 0 if it is not known up to when everything was read.
    from_ms  INTEGER NOT NULL,
    to_ms    INTEGER NOT NULL,
    why      TEXT NOT NULL,
    noted_ms INTEGER NOT NULL,
    PRIMARY KEY (source, from_ms)
) WITHOUT ROWID;

CREATE TABLE quarantine (
    id     INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    bytes  INTEGER NOT NULL,
    sample TEXT NOT NULL
);

-- Each function's $LATEST by the control plane.
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
    -- Whether its logs hold reports of failures alone.
    failures_only     INTEGER NOT NULL DEFAULT 0,
    -- A JSON object; NULL if they could never be read.
    tags              TEXT,
    edge_replica      INTEGER NOT NULL,
    managed_instances INTEGER NOT NULL,
    snap_start        INTEGER NOT NULL,
    -- When the function was last changed, and an alarm on it that is in ALARM.
    modified_ms       INTEGER,
    alarm             TEXT,
    -- When its code changed last, if that was seen.
    code_ms           INTEGER,
    -- When it was seen last, and since when it is gone.
    seen_ms           INTEGER NOT NULL,
    gone_ms           INTEGER
) WITHOUT ROWID;

-- Sizes at which another tool ran a function: the newest measurement of each. No decision reads it, and the
-- function need not be in `functions`.
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

-- Cold starts of copies of a function that `coldstarts --bench` forced: the newest of each size, package and stage. No
-- decision reads them.
CREATE TABLE forced_starts (
    function  TEXT NOT NULL,
    memory_mb INTEGER NOT NULL,
    -- 'zip', 'layers', 'image' or 'snap_start'.
    package   TEXT NOT NULL,
    -- 'first' right after the copy was made, or 'later'.
    stage     TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    starts    INTEGER NOT NULL,
    p50_ms    REAL NOT NULL,
    p95_ms    REAL NOT NULL,
    PRIMARY KEY (function, memory_mb, package, stage)
) WITHOUT ROWID;

-- What AWS Compute Optimizer found about a version of a function, as of its last refresh. No decision reads it.
CREATE TABLE compute_optimizer (
    function   TEXT NOT NULL,
    version    TEXT NOT NULL,
    at_ms      INTEGER NOT NULL,
    finding    TEXT NOT NULL,
    current_mb INTEGER,
    -- The size that it recommends.
    memory_mb  INTEGER,
    PRIMARY KEY (function, version)
) WITHOUT ROWID;

-- Rows are stored in the order in which they were made, which is that of functions too. With a record a row
-- is too long for a table without row ids, which would give each a page of its own.
CREATE TABLE recommendations (
    function_id   INTEGER NOT NULL REFERENCES functions (id),
    id            TEXT NOT NULL,
    day           INTEGER NOT NULL,
    from_mb       INTEGER NOT NULL,
    to_mb         INTEGER NOT NULL,
    urgent        INTEGER NOT NULL,
    auto          INTEGER NOT NULL,
    -- Whether the inventory or history knew the function when it was decided, and the dollars a month that
    -- an increase adds.
    known         INTEGER NOT NULL DEFAULT 1,
    added_usd     REAL NOT NULL DEFAULT 0,
    -- The recommendation that this one takes back.
    rollback_of   TEXT,
    issued_ms     INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    status        TEXT NOT NULL,
    sent_ms       INTEGER,
    -- When the function got its size, by the window's clock.
    applied_ms    INTEGER,
    -- When and why it ended: a code that programs compare, and words for people.
    closed_ms     INTEGER,
    closed_code   TEXT,
    closed_reason TEXT,
    -- When it may be decided again, because what was in its way may have passed; negative after another engine was
    -- asked to.
    again_ms      INTEGER,
    -- Who approved or rejected it, why, and when.
    reviewed_by   TEXT,
    reviewed_why  TEXT,
    reviewed_ms   INTEGER,
    -- The record as it is sent on the stream; NULL if only the function's name is known.
    record        TEXT,
    PRIMARY KEY (function_id, id)
);
-- The conditions of these indexes are comparisons: SQLite would look up a list of three or more in a table
-- that every insert builds again.
-- What the next decision of a function has to consider: what is active, and what a person rejected.
CREATE INDEX recommendations_considered ON recommendations (function_id)
    WHERE status = 'open' OR status = 'approved' OR status = 'sent' OR status = 'rejected';
-- What changed a function's size.
CREATE INDEX recommendations_changes ON recommendations (function_id, applied_ms)
    WHERE applied_ms IS NOT NULL;
-- What waits to be decided again.
CREATE INDEX recommendations_again ON recommendations (again_ms) WHERE again_ms IS NOT NULL;
-- What waits to be sent: increases, those of known functions first, then decreases that a person approved,
-- then automatic ones.
CREATE INDEX recommendations_outbox ON recommendations (
    CASE WHEN to_mb > from_mb THEN 0 WHEN status = 'approved' THEN 1 ELSE 2 END,
    known DESC, urgent DESC, issued_ms)
    WHERE status = 'approved' OR (status = 'open' AND auto);
-- What is in flight.
CREATE INDEX recommendations_sent ON recommendations (sent_ms) WHERE status = 'sent';
-- Decreases of which it is not known yet whether they do harm.
CREATE INDEX recommendations_unverified ON recommendations (function_id, status, sent_ms, closed_ms)
    WHERE to_mb < from_mb AND (status = 'sent' OR status = 'applied');

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

-- The size that a function has. The account outranks reports if it was asked in the last hour, and so does a
-- change that was applied since; except by a size that was deployed after that and ran out of memory, while
-- the account's size did not. Without the account it is the newest of an environment that began and a change
-- that was applied; except by a size that ran out within 15 minutes of the newest report. The newest report
-- decides if nothing better does, or a day after anything else: before, it may be of an old environment.
-- An environment that began counts if it is of the version with the traffic: a test run of other versions
-- does not change its size. What ran out counts of any version, because who claims a version is not known.
CREATE VIEW functions_now AS
SELECT
    n.*,
    CASE
        WHEN n.told_ms + 3600000 > n.last_ms THEN
            CASE
                WHEN n.started_ms > max(n.told_ms, coalesce(n.applied_ms, 0))
                    AND n.ran_out_ms >= n.started_ms AND n.ran_out_mb = n.started_mb
                    AND NOT EXISTS (SELECT 1 FROM days d
                        WHERE d.day IN (n.last_ms / 86400000, n.last_ms / 86400000 - 1)
                            AND d.function_id = n.id AND d.memory_mb = n.account_mb AND d.censored)
                    THEN n.started_mb
                ELSE n.account_mb
            END
        WHEN n.ran_out_ms + 900000 >= n.last_ms
            AND (n.applied_ms IS NULL
                OR (n.started_ms > n.applied_ms AND n.started_mb <> n.applied_mb
                    AND n.ran_out_ms > n.applied_ms))
            THEN n.ran_out_mb
        WHEN n.last_ms > max(coalesce(n.started_ms, 0), coalesce(n.applied_ms, 0), coalesce(n.told_ms, 0)) + 86400000
            OR coalesce(n.started_ms, n.applied_ms, n.told_ms) IS NULL THEN n.newest_mb
        WHEN n.told_ms >= max(coalesce(n.started_ms, 0), coalesce(n.applied_ms, 0)) THEN n.told_mb
        WHEN coalesce(n.applied_ms, 0) >= coalesce(n.started_ms, 0) THEN n.applied_mb
        ELSE n.started_mb
    END AS current_mb
FROM (
    SELECT
        t.*,
        CASE WHEN t.version = '$LATEST' THEN t.listed_ms END AS told_ms,
        CASE WHEN coalesce(t.begun_version, t.version) = t.version THEN t.begun_mb END AS started_mb,
        CASE WHEN coalesce(t.begun_version, t.version) = t.version THEN t.begun_ms END AS started_ms,
        -- The newest report may be of another version.
        CASE WHEN t.newest_version = t.version THEN t.latest_mb ELSE coalesce(t.traffic_mb, t.latest_mb) END
            AS newest_mb,
        CASE WHEN t.applied_ms > t.listed_ms THEN t.applied_mb ELSE t.told_mb END AS account_mb
    FROM (
        SELECT
            v.*,
            CASE WHEN v.newest_version <> v.version THEN
                (SELECT d.memory_mb FROM days d
                 WHERE d.day = v.last_ms / 86400000 AND d.function_id = v.id AND d.version = v.version
                 ORDER BY d.invocations DESC, d.memory_mb DESC LIMIT 1) END AS traffic_mb
        FROM (
        SELECT
            f.id, f.function, f.version AS newest_version, f.arch, f.runtime, f.first_ms, f.heard_ms,
            f.last_ms, f.newest_mb AS latest_mb, f.started_mb AS begun_mb, f.started_ms AS begun_ms,
            f.started_version AS begun_version, f.ran_out_mb, f.ran_out_ms, f.applied_mb, f.applied_ms,
            f.seen, f.duplicates, f.late, f.lost, f.self_kib, f.decided_day, f.peak_mb, f.policy_mb, f.target_mb, f.to_mb,
            f.confidence, f.reasons, f.invocations, f.p99_ms, f.usd_before, f.usd_after, f.offers, f.cleared_day,
            f.baseline_p95_ms, f.imported,
            i.timeout_s, i.tags, coalesce(f.arch, i.arch) AS known_arch,
            coalesce(i.failures_only, 0) AS failures_only, i.memory_mb AS told_mb,
            coalesce(i.snap_start, 0) AS snap_start,
            CASE WHEN i.gone_ms IS NULL THEN i.alarm END AS alarm,
            CASE WHEN i.gone_ms IS NULL THEN i.seen_ms END AS listed_ms,
            -- A change that was applied is a modification too.
            CASE WHEN i.gone_ms IS NULL AND abs(i.modified_ms - coalesce(f.applied_ms, 0)) > 900000
                THEN i.modified_ms END AS deployed_ms,
            -- The inventory lists it, a change of it was applied, a person imported it, or it reported
            -- over a week.
            (i.function IS NOT NULL AND i.gone_ms IS NULL) OR f.applied_ms IS NOT NULL OR f.imported
                OR f.last_ms - f.heard_ms >= 604800000 AS known,
            -- The version with the traffic: of those called on the newest day the one with the most calls
            -- of two days. Most functions have one.
            CASE WHEN f.mixed_ms >= f.last_ms - 172800000
            THEN coalesce(
                (SELECT d.version FROM days d
                 WHERE d.day IN (f.last_ms / 86400000, f.last_ms / 86400000 - 1)
                    AND d.function_id = f.id AND d.version <> 'other'
                 GROUP BY d.version HAVING max(d.day) = f.last_ms / 86400000
                 ORDER BY sum(d.invocations) DESC, d.version LIMIT 1),
                f.version)
            ELSE f.version END AS version
        FROM functions f LEFT JOIN inventory i ON i.function = f.function
        ) v
    ) t
) n;

-- A line of `rightsizer list`, with everything that it is made of.
CREATE VIEW review_wide AS
SELECT * FROM (
SELECT
    f.function,
    f.current_mb,
    f.peak_mb,
    f.policy_mb,
    f.target_mb,
    f.to_mb,
    -- An ended recommendation matters only while it is about the present decision.
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
    r.closed_code,
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
    datetime(f.last_ms / 1000, 'unixepoch') AS last_report,
    -- Of the version with the traffic, else of $LATEST, else of the one that was read last.
    coalesce(
        (SELECT o.memory_mb FROM compute_optimizer o WHERE o.function = f.function AND o.version = f.version),
        (SELECT o.memory_mb FROM compute_optimizer o WHERE o.function = f.function AND o.version = '$LATEST'),
        (SELECT o.memory_mb FROM compute_optimizer o WHERE o.function = f.function
         ORDER BY o.at_ms DESC, o.version LIMIT 1)) AS compute_optimizer_mb,
    f.offers
FROM functions_now f
LEFT JOIN inventory i ON i.function = f.function
LEFT JOIN recommendations r ON r.function_id = f.id AND r.id = (
    SELECT n.id FROM recommendations n
    WHERE n.function_id = f.id AND n.status NOT IN ('superseded', 'withdrawn')
    ORDER BY n.issued_ms DESC, n.day DESC, n.id LIMIT 1)
UNION ALL
-- Functions that the account has and that never reported.
SELECT
    i.function, i.memory_mb, NULL, NULL, NULL, NULL, 'no-reports', NULL,
    CASE WHEN i.failures_only THEN '[{"code":"partial-evidence","invocations":0}]' END,
    0, NULL, NULL, NULL, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, '$LATEST', i.arch, i.runtime, NULL, NULL, NULL,
    (SELECT o.memory_mb FROM compute_optimizer o WHERE o.function = i.function
     ORDER BY o.version <> '$LATEST', o.at_ms DESC, o.version LIMIT 1),
    NULL
FROM inventory i
WHERE i.gone_ms IS NULL AND NOT EXISTS (SELECT 1 FROM functions f WHERE f.function = i.function)
)
ORDER BY urgent DESC, abs(coalesce(monthly_usd_before - monthly_usd_after, 0)) DESC, function;

-- The same for people: what fits a terminal.
CREATE VIEW review AS
SELECT
    function, status, current_mb, peak_mb, target_mb, to_mb, confidence, invocations,
    round(monthly_usd_before - monthly_usd_after, 2) AS monthly_usd_saved, urgent, decided_on
FROM review_wide
ORDER BY urgent DESC, abs(coalesce(monthly_usd_before - monthly_usd_after, 0)) DESC, function;
