//! Database and Redis.

use std::path::Path;

use crate::reader::{MASK, Reader};
use crate::settings::{Database, DatabaseUrl, Redis};
use crate::sources::Origin;
use crate::{Environment, Role, urls};

/// Reads the database settings. Programs without a database get the default, which they never open.
pub(super) fn database(reader: &mut Reader, environment: Environment, data_dir: &Path) -> Database {
    let default = DatabaseUrl::Sqlite(data_dir.join("syfthub.db"));
    Database {
        url: database_url(reader, environment, &default).unwrap_or(default),
        echo: reader.flag("DATABASE_ECHO", false),
        pool_size: reader.integer("DB_POOL_SIZE", 10),
        max_overflow: reader.integer("DB_MAX_OVERFLOW", 10),
        pool_timeout: reader.seconds("DB_POOL_TIMEOUT_SECONDS", 10),
        application_name: reader.role.program().to_owned(),
    }
}

fn database_url(reader: &mut Reader, environment: Environment, default: &DatabaseUrl) -> Option<DatabaseUrl> {
    let Some((setting, found)) = reader.raw("DATABASE_URL") else {
        if reader.role == Role::Backend && environment.is_production() {
            let message = "is not set; the backend needs it in production, for example \
                           postgresql://syfthub:password@db:5432/syfthub";
            reader.problem("DATABASE_URL", message);
        }
        if matches!(reader.role, Role::AllInOne | Role::Backend) {
            reader.record("DATABASE_URL", default.masked(), Origin::Default);
        }
        return None;
    };
    match urls::database(&found.value) {
        Ok(url) => {
            reader.record("DATABASE_URL", url.masked(), found.origin);
            Some(url)
        }
        Err(fault) => {
            reader.problem(&found.name, format!("{fault}; it expects {}", setting.kind.expects()));
            None
        }
    }
}

/// Reads the Redis settings.
pub(super) fn redis(reader: &mut Reader, environment: Environment) -> Option<Redis> {
    let Some((setting, found)) = reader.raw("REDIS_URL") else {
        if reader.role.is_service() && environment.is_production() {
            let message = "is not set; services share rate limits and revocations through Redis, for example \
                           redis://:password@redis:6379/0";
            reader.problem("REDIS_URL", message);
        }
        reader.record("REDIS_URL", "(not set: in-process memory)".to_owned(), Origin::Default);
        return None;
    };
    match urls::redis(&found.value) {
        Ok(url) => {
            let shown = if url.expose().contains('@') { urls::masked(url.expose()) } else { MASK.to_owned() };
            reader.record("REDIS_URL", shown, found.origin);
            Some(Redis { url })
        }
        Err(fault) => {
            reader.problem(&found.name, format!("{fault}; it expects {}", setting.kind.expects()));
            None
        }
    }
}
