-- The store's views. They hold no data: a store of an earlier release gets these instead of its own.

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
            f.decided_mb, f.decided_arch, f.billed_days, f.billed_ms, f.billed_ms_after, f.gb_second_usd,
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
    f.offers,
    f.decided_mb,
    f.decided_arch,
    f.billed_days,
    f.billed_ms,
    f.billed_ms_after,
    f.gb_second_usd
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
    NULL, NULL, NULL, NULL, NULL, NULL, NULL
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
