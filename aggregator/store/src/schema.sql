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
    -- Dollars a month by the prices of the decision, at the sizes before and after it.
    usd_before      REAL,
    usd_after       REAL,
    -- Larger sizes at which it would be faster for the same or little more money, as JSON.
    offers          TEXT,
    -- What the dollars are made of, besides `to_mb` and `invocations`: the size and the architecture of the decision,
    -- calendar days of the usage, billed milliseconds at the sizes before and after it, and the price of a GB-second.
    -- NULL if the decision is of an earlier release.
    decided_mb      INTEGER,
    decided_arch    TEXT,
    billed_days     INTEGER,
    billed_ms       INTEGER,
    billed_ms_after INTEGER,
    gb_second_usd   REAL
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
    -- Durations by the time of the day: number and summed logarithms of each three hours.
    hours           BLOB NOT NULL DEFAULT x'',
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
