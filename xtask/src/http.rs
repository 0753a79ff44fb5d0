//! The smallest HTTP/1.1 client that can look at a hub from outside and see when bytes arrive.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::interrupt;

/// No single read may wait longer.
const READ: Duration = Duration::from_secs(90);
/// While it waits, this often it is looked whether we are to end.
const LOOK_AROUND: Duration = Duration::from_millis(500);

/// One request; `Connection: close` always, so that the end of the answer is the end of the stream.
pub(crate) struct Request<'a> {
    method: &'a str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The whole answer.
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub(crate) fn new(method: &'a str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A POST of JSON.
    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", path).json(body)
    }

    /// A POST of a form, already encoded.
    pub(crate) fn form(path: impl Into<String>, encoded: &str) -> Self {
        let mut request = Self::new("POST", path).header("Content-Type", "application/x-www-form-urlencoded");
        request.body = encoded.as_bytes().to_vec();
        request
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a bearer token.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Sets a JSON body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    /// Sends it to `host:port` and reads the answer to its end.
    pub(crate) fn send(self, address: &str) -> Result<Response> {
        self.send_watched(address, |_| {})
    }

    /// The same; `watch` sees everything received so far each time something arrives.
    pub(crate) fn send_watched(self, address: &str, mut watch: impl FnMut(&str)) -> Result<Response> {
        let mut stream =
            TcpStream::connect(address).with_context(|| format!("{address} cannot be reached"))?;
        stream.set_read_timeout(Some(LOOK_AROUND))?;
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        write!(head, "Content-Length: {}\r\n\r\n", self.body.len())?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(&self.body)?;
        let mut heard = Instant::now();
        let (mut received, mut buffer) = (Vec::new(), [0_u8; 16 * 1024]);
        loop {
            let count = match stream.read(&mut buffer) {
                Err(error) if waits_longer(&error) && heard.elapsed() < READ => {
                    interrupt::check()?;
                    continue;
                }
                outcome => outcome.context("no answer in time")?,
            };
            heard = Instant::now();
            if count == 0 {
                break;
            }
            received.extend_from_slice(&buffer[..count]);
            watch(&String::from_utf8_lossy(&received));
        }
        Response::parse(&received).with_context(|| format!("{} {}", self.method, self.path))
    }
}

impl Response {
    fn parse(received: &[u8]) -> Result<Self> {
        let end = received.windows(4).position(|w| w == b"\r\n\r\n").context("the answer has no head")?;
        let head = std::str::from_utf8(&received[..end])?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|l| l.split(' ').nth(1)).context("no status line")?.parse()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let rest = &received[end + 4..];
        let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v.contains("chunked"));
        let body = if chunked { unchunk(rest)? } else { rest.to_vec() };
        Ok(Self { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let name = name.to_ascii_lowercase();
        self.headers.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.shown()))
    }

    /// Fails unless the status is this one.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "status {} instead of {status}: {}", self.status, self.shown());
        Ok(self)
    }

    fn shown(&self) -> String {
        self.body.chars().take(600).collect()
    }
}

fn waits_longer(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").context("a chunk was cut off")?;
        let size = std::str::from_utf8(&rest[..end])?.split(';').next().unwrap_or_default().trim().to_owned();
        let size = usize::from_str_radix(&size, 16)?;
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest.get(end + 2..end + 2 + size).context("a chunk was cut off")?;
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).context("a chunk was cut off")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_answers_are_put_together() {
        let raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let response = Response::parse(raw).unwrap();
        assert_eq!((response.status, response.body.as_str()), (200, "abcde"));
        assert_eq!(response.all("X-A"), ["1", "2"]);
    }

    #[test]
    fn an_answer_that_was_cut_off_is_an_error() {
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").is_err());
        assert!(Response::parse(b"HTTP/1.1 200").is_err());
    }
}
