//! Loading: from the sources to checked settings, with all faults reported at once.

mod addresses;
mod audit;
mod chat;
mod features;
mod health;
mod hub;
mod mail;
mod optional;
mod secrets;
mod sign_in;
mod storage;
mod wallet;

use std::fmt;
use std::path::PathBuf;

use crate::reader::{Effective, Reader};
use crate::settings::{Log, LogFormat, LogLevel, MetricsListen, Otlp};
use crate::sources::Sources;
use crate::{DEFAULT_BODY_LIMIT, Environment, Http, Input, Role, Settings, table};

/// Something wrong with a setting. Never contains the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting or source it is about.
    pub setting: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Everything wrong with the settings, reported at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{} {}", problem.setting, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A secret made by this load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedSecret {
    /// Name of the setting it stands for.
    pub setting: &'static str,
    /// File it was written to, readable by the owner only.
    pub path: PathBuf,
}

/// The result of a load.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Which process they are for.
    pub role: Role,
    /// Secrets made by this load.
    pub generated: Vec<GeneratedSecret>,
    /// Things an operator should know.
    pub warnings: Vec<String>,
    /// Every value in force with its origin, secrets masked, in the order of the table.
    pub effective: Vec<Effective>,
}

/// Loads the settings of one process. Unless `input.dry_run` is set it may create the data directory and
/// a generated secret in it; it opens nothing else.
pub fn load(role: Role, input: &Input) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let sources = Sources::collect(input, &mut problems);
    let mut reader = Reader { role, sources, problems, warnings: Vec::new(), effective: Vec::new() };
    let mut generated = Vec::new();
    let settings = read_all(&mut reader, input.dry_run, &mut generated);
    for (name, reason) in table::WITHOUT_EFFECT {
        if reader.sources.is_set(name) {
            reader.warnings.push(format!("{name} has no effect: {reason}"));
        }
    }
    if !reader.problems.is_empty() {
        return Err(Problems(reader.problems));
    }
    let order = |name: &str| table::TABLE.iter().position(|setting| setting.name == name);
    reader.effective.sort_by_key(|value| order(value.name));
    Ok(Loaded { settings, role, generated, warnings: reader.warnings, effective: reader.effective })
}

fn read_all(reader: &mut Reader, dry_run: bool, generated: &mut Vec<GeneratedSecret>) -> Settings {
    let environment = environment(reader);
    let data_dir = data_dir(reader);
    let http = read_http(reader, environment);
    let public = addresses::public(reader, environment, &http);
    let metrics_listen = metrics_listen(reader);
    let database = storage::database(reader, environment, &data_dir);
    let redis = storage::redis(reader, environment);
    let otlp = otlp(reader);
    let aggregator = features::aggregator(reader, environment, &http);
    let mcp = features::mcp(reader, environment, &public, &aggregator);
    let grpc = features::grpc(reader, &http, &aggregator, &mcp);
    let internals = addresses::Internals {
        http: &http,
        metrics: metrics_listen,
        otlp: &otlp,
        database: &database,
        redis: redis.as_ref(),
        aggregator: &aggregator,
        mcp: &mcp,
        grpc: &grpc,
    };
    let egress = addresses::egress(reader, environment, &internals);
    let hub = hub::hub(reader);
    Settings {
        environment,
        secrets: secrets::master(reader, &data_dir, dry_run, generated),
        rsa: secrets::rsa(reader, mcp.signing_key.as_ref()),
        tokens: features::tokens(reader, &public),
        log: log(reader, aggregator.debug),
        otlp,
        rate_limits: features::rate_limits(reader),
        passwords: features::passwords(reader),
        mail: mail::mail(reader, environment, &public, &hub.instance_name),
        optional: optional::optional(reader, &public),
        one_time_codes: mail::one_time_codes(reader),
        audit: audit::audit(reader),
        wallet: wallet::wallet(reader, environment),
        sign_in: sign_in::sign_in(reader, environment),
        health_check: health::health_check(reader),
        hub,
        grpc,
        demo: reader.flag("SYFTHUB_DEMO", true)
            && reader.role == Role::AllInOne
            && environment == Environment::Development,
        data_dir,
        http,
        public,
        database,
        redis,
        metrics_listen,
        egress,
        aggregator,
        mcp,
    }
}

