//! Chat: retrieve from many owners, rerank, prompt, generate, cite.
