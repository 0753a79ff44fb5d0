//! What a node is told to do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use syfthub_config::Secret;
use syfthub_domain::{SharedClock, Slug, SystemClock, Visibility};
use url::Url;

/// Everything a node needs to run.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The hub's public address, for example `https://hub.example.org`.
    pub hub: Url,
    /// The issuer that satellite tokens must name; `None` means what the hub names in a token that it mints for the
    /// publisher, or `hub` without a slash at its end when it mints none.
    pub issuer: Option<String>,
    /// The credential of the publisher: a personal access token with scope `write` or `full`, or what renews itself.
    pub token: Arc<dyn Tokens>,
    /// The documents to publish.
    pub source: Option<SourceConfig>,
    /// The model to publish.
    pub model: Option<ModelConfig>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the hub's aggregator reaches this node; `None` means `http://{address listened on}`, which
    /// `RunningNode::notices` remarks on when the hub is on another machine.
    pub public_url: Option<Url>,
    /// Who may see and use what is published: [`Visibility::Public`] lets guests in, all else only the owner.
    pub visibility: Visibility,
    /// The folder for the search index; created when missing.
    pub state_dir: PathBuf,
    /// Told how far indexing is.
    pub progress: Arc<dyn Progress>,
    /// Time between health reports; one minute is right outside tests.
    pub report_every: Duration,
    /// Where the present comes from.
    pub clock: SharedClock,
}

impl NodeConfig {
    /// A node with a token that stays as it is, that publishes nothing yet, with the usual values elsewhere: public, free port on loopback,
    /// a report every minute.
    pub fn new(hub: Url, token: Secret, state_dir: PathBuf) -> Self {
        Self {
            hub,
            issuer: None,
            token: Arc::new(Fixed(token)),
            source: None,
            model: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            visibility: Visibility::Public,
            state_dir,
            progress: Arc::new(Quiet),
            report_every: Duration::from_mins(1),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    /// It cannot be had now; later it may.
    Away(String),
    /// It cannot be had until somebody does something.
    Refused(String),
}

/// What [`Tokens::token`] gives.
pub type TokenFuture<'t> = Pin<Box<dyn Future<Output = Result<Secret, TokenFault>> + Send + 't>>;

/// Where the publisher's credential comes from, asked before every call to the hub.
pub trait Tokens: std::fmt::Debug + Send + Sync {
    /// The token to send now.
    fn token(&self) -> TokenFuture<'_>;
}

/// A token that stays as it is.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Secret);

impl Tokens for Fixed {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// A data source to publish.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Its slug; the endpoint of this slug is created or updated.
    pub slug: Slug,
    /// Name for people, 1–100 characters.
    pub name: String,
    /// What is in it, at most 500 characters.
    pub description: String,
    /// The documents.
    pub corpus: Corpus,
}

/// Where documents come from.
#[derive(Debug, Clone)]
pub enum Corpus {
    /// A folder, read recursively and followed while the node runs.
    Folder(PathBuf),
    /// Documents that are part of the program.
    Embedded(Vec<EmbeddedDocument>),
}

/// A document that is part of the program.
#[derive(Debug, Clone)]
pub struct EmbeddedDocument {
    /// Its path, as it is shown in citations; the extension tells the format.
    pub path: String,
    /// Its bytes.
    pub bytes: std::borrow::Cow<'static, [u8]>,
}

/// A model to publish.
#[derive(Debug, Clone)]
pub enum ModelConfig {
    /// The built-in extractive summariser: it quotes the numbered documents in the prompt and knows nothing itself.
    Extract {
        /// Its slug.
        slug: Slug,
        /// Name for people.
        name: String,
    },
    /// Any server that speaks OpenAI's chat completions.
    OpenAi {
        /// Its slug.
        slug: Slug,
        /// Name for people.
        name: String,
        /// Base address, for example `http://localhost:11434/v1`.
        base_url: Url,
        /// The model's name on that server.
        model: String,
        /// The key for that server.
        key: Option<Secret>,
    },
}

impl ModelConfig {
    /// The slug.
    pub fn slug(&self) -> &Slug {
        match self {
            Self::Extract { slug, .. } | Self::OpenAi { slug, .. } => slug,
        }
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Extract { name, .. } | Self::OpenAi { name, .. } => name,
        }
    }
}

/// Told how far indexing is, from several threads; calls must be quick.
pub trait Progress: Send + Sync + std::fmt::Debug {
    /// Indexing begins; `total` files are to be read.
    fn start(&self, total: u64);
    /// `done` of them have been read, of which `skipped` could not be used.
    fn advance(&self, done: u64, skipped: u64);
    /// Indexing ended.
    fn finish(&self, summary: &Summary);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn start(&self, _total: u64) {}
    fn advance(&self, _done: u64, _skipped: u64) {}
    fn finish(&self, _summary: &Summary) {}
}

/// What one pass over the documents found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Documents in the index afterwards.
    pub documents: u64,
    /// Passages in the index afterwards.
    pub passages: u64,
    /// Files read in this pass.
    pub read: u64,
    /// Documents that are gone.
    pub removed: u64,
    /// Files that were not used, by reason.
    pub skipped: std::collections::BTreeMap<&'static str, u64>,
    /// Files of which only the first part was indexed, because they are very long.
    pub in_part: u64,
}

impl Summary {
    /// Whether the index was changed.
    pub fn changed(&self) -> bool {
        self.read > 0 || self.removed > 0
    }
}

impl std::fmt::Display for Summary {
    /// One line: `812 documents in 9312 passages; skipped 14 files (10 not text, 4 too large)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} documents in {} passages", self.documents, self.passages)?;
        if self.in_part > 0 {
            write!(f, "; {} very long files only in part", self.in_part)?;
        }
        let total: u64 = self.skipped.values().sum();
        if total > 0 {
            let reasons: Vec<String> =
                self.skipped.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            write!(f, "; skipped {total} files ({})", reasons.join(", "))?;
        }
        Ok(())
    }
}
