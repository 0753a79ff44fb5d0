//! The bounds of what the MCP service sends. It has checked already; these keep a fault of it out of the database.

use syfthub_domain::{Error, ErrorCode, Result};

use super::Asked;

/// Longest URL: a client id, a redirect URI, a resource.
pub(super) const LONGEST_URL: usize = 2048;
/// Longest name of a client that is kept, in characters; what is longer is cut.
const LONGEST_NAME: usize = 200;
/// Longest of everything else.
pub(super) const LONGEST: usize = 512;
/// Most scopes of one request.
const MOST_SCOPES: usize = 50;
/// Bytes of SHA-256.
const HASH: usize = 32;

/// A request that the MCP service should not have made.
pub(super) fn bad(what: &str) -> Error {
    Error::new(ErrorCode::BadRequest, format!("{what} is missing, too long or malformed"))
}

/// A text that must be there.
pub(super) fn text(value: String, name: &str, longest: usize) -> Result<String> {
    let is_good = !value.is_empty() && value.len() <= longest && !value.contains('\0');
    if is_good { Ok(value) } else { Err(bad(name)) }
}

/// A text that may be empty, which stands for none.
pub(super) fn optional(value: String, name: &str, longest: usize) -> Result<Option<String>> {
    if value.is_empty() { Ok(None) } else { text(value, name, longest).map(Some) }
}

/// A SHA-256, in hex.
pub(super) fn hash(bytes: &[u8], name: &str) -> Result<String> {
    if bytes.len() == HASH { Ok(hex::encode(bytes)) } else { Err(bad(name)) }
}

/// The same, or none.
pub(super) fn optional_hash(bytes: &[u8], name: &str) -> Result<Option<String>> {
    if bytes.is_empty() { Ok(None) } else { hash(bytes, name).map(Some) }
}

/// Scopes, at least one.
fn scopes(scopes: Vec<String>) -> Result<Vec<String>> {
    let is_token = |scope: &String| {
        (1..=100).contains(&scope.len())
            && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    let is_good = (1..=MOST_SCOPES).contains(&scopes.len()) && scopes.iter().all(is_token);
    if is_good { Ok(scopes) } else { Err(bad("scopes")) }
}

/// What a client asks for.
pub(super) fn asked(
    client_id: String,
    client_name: &str,
    resource: String,
    scope_list: Vec<String>,
    dpop_jkt: String,
) -> Result<Asked> {
    Ok(Asked {
        client_id: text(client_id, "client_id", LONGEST_URL)?,
        client_name: client_name.chars().filter(|char| !char.is_control()).take(LONGEST_NAME).collect(),
        resource: text(resource, "resource", LONGEST_URL)?,
        scopes: scopes(scope_list)?,
        dpop_jkt: optional(dpop_jkt, "dpop_jkt", LONGEST)?,
    })
}

/// Scopes of a refresh, which may be none.
pub(super) fn some_scopes(list: Vec<String>) -> Result<Vec<String>> {
    if list.is_empty() { Ok(list) } else { scopes(list) }
}
