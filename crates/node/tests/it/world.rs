//! A hub, a node, and somebody who calls the node.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use syfthub_config::Secret;
use syfthub_domain::{Slug, Visibility};
use syfthub_egress::{Client, Limits, Response};
use syfthub_node::{Corpus, EmbeddedDocument, ModelConfig, Node, NodeConfig, RunningNode, SourceConfig};
use tempfile::TempDir;
use url::Url;

use crate::fake_hub::{FakeHub, TOKEN};

pub(crate) struct World {
    pub(crate) hub: FakeHub,
    pub(crate) node: RunningNode,
    /// Holds the index.
    _state: TempDir,
}

pub(crate) fn client() -> Client {
    Client::operator(Limits { max_body: 64 << 20, ..Limits::default() }).unwrap()
}

pub(crate) fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

pub(crate) fn config(hub: &FakeHub, state: &Path) -> NodeConfig {
    let mut config = NodeConfig::new(Url::parse(&hub.url()).unwrap(), Secret::new(TOKEN), state.to_owned());
    config.report_every = Duration::from_millis(200);
    config
}

pub(crate) fn folder(path: &Path) -> SourceConfig {
    source(Corpus::Folder(path.to_owned()))
}

fn source(corpus: Corpus) -> SourceConfig {
    SourceConfig {
        slug: slug("my-notes"),
        name: "My notes".to_owned(),
        description: "Notes about animals.".to_owned(),
        corpus,
    }
}

pub(crate) fn embedded() -> SourceConfig {
    let document = |path: &str, text: &'static str| EmbeddedDocument {
        path: path.to_owned(),
        bytes: text.as_bytes().into(),
    };
    source(Corpus::Embedded(vec![
        document("zoo/penguins.md", "# Penguins\n\nThe penguins of the zoo are fed with herring at noon.\n"),
        document("zoo/lions.txt", "Lions sleep for twenty hours a day.\n"),
    ]))
}

pub(crate) fn extract() -> ModelConfig {
    ModelConfig::Extract { slug: slug("extract"), name: "Extract".to_owned() }
}

impl World {
    /// A published node with the embedded documents and `extract`.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
        let mut config = config(&hub, state.path());
        config.source = Some(embedded());
        config.model = Some(extract());
        change(&mut config);
        let node = Node::start(config).await.unwrap();
        node.published().await.unwrap();
        Self { hub, node, _state: state }
    }

    pub(crate) async fn private() -> Self {
        Self::with(|config| config.visibility = Visibility::Private).await
    }

    pub(crate) fn url(&self, slug: &str) -> Url {
        query_url(&self.node, slug)
    }

    /// Status and body of a question with this token.
    pub(crate) async fn ask_as(&self, token: Option<&str>, slug: &str, body: &Value) -> (u16, Value) {
        let mut request = client().post(self.url(slug)).json(body);
        if let Some(token) = token {
            request = request.bearer(&Secret::new(token));
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn ask(&self, slug: &str, body: &Value) -> (u16, Value) {
        self.ask_as(Some(&self.hub.token("guest")), slug, body).await
    }

    /// The paths of what was found, best first.
    pub(crate) async fn paths(&self, question: &str) -> Vec<String> {
        let body =
            json!({"messages": question, "limit": 5, "similarity_threshold": 0.5, "include_metadata": true});
        let (status, answer) = self.ask("my-notes", &body).await;
        assert_eq!(status, 200, "{answer}");
        let documents = answer["references"]["documents"].as_array().unwrap();
        documents.iter().map(|document| document["metadata"]["path"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn query_url(node: &RunningNode, slug: &str) -> Url {
    Url::parse(&format!("http://{}/api/v1/endpoints/{slug}/query", node.addr())).unwrap()
}

pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json_capped(64 << 20).await.unwrap())
}
