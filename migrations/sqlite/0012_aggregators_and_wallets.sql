-- What belongs to one account: aggregators that it uses, payments of its wallet, prepaid credits it bought elsewhere.

CREATE TABLE user_aggregators (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL CONSTRAINT user_aggregators_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    is_default INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX user_aggregators_user_id_created_at_idx ON user_aggregators (user_id, created_at DESC, id DESC);
-- An account has one default at most.
CREATE UNIQUE INDEX user_aggregators_user_id_key ON user_aggregators (user_id) WHERE is_default;

-- Amounts are millionths of a dollar. The challenge is kept as a hash, the credential that paid it sealed.
CREATE TABLE wallet_payments (
    id TEXT NOT NULL CONSTRAINT wallet_payments_pkey PRIMARY KEY,
    user_id INTEGER NOT NULL CONSTRAINT wallet_payments_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    challenge_hash TEXT NOT NULL,
    endpoint_slug TEXT NOT NULL,
    recipient TEXT NOT NULL,
    amount INTEGER NOT NULL CONSTRAINT wallet_payments_amount_check CHECK (amount >= 0),
    status TEXT NOT NULL
        CONSTRAINT wallet_payments_status_check CHECK (status IN ('reserved', 'paid', 'failed')),
    credential_sealed BLOB,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT wallet_payments_user_id_challenge_hash_key UNIQUE (user_id, challenge_hash)
) STRICT;
CREATE INDEX wallet_payments_user_id_created_at_idx ON wallet_payments (user_id, created_at DESC, id DESC);

-- Credits that were bought from an owner. The balance is in ten-thousandths of the currency.
CREATE TABLE user_xendit_subscriptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL CONSTRAINT user_xendit_subscriptions_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    credits_url TEXT NOT NULL,
    payment_url TEXT NOT NULL,
    currency TEXT NOT NULL DEFAULT 'IDR',
    endpoint_owner TEXT NOT NULL,
    endpoint_slug TEXT,
    last_known_balance INTEGER
        CONSTRAINT user_xendit_subscriptions_last_known_balance_check CHECK (last_known_balance >= 0),
    last_checked_at TEXT,
    first_funded_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT user_xendit_subscriptions_user_id_credits_url_key UNIQUE (user_id, credits_url)
) STRICT;
CREATE INDEX user_xendit_subscriptions_user_id_endpoint_owner_idx
    ON user_xendit_subscriptions (user_id, endpoint_owner, updated_at DESC, id DESC);
