//! The prompts.

use rmcp::ErrorData;
use rmcp::model::{
    ContentBlock, GetPromptRequestParams, GetPromptResponse, GetPromptResult, Prompt, PromptArgument,
    PromptMessage, Role,
};
use serde_json::json;

use crate::content::{embedded, image};
use crate::rounds;

pub(crate) fn list() -> Vec<Prompt> {
    let argument =
        |name: &str| PromptArgument::new(name).with_description("For the test").with_required(true);
    let prompt = |name: &str, text: &str, arguments: Option<Vec<PromptArgument>>| {
        Prompt::new(name, Some(text), arguments)
    };
    vec![
        prompt("test_simple_prompt", "A text", None),
        prompt(
            "test_prompt_with_arguments",
            "A text with two words of the user",
            Some(vec![argument("arg1"), argument("arg2")]),
        ),
        prompt(
            "test_prompt_with_embedded_resource",
            "A resource of the user's choice",
            Some(vec![argument("resourceUri")]),
        ),
        prompt("test_prompt_with_image", "An image", None),
        prompt("test_input_required_result_prompt", "Needs a context", None),
    ]
}

pub(crate) fn get(asked: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let argument = |name: &str| {
        let given = asked.arguments.as_ref().and_then(|given| given.get(name)?.as_str());
        given.ok_or_else(|| ErrorData::invalid_params(format!("{name} is missing"), None))
    };
    let messages = match asked.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (first, second) = (argument("arg1")?, argument("arg2")?);
            vec![text(&format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]
        }
        "test_prompt_with_embedded_resource" => {
            let resource =
                embedded(argument("resourceUri")?, "text/plain", "Embedded resource content for testing.");
            vec![user(resource), text("Please process the embedded resource above.")]
        }
        "test_prompt_with_image" => vec![user(image()), text("Please analyze the image above.")],
        "test_input_required_result_prompt" => {
            let given = asked.input_responses.as_ref();
            let context = given.and_then(|given| rounds::accepted(given, "user_context", "context"));
            let Some(context) = context else {
                let question = rounds::ask("What context should the prompt use?", "context", "string");
                return Ok(rounds::required(json!({"user_context": question}), None)?.into());
            };
            vec![text(&format!("Use this context: {context}"))]
        }
        other => return Err(ErrorData::invalid_params(format!("there is no prompt `{other}`"), None)),
    };
    Ok(GetPromptResult::new(messages).into())
}

fn text(text: &str) -> PromptMessage {
    user(ContentBlock::text(text))
}

fn user(content: ContentBlock) -> PromptMessage {
    PromptMessage::new(Role::User, content)
}
