-- Version 7: what one writer claims is bounded by what others, the account and history say.

-- When it ran out of memory last, and at which size.
ALTER TABLE functions ADD COLUMN ran_out_mb INTEGER;
ALTER TABLE functions ADD COLUMN ran_out_ms INTEGER;
-- Whether a person imported evidence of it.
ALTER TABLE functions ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
UPDATE functions SET imported = 1 WHERE id IN (SELECT function_id FROM days WHERE source >= 16);

-- Who saw a day's peak: the highest use that logs or imports show, and the two highest by different
-- environments of the layer. Of what was merged before it is not known, and counts as shown.
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

-- Whether the inventory or history knew the function when it was decided, and the dollars a month that an
-- increase adds.
ALTER TABLE recommendations ADD COLUMN known INTEGER NOT NULL DEFAULT 1;
ALTER TABLE recommendations ADD COLUMN added_usd REAL NOT NULL DEFAULT 0;

-- What waits to be sent: increases, those of known functions first, then decreases that a person approved,
-- then automatic ones.
DROP INDEX recommendations_outbox;
CREATE INDEX recommendations_outbox ON recommendations (
    CASE WHEN to_mb > from_mb THEN 0 WHEN status = 'approved' THEN 1 ELSE 2 END,
    known DESC, urgent DESC, issued_ms)
    WHERE status = 'approved' OR (status = 'open' AND auto);

DROP VIEW functions_now;

-- The size that a function has. The account outranks reports as long as it was asked in the last hour, and
-- so does a change that was applied since: but for a size that was deployed after that, and ran out of memory
-- while the size that the account tells did not. Without the account it is what was told last of an
-- environment that began or of a change that was applied, but for a size that ran out within 15 minutes of
-- the newest report. The newest line tells it where nothing better does, or a day after whatever did: before,
-- that line may be of an old environment.
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
        CASE WHEN t.traffic = '$LATEST' THEN t.listed_ms END AS told_ms,
        CASE WHEN t.applied_ms > t.listed_ms THEN t.applied_mb ELSE t.told_mb END AS account_mb
    FROM (
        SELECT
            f.*, i.timeout_s, i.tags, coalesce(f.arch, i.arch) AS known_arch,
            coalesce(i.failures_only, 0) AS failures_only, i.memory_mb AS told_mb,
            CASE WHEN i.gone_ms IS NULL THEN i.seen_ms END AS listed_ms,
            -- The inventory lists it, a change of it was applied, a person imported it, or it reported
            -- over a week.
            (i.function IS NOT NULL AND i.gone_ms IS NULL) OR f.applied_ms IS NOT NULL OR f.imported
                OR f.last_ms - f.heard_ms >= 604800000 AS known,
            -- The version whose traffic it is: the newest, unless most of the last two days is of $LATEST.
            CASE
                WHEN f.version <> '$LATEST' AND i.gone_ms IS NULL AND i.function IS NOT NULL AND '$LATEST' =
                    (SELECT d.version FROM days d
                     WHERE d.day IN (f.last_ms / 86400000, f.last_ms / 86400000 - 1)
                        AND d.function_id = f.id
                     GROUP BY d.version ORDER BY sum(d.invocations) DESC, d.version LIMIT 1)
                    THEN '$LATEST'
                ELSE f.version
            END AS traffic
        FROM functions f LEFT JOIN inventory i ON i.function = f.function
    ) t
) n;
