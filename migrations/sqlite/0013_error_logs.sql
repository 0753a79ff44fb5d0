-- What went wrong: faults of the hub, and what the web app and other services report. Names of users are not
-- repeated here; a row outlives its user.

CREATE TABLE error_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    correlation_id TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    service TEXT NOT NULL,
    level TEXT NOT NULL,
    event TEXT NOT NULL,
    message TEXT,
    user_id INTEGER CONSTRAINT error_logs_user_id_fkey REFERENCES users (id) ON DELETE SET NULL,
    endpoint TEXT,
    method TEXT,
    error_type TEXT,
    error_code TEXT,
    stack_trace TEXT,
    context TEXT,
    request_data TEXT,
    response_data TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX error_logs_correlation_id_event_idx ON error_logs (correlation_id, event);
CREATE INDEX error_logs_service_idx ON error_logs (service, timestamp DESC, id DESC);
CREATE INDEX error_logs_event_idx ON error_logs (event, timestamp DESC, id DESC);
CREATE INDEX error_logs_user_id_idx ON error_logs (user_id, timestamp DESC, id DESC);
CREATE INDEX error_logs_timestamp_idx ON error_logs (timestamp DESC, id DESC);

-- The orders of the administrators' list of users. Whoever never signed in counts as the longest away.
CREATE INDEX users_created_at_id_idx ON users (created_at DESC, id DESC);
CREATE INDEX users_last_login_at_id_idx ON users (last_login_at DESC, id DESC);
CREATE INDEX users_role_id_idx ON users (role, id);
