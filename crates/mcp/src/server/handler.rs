//! The methods of the protocol, each handed to its tool.

use axum::http::request::Parts;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
    CompleteResult, GetPromptRequestParams, GetPromptResponse, InitializeRequestParams, InitializeResult,
    JsonObject, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse,
    ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use syfthub_logging::correlation;
use syfthub_web::Fields;

use super::limits::ToolLimits;
use super::watching::Streams;
use super::{describe, errors, prompts, resources, schemas, verdict, watching};
use crate::access::Caller;
use crate::calls::Calls;
use crate::tools::{Kind, Need, Outcome, Progress, Tools, chat, discover, endpoint, publish, search};

type Context = RequestContext<RoleServer>;
type Page = Option<PaginatedRequestParams>;

/// Clients may keep lists this long. That of tools changes with a new version only; endpoints and presets come and go.
const TOOLS_FRESH_MS: u64 = 300_000;
const LISTS_FRESH_MS: u64 = 60_000;
/// Longest question of a prompt, in characters.
const MAX_QUERY: usize = 4000;

/// The handler of one request; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    tools: Tools,
    limits: ToolLimits,
    calls: Calls,
    streams: Streams,
}

impl Handler {
    pub(crate) fn new(tools: Tools, limits: ToolLimits, calls: Calls) -> Self {
        Self { tools, limits, calls, streams: Streams::default() }
    }

    async fn run(
        &self,
        kind: Kind,
        arguments: JsonObject,
        caller: &Caller,
        context: &Context,
    ) -> Result<Outcome, ErrorData> {
        let (tools, progress) = (&self.tools, Reporter::of(context));
        let wrong = |error| errors::invalid(&error);
        Ok(match kind {
            Kind::Discover => {
                let wanted = discover::Request::read(fields(arguments)?).map_err(wrong)?;
                discover::run(tools, caller, wanted).await
            }
            Kind::Chat => {
                let asked = chat::Request::read(fields(arguments)?).map_err(wrong)?;
                chat::run(tools, caller, asked, &progress).await
            }
            Kind::Search => {
                let asked = search::Request::read(fields(arguments)?).map_err(wrong)?;
                search::run(tools, caller, asked, &progress).await
            }
            Kind::Get => {
                let wanted = endpoint::Request::read(fields(arguments)?).map_err(wrong)?;
                endpoint::get(tools, caller, wanted).await
            }
            Kind::Health => {
                let wanted = endpoint::Request::read(fields(arguments)?).map_err(wrong)?;
                endpoint::health(tools, caller, wanted).await
            }
            Kind::Publish => publish::publish(tools, caller, arguments).await,
            Kind::Update => {
                let change = publish::Change::read(arguments).map_err(wrong)?;
                publish::update(tools, caller, change).await
            }
        })
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        describe::server()
    }

