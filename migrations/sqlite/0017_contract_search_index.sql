-- Search by postings: which endpoint holds which word, and how much it weighs there. The weight is computed by
-- the program when the endpoint changes, so that a search reads short rows in the order that it needs and both
-- databases rank alike. The index is built anew by the program at the next start.

DROP TABLE search_words;
DROP TABLE search_documents;
DROP TABLE search_terms;

-- A word, and in how many public endpoints it occurs. The row of the empty word counts the endpoints themselves.
CREATE TABLE search_terms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    term TEXT NOT NULL CONSTRAINT search_terms_term_key UNIQUE,
    -- The word backwards: a slip in its first half leaves the end, which an index finds only from this side.
    reversed TEXT NOT NULL,
    documents INTEGER NOT NULL
) STRICT;
CREATE INDEX search_terms_reversed_idx ON search_terms (reversed);
CREATE INDEX search_terms_unused_idx ON search_terms (documents) WHERE documents <= 0;

CREATE TABLE search_postings (
    endpoint_id INTEGER NOT NULL
        CONSTRAINT search_postings_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    term_id INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    CONSTRAINT search_postings_pkey PRIMARY KEY (endpoint_id, term_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX search_postings_term_id_weight_idx ON search_postings (term_id, weight DESC, endpoint_id);
