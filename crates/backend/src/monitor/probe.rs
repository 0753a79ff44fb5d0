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
    protocol: Protocol,
}

/// What is spoken at an address, and so how it is asked whether it is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Protocol {
    /// It has one of the health paths.
    Space,
    /// It has no health path and refuses a bare GET in its own ways.
    Mcp,
    /// It lists its models, or says that the hub may not see them: it has no health path of its own, and its key is for
    /// callers.
    OpenAi,
}

impl Protocol {
    fn of(connection_type: Option<&str>) -> Self {
        let is = |name: &str| connection_type.is_some_and(|kind| kind.eq_ignore_ascii_case(name));
        if is("mcp") {
            Self::Mcp
        } else if is("openai") {
            Self::OpenAi
        } else {
            Self::Space
        }
    }
}

impl Target {
    /// Where an endpoint can be asked; `None` if nowhere.
    pub(super) fn of(row: &CheckedEndpoint) -> Option<Self> {
        let connection = connections::preferred(items(&row.connect))?;
        let Served::At(base) = connections::served(connection, row.owner_domain.as_deref()) else {
            return None;
        };
        let protocol = Protocol::of(connection.get("type").and_then(serde_json::Value::as_str));
        let (owner, slug) = (row.owner_username.clone(), row.slug.as_str().to_owned());
        Some(Self { owner, base, slug, protocol })
    }

    #[cfg(test)]
    pub(super) fn for_tests(owner: &str, base: &str) -> Self {
        let owner = Username::from_trusted(owner.to_owned());
        Self { owner, base: base.to_owned(), slug: String::new(), protocol: Protocol::Space }
    }

    fn url(&self, path: &str) -> Option<Url> {
        let mut base = Url::parse(&self.base).ok()?;
        base.set_query(None);
        base.set_fragment(None);
        let path = path.replace(SLUG, &self.slug);
        Url::parse(&format!("{}{path}", base.as_str().trim_end_matches('/'))).ok()
    }

    fn is_well(&self, status: StatusCode) -> bool {
        match self.protocol {
            Protocol::Space => status.as_u16() < 400,
            Protocol::Mcp => status.as_u16() < 400 || matches!(status.as_u16(), 400 | 401 | 403 | 405 | 406),
            // Whoever refuses is there. Some serve no list of models at all.
            Protocol::OpenAi => status.as_u16() < 500,
        }
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
        let paths: &[&str] = match target.protocol {
            Protocol::Space => &self.paths.iter().map(String::as_str).collect::<Vec<_>>(),
            Protocol::Mcp => &[""],
            Protocol::OpenAi => &["/models"],
        };
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

    fn target(base: &str, connection_type: &str) -> Target {
        let owner = Username::parse("ada").unwrap();
        Target {
            owner,
            base: base.to_owned(),
            slug: "notes".to_owned(),
            protocol: Protocol::of(Some(connection_type)),
        }
    }

    #[test]
    fn a_path_stands_below_the_address() {
        let url = |base, path| target(base, "http").url(path).unwrap().to_string();
        assert_eq!(url("http://h:1/api/", "/health"), "http://h:1/api/health");
        assert_eq!(url("http://h:1", "/models/{slug}/health"), "http://h:1/models/notes/health");
        assert_eq!(url("http://h/x?key=1#a", "/"), "http://h/x/");
        assert!(target("h.example", "http").url("/").is_none());
    }

    #[test]
    fn what_is_well_depends_on_what_is_spoken() {
        for (status, space, mcp, openai) in [
            (200, true, true, true),
            (304, true, true, true),
            (401, false, true, true),
            (404, false, false, true),
            (405, false, true, true),
            (429, false, false, true),
            (500, false, false, false),
            (503, false, false, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            for (kind, is_well) in [("http", space), ("MCP", mcp), ("OpenAI", openai)] {
                assert_eq!(target("http://h", kind).is_well(status), is_well, "{status} {kind}");
            }
        }
    }
}
