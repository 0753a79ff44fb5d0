//! MCP endpoint and, later, the OAuth 2.1 authorization server.
