//! Reads and checks the body of a question. Every failing field is reported at once.

use std::collections::HashMap;

use serde_json::{Map, Value};
use syfthub_config::{Aggregator, Secret};
use syfthub_domain::{Error, Result};
use syfthub_web::fields::{Checked, Field};
use syfthub_web::{Fields, browser};
use uuid::Uuid;

use super::ask::{Ask, Connection, EndpointRef, Sampling};
use crate::prompt::{Message, Role};
use crate::shape::{self, Shape};

/// Longest prompt, system prompt or turn, in code points.
pub(crate) const MAX_TEXT: usize = 100_000;
/// Most data sources that are looked at; the setting allows fewer.
const MAX_LISTED: usize = 1_000;
/// Most earlier turns.
pub(crate) const MAX_TURNS: usize = 200;
/// Most models that stand in for the first one.
pub(crate) const MAX_FALLBACKS: usize = 4;
/// Most satellite tokens of a request.
const MAX_TOKENS: usize = 100;
/// Longest token, in bytes.
const MAX_TOKEN: usize = 8_192;
/// Longest address of an endpoint.
const MAX_URL: usize = 2_048;
/// Longest name, slug or username.
pub(crate) const MAX_NAME: usize = 300;

/// What is kept of a body; a list that is too long keeps one item too many, so that this is noticed.
const BODY: Shape = Shape::Keys(&[
    ("prompt", Shape::Leaf),
    ("model", ENDPOINT),
    ("data_sources", Shape::List(MAX_LISTED, &ENDPOINT)),
    ("endpoint_tokens", Shape::Leaves(MAX_TOKENS + 1)),
    ("user_token", Shape::Leaf),
    ("top_k", Shape::Leaf),
    ("max_tokens", Shape::Leaf),
    ("temperature", Shape::Leaf),
    ("similarity_threshold", Shape::Leaf),
    ("custom_system_prompt", Shape::Leaf),
    ("messages", Shape::List(MAX_TURNS + 1, &TURN)),
    ("retrieval_only", Shape::Leaf),
    ("require_all_sources", Shape::Leaf),
    ("conversation_id", Shape::Leaf),
    ("stream", Shape::Leaf),
    ("fallback_models", Shape::List(MAX_FALLBACKS + 1, &ENDPOINT)),
]);
const ENDPOINT: Shape = Shape::Keys(&[
    ("url", Shape::Leaf),
    ("slug", Shape::Leaf),
    ("name", Shape::Leaf),
    ("tenant_name", Shape::Leaf),
    ("owner_username", Shape::Leaf),
    ("query_override", Shape::Leaf),
    ("connection_type", Shape::Leaf),
    ("upstream_model", Shape::Leaf),
]);
const TURN: Shape = Shape::Keys(&[("role", Shape::Leaf), ("content", Shape::Leaf)]);

/// Builds of a body's text what [`read`] looks at.
pub(super) fn parse(text: &[u8]) -> serde_json::Result<Value> {
    shape::read(text, BODY)
}

/// Reads the body of `/chat` and `/chat/stream`. `authorization` is the credential of the request's
/// header, used when the body has no `user_token`. Unknown keys are ignored.
pub(super) fn read(body: Value, authorization: Option<Secret>, settings: &Aggregator) -> Result<Ask> {
    let mut fields = Fields::body(body)?;
    let prompt = fields.string("prompt").length(1, MAX_TEXT).required();
    let retrieval_only = fields.boolean("retrieval_only").or(false);
    let model = fields.object("model", |model| read_endpoint(model, !retrieval_only)).required();
    let max_sources = usize::try_from(settings.max_data_sources).unwrap_or(usize::MAX);
    let data_sources =
        fields.each("data_sources", |source| read_endpoint(source, false)).items(0, max_sources);
    let data_sources = data_sources.or(Vec::new());
    let endpoint_tokens = fields.dict("endpoint_tokens").keys(MAX_TOKENS).rule(check_tokens).or(Map::new());
    let user_token = fields.string("user_token").length(0, MAX_TOKEN).optional();
    let top_k = fields.int("top_k").range(1, settings.max_top_k.into()).or(settings.default_top_k.into());
    let max_tokens = fields.int("max_tokens").range(1, i64::from(u32::MAX)).or(1024);
    let temperature = fields.float("temperature").range(0.0, 2.0).or(0.7);
    let similarity_threshold = fields.float("similarity_threshold").range(0.0, 1.0).or(0.5);
    let custom_system_prompt = fields.string("custom_system_prompt").length(0, MAX_TEXT).optional();
    let messages = fields.each("messages", read_turn).items(0, MAX_TURNS).or(Vec::new());
    let require_all_sources = fields.boolean("require_all_sources").or(false);
    let fallbacks = fields.each("fallback_models", |model| read_endpoint(model, true));
    let fallback_models = fallbacks.items(0, MAX_FALLBACKS).or(Vec::new());
    let conversation_id = fields.string("conversation_id").parse(read_conversation).optional();
    fields.boolean("stream").or(false); // the route decides, but nonsense is still reported
    let valid = fields.finish()?;
    let credential = user_token.filter(|token| !token.is_empty()).map(Secret::new).or(authorization);
    refuse_cookie(credential.as_ref())?;
    Ok(Ask {
        prompt: prompt.take(&valid),
        model: model.take(&valid),
        data_sources,
        endpoint_tokens: to_tokens(endpoint_tokens),
        credential,
        top_k: usize::try_from(top_k).unwrap_or(1),
        max_tokens: u32::try_from(max_tokens).unwrap_or(u32::MAX),
        temperature,
        similarity_threshold,
        custom_system_prompt,
        messages,
        retrieval_only,
        require_all_sources,
        fallback_models,
        sampling: Sampling::default(),
        turns: None,
        is_resolved: false,
        conversation_id,
    })
}

