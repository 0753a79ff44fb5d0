//! The routes for programs that speak OpenAI's protocol, and `/q`.

use serde_json::{Value, json};

pub(super) fn complete(headers: &Value) -> Value {
    let mut responses = refusals(&[
        ("400", "A field is wrong, or the model refused what it was sent; `message` names every field"),
        ("402", "The model wants to be paid"),
        ("403", "The model or every data source refused the caller, or a session cookie came from elsewhere"),
        ("404", "A model or data source does not exist, or the caller may not see it"),
        ("422", "The Idempotency-Key cannot be used, or was used with another request"),
        ("502", "The model failed"),
        ("503", "The endpoint has no address, or the hub is busy"),
        ("504", "The model did not answer in time"),
    ]);
    responses["200"] = json!({
        "description": "The answer, or with `stream` its chunks, the last of them `[DONE]`",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Completion"}},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    });
    json!({
        "summary": "Ask a model, alone or with data sources, in OpenAI's protocol",
        "parameters": headers,
        "requestBody": {"required": true, "content": {"application/json": {"schema": request()}}},
        "responses": responses,
    })
}

pub(super) fn models() -> Value {
    let mut responses = refusals(&[]);
    responses["200"] =
        json!({"description": "`{object: \"list\", data: [{id, object, created, owned_by}]}`, by id"});
    json!({"summary": "Models that the caller may use", "responses": responses})
}

pub(super) fn model() -> Value {
    let mut responses = refusals(&[("404", "It does not exist, or the caller may not see it")]);
    responses["200"] = json!({"description": "The model"});
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}, "description": "owner/slug"});
    json!({"summary": "One model", "parameters": [id], "responses": responses})
}

pub(super) fn quick() -> Value {
    let query = |name: &str, required: bool, about: &str, schema: Value| json!({"name": name, "in": "query", "required": required, "description": about, "schema": schema});
    let page = |about: &str| json!({"description": about, "content": {"text/html": {}}});
    json!({
        "summary": "Ask by an address",
        "parameters": [
            query("q", true, "`owner/source|example.org/page!question`", json!({"type": "string", "minLength": 1, "maxLength": 20_000})),
            query("aggregate", false, "An answer, not only documents", json!({"type": "boolean", "default": false})),
            query("model", false, "owner/slug, instead of the usual model", json!({"type": "string", "maxLength": 300})),
        ],
        "responses": {
            "200": page("A page with the result, also as JSON in `#query-result`"),
            "400": page("The query cannot be read"),
            "401": page("The token is not good"),
            "429": page("Too many questions"),
            "502": page("An endpoint does not exist, or could not answer"),
            "503": page("A setting that this needs is not set"),
        },
    })
}

fn refusals(more: &[(&str, &str)]) -> Value {
    let usual = [
        ("401", "The token is not good, or guests are not served"),
        ("429", "Too many requests; see Retry-After"),
    ];
    let refusal = |about: &str| {
        json!({
            "description": about,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
        })
    };
    usual.iter().chain(more).map(|(status, about)| ((*status).to_owned(), refusal(about))).collect()
}

fn request() -> Value {
    json!({
        "type": "object",
        "required": ["messages"],
        "properties": {
            "model": {"type": "string", "description": "owner/slug, or owner/slug+owner/source+…"},
            "models": {"type": "array", "items": {"type": "string"}, "description": "Models that stand in for the first, at most 4"},
            "messages": {"type": "array", "minItems": 1, "maxItems": 201, "items": {"$ref": "#/components/schemas/Message"}},
            "max_tokens": {"type": "integer", "minimum": 1, "default": 1024},
            "max_completion_tokens": {"type": "integer", "minimum": 1},
            "temperature": {"type": "number", "minimum": 0, "maximum": 2, "default": 0.7},
            "top_p": {"type": "number", "minimum": 0, "maximum": 1},
            "n": {"const": 1},
            "stop": {"type": ["string", "array"], "items": {"type": "string", "maxLength": 200}, "maxItems": 4},
            "seed": {"type": "integer"},
            "user": {"type": "string", "maxLength": 300},
            "stream": {"type": "boolean", "default": false},
            "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
            "tools": {"type": "array", "maxItems": 128, "items": {"type": "object"}},
            "tool_choice": {"type": ["string", "object"]},
            "parallel_tool_calls": {"type": "boolean"},
            "response_format": {"type": "object"},
            "syfthub": {"type": "object", "properties": {
                "top_k": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5},
                "similarity_threshold": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
                "require_all_sources": {"type": "boolean", "default": false},
                "conversation_id": {"type": "string", "format": "uuid", "description": "A conversation of the caller's, to which question and answer are added"},
            }},
        },
    })
}

pub(super) fn message() -> Value {
    json!({
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
            "content": {"type": ["string", "array", "null"], "description": "A text or parts of type `text`"},
            "name": {"type": "string"},
            "tool_calls": {"type": "array", "maxItems": 64, "items": {"type": "object"}},
            "tool_call_id": {"type": "string"},
        },
    })
}

pub(super) fn completion() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": {"type": "string"}, "object": {"const": "chat.completion"}, "created": {"type": "integer"},
            "model": {"type": "string"}, "choices": {"type": "array"}, "usage": {"type": ["object", "null"]},
            "syfthub": {
                "type": "object",
                "description": "citations, sources, retrieval_info, profit_share, billing, metadata, and response with annotated markers",
            },
        },
    })
}

pub(super) fn refusal() -> Value {
    json!({
        "type": "object",
        "properties": {"error": {"type": "object", "properties": {
            "message": {"type": "string"}, "type": {"type": "string"},
            "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]},
        }}},
    })
}
