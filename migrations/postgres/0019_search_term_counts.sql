-- The counts of words change with every endpoint. Without an index over the count and with room in the pages such a
-- change touches no index; words that nobody uses any more are looked for now and then.

DROP INDEX search_terms_unused_idx;
ALTER TABLE search_terms SET (fillfactor = 70);
-- Asking for each of thousands of words whether its endpoint is there was half the cost of publishing. Whatever deletes
-- an endpoint takes its words out of the index first, and what a search finds is read from the endpoints themselves.
ALTER TABLE search_postings DROP CONSTRAINT search_postings_endpoint_id_fkey;
