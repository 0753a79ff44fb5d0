//! What an operator does with OAuth clients from the command line.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use syfthub_domain::Result;

use super::client_wire::ClientView;
use super::static_clients::NewStatic;
use crate::App;
use crate::audit::Origin;

/// Clients of one page.
const PAGE: u32 = 200;
/// Clients of one listing.
const MOST: usize = 10_000;

/// What to do about clients of the authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand, Serialize, Deserialize)]
pub enum ClientsCommand {
    /// Show the clients, newest first; also those that registered themselves
    List {
        /// Only those that an operator made
        #[arg(long = "static")]
        only_static: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a client; its secret is printed once
    Add(#[command(flatten)] AddClient),
    /// Show one client
    Show {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a client; everything that it was granted ends at once
    Remove {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Give a client another secret; the one before is refused from now on
    NewSecret {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// A client to be made.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct AddClient {
    /// Its name, as people are shown it
    name: String,
    /// Its id; a random one if not given
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Where browsers may be sent back to; can be given several times
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// What it may exchange for tokens; can be given several times. Without it: what follows from --redirect-uri and
    /// --act-as
    #[arg(long, value_name = "GRANT")]
    grant_type: Vec<Grant>,
    /// It has no secret: a program on people's machines
    #[arg(long, conflicts_with_all = ["jwks_uri", "jwks", "act_as"])]
    public: bool,
    /// Scopes with a space between them: what it gets at most with its own credentials
    #[arg(long)]
    scope: Option<String>,
    /// The account that it acts as with its own credentials
    #[arg(long, value_name = "USERNAME")]
    act_as: Option<String>,
    /// It proves itself with a key of its own, and its public keys are at this address
    #[arg(long, value_name = "URL", conflicts_with = "jwks")]
    jwks_uri: Option<String>,
    /// It proves itself with a key of its own, and its public keys are in this file
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What can be exchanged for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Grant {
    /// What a person agreed to in a browser
    #[value(name = "authorization_code")]
    Code,
    /// A refresh token
    #[value(name = "refresh_token")]
    Refresh,
    /// The client's own credentials
    #[value(name = "client_credentials")]
    Own,
    /// What a person agreed to on another device (RFC 8628)
    #[value(name = "device_code", alias = "urn:ietf:params:oauth:grant-type:device_code")]
    Device,
    /// Another token (RFC 8693)
    #[value(name = "token-exchange", alias = "urn:ietf:params:oauth:grant-type:token-exchange")]
    Exchange,
}

impl Grant {
    const fn name(self) -> &'static str {
        match self {
            Self::Code => "authorization_code",
            Self::Refresh => "refresh_token",
            Self::Own => "client_credentials",
            Self::Device => "urn:ietf:params:oauth:grant-type:device_code",
            Self::Exchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }
}

/// What a command gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientsAnswer {
    /// Several clients.
    Clients(Vec<ClientView>),
    /// One client.
    Client(Box<ClientView>),
    /// The id of one that is no more.
    Removed(String),
}

impl ClientsCommand {
    /// The body of the client to be made, in the form that the route for administrators reads.
    ///
    /// # Errors
    /// The file with the keys cannot be read.
    pub fn body(&self) -> anyhow::Result<Option<Value>> {
        let Self::Add(add) = self else { return Ok(None) };
        let jwks = match &add.jwks {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let keys = serde_json::from_str::<Value>(&text);
                Some(keys.with_context(|| format!("{} is not JSON", path.display()))?)
            }
        };
        let by_key = jwks.is_some() || add.jwks_uri.is_some();
        let method = match (add.public, by_key) {
            (true, _) => Some("none"),
            (false, true) => Some("private_key_jwt"),
            (false, false) => None,
        };
        let grants: Vec<&str> = add.grant_type.iter().map(|grant| grant.name()).collect();
        let mut body = json!({
            "client_name": add.name, "client_id": add.id, "redirect_uris": add.redirect_uri,
            "grant_types": (!grants.is_empty()).then_some(grants), "token_endpoint_auth_method": method,
            "scope": add.scope, "acts_as": add.act_as, "jwks_uri": add.jwks_uri, "jwks": jwks,
        });
        if let Some(body) = body.as_object_mut() {
            body.retain(|_, value| !value.is_null());
        }
        Ok(Some(body))
    }

    /// What to print.
    ///
    /// # Errors
    /// None that can happen; JSON is written from what was JSON.
    pub fn text(&self, answer: &ClientsAnswer) -> anyhow::Result<String> {
        let as_json = match self {
            Self::List { json, .. } | Self::Show { json, .. } | Self::NewSecret { json, .. } => *json,
            Self::Add(add) => add.json,
            Self::Remove { .. } => false,
        };
        let mut text = match (answer, as_json) {
            (ClientsAnswer::Clients(clients), true) => serde_json::to_string_pretty(clients)?,
            (ClientsAnswer::Client(client), true) => serde_json::to_string_pretty(client)?,
            (ClientsAnswer::Clients(clients), false) => {
                clients.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            (ClientsAnswer::Client(client), false) => lines(client),
            (ClientsAnswer::Removed(id), _) => {
                format!("{id} was removed, and everything that it was granted has ended")
            }
        };
        if !text.is_empty() {
            text.push('\n');
        }
        Ok(text)
    }
}

/// Names come from strangers: what would steer a terminal is left out.
fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn line(client: &ClientView) -> String {
    let name = harmless(client.client_name.as_deref().unwrap_or("(no name)"));
    let acts = client.acts_as.as_deref().map(|name| format!("  acts as {name}")).unwrap_or_default();
    format!("{}  {:<10}  {name}{acts}", client.client_id, client.kind)
}

fn lines(client: &ClientView) -> String {
    let mut lines = vec![format!("client_id: {}", client.client_id)];
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{name}: {}", harmless(value)));
        }
    };
    add("client_secret", client.client_secret.as_deref().unwrap_or_default());
    add("kind", &client.kind);
    add("client_name", client.client_name.as_deref().unwrap_or_default());
    add("redirect_uris", &client.redirect_uris.join(" "));
    add("grant_types", &client.grant_types.join(" "));
    add("token_endpoint_auth_method", &client.token_endpoint_auth_method);
    add("scope", client.scope.as_deref().unwrap_or_default());
    add("acts_as", client.acts_as.as_deref().unwrap_or_default());
    add("created_at", &client.created_at.to_string());
    add("last_used_at", &client.last_used_at.to_string());
    if client.client_secret.is_some() {
        lines.push("Keep the secret now: it is stored nowhere and cannot be shown again.".to_owned());
    }
    lines.join("\n")
}

impl App {
    /// Runs a command about clients; `body` is that of the client to be made.
    pub async fn clients_command(
        &self,
        command: &ClientsCommand,
        body: Option<Value>,
    ) -> Result<ClientsAnswer> {
        let (oauth, origin) = (&self.state.oauth, Origin::system("cli"));
        let one = |client| ClientsAnswer::Client(Box::new(client));
        Ok(match command {
            ClientsCommand::List { only_static, .. } => {
                let kind = only_static.then_some("static");
                let mut found: Vec<ClientView> = Vec::new();
                loop {
                    let after = found.last().map(|client| client.client_id.clone());
                    let rows = oauth.clients(kind, after.as_deref(), PAGE).await?;
                    let is_last = rows.len() < usize::try_from(PAGE).unwrap_or_default();
                    found.extend(rows.into_iter().map(ClientView::from));
                    if is_last || found.len() >= MOST {
                        break ClientsAnswer::Clients(found);
                    }
                }
            }
            ClientsCommand::Add(_) => {
                one(oauth.make_client(&origin, NewStatic::read(body.unwrap_or_default())?).await?)
            }
            ClientsCommand::Show { client_id, .. } => one(oauth.client(client_id).await?.into()),
            ClientsCommand::Remove { client_id } => {
                oauth.delete_client(&origin, client_id).await?;
                ClientsAnswer::Removed(client_id.clone())
            }
            ClientsCommand::NewSecret { client_id, .. } => {
                one(oauth.change_secret(&origin, client_id).await?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: ClientsCommand,
    }

    fn body(words: &[&str]) -> Value {
        let line = Line::try_parse_from([&["clients", "add"], words].concat()).unwrap();
        line.command.body().unwrap().unwrap()
    }

    #[test]
    fn a_line_is_the_body_of_the_route() {
        assert_eq!(
            body(&["Wiki", "--redirect-uri", "https://a.example/1", "--redirect-uri", "https://a.example/2"]),
            json!({"client_name": "Wiki", "redirect_uris": ["https://a.example/1", "https://a.example/2"]})
        );
        assert_eq!(
            body(&["Report", "--id", "report", "--act-as", "bob", "--grant-type", "client_credentials"]),
            json!({
                "client_name": "Report", "client_id": "report", "redirect_uris": [], "acts_as": "bob",
                "grant_types": ["client_credentials"],
            })
        );
        let device =
            body(&["TV", "--public", "--grant-type", "device_code", "--grant-type", "refresh_token"]);
        assert_eq!(device["token_endpoint_auth_method"], "none");
        assert_eq!(device["grant_types"][0], "urn:ietf:params:oauth:grant-type:device_code");
        assert!(Line::try_parse_from(["clients", "add", "A", "--public", "--act-as", "bob"]).is_err());
    }
}
