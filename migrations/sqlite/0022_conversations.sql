-- What accounts asked and were answered, where they wished it to be kept.

CREATE TABLE conversations (
    id TEXT NOT NULL CONSTRAINT conversations_pkey PRIMARY KEY,
    user_id INTEGER NOT NULL CONSTRAINT conversations_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    title TEXT NOT NULL DEFAULT '',
    title_folded TEXT NOT NULL DEFAULT '',
    message_count INTEGER NOT NULL DEFAULT 0,
    -- Bytes of all messages.
    size INTEGER NOT NULL DEFAULT 0,
    -- SHA-256 of the token of the link, while there is one.
    share_hash TEXT CONSTRAINT conversations_share_hash_key UNIQUE,
    shared_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX conversations_user_id_updated_at_idx ON conversations (user_id, updated_at DESC, id DESC);

CREATE TABLE conversation_messages (
    conversation_id TEXT NOT NULL
        CONSTRAINT conversation_messages_conversation_id_fkey REFERENCES conversations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL CONSTRAINT conversation_messages_id_key UNIQUE,
    role TEXT NOT NULL CONSTRAINT conversation_messages_role_check CHECK (role IN ('user', 'assistant')),
    status TEXT NOT NULL
        CONSTRAINT conversation_messages_status_check CHECK (status IN ('complete', 'partial', 'failed')),
    content TEXT NOT NULL,
    -- The beginning in the form that searches compare.
    folded TEXT NOT NULL,
    model TEXT,
    citations TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL,
    CONSTRAINT conversation_messages_conversation_id_position_key PRIMARY KEY (conversation_id, position)
) STRICT;
