//! The tools as clients see them: names, texts, schemas of what goes in and what comes out.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::tools::{Kind, Need};

/// The tools that these scopes allow.
pub(super) fn tools(scopes: &[String]) -> Vec<Tool> {
    let allowed = |need: Need| need.is_met_by(scopes);
    Kind::ALL.into_iter().filter(|kind| allowed(kind.need())).map(tool).collect()
}

/// How a tool is shown.
pub(super) fn tool(kind: Kind) -> Tool {
    let (title, text) = words(kind);
    Tool::new(kind.name(), text, object(input(kind)))
        .with_title(title)
        .with_annotations(hints(kind))
        .with_raw_output_schema(object(output(kind)))
}

fn words(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Discover => (
            "Discover SyftHub Endpoints",
            "Lists the models and data sources that this hub offers, with the paths that chat_with_syfthub takes.",
        ),
        Kind::Chat => (
            "Chat with SyftHub",
            "Asks a model of this hub a question, with documents from the chosen data sources. The owners of the \
             endpoints may charge for it.",
        ),
        Kind::Get => (
            "Get a SyftHub Endpoint",
            "Shows one endpoint: README, tags, prices and rules, connections, health.",
        ),
        Kind::Search => (
            "Search Documents",
            "Asks data sources of this hub for documents that fit a question, without asking a model. Their owners \
             may charge for it.",
        ),
        Kind::Health => (
            "Endpoint Health",
            "Tells whether an endpoint is up, when the hub last looked, and how it did during the last day.",
        ),
        Kind::Publish => (
            "Publish an Endpoint",
            "Publishes a model, data source or agent of the user on this hub. Everybody sees it unless its \
             visibility is private.",
        ),
        Kind::Update => (
            "Update an Endpoint",
            "Changes an endpoint that the user runs. Only what is given changes; lists are replaced as a whole.",
        ),
    }
}

fn hints(kind: Kind) -> ToolAnnotations {
    let hints = ToolAnnotations::new();
    match kind {
        Kind::Discover | Kind::Get | Kind::Health => hints.read_only(true).idempotent(true).open_world(false),
        // Both ask services of other people, which may charge.
        Kind::Chat | Kind::Search => hints.read_only(false).destructive(false).open_world(true),
        Kind::Publish => hints.read_only(false).destructive(false).idempotent(false).open_world(false),
        Kind::Update => hints.read_only(false).destructive(true).idempotent(true).open_world(false),
    }
}

fn input(kind: Kind) -> Value {
    match kind {
        Kind::Discover => json!({
            "type": "object",
            "properties": {
                "query": {"type": "string", "maxLength": 200, "description": "Words to rank by; all endpoints without it"},
                "type": {"type": "string", "enum": ["model", "data_source"], "description": "Only endpoints of this type"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
            },
        }),
        Kind::Chat => json!({
            "type": "object",
            "properties": {
                "prompt": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "The question"},
                "model": path("Path of the model, owner/slug"),
                "data_sources": {
                    "anyOf": [{"type": "array", "items": {"type": "string"}, "maxItems": 10}, {"type": "null"}],
                    "default": null,
                    "description": "Paths of data sources, owner/slug, that the answer may use",
                },
            },
            "required": ["prompt", "model"],
        }),
        Kind::Get | Kind::Health => json!({
            "type": "object",
            "properties": {"path": path("Path of the endpoint, owner/slug")},
            "required": ["path"],
        }),
        Kind::Search => json!({
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "What to look for"},
                "data_sources": {
                    "type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 10,
                    "description": "Paths of data sources, owner/slug",
                },
                "top_k": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5, "description": "Documents of each source"},
            },
            "required": ["query", "data_sources"],
        }),
        Kind::Publish => published(),
        Kind::Update => changed(),
    }
}

fn path(text: &str) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 200, "description": text})
}

