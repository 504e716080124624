-- Version 4: what is sent is held to limits, and what was skipped for something that passes comes again.

-- When it may be decided anew, because what was in its way may have passed.
ALTER TABLE recommendations ADD COLUMN again_ms INTEGER;
CREATE INDEX recommendations_again ON recommendations (again_ms) WHERE again_ms IS NOT NULL;

-- What waits to be sent: increases, then decreases that a person approved, then automatic ones.
DROP INDEX recommendations_outbox;
CREATE INDEX recommendations_outbox ON recommendations (
    CASE WHEN to_mb > from_mb THEN 0 WHEN status = 'approved' THEN 1 ELSE 2 END,
    urgent DESC, issued_ms)
    WHERE status = 'approved' OR (status = 'open' AND auto);

-- What is on the stream and not answered.
CREATE INDEX recommendations_sent ON recommendations (sent_ms) WHERE status = 'sent';
-- Decreases that nobody can say of yet whether they do harm.
CREATE INDEX recommendations_unverified ON recommendations (function_id, status, sent_ms, closed_ms)
    WHERE to_mb < from_mb AND (status = 'sent' OR status = 'applied');
