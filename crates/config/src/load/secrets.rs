//! Master secrets and RSA keys.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::GeneratedSecret;
use crate::input::read_text;
use crate::reader::{MASK, Reader};
use crate::settings::{EncryptionKey, RsaKeys, Secrets};
use crate::sources::Origin;
use crate::{Secret, generated};

/// Name of the file of the generated master key.
const MASTER_FILE: &str = "secret_key";
/// Shortest secret in bytes.
const SHORTEST: usize = 32;
/// Parts of texts that stand in documents in place of a secret.
const PLACEHOLDERS: &[&str] = &[
    "change-this",
    "change_this",
    "changethis",
    "change-me",
    "change_me",
    "changeme",
    "replace-me",
    "replace_me",
    "replaceme",
    "placeholder",
    "your-",
    "your_",
    "insecure",
    "$(",
    "${",
    "<",
    "example",
];

/// Reads the master secrets; `syfthub serve` generates the master key once when none is set.
pub(super) fn master(
    reader: &mut Reader,
    data_dir: &Path,
    dry_run: bool,
    generated: &mut Vec<GeneratedSecret>,
) -> Secrets {
    let given = strong(reader, "SECRET_KEY");
    let mut previous = optional_secret(reader, "SECRET_KEY_PREVIOUS");
    let secret_key = match given {
        Given::Good(secret) => {
            previous = previous.or_else(|| replaced_key(reader, data_dir, &secret));
            secret
        }
        Given::Bad => Secret::default(),
        Given::Missing if reader.role.is_service() => {
            let message = "is not set; all services must share it: run `openssl rand -hex 32` once and set the \
                           result for each of them";
            reader.problem("SECRET_KEY", message);
            Secret::default()
        }
        Given::Missing => kept_key(reader, data_dir, dry_run, generated),
    };
    let jwt_secret = match strong(reader, "JWT_SECRET") {
        Given::Good(secret) => Some(secret),
        Given::Missing => {
            reader.record("JWT_SECRET", "(derived from SECRET_KEY)".to_owned(), Origin::Default);
            None
        }
        Given::Bad => None,
    };
    let encryption_key =
        reader.optional("ENCRYPTION_KEY_BASE64", |_, text| parse_key32(text), |_| MASK.to_owned());
    Secrets { secret_key, secret_key_previous: previous, jwt_secret, encryption_key }
}

enum Given {
    Good(Secret),
    Bad,
    Missing,
}

/// Reads a secret that must be long and no placeholder.
fn strong(reader: &mut Reader, name: &'static str) -> Given {
    let before = reader.problems.len();
    let Some((_, found)) = reader.raw(name) else {
        return if reader.problems.len() > before { Given::Bad } else { Given::Missing };
    };
    if let Some(fault) = weakness(&found.value) {
        reader.problem(
            &found.name,
            format!("{fault} (set in {}); run `openssl rand -hex 32` and set the result", found.origin),
        );
        return Given::Bad;
    }
    reader.record(name, MASK.to_owned(), found.origin);
    Given::Good(Secret::new(found.value))
}

/// Says why a secret is refused.
fn weakness(value: &str) -> Option<&'static str> {
    let lower = value.to_ascii_lowercase();
    if PLACEHOLDERS.iter().any(|part| lower.contains(part)) {
        return Some("is a placeholder from the documentation, which everybody knows");
    }
    if value.len() < SHORTEST {
        return Some("is shorter than 32 characters, so it can be guessed");
    }
    let first = value.as_bytes().first();
    value
        .bytes()
        .all(|byte| Some(&byte) == first)
        .then_some("is one character repeated, so it can be guessed")
}

fn optional_secret(reader: &mut Reader, name: &'static str) -> Option<Secret> {
    reader.optional(name, |_, text| Some(Secret::new(text)), |_| MASK.to_owned())
}

/// A hub that began with a generated key and is then given one keeps opening what the old key sealed.
fn replaced_key(reader: &mut Reader, data_dir: &Path, current: &Secret) -> Option<Secret> {
    if reader.role.is_service() {
        return None;
    }
    let kept = generated::read(data_dir, MASTER_FILE).ok().flatten()?;
    let replaced = kept != *current;
    if replaced {
        let path = generated::path(data_dir, MASTER_FILE);
        reader.warnings.push(format!(
            "SECRET_KEY replaces the generated key in {}, which is still used to open what it sealed",
            path.display()
        ));
    }
    replaced.then_some(kept)
}

