-- The audit log: written with each change, sealed in batches afterwards. Rows know the seal they belong to,
-- since a transaction that commits late may hold smaller ids than one that was sealed before it.

CREATE TABLE audit_log (
    id TEXT NOT NULL CONSTRAINT audit_log_pkey PRIMARY KEY,
    occurred_at TEXT NOT NULL,
    -- No reference: the log outlives the account.
    actor_id INTEGER,
    actor_name TEXT NOT NULL,
    actor_address TEXT,
    correlation_id TEXT,
    action TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL CONSTRAINT audit_log_outcome_check CHECK (outcome IN ('success', 'refused', 'failed')),
    before_json TEXT,
    after_json TEXT,
    seal_number INTEGER,
    seal_position INTEGER,
    row_hash TEXT
) STRICT;
CREATE INDEX audit_log_occurred_at_idx ON audit_log (occurred_at, id);
CREATE INDEX audit_log_actor_name_idx ON audit_log (actor_name, occurred_at, id);
CREATE INDEX audit_log_action_idx ON audit_log (action, occurred_at, id);
CREATE INDEX audit_log_target_idx ON audit_log (target_kind, target, occurred_at, id);
CREATE INDEX audit_log_seal_idx ON audit_log (seal_number, seal_position);

CREATE TABLE audit_seals (
    number INTEGER NOT NULL CONSTRAINT audit_seals_pkey PRIMARY KEY,
    previous_hash TEXT NOT NULL,
    first_row TEXT NOT NULL,
    last_row TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    rows_digest TEXT NOT NULL,
    hash TEXT NOT NULL,
    sealed_at TEXT NOT NULL,
    -- Set when the rows of this seal and of all before it were pruned: the chain begins here.
    pruned_at TEXT
) STRICT;

-- Append-only: a row may only get its seal, once.
CREATE TRIGGER audit_log_no_change BEFORE UPDATE ON audit_log
WHEN OLD.seal_number IS NOT NULL
    OR NEW.seal_number IS NULL OR NEW.seal_position IS NULL OR NEW.row_hash IS NULL
    OR NEW.id IS NOT OLD.id
    OR NEW.occurred_at IS NOT OLD.occurred_at
    OR NEW.actor_id IS NOT OLD.actor_id
    OR NEW.actor_name IS NOT OLD.actor_name
    OR NEW.actor_address IS NOT OLD.actor_address
    OR NEW.correlation_id IS NOT OLD.correlation_id
    OR NEW.action IS NOT OLD.action
    OR NEW.target_kind IS NOT OLD.target_kind
    OR NEW.target IS NOT OLD.target
    OR NEW.outcome IS NOT OLD.outcome
    OR NEW.before_json IS NOT OLD.before_json
    OR NEW.after_json IS NOT OLD.after_json
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Only what a checkpoint covers may go.
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
WHEN OLD.seal_number IS NULL
    OR NOT EXISTS (SELECT 1 FROM audit_seals WHERE number >= OLD.seal_number AND pruned_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_seals_no_change BEFORE UPDATE ON audit_seals
WHEN OLD.pruned_at IS NOT NULL
    OR NEW.pruned_at IS NULL
    OR NEW.number IS NOT OLD.number
    OR NEW.previous_hash IS NOT OLD.previous_hash
    OR NEW.first_row IS NOT OLD.first_row
    OR NEW.last_row IS NOT OLD.last_row
    OR NEW.row_count IS NOT OLD.row_count
    OR NEW.rows_digest IS NOT OLD.rows_digest
    OR NEW.hash IS NOT OLD.hash
    OR NEW.sealed_at IS NOT OLD.sealed_at
BEGIN
    SELECT RAISE(ABORT, 'the seals of the audit log are append-only');
END;

CREATE TRIGGER audit_seals_no_delete BEFORE DELETE ON audit_seals
WHEN NOT EXISTS (SELECT 1 FROM audit_seals WHERE number > OLD.number AND pruned_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the seals of the audit log are append-only');
END;
