//! Reads and checks the body of `/v1/chat/completions`. Every failing field is reported at once.

use std::collections::HashMap;

use serde_json::Value;
use syfthub_config::Aggregator;
use syfthub_domain::{EndpointPath, Error, FieldError, Result};
use syfthub_web::Fields;

use super::sampling::{MAX_STOPS, read_max_tokens, read_sampling};
use super::turns::{self, TURN};
use crate::chat::request::{MAX_FALLBACKS, MAX_NAME, MAX_TURNS, read_conversation};
use crate::chat::{Ask, EndpointRef};
use crate::shape::{self, Shape};

/// Longest `model`: a path for itself and each source.
const MAX_MODEL: usize = 4_000;
/// Values that descriptions of functions and of the answer's shape may have together.
const MAX_OPEN: usize = 20_000;
/// Levels that they may have.
const MAX_DEPTH: usize = 60;

/// What is kept of a body.
const BODY: Shape = Shape::Keys(&[
    ("model", Shape::Leaf),
    ("models", Shape::List(MAX_FALLBACKS + 2, &Shape::Leaf)),
    ("messages", Shape::List(MAX_TURNS + 2, &TURN)),
    ("max_tokens", Shape::Leaf),
    ("max_completion_tokens", Shape::Leaf),
    ("temperature", Shape::Leaf),
    ("top_p", Shape::Leaf),
    ("n", Shape::Leaf),
    ("stop", Shape::List(MAX_STOPS + 1, &Shape::Leaf)),
    ("seed", Shape::Leaf),
    ("user", Shape::Leaf),
    ("stream", Shape::Leaf),
    ("stream_options", Shape::Keys(&[("include_usage", Shape::Leaf)])),
    ("tools", Shape::Open),
    ("tool_choice", Shape::Open),
    ("parallel_tool_calls", Shape::Leaf),
    ("response_format", Shape::Open),
    ("syfthub", OPTIONS),
]);
const OPTIONS: Shape = Shape::Keys(&[
    ("top_k", Shape::Leaf),
    ("similarity_threshold", Shape::Leaf),
    ("require_all_sources", Shape::Leaf),
    ("conversation_id", Shape::Leaf),
]);

/// A model with the data sources that it answers from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) model: EndpointPath,
    pub(super) sources: Vec<EndpointPath>,
}

/// A request that is good, but for what it names.
#[derive(Debug)]
pub(super) struct Question {
    /// The question; its endpoints are still to be found.
    pub(super) ask: Ask,
    /// What `model` says, for the answer.
    pub(super) model: String,
    pub(super) named: Named,
    /// Models that stand in for the first.
    pub(super) fallbacks: Vec<EndpointPath>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) sent: Sent,
}

/// Which parameters the request has itself, so that a preset does not decide them.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one per parameter")]
pub(super) struct Sent {
    pub(super) top_k: bool,
    pub(super) max_tokens: bool,
    pub(super) temperature: bool,
    pub(super) similarity_threshold: bool,
}

/// Builds of a body's text what [`read`] looks at; `None` when it has more parts than anybody needs.
pub(super) fn parse(text: &[u8]) -> serde_json::Result<Option<Value>> {
    shape::read_whole(text, BODY, MAX_OPEN, MAX_DEPTH)
}

/// The error for a body with too many parts.
pub(super) fn too_many_parts() -> Error {
    let text = format!(
        "`tools`, `tool_choice` and `response_format` may have {MAX_OPEN} values on {MAX_DEPTH} levels"
    );
    Error::fields(vec![FieldError::new("too_long", vec!["body".into(), "tools".into()], text)])
}

/// Retrieval options, which OpenAI's protocol has no place for.
struct Options {
    top_k: i64,
    similarity_threshold: f64,
    require_all_sources: bool,
    conversation_id: Option<String>,
}

