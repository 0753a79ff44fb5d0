//! The form behind the one-time link.

use std::fmt::Write as _;

use axum::response::Response;
use http::StatusCode;
use syfthub_domain::{Detail, Error};

use crate::html;

/// What was typed before, so that a refused form does not start empty.
#[derive(Debug, Default, Clone)]
pub(crate) struct Typed {
    pub username: String,
    pub email: String,
    pub full_name: String,
}

/// The form, with the reasons why the last attempt was refused. It posts to its own address, which
/// carries the token.
pub(crate) fn form(status: StatusCode, typed: &Typed, refused: Option<&Error>) -> Response {
    let mut told = String::new();
    for reason in reasons(refused) {
        let _ = write!(told, "<p class=\"error\">{}</p>", html::escape(&reason));
    }
    let body = format!(
        "<h1>Set up this hub</h1><p>This link works once. It creates the first administrator.</p>{told}\
<form method=\"post\">{}{}{}{}<button type=\"submit\">Create administrator</button></form>",
        html::input("Username", "username", "text", &typed.username, "username"),
        html::input("Full name", "full_name", "text", &typed.full_name, "name"),
        html::input("E-mail", "email", "email", &typed.email, "email"),
        html::input("Password", "password", "password", "", "new-password"),
    );
    html::page(status, "Set up this hub", &body)
}

fn reasons(refused: Option<&Error>) -> Vec<String> {
    match refused {
        None => Vec::new(),
        Some(Error { detail: Detail::Fields(fields), .. }) => fields
            .iter()
            .map(|field| {
                let name = match field.loc.last() {
                    Some(syfthub_domain::Loc::Key(key)) => key.replace('_', " "),
                    _ => "form".to_owned(),
                };
                format!("{name}: {}", field.msg)
            })
            .collect(),
        Some(error) => vec![error.message.clone()],
    }
}

/// What a browser sees when the administrator exists.
pub(crate) fn done(username: &str) -> Response {
    let body = format!(
        "<h1>The hub is ready</h1><p>The administrator <strong>{}</strong> was created. \
You can sign in now.</p><p><a href=\"/\">To the hub</a></p>",
        html::escape(username)
    );
    html::page(StatusCode::CREATED, "The hub is ready", &body)
}

/// What a browser sees when the link is of no use.
pub(crate) fn refused(status: StatusCode, reason: &str) -> Response {
    let body = format!("<h1>This link does not work</h1><p>{}</p>", html::escape(reason));
    html::page(status, "This link does not work", &body)
}
