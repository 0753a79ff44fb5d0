//! Metrics: counters, gauges and histograms written with the `metrics` macros from any crate.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Map, Value, json};

/// Content type of the Prometheus text format.
pub const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds in seconds of all duration histograms: from a cached read to a long answer of a model.
const BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// The same for `…_stage_seconds`: parts of a request that can be much shorter than all of it.
const STAGE_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0,
];

/// Upper bounds of `…_per_second`.
const RATE_BUCKETS: &[f64] = &[1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0];

/// How often samples are folded into the histograms; without it memory grows between two scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

static INSTALLED: OnceLock<Metrics> = OnceLock::new();

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Makes the `metrics` macros of this process count. Further calls return the same.
    pub fn install() -> Self {
        INSTALLED
            .get_or_init(|| {
                let metrics = Self::global_recorder();
                metrics.start_upkeep();
                metrics
            })
            .clone()
    }

    fn global_recorder() -> Self {
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        // Another recorder is there only in a program that is not ours; it then keeps its own figures.
        let _ = metrics::set_global_recorder(recorder);
        Self { handle }
    }

    fn start_upkeep(&self) {
        let handle = self.handle.clone();
        // A thread, not a task: the recorder is global and outlives every runtime of a test.
        let upkeep = move || {
            loop {
                std::thread::sleep(UPKEEP);
                handle.run_upkeep();
            }
        };
        if std::thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(upkeep).is_err() {
            tracing::warn!(target: "syfthub.logging", "metrics.upkeep.failed");
        }
    }

    /// Renders all metrics: JSON when `accept` asks for it before text, else the Prometheus text format.
    /// Returns the content type and the body.
    pub fn render(&self, accept: Option<&str>) -> (&'static str, String) {
        let text = self.handle.render();
        if wants_json(accept) {
            ("application/json", to_json(&text).to_string())
        } else {
            (PROMETHEUS_TEXT, text)
        }
    }
}

fn builder() -> PrometheusBuilder {
    with_buckets().unwrap_or_else(|_| PrometheusBuilder::new())
}

/// An empty list is the only one that is refused.
fn with_buckets() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_stage_seconds".to_owned()), STAGE_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_per_second".to_owned()), RATE_BUCKETS)
}

/// Prometheus sends a long list that never names JSON, so the first of the two that occurs decides.
fn wants_json(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| {
        accept
            .split(',')
            .map(|part| part.split(';').next().unwrap_or("").trim())
            .find_map(|kind| match kind {
                "application/json" => Some(true),
                "text/plain" | "application/openmetrics-text" | "text/*" => Some(false),
                _ => None,
            })
            .unwrap_or(false)
    })
}

/// Turns the text format (our own output, so its shape is known) into
/// `{"metrics": [{"name", "type", "help"?, "samples": [{"name", "labels", "value"}]}]}`.
fn to_json(text: &str) -> Value {
    let mut families: Vec<Map<String, Value>> = Vec::new();
    let mut help: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(name, text)| (name.to_owned(), text.to_owned()));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let mut family = Map::new();
            family.insert("name".to_owned(), name.into());
            family.insert("type".to_owned(), kind.into());
            if let Some((_, text)) = help.take_if(|(of, _)| of.as_str() == name) {
                family.insert("help".to_owned(), text.into());
            }
            family.insert("samples".to_owned(), json!([]));
            families.push(family);
        } else if let Some(sample) = sample(line)
            && let Some(Value::Array(samples)) = families.last_mut().and_then(|last| last.get_mut("samples"))
        {
            samples.push(sample);
        }
    }
    json!({ "metrics": families })
}

/// Reads `name{label="value",…} number`.
fn sample(line: &str) -> Option<Value> {
    let (series, number) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, read_labels(labels.strip_suffix('}')?)),
        None => (series, Map::new()),
    };
    // JSON has no infinity and no NaN: they stay texts.
    let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
    Some(json!({
        "name": name,
        "labels": labels,
        "value": value.map_or_else(|| Value::from(number), Value::from),
    }))
}

fn read_labels(text: &str) -> Map<String, Value> {
    let mut labels = Map::new();
    let mut rest = text;
    while let Some((name, tail)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = tail.char_indices();
        let mut end = tail.len();
        while let Some((index, c)) = chars.next() {
            match c {
                '"' => {
                    end = index + 1;
                    break;
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => {}
                },
                other => value.push(other),
            }
        }
        labels.insert(name.trim_start_matches(',').to_owned(), value.into());
        rest = &tail[end..];
    }
    labels
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Metrics, builder, to_json, wants_json};

    #[test]
    fn json_only_when_asked_first() {
        assert!(wants_json(Some("application/json")));
        assert!(wants_json(Some("application/json; charset=utf-8, text/plain")));
        assert!(!wants_json(Some("text/plain, application/json")));
        assert!(!wants_json(Some("*/*")));
        assert!(!wants_json(None));
    }

    #[test]
    fn both_renderings_show_the_same_figures() {
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::describe_counter!("things_total", "Things \"seen\".");
            metrics::counter!("things_total", "path" => "/a\"b,c=\"{x}").increment(3);
            metrics::gauge!("level").set(1.5);
            metrics::histogram!("took_seconds").record(0.02);
        });
        let metrics = Metrics { handle };
        let (kind, text) = metrics.render(None);
        assert!(kind.starts_with("text/plain"));
        assert!(text.contains("# TYPE things_total counter"), "{text}");
        let (kind, body) = metrics.render(Some("application/json"));
        assert_eq!(kind, "application/json");
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let family = |name: &str| {
            let all = value["metrics"].as_array().unwrap();
            all.iter().find(|family| family["name"] == name).unwrap().clone()
        };
        let counter = &family("things_total")["samples"][0];
        assert_eq!(counter["labels"], json!({"path": "/a\"b,c=\"{x}"}));
        assert_eq!(counter["value"], json!(3.0));
        assert_eq!(family("level")["samples"][0]["value"], json!(1.5));
        let histogram = family("took_seconds");
        assert_eq!(histogram["type"], "histogram");
        let samples = histogram["samples"].as_array().unwrap();
        assert!(samples.iter().any(|s| s["labels"]["le"] == "+Inf" && s["value"] == 1.0));
    }

    #[test]
    fn stages_and_rates_have_buckets_of_their_own() {
        let recorder = builder().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            for name in ["took_seconds", "took_stage_seconds", "said_per_second"] {
                metrics::histogram!(name).record(0.0002);
            }
        });
        let text = recorder.handle().render();
        for bucket in [
            "took_seconds_bucket{le=\"0.001\"} 1",
            "took_stage_seconds_bucket{le=\"0.00025\"} 1",
            "said_per_second_bucket{le=\"1280\"} 1",
        ] {
            assert!(text.contains(bucket), "{bucket} is missing in {text}");
        }
        assert!(!text.contains("took_seconds_bucket{le=\"0.0001\"}"), "{text}");
    }

    #[test]
    fn reads_nothing_into_nothing() {
        assert_eq!(to_json(""), json!({"metrics": []}));
    }

    #[test]
    fn installs_once() {
        let first = Metrics::install();
        metrics::counter!("installed_total").increment(1);
        let second = Metrics::install();
        assert!(first.render(None).1.contains("installed_total 1"));
        assert!(second.render(None).1.contains("installed_total 1"));
    }
}