/// Reads a body. Unknown keys are ignored.
pub(super) fn read(body: Value, settings: &Aggregator) -> Result<Question> {
    let sent = Sent::of(&body);
    let mut fields = Fields::body(body)?;
    let (model, named, fallbacks) = read_models(&mut fields, settings);
    let turns = fields.each("messages", turns::read).items(1, MAX_TURNS + 1).required();
    let conversation = turns.peek().and_then(|turns| turns::conversation(turns));
    if turns.peek().is_some() && conversation.is_none() {
        fields.reject("messages", "the conversation has no message of the user that says something");
    }
    let max_tokens = read_max_tokens(&mut fields);
    let temperature = fields.float("temperature").range(0.0, 2.0).optional().unwrap_or(0.7);
    let sampling = read_sampling(&mut fields);
    fields.int("n").rule(|n| if *n == 1 { Ok(()) } else { Err("only 1 is served".to_owned()) }).optional();
    let stream = fields.boolean("stream").optional().unwrap_or(false);
    let usage = fields.object("stream_options", |options| options.boolean("include_usage").optional());
    let include_usage = usage.optional().flatten().unwrap_or(false);
    let options = read_options(&mut fields, settings);
    let valid = fields.finish()?;
    let (Some(conversation), Some(named)) = (conversation, named) else {
        return Err(Error::internal("a good request has no model or no question"));
    };
    drop(turns.take(&valid));
    let ask = Ask {
        prompt: conversation.question,
        model: EndpointRef::default(),
        data_sources: Vec::new(),
        endpoint_tokens: HashMap::new(),
        credential: None,
        top_k: usize::try_from(options.top_k).unwrap_or(1),
        max_tokens: u32::try_from(max_tokens).unwrap_or(u32::MAX),
        temperature,
        similarity_threshold: options.similarity_threshold,
        custom_system_prompt: conversation.system,
        messages: conversation.history,
        retrieval_only: false,
        require_all_sources: options.require_all_sources,
        fallback_models: Vec::new(),
        sampling,
        turns: Some(conversation.turns),
        is_resolved: true,
        conversation_id: options.conversation_id,
    };
    Ok(Question { ask, model, named, fallbacks, stream, include_usage, sent })
}

/// `model` and `models`: the first is asked, the others stand in for it. Without `model` it is the first of the list.
fn read_models(fields: &mut Fields, settings: &Aggregator) -> (String, Option<Named>, Vec<EndpointPath>) {
    let max_sources = usize::try_from(settings.max_data_sources).unwrap_or(usize::MAX);
    let was_sent = fields.contains("model");
    let model = fields.string("model").length(1, MAX_MODEL).optional();
    let mut list = fields.strings("models").items(0, MAX_FALLBACKS + 1).optional().unwrap_or_default();
    let model = match model {
        Some(model) => model,
        None if !was_sent && !list.is_empty() => list.remove(0),
        None => {
            if !was_sent {
                fields.reject("model", "a model is required, as owner/slug");
            }
            return (String::new(), None, Vec::new());
        }
    };
    let named = Named::parse(&model, max_sources).map_err(|why| fields.reject("model", &why)).ok();
    if list.len() > MAX_FALLBACKS {
        fields.reject("models", &format!("at most {MAX_FALLBACKS} models stand in for the first"));
    }
    let mut fallbacks = Vec::new();
    for path in list.iter().filter(|path| **path != model) {
        match EndpointPath::parse(path).filter(|_| path.len() <= MAX_NAME && !path.contains('+')) {
            Some(path) => fallbacks.push(path),
            None => fields.reject("models", &format!("`{path}` is not a path like owner/slug")),
        }
    }
    (model, named, fallbacks)
}

impl Sent {
    fn of(body: &Value) -> Self {
        let has = |pointer: &str| body.pointer(pointer).is_some_and(|value| !value.is_null());
        Self {
            top_k: has("/syfthub/top_k"),
            max_tokens: has("/max_tokens") || has("/max_completion_tokens"),
            temperature: has("/temperature"),
            similarity_threshold: has("/syfthub/similarity_threshold"),
        }
    }
}

impl Named {
    /// Reads `owner/slug+owner/source+…`.
    pub(super) fn parse(text: &str, max_sources: usize) -> Result<Self, String> {
        let mut paths = text.split('+').map(|path| {
            let path = path.trim();
            let parsed = EndpointPath::parse(path).filter(|_| path.len() <= MAX_NAME);
            parsed.ok_or_else(|| format!("`{path}` is not a path like owner/slug"))
        });
        let model = paths.next().unwrap_or_else(|| Err("a model is required, as owner/slug".to_owned()))?;
        let mut sources: Vec<EndpointPath> = Vec::new();
        for path in paths {
            let path = path?;
            if !sources.contains(&path) {
                sources.push(path);
            }
        }
        if sources.len() > max_sources {
            return Err(format!("at most {max_sources} data sources are asked at once"));
        }
        Ok(Self { model, sources })
    }
}

