-- Version 3: indexes whose conditions SQLite tells by comparisons. A list of three or more it looks up in a
-- table that every insert builds anew.

DROP INDEX recommendations_live;
DROP INDEX recommendations_changes;
-- What the next decision of a function has to reckon with.
CREATE INDEX recommendations_standing ON recommendations (function_id)
    WHERE status = 'open' OR status = 'approved' OR status = 'sent' OR status = 'rejected';
CREATE INDEX recommendations_changes ON recommendations (function_id, applied_ms)
    WHERE applied_ms IS NOT NULL;