/// Refuses the value of a session cookie where a token belongs: taken as one it would go around the rule that keeps
/// other sites from using it.
pub(crate) fn refuse_cookie(credential: Option<&Secret>) -> Result<()> {
    if credential.is_some_and(|token| token.expose().starts_with(browser::PREFIX)) {
        let text = "A session cookie is no token; send a hub token or a personal access token";
        return Err(Error::unauthenticated(text));
    }
    Ok(())
}

/// An endpoint; `is_called` says that its address and slug must not be empty.
fn read_endpoint(fields: &mut Fields, is_called: bool) -> EndpointRef {
    let least = usize::from(is_called);
    let url = in_hand(&fields.string("url").length(least, MAX_URL).required());
    let slug = in_hand(&fields.string("slug").length(least, MAX_NAME).required());
    let name = fields.string("name").length(0, MAX_NAME).optional().unwrap_or_default();
    let named =
        |field: Field<'_, String>| field.length(0, MAX_NAME).optional().filter(|text| !text.is_empty());
    let tenant_name = named(fields.string("tenant_name"));
    // Usernames are in lower case wherever they are compared, and here they are keys of tokens.
    let owner_username = named(fields.string("owner_username")).map(|owner| owner.to_lowercase());
    let query_override = fields.string("query_override").length(0, MAX_TEXT).optional();
    let connection_type = fields.string("connection_type").length(0, 50).optional().unwrap_or_default();
    let connection = Connection::of(&connection_type);
    let upstream_model = named(fields.string("upstream_model"));
    EndpointRef { url, slug, name, tenant_name, owner_username, query_override, connection, upstream_model }
}

/// The id of a conversation, as the hub writes it.
pub(crate) fn read_conversation(text: &str) -> Result<String, String> {
    Uuid::parse_str(text).map(|id| id.to_string()).map_err(|_| "must be the id of a conversation".to_owned())
}

fn read_turn(fields: &mut Fields) -> Message {
    let role: Checked<Role> = fields.string("role").choice(&["system", "user", "assistant"]).required();
    let content = in_hand(&fields.string("content").length(0, MAX_TEXT).required());
    Message { role: role.peek().copied().unwrap_or(Role::User), content }
}

/// The value of a nested field; when it failed, the whole request fails and nobody looks at this.
fn in_hand(field: &Checked<String>) -> String {
    field.peek().cloned().unwrap_or_default()
}

fn check_tokens(tokens: &Map<String, Value>) -> Result<(), String> {
    let good = |token: &Value| token.as_str().is_some_and(|token| token.len() <= MAX_TOKEN);
    if tokens.values().all(good) {
        return Ok(());
    }
    Err(format!("every token must be a text of at most {MAX_TOKEN} bytes"))
}

