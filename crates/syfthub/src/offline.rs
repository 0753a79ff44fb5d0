//! The backend's rules without a running hub: the same code on the same database, nothing listening.

use std::sync::Arc;

use anyhow::Context as _;
use syfthub_auth::MasterKey;
use syfthub_backend::{App as Backend, Deps};
use syfthub_cache::Cache;
use syfthub_config::{DatabaseUrl, Settings};
use syfthub_domain::{Detail, Error, SystemClock};
use syfthub_store::Db;

/// Opens the database and applies what is pending; says whether it was empty before. Errors name the
/// database, never its password.
pub(crate) async fn database(settings: &Settings) -> anyhow::Result<(Db, bool)> {
    let name = || match &settings.database.url {
        DatabaseUrl::Sqlite(path) => format!("the database {}", path.display()),
        DatabaseUrl::Postgres(_) => "the PostgreSQL database of DATABASE_URL".to_owned(),
    };
    let db = Db::connect(&settings.database).await.with_context(name)?;
    let pending = db.pending_migrations().await.with_context(name)?;
    let is_new = pending.len() == syfthub_store::embedded(db.dialect()).len();
    db.migrate().await.with_context(name)?;
    Ok((db, is_new))
}

/// Opens the database and builds the backend on it.
pub(crate) async fn backend(settings: &Settings) -> anyhow::Result<Backend> {
    let clock = Arc::new(SystemClock);
    let (db, _) = database(settings).await?;
    let master = MasterKey::new(&settings.secrets.secret_key);
    // With Redis the running replicas hear of the change at once.
    let cache = match &settings.redis {
        Some(redis) => Cache::redis(redis, "backend")?,
        None => Cache::memory(clock.clone()),
    };
    let deps = Deps { db, cache, clock, master };
    Backend::build(settings, deps).await.map_err(explain)
}

/// Turns an error of a rule into one that names every refused field.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
pub(crate) fn explain(error: Error) -> anyhow::Error {
    if let Detail::Fields(fields) = &error.detail {
        let lines: Vec<String> = fields
            .iter()
            .map(|field| {
                let name = field.loc.iter().rev().find_map(|loc| match loc {
                    syfthub_domain::Loc::Key(key) => Some(key.as_str()),
                    syfthub_domain::Loc::Index(_) => None,
                });
                format!("{}: {}", name.unwrap_or("value"), field.msg)
            })
            .collect();
        return anyhow::anyhow!("{}", lines.join("; "));
    }
    let chain = error.chain();
    if chain.is_empty() {
        anyhow::anyhow!("{}", error.message)
    } else {
        anyhow::anyhow!("{}: {chain}", error.message)
    }
}
