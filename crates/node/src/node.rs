//! A node from start to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use syfthub_domain::{Slug, Visibility};
use syfthub_web::health::Readiness;
use syfthub_web::serve::{Shutdown, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::{Host, Url};

use crate::config::{Corpus, ModelConfig, NodeConfig, Quiet, SourceConfig, Summary};
use crate::folder::{Indexer, IndexingError, follow};
use crate::hub::{Hub, Offer, Publication, Publisher};
use crate::index::{Index, IndexError, Lock};
use crate::model::Model;
use crate::server::gate::{Gate, Standing};
use crate::server::{Service, router};

/// Time for requests to end when the node stops.
const GRACE: Duration = Duration::from_secs(10);
/// Longest description that a hub takes, in characters.
const MAX_DESCRIPTION: usize = 500;

/// Why a node does not start. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The folder for the index cannot be made.
    #[error("the folder {} for the search index cannot be used: {source}", path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another node works on the same index.
    #[error(
        "another node keeps its search index for `{slug}` in the folder {}; stop that node, or give this one a folder of its \
         own with --state-dir",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The data source.
        slug: Slug,
    },
    /// The search index cannot be opened.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The documents cannot be indexed.
    #[error(transparent)]
    Indexing(#[from] IndexingError),
    /// Something of ours cannot be set up.
    #[error("the node cannot be set up: {0}")]
    Setup(String),
}

/// What a publisher runs.
#[derive(Debug)]
pub struct Node;

impl Node {
    /// Binds the address, brings the index up to date (this is where a first start takes its time), begins to serve,
    /// and publishes in the background. The hub may be away: it is tried until it is there.
    pub async fn start(config: NodeConfig) -> Result<RunningNode, StartError> {
        check(&config)?;
        let address = config.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let addr = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        let setup = |error: &dyn std::fmt::Display| StartError::Setup(error.to_string());
        let hub = Hub::new(config.hub.clone(), config.token.clone()).map_err(|error| setup(&error))?;
        let model = config.model.as_ref().map(Model::new).transpose().map_err(|error| setup(&error))?;
        let indexed = match &config.source {
            Some(source) => Some(open_index(source, &config).await?),
            None => None,
        };
        let notices = notices(&config, addr);
        let owner = Standing::default();
        let (state, publication) = watch::channel(Publication::Waiting);
        let publisher = Publisher {
            hub: hub.clone(),
            offers: offers(&config),
            public_url: public_url(&config, addr)?,
            every: config.report_every,
            clock: config.clock.clone(),
            issuer: config.issuer.clone(),
            owner: owner.clone(),
            state,
        };
        let gate = Gate::new(hub, config.visibility, config.clock.clone(), owner);
        let source = config.source.as_ref().zip(indexed.as_ref());
        let service = Service::new(
            gate,
            source.map(|(source, indexed)| (source.slug.clone(), indexed.indexer.index.clone())),
            config.model.as_ref().zip(model).map(|(settings, model)| (settings.slug().clone(), model)),
        );
        let mut node = RunningNode::new(addr, publication, notices);
        node.run(listener, service, publisher, indexed);
        Ok(node)
    }
}

fn check(config: &NodeConfig) -> Result<(), StartError> {
    let fault = |text: &str| Err(StartError::Setting(text.to_owned()));
    for (name, url) in [("hub", Some(&config.hub)), ("public URL", config.public_url.as_ref())] {
        if url.is_some_and(|url| !matches!(url.scheme(), "http" | "https") || url.host().is_none()) {
            return Err(StartError::Setting(format!("the {name} must be an http or https address")));
        }
    }
    let (source, model) = (config.source.as_ref(), config.model.as_ref());
    if source.is_none() && model.is_none() {
        return fault("there is nothing to publish: give a folder of documents, a model, or both");
    }
    if source.zip(model).is_some_and(|(source, model)| source.slug == *model.slug()) {
        return fault("the data source and the model need different slugs");
    }
    let names = source.map(|source| source.name.as_str()).into_iter().chain(model.map(ModelConfig::name));
    if names.into_iter().any(|name| name.trim().is_empty() || name.chars().count() > 100) {
        return fault("the name of an endpoint must have between 1 and 100 characters");
    }
    if config.report_every.is_zero() {
        return fault("the time between health reports must be more than zero");
    }
    Ok(())
}

/// A data source that is ready to be asked.
struct Indexed {
    indexer: Indexer,
    summary: Summary,
    lock: Lock,
}

async fn open_index(source: &SourceConfig, config: &NodeConfig) -> Result<Indexed, StartError> {
    let path = &config.state_dir;
    let unusable = |source| StartError::State { path: path.clone(), source };
    std::fs::create_dir_all(path).map_err(unusable)?;
    if let Corpus::Folder(folder) = &source.corpus
        && !folder.is_dir()
    {
        return Err(StartError::Setting(format!("{} is not a folder", folder.display())));
    }
    let lock = Lock::take(&path.join(format!("{}.index.lock", source.slug))).map_err(unusable)?;
    let Some(lock) = lock else {
        return Err(StartError::InUse { path: path.clone(), slug: source.slug.clone() });
    };
    let index = Index::open(&path.join(format!("{}.index.db", source.slug))).await?;
    let indexer =
        Indexer { index, corpus: Arc::new(source.corpus.clone()), progress: config.progress.clone() };
    let summary = indexer.run().await?;
    tracing::info!(%summary, "node.indexed");
    Ok(Indexed { indexer, summary, lock })
}