    /// The handshake of the earlier era, in which subscriptions need a session, and there is none.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: Context,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut info = self.negotiate_initialize(&request)?;
        if let Some(resources) = &mut info.capabilities.resources {
            resources.subscribe = None;
        }
        Ok(info)
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(watching::accepted(requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let caller = reader(context.request_context(), "subscriptions/listen")?;
        watching::watch(&self.streams, &self.tools, &caller, &context).await
    }

    async fn list_tools(&self, _: Page, context: Context) -> Result<ListToolsResult, ErrorData> {
        let caller = caller(&context)?;
        let list = ListToolsResult::with_all_items(schemas::tools(&caller.scopes));
        Ok(list.with_ttl_ms(TOOLS_FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        Kind::by_name(name).map(schemas::tool)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = caller(&context)?;
        let Some(kind) = Kind::by_name(&request.name) else {
            return Err(ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None));
        };
        let arguments = request.arguments.unwrap_or_default();
        // Dropped before its end when the client goes away, and noted as such.
        let mut call = self.calls.begin(&caller, kind, &arguments);
        if !kind.need().is_met_by(&caller.scopes) {
            call.refused();
            return Err(verdict::step_up(&context, kind.name(), kind.need()));
        }
        if let Err(error) = self.limits.check(&caller.username, kind).await {
            call.refused();
            return Err(verdict::too_many(&context, &error));
        }
        let run = self.run(kind, arguments, &caller, &context);
        let outcome = tokio::select! {
            outcome = async {
                match caller.correlation.clone() {
                    Some(id) => correlation::scope(id, run).await,
                    None => run.await,
                }
            } => outcome,
            () = context.ct.cancelled() => {
                return Err(ErrorData::internal_error("the call was cancelled", None));
            }
        };
        match outcome {
            Ok(Outcome::Good(value)) => {
                call.succeeded(&value);
                Ok(CallToolResult::structured(value).into())
            }
            Ok(Outcome::Bad(value)) => {
                call.failed();
                Ok(CallToolResult::structured_error(value).into())
            }
            Ok(Outcome::Wrong(error)) => {
                call.refused();
                Err(errors::invalid(&error))
            }
            Err(error) => {
                call.refused();
                Err(error)
            }
        }
    }

    async fn list_prompts(&self, page: Page, context: Context) -> Result<ListPromptsResult, ErrorData> {
        let caller = reader(&context, "prompts/list")?;
        let (items, next) = prompts::list(&self.tools, &caller, skip(page)?).await?;
        let mut list = ListPromptsResult::with_all_items(items);
        list.next_cursor = next.map(|skip| skip.to_string());
        Ok(list.with_ttl_ms(LISTS_FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let caller = reader(&context, "prompts/get")?;
        let mut fields = fields(request.arguments.unwrap_or_default())?;
        let query = fields.string("query").length(1, MAX_QUERY).required();
        let valid = fields.finish().map_err(|error| errors::invalid(&error))?;
        prompts::get(&self.tools, &caller, &request.name, &query.take(&valid)).await.map(Into::into)
    }

    async fn list_resources(&self, page: Page, context: Context) -> Result<ListResourcesResult, ErrorData> {
        let caller = reader(&context, "resources/list")?;
        let (items, next) = resources::list(&self.tools, &caller, skip(page)?).await?;
        let mut list = ListResourcesResult::with_all_items(items);
        list.next_cursor = next.map(|skip| skip.to_string());
        Ok(list.with_ttl_ms(LISTS_FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    async fn list_resource_templates(
        &self,
        _: Page,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let list = ListResourceTemplatesResult::with_all_items(resources::templates());
        Ok(list.with_ttl_ms(TOOLS_FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let caller = reader(&context, "resources/read")?;
        let read = resources::read(&self.tools, &caller, &request.uri).await?;
        Ok(read.with_ttl_ms(LISTS_FRESH_MS).with_cache_scope(CacheScope::Private).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let caller = reader(&context, "completion/complete")?;
        resources::complete(&self.tools, &caller, request).await.map(CompleteResult::new)
    }
}

/// The caller that the gate put on the HTTP request.
fn caller(context: &Context) -> Result<Caller, ErrorData> {
    let parts = context.extensions.get::<Parts>();
    let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
    caller.cloned().ok_or_else(|| ErrorData::internal_error("the caller is not known", None))
}

/// The caller, if the credential lets them look.
fn reader(context: &Context, what: &str) -> Result<Caller, ErrorData> {
    let caller = caller(context)?;
    if Need::Read.is_met_by(&caller.scopes) {
        return Ok(caller);
    }
    Err(verdict::step_up(context, what, Need::Read))
}

/// Where a page begins. A cursor is the number of items before it: lists change, so nothing finer would be truer.
fn skip(page: Page) -> Result<u32, ErrorData> {
    match page.and_then(|page| page.cursor) {
        None => Ok(0),
        Some(cursor) => {
            cursor.parse().map_err(|_| ErrorData::invalid_params("the cursor is not one of ours", None))
        }
    }
}

fn fields(arguments: JsonObject) -> Result<Fields, ErrorData> {
    Fields::body(Value::Object(arguments)).map_err(|error| errors::invalid(&error))
}

/// Tells the client how far a call is, if it asked to be told.
struct Reporter<'c>(Option<(&'c Context, rmcp::model::ProgressToken)>);

impl<'c> Reporter<'c> {
    fn of(context: &'c Context) -> Self {
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