fn read_options(fields: &mut Fields, settings: &Aggregator) -> Options {
    let (default, most) = (i64::from(settings.default_top_k), i64::from(settings.max_top_k));
    let read = |options: &mut Fields| Options {
        top_k: options.int("top_k").range(1, most).or(default),
        similarity_threshold: options.float("similarity_threshold").range(0.0, 1.0).or(0.5),
        require_all_sources: options.boolean("require_all_sources").or(false),
        conversation_id: options.string("conversation_id").parse(read_conversation).optional(),
    };
    let none = Options {
        top_k: default,
        similarity_threshold: 0.5,
        require_all_sources: false,
        conversation_id: None,
    };
    fields.object("syfthub", read).optional().unwrap_or(none)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syfthub_config::Settings;
    use syfthub_domain::Detail;

    use super::*;

    fn try_read(body: &Value) -> Result<Question> {
        let settings = Settings::for_tests(std::path::Path::new("unused"));
        read(parse(body.to_string().as_bytes()).unwrap().unwrap(), &settings.aggregator)
    }

    fn with(key: &str, value: Value) -> Value {
        let mut body = json!({"model": "mia/writer", "messages": [{"role": "user", "content": "hi"}]});
        body[key] = value;
        body
    }

    fn failing(body: &Value) -> Vec<String> {
        let error = try_read(body).unwrap_err();
        let Detail::Fields(fields) = error.detail else { panic!("not a validation error") };
        fields.iter().map(|field| format!("{:?}", &field.loc[1..])).collect()
    }

    #[test]
    fn a_model_may_name_its_sources() {
        let named = Named::parse("Mia/Writer+ann/docs+bob/b+ann/docs", 2).unwrap();
        assert_eq!(named.model.to_string(), "mia/writer");
        assert_eq!(named.sources.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ann/docs", "bob/b"]);
        for bad in ["", "gpt-4o", "mia/writer+", "+ann/docs", "mia/writer+x", "a/b/c"] {
            assert!(Named::parse(bad, 2).is_err(), "{bad}");
        }
        assert!(Named::parse("m/m+a/a+b/b+c/c", 2).unwrap_err().contains("at most 2"));
    }

    #[test]
    fn the_last_message_of_the_user_is_the_question() {
        let question = try_read(&with("messages", json!([
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "answer"},
            {"role": "user", "content": [{"type": "text", "text": "sec"}, {"type": "text", "text": "ond"}]},
        ]))).unwrap();
        assert_eq!(question.ask.prompt, "second");
        assert_eq!(question.ask.custom_system_prompt.as_deref(), Some("Be brief."));
        assert_eq!(
            question.ask.messages.iter().map(|turn| turn.content.as_str()).collect::<Vec<_>>(),
            ["first", "answer"]
        );
        let turns = question.ask.turns.unwrap();
        assert_eq!((turns.all.len(), turns.question, turns.has_tools), (4, 3, false));
        assert_eq!(turns.all[0], json!({"role": "system", "content": "Be brief."}));
    }

    #[test]
    fn calls_of_functions_are_kept_as_they_came() {
        let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let body = with(
            "messages",
            json!([
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": null, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
            ]),
        );
        let ask = try_read(&body).unwrap().ask;
        let turns = ask.turns.unwrap();
        assert!(turns.has_tools && ask.messages.is_empty());
        assert_eq!(turns.all[1]["tool_calls"], json!([call]));
        assert_eq!(turns.all[2], json!({"role": "tool", "content": "42", "tool_call_id": "c1"}));
    }

    #[test]
    fn every_failing_field_is_named() {
        let body = json!({
            "model": "gpt-4o", "n": 2, "temperature": 3, "top_p": 2, "max_tokens": 0, "stop": [1], "tools": ["x"],
            "messages": [{"role": "robot", "content": "x"}, {"role": "user", "content": [{"type": "image_url"}]},
                {"role": "user", "content": null}],
            "syfthub": {"top_k": 0},
        });
        let wrong = failing(&body);
        for key in ["model", "n", "temperature", "top_p", "max_tokens", "stop", "tools", "top_k"] {
            assert!(wrong.iter().any(|loc| loc.contains(&format!("\"{key}\""))), "{key}: {wrong:?}");
        }
        assert_eq!(wrong.iter().filter(|loc| loc.contains("messages")).count(), 3, "{wrong:?}");
        assert_eq!(failing(&with("messages", json!([{"role": "system", "content": "x"}]))).len(), 1);
        assert_eq!(failing(&json!({})).len(), 2);
        assert_eq!(failing(&with("models", json!(["a/b+c/d"]))).len(), 1);
    }

    #[test]
    fn others_stand_in_for_the_first_model() {
        let question = try_read(&with("models", json!(["mia/writer", "bob/b", "cy/c"]))).unwrap();
        assert_eq!(question.fallbacks.iter().map(ToString::to_string).collect::<Vec<_>>(), ["bob/b", "cy/c"]);
        let mut body = with("models", json!(["bob/b", "cy/c"]));
        body.as_object_mut().unwrap().remove("model");
        let question = try_read(&body).unwrap();
        assert_eq!((question.model.as_str(), question.fallbacks.len()), ("bob/b", 1));
    }

    #[test]
    fn a_description_of_functions_is_whole_or_refused() {
        let deep = |levels: usize| {
            let mut schema = json!({"type": "string"});
            for _ in 0..levels {
                schema = json!({"type": "object", "properties": {"a": schema}});
            }
            with("tools", json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]))
        };
        let question = try_read(&deep(10)).unwrap();
        assert_eq!(question.ask.sampling.tools.unwrap(), deep(10)["tools"]);
        assert!(parse(deep(40).to_string().as_bytes()).unwrap().is_none());
    }
}
