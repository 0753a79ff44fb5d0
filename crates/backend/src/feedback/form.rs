//! Feedback as the form sends it: parts of text, and at most one file.

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use http::StatusCode;
use serde_json::{Map, Value};
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_web::Fields;

use super::picture::{self, Picture};

/// Parts that are read; a form of ours has six.
const MAX_PARTS: usize = 32;
/// Largest part of text that is read, in bytes. Longer ones fail their length check with what was read.
const MAX_TEXT: usize = 64 * 1024;
/// The kinds of feedback.
pub(super) const CATEGORIES: [&str; 3] = ["bug", "feedback", "idea"];
/// Longest description, in characters.
pub(super) const MAX_DESCRIPTION: usize = 10_000;

/// A good form.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) category: &'static str,
    pub(super) description: String,
    pub(super) page_url: Option<String>,
    pub(super) app_version: Option<String>,
    pub(super) browser_info: Option<String>,
    pub(super) picture: Picture,
}

/// Reads a form to its end.
pub(super) async fn read(form: std::result::Result<Multipart, MultipartRejection>) -> Result<Submission> {
    let mut form = form.map_err(|_| {
        let text = "This route reads a form; send it as `multipart/form-data`";
        Error::new(ErrorCode::UnsupportedMediaType, text)
    })?;
    let mut texts = Map::new();
    let mut picture = Picture::None;
    let mut parts = 0;
    while let Some(part) = form.next_field().await.map_err(|error| broken(&error))? {
        parts += 1;
        if parts > MAX_PARTS {
            return Err(Error::new(ErrorCode::BadRequest, format!("A form has at most {MAX_PARTS} parts")));
        }
        let name = part.name().unwrap_or_default().to_owned();
        if name == "screenshot" {
            let (bytes, whole) = taken(part, picture::MAX_BYTES).await?;
            picture = Picture::of(bytes, whole);
        } else {
            let (bytes, _) = taken(part, MAX_TEXT).await?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            texts.insert(name, Value::String(text));
        }
    }
    judged(texts, picture)
}

/// The first `longest` bytes of a part, and whether that was all of it. The rest is read and dropped.
async fn taken(mut part: Field<'_>, longest: usize) -> Result<(Vec<u8>, bool)> {
    let (mut bytes, mut whole) = (Vec::new(), true);
    while let Some(chunk) = part.chunk().await.map_err(|error| broken(&error))? {
        let room = longest - bytes.len();
        whole &= chunk.len() <= room;
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok((bytes, whole))
}

fn broken(error: &MultipartError) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Error::new(ErrorCode::PayloadTooLarge, "The request body is larger than this server takes");
    }
    Error::new(ErrorCode::BadRequest, "The form in the request body cannot be read")
        .with_source(error.to_string())
}

fn judged(texts: Map<String, Value>, picture: Picture) -> Result<Submission> {
    let mut fields = Fields::body(Value::Object(texts))?;
    let known = |text: &str| CATEGORIES.into_iter().find(|category| *category == text);
    let category = fields
        .string("category")
        .parse(|text| match text {
            "" => Ok("feedback"),
            other => known(other).ok_or_else(|| "must be one of bug, feedback, idea".to_owned()),
        })
        .or("feedback");
    let description = fields.string("description").trimmed().length(1, MAX_DESCRIPTION).required();
    let mut text = |key: &str, longest: usize| {
        fields.string(key).trimmed().length(0, longest).optional().filter(|text| !text.is_empty())
    };
    let page_url = text("page_url", 2000);
    let app_version = text("app_version", 100);
    let browser_info = text("browser_info", 1000);
    let valid = fields.finish()?;
    Ok(Submission {
        category,
        description: description.take(&valid),
        page_url,
        app_version,
        browser_info,
        picture,
    })
}
