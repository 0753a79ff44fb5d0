//! Tools of the present era that need something of the client first: they answer with what they need and are called
//! again with it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ErrorData;
use rmcp::model::{CallToolRequestParams, ClientCapabilities, InputRequiredResult, InputResponses};
use serde_json::{Value, json};

/// What a round leads to.
pub(crate) enum Round {
    /// Nothing more is needed; the text of the answer.
    Done(String),
    /// This is needed first.
    Needs(InputRequiredResult),
}

/// States that were handed out, with their step. A client gets a name of them that nobody guesses, so that one that
/// was tampered with is one that we do not know.
#[derive(Debug, Default, Clone)]
pub(crate) struct States(Arc<Mutex<BTreeMap<String, u32>>>);

impl States {
    fn issue(&self, step: u32) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("state-{}-{:016x}", known.len(), RandomState::new().hash_one(step));
        known.insert(name.clone(), step);
        name
    }

    fn step(&self, given: Option<&str>) -> Result<u32, ErrorData> {
        let Some(name) = given else { return Ok(0) };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = || ErrorData::invalid_params("the request state is not one of ours", None);
        known.get(name).copied().ok_or_else(unknown)
    }
}

/// Runs one of the tools.
pub(crate) fn run(
    states: &States,
    call: &CallToolRequestParams,
    able: Option<ClientCapabilities>,
) -> Result<Round, ErrorData> {
    let name = call.name.strip_prefix("test_input_required_result_").unwrap_or_default();
    let step = states.step(call.request_state.as_deref())?;
    let nothing = InputResponses::new();
    let given = call.input_responses.as_ref().unwrap_or(&nothing);
    match name {
        "elicitation" => Ok(match accepted(given, "user_name", "name") {
            Some(name) => Round::Done(format!("Hello, {name}!")),
            None => needs(json!({"user_name": ask_name()}), None)?,
        }),
        "sampling" => {
            Ok(match given.get("capital_question").and_then(|said| said["content"]["text"].as_str()) {
                Some(text) => Round::Done(text.to_owned()),
                None => {
                    needs(json!({"capital_question": sample("What is the capital of France?", 100)}), None)?
                }
            })
        }
        "list_roots" => Ok(match given.get("client_roots").and_then(|said| said["roots"].as_array()) {
            Some(roots) => Round::Done(format!("Roots: {}", Value::from(roots.clone()))),
            None => needs(json!({"client_roots": roots()}), None)?,
        }),
        "request_state" | "tampered_state" => Ok(match (step, given.contains_key("confirm")) {
            (1, true) => Round::Done("state-ok".to_owned()),
            _ => needs(json!({"confirm": ask("Please confirm", "ok", "boolean")}), Some(states.issue(1)))?,
        }),
        "multiple_inputs" => multiple(states, step, given),
        "multi_round" => multi_round(states, step, given),
        "capabilities" => capabilities(given, &able.unwrap_or_default()),
        _ => Err(ErrorData::invalid_params(format!("there is no tool `{}`", call.name), None)),
    }
}

fn multiple(states: &States, step: u32, given: &InputResponses) -> Result<Round, ErrorData> {
    let wanted = json!({
        "user_name": ask_name(),
        "greeting": sample("Generate a greeting", 50),
        "client_roots": roots(),
    });
    let all = ["user_name", "greeting", "client_roots"].iter().all(|key| given.contains_key(*key));
    if step == 1 && all {
        Ok(Round::Done("all three came".to_owned()))
    } else {
        needs(wanted, Some(states.issue(1)))
    }
}

fn multi_round(states: &States, step: u32, given: &InputResponses) -> Result<Round, ErrorData> {
    match step {
        1 if given.contains_key("step1") => {
            let question = ask("Step 2: What is your favorite color?", "color", "string");
            needs(json!({"step2": question}), Some(states.issue(2)))
        }
        2 if given.contains_key("step2") => Ok(Round::Done("both came".to_owned())),
        _ => {
            let question = ask("Step 1: What is your name?", "name", "string");
            needs(json!({"step1": question}), Some(states.issue(1)))
        }
    }
}

/// Asks only for what the client said it can do.
fn capabilities(given: &InputResponses, able: &ClientCapabilities) -> Result<Round, ErrorData> {
    let mut wanted = serde_json::Map::new();
    if able.elicitation.is_some() {
        wanted.insert("user_name".to_owned(), ask_name());
    }
    if able.sampling.is_some() {
        wanted.insert("greeting".to_owned(), sample("Generate a greeting", 50));
    }
    if wanted.is_empty() || wanted.keys().all(|key| given.contains_key(key)) {
        return Ok(Round::Done("nothing more is needed".to_owned()));
    }
    needs(Value::Object(wanted), None)
}

/// The string that the user gave, if the user agreed to give it.
pub(crate) fn accepted<'a>(given: &'a InputResponses, key: &str, field: &str) -> Option<&'a str> {
    let answer = given.get(key)?;
    (answer["action"] == "accept").then(|| answer["content"][field].as_str()).flatten()
}

/// An answer that names what is needed.
pub(crate) fn required(wanted: Value, state: Option<String>) -> Result<InputRequiredResult, ErrorData> {
    let wanted =
        serde_json::from_value(wanted).map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    Ok(InputRequiredResult::new(Some(wanted), state))
}

fn needs(wanted: Value, state: Option<String>) -> Result<Round, ErrorData> {
    required(wanted, state).map(Round::Needs)
}

/// A form with one field.
pub(crate) fn ask(message: &str, field: &str, kind: &str) -> Value {
    json!({
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": message,
            "requestedSchema": {"type": "object", "properties": {field: {"type": kind}}, "required": [field]},
        },
    })
}

fn ask_name() -> Value {
    ask("What is your name?", "name", "string")
}

fn sample(text: &str, tokens: u32) -> Value {
    json!({
        "method": "sampling/createMessage",
        "params": {
            "messages": [{"role": "user", "content": {"type": "text", "text": text}}],
            "maxTokens": tokens,
        },
    })
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}
