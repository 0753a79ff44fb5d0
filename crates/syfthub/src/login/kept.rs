//! What sign-ins left on this machine: one file for its owner alone, changed under a lock.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use syfthub_config::{Input, Secret};
use url::Url;

/// Said where there is no place for the file.
pub(super) const NO_HOME: &str =
    "no home directory is known: set HOME, or XDG_CONFIG_HOME to the directory where settings are kept";
/// How long another command may hold the file; a refresh is one request.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is tried meanwhile.
const AGAIN: Duration = Duration::from_millis(50);
/// A larger file is not ours.
const LARGEST: u64 = 1024 * 1024;

/// A sign-in at one hub.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) scope: String,
    pub(super) token_endpoint: Url,
    pub(super) revocation_endpoint: Option<Url>,
    access_token: String,
    refresh_token: String,
    /// When the access token ends; seconds since 1970.
    pub(super) expires_at: i64,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Login {
    /// Of nobody yet.
    pub(super) fn new(token_endpoint: Url, revocation_endpoint: Option<Url>) -> Self {
        Self {
            username: String::new(),
            scope: String::new(),
            token_endpoint,
            revocation_endpoint,
            access_token: String::new(),
            refresh_token: String::new(),
            expires_at: 0,
        }
    }

    pub(super) fn of(self, username: &str) -> Self {
        Self { username: username.to_owned(), ..self }
    }

    /// With new tokens; what was not given anew stays.
    pub(super) fn with(
        mut self,
        access: String,
        refresh: Option<String>,
        scope: Option<String>,
        ends: i64,
    ) -> Self {
        self.access_token = access;
        self.refresh_token = refresh.unwrap_or(self.refresh_token);
        self.scope = scope.unwrap_or(self.scope);
        self.expires_at = ends;
        self
    }

    pub(super) fn access_token(&self) -> Secret {
        Secret::new(&*self.access_token)
    }

    pub(super) fn refresh_token(&self) -> Secret {
        Secret::new(&*self.refresh_token)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    /// The hub of the last sign-in.
    last: Option<Url>,
    hubs: BTreeMap<String, Login>,
}

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    directory: PathBuf,
}

/// The file while nobody else changes it.
pub(super) struct Locked<'k> {
    kept: &'k Kept,
    /// Unlocked when it is closed.
    _lock: File,
}

/// How hubs are told apart.
fn key(hub: &Url) -> String {
    hub.as_str().trim_end_matches('/').to_owned()
}

impl Kept {
    /// In the settings of the user who runs this; nowhere when they have no home.
    pub(super) fn of_user(input: &Input) -> Option<Self> {
        let base = match (input.variable("XDG_CONFIG_HOME"), input.variable("HOME")) {
            (Some(settings), _) => PathBuf::from(settings),
            (None, Some(home)) => Path::new(home).join(".config"),
            (None, None) => return None,
        };
        Some(Self { directory: base.join("syfthub") })
    }

    fn file(&self) -> PathBuf {
        self.directory.join("credentials.json")
    }

    fn content(&self) -> anyhow::Result<Content> {
        let file = self.file();
        let broken = || format!("cannot read {}; mend it, or delete it and sign in again", file.display());
        match fs::metadata(&file) {
            Ok(facts) if facts.len() > LARGEST => bail!(broken()),
            Ok(_) => {
                let text = fs::read(&file).with_context(broken)?;
                serde_json::from_slice(&text).with_context(broken)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Content::default()),
            Err(error) => Err(error).with_context(broken),
        }
    }

    /// The sign-in at a hub.
    pub(super) fn find(&self, hub: &Url) -> anyhow::Result<Option<Login>> {
        Ok(self.content()?.hubs.remove(&key(hub)))
    }

    /// The hub of the last sign-in that is not over.
    pub(super) fn last_hub(&self) -> anyhow::Result<Option<Url>> {
        let content = self.content()?;
        Ok(content.last.filter(|hub| content.hubs.contains_key(&key(hub))))
    }

    /// Every hub with a sign-in.
    pub(super) fn hubs(&self) -> anyhow::Result<Vec<Url>> {
        self.content()?.hubs.keys().map(|hub| hub.parse().map_err(Into::into)).collect()
    }

