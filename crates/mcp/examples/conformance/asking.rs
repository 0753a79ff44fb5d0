//! Questions back to a client of the earlier era, over its session.

use rmcp::model::{CallToolResult, ContentBlock, ServerRequest};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

type Context = RequestContext<RoleServer>;

/// Asks the client's model.
pub(crate) async fn sampling(context: &Context, prompt: &str) -> Result<CallToolResult, ErrorData> {
    if context.client_capabilities().is_none_or(|able| able.sampling.is_none()) {
        return Ok(failure("this client cannot sample"));
    }
    let params = json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}],
        "maxTokens": 100,
    });
    let answer = ask(context, "sampling/createMessage", params).await?;
    let said = answer["content"]["text"].as_str().or_else(|| answer["content"][0]["text"].as_str());
    Ok(success(format!("LLM response: {}", said.unwrap_or_default())))
}

/// Asks the user with a form.
pub(crate) async fn form(
    context: &Context,
    message: &str,
    schema: Value,
) -> Result<CallToolResult, ErrorData> {
    if context.client_capabilities().is_none_or(|able| able.elicitation.is_none()) {
        return Ok(failure("this client cannot ask its user"));
    }
    let params = json!({"message": message, "requestedSchema": schema});
    let answer = ask(context, "elicitation/create", params).await?;
    let text = format!("User response: action={}, content={}", answer["action"], answer["content"]);
    Ok(success(text))
}

async fn ask(context: &Context, method: &str, params: Value) -> Result<Value, ErrorData> {
    let internal = |text: String| ErrorData::internal_error(text, None);
    let request: ServerRequest = serde_json::from_value(json!({"method": method, "params": params}))
        .map_err(|error| internal(error.to_string()))?;
    let answer = context.peer.send_request(request).await.map_err(|error| internal(error.to_string()))?;
    serde_json::to_value(answer).map_err(|error| internal(error.to_string()))
}

pub(crate) fn success(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

pub(crate) fn failure(text: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// A name and an address.
pub(crate) fn contact() -> Value {
    json!({
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        },
        "required": ["username", "email"],
    })
}

/// Every simple type with a default.
pub(crate) fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        },
    })
}

/// Every form of a choice.
pub(crate) fn choices() -> Value {
    let titled = |words: [&str; 3]| -> Vec<Value> {
        let numbered = words.iter().enumerate();
        numbered.map(|(i, word)| json!({"const": format!("value{}", i + 1), "title": word})).collect()
    };
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
            "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
            },
            "titledMulti": {
                "type": "array",
                "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])},
            },
        },
    })
}
