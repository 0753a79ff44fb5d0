//! What an operator does with the keys from the command line.

use syfthub_domain::Result;

use super::rotation::KeyInfo;
use crate::App;
use crate::audit::Origin;

impl App {
    /// The keys that are published.
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>> {
        self.state.identity_provider.keys().list().await
    }

    /// Makes a new key that signs when every verifier can know it, or at once. Gives the keys after it.
    pub async fn rotate_key(&self, at_once: bool) -> Result<Vec<KeyInfo>> {
        let keys = self.state.identity_provider.keys();
        keys.rotate(&Origin::system("cli"), at_once).await?;
        keys.list().await
    }

    /// Takes a retired key out of the published ones before its time. Gives the keys after it.
    pub async fn retire_key(&self, kid: &str, force: bool) -> Result<Vec<KeyInfo>> {
        let keys = self.state.identity_provider.keys();
        keys.retire(&Origin::system("cli"), kid, force).await?;
        keys.list().await
    }
}
