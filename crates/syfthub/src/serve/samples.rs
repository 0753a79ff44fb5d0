//! The sample node: on an empty development hub it publishes the product's own documentation and the
//! built-in model, so that the first question can be asked a minute after the build. It is an ordinary
//! node that talks to the hub over HTTP.

use std::path::Path;
use std::time::Duration;

use rust_embed::RustEmbed;
use syfthub_config::Secret;
use syfthub_domain::Slug;
use syfthub_node::{Corpus, EmbeddedDocument, ModelConfig, Node, NodeConfig, RunningNode, SourceConfig};
use url::Url;

#[derive(RustEmbed)]
#[folder = "../../docs/"]
struct Documentation;

/// Publishing to a hub in the same process is a matter of milliseconds.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(20);

/// The paths that the node publishes.
pub(super) const PATHS: [&str; 2] = ["samples/syfthub-docs", "samples/extract"];

/// Starts the node as the user `samples`, whose token is given.
pub(super) async fn start(
    hub: &Url,
    issuer: &str,
    token: Secret,
    data_dir: &Path,
) -> anyhow::Result<RunningNode> {
    let mut config = NodeConfig::new(hub.clone(), token, data_dir.join("samples"));
    config.issuer = Some(issuer.to_owned());
    config.source = Some(SourceConfig {
        slug: Slug::from_trusted("syfthub-docs".to_owned()),
        name: "SyftHub documentation".to_owned(),
        description: "The product's own guides, runbook and reference.".to_owned(),
        corpus: Corpus::Embedded(documents()),
    });
    config.model = Some(ModelConfig::Extract {
        slug: Slug::from_trusted("extract".to_owned()),
        name: "Extract".to_owned(),
    });
    let node = Node::start(config).await?;
    match tokio::time::timeout(PUBLISHED_WITHIN, node.published()).await {
        Ok(Ok(_)) => Ok(node),
        Ok(Err(reason)) => anyhow::bail!(reason),
        Err(_) => anyhow::bail!("the hub did not take the sample endpoints in time"),
    }
}

fn documents() -> Vec<EmbeddedDocument> {
    Documentation::iter()
        // The test vectors of the protocol are for programs.
        .filter(|path| path.ends_with(".md"))
        .filter_map(|path| {
            let file = Documentation::get(&path)?;
            Some(EmbeddedDocument { path: path.into_owned(), bytes: file.data })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runbook_is_in_the_binary() {
        let runbook =
            documents().into_iter().find(|document| document.path == "operations/runbook.md").unwrap();
        assert!(String::from_utf8_lossy(&runbook.bytes).to_lowercase().contains("restor"));
    }
}
