-- What users say about the hub. Pictures have a table of their own, so that lists do not read them.

CREATE TABLE feedback (
    id TEXT NOT NULL CONSTRAINT feedback_pkey PRIMARY KEY,
    user_id BIGINT CONSTRAINT feedback_user_id_fkey REFERENCES users (id) ON DELETE SET NULL,
    category TEXT NOT NULL CONSTRAINT feedback_category_check CHECK (category IN ('bug', 'feedback', 'idea')),
    status TEXT NOT NULL
        CONSTRAINT feedback_status_check CHECK (status IN ('new', 'in_progress', 'resolved', 'dismissed')),
    description TEXT NOT NULL,
    page_url TEXT,
    app_version TEXT,
    browser_info TEXT,
    screenshot_type TEXT,
    screenshot_bytes BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX feedback_created_at_idx ON feedback (created_at DESC, id DESC);
CREATE INDEX feedback_status_idx ON feedback (status, created_at DESC, id DESC);
CREATE INDEX feedback_category_idx ON feedback (category, created_at DESC, id DESC);
CREATE INDEX feedback_user_id_idx ON feedback (user_id);

CREATE TABLE feedback_screenshots (
    feedback_id TEXT NOT NULL CONSTRAINT feedback_screenshots_pkey PRIMARY KEY
        CONSTRAINT feedback_screenshots_feedback_id_fkey REFERENCES feedback (id) ON DELETE CASCADE,
    content BYTEA NOT NULL
);
