//! The API document is complete: whoever reads only it can use every route.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Routes with something in their path that they do not look for, or answer about when it is not there.
const ASK_NOBODY: &[(&str, &str)] = &[
    ("post", "/api/v1/accounting/transactions/{id}/cancel"),
    ("post", "/api/v1/accounting/transactions/{id}/confirm"),
    ("get", "/api/v1/collectives/by-endpoint/{owner}/{slug}"),
    ("get", "/api/v1/endpoints/public/by-owner/{owner}"),
    ("get", "/api/v1/endpoints/{id}/exists"),
    ("delete", "/api/v1/endpoints/{id}/star"),
    ("get", "/api/v1/endpoints/{id}/starred"),
    ("patch", "/api/v1/endpoints/{id}/unstar"),
    ("get", "/api/v1/users/check-email/{email}"),
    ("get", "/api/v1/users/check-username/{username}"),
];

struct Document(Value);

impl Document {
    fn read() -> Self {
        Self(syfthub_backend::openapi())
    }

    fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .iter()
                .map(|(method, operation)| (method.as_str(), path.as_str(), operation))
        })
    }

    fn schemas(&self) -> &Map<String, Value> {
        self.0["components"]["schemas"].as_object().unwrap()
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/components/schemas/"));
        name.map_or(schema, |name| &self.schemas()[name])
    }

    fn is_described(&self, schema: &Value) -> bool {
        let says =
            |schema: &Value| schema["description"].as_str().is_some_and(|text| !text.trim().is_empty());
        let options = ["oneOf", "anyOf", "allOf"]
            .into_iter()
            .flat_map(|key| schema[key].as_array().into_iter().flatten());
        says(schema)
            || says(self.resolved(schema))
            || options.clone().any(|option| says(option) || says(self.resolved(option)))
    }
}

/// Names of the properties below a schema that nobody describes.
fn undescribed(document: &Document, place: &str, schema: &Value, found: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        if !document.is_described(property) {
            found.push(place.clone());
        }
        undescribed(document, &place, property, found);
    }
    let parts =
        ["oneOf", "anyOf", "allOf"].into_iter().flat_map(|key| schema[key].as_array().into_iter().flatten());
    for part in parts.chain(schema.get("items")) {
        undescribed(document, place, part, found);
    }
}

#[test]
fn every_field_and_every_parameter_is_described() {
    let document = Document::read();
    let mut found = Vec::new();
    for (name, schema) in document.schemas() {
        if !document.is_described(schema) {
            found.push(name.clone());
        }
        undescribed(&document, name, schema, &mut found);
    }
    for (method, path, operation) in document.operations() {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if !document.is_described(parameter) {
                found.push(format!("{method} {path}: {}", parameter["name"]));
            }
        }
    }
    assert!(found.is_empty(), "say what these are: {found:#?}");
}

#[test]
fn every_route_has_a_summary_and_says_which_errors_it_gives() {
    let document = Document::read();
    let mut found = Vec::new();
    for (method, path, operation) in document.operations() {
        let mut wanted = BTreeSet::new();
        // An empty requirement among them says that nobody has to be signed in.
        let ways = operation["security"].as_array();
        if ways.is_some_and(|ways| ways.iter().all(|way| *way != serde_json::json!({}))) {
            wanted.extend(["401", "403"]);
        }
        if operation.get("requestBody").is_some() {
            wanted.extend(["400", "413", "415", "422"]);
        }
        if path.contains('{') && !ASK_NOBODY.contains(&(method, path)) {
            wanted.insert("404");
        }
        let given = operation["responses"].as_object().unwrap();
        let all_of_a_kind = given.contains_key("4XX");
        for status in wanted.into_iter().filter(|status| !all_of_a_kind && !given.contains_key(*status)) {
            found.push(format!("{method} {path} says nothing of {status}"));
        }
        if operation["summary"].as_str().is_none_or(|text| text.trim().is_empty()) {
            found.push(format!("{method} {path} has no summary"));
        }
        for (status, answer) in given.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            if answer["content"].as_object().is_none_or(Map::is_empty) {
                found.push(format!("{method} {path}: {status} has no shape"));
            }
        }
    }
    for (method, path) in ASK_NOBODY {
        assert!(document.operations().any(|(m, p, _)| (m, p) == (*method, *path)), "{method} {path} is gone");
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_body_has_an_example_that_fits_it() {
    let document = Document::read();
    let mut found = Vec::new();
    for (method, path, operation) in document.operations() {
        let mut bodies = vec![("request", &operation["requestBody"])];
        let answers = operation["responses"].as_object().unwrap().iter();
        bodies.extend(
            answers
                .filter(|(status, _)| status.starts_with('2'))
                .map(|(status, answer)| (status.as_str(), answer)),
        );
        for (which, body) in bodies {
            for (kind, media) in body["content"].as_object().into_iter().flatten() {
                let schema = document.resolved(&media["schema"]);
                let place = format!("{method} {path} {which} {kind}");
                match media.get("example").or_else(|| schema.get("example")) {
                    None => found.push(format!("{place} has no example")),
                    Some(example) if kind == "application/json" => {
                        misfits(&document, &place, &media["schema"], example, &mut found);
                    }
                    Some(_) => {}
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// What an example lacks or has too much, by the schema.
fn misfits(document: &Document, place: &str, schema: &Value, example: &Value, found: &mut Vec<String>) {
    let schema = document.resolved(schema);
    if let (Some(items), Some(list)) = (schema.get("items"), example.as_array()) {
        for item in list {
            misfits(document, &format!("{place}[]"), items, item, found);
        }
    }
    let (Some(fields), Some(object)) = (schema["properties"].as_object(), example.as_object()) else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            found.push(format!("{place}: the example lacks {name}"));
        }
    }
    for (name, value) in object {
        match fields.get(name) {
            Some(field) => misfits(document, &format!("{place}.{name}"), field, value, found),
            None if schema.get("additionalProperties").is_some() || schema.get("allOf").is_some() => {}
            None => found.push(format!("{place}: there is no field {name}")),
        }
    }
}
