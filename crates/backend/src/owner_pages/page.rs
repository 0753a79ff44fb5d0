//! The pages that people see when no web app stands in front.

use std::fmt::Write as _;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use syfthub_store::endpoints::EndpointWithOwner;
use syfthub_store::users::UserRow;

use crate::endpoints::wire::EndpointPublic;
use crate::html::{self, escape};

/// An owner and what they publish.
pub(super) fn owner(owner: &UserRow, items: &[EndpointWithOwner]) -> Response {
    let name = owner.username.as_str();
    let mut body = format!("<h1>{}</h1><p>{}</p><ul>", escape(name), escape(&owner.full_name));
    for item in items {
        let (path, row) = (item.path(), &item.endpoint);
        let _ = write!(
            body,
            "<li><a href=\"/{0}\">{0}</a> <span class=\"badge\">{1}</span> {2}</li>",
            escape(&path),
            escape(row.kind.as_str()),
            escape(&row.description)
        );
    }
    body.push_str("</ul>");
    html::page(StatusCode::OK, name, &body)
}

/// One endpoint. The long text is shown as it was written, not as Markdown.
pub(super) fn endpoint(item: &EndpointWithOwner, shown: &EndpointPublic) -> Response {
    let card = &shown.card;
    let path = item.path();
    let mut body = format!(
        "<h1>{}</h1><p><strong>{}</strong> <span class=\"badge\">{}</span> <span class=\"badge\">{}</span></p><p>{}</p>\
<p>{} stars · version {} · {} contributors</p>",
        escape(&path),
        escape(&card.name),
        escape(card.kind.as_str()),
        escape(item.endpoint.visibility.as_str()),
        escape(&card.description),
        card.stars_count,
        escape(&card.version),
        card.contributors_count,
    );
    if !card.connect.is_empty() {
        body.push_str("<h2>Connections</h2><ul>");
        for connection in &card.connect {
            let kind = connection.get("type").and_then(Value::as_str).unwrap_or_default();
            let url = connection.pointer("/config/url").and_then(Value::as_str).unwrap_or_default();
            let _ = write!(body, "<li>{} <code>{}</code></li>", escape(kind), escape(url));
        }
        body.push_str("</ul>");
    }
    if !card.readme.is_empty() {
        let _ = write!(body, "<h2>Read me</h2><pre>{}</pre>", escape(&card.readme));
    }
    html::page(StatusCode::OK, &path, &body)
}
