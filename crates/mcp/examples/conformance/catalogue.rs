//! The list of tools.

use std::sync::Arc;

use rmcp::model::Tool;
use serde_json::{Value, json};

use crate::content::object;

/// Tools without arguments, with what they do.
const PLAIN: &[(&str, &str)] = &[
    ("test_simple_text", "Answers with a text"),
    ("test_image_content", "Answers with an image"),
    ("test_audio_content", "Answers with a sound"),
    ("test_embedded_resource", "Answers with a resource"),
    ("test_multiple_content_types", "Answers with a text, an image and a resource"),
    ("test_tool_with_logging", "Logs while it works"),
    ("test_tool_with_progress", "Tells how far it is"),
    ("test_error_handling", "Fails"),
    ("test_elicitation_sep1034_defaults", "Asks the user with defaults"),
    ("test_elicitation_sep1330_enums", "Asks the user to choose"),
    ("test_missing_capability", "Needs a client that can sample"),
    ("test_streaming_elicitation", "Asks the user while it works"),
    ("test_logging_tool", "Logs if the client asked for it"),
    ("test_trigger_tool_change", "Says that the list of tools changed"),
    ("test_trigger_prompt_change", "Says that the list of prompts changed"),
    ("test_input_required_result_elicitation", "Needs a name"),
    ("test_input_required_result_sampling", "Needs an answer of the client's model"),
    ("test_input_required_result_list_roots", "Needs the client's roots"),
    ("test_input_required_result_request_state", "Needs a confirmation"),
    ("test_input_required_result_multiple_inputs", "Needs three things at once"),
    ("test_input_required_result_multi_round", "Needs two things, one after the other"),
    ("test_input_required_result_tampered_state", "Needs a confirmation and its own state"),
    ("test_input_required_result_capabilities", "Needs what the client can give"),
];

/// Every tool, always in the same order.
pub(crate) fn tools() -> Vec<Tool> {
    let nothing = || json!({"type": "object", "properties": {}});
    let plain = PLAIN.iter().map(|(name, text)| tool(name, text, nothing()));
    plain.chain(with_arguments()).collect()
}

fn tool(name: &'static str, text: &'static str, schema: Value) -> Tool {
    Tool::new(name, text, Arc::new(object(schema)))
}

fn with_arguments() -> Vec<Tool> {
    let one = |name: &str, text: &str| {
        json!({
            "type": "object",
            "properties": {name: {"type": "string", "description": text}},
            "required": [name],
        })
    };
    let header = json!({
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    });
    vec![
        tool("test_sampling", "Asks the client's model", one("prompt", "What to ask")),
        tool("test_elicitation", "Asks the user", one("message", "What to show")),
        tool("test_custom_header", "Has an argument that is also a header", header),
        tool("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", rich_schema()),
    ]
}

/// Keywords of JSON Schema that a server must hand on as they are.
fn rich_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
