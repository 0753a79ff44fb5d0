use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Loaded, load};
use crate::table::{ALL, TABLE};
use crate::{DatabaseUrl, EgressAllow, Environment, Input, LogLevel, MailProvider, Origin, Role, SmtpTls};

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn input(pairs: &[(&str, &str)]) -> Input {
    Input { dry_run: true, ..Input::from_env(pairs.iter().copied()) }
}

fn service(role: Role, pairs: &[(&str, &str)]) -> Loaded {
    let mut all = vec![("SECRET_KEY", KEY)];
    all.extend(pairs);
    load(role, &input(&all)).unwrap()
}

fn faults(role: Role, pairs: &[(&str, &str)]) -> String {
    load(role, &input(pairs)).unwrap_err().to_string()
}

#[test]
fn a_hub_needs_no_settings_and_keeps_its_generated_key() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let pairs = [("SYFTHUB_DATA_DIR", data.to_str().unwrap()), ("ENVIRONMENT", "production")];
    let first = load(Role::AllInOne, &Input::from_env(pairs)).unwrap();
    assert_eq!(first.generated.len(), 1);
    assert!(first.warnings.iter().any(|text| text.contains("a key was generated")), "{:?}", first.warnings);
    assert_eq!(first.settings.database.url, DatabaseUrl::Sqlite(data.join("syfthub.db")));
    assert!(first.settings.redis.is_none() && !first.settings.demo);
    let second = load(Role::AllInOne, &Input::from_env(pairs)).unwrap();
    assert_eq!(second.generated, []);
    assert_eq!(second.settings.secrets.secret_key, first.settings.secrets.secret_key);
    // A key that is given later keeps the generated one for what it sealed.
    let given =
        load(Role::AllInOne, &Input::from_env(pairs.into_iter().chain([("SECRET_KEY", KEY)]))).unwrap();
    assert_eq!(given.settings.secrets.secret_key_previous, Some(first.settings.secrets.secret_key.clone()));
}

#[test]
fn a_dry_run_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    load(Role::AllInOne, &input(&[("SYFTHUB_DATA_DIR", data.to_str().unwrap())])).unwrap();
    assert!(!data.exists());
}

#[test]
fn a_hub_that_cannot_write_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let problems =
        load(Role::AllInOne, &Input::from_env([("SYFTHUB_DATA_DIR", file.to_str().unwrap())])).unwrap_err();
    assert!(problems.to_string().contains("SYFTHUB_DATA_DIR"), "{problems}");
}

#[test]
fn defaults_in_development() {
    let loaded = load(Role::AllInOne, &input(&[])).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.environment, Environment::Development);
    assert_eq!(settings.http.listen().to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public.origin(), "http://localhost:8080");
    assert!(settings.public.from_listener && settings.demo && !settings.mcp.accept_hub_tokens);
    assert_eq!(settings.egress.allow, EgressAllow::Loopback);
    assert_eq!(settings.egress.internal_ports, [8080, 9464]);
    assert_eq!(settings.public.oauth_issuer, "http://localhost:8080/mcp");
    assert_eq!(settings.tokens.issuer, "http://localhost:8080");
    assert_eq!(settings.public.cors_origins.len(), 4);
    assert_eq!(settings.http.trusted_proxies, []);
}

