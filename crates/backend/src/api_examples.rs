//! Examples for the API document: every body that a route takes, and every one that it gives, has one.
//!
//! Most are put together from the examples of single fields, which stand beside them in the code. What cannot be
//! guessed from a field alone is in the tables here.

use serde_json::{Map, Value, json};

/// Deeper than any body of ours.
const DEEPEST: usize = 12;
const SCHEMAS: &str = "#/components/schemas/";

/// Bodies whose fields belong together, or of which an example shows a part only.
fn whole(schema: &str) -> Option<Value> {
    Some(match schema {
        "HubSettingsChange" => json!({"instance_name": "Ada's hub"}),
        "UserUpdate" => json!({"full_name": "Ada Lovelace", "bio": "I write notes."}),
        "PasswordChange" => {
            json!({"current_password": "the old one 1", "new_password": "another horse 2"})
        }
        "WalletImport" => json!({"private_key": format!("0x{}", "1a".repeat(32))}),
        "WalletPayment" => {
            json!({"www_authenticate": "Payment id=\"7\", amount=\"10\"", "endpoint_slug": "my-notes"})
        }
        "FrontendErrorReport" => json!({
            "correlation_id": "2f1c9a52-7b0e-4c7e-9b6e-0d5f1f6d2c11", "event": "frontend.error.unhandled",
            "message": "The page could not be shown", "error": {"type": "TypeError", "message": "x is undefined"},
            "context": {"url": "https://hub.example.org/browse"},
        }),
        "ServiceErrorReport" => json!({
            "service": "aggregator", "event": "chat.failed", "message": "The model did not answer",
            "correlation_id": "2f1c9a52-7b0e-4c7e-9b6e-0d5f1f6d2c11",
        }),
        "CollectiveChange" => {
            json!({"description": "Weather and climate of the last century", "auto_approve": true})
        }
        "SharedEndpointChange" => json!({"endpoint_ids": [1]}),
        "UserAggregatorChange" => json!({"is_default": true}),
        _ => return None,
    })
}

/// What a text with this name says.
fn text(name: &str) -> Option<&'static str> {
    Some(match name {
        "username" | "owner_username" | "owner" | "endpoint_owner" | "inviter" | "actor" | "aud" => "ada",
        "email" | "invited_email" => "ada@example.org",
        "full_name" | "owner_name" => "Ada Lovelace",
        "slug" | "endpoint_slug" => "my-notes",
        "path" | "endpoint_path" => "ada/my-notes",
        "name" | "endpoint_name" => "My notes",
        "description" => "Notes about the analytical engine",
        "version" => "1.0.0",
        "readme" | "about" => "# My notes\n\nWhat is in them.",
        "role" | "target_kind" => "user",
        "visibility" => "public",
        "type" | "kind" => "data_source",
        "token_type" => "bearer",
        "access_token" | "refresh_token" | "target_token" | "token" => {
            "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
        }
        "token_prefix" => "syft_pat_3fQ9xL0",
        "sub" | "target" => "7",
        "message" | "detail" => "Done",
        "currency" => "IDR",
        "correlation_id" => "2f1c9a52-7b0e-4c7e-9b6e-0d5f1f6d2c11",
        "id" | "next_cursor" | "cursor" => "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10",
        "service" => "backend",
        "level" => "ERROR",
        "event" => "error.unhandled",
        "method" => "POST",
        "endpoint" => "/api/v1/endpoints",
        "action" => "user.deactivated",
        "outcome" => "success",
        "address" | "last_used_ip" => "203.0.113.7",
        "domain" | "url" | "issuer" => "https://ada.example.org",
        "health_status" => "healthy",
        "auth_provider" => "local",
        "tag" | "tags" => "history",
        "status" => "active",
        "kty" => "RSA",
        "kid" => "q8gq2s5bY0pO2J8i0yXbqk5m3m1cV7x0bJ6cZJm4n5E",
        "use" => "sig",
        "alg" => "RS256",
        "n" => "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx",
        "e" => "AQAB",
        _ => return None,
    })
}

/// Adds the examples that are missing.
pub(crate) fn add(document: &mut Value) {
    let mut schemas =
        document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default();
    let bodies = each_body(document, "requestBody");
    for name in bodies {
        let example = whole(&name).or_else(|| {
            let schema = schemas.get(&name).filter(|schema| schema.get("example").is_none())?;
            Some(Builder { schemas: &schemas, with_optional: false }.value(&name, schema, 0))
        });
        if let (Some(example), Some(Value::Object(schema))) = (example, schemas.get_mut(&name)) {
            schema.entry("example").or_insert(example);
        }
    }
    answers(document, &Builder { schemas: &schemas, with_optional: true });
    if let Some(place) = document.pointer_mut("/components/schemas") {
        *place = Value::Object(schemas);
    }
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    let paths = document["paths"].as_object().into_iter().flat_map(Map::values);
    paths.filter_map(Value::as_object).flat_map(Map::values)
}

/// Names of the schemas of all bodies of requests.
fn each_body(document: &Value, key: &str) -> Vec<String> {
    let contents =
        operations(document).filter_map(|operation| operation.get(key)?.get("content")?.as_object());
    let schemas = contents.flat_map(Map::values).filter_map(|media| media.pointer("/schema/$ref")?.as_str());
    schemas.filter_map(|name| name.strip_prefix(SCHEMAS)).map(str::to_owned).collect()
}