fn to_tokens(tokens: Map<String, Value>) -> HashMap<String, Secret> {
    let mut by_owner = HashMap::with_capacity(tokens.len());
    for (owner, token) in tokens {
        let Some(token) = token.as_str().map(Secret::new) else { continue };
        let key = owner.to_lowercase();
        if key == owner {
            by_owner.insert(key, token);
        } else {
            by_owner.entry(key).or_insert(token);
        }
    }
    by_owner
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syfthub_config::Settings;
    use syfthub_domain::{Detail, Error, Loc};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "callers write literals")]
    fn try_read(body: Value) -> Result<Ask> {
        let settings = Settings::for_tests(std::path::Path::new("unused"));
        let body = parse(body.to_string().as_bytes()).unwrap();
        read(body, Some(Secret::new("from-header")), &settings.aggregator)
    }

    fn locations(error: Error) -> Vec<String> {
        let Detail::Fields(fields) = error.detail else { panic!("not a validation error") };
        let step = |loc: &Loc| match loc {
            Loc::Key(key) => key.clone(),
            Loc::Index(index) => index.to_string(),
        };
        fields.iter().map(|field| field.loc[1..].iter().map(step).collect::<Vec<_>>().join(".")).collect()
    }

    fn failing(body: Value) -> Vec<String> {
        locations(try_read(body).unwrap_err())
    }

    fn with(key: &str, value: Value) -> Value {
        let mut body = json!({"prompt": "hi", "model": {"url": "http://m", "slug": "m"}});
        body[key] = value;
        body
    }

    #[test]
    fn a_minimal_body_gets_the_defaults() {
        let ask =
            try_read(json!({"prompt": "hi", "model": {"url": "http://m", "slug": "m"}, "peer_token": 3}))
                .unwrap();
        assert_eq!((ask.top_k, ask.max_tokens), (5, 1024));
        assert!((ask.temperature - 0.7).abs() < 1e-9 && (ask.similarity_threshold - 0.5).abs() < 1e-9);
        assert!(ask.data_sources.is_empty() && !ask.retrieval_only && !ask.require_all_sources);
        assert_eq!(ask.credential, Some(Secret::new("from-header")));
        let ask = try_read(with("user_token", json!("from-body"))).unwrap();
        assert_eq!(ask.credential, Some(Secret::new("from-body")));
    }

    #[test]
    fn every_failing_field_is_named() {
        let body = json!({
            "prompt": "", "top_k": 21, "temperature": -0.1, "max_tokens": 0, "similarity_threshold": 1.5,
            "model": {"url": "http://m"}, "data_sources": [{"slug": "x"}], "messages": [{"role": "robot", "content": "x"}],
            "endpoint_tokens": {"bob": 3},
        });
        let expected = [
            "prompt",
            "model.slug",
            "data_sources.0.url",
            "endpoint_tokens",
            "top_k",
            "max_tokens",
            "temperature",
            "similarity_threshold",
            "messages.0.role",
        ];
        assert_eq!(failing(body), expected);
        assert_eq!(failing(with("top_k", json!(0))), ["top_k"]);
        assert_eq!(failing(with("temperature", json!(2.1))), ["temperature"]);
        assert_eq!(failing(json!({})), ["prompt", "model"]);
    }

    #[test]
    fn limits_of_size_hold() {
        let source = json!({"url": "http://s", "slug": "s"});
        assert_eq!(failing(with("data_sources", vec![source; 11].into())), ["data_sources"]);
        assert_eq!(failing(with("prompt", "x".repeat(MAX_TEXT + 1).into())), ["prompt"]);
        let turn = json!({"role": "user", "content": "x"});
        assert_eq!(failing(with("messages", vec![turn; MAX_TURNS + 1].into())), ["messages"]);
        let tokens: Map<String, Value> = (0..=MAX_TOKENS).map(|n| (n.to_string(), "t".into())).collect();
        assert_eq!(failing(with("endpoint_tokens", tokens.into())), ["endpoint_tokens"]);
    }

    #[test]
    fn a_wrong_type_is_reported_although_its_content_is_skipped() {
        for (key, value) in [("prompt", json!(["x"])), ("messages", json!({"a": 1})), ("top_k", json!([5]))] {
            assert_eq!(failing(with(key, value)), [key]);
        }
        assert_eq!(failing(with("model", json!(["x"]))), ["model"]);
    }

    #[test]
    fn without_generation_the_model_may_be_empty() {
        let empty = json!({"url": "", "slug": "", "name": "retrieval-only"});
        assert_eq!(failing(with("model", empty.clone())), ["model.url", "model.slug"]);
        let ask = try_read(json!({"prompt": "q", "model": empty, "retrieval_only": true})).unwrap();
        assert!(ask.retrieval_only);
    }

    #[test]
    fn owners_are_in_lower_case_everywhere() {
        let mut body =
            with("data_sources", json!([{"url": "http://s", "slug": "s", "owner_username": "Bob"}]));
        body["endpoint_tokens"] = json!({"bob": "exact", "Bob": "other", "ANN": "hers"});
        let ask = try_read(body).unwrap();
        assert_eq!(ask.data_sources[0].path(), "bob/s");
        assert_eq!(ask.endpoint_tokens["bob"], Secret::new("exact"));
        assert_eq!(ask.endpoint_tokens["ann"], Secret::new("hers"));
    }

    #[test]
    fn a_refused_token_is_not_echoed() {
        let error = try_read(with("endpoint_tokens", json!({"bob": ["s3cret"]}))).unwrap_err();
        assert!(!format!("{error:?}").contains("s3cret"));
        let error = try_read(with("user_token", json!("s3cret".repeat(2_000)))).unwrap_err();
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}
