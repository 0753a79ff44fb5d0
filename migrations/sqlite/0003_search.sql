-- Search over public endpoints. The words of a document are cut, folded and stemmed by the program, the same
-- way for both databases; the database only finds rows by them, and the program ranks.

CREATE TABLE search_documents (
    endpoint_id INTEGER NOT NULL CONSTRAINT search_documents_pkey PRIMARY KEY
        CONSTRAINT search_documents_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    words TEXT NOT NULL
) STRICT;
-- The index holds no text of its own; triggers keep it in step, also when a row goes by ON DELETE CASCADE.
CREATE VIRTUAL TABLE search_words USING fts5 (
    words, content = 'search_documents', content_rowid = 'endpoint_id', tokenize = 'unicode61 remove_diacritics 0'
);
CREATE TRIGGER search_documents_inserted AFTER INSERT ON search_documents BEGIN
    INSERT INTO search_words (rowid, words) VALUES (new.endpoint_id, new.words);
END;
CREATE TRIGGER search_documents_deleted AFTER DELETE ON search_documents BEGIN
    INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', old.endpoint_id, old.words);
END;
CREATE TRIGGER search_documents_updated AFTER UPDATE ON search_documents BEGIN
    INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', old.endpoint_id, old.words);
    INSERT INTO search_words (rowid, words) VALUES (new.endpoint_id, new.words);
END;

-- In how many documents a word occurs: for ranking, and for correcting a mistyped word.
CREATE TABLE search_terms (
    term TEXT NOT NULL CONSTRAINT search_terms_pkey PRIMARY KEY,
    head TEXT NOT NULL,
    length INTEGER NOT NULL,
    documents INTEGER NOT NULL
) STRICT;
CREATE INDEX search_terms_head_length_idx ON search_terms (head, length);
CREATE INDEX search_terms_documents_idx ON search_terms (documents);
