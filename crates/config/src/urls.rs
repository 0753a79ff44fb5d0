//! Reading database and Redis addresses as people write them.

use std::fmt::Write as _;
use std::path::PathBuf;

use url::Url;

use crate::{DatabaseUrl, Secret};

/// Options of other programs' connection pools that appear in addresses; they mean nothing to the server.
const POOL_OPTIONS: &[&str] =
    &["pool_size", "max_overflow", "pool_pre_ping", "pool_timeout", "pool_recycle", "echo"];

/// Reads `DATABASE_URL`. The error says what is wrong, without the value.
pub(crate) fn database(text: &str) -> Result<DatabaseUrl, String> {
    let Some((scheme, _)) = text.split_once(':') else {
        return Err("has no scheme such as sqlite:// or postgresql://".to_owned());
    };
    let scheme = scheme.to_ascii_lowercase();
    match scheme.split('+').next().unwrap_or_default() {
        "sqlite" => sqlite(&text[scheme.len() + 1..]),
        "postgres" | "postgresql" => postgres(&text[scheme.len() + 1..]),
        _ => Err("has a scheme that is neither sqlite nor postgresql".to_owned()),
    }
}

/// Three slashes are relative and four absolute, as SQLAlchemy reads them.
fn sqlite(rest: &str) -> Result<DatabaseUrl, String> {
    let path = rest.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("///").or_else(|| path.strip_prefix("//")).unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") {
        return Err("names no file; a database in memory would lose everything at the end".to_owned());
    }
    Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
}

fn postgres(rest: &str) -> Result<DatabaseUrl, String> {
    let rest = rest.strip_prefix("//").ok_or("needs // after the scheme")?;
    let (address, query) = rest.split_once('?').map_or((rest, None), |(left, right)| (left, Some(right)));
    let mut url = format!("postgresql://{}", escape_user(address));
    let kept: Vec<&str> = query.unwrap_or_default().split('&').filter(|pair| !is_pool_option(pair)).collect();
    if kept.iter().any(|pair| !pair.is_empty()) {
        let _ = write!(url, "?{}", kept.join("&"));
    }
    check(&url)?;
    Ok(DatabaseUrl::Postgres(Secret::new(url)))
}

fn is_pool_option(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    POOL_OPTIONS.contains(&name)
}

/// Reads `REDIS_URL`.
pub(crate) fn redis(text: &str) -> Result<Secret, String> {
    let (scheme, rest) = text.split_once("://").ok_or("has no scheme such as redis://")?;
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "redis" | "rediss" => {
            let url = format!("{scheme}://{}", escape_user(rest));
            check(&url)?;
            Ok(Secret::new(url))
        }
        "unix" | "redis+unix" => Ok(Secret::new(format!("redis+unix://{rest}"))),
        _ => Err("has a scheme that is neither redis, rediss nor unix".to_owned()),
    }
}

fn check(url: &str) -> Result<(), String> {
    Url::parse(url).map(|_| ()).map_err(|error| format!("is not a valid address ({error})"))
}

/// Percent-encodes the user information of `user:password@host/path`, so that a password from
/// `openssl rand -base64` (with `/`, `+` and `=`) works as it is. What is encoded already stays.
///
/// The user information ends at the last `@` before the path, or, when there is none there, at the last
/// `@` at all: a raw `/` in a password is far more likely than an `@` in a database name.
fn escape_user(address: &str) -> String {
    let authority = address.find('/').map_or(address, |slash| &address[..slash]);
    let Some(at) = authority.rfind('@').or_else(|| address.rfind('@')) else { return address.to_owned() };
    let (user, host) = (&address[..at], &address[at + 1..]);
    match user.split_once(':') {
        Some((name, password)) => format!("{}:{}@{host}", escape(name), escape(password)),
        None => format!("{}@{host}", escape(user)),
    }
}

