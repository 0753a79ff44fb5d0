//! Reads the fields of `/v1/chat/completions` that say how a model shall answer.

use serde_json::{Map, Value};
use syfthub_web::Fields;

use crate::chat::Sampling;
use crate::chat::request::MAX_NAME;

/// Most functions that a caller may offer.
const MAX_TOOLS: usize = 128;
/// Most texts that end an answer.
pub(super) const MAX_STOPS: usize = 4;
/// Longest of them, in code points.
const MAX_STOP: usize = 200;

/// Reads the longest answer, in tokens, under either of its names.
pub(super) fn read_max_tokens(fields: &mut Fields) -> i64 {
    let newer = fields.int("max_completion_tokens").range(1, i64::from(u32::MAX)).optional();
    let older = fields.int("max_tokens").range(1, i64::from(u32::MAX)).optional();
    newer.or(older).unwrap_or(1024)
}

/// Reads what a model is told beside the conversation.
pub(super) fn read_sampling(fields: &mut Fields) -> Sampling {
    let objects = |list: &Vec<Value>| {
        if list.iter().all(Value::is_object) { Ok(()) } else { Err("every function is an object".to_owned()) }
    };
    let tools = fields.list("tools").items(0, MAX_TOOLS).rule(objects).optional();
    let choice = |choice: &Value| {
        if choice.is_string() || choice.is_object() {
            Ok(())
        } else {
            Err("a text or an object belongs here".to_owned())
        }
    };
    let tools = tools.filter(|tools| !tools.is_empty()).map(Value::from);
    let format: Option<Map<String, Value>> = fields.dict("response_format").optional();
    Sampling {
        top_p: fields.float("top_p").range(0.0, 1.0).optional(),
        stop: read_stop(fields),
        seed: fields.int("seed").optional(),
        user: fields.string("user").length(0, MAX_NAME).optional(),
        response_format: format.map(Value::from),
        tool_choice: fields.any("tool_choice").rule(choice).optional().filter(|_| tools.is_some()),
        parallel_tool_calls: fields.boolean("parallel_tool_calls").optional().filter(|_| tools.is_some()),
        tools,
    }
}

fn read_stop(fields: &mut Fields) -> Vec<String> {
    let texts = |value: &Value| -> Result<Vec<String>, String> {
        let list = match value {
            Value::Array(list) => list.as_slice(),
            single => std::slice::from_ref(single),
        };
        let text =
            |item: &Value| Some(item.as_str()?.to_owned()).filter(|text| text.chars().count() <= MAX_STOP);
        let texts: Option<Vec<String>> = list.iter().map(text).collect();
        let texts = texts.filter(|texts| texts.len() <= MAX_STOPS);
        texts.ok_or_else(|| {
            format!("a text or up to {MAX_STOPS} texts of at most {MAX_STOP} characters belong here")
        })
    };
    let stop = fields.any("stop").rule(|value| texts(value).map(|_| ())).optional();
    let stop = stop.and_then(|value| texts(&value).ok()).unwrap_or_default();
    stop.into_iter().filter(|text| !text.is_empty()).collect()
}
