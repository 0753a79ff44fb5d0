//! `syfthub doctor mcp`: what an MCP client meets on its way to a token, seen from outside.
//!
//! Clients look for the documents of the authorization server at several addresses, and proxies like to answer some
//! of them with a web page, to redirect `/mcp`, or to take headers away. Every one of these is asked for here.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};
use syfthub_egress::{Client, Limits, Response};
use url::Url;

use super::Finding;

const LARGEST_ANSWER: usize = 1024 * 1024;
/// RFC 9728.
const RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// RFC 8414.
const SERVER: &str = "/.well-known/oauth-authorization-server";
/// OpenID Connect Discovery 1.0.
const OPENID: &str = "/.well-known/openid-configuration";
/// Some page that is not the hub's, as a client in a browser would be.
const ELSEWHERE: HeaderValue = HeaderValue::from_static("https://claude.ai");

/// Looks at the hub whose public origin is `hub`.
pub(super) async fn look_at(hub: &Url) -> Vec<Finding> {
    let limits = Limits { total: Duration::from_secs(10), ..Limits::default() };
    let client = match Client::operator(limits) {
        Ok(client) => client,
        Err(error) => return vec![Finding::fault("hub", error.to_string(), "see the message")],
    };
    let visitor = Visitor { client, origin: hub.origin().ascii_serialization() };
    let mut findings = vec![visitor.transport_security(hub)];
    findings.extend(visitor.documents().await);
    findings.push(visitor.keys().await);
    findings.extend(visitor.challenge().await);
    findings.push(visitor.other_origins().await);
    findings
}

/// Which document an address has to answer with.
#[derive(Clone, Copy, PartialEq)]
enum Document {
    Resource,
    Server,
}

struct Visitor {
    client: Client,
    origin: String,
}

