//! The SQL of the index.

pub(super) const VERSION: &str = "PRAGMA user_version";

/// `state`: 0 indexed, 1 a copy of an indexed file, 2 skipped.
/// The FTS table holds no text (`content=''`): it only finds candidates, which are scored in Rust. It keeps positions,
/// though, since without them a table that holds no text cannot rank (`detail=column` gives every row the rank 0).
pub(super) const SCHEMA: &[&str] = &[
    "CREATE TABLE documents (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL,
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        hash BLOB NOT NULL,
        state INTEGER NOT NULL CHECK (state IN (0, 1, 2))
    ) STRICT",
    "CREATE INDEX documents_hash ON documents (hash)",
    "CREATE TABLE passages (
        id INTEGER PRIMARY KEY,
        document_id INTEGER NOT NULL,
        heading TEXT NOT NULL,
        line_start INTEGER NOT NULL,
        line_end INTEGER NOT NULL,
        content TEXT NOT NULL
    ) STRICT",
    "CREATE INDEX passages_document ON passages (document_id)",
    "CREATE VIRTUAL TABLE passages_fts USING fts5(
        path, title, body,
        content='', contentless_delete=1,
        tokenize=\"porter unicode61 remove_diacritics 2\"
    )",
    "INSERT INTO passages_fts(passages_fts, rank) VALUES ('rank', 'bm25(8.0, 3.0, 1.0)')",
    "PRAGMA user_version = 1",
];

pub(super) const COUNT_PASSAGES: &str = "SELECT count(*) FROM passages";
pub(super) const ENTRIES: &str = "SELECT path, size, modified, hash, state FROM documents";
pub(super) const COUNT_DOCUMENTS: &str = "SELECT count(*) FROM documents WHERE state < 2";

pub(super) const INSERT_DOCUMENT: &str = "INSERT INTO documents (path, title, size, modified, hash, state)
     VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";

/// One statement for all passages of a document, however many.
pub(super) const INSERT_PASSAGES: &str = "INSERT INTO passages (document_id, heading, line_start, line_end, content)
     SELECT $1, value ->> 'heading', value ->> 'line_start', value ->> 'line_end', value ->> 'text' FROM json_each($2)";

pub(super) const INSERT_FTS: &str = "INSERT INTO passages_fts (rowid, path, title, body)
     SELECT id, $2, heading || ' ' || $3, content FROM passages WHERE document_id = $1";

pub(super) const FIND_DOCUMENT: &str = "SELECT id FROM documents WHERE path = $1";
pub(super) const TOUCH_DOCUMENT: &str = "UPDATE documents SET size = $2, modified = $3 WHERE path = $1";
pub(super) const DELETE_FTS: &str =
    "DELETE FROM passages_fts WHERE rowid IN (SELECT id FROM passages WHERE document_id = $1)";
pub(super) const DELETE_PASSAGES: &str = "DELETE FROM passages WHERE document_id = $1";
pub(super) const DELETE_DOCUMENT: &str = "DELETE FROM documents WHERE id = $1";

/// Copies whose original is gone: their size becomes one that no file has, so that they are read again.
pub(super) const ORPHAN_COPIES: &str = "UPDATE documents SET size = -1 WHERE state = 1 AND NOT EXISTS (
     SELECT 1 FROM documents original WHERE original.hash = documents.hash AND original.state = 0)";

pub(super) const COUNT_MATCHES: &str = "SELECT count(*) FROM passages_fts WHERE passages_fts MATCH $1";

pub(super) const CANDIDATES: &str = "SELECT d.path, d.title, p.heading, p.line_start, p.line_end, p.content
     FROM (SELECT rowid AS id FROM passages_fts WHERE passages_fts MATCH $1 ORDER BY rank LIMIT $2) found
     JOIN passages p ON p.id = found.id JOIN documents d ON d.id = p.document_id";
