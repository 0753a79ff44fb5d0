//! The hub's RSA keys: given by the operator, or generated once and kept sealed in the database, where all
//! replicas find them.

use std::sync::Arc;

use syfthub_auth::keys::{KeyBits, KeyRing, PublicKey, SigningKey};
use syfthub_auth::sealing::{Sealer, WrappedKey, WrappingKeys};
use syfthub_config::Settings;
use syfthub_domain::{Error, Result, SharedClock, Timestamp};
use syfthub_store::keys::SigningKeyRow;
use syfthub_store::{Db, keys};

/// What satellite tokens are signed with. It is never used for anything else.
const PURPOSE: &str = "satellite";

/// Loads the key ring. Keys of the environment win and are never written to the database.
pub(crate) async fn load(
    db: &Db,
    settings: &Settings,
    sealer: &Sealer,
    clock: &SharedClock,
) -> Result<KeyRing> {
    let now = clock.now();
    let (ring, origin) = if let Some(private) = &settings.rsa.private_pem {
        let key = SigningKey::from_pem(private.expose(), settings.rsa.public_pem.as_deref())?;
        (KeyRing::new(Arc::new(key), published(db, now).await?), "given by the environment, pinned")
    } else {
        stored(db, settings, sealer, now).await?
    };
    let active = ring.active();
    let all = ring.public_keys().len();
    tracing::info!(
        target: "syfthub.api.identity",
        kid = active.kid(), published = all, origin,
        "RSA keys ready"
    );
    Ok(ring)
}

/// Public halves of the database's keys, so that tokens signed before the operator pinned a key stay good.
async fn published(db: &Db, now: Timestamp) -> Result<Vec<PublicKey>> {
    let rows = keys::list(db, PURPOSE).await?;
    rows.iter()
        .filter(|row| verifies(row, now))
        .map(|row| Ok(PublicKey::from_pem(&row.public_pem)?))
        .collect()
}

fn verifies(row: &SigningKeyRow, now: Timestamp) -> bool {
    row.expires_at.is_none_or(|end| end > now)
}

async fn stored(
    db: &Db,
    settings: &Settings,
    sealer: &Sealer,
    now: Timestamp,
) -> Result<(KeyRing, &'static str)> {
    let mut rows = keys::list(db, PURPOSE).await?;
    let mut origin = "from the database";
    if rows.iter().all(|row| row.retired_at.is_some()) {
        let row = generated(settings, sealer, now).await?;
        let mut tx = db.begin().await?;
        if keys::insert_first(&mut tx, &row).await? {
            origin = "generated on first start";
        }
        tx.commit().await?;
        rows = keys::list(db, PURPOSE).await?;
    }
    let active = rows.iter().find(|row| row.retired_at.is_none());
    let active = active.ok_or_else(|| Error::internal("no RSA key could be stored"))?;
    let der = sealer.open(&active.private_sealed, &context(&active.kid))?;
    let key = SigningKey::from_pkcs8_der(&der)?;
    let retired = rows.iter().filter(|row| row.retired_at.is_some() && verifies(row, now));
    let retired =
        retired.map(|row| PublicKey::from_pem(&row.public_pem)).collect::<std::result::Result<_, _>>()?;
    Ok((KeyRing::new(Arc::new(key), retired), origin))
}

async fn generated(settings: &Settings, sealer: &Sealer, now: Timestamp) -> Result<SigningKeyRow> {
    let bits = KeyBits::from_bits(settings.rsa.size).unwrap_or_default();
    let key = tokio::task::spawn_blocking(move || SigningKey::generate_with(bits))
        .await
        .map_err(Error::internal)??;
    let kid = key.kid().to_owned();
    Ok(SigningKeyRow {
        purpose: PURPOSE.to_owned(),
        private_sealed: sealer.seal(&key.to_pkcs8_der()?, &context(&kid))?,
        public_pem: key.public().to_pem()?,
        kid,
        created_at: now,
        activated_at: Some(now),
        retired_at: None,
        expires_at: None,
    })
}

/// A sealed key opens only in the row that it was sealed for.
fn context(kid: &str) -> Vec<u8> {
    format!("signing-key:{kid}").into_bytes()
}

/// Opens the data keys of the database, making the first one on an empty hub.
pub(crate) async fn sealer(db: &Db, settings: &Settings, now: Timestamp) -> Result<Sealer> {
    let secrets = &settings.secrets;
    let encryption_key = secrets.encryption_key.as_ref();
    let wrapping =
        WrappingKeys::choose(encryption_key, &secrets.secret_key, secrets.secret_key_previous.as_ref());
    if keys::list_sealing(db).await?.is_empty() {
        let (_, first) = Sealer::create(&wrapping)?;
        let mut tx = db.begin().await?;
        keys::insert_first_sealing(&mut tx, &first.bytes, now).await?;
        tx.commit().await?;
    }
    let rows = keys::list_sealing(db).await?;
    let rows: Vec<WrappedKey> = rows
        .into_iter()
        .map(|row| {
            Ok(WrappedKey {
                version: u32::try_from(row.version).map_err(Error::internal)?,
                bytes: row.wrapped,
            })
        })
        .collect::<Result<_>>()?;
    let opened = Sealer::open_rows(&wrapping, &rows)?;
    if !opened.rewrapped.is_empty() {
        let mut tx = db.begin().await?;
        for row in &opened.rewrapped {
            keys::rewrap_sealing(&mut tx, i64::from(row.version), &row.bytes).await?;
        }
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.identity", rows = opened.rewrapped.len(), "identity.sealing_keys.rewrapped");
    }
    Ok(opened.sealer)
}
