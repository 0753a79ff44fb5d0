//! What holds for every route of the API document, said once: names of operations, answers that the layers
//! around all routes give, the shape of errors, ranges of ids.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::api_examples;

const METHODS: &[&str] = &["get", "put", "post", "delete", "patch"];
const ERROR: &str = "Error";
/// Names of the credentials, as operations refer to them.
pub(crate) const BEARER: &str = "bearer";
const COOKIE: &str = "browserSession";

/// The whole document, from what the routes say.
pub(crate) fn complete(document: &OpenApi) -> Value {
    let mut whole = serde_json::to_value(document).unwrap_or_default();
    if let Some(paths) = whole.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths {
            let Some(item) = item.as_object_mut() else { continue };
            for (_, operation) in item.iter_mut().filter(|(method, _)| METHODS.contains(&method.as_str())) {
                name(operation);
                parameters(path, operation);
                answers(operation);
                cookie_beside_token(operation);
            }
        }
    }
    if let Some(schemes) = whole.pointer_mut("/components/securitySchemes").and_then(Value::as_object_mut) {
        schemes.insert(COOKIE.to_owned(), cookie_scheme());
    }
    if let Some(schemas) = whole.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.insert(ERROR.to_owned(), error_schema());
    }
    api_examples::add(&mut whole);
    whole
}

/// Puts the tag before the handler's name: ids must be unique in a document, and every feature has a `list`.
fn name(operation: &mut Value) {
    let tag = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or_default().replace(' ', "_");
    if let Some(Value::String(id)) = operation.get_mut("operationId") {
        *id = format!("{tag}_{id}");
    }
}

/// A query string has no null, and ids are 64 bits wide.
fn parameters(path: &str, operation: &mut Value) {
    let Some(list) = operation.get_mut("parameters").and_then(Value::as_array_mut) else { return };
    for parameter in list {
        let in_path = parameter["in"] == "path";
        if in_path {
            explain(path, parameter);
        } else if let Some(text) = explained(parameter["name"].as_str().unwrap_or_default())
            && let Some(parameter) = parameter.as_object_mut()
        {
            parameter.entry("description").or_insert_with(|| json!(text));
        }
        let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut) else { continue };
        without_null(schema);
        if schema.get("type") == Some(&json!("integer")) && in_path {
            schema.entry("minimum").or_insert(json!(i64::MIN));
            schema.entry("maximum").or_insert(json!(i64::MAX));
        }
    }
}

/// Says what a part of a path is, unless its route does, and gives an example. All examples together are one story:
/// what `ada` published, and the collective that it belongs to.
fn explain(path: &str, parameter: &mut Value) {
    let number = parameter["schema"]["type"] == "integer";
    let of_collective = path.starts_with("/api/v1/collectives/by-slug/");
    let (text, example) = match parameter["name"].as_str().unwrap_or_default() {
        "id" if number => ("Its number", json!(1)),
        "endpoint_id" => ("The endpoint's number", json!(1)),
        "owner" => ("The owner's username", json!("ada")),
        "username" => ("The username, in any case", json!("ada")),
        "email" => ("The mail address", json!("ada@example.com")),
        "slug" if of_collective => ("The collective's slug", json!("open-climate-data")),
        "slug" => ("The endpoint's slug", json!("my-notes")),
        "shared" if number => ("The shared endpoint's number", json!(1)),
        "shared" => ("The shared endpoint's slug", json!("weather")),
        _ => return,
    };
    let Some(parameter) = parameter.as_object_mut() else { return };
    parameter.entry("description").or_insert_with(|| json!(text));
    parameter.entry("example").or_insert(example);
}

/// What a parameter of the query is that many routes have.
fn explained(name: &str) -> Option<&'static str> {
    match name {
        "skip" => Some("Rows left out at the front"),
        "limit" => Some("Rows at most"),
        "token" => Some("The secret of the one-time link"),
        _ => None,
    }
}

