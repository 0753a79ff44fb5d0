//! Reads the event stream of a model server.

use serde_json::Value;

use super::Event;
use crate::server::Usage;

/// Longest line that is read, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// Cuts a stream of bytes into events, whatever the pieces in which it arrives.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pending: Vec<u8>,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    done: bool,
}

/// The stream is not one of a model server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a line of the model server's stream is longer than {MAX_LINE} bytes")]
    LineTooLong,
    #[error("the model server gave up: {0}")]
    GaveUp(String),
}

impl Reader {
    /// Takes the next piece; adds the texts that it completes to `events`, also when it ends in a fault.
    pub(super) fn push(&mut self, piece: &[u8], events: &mut Vec<Event>) -> Result<(), Fault> {
        let mut lines = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = lines.next() {
            if self.pending.len() + part.len() > MAX_LINE {
                return Err(Fault::LineTooLong);
            }
            self.pending.extend_from_slice(part);
            if lines.peek().is_some() {
                let line = std::mem::take(&mut self.pending);
                self.line(&line, events)?;
            }
        }
        Ok(())
    }

    /// Whether `[DONE]` was seen.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The stream is over.
    pub(super) fn finish(mut self) -> Result<Vec<Event>, Fault> {
        let mut events = Vec::new();
        let line = std::mem::take(&mut self.pending);
        self.line(&line, &mut events)?;
        let finish_reason = self.finish_reason.unwrap_or_else(|| "stop".to_owned());
        events.push(Event::End { finish_reason, usage: self.usage });
        Ok(events)
    }

    fn line(&mut self, line: &[u8], events: &mut Vec<Event>) -> Result<(), Fault> {
        let line = String::from_utf8_lossy(line);
        let Some(data) = line.trim_end().strip_prefix("data:").map(str::trim_start) else { return Ok(()) };
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let Ok(chunk) = serde_json::from_str::<Value>(data) else { return Ok(()) };
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            let text = error.get("message").unwrap_or(error).as_str().unwrap_or("no reason given");
            return Err(Fault::GaveUp(crate::text::clip(text, 300).to_owned()));
        }
        let text = chunk.pointer("/choices/0/delta/content").and_then(Value::as_str);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            events.push(Event::Text(text.to_owned()));
        }
        if let Some(reason) = chunk.pointer("/choices/0/finish_reason").and_then(Value::as_str) {
            self.finish_reason = Some(reason.to_owned());
        }
        self.usage = usage(&chunk).or(self.usage);
        Ok(())
    }
}

/// The token counts of a reply or of its last chunk.
pub(super) fn usage(reply: &Value) -> Option<Usage> {
    let usage = reply.get("usage").filter(|usage| usage.is_object())?;
    serde_json::from_value(usage.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\r\n\r\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\r\n\r\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"Grü\"}}]}\n\ndata:{\"choices\":[{\"delta\":{\"content\":\"ße\"},\"finish_reason\":\"length\"}]}\n\n\
        data: not json\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\ndata: [DONE]\n\n";

    proptest::proptest! {
        #[test]
        fn the_pieces_in_which_it_arrives_do_not_matter(size in 1_usize..80) {
            let mut reader = Reader::default();
            let mut events = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                reader.push(piece, &mut events).unwrap();
            }
            proptest::prop_assert!(reader.is_done());
            events.extend(reader.finish().unwrap());
            let usage = Usage { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
            proptest::prop_assert_eq!(events, vec![
                Event::Text("Grü".to_owned()),
                Event::Text("ße".to_owned()),
                Event::End { finish_reason: "length".to_owned(), usage: Some(usage) },
            ]);
        }
    }

    #[test]
    fn faults_are_told_after_what_came_before() {
        let mut events = Vec::new();
        let stream = b"data: {\"content\":0,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\ndata: {\"error\":{\"message\":\"out of memory\"}}\n";
        let gave_up = Reader::default().push(stream, &mut events);
        assert_eq!(gave_up, Err(Fault::GaveUp("out of memory".to_owned())));
        assert_eq!(events, [Event::Text("a".to_owned())]);
        let endless = Reader::default().push(&vec![b'x'; MAX_LINE + 1], &mut events);
        assert_eq!(endless, Err(Fault::LineTooLong));
    }
}
