//! What a publisher runs: a folder as data source, a model, satellite token verification, publication.
