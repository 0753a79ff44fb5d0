//! The tools that answer at once, and those that tell something while they work.

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock,
    ProgressNotificationParam, ServerNotification,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::json;

use crate::asking::{self, failure, success};
use crate::content::{WAV, embedded, image};
use crate::rounds::{self, Round};
use crate::server::{Change, Fixture};

type Context = RequestContext<RoleServer>;

/// The suite wants to see that messages arrive one by one.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn call(
    fixture: &Fixture,
    call: CallToolRequestParams,
    context: Context,
) -> Result<CallToolResponse, ErrorData> {
    let word = |name: &str| {
        let given = call.arguments.as_ref().and_then(|given| given.get(name)?.as_str());
        given.unwrap_or_default().to_owned()
    };
    let result = match call.name.as_ref() {
        "test_simple_text" => success("This is a simple text response for testing."),
        "test_image_content" => CallToolResult::success(vec![image()]),
        "test_audio_content" => CallToolResult::success(vec![ContentBlock::audio(WAV, "audio/wav")]),
        "test_embedded_resource" => CallToolResult::success(vec![embedded(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content.",
        )]),
        "test_multiple_content_types" => CallToolResult::success(vec![
            ContentBlock::text("Multiple content types test:"),
            image(),
            embedded("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ]),
        "test_tool_with_logging" => logging(&context).await?,
        "test_logging_tool" if context.meta.log_level().is_some() => logging(&context).await?,
        "test_logging_tool" | "test_custom_header" | "json_schema_2020_12_tool" => success("done"),
        "test_tool_with_progress" => progress(&context).await?,
        "test_error_handling" => failure("This tool intentionally returns an error for testing"),
        "test_sampling" => asking::sampling(&context, &word("prompt")).await?,
        "test_elicitation" => asking::form(&context, &word("message"), asking::contact()).await?,
        "test_elicitation_sep1034_defaults" => {
            asking::form(&context, "Please check the defaults", asking::defaults()).await?
        }
        "test_elicitation_sep1330_enums" => {
            asking::form(&context, "Please choose", asking::choices()).await?
        }
        "test_missing_capability" => {
            if context.client_capabilities().is_none_or(|able| able.sampling.is_none()) {
                let needed = ClientCapabilities::builder().enable_sampling().build();
                return Err(ErrorData::missing_required_client_capability(needed));
            }
            success("the client can sample")
        }
        "test_streaming_elicitation" => {
            let question = rounds::ask("What is your name?", "name", "string");
            return Ok(rounds::required(json!({"user_name": question}), None)?.into());
        }
        "test_trigger_tool_change" => {
            fixture.changed(Change::Tools);
            success("the list of tools changed")
        }
        "test_trigger_prompt_change" => {
            fixture.changed(Change::Prompts);
            success("the list of prompts changed")
        }
        _ => {
            return Ok(match rounds::run(fixture.states(), &call, context.client_capabilities())? {
                Round::Done(text) => success(text).into(),
                Round::Needs(input) => input.into(),
            });
        }
    };
    Ok(result.into())
}

async fn logging(context: &Context) -> Result<CallToolResult, ErrorData> {
    for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        let said = json!({
            "method": "notifications/message",
            "params": {"level": "info", "logger": "fixture", "data": text},
        });
        let said: ServerNotification = serde_json::from_value(said).map_err(internal)?;
        context.peer.send_notification(said).await.map_err(internal)?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(success("logged three times"))
}

async fn progress(context: &Context) -> Result<CallToolResult, ErrorData> {
    for (step, text) in [(0.0, "Starting"), (50.0, "Halfway"), (100.0, "Complete")] {
        if let Some(token) = context.meta.get_progress_token() {
            let told = ProgressNotificationParam::new(token, step).with_total(100.0).with_message(text);
            context.peer.notify_progress(told).await.map_err(internal)?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(success("complete"))
}

fn internal(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}