/// What the publisher should know although the node starts.
fn notices(config: &NodeConfig, addr: SocketAddr) -> Vec<String> {
    let is_here = match config.hub.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if is_here || config.public_url.is_some() {
        return Vec::new();
    }
    let hub = config.hub.as_str().trim_end_matches('/');
    let reach = if addr.ip().is_loopback() || addr.ip().is_unspecified() {
        "which is an address of this machine only, so the hub cannot reach it"
    } else {
        "which the hub may not be able to reach"
    };
    let text = format!(
        "the hub {hub} is on another machine, and the endpoints are published under the address that this node listens on, \
         {reach}; give the address that the hub can reach with --public-url"
    );
    tracing::warn!(%hub, listen = %addr, "node.public_url.missing");
    vec![text]
}

fn public_url(config: &NodeConfig, addr: SocketAddr) -> Result<Url, StartError> {
    if let Some(url) = &config.public_url {
        return Ok(url.clone());
    }
    let mut reachable = addr;
    if addr.ip().is_unspecified() {
        reachable.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Url::parse(&format!("http://{reachable}")).map_err(|error| StartError::Setup(error.to_string()))
}

fn offers(config: &NodeConfig) -> Vec<Offer> {
    let visibility = config.visibility;
    let source = config.source.as_ref().map(|source| Offer {
        slug: source.slug.clone(),
        name: source.name.clone(),
        description: source.description.chars().take(MAX_DESCRIPTION).collect(),
        kind: "data_source",
        tags: &["documents", "full-text"],
        readme: format!(
            "# {}\n\n{}\n\nA folder of documents, searched by full text. Scores are between 0 and 1: \
             1 means that a passage holds every informative word of the question.\n",
            source.name, source.description
        ),
        visibility,
    });
    source.into_iter().chain(config.model.as_ref().map(|model| model_offer(model, visibility))).collect()
}

fn model_offer(model: &ModelConfig, visibility: Visibility) -> Offer {
    let (description, tags, readme): (String, &[&str], String) = match model {
        ModelConfig::Extract { name, .. } => (
            "Extractive summariser: quotes the documents in the prompt, with citations.".to_owned(),
            &["extractive", "no-download"],
            format!(
                "# {name}\n\nThe built-in extractive summariser of SyftHub. It answers with the sentences of the given \
                 documents that fit the question best, each with its citation. It is not a language model: it \
                 knows nothing itself and says so when the documents do not fit.\n"
            ),
        ),
        ModelConfig::OpenAi { name, model, .. } => (
            format!("The model {model}, served through a node.").chars().take(MAX_DESCRIPTION).collect(),
            &["chat"],
            format!("# {name}\n\nThe model `{model}`, passed through from a server of its publisher.\n"),
        ),
    };
    Offer {
        slug: model.slug().clone(),
        name: model.name().to_owned(),
        description,
        kind: "model",
        tags,
        readme,
        visibility,
    }
}

/// A node that runs. It stops when it is dropped; [`RunningNode::stop`] does so in good order.
#[derive(Debug)]
pub struct RunningNode {
    addr: SocketAddr,
    publication: watch::Receiver<Publication>,
    notices: Vec<String>,
    summary: Option<Summary>,
    index: Option<Index>,
    /// Held until the node has stopped.
    lock: Option<Lock>,
    shutdown: Shutdown,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl RunningNode {
    fn new(addr: SocketAddr, publication: watch::Receiver<Publication>, notices: Vec<String>) -> Self {
        Self {
            addr,
            publication,
            notices,
            summary: None,
            index: None,
            lock: None,
            shutdown: Shutdown::new(Readiness::ready()),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    fn run(
        &mut self,
        listener: TcpListener,
        service: Service,
        publisher: Publisher,
        indexed: Option<Indexed>,
    ) {
        let (router, shutdown) = (router(Arc::new(service)), self.shutdown.clone());
        self.tasks.spawn(async move {
            if let Err(error) = serve(listener, router, shutdown, GRACE).await {
                tracing::error!(%error, "node.serve.failed");
            }
        });
        self.tasks.spawn(publisher.run(self.stop.clone()));
        if let Some(Indexed { mut indexer, summary, lock }) = indexed {
            self.summary = Some(summary);
            self.index = Some(indexer.index.clone());
            self.lock = Some(lock.clone());
            // The bar was for the first time; later passes say what they did in the log.
            indexer.progress = Arc::new(Quiet);
            let following = follow(indexer, self.stop.clone());
            self.tasks.spawn(async move {
                following.await;
                // A node that is dropped without being stopped keeps the index until its last pass has ended.
                drop(lock);
            });
        }
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What the publisher should know although the node runs, as sentences without a full stop; usually nothing.
    pub fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }

    /// What the first indexing found; `None` without a data source.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// The paths (`owner/slug`) that are published right now; empty before the hub was reached.
    pub fn paths(&self) -> Vec<String> {
        match &*self.publication.borrow() {
            Publication::Published(paths) => paths.clone(),
            Publication::Waiting | Publication::Refused(_) => Vec::new(),
        }
    }

    /// Waits until the hub has taken the endpoints, and returns their paths, or until it has refused them, and returns
    /// its reason. While the hub is away this waits; the node goes on trying in either case.
    pub async fn published(&self) -> Result<Vec<String>, String> {
        let mut publication = self.publication.clone();
        let settled = publication.wait_for(|state| *state != Publication::Waiting).await;
        match settled.as_deref() {
            Ok(Publication::Published(paths)) => Ok(paths.clone()),
            Ok(Publication::Refused(reason)) => Err(reason.clone()),
            Ok(Publication::Waiting) | Err(_) => Err("the node was stopped".to_owned()),
        }
    }

    /// Stops: reports the endpoints as unhealthy, lets requests end (at most ten seconds), closes the index.
    pub async fn stop(self) {
        self.stop.cancel();
        self.shutdown.trigger();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(index) = &self.index {
            index.close().await;
        }
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.stop.cancel();
        self.shutdown.trigger();
    }
}
