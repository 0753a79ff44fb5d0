//! The answer as a small page: readable in a terminal, in a browser, and by a script.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use syfthub_web::sse::ascii_json;

/// Nothing is loaded and nothing runs, whatever an answer contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page for `result`, which has the keys `query`, `answer`, `sources` and `error` among others.
pub(super) fn response(status: StatusCode, result: &Value) -> Response {
    let text = escaped(&readable(result));
    let title = escaped(result["query"].as_str().unwrap_or_default());
    // An end of the script cannot stand in it: `<` never does.
    let json = ascii_json(result).replace('<', "\\u003c");
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>body{{font:1rem/1.5 sans-serif;max-width:45rem;margin:2rem auto;padding:0 1rem}}\
         pre{{white-space:pre-wrap;overflow-wrap:anywhere}}</style>\n</head>\n<body>\n\
         <script id=\"query-result\" type=\"application/json\">{json}</script>\n<pre>\n{text}</pre>\n</body>\n</html>\n"
    );
    let mut answer = Response::new(page.into());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

fn readable(result: &Value) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(result["query"].as_str().unwrap_or_default());
    line("");
    if let Some(error) = result["error"].as_str() {
        line("Error:");
        line(error);
        return text;
    }
    if let Some(answer) = result["answer"].as_str() {
        line(answer);
        line("");
    }
    let none = serde_json::Map::new();
    let sources = result["sources"].as_object().unwrap_or(&none);
    line(if sources.is_empty() { "No documents were found." } else { "Sources:" });
    for (title, source) in sources {
        line("");
        line(&format!("{title} ({})", source["slug"].as_str().unwrap_or_default()));
        if result["answer"].is_null() {
            line(source["content"].as_str().unwrap_or_default());
        }
    }
    text
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
