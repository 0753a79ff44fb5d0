-- The counts of words change with every endpoint. Without an index over the count such a change touches no index;
-- words that nobody uses any more are looked for now and then.

DROP INDEX search_terms_unused_idx;

-- The same table without the foreign key: asking for each of thousands of words whether its endpoint is there was half
-- the cost of publishing. Whatever deletes an endpoint takes its words out of the index first, and what a search finds
-- is read from the endpoints themselves.
CREATE TABLE new_search_postings (
    endpoint_id INTEGER NOT NULL,
    term_id INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    CONSTRAINT search_postings_pkey PRIMARY KEY (endpoint_id, term_id)
) STRICT, WITHOUT ROWID;
INSERT INTO new_search_postings (endpoint_id, term_id, weight) SELECT endpoint_id, term_id, weight FROM search_postings;
DROP TABLE search_postings;
ALTER TABLE new_search_postings RENAME TO search_postings;
CREATE INDEX search_postings_term_id_weight_idx ON search_postings (term_id, weight DESC, endpoint_id);
