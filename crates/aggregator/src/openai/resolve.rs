//! From the paths that a request names to the endpoints behind them.

use syfthub_config::Secret;
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result};
use syfthub_rpc::Peer;

use super::preset;
use super::request::Question;
use crate::chat::{Ask, Chat, Connection};
use crate::published::Published;

/// Looks up what `question` names, as the holder of its credential may see it, and fills it in.
pub(super) async fn fill(chat: &Chat, question: &mut Question, credential: Option<Secret>) -> Result<()> {
    let hub = chat.hub();
    let max_sources = usize::try_from(chat.settings().max_data_sources).unwrap_or(usize::MAX);
    let mut found = find(hub, question, credential.as_ref()).await?;
    // A path that is no endpoint may be a preset: it has a model and sources of its own, and another look is needed.
    if found.get(&question.named.model).is_none()
        && preset::apply(hub, question, credential.as_ref(), max_sources).await?
    {
        found = find(hub, question, credential.as_ref()).await?;
    }
    let named = &question.named;
    let ask = &mut question.ask;
    ask.model = found.model(&named.model)?;
    ask.data_sources = named.sources.iter().map(|path| found.source(path)).collect::<Result<_>>()?;
    ask.fallback_models = question.fallbacks.iter().map(|path| found.model(path)).collect::<Result<_>>()?;
    ask.credential = credential;
    check_tools(ask)
}

async fn find(hub: &Peer, question: &Question, credential: Option<&Secret>) -> Result<Published> {
    let named = &question.named;
    let paths: Vec<&EndpointPath> =
        [&named.model].into_iter().chain(&named.sources).chain(&question.fallbacks).collect();
    Published::find(hub, credential, &paths).await
}

/// Refuses functions that a model would not take.
fn check_tools(ask: &Ask) -> Result<()> {
    let asks_for_tools =
        ask.sampling.tools.is_some() || ask.turns.as_ref().is_some_and(|turns| turns.has_tools);
    if asks_for_tools && let Some(model) = ask.models().find(|model| model.connection != Connection::OpenAi) {
        let text =
            format!("The model `{}` takes no functions; leave `tools` out or choose another", model.path());
        return Err(Error::coded(ErrorCode::BadRequest, text).with_extra("param", "tools"));
    }
    Ok(())
}
