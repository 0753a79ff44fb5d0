-- When the hub looks at each endpoint next, and how it found it. Both are written all the time, so they stand
-- apart from the endpoints, whose rows hold long texts.

CREATE TABLE endpoint_checks (
    endpoint_id BIGINT CONSTRAINT endpoint_checks_pkey PRIMARY KEY
        CONSTRAINT endpoint_checks_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    next_check_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX endpoint_checks_next_check_at_idx ON endpoint_checks (next_check_at, endpoint_id);

-- What is there already is looked at as soon as the monitor runs.
INSERT INTO endpoint_checks (endpoint_id, next_check_at) SELECT id, updated_at FROM endpoints;

CREATE TABLE endpoint_uptime_samples (
    endpoint_id BIGINT NOT NULL
        CONSTRAINT endpoint_uptime_samples_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    bucket_start TIMESTAMPTZ NOT NULL,
    total_checks BIGINT NOT NULL,
    healthy_checks BIGINT NOT NULL,
    CONSTRAINT endpoint_uptime_samples_endpoint_id_bucket_start_key PRIMARY KEY (endpoint_id, bucket_start)
);
CREATE INDEX endpoint_uptime_samples_bucket_start_idx ON endpoint_uptime_samples (bucket_start);
