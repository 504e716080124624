-- Version 6: what the account says of a function's size counts where nothing newer says another.

DROP VIEW functions_now;

-- The size that a function has: what was told last of an environment that began, of a change that was applied,
-- or by the account itself, which knows $LATEST alone. The newest line tells it where nothing better does, or a
-- day after whatever did: before, that line may be of an old environment.
CREATE VIEW functions_now AS
SELECT
    n.*,
    CASE
        WHEN n.last_ms > max(coalesce(n.started_ms, 0), coalesce(n.applied_ms, 0), coalesce(n.told_ms, 0)) + 86400000
            OR coalesce(n.started_ms, n.applied_ms, n.told_ms) IS NULL THEN n.newest_mb
        WHEN n.told_ms >= max(coalesce(n.started_ms, 0), coalesce(n.applied_ms, 0)) THEN n.told_mb
        WHEN coalesce(n.applied_ms, 0) >= coalesce(n.started_ms, 0) THEN n.applied_mb
        ELSE n.started_mb
    END AS current_mb
FROM (
    SELECT
        f.*, i.timeout_s, i.tags, coalesce(f.arch, i.arch) AS known_arch,
        coalesce(i.failures_only, 0) AS failures_only, i.memory_mb AS told_mb,
        CASE WHEN f.version = '$LATEST' AND i.gone_ms IS NULL THEN i.seen_ms END AS told_ms
    FROM functions f LEFT JOIN inventory i ON i.function = f.function
) n;
