//! What an operator does with the keys from the command line.

use syfthub_domain::Result;

use super::rotation::KeyInfo;
use crate::App;
use crate::audit::Origin;
use crate::operator::Ring;

impl App {
    /// The keys of satellite tokens that are published.
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>> {
        self.ring_keys(Ring::Satellite).await
    }

    /// Makes a new key for satellite tokens that signs when every verifier can know it, or at once. Gives the keys
    /// after it.
    pub async fn rotate_key(&self, at_once: bool) -> Result<Vec<KeyInfo>> {
        self.rotate_ring(Ring::Satellite, at_once).await
    }

    /// Takes a retired key of satellite tokens out of the published ones before its time. Gives the keys after it.
    pub async fn retire_key(&self, kid: &str, force: bool) -> Result<Vec<KeyInfo>> {
        self.retire_in(Ring::Satellite, kid, force).await
    }

    /// The keys of a ring that are published.
    pub async fn ring_keys(&self, ring: Ring) -> Result<Vec<KeyInfo>> {
        match ring {
            Ring::Satellite => self.state.identity_provider.keys().list().await,
            Ring::Mcp => self.state.oauth.list_keys().await,
        }
    }

    /// As [`App::rotate_key`], for any ring.
    pub async fn rotate_ring(&self, ring: Ring, at_once: bool) -> Result<Vec<KeyInfo>> {
        let origin = Origin::system("cli");
        match ring {
            Ring::Satellite => self.state.identity_provider.keys().rotate(&origin, at_once).await?,
            Ring::Mcp => self.state.oauth.rotate_key(&origin, at_once).await?,
        }
        self.ring_keys(ring).await
    }

    /// As [`App::retire_key`], for any ring.
    pub async fn retire_in(&self, ring: Ring, kid: &str, force: bool) -> Result<Vec<KeyInfo>> {
        let origin = Origin::system("cli");
        match ring {
            Ring::Satellite => self.state.identity_provider.keys().retire(&origin, kid, force).await?,
            Ring::Mcp => self.state.oauth.retire_key(&origin, kid, force).await?,
        }
        self.ring_keys(ring).await
    }
}
