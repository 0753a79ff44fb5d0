//! The methods of the protocol, each handed to its tool.

use axum::http::request::Parts;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, JsonObject, ListPromptsResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use syfthub_domain::{Detail, Error};
use syfthub_logging::correlation;
use syfthub_web::Fields;

use super::describe;
use crate::access::Caller;
use crate::tools::{Outcome, Progress, Tools, chat, discover};

/// Clients may keep lists this long; they change with a new version only.
const LISTS_FRESH_MS: u64 = 300_000;
/// Longest question of the prompt, in characters.
const MAX_QUERY: usize = 4000;

/// The handler of one request; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    tools: Tools,
}

impl Handler {
    pub(crate) fn new(tools: Tools) -> Self {
        Self { tools }
    }

    async fn run(
        &self,
        request: CallToolRequestParams,
        caller: &Caller,
        context: &RequestContext<RoleServer>,
    ) -> Result<Outcome, ErrorData> {
        let fields = arguments(request.arguments)?;
        match request.name.as_ref() {
            discover::NAME => {
                let wanted = discover::Request::read(fields).map_err(|error| invalid(&error))?;
                Ok(discover::run(&self.tools, caller, wanted).await)
            }
            chat::NAME => {
                let asked = chat::Request::read(fields).map_err(|error| invalid(&error))?;
                Ok(chat::run(&self.tools, caller, asked, &Reporter::of(context)).await)
            }
            unknown => Err(ErrorData::invalid_params(format!("there is no tool `{unknown}`"), None)),
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        describe::server()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let list = ListToolsResult::with_all_items(describe::tools());
        Ok(list.with_ttl_ms(LISTS_FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        describe::tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = caller(&context)?;
        let run = self.run(request, &caller, &context);
        let outcome = tokio::select! {
            outcome = async {
                match caller.correlation.clone() {
                    Some(id) => correlation::scope(id, run).await,
                    None => run.await,
                }
            } => outcome?,
            () = context.ct.cancelled() => {
                return Err(ErrorData::internal_error("the call was cancelled", None));
            }
        };
        let result = match outcome {
            Outcome::Good(value) => CallToolResult::structured(value),
            Outcome::Bad(value) => CallToolResult::structured_error(value),
        };
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let list = ListPromptsResult::with_all_items(describe::prompts());
        Ok(list.with_ttl_ms(LISTS_FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name != "ask" {
            let text = format!("there is no prompt `{}`", request.name);
            return Err(ErrorData::invalid_params(text, None));
        }
        let mut fields = arguments(request.arguments)?;
        let query = fields.string("query").length(1, MAX_QUERY).required();
        let valid = fields.finish().map_err(|error| invalid(&error))?;
        Ok(GetPromptResult::new(vec![describe::ask(&query.take(&valid))]).into())
    }
}

/// The caller that the gate put on the HTTP request.
fn caller(context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
    let parts = context.extensions.get::<Parts>();
    let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
    caller.cloned().ok_or_else(|| ErrorData::internal_error("the caller is not known", None))
}

fn arguments(given: Option<JsonObject>) -> Result<Fields, ErrorData> {
    Fields::body(Value::Object(given.unwrap_or_default())).map_err(|error| invalid(&error))
}

/// Wrong arguments are an error of the protocol (-32602) that names every failing one.
fn invalid(error: &Error) -> ErrorData {
    let Detail::Fields(fields) = &error.detail else {
        return ErrorData::invalid_params(error.message.clone(), None);
    };
    let told: Vec<String> = fields
        .iter()
        .map(|field| {
            let path: Vec<String> = field.loc.iter().skip(1).map(step).collect();
            format!("{}: {}", path.join("."), field.msg)
        })
        .collect();
    ErrorData::invalid_params(told.join("; "), None)
}

fn step(loc: &syfthub_domain::Loc) -> String {
    match loc {
        syfthub_domain::Loc::Key(key) => key.clone(),
        syfthub_domain::Loc::Index(index) => index.to_string(),
    }
}

/// Tells the client how far a call is, if it asked to be told.
struct Reporter<'c>(Option<(&'c RequestContext<RoleServer>, rmcp::model::ProgressToken)>);

impl<'c> Reporter<'c> {
    fn of(context: &'c RequestContext<RoleServer>) -> Self {
        Self(context.meta.get_progress_token().map(|token| (context, token)))
    }
}

impl Progress for Reporter<'_> {
    async fn report(&self, step: u32, message: String) {
        let Some((context, token)) = &self.0 else { return };
        let told = ProgressNotificationParam::new(token.clone(), f64::from(step)).with_message(message);
        // A client that does not listen any more is noticed by the transport.
        if let Err(error) = context.peer.notify_progress(told).await {
            tracing::debug!(%error, "mcp.progress.undelivered");
        }
    }
}