fn kept_key(
    reader: &mut Reader,
    data_dir: &Path,
    dry_run: bool,
    generated: &mut Vec<GeneratedSecret>,
) -> Secret {
    let path = generated::path(data_dir, MASTER_FILE);
    let origin = Origin::Generated(path.clone());
    if dry_run {
        let kept = generated::read(data_dir, MASTER_FILE).unwrap_or_else(|fault| {
            reader.problem("SECRET_KEY", fault);
            None
        });
        let shown = if kept.is_some() { MASK } else { "(generated at the first start)" };
        reader.record("SECRET_KEY", shown.to_owned(), origin);
        return kept.unwrap_or_else(generated::random);
    }
    match generated::keep(data_dir, MASTER_FILE) {
        Ok(kept) => {
            if kept.new {
                generated.push(GeneratedSecret { setting: "SECRET_KEY", path: kept.path.clone() });
                reader.warnings.push(format!(
                    "SECRET_KEY is not set: a key was generated in {}; keep it with your backups",
                    path.display()
                ));
            }
            if kept.tightened {
                reader.warnings.push(format!(
                    "{} could be read by other users and is now closed to them",
                    path.display()
                ));
            }
            reader.record("SECRET_KEY", MASK.to_owned(), origin);
            kept.secret
        }
        Err(fault) => {
            let remedy = "set SYFTHUB_DATA_DIR to a directory that this user may write to, or set SECRET_KEY";
            reader.problem("SECRET_KEY", format!("is not set and cannot be generated: {fault}; {remedy}"));
            Secret::default()
        }
    }
}

fn parse_key32(text: &str) -> Option<EncryptionKey> {
    let bytes = decode(text)?;
    Some(EncryptionKey::new(bytes.try_into().ok()?))
}

/// Decodes base64 of any alphabet, with or without padding, with line breaks.
fn decode(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(compact.as_bytes()).ok())
}

/// Reads the RSA keys that the operator pins; `other` is that of the MCP service.
pub(super) fn rsa(reader: &mut Reader, other: Option<&Secret>) -> RsaKeys {
    let private = pem(reader, "RSA_PRIVATE_KEY_PEM", "RSA_PRIVATE_KEY_PATH", "PRIVATE KEY");
    let public = pem(reader, "RSA_PUBLIC_KEY_PEM", "RSA_PUBLIC_KEY_PATH", "PUBLIC KEY");
    if public.is_some() && private.is_none() {
        let message = "is set without RSA_PRIVATE_KEY_PEM; set both, or none to let the hub generate its key";
        reader.problem("RSA_PUBLIC_KEY_PEM", message);
    }
    if private.is_some() && private.as_deref() == other.map(Secret::expose) {
        let message = "is the key of RSA_PRIVATE_KEY_PEM; give the OAuth server a key of its own, or none to let it make one";
        reader.problem("MCP_RSA_PRIVATE_KEY_PEM", message);
    }
    let size = reader.choice("RSA_KEY_SIZE", "2048").parse().unwrap_or(2048);
    RsaKeys { private_pem: private.map(Secret::new), public_pem: public, size }
}

/// Reads the RSA key of the MCP service that the operator pins. It is never the hub's own.
pub(super) fn mcp_key(reader: &mut Reader) -> Option<Secret> {
    pem(reader, "MCP_RSA_PRIVATE_KEY_PEM", "MCP_RSA_PRIVATE_KEY_PATH", "PRIVATE KEY").map(Secret::new)
}

/// Reads a key from its value, else from the file of its path setting.
fn pem(reader: &mut Reader, name: &'static str, path_name: &'static str, label: &str) -> Option<String> {
    let parse = |text: &str| parse_pem(text).filter(|pem| pem.contains(label));
    let value = reader.optional(name, |_, text| parse(text), |_| "(given)".to_owned());
    let path: Option<PathBuf> = reader.path(path_name);
    if value.is_some() {
        return value;
    }
    let path = path?;
    let key = match read_text(&path) {
        Ok(Some(text)) => parse(&text).ok_or_else(|| format!("holds no {label} as PEM")),
        Ok(None) => Err("does not exist".to_owned()),
        Err(fault) => Err(fault),
    };
    key.map_err(|fault| {
        reader.problem(path_name, format!("names the file {}, which {fault}", path.display()));
    })
    .ok()
}

/// Reads PEM text, PEM text with `\n` written out, or the base64 of either.
fn parse_pem(text: &str) -> Option<String> {
    let plain = if text.contains("-----BEGIN ") {
        text.replace("\\n", "\n")
    } else {
        String::from_utf8(decode(text)?).ok()?
    };
    (plain.contains("-----BEGIN ") && plain.contains("-----END ")).then_some(plain)
}
