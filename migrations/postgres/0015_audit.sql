-- The audit log: written with each change, sealed in batches afterwards. Rows know the seal they belong to,
-- since a transaction that commits late may hold smaller ids than one that was sealed before it.

CREATE TABLE audit_log (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT audit_log_pkey PRIMARY KEY,
    occurred_at TIMESTAMPTZ NOT NULL,
    -- No reference: the log outlives the account.
    actor_id BIGINT,
    actor_name TEXT NOT NULL,
    actor_address TEXT,
    correlation_id TEXT,
    action TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL CONSTRAINT audit_log_outcome_check CHECK (outcome IN ('success', 'refused', 'failed')),
    before_json TEXT,
    after_json TEXT,
    seal_number BIGINT,
    seal_position BIGINT,
    row_hash TEXT
);
CREATE INDEX audit_log_occurred_at_idx ON audit_log (occurred_at, id);
CREATE INDEX audit_log_actor_name_idx ON audit_log (actor_name, occurred_at, id);
CREATE INDEX audit_log_action_idx ON audit_log (action, occurred_at, id);
CREATE INDEX audit_log_target_idx ON audit_log (target_kind, target, occurred_at, id);
CREATE INDEX audit_log_seal_idx ON audit_log (seal_number, seal_position);

CREATE TABLE audit_seals (
    number BIGINT NOT NULL CONSTRAINT audit_seals_pkey PRIMARY KEY,
    previous_hash TEXT NOT NULL,
    first_row TEXT NOT NULL,
    last_row TEXT NOT NULL,
    row_count BIGINT NOT NULL,
    rows_digest TEXT NOT NULL,
    hash TEXT NOT NULL,
    sealed_at TIMESTAMPTZ NOT NULL,
    -- Set when the rows of this seal and of all before it were pruned: the chain begins here.
    pruned_at TIMESTAMPTZ
);

-- Append-only: a row may only get its seal, once.
CREATE FUNCTION audit_log_no_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.seal_number IS NOT NULL
        OR NEW.seal_number IS NULL OR NEW.seal_position IS NULL OR NEW.row_hash IS NULL
        OR (NEW.id, NEW.occurred_at, NEW.actor_id, NEW.actor_name, NEW.actor_address, NEW.correlation_id,
            NEW.action, NEW.target_kind, NEW.target, NEW.outcome, NEW.before_json, NEW.after_json)
           IS DISTINCT FROM
           (OLD.id, OLD.occurred_at, OLD.actor_id, OLD.actor_name, OLD.actor_address, OLD.correlation_id,
            OLD.action, OLD.target_kind, OLD.target, OLD.outcome, OLD.before_json, OLD.after_json)
    THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_no_change BEFORE UPDATE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_no_change();

-- Only what a checkpoint covers may go.
CREATE FUNCTION audit_log_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.seal_number IS NULL
        OR NOT EXISTS (SELECT 1 FROM audit_seals WHERE number >= OLD.seal_number AND pruned_at IS NOT NULL)
    THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_no_delete();

CREATE FUNCTION audit_seals_no_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.pruned_at IS NOT NULL
        OR NEW.pruned_at IS NULL
        OR (NEW.number, NEW.previous_hash, NEW.first_row, NEW.last_row, NEW.row_count, NEW.rows_digest,
            NEW.hash, NEW.sealed_at)
           IS DISTINCT FROM
           (OLD.number, OLD.previous_hash, OLD.first_row, OLD.last_row, OLD.row_count, OLD.rows_digest,
            OLD.hash, OLD.sealed_at)
    THEN
        RAISE EXCEPTION 'the seals of the audit log are append-only';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_seals_no_change BEFORE UPDATE ON audit_seals
    FOR EACH ROW EXECUTE FUNCTION audit_seals_no_change();

CREATE FUNCTION audit_seals_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_seals WHERE number > OLD.number AND pruned_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the seals of the audit log are append-only';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER audit_seals_no_delete BEFORE DELETE ON audit_seals
    FOR EACH ROW EXECUTE FUNCTION audit_seals_no_delete();

CREATE FUNCTION audit_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_no_truncate();
CREATE TRIGGER audit_seals_no_truncate BEFORE TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_no_truncate();
