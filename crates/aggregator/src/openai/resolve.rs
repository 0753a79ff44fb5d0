//! From the paths that a request names to the endpoints behind them.

use syfthub_config::Secret;
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result};
use syfthub_rpc::Peer;

use super::request::Question;
use crate::chat::Connection;
use crate::published::Published;

/// Looks up what `question` names, as the holder of its credential may see it, and fills it in.
pub(super) async fn fill(hub: &Peer, question: &mut Question, credential: Option<Secret>) -> Result<()> {
    let named = &question.named;
    let paths: Vec<&EndpointPath> =
        [&named.model].into_iter().chain(&named.sources).chain(&question.fallbacks).collect();
    let found = Published::find(hub, credential.as_ref(), &paths).await?;
    let ask = &mut question.ask;
    ask.model = found.model(&named.model)?;
    ask.data_sources = named.sources.iter().map(|path| found.source(path)).collect::<Result<_>>()?;
    ask.fallback_models = question.fallbacks.iter().map(|path| found.model(path)).collect::<Result<_>>()?;
    ask.credential = credential;
    let asks_for_tools =
        ask.sampling.tools.is_some() || ask.turns.as_ref().is_some_and(|turns| turns.has_tools);
    if asks_for_tools && let Some(model) = ask.models().find(|model| model.connection != Connection::OpenAi) {
        let text =
            format!("The model `{}` takes no functions; leave `tools` out or choose another", model.path());
        return Err(Error::coded(ErrorCode::BadRequest, text).with_extra("param", "tools"));
    }
    Ok(())
}
