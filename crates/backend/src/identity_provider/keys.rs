//! The hub's RSA keys: given by the operator, or generated once and kept sealed in the database, where all
//! replicas find them.

use syfthub_auth::keys::{KeyBits, SigningKey};
use syfthub_auth::sealing::{Sealer, WrappedKey, WrappingKeys};
use syfthub_config::Settings;
use syfthub_domain::{Error, Result, Timestamp};
use syfthub_store::keys::SigningKeyRow;
use syfthub_store::{Db, keys};

/// What satellite tokens are signed with. It is never used for anything else.
pub(super) const PURPOSE: &str = "satellite";

/// Makes the first key of an empty hub. Replicas that start at the same time end with the same one. Whether this
/// call made it.
pub(super) async fn insert_first(
    db: &Db,
    settings: &Settings,
    sealer: &Sealer,
    now: Timestamp,
) -> Result<bool> {
    let rows = keys::list(db, PURPOSE).await?;
    if rows.iter().any(|row| row.retired_at.is_none()) {
        return Ok(false);
    }
    let row = generated(settings, sealer, now).await?;
    let mut tx = db.begin().await?;
    let made = keys::insert_first(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(made)
}

/// The private key of a row.
pub(super) fn open_row(sealer: &Sealer, row: &SigningKeyRow) -> Result<SigningKey> {
    let der = sealer.open(&row.private_sealed, &context(&row.kid))?;
    Ok(SigningKey::from_pkcs8_der(&der)?)
}

/// A new key that signs from now on.
pub(super) async fn generated(settings: &Settings, sealer: &Sealer, now: Timestamp) -> Result<SigningKeyRow> {
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
