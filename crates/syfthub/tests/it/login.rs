//! `syfthub login` against a hub of one process, with its person in front of the pages.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::hub::{Hub, program, run, stderr, stdout};
use crate::oauth_journey::{Answer, Somebody};

const SETTINGS: &[(&str, &str)] = &[("RATE_LIMIT_ENABLED", "false")];
const PASSWORD: &str = "correct-horse-1";

/// `syfthub login` that waits, and the code that it shows.
struct Waiting {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    code: String,
    page: String,
}

fn login(directory: &Path, hub: &Hub, scope: &str) -> Waiting {
    let mut child = program(directory)
        .args(["login", "--no-browser", "--hub", &hub.url, "--scope", scope])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = |start: &str| {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line.strip_prefix(start).unwrap_or_else(|| panic!("{line}")).trim().to_owned()
    };
    let page = said("Open");
    let code = said("enter");
    Waiting { child, out, code, page }
}

impl Waiting {
    /// What it says once somebody has answered, and whether it ended well.
    fn end(mut self) -> (String, bool) {
        let mut rest = String::new();
        while self.out.read_line(&mut rest).unwrap() > 0 {}
        (rest, self.child.wait().unwrap().success())
    }
}

/// Enters a code, signs in and answers.
async fn answer(hub: &Hub, page: &str, code: &str, decision: &str) -> Answer {
    let mut person = Somebody::at(hub);
    let page = person.get(page.strip_prefix(&hub.url).unwrap()).await;
    let entered =
        person.form("/mcp/oauth/device", &[("request", &page.hidden("request")), ("user_code", code)]).await;
    let signs_in = person.get(entered.location()).await;
    let request = signs_in.hidden("request");
    let fields = [("request", request.as_str()), ("username", "ada"), ("password", PASSWORD)];
    let signed_in = person.form("/mcp/auth/syfthub/login", &fields).await;
    let asks = person.get(signed_in.location()).await;
    assert!(asks.text.contains(code) && asks.text.contains("SyftHub command line"), "{}", asks.text);
    let (request, user) = (asks.hidden("request"), asks.hidden("user"));
    let fields = [("request", request.as_str()), ("user", user.as_str()), ("decision", decision)];
    let answered = person.form("/mcp/oauth/consent", &fields).await;
    person.get(answered.location()).await
}

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_from_a_terminal_and_out_again() {
    let hub = Hub::start_in(TempDir::new().unwrap(), &["--no-demo"], SETTINGS);
    hub.register("ada").await;
    let home = TempDir::new().unwrap();
    let home = home.path();
    let waiting = login(home, &hub, "read write full");
    let done = answer(&hub, &waiting.page, &waiting.code, "allow").await;
    assert!(done.text.contains("is connected"), "{}", done.text);
    let (said, ended_well) = waiting.end();
    assert!(ended_well && said.contains("as ada"), "{said}");

    let file = home.join("syfthub/credentials.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // The hub of the sign-in is the one that is meant from now on.
    let said = good(&run(home, &["whoami"]));
    assert!(said.contains("ada at ") && said.contains("read write full"), "{said}");

    // Two commands at once whose token is over: one renews it, and both go on.
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let before = kept["hubs"][&hub.url]["refresh_token"].clone();
    kept["hubs"][&hub.url]["expires_at"] = json!(1);
    std::fs::write(&file, kept.to_string()).unwrap();
    let spawn = || program(home).arg("whoami").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let both = [spawn(), spawn()];
    for child in both {
        good(&child.wait_with_output().unwrap());
    }
    let after: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_ne!(after["hubs"][&hub.url]["refresh_token"], before);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let apps: Value = serde_json::from_str(&good(&run(home, &["apps", "list", "--json"]))).unwrap();
    assert_eq!((apps.as_array().unwrap().len(), &apps[0]["device"]), (1, &json!(true)), "{apps}");
    let list = good(&run(home, &["apps", "list"]));
    assert!(list.contains("device") && list.contains("SyftHub command line"), "{list}");
    let token = after["hubs"][&hub.url]["access_token"].as_str().unwrap();
    let (status, _) = hub.call("GET", "/api/v1/auth/me", None, Some(token)).await;
    assert_eq!(status, 200);
    assert!(good(&run(home, &["logout"])).contains("signed out"));
    let (status, _) = hub.call("GET", "/api/v1/auth/me", None, Some(token)).await;
    assert_eq!(status, 401, "the sign-in is over at the hub too");
    let refused = run(home, &["whoami", "--hub", &hub.url]);
    assert!(!refused.status.success() && stderr(&refused).contains("syfthub login"), "{}", stderr(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_was_refused_or_ended_is_said_so() {
    let hub = Hub::start_in(TempDir::new().unwrap(), &["--no-demo"], SETTINGS);
    hub.register("ada").await;
    let home = TempDir::new().unwrap();
    let home = home.path();
    let waiting = login(home, &hub, "read");
    let done = answer(&hub, &waiting.page, &waiting.code, "deny").await;
    assert!(done.text.contains("was not connected"), "{}", done.text);
    assert!(!waiting.end().1);
    assert!(!home.join("syfthub/credentials.json").exists());

    let waiting = login(home, &hub, "read write full");
    answer(&hub, &waiting.page, &waiting.code, "allow").await;
    assert!(waiting.end().1);
    let apps: Value = serde_json::from_str(&good(&run(home, &["apps", "list", "--json"]))).unwrap();
    let id = apps[0]["id"].as_str().unwrap();
    good(&run(home, &["apps", "revoke", id]));
    let over = run(home, &["whoami"]);
    assert!(
        !over.status.success() && stderr(&over).contains("does not know this sign-in"),
        "{}",
        stderr(&over)
    );
}

/// The precedence: what is named, then the environment, then the sign-in.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_environment_wins_over_the_sign_in() {
    let hub = Hub::start_in(TempDir::new().unwrap(), &["--no-demo"], SETTINGS);
    hub.register("ada").await;
    let other = hub.register("bob").await;
    let home = TempDir::new().unwrap();
    let home = home.path();
    let waiting = login(home, &hub, "read");
    answer(&hub, &waiting.page, &waiting.code, "allow").await;
    assert!(waiting.end().1);
    assert!(good(&run(home, &["whoami"])).contains("ada at "));
    let said = program(home).arg("whoami").env("SYFTHUB_API_TOKEN", &other).output().unwrap();
    assert!(good(&said).contains("bob at "));
    let refused = run(home, &["apps", "revoke", "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10"]);
    assert!(stderr(&refused).contains("--scope"), "read is not enough, and what is: {}", stderr(&refused));

    // A node publishes with the sign-in; `read` is not enough, and it says so.
    let node =
        ["node", "--model", "extract", "--name", "Quotes", "--listen", "127.0.0.1:0", "--state-dir", "s"];
    let refused = run(home, &node);
    assert!(stderr(&refused).contains("scope write"), "{}", stderr(&refused));
}