impl Visitor {
    fn issuer(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    fn transport_security(&self, hub: &Url) -> Finding {
        let near = matches!(hub.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if hub.scheme() == "https" || near {
            return Finding::fine("address", self.origin.clone());
        }
        let seen = format!("{} has no TLS, and clients refuse to sign in over it", self.origin);
        Finding::fault(
            "address",
            seen,
            "put the hub behind TLS (nginx/nginx.prod.conf) and set SYFTHUB_PUBLIC_URL to https://…",
        )
    }

    /// Each document, at each address at which some client looks for it.
    async fn documents(&self) -> Vec<Finding> {
        let places = [
            ("resource", Document::Resource, RESOURCE.to_owned()),
            ("resource", Document::Resource, format!("{RESOURCE}/mcp")),
            ("resource", Document::Resource, format!("{RESOURCE}/mcp/mcp")),
            ("server", Document::Server, SERVER.to_owned()),
            ("server", Document::Server, format!("{SERVER}/mcp")),
            ("server", Document::Server, format!("/mcp{SERVER}")),
            ("server", Document::Server, OPENID.to_owned()),
            ("server", Document::Server, format!("{OPENID}/mcp")),
            ("server", Document::Server, format!("/mcp{OPENID}")),
        ];
        let mut findings = Vec::new();
        for (subject, document, path) in places {
            findings.push(match self.document(document, &path).await {
                Ok(()) => Finding::fine(subject, path),
                Err((seen, fix)) => Finding::fault(subject, format!("{path} {seen}"), fix),
            });
        }
        findings
    }

    async fn document(&self, document: Document, path: &str) -> Result<(), (String, String)> {
        let proxy = format!("let the proxy pass {path} to the MCP service, as the files in nginx/ do");
        let answer = self.get(path).await.map_err(|error| (error, proxy.clone()))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err((format!("redirects ({status}), which clients do not follow"), proxy));
        }
        let kind = answer.media_type().unwrap_or_default();
        if status.as_u16() != 200 || kind != "application/json" {
            return Err((format!("answers {status} with `{kind}` instead of JSON"), proxy));
        }
        let body: Value = match answer.json_capped(LARGEST_ANSWER).await {
            Ok(body) => body,
            Err(error) => return Err((error.to_string(), proxy)),
        };
        let issuer = self.issuer();
        let (named, what) = match document {
            Document::Resource => (&body["resource"], "resource"),
            Document::Server => (&body["issuer"], "issuer"),
        };
        let listed = document == Document::Server || body["authorization_servers"][0] == issuer.as_str();
        if *named == issuer.as_str() && listed {
            return Ok(());
        }
        let named = named.as_str().unwrap_or("nothing");
        let seen = format!("names {named} as {what}; a client that came to {issuer} refuses that");
        let fix = format!(
            "set SYFTHUB_PUBLIC_URL (and OAUTH_ISSUER and API_BASE_URL, if they are set) so that people use exactly \
             that address, or look at that one: `syfthub doctor mcp {named}`"
        );
        Err((seen, fix))
    }

    async fn keys(&self) -> Finding {
        let path = "/mcp/.well-known/jwks.json";
        let fix = format!("let the proxy pass {path} to the MCP service");
        let keys = async {
            let answer = self.get(path).await?;
            answer.json_capped::<Value>(LARGEST_ANSWER).await.map_err(|error| error.to_string())
        };
        match keys.await {
            Ok(set) if set["keys"].as_array().is_some_and(|keys| !keys.is_empty()) => {
                Finding::fine("keys", path)
            }
            Ok(_) => {
                let fix = "see the log of the MCP service: it makes a key as soon as the backend answers it";
                Finding::fault("keys", format!("{path} publishes no key"), fix)
            }
            Err(error) => Finding::fault("keys", format!("{path}: {error}"), fix),
        }
    }

    /// A call without a token has to be refused in a way that tells a client where to sign in.
    async fn challenge(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for path in ["/mcp", "/mcp/"] {
            let fix = format!(
                "let the proxy pass {path} as it is: no redirect, POST with its body, and the header WWW-Authenticate of the answer"
            );
            findings.push(match self.refused(path).await {
                Ok(()) => Finding::fine("challenge", format!("POST {path} says where to sign in")),
                Err(seen) => Finding::fault("challenge", format!("POST {path} {seen}"), fix),
            });
        }
        findings
    }

    async fn refused(&self, path: &str) -> Result<(), String> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "syfthub doctor", "version": env!("CARGO_PKG_VERSION")},
        }});
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        let request = self.client.post(self.url(path)?).header(header::ACCEPT, accept).json(&call);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        if answer.status().as_u16() != 401 {
            return Err(format!("answers {} instead of 401", answer.status()));
        }
        let challenge = answer.headers().get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let Some(challenge) = challenge else {
            return Err("answers 401 without WWW-Authenticate".to_owned());
        };
        let document = format!("resource_metadata=\"{}{RESOURCE}/mcp\"", self.origin);
        if challenge.contains(&document) {
            return Ok(());
        }
        Err(format!("does not name {}{RESOURCE}/mcp in `WWW-Authenticate: {challenge}`", self.origin))
    }

    /// Clients that run in a browser ask first whether they may.
    async fn other_origins(&self) -> Finding {
        let path = "/mcp/oauth/token";
        let fix = format!(
            "let the proxy pass OPTIONS on {path} and leave the Access-Control headers of its answer alone"
        );
        let asked = async {
            let wanted = HeaderName::from_static("access-control-request-method");
            let request = self.client.request(Method::OPTIONS, self.url(path)?);
            let request =
                request.header(header::ORIGIN, ELSEWHERE).header(wanted, HeaderValue::from_static("POST"));
            let answer = request.send().await.map_err(|error| error.to_string())?;
            Ok::<bool, String>(
                answer.status().is_success()
                    && answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            )
        };
        match asked.await {
            Ok(true) => Finding::fine("browsers", "clients in web pages may ask for tokens"),
            Ok(false) => {
                Finding::fault("browsers", format!("OPTIONS {path} does not let other origins in"), fix)
            }
            Err(error) => Finding::fault("browsers", format!("OPTIONS {path}: {error}"), fix),
        }
    }

    fn url(&self, path: &str) -> Result<Url, String> {
        format!("{}{path}", self.origin).parse().map_err(|error: url::ParseError| error.to_string())
    }

    async fn get(&self, path: &str) -> Result<Response, String> {
        self.client.get(self.url(path)?).send().await.map_err(|error| error.to_string())
    }
}
