//! A model that says its first word and then waits until the test lets it go on. With it, "arrives
//! unbuffered" and "is drained" are facts and not timings.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

/// A forgotten release ends here.
const LONGEST: Duration = Duration::from_mins(1);

/// The server; it lives as long as the process of the tests.
pub(super) struct HeldModel {
    port: u16,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl HeldModel {
    /// Starts it, closed.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let shared = Arc::clone(&gate);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let gate = Arc::clone(&shared);
                // A caller that went away is no concern of the test.
                thread::spawn(move || serve(&stream, &gate).unwrap_or_default());
            }
        });
        Ok(Self { port, gate })
    }

    /// Lets every waiting answer, and all later ones, run to their end.
    pub(super) fn release(&self) {
        *self.gate.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.gate.1.notify_all();
    }

    /// A chat request that asks this model and no source.
    pub(super) fn request(&self) -> Value {
        json!({
            "prompt": "Say two words.",
            "model": {"url": format!("http://127.0.0.1:{}", self.port), "slug": "held", "name": "held", "owner_username": "librarian"},
            "data_sources": [],
        })
    }
}

fn serve(stream: &TcpStream, gate: &(Mutex<bool>, Condvar)) -> std::io::Result<()> {
    read_request(stream)?;
    let mut out = stream;
    out.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    out.write_all(word("first").as_bytes())?;
    let open = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(gate.1.wait_timeout_while(open, LONGEST, |open| !*open));
    out.write_all(word(" second").as_bytes())?;
    out.write_all(b"data: [DONE]\n\n")
}

fn word(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}))
}

fn read_request(stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0_u64;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).map(|_| ())
}
