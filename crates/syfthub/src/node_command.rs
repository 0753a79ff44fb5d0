//! `syfthub node`: publishes a folder, a model, or both, and keeps them published until it is stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use syfthub_config::{Input, Log, LogFormat, LogLevel, Otlp, Secret};
use syfthub_domain::{Slug, Visibility, derive_slug};
use syfthub_node::{
    Corpus, ModelConfig, Node, NodeConfig, Progress, SourceConfig, Summary, TokenFault, TokenFuture, Tokens,
};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::cli::{NodeArgs, VisibilityArg};
use crate::login::credential::{Credential, Missing, SignIn};
use crate::{login, terminal};

/// Name that stands for the built-in model.
const BUILT_IN_MODEL: &str = "extract";
/// A token or key file longer than this is something else.
const LARGEST_SECRET: u64 = 64 * 1024;

/// Starts the node and waits for the order to stop.
pub(crate) async fn run(args: NodeArgs) -> anyhow::Result<ExitCode> {
    ensure!(
        args.docs.is_some() || args.model.is_some(),
        "nothing to publish: name a folder with --docs, a model with --model, or both"
    );
    let log = quiet_log();
    let guard = syfthub_logging::init(&log, &Otlp::default(), "syfthub-node")?;
    let hub = login::hub(args.hub.clone())?;
    let node = Node::start(settings(args, hub.clone())?).await?;
    terminal::line(format!("serving on http://{}", node.addr()))?;
    for notice in node.notices() {
        terminal::note(format!("note: {notice}"))?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let serving = async {
        let paths = node.published().await.map_err(anyhow::Error::msg)?;
        for path in paths {
            terminal::line(format!("published {path} on {}", hub.as_str().trim_end_matches('/')))?;
        }
        terminal::line("press Ctrl-C to stop; the endpoints are then reported as down")?;
        std::future::pending::<anyhow::Result<()>>().await
    };
    let result = tokio::select! {
        ended = serving => ended,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
        _ = terminate.recv() => Ok(()),
    };
    node.stop().await;
    guard.flush();
    result?;
    Ok(ExitCode::SUCCESS)
}

fn quiet_log() -> Log {
    Log {
        level: LogLevel::Warning,
        format: LogFormat::Console,
        request_headers: false,
        request_body: false,
        response_body: false,
        dir: None,
    }
}

fn settings(args: NodeArgs, hub: Url) -> anyhow::Result<NodeConfig> {
    let token = match (&args.token, &args.token_file) {
        (Some(token), _) => Some(Secret::new(token.trim())),
        (None, Some(file)) => Some(read_secret(file)?),
        (None, None) => None,
    };
    let credential = Credential::find(&hub, token)?.with_context(|| {
        format!(
            "the hub must know whose endpoints these are: run `syfthub login --hub {}`, or name a personal access \
             token with --token-file, --token or SYFTHUB_API_TOKEN",
            login::address(&hub)
        )
    })?;
    let slug = match &args.slug {
        Some(slug) => slug.clone(),
        None => derive_slug(&args.name),
    };
    let source_slug = Slug::parse(&slug).map_err(|error| anyhow::anyhow!("--slug: {error}"))?;
    let model = model(&args, &source_slug)?;
    let source = args.docs.map(|folder| SourceConfig {
        slug: source_slug.clone(),
        name: args.name.clone(),
        description: format!("The documents of {}.", args.name),
        corpus: Corpus::Folder(folder),
    });
    let state_dir = match args.state_dir {
        Some(dir) => dir,
        None => default_state_dir(&source_slug)?,
    };
    let mut config = match credential {
        Credential::Given(token, _) => NodeConfig::new(hub, token, state_dir),
        Credential::Login(sign_in) => {
            let mut config = NodeConfig::new(hub, Secret::new(""), state_dir);
            config.token = Arc::new(Renewed(sign_in));
            config
        }
    };
    config.source = source;
    config.model = model;
    config.listen = args.listen;
    config.public_url = args.public_url;
    config.visibility = match args.visibility {
        VisibilityArg::Public => Visibility::Public,
        VisibilityArg::Private => Visibility::Private,
    };
    config.progress = Arc::new(Bar::default());
    Ok(config)
}

/// A sign-in, whose tokens end long before the node does.
#[derive(Debug)]
struct Renewed(SignIn);

impl Tokens for Renewed {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(async {
            self.0.token().await.map_err(|missing| match missing {
                Missing::Away(error) => TokenFault::Away(format!("{error:#}")),
                Missing::Over(error) => TokenFault::Refused(format!("{error:#}")),
            })
        })
    }
}

/// The model keeps the plain slug when it is all there is to publish.
fn model(args: &NodeArgs, source_slug: &Slug) -> anyhow::Result<Option<ModelConfig>> {
    let Some(wanted) = &args.model else { return Ok(None) };
    let slug = if args.docs.is_none() {
        source_slug.clone()
    } else {
        let text = format!("{source_slug}-model");
        Slug::parse(&text).map_err(|error| anyhow::anyhow!("the model's slug {text}: {error}"))?
    };
    let name = if args.docs.is_some() { format!("{} (model)", args.name) } else { args.name.clone() };
    let Some(base_url) = args.model_url.clone() else {
        ensure!(
            wanted == BUILT_IN_MODEL,
            "--model {wanted} needs --model-url, the address of the OpenAI-compatible server that serves it; \
             without one there is only the built-in --model {BUILT_IN_MODEL}"
        );
        return Ok(Some(ModelConfig::Extract { slug, name }));
    };
    let key = args.model_key_file.as_deref().map(read_secret).transpose()?;
    Ok(Some(ModelConfig::OpenAi { slug, name, base_url, model: wanted.clone(), key }))
}

/// Reads a secret from a file; the line end does not count.
pub(crate) fn read_secret(file: &Path) -> anyhow::Result<Secret> {
    let size = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    ensure!(size <= LARGEST_SECRET, "{} is too large to hold a token or key", file.display());
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(!text.trim().is_empty(), "{} is empty", file.display());
    Ok(Secret::new(text.trim()))
}

fn default_state_dir(slug: &Slug) -> anyhow::Result<PathBuf> {
    let input = Input::from_process()?;
    let base = match (input.variable("XDG_CACHE_HOME"), input.variable("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => Path::new(home).join(".cache"),
        (None, None) => {
            anyhow::bail!("no home directory is known: name a folder for the index with --state-dir")
        }
    };
    Ok(base.join("syfthub").join("node").join(slug.as_str()))
}

/// A bar on a terminal; lines elsewhere (indicatif hides itself there).
#[derive(Debug)]
struct Bar(ProgressBar);

impl Default for Bar {
    fn default() -> Self {
        let bar = ProgressBar::no_length();
        if let Ok(style) =
            ProgressStyle::with_template("indexing {bar:30} {pos}/{len} files, {msg}{eta} left")
        {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl Progress for Bar {
    fn start(&self, total: u64) {
        self.0.reset();
        self.0.set_length(total);
    }

    fn advance(&self, done: u64, skipped: u64) {
        self.0.set_position(done);
        if skipped > 0 {
            self.0.set_message(format!("{skipped} skipped, "));
        }
    }

    fn finish(&self, summary: &Summary) {
        self.0.finish_and_clear();
        // The node goes on even when nobody reads its output any more.
        let _ = terminal::note(format!("indexed {summary}"));
    }
}
