-- One-time codes that go by mail. Only a keyed hash of a code is kept.

CREATE TABLE otp_codes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    purpose TEXT NOT NULL CONSTRAINT otp_codes_purpose_check CHECK (purpose IN ('registration', 'password_reset')),
    attempts INTEGER NOT NULL DEFAULT 0,
    expires_at TEXT NOT NULL,
    used_at TEXT,
    requester_ip TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX otp_codes_email_purpose_idx ON otp_codes (email, purpose, created_at);
CREATE INDEX otp_codes_email_purpose_used_at_idx ON otp_codes (email, purpose, used_at);
CREATE INDEX otp_codes_requester_ip_idx ON otp_codes (requester_ip, created_at);
CREATE INDEX otp_codes_created_at_idx ON otp_codes (created_at);