#[test]
fn services_in_production_need_what_they_share() {
    let text = faults(Role::Backend, &[("ENVIRONMENT", "production")]);
    for name in ["SECRET_KEY", "REDIS_URL", "DATABASE_URL", "SYFTHUB_PUBLIC_URL"] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{name} is not set"))), "{name}: {text}");
    }
    let text = faults(Role::Aggregator, &[("NODE_ENV", "production")]);
    assert!(text.contains("AGGREGATOR_SYFTHUB_URL is not set"), "{text}");
    for role in [Role::Backend, Role::Aggregator, Role::Mcp] {
        let text = faults(role, &[]);
        assert!(text.starts_with("SECRET_KEY is not set") && text.contains("openssl rand -hex 32"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}

#[test]
fn the_compose_settings_of_production_load() {
    let common = [
        ("ENVIRONMENT", "production"),
        ("DOMAIN", "hub.example.com"),
        ("DATABASE_URL", "postgresql://syfthub:a/b+c=@db:5432/syfthub"),
        ("REDIS_URL", "redis://:d/e+f=@redis:6379/0"),
        ("AGGREGATOR_SYFTHUB_URL", "http://backend:8000"),
        ("SYFTHUB_URL", "http://backend:8000"),
    ];
    let backend = service(Role::Backend, &common).settings;
    assert_eq!(backend.database.url.for_tools(), "postgresql://syfthub:a%2Fb%2Bc%3D@db:5432/syfthub");
    assert_eq!(backend.redis.unwrap().url.expose(), "redis://:d%2Fe%2Bf%3D@redis:6379/0");
    assert_eq!(backend.http.listen().to_string(), "0.0.0.0:8000");
    assert_eq!(backend.grpc.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(backend.public.origin(), "https://hub.example.com");
    assert_eq!(backend.public.cors_origins, ["https://hub.example.com"]);
    assert_eq!(backend.egress.allow, EgressAllow::Public);
    assert!(backend.http.shutdown_delay.is_zero());
    let aggregator = service(Role::Aggregator, &common).settings;
    assert_eq!(aggregator.http.listen().to_string(), "0.0.0.0:8001");
    assert_eq!(aggregator.grpc.hub_grpc_url, "http://backend:9000");
    let mcp = service(Role::Mcp, &common).settings;
    assert_eq!(mcp.http.port, 8002);
    assert_eq!(mcp.mcp.api_base_url, "https://hub.example.com/mcp");
    assert_eq!(mcp.grpc.hub_grpc_url, "http://backend:9000");
    assert_eq!(mcp.grpc.aggregator_grpc_url, "http://aggregator:9001");
    assert!(!mcp.mcp.accept_hub_tokens);
}

#[test]
fn a_service_believes_only_a_proxy_on_its_own_machine_unless_told() {
    let production = [
        ("ENVIRONMENT", "production"),
        ("DOMAIN", "hub.example.com"),
        ("DATABASE_URL", "postgresql://syfthub:x@db/syfthub"),
        ("REDIS_URL", "redis://redis"),
        ("AGGREGATOR_SYFTHUB_URL", "http://backend:8000"),
    ];
    let warned =
        |loaded: &Loaded| loaded.warnings.iter().any(|text| text.starts_with("TRUSTED_PROXIES is not set"));
    for role in [Role::Backend, Role::Aggregator, Role::Mcp] {
        let loaded = service(role, &production);
        let trusted = &loaded.settings.http.trusted_proxies;
        assert!(trusted.iter().all(|network| network.network().is_loopback()), "{role:?}: {trusted:?}");
        assert_eq!(trusted.len(), 2);
        assert!(warned(&loaded), "{role:?}: {:?}", loaded.warnings);
        let told = [&production[..], &[("TRUSTED_PROXIES", "172.30.57.0/24")]].concat();
        let loaded = service(role, &told);
        assert_eq!(loaded.settings.http.trusted_proxies, ["172.30.57.0/24".parse().unwrap()]);
        assert!(!warned(&loaded), "{role:?}");
        assert!(!warned(&service(role, &[])), "{role:?} warns outside production");
    }
}

#[test]
fn internal_ports_are_those_in_force() {
    let ports = |role, pairs: &[(&str, &str)]| service(role, pairs).settings.egress.internal_ports;
    assert_eq!(ports(Role::Backend, &[]), [8000, 8001, 8002, 9000, 9001]);
    let custom = [
        ("PORT", "7000"),
        ("AGGREGATOR_PORT", "7001"),
        ("MCP_PORT", "7002"),
        ("SYFTHUB_URL", "http://backend:7000"),
        ("AGGREGATOR_URL", "http://aggregator:7001"),
        ("BACKEND_GRPC_URL", "http://backend:7100"),
        ("AGGREGATOR_GRPC_URL", "http://aggregator:7101"),
        ("DATABASE_URL", "postgresql://u:p@db:7200/d"),
        ("REDIS_URL", "redis://redis:7201"),
        ("METRICS_LISTEN", "127.0.0.1:7202"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:7203"),
    ];
    let shared = [7000, 7001, 7002, 7100, 7101, 7200, 7201, 7202, 7203];
    for role in [Role::Backend, Role::Aggregator, Role::Mcp] {
        let mut own = custom.to_vec();
        if role != Role::Mcp {
            own.push(("GRPC_PORT", "7300"));
        }
        let mut expected = shared.to_vec();
        expected.extend((role != Role::Mcp).then_some(7300));
        assert_eq!(ports(role, &own), expected, "{role:?}");
    }
    // A hub behind its public address leaves the standard ports of other machines alone.
    assert!(!ports(Role::Aggregator, &[("SYFTHUB_URL", "https://hub.example.com")]).contains(&443));
}

#[test]
fn weak_secrets_are_refused_everywhere_and_never_shown() {
    let long = "a".repeat(64);
    for weak in [
        "your-super-secret-key-change-this-in-production",
        "changeme",
        "hunter2hunter2",
        "$(openssl rand -hex 32) and more of it",
        &long,
    ] {
        for environment in ["development", "production"] {
            let text = faults(Role::AllInOne, &[("SECRET_KEY", weak), ("ENVIRONMENT", environment)]);
            assert!(text.contains("SECRET_KEY is") && text.contains("openssl rand -hex 32"), "{text}");
            assert!(!text.contains(weak), "{text}");
        }
    }
    assert!(faults(Role::AllInOne, &[("ENCRYPTION_KEY_BASE64", "c2hvcnQ=")]).contains("32 random bytes"));
    assert!(faults(Role::AllInOne, &[("RSA_PRIVATE_KEY_PEM", "base64-encoded-private-key")]).contains("PEM"));
}

#[test]
fn all_faults_are_reported_at_once_with_what_is_expected() {
    let text = faults(
        Role::AllInOne,
        &[
            ("PORT", "eighty"),
            ("LOG_LEVEL", "loud"),
            ("RATE_LIMIT_ENABLED", "maybe"),
            ("DATABASE_URL", "mysql://x:hunter2@h/d"),
            ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ],
    );
    assert!(
        text.contains("PORT expects a port number from 0 to 65535, not \"eighty\" (set in environment)"),
        "{text}"
    );
    assert!(text.contains("LOG_LEVEL expects one of debug, info, warning, error, critical"), "{text}");
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(!text.contains("hunter2"));
}

#[test]
fn the_stronger_source_wins_and_empty_is_unset() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hub.toml");
    fs::write(&file, "port = 1\nmax_body_bytes = 4096\ncors_origins = [\"https://a\", \"https://b/\"]\n[log]\nlevel = \"error\"\nformat = \"console\"\n").unwrap();
    let mut input = input(&[("port", "3"), ("LOG_LEVEL", ""), ("UNKNOWN_NAME", "x")]);
    input.dotenv = Some("PORT=2\nMAX_BODY_BYTES=2048\n".to_owned());
    input.file = Some(file.clone());
    let loaded = load(Role::AllInOne, &input).unwrap();
    assert_eq!((loaded.settings.http.port, loaded.settings.http.body_limit), (3, 2048));
    assert_eq!(loaded.settings.log.level, LogLevel::Error);
    assert_eq!(loaded.settings.public.cors_origins, ["https://a", "https://b"]);
    input.overrides.insert("PORT", "4".to_owned());
    let loaded = load(Role::AllInOne, &input).unwrap();
    assert_eq!(loaded.settings.http.port, 4);
    let origin =
        |name: &str| loaded.effective.iter().find(|value| value.name == name).unwrap().origin.clone();
    assert_eq!(origin("PORT"), Origin::CommandLine);
    assert_eq!(origin("MAX_BODY_BYTES"), Origin::DotEnv);
    assert_eq!(origin("LOG_LEVEL"), Origin::File(file));
    assert_eq!(origin("HOST"), Origin::Default);
}

#[test]
fn files_with_faults() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hub.toml");
    let with_file = |text: &str| {
        fs::write(&file, text).unwrap();
        let input = Input { file: Some(file.clone()), ..input(&[]) };
        load(Role::AllInOne, &input).unwrap_err().to_string()
    };
    assert!(with_file("log_levl = \"info\"").contains("unknown key log_levl; did you mean log_level?"));
    let text = with_file("port = 1\nsecret_key = hunter2");
    assert!(text.contains("not valid TOML at line 2") && !text.contains("hunter2"), "{text}");
    let missing = Input { file: Some(dir.path().join("none.toml")), ..input(&[]) };
    assert!(load(Role::AllInOne, &missing).unwrap_err().to_string().contains("does not exist"));
}

#[test]
fn secrets_come_from_files_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    fs::write(&file, format!("{KEY}\n")).unwrap();
    let path = file.to_str().unwrap();
    let loaded = load(Role::Backend, &input(&[("SECRET_KEY_FILE", path)])).unwrap();
    assert_eq!(loaded.settings.secrets.secret_key.expose(), KEY);
    let text = faults(Role::Backend, &[("SECRET_KEY_FILE", "/does/not/exist")]);
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains("SECRET_KEY_FILE names the file /does/not/exist, which does not exist"), "{text}");
    fs::write(&file, "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n").unwrap();
    let loaded = service(Role::Backend, &[("RSA_PRIVATE_KEY_PATH", path)]);
    assert!(loaded.settings.rsa.private_pem.unwrap().expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn names_without_effect_are_said_so() {
    let loaded = load(Role::AllInOne, &input(&[("RSA_KEY_ID", "hub-key-1")])).unwrap();
    assert!(loaded.warnings.iter().any(|text| text.starts_with("RSA_KEY_ID has no effect")));
}

#[test]
fn every_documented_setting_is_read_and_listed_masked() {
    let dir = Path::new("/nonexistent");
    for role in ALL {
        let loaded = service(*role, &[("SYFTHUB_DATA_DIR", dir.to_str().unwrap()), ("JWT_SECRET", KEY)]);
        let listed: Vec<&str> = loaded.effective.iter().map(|value| value.name).collect();
        let unique: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(unique.len(), listed.len(), "{role:?} lists a setting twice: {listed:?}");
        for setting in TABLE.iter().filter(|setting| setting.programs.contains(role)) {
            assert!(unique.contains(setting.name), "{role:?} does not read {}", setting.name);
        }
        for value in &loaded.effective {
            assert!(!value.value.contains(KEY), "{}", value.name);
        }
    }
}

#[test]
fn loopback_services_are_like_a_local_hub() {
    let settings = service(Role::Aggregator, &[("HOST", "localhost"), ("GRPC_PORT", "0")]).settings;
    assert_eq!(settings.egress.allow, EgressAllow::Loopback);
    assert_eq!(settings.grpc.listen.to_string(), "127.0.0.1:0");
    assert_eq!(settings.aggregator.host.to_string(), "127.0.0.1");
    let settings = service(Role::Aggregator, &[("SSRF_ALLOW_PRIVATE", "true")]).settings;
    assert_eq!(settings.egress.allow, EgressAllow::Private);
}

#[test]
fn the_listing_is_masked_and_the_tools_get_a_clean_address() {
    let pairs = [("DATABASE_URL", "postgres://u:hunter2@h:5432/d?pool_size=5"), ("SECRET_KEY", KEY)];
    let loaded = load(Role::AllInOne, &input(&pairs)).unwrap();
    let listing = crate::effective(&loaded);
    assert!(
        listing.contains("DATABASE_URL") && listing.contains("postgresql://u:********@h:5432/d"),
        "{listing}"
    );
    assert!(!listing.contains("hunter2") && !listing.contains(KEY));
    assert!(
        listing.lines().any(|line| line.starts_with("SECRET_KEY ") && line.ends_with("environment")),
        "{listing}"
    );
    assert_eq!(crate::database_url_clean(&loaded.settings), "postgresql://u:hunter2@h:5432/d");
}

#[test]
fn a_mail_provider_follows_from_what_is_set() {
    let mail = |pairs: &[(&str, &str)]| load(Role::AllInOne, &input(pairs)).unwrap().settings.mail;
    assert_eq!(mail(&[]).provider.as_str(), "none");
    assert_eq!(mail(&[]).from_email, "noreply@localhost");
    assert_eq!(mail(&[("RESEND_API_KEY", "re_1")]).provider.as_str(), "resend");
    assert_eq!(mail(&[("MAIL_PROVIDER", "log")]).provider.as_str(), "log");
    assert_eq!(mail(&[("MAIL_PROVIDER", "none"), ("SMTP_HOST", "a.example")]).provider.as_str(), "none");
    let smtp = |pairs: &[(&str, &str)]| match mail(pairs).provider {
        MailProvider::Smtp(smtp) => smtp,
        other => panic!("{other:?}"),
    };
    let usual = smtp(&[("SMTP_HOST", "mail.example.com")]);
    assert_eq!((usual.port, usual.tls), (587, SmtpTls::StartTls));
    let tls = smtp(&[("SMTP_HOST", "mail.example.com"), ("SMTP_PORT", "465")]);
    assert_eq!((tls.port, tls.tls), (465, SmtpTls::Tls));
    let local = smtp(&[("SMTP_HOST", "127.0.0.1"), ("SMTP_TLS", "none")]);
    assert_eq!((local.port, local.tls), (25, SmtpTls::None));
    let url = mail(&[("SYFTHUB_PUBLIC_URL", "https://hub.example.org")]);
    assert_eq!(url.from_email, "noreply@hub.example.org");
}

#[test]
fn mail_that_cannot_work_is_refused_with_the_fix() {
    let told = |pairs: &[(&str, &str)]| faults(Role::AllInOne, pairs);
    let host = ("SMTP_HOST", "mail.example.com");
    assert!(told(&[("MAIL_PROVIDER", "smtp")]).contains("SMTP_HOST=smtp.example.com"));
    assert!(told(&[("MAIL_PROVIDER", "resend")]).contains("RESEND_API_KEY"));
    assert!(told(&[host, ("SMTP_USERNAME", "me")]).contains("SMTP_PASSWORD"));
    assert!(told(&[host, ("SMTP_PASSWORD", "hush")]).contains("SMTP_USERNAME"));
    assert!(told(&[host, ("SMTP_TLS", "none")]).contains("starttls"));
    assert!(told(&[("SMTP_FROM_EMAIL", "Me <me@example.com>")]).contains("hub@example.com"));
    assert!(told(&[("SMTP_FROM_NAME", "a\nBcc: b")]).contains("one line"));
    let production = [("ENVIRONMENT", "production"), ("SECRET_KEY", KEY), ("MAIL_PROVIDER", "log")];
    assert!(told(&production).contains("MAIL_LOG_IN_PRODUCTION"));
    let asked = [production.as_slice(), &[("MAIL_LOG_IN_PRODUCTION", "true")]].concat();
    assert_eq!(load(Role::AllInOne, &input(&asked)).unwrap().settings.mail.provider.as_str(), "log");
}

#[test]
fn a_sign_in_provider_is_on_when_all_of_it_is_set() {
    let sign_in = |pairs: &[(&str, &str)]| load(Role::AllInOne, &input(pairs)).unwrap().settings.sign_in;
    let off = sign_in(&[("GOOGLE_CLIENT_ID", ""), ("GITHUB_URL", "https://git.example.com")]);
    assert!(off.google.is_none() && off.github.is_none());
    let own = [("GITHUB_CLIENT_ID", "Iv1.1"), ("GITHUB_CLIENT_SECRET", "hush")];
    let github = sign_in(&own).github.unwrap();
    assert_eq!(
        (github.url.as_str(), github.api_url.as_str()),
        ("https://github.com", "https://api.github.com")
    );
    let enterprise = [own.as_slice(), &[("GITHUB_URL", "https://git.example.com/")]].concat();
    assert_eq!(sign_in(&enterprise).github.unwrap().api_url, "https://git.example.com/api/v3");
    let google = sign_in(&[("GOOGLE_CLIENT_ID", " 1.apps.example ")]).google.unwrap();
    assert_eq!(
        (google.client_id.as_str(), google.jwks_url.host_str()),
        ("1.apps.example", Some("www.googleapis.com"))
    );
    assert!(faults(Role::AllInOne, &own[..1]).contains("GITHUB_CLIENT_SECRET must be set too"));
    assert!(faults(Role::AllInOne, &own[1..]).contains("GITHUB_CLIENT_ID must be set too"));
    let production =
        [("ENVIRONMENT", "production"), ("SECRET_KEY", KEY), ("GITHUB_URL", "http://git.example.com")];
    assert!(faults(Role::AllInOne, &production).contains("GITHUB_URL must start with https://"));
}
