//! Asks an endpoint how it is.

use std::time::Duration;

use http::StatusCode;
use syfthub_config::{Egress, HealthCheck};
use syfthub_domain::{Result, Username};
use syfthub_egress::{Client, Error as EgressError, Limits};
use syfthub_store::endpoints::CheckedEndpoint;
use url::Url;

use crate::endpoints::connections::{self, Served};
use crate::endpoints::mapper::items;

/// What stands for the endpoint's slug in a path.
const SLUG: &str = "{slug}";

/// Whom to ask. Endpoints of one owner that give the same are asked once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    /// Whose turn it takes.
    pub(super) owner: Username,
    base: String,
    slug: String,
    /// An MCP server has no health path and refuses a bare GET in its own ways.
    speaks_mcp: bool,
}

impl Target {
    /// Where an endpoint can be asked; `None` if nowhere.
    pub(super) fn of(row: &CheckedEndpoint) -> Option<Self> {
        let connection = connections::preferred(items(&row.connect))?;
        let Served::At(base) = connections::served(connection, row.owner_domain.as_deref()) else {
            return None;
        };
        let kind = connection.get("type").and_then(serde_json::Value::as_str);
        let speaks_mcp = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("mcp"));
        let (owner, slug) = (row.owner_username.clone(), row.slug.as_str().to_owned());
        Some(Self { owner, base, slug, speaks_mcp })
    }

    #[cfg(test)]
    pub(super) fn for_tests(owner: &str, base: &str) -> Self {
        let owner = Username::from_trusted(owner.to_owned());
        Self { owner, base: base.to_owned(), slug: String::new(), speaks_mcp: false }
    }

    fn url(&self, path: &str) -> Option<Url> {
        let mut base = Url::parse(&self.base).ok()?;
        base.set_query(None);
        base.set_fragment(None);
        let path = path.replace(SLUG, &self.slug);
        Url::parse(&format!("{}{path}", base.as_str().trim_end_matches('/'))).ok()
    }

    fn is_well(&self, status: StatusCode) -> bool {
        status.as_u16() < 400 || (self.speaks_mcp && matches!(status.as_u16(), 400 | 401 | 403 | 405 | 406))
    }
}

/// Asks.
#[derive(Debug)]
pub(super) struct Prober {
    client: Client,
    paths: Vec<String>,
    timeout: Duration,
}

impl Prober {
    pub(super) fn new(settings: &HealthCheck, egress: &Egress) -> Result<Self> {
        // Bodies are not read; the cap is for what is on its way.
        let limits = Limits { connect: settings.timeout, total: settings.timeout, max_body: 64 * 1024 };
        Ok(Self {
            client: Client::guarded(egress, limits)?,
            paths: settings.paths.clone(),
            timeout: settings.timeout,
        })
    }

    /// The target with what is not asked for left out, so that equal ones are found.
    pub(super) fn simplified(&self, target: Target) -> Target {
        let by_slug = self.paths.iter().any(|path| path.contains(SLUG));
        if by_slug { target } else { Target { slug: String::new(), ..target } }
    }

    /// Whether there is a good answer in time.
    pub(super) async fn is_well(&self, target: &Target) -> bool {
        tokio::time::timeout(self.timeout, self.ask(target)).await.unwrap_or(false)
    }

    async fn ask(&self, target: &Target) -> bool {
        let bare = [String::new()];
        let paths = if target.speaks_mcp { bare.as_slice() } else { self.paths.as_slice() };
        for path in paths {
            let Some(url) = target.url(path) else { return false };
            match self.client.get(url).send().await {
                Ok(answer) if target.is_well(answer.status()) => return true,
                // Not here, broken off, or no HTTP: another path may do better.
                Ok(_) | Err(EgressError::Exchange(_)) => {}
                Err(_) => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(base: &str, speaks_mcp: bool) -> Target {
        let owner = Username::parse("ada").unwrap();
        Target { owner, base: base.to_owned(), slug: "notes".to_owned(), speaks_mcp }
    }

    #[test]
    fn a_path_stands_below_the_address() {
        let url = |base, path| target(base, false).url(path).unwrap().to_string();
        assert_eq!(url("http://h:1/api/", "/health"), "http://h:1/api/health");
        assert_eq!(url("http://h:1", "/models/{slug}/health"), "http://h:1/models/notes/health");
        assert_eq!(url("http://h/x?key=1#a", "/"), "http://h/x/");
        assert!(target("h.example", false).url("/").is_none());
    }

    #[test]
    fn below_400_is_well_and_an_mcp_server_may_refuse_a_bare_get() {
        for (status, plain, mcp) in [
            (200, true, true),
            (304, true, true),
            (405, false, true),
            (404, false, false),
            (503, false, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(target("http://h", false).is_well(status), plain, "{status}");
            assert_eq!(target("http://h", true).is_well(status), mcp, "{status}");
        }
    }
}