/// Puts an example on every good answer.
fn answers(document: &mut Value, builder: &Builder<'_>) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    let operations = paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for answers in operations.filter_map(|operation| operation.get_mut("responses")?.as_object_mut()) {
        for (_, answer) in answers.iter_mut().filter(|(status, _)| status.starts_with('2')) {
            let Some(content) = answer.get_mut("content").and_then(Value::as_object_mut) else { continue };
            for (kind, media) in content.iter_mut() {
                let Some(media) = media.as_object_mut() else { continue };
                if media.contains_key("example") || media.contains_key("examples") {
                    continue;
                }
                let example = match kind.as_str() {
                    "application/json" => {
                        let schema = media.get("schema").cloned().unwrap_or_default();
                        builder.value("", &schema, 0)
                    }
                    other => json!(of_kind(other)),
                };
                media.insert("example".to_owned(), example);
            }
        }
    }
}

/// The beginning of an answer that is no JSON.
fn of_kind(kind: &str) -> &'static str {
    match kind {
        "text/html" => "<!doctype html>\n<html lang=\"en\">…</html>",
        "text/csv" => "id,username,email\r\n7,ada,ada@example.org\r\n",
        "application/x-ndjson" => "{\"action\":\"user.deactivated\",\"actor\":\"ada\",\"target\":\"7\"}\n",
        _ => "…",
    }
}

struct Builder<'a> {
    schemas: &'a Map<String, Value>,
    /// Whether fields that may be absent are shown too, also those without an example of their own.
    with_optional: bool,
}

impl Builder<'_> {
    fn value(&self, name: &str, schema: &Value, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::Null;
        }
        if let Some(example) = ["example", "const"].iter().find_map(|key| schema.get(key)) {
            return example.clone();
        }
        if let Some(first) = schema.pointer("/examples/0").or_else(|| schema.pointer("/enum/0")) {
            return first.clone();
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|target| target.strip_prefix(SCHEMAS)) {
            return self
                .schemas
                .get(target)
                .map(|schema| self.value(name, schema, depth + 1))
                .unwrap_or_default();
        }
        for key in ["oneOf", "anyOf"] {
            let options = schema[key].as_array().into_iter().flatten();
            if let Some(option) = options.into_iter().find(|option| option["type"] != "null") {
                return self.value(name, option, depth + 1);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let parts = parts
                .iter()
                .chain([&json!({"type": "object", "properties": schema["properties"]})])
                .cloned()
                .collect::<Vec<_>>();
            let objects = parts.iter().map(|part| self.value(name, part, depth + 1));
            return objects
                .filter_map(|part| part.as_object().cloned())
                .flatten()
                .collect::<Map<_, _>>()
                .into();
        }
        self.of_type(name, schema, depth)
    }

    fn of_type(&self, name: &str, schema: &Value, depth: usize) -> Value {
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
            kind => kind.as_str(),
        };
        match kind {
            Some("object") => self.object(schema, depth),
            Some("array") => json!([self.value(name, &schema["items"], depth + 1)]),
            // What may be absent and says nothing by its name is shown as absent.
            Some("string") => string(name, schema).map_or_else(
                || if schema["type"].is_array() { Value::Null } else { json!("…") },
                Value::from,
            ),
            Some("integer") => {
                schema.get("minimum").filter(|least| least.as_i64() > Some(1)).cloned().unwrap_or(json!(1))
            }
            Some("number") => json!(0.5),
            Some("boolean") => json!(name != "archived"),
            _ => json!({}),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let fields = schema["properties"].as_object().into_iter().flatten();
        let shown = fields.filter(|(name, field)| {
            self.with_optional || required.contains(&name.as_str()) || field.get("example").is_some()
        });
        shown
            .map(|(name, field)| (name.clone(), self.value(name, field, depth + 1)))
            .collect::<Map<_, _>>()
            .into()
    }
}

fn string(name: &str, schema: &Value) -> Option<String> {
    // `^(one|two|three)$`: one of them.
    let choice =
        schema["pattern"].as_str().and_then(|pattern| pattern.strip_prefix("^(")?.strip_suffix(")$"));
    let choice = choice.filter(|choice| choice.chars().all(|c| c.is_ascii_lowercase() || "|_".contains(c)));
    let by_format = match schema["format"].as_str() {
        Some("date-time") => Some("2026-01-02T03:04:05.000006Z"),
        Some("email") => Some("ada@example.org"),
        Some("uri") => Some("https://ada.example.org"),
        Some("password") => Some("correct horse 1"),
        _ => None,
    };
    let chosen = choice.and_then(|choice| choice.split('|').next());
    chosen.or(by_format).or_else(|| text(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_make_an_example_and_what_may_be_absent_is_left_out_of_requests() {
        let schema = json!({"type": "object", "required": ["email", "mode", "when", "count"], "properties": {
            "email": {"type": "string", "format": "email"},
            "mode": {"type": "string", "pattern": "^(open|closed)$"},
            "when": {"type": ["string", "null"], "format": "date-time"},
            "count": {"type": "integer", "minimum": 3},
            "tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}},
            "note": {"type": "string", "example": "hello"},
        }});
        let schemas = Map::from_iter([("Tag".to_owned(), json!({"type": "string", "example": "x"}))]);
        let request = Builder { schemas: &schemas, with_optional: false }.value("", &schema, 0);
        assert_eq!(
            request,
            json!({"email": "ada@example.org", "mode": "open", "when": "2026-01-02T03:04:05.000006Z", "count": 3, "note": "hello"})
        );
        let answer = Builder { schemas: &schemas, with_optional: true }.value("", &schema, 0);
        assert_eq!(answer["tags"], json!(["x"]));
    }
}