fn without_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get("type") {
        let mut rest: Vec<Value> = types.iter().filter(|name| *name != "null").cloned().collect();
        if let (Some(only), true) = (rest.pop(), rest.is_empty()) {
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(options)) = schema.get("oneOf") else { return };
    let rest: Vec<Value> = options.iter().filter(|option| option["type"] != "null").cloned().collect();
    if let [Value::Object(only)] = rest.as_slice() {
        let only = only.clone();
        schema.remove("oneOf");
        schema.extend(only);
    }
}

/// Wherever a token is taken, a browser's session cookie is: both become a caller in one place.
fn cookie_beside_token(operation: &mut Value) {
    let Some(ways) = operation.get_mut("security").and_then(Value::as_array_mut) else { return };
    if ways.iter().any(|way| way.get(BEARER).is_some()) {
        ways.push(json!({(COOKIE): []}));
    }
}

/// Adds the refusals that extractors and layers give, and says what a refusal looks like.
fn answers(operation: &mut Value) {
    let ways = operation.get("security").and_then(Value::as_array);
    let read_by_some = ways.is_some();
    // An empty way in is that of somebody without an account.
    let secured = ways.is_some_and(|ways| ways.iter().all(|way| *way != json!({})));
    let body = operation.get("requestBody").is_some();
    let read = operation.get("parameters").and_then(Value::as_array).is_some_and(|list| {
        list.iter().any(|parameter| parameter["in"] == "query" || parameter["schema"]["type"] == "integer")
    });
    let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    let general = [
        ("400", body, "The body cannot be read"),
        ("401", secured, "The credential is missing or not good"),
        ("401", read_by_some, "This hub shows nothing to people without an account; sign in"),
        ("403", secured, "The credential does not allow this"),
        ("413", body, "The body is larger than this server takes"),
        ("415", body, "The body is of another kind than this route reads"),
        ("422", body || read, "Fields that were refused, all at once"),
    ];
    for (status, _, text) in general.into_iter().filter(|(_, holds, _)| *holds) {
        answers.entry(status).or_insert_with(|| json!({"description": text}));
    }
    for (status, answer) in answers.iter_mut() {
        let Some(answer) = answer.as_object_mut() else { continue };
        if status.starts_with(['4', '5']) && !answer.contains_key("content") {
            let schema = json!({"$ref": format!("#/components/schemas/{ERROR}")});
            answer.insert("content".to_owned(), json!({"application/json": {"schema": schema}}));
        }
        let text = answer.entry("description").or_insert(json!(""));
        if *text == "" {
            *text = json!(meaning(status));
        }
    }
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" | "202" => "Done",
        "201" => "Made",
        "204" => "Done; there is nothing to say",
        "304" => "What the client has is still right",
        "400" => "Refused by a rule",
        "401" => "The credential is missing or not good",
        "403" => "Not allowed",
        "404" => "Not found, or not for the caller to see",
        "409" => "It would collide with what is there",
        "410" => "Over and done with",
        "422" => "Fields that were refused, all at once",
        "429" => "Too often; `Retry-After` says when to come back",
        "502" => "A service behind the hub failed",
        "503" => "Not configured, or too busy",
        "504" => "A service behind the hub took too long",
        _ => "See the body",
    }
}

fn cookie_scheme() -> Value {
    json!({
        "type": "apiKey",
        "in": "cookie",
        "name": "syfthub_session",
        "description": "For pages of the hub itself: the cookie that `POST /api/v1/auth/session` sets. On a hub with TLS its \
            name is `__Host-syfthub_session`. It is looked at only where there is no `Authorization` header. Requests \
            that change something also need `X-Requested-With`, and `Sec-Fetch-Site: same-origin` or the hub's own \
            `Origin`.",
    })
}

