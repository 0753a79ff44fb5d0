//! Every address that the authorization server tells, from `OAUTH_ISSUER` and `API_BASE_URL` alone: what a request
//! says about its host is never believed.

use syfthub_config::Mcp;
use url::Url;

/// RFC 9728.
const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// What an access token can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The MCP endpoint.
    Mcp,
    /// The API of the hub.
    Api,
}

/// The addresses.
#[derive(Debug, Clone)]
pub(crate) struct Urls {
    issuer: String,
    /// The path of the issuer, under which the pages are reached.
    base: String,
    mcp: String,
    api: String,
    home: String,
    /// Resources as they are compared, and what they stand for.
    known: Vec<(String, Resource)>,
}

impl Urls {
    pub(crate) fn new(settings: &Mcp) -> Self {
        let home = settings.public_url.origin().ascii_serialization();
        let api = format!("{home}/api");
        let (issuer, mcp) = (settings.oauth_issuer.clone(), settings.api_base_url.clone());
        let base = Url::parse(&issuer).map(|url| url.path().trim_end_matches('/').to_owned());
        let names = [
            (mcp.clone(), Resource::Mcp),
            (issuer.clone(), Resource::Mcp),
            (format!("{mcp}/mcp"), Resource::Mcp),
            (api.clone(), Resource::Api),
        ];
        let known = names.into_iter().filter_map(|(name, what)| Some((comparable(&name)?, what))).collect();
        Self { base: base.unwrap_or_default(), issuer, mcp, api, home, known }
    }

    /// `iss` of tokens and of answers to authorization requests.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// An address below the issuer; `path` begins with a slash.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The path that a browser needs for a page of ours.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The start page of the hub.
    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// The one name of a resource.
    pub(crate) fn name_of(&self, resource: Resource) -> &str {
        match resource {
            Resource::Mcp => &self.mcp,
            Resource::Api => &self.api,
        }
    }

    /// What a client means by this `resource` (RFC 8707): the case of scheme and host and a slash at the end do not
    /// matter, and the MCP endpoint is also known by its issuer.
    pub(crate) fn resource(&self, given: &str) -> Option<Resource> {
        let given = comparable(given)?;
        self.known.iter().find(|(name, _)| *name == given).map(|(_, what)| *what)
    }

    /// Where the document about a resource is (RFC 9728, section 3.1).
    pub(crate) fn metadata_of(&self, resource: Resource) -> String {
        let name = self.name_of(resource);
        match Url::parse(name) {
            Ok(url) => {
                let path = url.path().trim_end_matches('/').to_owned();
                format!("{}{PROTECTED_RESOURCE}{path}", url.origin().ascii_serialization())
            }
            Err(_) => format!("{name}{PROTECTED_RESOURCE}"),
        }
    }

    /// Whether documents about the issuer are asked for at this end of a path: none, the path of the issuer, or that
    /// of the MCP endpoint.
    pub(crate) fn names_issuer(&self, suffix: &str) -> bool {
        let suffix = suffix.trim_matches('/');
        suffix.is_empty() || suffix == self.base.trim_matches('/') || is_mcp(suffix)
    }

    /// The resource that a document is asked for at this end of a path.
    pub(crate) fn resource_at(&self, suffix: &str) -> Option<Resource> {
        let suffix = suffix.trim_matches('/');
        let path = |name: &str| Url::parse(name).map(|url| url.path().trim_matches('/').to_owned()).ok();
        if path(&self.api).as_deref() == Some(suffix) {
            return Some(Resource::Api);
        }
        let named = self.names_issuer(suffix) || path(&self.mcp).as_deref() == Some(suffix);
        named.then_some(Resource::Mcp)
    }
}

fn is_mcp(suffix: &str) -> bool {
    suffix == "mcp" || suffix == "mcp/mcp"
}

/// Scheme, host and port as `Url` writes them, and the path without a slash at its end. Nothing else may be there.
fn comparable(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let plain = plain && url.password().is_none();
    plain.then(|| format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls() -> Urls {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = syfthub_config::Settings::for_tests(directory.path()).mcp;
        settings.public_url = "https://hub.example".parse().unwrap();
        settings.oauth_issuer = "https://hub.example/mcp".to_owned();
        settings.api_base_url = "https://hub.example/mcp".to_owned();
        Urls::new(&settings)
    }

    #[test]
    fn resources_are_known_by_several_spellings() {
        let urls = urls();
        for name in [
            "https://hub.example/mcp",
            "https://HUB.example/mcp/",
            "HTTPS://hub.example:443/mcp",
            "https://hub.example/mcp/mcp",
        ] {
            assert_eq!(urls.resource(name), Some(Resource::Mcp), "{name}");
        }
        assert_eq!(urls.resource("https://hub.example/api/"), Some(Resource::Api));
        for name in [
            "https://hub.example",
            "http://hub.example/mcp",
            "https://evil.example/mcp",
            "https://hub.example/mcp?x=1",
            "https://hub.example/mcp#x",
            "https://user@hub.example/mcp",
            "https://hub.example/MCP",
            "mcp",
            "",
        ] {
            assert_eq!(urls.resource(name), None, "{name}");
        }
    }

    #[test]
    fn documents_are_found_at_every_suffix_that_clients_try() {
        let urls = urls();
        for suffix in ["", "/", "mcp", "mcp/", "mcp/mcp"] {
            assert!(urls.names_issuer(suffix), "{suffix}");
            assert_eq!(urls.resource_at(suffix), Some(Resource::Mcp), "{suffix}");
        }
        assert_eq!(urls.resource_at("api"), Some(Resource::Api));
        assert!(!urls.names_issuer("api") && urls.resource_at("other").is_none());
        let document = "https://hub.example/.well-known/oauth-protected-resource/mcp";
        assert_eq!(urls.metadata_of(Resource::Mcp), document);
        assert_eq!(urls.page("/oauth/consent"), "/mcp/oauth/consent");
    }
}
