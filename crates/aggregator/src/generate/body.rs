//! What a model is sent, in the protocol that its service speaks.

use serde_json::{Map, Value, json};

use crate::chat::{Ask, Connection, EndpointRef};

/// The body of a call to `model` with `messages`.
pub(super) fn body(ask: &Ask, model: &EndpointRef, messages: &[Value], streamed: bool) -> Value {
    let sampling = &ask.sampling;
    let mut body = Map::new();
    body.insert("messages".into(), messages.into());
    body.insert("max_tokens".into(), ask.max_tokens.into());
    body.insert("temperature".into(), ask.temperature.into());
    body.insert("stream".into(), streamed.into());
    let mut given = vec![
        ("top_p", sampling.top_p.map(Value::from)),
        ("seed", sampling.seed.map(Value::from)),
        ("response_format", sampling.response_format.clone()),
    ];
    match model.connection {
        Connection::Space => {
            body.insert("stop_sequences".into(), json!(sampling.stop));
        }
        Connection::OpenAi => {
            let name = model.upstream_model.as_ref().unwrap_or(&model.slug);
            body.insert("model".into(), name.as_str().into());
            given.extend([
                ("stream_options", streamed.then(|| json!({"include_usage": true}))),
                ("stop", (!sampling.stop.is_empty()).then(|| json!(sampling.stop))),
                ("user", sampling.user.as_deref().map(Value::from)),
                ("tools", sampling.tools.clone()),
                ("tool_choice", sampling.tool_choice.clone()),
                ("parallel_tool_calls", sampling.parallel_tool_calls.map(Value::from)),
            ]);
        }
    }
    for (key, value) in given {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    }
    body.into()
}
