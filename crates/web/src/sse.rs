//! Server-sent events as the published SDKs parse them: an explicit name, one `data:` line, ASCII only
//! (their line splitter breaks at U+2028 and its like), silence only for seconds.

use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderValue, header};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter};
use tokio::time::Instant;

/// Silence is broken by a comment after this long.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);

const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name. Clients take names that they do not know for errors, so never invent one.
    pub name: &'static str,
    /// Its content.
    pub data: Value,
}

impl Event {
    /// An event.
    pub fn new(name: &'static str, data: Value) -> Self {
        Self { name, data }
    }

    /// Its frame.
    pub fn to_bytes(&self) -> Bytes {
        frame(self.name, &self.data)
    }
}

/// `event: name`, `data: json` on one line, an empty line.
pub fn frame(name: &str, data: &impl Serialize) -> Bytes {
    let mut frame = Vec::with_capacity(128);
    for part in ["event: ", name, "\ndata: "] {
        frame.extend_from_slice(part.as_bytes());
    }
    write_ascii(&mut frame, data);
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

/// JSON on one line in which everything beyond ASCII is escaped.
pub fn ascii_json(data: &Value) -> String {
    let mut out = Vec::with_capacity(64);
    write_ascii(&mut out, data);
    String::from_utf8(out).unwrap_or_else(|_| "{}".to_owned())
}

fn write_ascii(out: &mut Vec<u8>, data: &impl Serialize) {
    let begun = out.len();
    // Writing to memory cannot fail, and what is written has no keys but texts; an empty object is still a frame
    // that clients read.
    if data.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, AsciiFormatter)).is_err() {
        out.truncate(begun);
        out.extend_from_slice(b"{}");
    }
}

struct AsciiFormatter;

impl Formatter for AsciiFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.is_ascii() {
            return CompactFormatter.write_string_fragment(out, fragment);
        }
        let mut units = [0_u16; 2];
        for character in fragment.chars() {
            if character.is_ascii() {
                out.write_all(&[character as u8])?;
                continue;
            }
            for unit in character.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

/// An answer that streams `events`, with comments while nothing happens. When the client goes away
/// the stream is dropped, which cancels what feeds it.
pub fn response(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    response_of_frames(events.map(|event| event.to_bytes()))
}

/// Like [`response`], for frames that were made before.
pub fn response_of_frames(frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut answer = Response::new(Body::from_stream(kept_alive(frames).map(Ok::<_, Infallible>)));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    answer
}

fn kept_alive(frames: impl Stream<Item = Bytes> + Send + 'static) -> impl Stream<Item = Bytes> + Send {
    async_stream::stream! {
        let mut frames = std::pin::pin!(frames);
        // One timer that is looked at when it rings, rather than one that is set anew with every frame.
        let mut silence = std::pin::pin!(tokio::time::sleep(KEEP_ALIVE));
        let mut last = silence.deadline() - KEEP_ALIVE;
        loop {
            tokio::select! {
                biased;
                frame = frames.next() => match frame {
                    Some(frame) => {
                        last = Instant::now();
                        yield frame;
                    }
                    None => break,
                },
                () = &mut silence => {
                    if last.elapsed() >= KEEP_ALIVE {
                        last = Instant::now();
                        yield COMMENT;
                    }
                    silence.as_mut().reset(last + KEEP_ALIVE);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_one_line_that_every_client_splits_alike(
            text in prop_oneof![any::<String>(), "[\0-\u{20}\u{7f}\u{85}\u{2028}\u{2029}\u{feff}a:]{0,20}"], key in any::<String>()
        ) {
            let mut data = json!({"content": text});
            data[&key] = json!(text);
            let frame = frame("token", &data);
            let frame = std::str::from_utf8(&frame).unwrap();
            let line = frame.strip_prefix("event: token\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == 0x7f), "{line:?}");
            prop_assert_eq!(serde_json::from_str::<Value>(line).unwrap(), data);
        }
    }

    #[test]
    fn a_frame_is_two_ascii_lines_and_says_the_same() {
        let data = json!({"content": "a\u{2028}b\u{85}\n\"ü\" 😀 \\"});
        let frame = frame("token", &data);
        let text = std::str::from_utf8(&frame).unwrap();
        assert!(text.is_ascii());
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], "event: token");
        assert_eq!(serde_json::from_str::<Value>(lines[1].strip_prefix("data: ").unwrap()).unwrap(), data);
        assert!(lines[1].contains("\\ud83d\\ude00"));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_by_comments() {
        let slow = futures::stream::once(async {
            tokio::time::sleep(KEEP_ALIVE * 2 + Duration::from_secs(1)).await;
            Bytes::from_static(b"x")
        });
        let all: Vec<Bytes> = kept_alive(slow).collect().await;
        assert_eq!(all, vec![COMMENT, COMMENT, Bytes::from_static(b"x")]);
    }
}
