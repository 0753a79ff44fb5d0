//! The scripts of an operator do what the runbook says, on the programs that they really call.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::databases::Postgres;
use crate::{provision, workspace};

/// Writes a program that stands in for another one.
fn stand_in(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn generate(output: &Path, path: &str) -> Result<String> {
    let mut script = Command::new("sh");
    script.arg(workspace::root().join("scripts/generate-env.sh")).arg("--output").arg(output);
    workspace::read(script.args(["--domain", "hub.example.org"]).env("PATH", path))
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

#[test]
fn the_settings_script_writes_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("env");
    let said = generate(&output, PATH).unwrap();
    let written = fs::read_to_string(&output).unwrap();
    for name in ["SECRET_KEY", "DB_PASSWORD", "REDIS_PASSWORD", "RSA_PRIVATE_KEY_PEM", "RSA_PUBLIC_KEY_PEM"] {
        let value = written.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
        assert!(value.len() >= 32, "{name} is short");
        assert!(!value.contains("$("), "{name} was not expanded");
    }
    assert!(written.contains("DOMAIN=hub.example.org\n"));
    assert!(written.contains("COMPOSE_FILE=docker-compose.deploy.yml\n"));
    assert_eq!(fs::metadata(&output).unwrap().mode() & 0o777, 0o600);
    for name in ["data", "logs"] {
        let owner = fs::metadata(folder.path().join(name)).unwrap().uid();
        assert!(owner == 10001 || said.contains("chown -R 10001:10001"), "{name} belongs to {owner}: {said}");
    }
    generate(&output, PATH).unwrap_err();
    assert_eq!(fs::read_to_string(&output).unwrap(), written);
}

#[test]
fn a_failing_openssl_leaves_no_settings() {
    let folder = tempfile::tempdir().unwrap();
    let real = provision::path_of("openssl").unwrap();
    let script = format!("#!/bin/sh\n[ \"$1\" != rand ] || exit 1\nexec {} \"$@\"\n", real.display());
    stand_in(folder.path(), "openssl", &script);
    let output = folder.path().join("env");
    generate(&output, &format!("{}:{PATH}", folder.path().display())).unwrap_err();
    assert!(!output.exists());
}

#[test]
fn the_old_migration_command_leads_to_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    stand_in(folder.path(), "syfthub-backend", "#!/bin/sh\necho \"$@\"\n");
    let alembic = |arguments: &[&str]| {
        let mut script = Command::new("sh");
        script.arg(workspace::root().join("scripts/alembic.sh")).args(arguments);
        workspace::read(script.env("PATH", format!("{}:{PATH}", folder.path().display())))
    };
    assert_eq!(alembic(&["upgrade", "head"]).unwrap(), "migrate\n");
    assert!(alembic(&["current"]).unwrap().contains("schema_migrations"));
    assert!(alembic(&["revision", "--autogenerate"]).unwrap_err().to_string().contains("make migration"));
}

/// Docker with a real PostgreSQL in the place of the database's container; what else is asked of it is
/// written down.
const DOCKER: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$*" in
*" exec -T db "*)
    while [ "$1" != db ]; do shift; done
    shift
    exec "$@" ;;
*" exec -T redis "*) echo "redis, with $(cat)" >>"$here/calls" ;;
*) echo "$*" >>"$here/calls" ;;
esac
"#;

/// A deployment's folder, with the database `syfthub` of a server of our own.
struct Deployment {
    folder: tempfile::TempDir,
    postgres: Postgres,
}

impl Deployment {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let postgres = Postgres::start().expect("this test needs PostgreSQL; `make test` installs it");
        postgres.query("postgres", "CREATE ROLE syfthub LOGIN SUPERUSER").unwrap();
        postgres.create("syfthub").unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        stand_in(&folder.path().join("bin"), "docker", DOCKER);
        fs::write(folder.path().join(".env"), "REDIS_PASSWORD=red-is\n").unwrap();
        Self { folder, postgres }
    }

    fn script(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let programs = provision::path_of("initdb").unwrap();
        let programs = programs.parent().unwrap().display().to_string();
        let ours = self.folder.path().join("bin");
        let mut script = Command::new("sh");
        script
            .arg(workspace::root().join("scripts").join(name))
            .args(arguments)
            .current_dir(self.folder.path());
        script.env("PATH", format!("{}:{programs}:{PATH}", ours.display()));
        script.env("PGHOST", "127.0.0.1").env("PGPORT", self.postgres.port().to_string());
        workspace::read(&mut script)
    }

    fn sql(&self, sql: &str) -> String {
        self.postgres.query("syfthub", sql).unwrap().trim().to_owned()
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("bin/calls")).unwrap()
    }
}

#[test]
fn a_restored_dump_is_all_there_is_and_a_damaged_one_changes_nothing() {
    let hub = Deployment::start();
    hub.sql("CREATE TABLE users (name text PRIMARY KEY)");
    hub.sql("INSERT INTO users VALUES ('ada')");
    let dump = hub.script("backup.sh", &[]).unwrap().trim().to_owned();
    // What an upgrade after the backup has made.
    hub.sql("CREATE TABLE newer (id int)");
    hub.sql("INSERT INTO users VALUES ('eve')");

    let bytes = fs::read(hub.folder.path().join(&dump)).unwrap();
    fs::write(hub.folder.path().join("damaged.dump"), &bytes[..bytes.len() - 40]).unwrap();
    hub.script("restore.sh", &["damaged.dump"]).unwrap_err();
    assert_eq!(hub.sql("SELECT count(*) FROM users"), "2");
    assert_eq!(hub.sql("SELECT count(*) FROM newer"), "0");
    assert!(hub.calls().ends_with("up -d backend aggregator mcp proxy\n"), "{}", hub.calls());
    assert!(!hub.calls().contains("migrate"), "{}", hub.calls());

    hub.script("restore.sh", &[&dump]).unwrap();
    assert_eq!(hub.sql("SELECT string_agg(name, ',') FROM users"), "ada");
    assert_eq!(hub.sql("SELECT to_regclass('public.newer') IS NULL"), "t");
    let calls = hub.calls();
    let order =
        ["stop proxy mcp aggregator backend", "redis, with red-is", "run --rm migrate", "up -d backend"];
    let places: Vec<_> = order.iter().map(|call| calls.rfind(call)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{calls}");

    // What was restored can be backed up and restored again.
    let again = hub.script("backup.sh", &["second"]).unwrap().trim().to_owned();
    hub.script("restore.sh", &[&again]).unwrap();
    assert_eq!(hub.sql("SELECT count(*) FROM users"), "1");
}