    /// Waits until no other command changes the file.
    pub(super) async fn lock(&self) -> anyhow::Result<Locked<'_>> {
        let cannot = || format!("cannot write below {}", self.directory.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).with_context(cannot)?;
        let path = self.directory.join("credentials.lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
        let lock = lock.with_context(cannot)?;
        let over = tokio::time::Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Locked { kept: self, _lock: lock }),
                Err(TryLockError::WouldBlock) if tokio::time::Instant::now() < over => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(TryLockError::WouldBlock) => {
                    bail!("another syfthub command holds the sign-ins for too long; end it and try again")
                }
                Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
            }
        }
    }
}

impl Locked<'_> {
    pub(super) fn find(&self, hub: &Url) -> anyhow::Result<Option<Login>> {
        self.kept.find(hub)
    }

    /// Keeps a sign-in; gives the one before it.
    pub(super) fn put(&mut self, hub: &Url, login: Login) -> anyhow::Result<Option<Login>> {
        let mut content = self.kept.content()?;
        content.last = Some(hub.clone());
        let before = content.hubs.insert(key(hub), login);
        self.write(&content)?;
        Ok(before)
    }

    /// Replaces the tokens of a sign-in.
    pub(super) fn update(&mut self, hub: &Url, login: Login) -> anyhow::Result<()> {
        let mut content = self.kept.content()?;
        content.hubs.insert(key(hub), login);
        self.write(&content)
    }

    /// Forgets a sign-in; gives it.
    pub(super) fn remove(&mut self, hub: &Url) -> anyhow::Result<Option<Login>> {
        let mut content = self.kept.content()?;
        let taken = content.hubs.remove(&key(hub));
        if taken.is_some() {
            self.write(&content)?;
        }
        Ok(taken)
    }

    /// Whole or not at all, and never readable for others: temporary files are made with mode 0600.
    fn write(&mut self, content: &Content) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.kept.file().display());
        let mut file = tempfile::NamedTempFile::new_in(&self.kept.directory).with_context(cannot)?;
        file.write_all(serde_json::to_string_pretty(content)?.as_bytes()).with_context(cannot)?;
        file.as_file().sync_all().with_context(cannot)?;
        file.persist(self.kept.file()).with_context(cannot)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn login(name: &str) -> Login {
        let endpoint: Url = "https://hub.example/mcp/oauth/token".parse().unwrap();
        Login::new(endpoint, None).with("a".into(), Some("r".into()), None, 7).of(name)
    }

    #[tokio::test]
    async fn sign_ins_are_kept_per_hub_and_for_their_owner_alone() {
        let home = tempfile::TempDir::new().unwrap();
        let input = Input::from_env([("XDG_CONFIG_HOME", home.path().display().to_string())]);
        let kept = Kept::of_user(&input).unwrap();
        let (one, two): (Url, Url) =
            ("https://hub.example".parse().unwrap(), "http://localhost:8080/".parse().unwrap());
        assert!(kept.find(&one).unwrap().is_none() && kept.last_hub().unwrap().is_none());
        {
            let mut locked = kept.lock().await.unwrap();
            assert!(locked.put(&one, login("ada")).unwrap().is_none());
            assert_eq!(locked.put(&one, login("bob")).unwrap().unwrap().username, "ada");
            locked.put(&two, login("eve")).unwrap();
        }
        assert_eq!(kept.last_hub().unwrap(), Some(two.clone()));
        assert_eq!(kept.find(&"https://hub.example/".parse().unwrap()).unwrap().unwrap().username, "bob");
        let mode = fs::metadata(kept.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        kept.lock().await.unwrap().remove(&two).unwrap();
        assert_eq!((kept.last_hub().unwrap(), kept.hubs().unwrap()), (None, vec![one.clone()]));
        assert!(!format!("{:?}", kept.find(&one).unwrap().unwrap()).contains("token"));
        fs::write(kept.file(), "{").unwrap();
        assert!(kept.find(&one).unwrap_err().to_string().contains("sign in again"));
    }

    #[tokio::test(start_paused = true)]
    async fn one_command_at_a_time_changes_the_file() {
        let home = tempfile::TempDir::new().unwrap();
        let kept = Kept { directory: home.path().join("syfthub") };
        let first = kept.lock().await.unwrap();
        let refused = kept.lock().await.err().unwrap();
        assert!(refused.to_string().contains("another syfthub command"), "{refused}");
        drop(first);
        kept.lock().await.unwrap();
    }
}