/// What may be said of an endpoint at any time.
fn facts() -> Value {
    json!({
        "name": {"type": "string", "minLength": 1, "maxLength": 100, "description": "Name for people"},
        "description": {"type": "string", "maxLength": 500, "description": "One or two sentences"},
        "readme": {"type": "string", "maxLength": 50_000, "description": "Markdown"},
        "visibility": {"type": "string", "enum": ["public", "private", "internal"]},
        "version": {"type": "string", "pattern": "^\\d+\\.\\d+\\.\\d+$"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 30}, "maxItems": 10},
        "archived": {"type": "boolean", "description": "Retired; only its owner sees it then"},
        "connect": {
            "type": "array",
            "maxItems": 100,
            "description": "Where it is served",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "description": "http, openai, websocket, mcp or another kind"},
                    "enabled": {"type": "boolean"},
                    "description": {"type": "string", "maxLength": 500},
                    "config": {"type": "object", "description": "Settings; url is an address or the path below the owner's domain"},
                },
                "required": ["type"],
            },
        },
        "policies": {
            "type": "array",
            "maxItems": 100,
            "description": "Rules and prices",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "version": {"type": "string"},
                    "enabled": {"type": "boolean"},
                    "description": {"type": "string", "maxLength": 500},
                    "config": {"type": "object"},
                },
                "required": ["type"],
            },
        },
    })
}

fn published() -> Value {
    let mut properties = facts();
    properties["type"] = json!({
        "type": "string", "enum": ["model", "data_source", "model_data_source", "agent"], "description": "Never changes",
    });
    properties["slug"] = json!({
        "type": "string", "minLength": 3, "maxLength": 63, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
        "description": "Second half of its path, never changes; made from the name if it is left out",
    });
    json!({"type": "object", "properties": properties, "required": ["name", "type"]})
}

fn changed() -> Value {
    let mut properties = facts();
    properties["path"] = path("Path of the endpoint, owner/slug");
    json!({"type": "object", "properties": properties, "required": ["path"]})
}

/// What comes out. Only `success` is always there: a call that failed says why in `error`.
fn output(kind: Kind) -> Value {
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    let object = || json!({"type": "object"});
    let objects = || json!({"type": "array", "items": {"type": "object"}});
    let specific = match kind {
        Kind::Discover => json!({
            "formatted_output": text(), "models": objects(), "data_sources": objects(),
            "total_endpoints": {"type": "integer"},
        }),
        Kind::Chat => json!({
            "response": text(), "sources": objects(), "metadata": object(), "prompt": text(), "model": text(),
            "data_sources_used": texts(), "user": text(),
        }),
        Kind::Get => json!({
            "path": text(), "resource": text(), "name": text(), "type": text(), "description": text(),
            "version": text(), "tags": texts(), "readme": text(), "policies": objects(),
            "connections": objects(), "stars_count": {"type": "integer"},
            "health_status": {"type": ["string", "null"]}, "health_checked_at": {"type": ["string", "null"]},
            "archived": {"type": "boolean"},
        }),
        Kind::Search => json!({
            "documents": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"path": text(), "title": text(), "content": text()},
                    "required": ["path", "title", "content"],
                },
            },
            "sources": objects(), "metadata": object(), "query": text(),
        }),
        Kind::Health => json!({
            "path": text(),
            "state": {"type": "string", "enum": ["healthy", "unhealthy", "unknown", "inactive"]},
            "checked_at": {"type": ["string", "null"]},
            "uptime": {
                "type": "object",
                "properties": {
                    "window_hours": {"type": "integer"}, "samples": {"type": "integer"},
                    "healthy_samples": {"type": "integer"}, "uptime_pct": {"type": ["number", "null"]},
                },
            },
            "breaker": {"type": ["object", "null"]},
        }),
        Kind::Publish | Kind::Update => json!({"path": text(), "resource": text(), "endpoint": object()}),
    };
    let mut properties = specific;
    properties["success"] = json!({"type": "boolean"});
    properties["error"] = text();
    properties["error_type"] = text();
    properties["timestamp"] = json!({"type": "string", "format": "date-time"});
    json!({"type": "object", "properties": properties, "required": ["success"]})
}

fn object(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(object) => Arc::new(object),
        _ => Arc::default(),
    }
}