fn environment(reader: &mut Reader) -> Environment {
    match reader.choice("ENVIRONMENT", "development") {
        "production" | "staging" => Environment::Production,
        "test" => Environment::Test,
        _ => Environment::Development,
    }
}

fn read_http(reader: &mut Reader, environment: Environment) -> Http {
    let open = reader.role.is_service();
    let default_host = if open { std::net::Ipv4Addr::UNSPECIFIED } else { std::net::Ipv4Addr::LOCALHOST };
    let mut host = reader.host("HOST", default_host.into());
    let port = match reader.role {
        Role::AllInOne => reader.port("PORT", 8080),
        Role::Backend => reader.port("PORT", 8000),
        Role::Aggregator => {
            host = reader.host("AGGREGATOR_HOST", host);
            reader.port("AGGREGATOR_PORT", 8001)
        }
        Role::Mcp => reader.port("MCP_PORT", 8002),
    };
    let default_limit = u32::try_from(DEFAULT_BODY_LIMIT).unwrap_or(u32::MAX);
    let body_limit = reader.integer("MAX_BODY_BYTES", default_limit);
    Http {
        host,
        port,
        trusted_proxies: addresses::trusted_proxies(reader, environment),
        body_limit: usize::try_from(body_limit).unwrap_or(usize::MAX),
        shutdown_grace: reader.seconds("SHUTDOWN_GRACE_SECONDS", 30),
        shutdown_delay: reader.seconds("SHUTDOWN_DELAY_SECONDS", 0),
    }
}

fn data_dir(reader: &mut Reader) -> PathBuf {
    let show = |path: &PathBuf| path.display().to_string();
    reader.value("SYFTHUB_DATA_DIR", PathBuf::from("./data"), |_, text| Some(PathBuf::from(text)), show)
}

fn otlp(reader: &mut Reader) -> Otlp {
    let endpoint = reader.url("OTEL_EXPORTER_OTLP_ENDPOINT");
    Otlp { endpoint: endpoint.map(|url| crate::reader::trimmed(&url)) }
}

fn metrics_listen(reader: &mut Reader) -> MetricsListen {
    let default = (!reader.role.is_service()).then(|| std::net::SocketAddr::from(([127, 0, 0, 1], 9464)));
    let show = |listen: &MetricsListen| listen.0.map_or("off".to_owned(), |at| at.to_string());
    reader.value(
        "METRICS_LISTEN",
        MetricsListen(default),
        |_, text| crate::reader::parse_listener(text),
        show,
    )
}

fn log(reader: &mut Reader, debug: bool) -> Log {
    let mut level = reader.level("LOG_LEVEL", LogLevel::Info);
    let mut format = reader.choice("LOG_FORMAT", "json");
    let mut request_headers = reader.flag("LOG_REQUEST_HEADERS", false);
    let mut request_body = reader.flag("LOG_REQUEST_BODY", false);
    if reader.role == Role::Aggregator {
        let unset = !reader.sources.is_set("LOG_FORMAT");
        level = reader.level("AGGREGATOR_LOG_LEVEL", level);
        format = reader.choice("AGGREGATOR_LOG_FORMAT", if debug && unset { "console" } else { format });
        request_headers = reader.flag("AGGREGATOR_LOG_REQUEST_HEADERS", request_headers);
        request_body = reader.flag("AGGREGATOR_LOG_REQUEST_BODY", request_body);
    }
    Log {
        level,
        format: if format == "console" { LogFormat::Console } else { LogFormat::Json },
        request_headers,
        request_body,
        response_body: reader.flag("LOG_RESPONSE_BODY", false),
        dir: reader.path("LOG_DIR"),
    }
}

#[cfg(test)]
mod aggregator_tests;
#[cfg(test)]
mod tests;
