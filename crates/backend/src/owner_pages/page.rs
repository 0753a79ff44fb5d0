//! The pages that people see when no web app stands in front.

use std::fmt::Write as _;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use syfthub_domain::Error;
use syfthub_store::Page;
use syfthub_store::endpoints::EndpointWithOwner;
use syfthub_store::users::UserRow;

use super::readme;
use crate::endpoints::health::state_name;
use crate::endpoints::wire::EndpointPublic;
use crate::html::{self, escape};

/// Colours of states, and the frame of a long text. A long text brings classes of its own, so that what is ours is
/// found by its place.
const STYLE: &str = "<style>\
header .badge{display:inline-block;margin:0 .3rem .3rem 0}header .healthy{border-color:#1a7f37;color:#1a7f37}\
header .unhealthy,header .inactive{border-color:#b54708;color:#b54708}\
header h1{margin:.2rem 0 .4rem;overflow-wrap:anywhere}.facts{color:#5c5d6e}\
main>article{border-top:1px solid #8886;margin-top:1.5rem;padding-top:.5rem;overflow-wrap:anywhere}\
article pre{overflow-x:auto;white-space:pre}article table{border-collapse:collapse;display:block;overflow-x:auto}\
article th,article td{border:1px solid #8888;padding:.3rem .6rem}article blockquote{margin-left:0;padding-left:1rem;border-left:3px solid #8888}\
main>ul.list{list-style:none;padding:0}main>ul.list>li{padding:.7rem 0;border-top:1px solid #8886}\
@media(prefers-color-scheme:dark){.facts{color:#a6a7b8}header .healthy{border-color:#3fb950;color:#3fb950}header .unhealthy,header .inactive{border-color:#f0883e;color:#f0883e}}\
</style>";

fn badge(out: &mut String, class: &str, text: &str) {
    let _ = write!(out, "<span class=\"badge {class}\">{}</span>", escape(text));
}

/// The words for a count: `1 star`, `2 stars`.
fn counted(count: i64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn health_badge(out: &mut String, item: &EndpointWithOwner) {
    let row = &item.endpoint;
    let state = state_name(row.is_active && !row.admin_disabled, row.health_status);
    let text = if state == "unknown" { "health unknown" } else { state };
    badge(out, state, text);
}

/// What people see where there is nothing for them.
pub(super) fn refused(error: &Error) -> Response {
    let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::NOT_FOUND);
    let title =
        if status == StatusCode::UNAUTHORIZED { "Sign in to see this" } else { "Nothing is published here" };
    let body = format!(
        "{STYLE}<main><header><h1>{title}</h1></header><p>{}.</p><p><a href=\"/\">To the start page</a></p></main>",
        escape(&error.message)
    );
    html::page(status, title, &body)
}

/// An owner and a page of what they publish.
pub(super) fn owner(owner: &UserRow, items: &[EndpointWithOwner], page: Page) -> Response {
    let name = owner.username.as_str();
    let mut body =
        format!("{STYLE}<main><header><h1>{}</h1><p>{}</p></header>", escape(name), escape(&owner.full_name));
    if items.is_empty() {
        body.push_str("<p class=\"facts\">Nothing to see here.</p>");
    }
    body.push_str("<ul class=\"list\">");
    for item in items {
        let (path, row) = (escape(&item.path()), &item.endpoint);
        let _ = write!(body, "<li><header><a href=\"/{path}\"><strong>{}</strong></a> ", escape(&row.name));
        badge(&mut body, "kind", row.kind.as_str());
        if row.visibility != syfthub_domain::Visibility::Public {
            badge(&mut body, "visibility", row.visibility.as_str());
        }
        health_badge(&mut body, item);
        let _ = write!(
            body,
            "</header>{}<div class=\"facts\">{path} · {} · version {}</div></li>",
            escape(&row.description),
            counted(row.stars_count, "star"),
            escape(row.version.as_str()),
        );
    }
    body.push_str("</ul>");
    pages(&mut body, name, items.len(), page);
    body.push_str("</main>");
    html::page(StatusCode::OK, name, &body)
}

/// The way to the pages before and after.
fn pages(body: &mut String, name: &str, shown: usize, page: Page) {
    let (name, limit) = (escape(name), page.limit);
    body.push_str("<nav>");
    if page.skip > 0 {
        let before = page.skip.saturating_sub(limit);
        let _ = write!(body, "<a href=\"/{name}?skip={before}&amp;limit={limit}\">← newer</a> ");
    }
    if u32::try_from(shown).is_ok_and(|shown| shown >= limit) {
        let next = page.skip.saturating_add(limit);
        let _ = write!(body, "<a href=\"/{name}?skip={next}&amp;limit={limit}\">older →</a>");
    }
    body.push_str("</nav>");
}

/// One endpoint with its long text.
pub(super) fn endpoint(item: &EndpointWithOwner, shown: &EndpointPublic) -> Response {
    let card = &shown.card;
    let (path, owner) = (item.path(), escape(item.owner_username.as_str()));
    let mut body = format!(
        "{STYLE}<main><header><div class=\"facts\"><a href=\"/{owner}\">{owner}</a> / {}</div><h1>{}</h1>",
        escape(&card.slug),
        escape(&card.name),
    );
    badge(&mut body, "kind", card.kind.as_str());
    badge(&mut body, "visibility", item.endpoint.visibility.as_str());
    health_badge(&mut body, item);
    if shown.archived {
        badge(&mut body, "archived", "archived");
    }
    let contributors = i64::try_from(card.contributors_count).unwrap_or(i64::MAX);
    let _ = write!(
        body,
        "<p>{}</p><p class=\"facts\">{} · version {} · {}</p>",
        escape(&card.description),
        counted(card.stars_count, "star"),
        escape(&card.version),
        counted(contributors, "contributor"),
    );
    for tag in &card.tags {
        badge(&mut body, "tag", tag);
    }
    body.push_str("</header>");
    if !card.connect.is_empty() {
        body.push_str("<h2>Connections</h2><ul>");
        for connection in &card.connect {
            let kind = connection.get("type").and_then(Value::as_str).unwrap_or_default();
            let url = connection.pointer("/config/url").and_then(Value::as_str).unwrap_or_default();
            let off = connection.get("enabled").and_then(Value::as_bool) == Some(false);
            let off = if off { " (switched off)" } else { "" };
            let _ = write!(body, "<li>{} <code>{}</code>{off}</li>", escape(kind), escape(url));
        }
        body.push_str("</ul>");
    }
    if !card.readme.is_empty() {
        let _ = write!(body, "<article>{}</article>", readme::render(&card.readme));
    }
    let address = escape(&path);
    let _ = write!(
        body,
        "<p class=\"facts\">Programs get this page as JSON: <code>/{address}</code> with <code>Accept: application/json</code></p></main>"
    );
    html::page(StatusCode::OK, &path, &body)
}
