//! The small commands.

use tempfile::TempDir;

use crate::hub::{Hub, program, run, stderr, stdout};

#[test]
fn config_shows_values_and_masks_secrets() {
    let directory = TempDir::new().unwrap();
    let output = program(directory.path())
        .arg("config")
        .env("SECRET_KEY", "0123456789abcdef0123456789abcdef-never-shown")
        .env("PORT", "9123")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("9123") && !text.contains("never-shown"), "{text}");
    assert!(!directory.path().join("data").exists(), "showing settings creates nothing");
}

#[test]
fn config_check_fails_on_a_fault() {
    let directory = TempDir::new().unwrap();
    for args in [&["config", "--check"][..], &["config", "check"][..]] {
        assert!(run(directory.path(), args).status.success());
        let output = program(directory.path()).args(args).env("PORT", "many").output().unwrap();
        assert!(!output.status.success() && stderr(&output).contains("PORT"));
    }
}

#[test]
fn migrate_creates_the_database_and_then_has_nothing_to_do() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), &["migrate"]);
    assert!(first.status.success() && stdout(&first).contains("applied"), "{}", stderr(&first));
    let second = run(directory.path(), &["migrate"]);
    assert!(stdout(&second).contains("up to date"), "{}", stdout(&second));
}

#[test]
fn doctor_is_content_with_a_fresh_machine_and_finds_a_taken_port() {
    let directory = TempDir::new().unwrap();
    let output = program(directory.path()).arg("doctor").env("PORT", "0").output().unwrap();
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = program(directory.path()).arg("doctor").env("PORT", &port).output().unwrap();
    assert!(!output.status.success());
    assert!(
        stdout(&output).contains("FAULT  address") && stdout(&output).contains("--port"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn doctor_looks_at_a_running_hub() {
    let hub = Hub::start(&["--no-demo"]);
    let output = run(hub.directory.path(), &["doctor", "--hub", &hub.url]);
    let text = stdout(&output);
    assert!(
        output.status.success() && text.contains("ok     hub") && text.contains("ok     signing key"),
        "{text}"
    );
}

#[test]
fn generated_files_are_up_to_date() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let output = run(TempDir::new().unwrap().path(), &["gen", "--check", "--root", root]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[tokio::test]
async fn keys_are_rotated_in_the_running_hub_and_without_one() {
    let hub = Hub::start(&["--no-demo"]);
    let published = async || {
        let (_, jwks) = hub.get("/.well-known/jwks.json").await;
        jwks["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let old = published().await.remove(0);
    let listed = run(hub.directory.path(), &["keys", "list"]);
    assert!(stdout(&listed).starts_with(&format!("{old}  active")), "{}{}", stdout(&listed), stderr(&listed));
    let rotated = run(hub.directory.path(), &["keys", "rotate", "--now"]);
    assert!(rotated.status.success(), "{}", stderr(&rotated));
    let now = published().await;
    assert!(now.len() == 2 && now[0] != old && now[1] == old, "the hub knows the new key at once: {now:?}");
    let refused = run(hub.directory.path(), &["keys", "retire", &old]);
    assert!(!refused.status.success() && stderr(&refused).contains("--force"), "{}", stderr(&refused));

    let (directory, _) = hub.stop();
    let retired = run(directory.path(), &["keys", "retire", &old, "--force"]);
    assert!(retired.status.success(), "{}", stderr(&retired));
    assert_eq!(stdout(&retired).lines().count(), 1, "{}", stdout(&retired));
    let told = run(directory.path(), &["audit", "list", "--target-kind", "signing_key", "--json"]);
    assert_eq!(stdout(&told).lines().count(), 2, "{}{}", stdout(&told), stderr(&told));
}

#[tokio::test]
async fn the_audit_log_is_checked_beside_a_running_hub() {
    let hub = Hub::start(&["--no-demo"]);
    let made = crate::hub::run_with_input(
        hub.directory.path(),
        &["admin", "create", "ada", "--email", "ada@example.com", "--password-stdin"],
        "correct horse 1",
    );
    assert!(made.status.success(), "{}", stderr(&made));
    let listed = run(hub.directory.path(), &["audit", "list", "--action", "user.created"]);
    let line = stdout(&listed);
    assert!(
        line.contains("cli") && line.contains("user.created") && line.contains("ada"),
        "{line}{}",
        stderr(&listed)
    );
    assert!(!line.contains("correct horse"), "{line}");
    let checked = run(hub.directory.path(), &["audit", "verify"]);
    assert!(
        checked.status.success() && stdout(&checked).contains("as it was written"),
        "{}",
        stderr(&checked)
    );
    let strange = run(hub.directory.path(), &["audit", "verify", "--known", "00"]);
    assert!(!strange.status.success() && stdout(&strange).contains("TAMPERED"), "{}", stdout(&strange));
    let nowhere = TempDir::new().unwrap();
    let missing = run(nowhere.path(), &["audit", "verify"]);
    assert!(!missing.status.success() && stderr(&missing).contains("--data-dir"), "{}", stderr(&missing));
}

#[tokio::test]
async fn clients_are_made_in_the_running_hub_and_without_one() {
    let hub = Hub::start(&["--no-demo"]);
    hub.register("robot").await;
    let add = [
        "clients",
        "add",
        "Report",
        "--id",
        "report",
        "--act-as",
        "robot",
        "--scope",
        "read write",
        "--json",
    ];
    let made = run(hub.directory.path(), &add);
    assert!(made.status.success(), "{}", stderr(&made));
    let made: serde_json::Value = serde_json::from_str(&stdout(&made)).unwrap();
    assert_eq!((&made["client_id"], &made["acts_as"]), (&"report".into(), &"robot".into()));
    let secret = made["client_secret"].as_str().unwrap();
    let again = run(hub.directory.path(), &add);
    assert!(!again.status.success() && stderr(&again).contains("already"), "{}", stderr(&again));
    let wrong = run(hub.directory.path(), &["clients", "add", "X", "--redirect-uri", "http://a.example/cb"]);
    assert!(!wrong.status.success() && stderr(&wrong).contains("plain http"), "{}", stderr(&wrong));

    let (directory, _) = hub.stop();
    let listed = run(directory.path(), &["clients", "list", "--static"]);
    assert!(stdout(&listed).starts_with("report  static"), "{}{}", stdout(&listed), stderr(&listed));
    let shown = run(directory.path(), &["clients", "show", "report"]);
    assert!(
        !stdout(&shown).contains("syft_cs_") && stdout(&shown).contains("acts_as: robot"),
        "{}",
        stdout(&shown)
    );
    let changed = run(directory.path(), &["clients", "new-secret", "report"]);
    let text = stdout(&changed);
    assert!(text.contains("client_secret: syft_cs_") && !text.contains(secret), "{text}");
    let removed = run(directory.path(), &["clients", "remove", "report"]);
    assert!(removed.status.success(), "{}", stderr(&removed));
    let missing = run(directory.path(), &["clients", "show", "report"]);
    assert!(!missing.status.success() && stderr(&missing).contains("no such"), "{}", stderr(&missing));
}
