//! Every setting of the chat service is read and takes effect.

use std::time::Duration;

use super::load;
use crate::{EgressAllow, Input, LogFormat, LogLevel, Role, Settings};

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn aggregator(pairs: &[(&str, &str)]) -> Settings {
    let pairs = [("SECRET_KEY", KEY)].into_iter().chain(pairs.iter().copied());
    load(Role::Aggregator, &Input { dry_run: true, ..Input::from_env(pairs) }).unwrap().settings
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = aggregator(&[]);
    let chat = &settings.aggregator;
    assert!(!chat.debug && !chat.require_auth && chat.model_streaming);
    assert_eq!(chat.cors_origins, ["*"]);
    let seconds = [chat.retrieval_timeout, chat.generation_timeout, chat.total_timeout];
    assert_eq!(seconds.map(|time| time.as_secs()), [30, 120, 180]);
    assert_eq!((chat.default_top_k, chat.max_top_k, chat.max_data_sources), (5, 20, 10));
    assert!(chat.query_model.is_none() && chat.url_fetcher.is_none());
    assert_eq!((settings.log.level, settings.log.format), (LogLevel::Info, LogFormat::Json));
    assert!(!settings.log.request_headers && !settings.log.request_body);
    assert_eq!(settings.egress.allow, EgressAllow::Public);
    assert_eq!(settings.http.port, 8001);
}

#[test]
fn each_name_is_read() {
    let settings = aggregator(&[
        ("AGGREGATOR_HOST", "127.0.0.1"),
        ("AGGREGATOR_PORT", "7001"),
        ("AGGREGATOR_DEBUG", "true"),
        ("AGGREGATOR_SYFTHUB_URL", "http://hub:7000"),
        ("AGGREGATOR_CORS_ORIGINS", r#"["https://a.example"]"#),
        ("AGGREGATOR_LOG_LEVEL", "debug"),
        ("AGGREGATOR_LOG_REQUEST_HEADERS", "true"),
        ("AGGREGATOR_LOG_REQUEST_BODY", "true"),
        ("AGGREGATOR_RETRIEVAL_TIMEOUT", "3"),
        ("AGGREGATOR_GENERATION_TIMEOUT", "4"),
        ("AGGREGATOR_TOTAL_TIMEOUT", "9"),
        ("AGGREGATOR_DEFAULT_TOP_K", "2"),
        ("AGGREGATOR_MAX_TOP_K", "7"),
        ("AGGREGATOR_MAX_DATA_SOURCES", "8"),
        ("AGGREGATOR_MODEL_STREAMING_ENABLED", "false"),
        ("AGGREGATOR_REQUIRE_AUTH", "true"),
        ("AGGREGATOR_DEFAULT_QUERY_MODEL", "mia/writer"),
        ("AGGREGATOR_URL_FETCHER_SLUG", "ann/fetch"),
        ("AGGREGATOR_ALLOW_PRIVATE_NETWORKS", "true"),
    ]);
    let chat = &settings.aggregator;
    assert_eq!((settings.http.port, chat.port, chat.host.to_string().as_str()), (7001, 7001, "127.0.0.1"));
    assert!(chat.debug && chat.require_auth && !chat.model_streaming);
    assert_eq!(chat.hub_url.as_str(), "http://hub:7000/");
    assert_eq!(chat.cors_origins, ["https://a.example"]);
    let times = [chat.retrieval_timeout, chat.generation_timeout, chat.total_timeout];
    assert_eq!(times, [3, 4, 9].map(Duration::from_secs));
    assert_eq!((chat.default_top_k, chat.max_top_k, chat.max_data_sources), (2, 7, 8));
    assert_eq!(chat.query_model.as_ref().map(ToString::to_string).as_deref(), Some("mia/writer"));
    assert_eq!(chat.url_fetcher.as_ref().map(ToString::to_string).as_deref(), Some("ann/fetch"));
    assert_eq!(settings.log.level, LogLevel::Debug);
    assert_eq!(settings.log.format, LogFormat::Console, "for people, since no format is set");
    assert!(settings.log.request_headers && settings.log.request_body);
    assert_eq!(settings.egress.allow, EgressAllow::Private);
    let set = aggregator(&[("AGGREGATOR_DEBUG", "true"), ("AGGREGATOR_LOG_FORMAT", "json")]);
    assert_eq!(set.log.format, LogFormat::Json);
}

#[test]
fn a_total_that_ends_before_its_stages_is_warned_about() {
    let warnings = |pairs: &[(&str, &str)]| {
        let pairs = [("SECRET_KEY", KEY)].into_iter().chain(pairs.iter().copied());
        let input = Input { dry_run: true, ..Input::from_env(pairs) };
        let all = load(Role::Aggregator, &input).unwrap().warnings;
        all.into_iter().filter(|text| text.contains("AGGREGATOR_TOTAL_TIMEOUT")).collect::<Vec<_>>()
    };
    assert_eq!(warnings(&[]), Vec::<String>::new());
    let short = warnings(&[("AGGREGATOR_TOTAL_TIMEOUT", "30")]);
    assert!(short.len() == 1 && short[0].contains("AGGREGATOR_RETRIEVAL_TIMEOUT (30 s)"), "{short:?}");
    let unused = warnings(&[("AGGREGATOR_TOTAL_TIMEOUT", "60")]);
    assert!(unused.len() == 1 && unused[0].contains("AGGREGATOR_GENERATION_TIMEOUT (120 s)"), "{unused:?}");
}