fn escape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    for (index, byte) in bytes.iter().copied().enumerate() {
        let encoded_already = byte == b'%'
            && bytes.get(index + 1..index + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || encoded_already {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Writes an address with its password replaced, for listings.
pub(crate) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "********".to_owned() };
    let Some((user, host)) = rest.split_once('@') else {
        return format!("{scheme}://{}", without_query(rest));
    };
    let name = user.split(':').next().unwrap_or_default();
    let password = if user.contains(':') { ":********" } else { "" };
    format!("{scheme}://{name}{password}@{}", without_query(host))
}

/// A query may carry a password too.
fn without_query(text: &str) -> String {
    text.split_once('?').map_or_else(|| text.to_owned(), |(left, _)| format!("{left}?…"))
}

impl DatabaseUrl {
    /// Writes the address that standard tools (`psql`, `pg_dump`, `sqlite3`) understand: a clean URL for
    /// PostgreSQL, **with its password**, or the path of the SQLite file.
    pub fn for_tools(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => url.expose().to_owned(),
        }
    }

    /// Writes the address without its password.
    pub fn masked(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:///{}", path.display()),
            Self::Postgres(url) => masked(url.expose()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::{any, proptest};
    use url::Url;

    use super::{database, masked, redis};
    use crate::DatabaseUrl;

    fn postgres(text: &str) -> String {
        match database(text).unwrap() {
            DatabaseUrl::Postgres(url) => url.expose().to_owned(),
            DatabaseUrl::Sqlite(path) => panic!("sqlite {path:?}"),
        }
    }

    fn sqlite(text: &str) -> PathBuf {
        match database(text).unwrap() {
            DatabaseUrl::Sqlite(path) => path,
            DatabaseUrl::Postgres(_) => panic!("postgres"),
        }
    }

    #[test]
    fn sqlite_paths() {
        assert_eq!(sqlite("sqlite:///./syfthub.db"), PathBuf::from("./syfthub.db"));
        assert_eq!(sqlite("sqlite:///x.db?mode=rwc"), PathBuf::from("x.db"));
        assert_eq!(sqlite("sqlite:////var/lib/x.db"), PathBuf::from("/var/lib/x.db"));
        assert_eq!(sqlite("sqlite+aiosqlite:///x.db"), PathBuf::from("x.db"));
        assert_eq!(sqlite("sqlite:x.db"), PathBuf::from("x.db"));
        for bad in ["sqlite://", "sqlite:///", "sqlite::memory:", "mysql://h/d", "nonsense", ""] {
            assert!(database(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn postgres_schemes_and_pool_options() {
        let clean = "postgresql://u:p@h:5432/d";
        for text in [
            "postgres://u:p@h:5432/d",
            clean,
            "postgresql+psycopg2://u:p@h:5432/d",
            "POSTGRES://u:p@h:5432/d",
        ] {
            assert_eq!(postgres(text), clean);
        }
        let pooled = "postgresql://u:p@h:5432/d?pool_size=20&max_overflow=10&pool_pre_ping=true";
        assert_eq!(postgres(pooled), clean);
        assert_eq!(
            postgres("postgres://h/d?pool_size=2&sslmode=require"),
            "postgresql://h/d?sslmode=require"
        );
        assert_eq!(postgres("postgres:///d?host=/run/postgresql"), "postgresql:///d?host=/run/postgresql");
        assert_eq!(postgres("postgres://u:p%2Fq@h/d"), "postgresql://u:p%2Fq@h/d");
        assert_eq!(postgres("postgres://u:p@ss@h/d"), "postgresql://u:p%40ss@h/d");
        assert_eq!(postgres("postgres://u:12/ab@h:5/d"), "postgresql://u:12%2Fab@h:5/d");
    }

    #[test]
    fn masks_passwords() {
        assert_eq!(masked("postgresql://u:p%40x@h:5/d?password=x"), "postgresql://u:********@h:5/d?…");
        assert_eq!(masked("redis://h:6379/0"), "redis://h:6379/0");
        assert_eq!(database("sqlite:////a/b.db").unwrap().masked(), "sqlite:////a/b.db");
    }

    #[test]
    fn redis_addresses() {
        assert_eq!(redis("redis://h:6379/0").unwrap().expose(), "redis://h:6379/0");
        assert_eq!(redis("unix:///run/r.sock").unwrap().expose(), "redis+unix:///run/r.sock");
        assert!(redis("http://h").is_err());
        assert!(redis("h:6379").is_err());
    }

    fn decoded(password: &str) -> String {
        let query = format!("p={}", password.replace('+', "%2B"));
        url::form_urlencoded::parse(query.as_bytes()).next().unwrap().1.into_owned()
    }

    proptest! {
        #[test]
        fn base64_passwords_survive(bytes in any::<[u8; 24]>(), longer in any::<[u8; 32]>()) {
            for password in [STANDARD.encode(bytes), STANDARD.encode(longer)] {
                let url = postgres(&format!("postgresql://syfthub:{password}@db:5432/syfthub"));
                let url = Url::parse(&url).unwrap();
                assert_eq!(decoded(url.password().unwrap()), password);
                assert_eq!((url.username(), url.host_str(), url.port(), url.path()), ("syfthub", Some("db"), Some(5432), "/syfthub"));
                let url = redis(&format!("redis://:{password}@redis:6379/0")).unwrap();
                let url = Url::parse(url.expose()).unwrap();
                assert_eq!(decoded(url.password().unwrap()), password);
                assert_eq!((url.username(), url.host_str(), url.port(), url.path()), ("", Some("redis"), Some(6379), "/0"));
            }
        }

        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = database(&text);
            let _ = redis(&text);
        }
    }
}
