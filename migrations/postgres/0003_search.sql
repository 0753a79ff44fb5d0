-- Search over public endpoints. The words of a document are cut, folded and stemmed by the program, the same
-- way for both databases; the database only finds rows by them, and the program ranks.

CREATE TABLE search_documents (
    endpoint_id BIGINT NOT NULL CONSTRAINT search_documents_pkey PRIMARY KEY
        CONSTRAINT search_documents_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    words TEXT NOT NULL
);
-- An expression index: the table keeps the same columns on both databases.
CREATE INDEX search_documents_words_idx ON search_documents
    USING GIN (array_to_tsvector(string_to_array(words, ' ')));

-- In how many documents a word occurs: for ranking, and for correcting a mistyped word.
CREATE TABLE search_terms (
    term TEXT COLLATE "C" NOT NULL CONSTRAINT search_terms_pkey PRIMARY KEY,
    head TEXT NOT NULL,
    length BIGINT NOT NULL,
    documents BIGINT NOT NULL
);
CREATE INDEX search_terms_head_length_idx ON search_terms (head, length);
CREATE INDEX search_terms_documents_idx ON search_terms (documents);
