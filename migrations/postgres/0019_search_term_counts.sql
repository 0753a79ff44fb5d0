-- The counts of words change with every endpoint. Without an index over the count and with room in the pages such a
-- change touches no index; words that nobody uses any more are looked for now and then.

DROP INDEX search_terms_unused_idx;
ALTER TABLE search_terms SET (fillfactor = 70);
