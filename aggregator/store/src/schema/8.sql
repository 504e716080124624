-- Version 8: how invocations failed and environments started, and what goes on around a function.

-- Of the errors: those of the platform, and those in which the runtime's own heap was full. Durations of starts.
ALTER TABLE days ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE days ADD COLUMN heap_limits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE days ADD COLUMN inits BLOB NOT NULL DEFAULT x'';
-- What log lines say that an environment used, and how often.
ALTER TABLE environments ADD COLUMN used TEXT NOT NULL DEFAULT '';
-- The version of the environment that began last, and when another version than the newest was told last.
ALTER TABLE functions ADD COLUMN started_version TEXT;
ALTER TABLE functions ADD COLUMN mixed_ms INTEGER;
UPDATE functions SET mixed_ms = last_ms WHERE id IN
    (SELECT function_id FROM days GROUP BY function_id HAVING min(version) <> max(version));
-- When the function was last changed, and an alarm on it that is in ALARM.
ALTER TABLE inventory ADD COLUMN modified_ms INTEGER;
ALTER TABLE inventory ADD COLUMN alarm TEXT;

DROP VIEW functions_now;

-- The size that a function has. The account outranks reports as long as it was asked in the last hour, and
-- so does a change that was applied since: but for a size that was deployed after that, and ran out of memory
-- while the size that the account tells did not. Without the account it is what was told last of an
-- environment that began or of a change that was applied, but for a size that ran out within 15 minutes of
-- the newest report. The newest line tells it where nothing better does, or a day after whatever did: before,
-- that line may be of an old environment. What began counts of the version whose traffic it is: a test run
-- of other versions tells nothing of its size. What ran out counts of any: who claims a version is not known.
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
            f.id, f.function, f.version AS newest_version, f.arch, f.runtime, f.first_ms, f.heard_ms, f.last_ms,
            f.newest_mb AS latest_mb, f.started_mb AS begun_mb, f.started_ms AS begun_ms,
            f.started_version AS begun_version, f.ran_out_mb, f.ran_out_ms, f.applied_mb, f.applied_ms, f.seen, f.duplicates, f.late,
            f.lost, f.self_kib, f.decided_day, f.peak_mb, f.policy_mb, f.target_mb, f.to_mb,
            f.confidence, f.reasons, f.invocations, f.p99_ms, f.usd_before, f.usd_after, f.cleared_day,
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
            -- The version whose traffic it is: of those called on the newest day the one with the most
            -- calls of two days. Most functions have one.
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
