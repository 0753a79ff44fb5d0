//! As much of a browser as the hub's pages for signing in need: cookies and two forms.

use anyhow::{Context as _, Result};

use crate::http::{Request, Response};

/// Somebody in front of the pages of the hub at one address.
pub(crate) struct Browser<'a> {
    address: &'a str,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    /// Without any cookies yet.
    pub(crate) fn new(address: &'a str) -> Self {
        Self { address, cookies: Vec::new() }
    }

    /// Signs in and agrees; gives where the browser is sent in the end.
    pub(crate) fn agree(mut self, url: &str, name: &str, password: &str) -> Result<String> {
        let page = self.send(Request::new("GET", path_of(url)?))?.expect(200)?;
        let form = format!("username={name}&password={password}&request={}", hidden(&page, "request")?);
        let signed_in = self.send(Request::form("/mcp/auth/syfthub/login", &form))?.expect(303)?;
        let page = self.send(Request::new("GET", path_of(location(&signed_in)?)?))?.expect(200)?;
        let (request, user) = (hidden(&page, "request")?, hidden(&page, "user")?);
        let form = format!("request={request}&user={user}&decision=allow");
        let agreed = self.send(Request::form("/mcp/oauth/consent", &form))?.expect(303)?;
        location(&agreed).map(str::to_owned)
    }

    fn send(&mut self, request: Request<'_>) -> Result<Response> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request =
            if cookies.is_empty() { request } else { request.header("Cookie", &cookies.join("; ")) };
        let answer = request.header("Sec-Fetch-Site", "same-origin").send(self.address)?;
        for cookie in answer.all("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.retain(|(known, _)| known != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(answer)
    }
}

/// Path and query of an address.
pub(crate) fn path_of(url: &str) -> Result<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let start = rest.find('/').with_context(|| format!("{url} has no path"))?;
    Ok(&rest[start..])
}

fn location(answer: &Response) -> Result<&str> {
    answer.header("location").context("the browser is sent nowhere")
}

/// The value of a hidden field.
fn hidden<'a>(page: &'a Response, name: &str) -> Result<&'a str> {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.body.split_once(&start).map(|(_, rest)| rest);
    let value = rest.and_then(|rest| rest.split_once('"')).map(|(value, _)| value);
    value.with_context(|| format!("the page has no field {name}"))
}