/// The one shape of all errors.
fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "Every error has this shape.",
        "required": ["detail", "error", "message", "correlation_id", "statusCode", "success", "timestamp"],
        "properties": {
            "detail": {
                "description": "A text, an object with `code` and `message`, or one object for each refused field.",
                "oneOf": [
                    {"type": "string"},
                    {"type": "object", "required": ["code", "message"], "properties": {
                        "code": {"type": "string", "description": "One of the codes in docs/ERRORS.md.", "example": "NOT_FOUND"},
                        "message": {"type": "string", "description": "For people.", "example": "Endpoint not found"}
                    }},
                    {"type": "array", "items": {"type": "object", "required": ["type", "loc", "msg"], "properties": {
                        "type": {"type": "string", "description": "Kind of failure, for example `missing`."},
                        "loc": {"type": "array", "description": "Where: `body`, `query` or `path`, then names and indexes.", "items": {"type": ["string", "integer"]}},
                        "msg": {"type": "string", "description": "What is wrong."},
                        "input": {"description": "What was sent, unless it is a secret."}
                    }}}
                ]
            },
            "error": {
                "type": "object",
                "description": "For programs.",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string", "description": "One of the codes in docs/ERRORS.md.", "example": "NOT_FOUND"},
                    "message": {"type": "string", "description": "For people.", "example": "Endpoint not found"}
                }
            },
            "message": {"type": "string", "description": "For people."},
            "correlation_id": {"type": ["string", "null"], "description": "Finds the request in the logs."},
            "statusCode": {"type": "integer", "description": "The HTTP status."},
            "success": {"type": "boolean", "description": "Always false."},
            "timestamp": {"type": "string", "format": "date-time", "description": "When the request was refused."},
            "details": {"description": "The facts of `detail`, if it is not a text."},
            "billing": {"description": "What was paid before the failure, if anything."}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_shape_and_every_answer_a_meaning() {
        let document = crate::openapi();
        assert!(document["components"]["schemas"][ERROR].is_object());
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for (status, answer) in operation["responses"].as_object().unwrap() {
                    assert_ne!(answer["description"], "", "{method} {path} {status}");
                    let refusal = status.starts_with('4') || status.starts_with('5');
                    assert!(!refusal || answer["content"].is_object(), "{method} {path} {status}");
                }
            }
        }
    }

    #[test]
    fn the_cookie_of_a_browser_is_taken_wherever_a_token_is() {
        let document = crate::openapi();
        assert_eq!(document["components"]["securitySchemes"][COOKIE]["name"], "syfthub_session");
        let way = |path: &str, method: &str| document["paths"][path][method]["security"].clone();
        let both = json!([{"bearer": []}, {"browserSession": []}]);
        assert_eq!(way("/api/v1/auth/me", "get"), both);
        let or_nobody = json!([{}, {"bearer": []}, {"browserSession": []}]);
        assert_eq!(way("/api/v1/endpoints/public", "get"), or_nobody);
        assert_eq!(way("/api/v1/auth/login", "post"), Value::Null);
        let answers = &document["paths"]["/api/v1/endpoints/public"]["get"]["responses"];
        assert!(answers["401"].is_object() && answers.get("403").is_none(), "{answers}");
    }

    #[test]
    fn every_part_of_a_path_is_explained() {
        let document = crate::openapi();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(parameter["description"].is_string(), "{method} {path} {parameter}");
                }
            }
        }
    }

    #[test]
    fn a_parameter_of_the_query_is_never_null() {
        let mut operation = json!({"parameters": [
            {"in": "query", "schema": {"type": ["integer", "null"], "minimum": 1}},
            {"in": "query", "schema": {"oneOf": [{"type": "null"}, {"$ref": "#/x"}]}},
            {"in": "path", "schema": {"type": "integer"}},
        ]});
        parameters("/x/{id}", &mut operation);
        assert_eq!(operation["parameters"][0]["schema"], json!({"type": "integer", "minimum": 1}));
        assert_eq!(operation["parameters"][1]["schema"], json!({"$ref": "#/x"}));
        assert_eq!(operation["parameters"][2]["schema"]["maximum"], json!(i64::MAX));
    }
}
