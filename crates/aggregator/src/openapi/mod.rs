//! The API document that `/docs` shows in debug mode.

mod compatible;

use serde_json::{Value, json};

/// An OpenAPI 3.1 document of the chat routes.
pub(crate) fn document() -> Value {
    let body = json!({
        "required": true,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ask"}}},
    });
    let headers = json!([
        {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "minLength": 16, "maxLength": 255},
            "description": "The request is worked on to its end although the client goes away, once for each key. The same request with the same key takes it up again for a minute after its end"},
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"},
            "description": "The last event that the client has seen of such a request: only those after it are sent"},
    ]);
    let refused = json!({"description": "A field is wrong; `detail` lists all of them"});
    let signed_out = json!({"description": "The credential is not good, or the service is closed to guests"});
    let foreign = json!({"description": "There is a session cookie and no token, and the request is not from a script of the hub's own pages"});
    json!({
        "openapi": "3.1.0",
        "info": {"title": "SyftHub aggregator", "version": env!("CARGO_PKG_VERSION")},
        "paths": {
            "/health": {"get": {"summary": "The process answers", "responses": {"200": {"description": "Healthy"}}}},
            "/ready": {"get": {"summary": "It takes requests", "responses": {"200": {"description": "Ready"}}}},
            "/api/v1/chat": {"post": {
                "summary": "Ask a question and wait for the whole answer",
                "parameters": headers.clone(),
                "requestBody": body.clone(),
                "responses": {
                    "200": {"description": "The answer with its sources"},
                    "400": {"description": "No answer; `message` says why, `billing` what it cost"},
                    "401": signed_out.clone(),
                    "403": foreign.clone(),
                    "422": refused.clone(),
                },
            }},
            "/api/v1/chat/stream": {"post": {
                "summary": "Ask a question and follow the answer as server-sent events",
                "parameters": headers,
                "requestBody": body,
                "responses": {
                    "200": {"description": "Events; the last is `done` or `error`", "content": {"text/event-stream": {}}},
                    "401": signed_out,
                    "403": foreign,
                    "422": refused,
                },
            }},
            "/api/v1/q": {"get": compatible::quick()},
            "/v1/chat/completions": {"post": compatible::complete(&headers)},
            "/v1/models": {"get": compatible::models()},
            "/v1/models/{id}": {"get": compatible::model()},
        },
        "components": {"schemas": {
            "Ask": ask(), "EndpointRef": endpoint_ref(), "Completion": compatible::completion(),
            "Message": compatible::message(), "Refusal": compatible::refusal(),
        }},
    })
}

fn ask() -> Value {
    let endpoint = json!({"$ref": "#/components/schemas/EndpointRef"});
    json!({
        "type": "object",
        "required": ["prompt", "model"],
        "properties": {
            "prompt": {"type": "string", "minLength": 1, "maxLength": 100_000},
            "model": endpoint.clone(),
            "data_sources": {"type": "array", "items": endpoint, "default": []},
            "endpoint_tokens": {"type": "object", "additionalProperties": {"type": "string"}},
            "user_token": {"type": ["string", "null"]},
            "top_k": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5},
            "max_tokens": {"type": "integer", "minimum": 1, "default": 1024},
            "temperature": {"type": "number", "minimum": 0, "maximum": 2, "default": 0.7},
            "similarity_threshold": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
            "custom_system_prompt": {"type": ["string", "null"]},
            "messages": {"type": "array", "items": {
                "type": "object",
                "required": ["role", "content"],
                "properties": {
                    "role": {"enum": ["system", "user", "assistant"]},
                    "content": {"type": "string"},
                },
            }},
            "fallback_models": {
                "type": "array", "maxItems": 4, "default": [],
                "items": {"$ref": "#/components/schemas/EndpointRef"},
                "description": "Asked in this order when the model before cannot answer and has said nothing",
            },
            "retrieval_only": {"type": "boolean", "default": false},
            "require_all_sources": {"type": "boolean", "default": false},
            "conversation_id": {"type": ["string", "null"], "format": "uuid"},
        },
    })
}

fn endpoint_ref() -> Value {
    let nullable = json!({"type": ["string", "null"]});
    json!({
        "type": "object",
        "required": ["url", "slug"],
        "properties": {
            "url": {"type": "string"},
            "slug": {"type": "string"},
            "name": {"type": "string"},
            "tenant_name": nullable.clone(),
            "owner_username": nullable.clone(),
            "query_override": nullable.clone(),
            "connection_type": {
                "type": ["string", "null"],
                "description": "`openai` for a service that speaks OpenAI's protocol below `url`; anything else is a space",
            },
            "upstream_model": nullable,
        },
    })
}
