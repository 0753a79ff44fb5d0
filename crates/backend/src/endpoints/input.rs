//! What clients send about endpoints, checked. Every failing field is reported in one answer.

use serde_json::{Map, Value};
use syfthub_domain::{EndpointType, Error, HealthStatus, Result, Slug, Tag, Timestamp, Version, Visibility};
use syfthub_web::Fields;

use super::connections::TUNNEL;
use super::policies::{MAX_TAGS, add_prepaid_tag};

/// Names of the closed set for error texts.
pub(crate) const TYPES: &[&str] = &["model", "data_source", "model_data_source", "agent"];
/// Names of the closed set for error texts.
pub(crate) const VISIBILITIES: &[&str] = &["public", "private", "internal"];
/// Most policies, connections or contributors of one endpoint.
const MAX_ITEMS: usize = 100;
/// Most endpoints of one replacement.
const MAX_SYNCED: usize = 300;

/// A new endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Create {
    pub name: String,
    pub kind: EndpointType,
    pub slug: Option<Slug>,
    pub description: String,
    pub visibility: Visibility,
    pub archived: bool,
    pub version: Version,
    pub readme: String,
    pub tags: Vec<String>,
    pub policies: Vec<Value>,
    pub connect: Vec<Value>,
    pub contributors: Vec<i64>,
}

/// A change to an endpoint; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
    pub visibility: Option<Visibility>,
    pub archived: Option<bool>,
    pub version: Option<Version>,
    pub readme: Option<String>,
    pub tags: Option<Vec<String>>,
    pub policies: Option<Vec<Value>>,
    pub connect: Option<Vec<Value>>,
    pub contributors: Option<Vec<i64>>,
}

/// Reads the body of a creation.
pub(crate) fn create(body: Value) -> Result<Create> {
    let mut fields = Fields::body(body)?;
    let read = new(&mut fields);
    fields.finish()?;
    read.ok_or_else(|| Error::internal("a good creation lacks a required field"))
}

/// Reads the body of a replacement.
pub(crate) fn sync(body: Value) -> Result<Vec<Create>> {
    let mut fields = Fields::body(body)?;
    let items = fields.each("endpoints", new).items(0, MAX_SYNCED).required();
    let valid = fields.finish()?;
    Ok(items.take(&valid).into_iter().flatten().collect())
}

/// Reads a new endpoint; `None` only if a field failed.
fn new(fields: &mut Fields) -> Option<Create> {
    let name = fields.string("name").length(1, 100).required();
    let kind = fields.string("type").choice::<EndpointType>(TYPES).required();
    let slug = fields.string("slug").name(Slug::parse).optional();
    let rest = optional_fields(fields);
    let policies = rest.policies.unwrap_or_default();
    let mut tags = rest.tags.unwrap_or_default();
    add_prepaid_tag(&mut tags, &policies);
    let archived = rest.archived.unwrap_or(false);
    Some(Create {
        name: name.peek()?.clone(),
        kind: *kind.peek()?,
        slug,
        description: rest.description.unwrap_or_default(),
        visibility: effective_visibility(archived, rest.visibility).unwrap_or(Visibility::Public),
        archived,
        version: rest.version.unwrap_or_else(|| Version::from_trusted("0.1.0".to_owned())),
        readme: rest.readme.unwrap_or_default(),
        tags,
        policies,
        connect: rest.connect.unwrap_or_default(),
        contributors: rest.contributors.unwrap_or_default(),
    })
}

/// What an admin sets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdminUpdate {
    pub is_active: Option<bool>,
    pub stars_count: Option<i64>,
}

/// Reads the body of an admin's change.
pub(crate) fn admin_update(body: Value) -> Result<AdminUpdate> {
    let mut fields = Fields::body(body)?;
    let is_active = fields.boolean("is_active").optional();
    let stars_count = fields.int("stars_count").at_least(0).optional();
    fields.finish()?;
    Ok(AdminUpdate { is_active, stars_count })
}

/// Reads the body of a change.
pub(crate) fn update(body: Value) -> Result<Update> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").length(1, 100).optional();
    let rest = optional_fields(&mut fields);
    fields.finish()?;
    Ok(Update { name, ..rest })
}

/// An archived endpoint is private, whatever else was asked for.
pub(crate) fn effective_visibility(archived: bool, asked: Option<Visibility>) -> Option<Visibility> {
    if archived { Some(Visibility::Private) } else { asked }
}

fn optional_fields(fields: &mut Fields) -> Update {
    Update {
        name: None,
        description: fields.string("description").length(0, 500).optional(),
        visibility: fields.string("visibility").choice::<Visibility>(VISIBILITIES).optional(),
        archived: fields.boolean("archived").optional(),
        version: fields.string("version").name(Version::parse).optional(),
        readme: fields.string("readme").length(0, 50_000).optional(),
        tags: tags(fields),
        policies: fields.each("policies", policy).items(0, MAX_ITEMS).optional(),
        connect: fields.each("connect", connection).items(0, MAX_ITEMS).optional(),
        contributors: fields.ints("contributors").items(0, MAX_ITEMS).optional().map(without_repetitions),
    }
}

fn without_repetitions(given: Vec<i64>) -> Vec<i64> {
    let mut ids = Vec::new();
    for id in given {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn tags(fields: &mut Fields) -> Option<Vec<String>> {
    let check = |tags: &Vec<String>| clean_tags(tags).map(|_| ());
    let tags = fields.strings("tags").items(0, MAX_TAGS).rule(check).optional()?;
    clean_tags(&tags).ok()
}

/// Trims and lower-cases, drops empty and repeated ones, and checks what is left.
pub(crate) fn clean_tags(raw: &[String]) -> std::result::Result<Vec<String>, String> {
    let mut tags: Vec<String> = Vec::new();
    for text in raw.iter().filter(|text| !text.trim().is_empty()) {
        let tag = Tag::parse(text).map_err(|why| {
            let reason = why.message.trim_start_matches("Value error, ").to_owned();
            format!("tag '{}': {reason}", text.chars().take(40).collect::<String>())
        })?;
        if !tags.iter().any(|known| known == tag.as_str()) {
            tags.push(tag.into_string());
        }
    }
    Ok(tags)
}

fn policy(item: &mut Fields) -> Value {
    let kind = item.string("type").length(1, 100).required();
    let version = item.string("version").length(1, 20).rule(|text| two_numbers(text)).or("1.0".to_owned());
    let rest = common_item(item);
    item.forbid_extra();
    let mut policy = Map::new();
    policy.insert("type".to_owned(), kind.peek().cloned().unwrap_or_default().into());
    policy.insert("version".to_owned(), version.into());
    policy.extend(rest);
    Value::Object(policy)
}

fn connection(item: &mut Fields) -> Value {
    let kind = item.string("type").length(1, 50).required();
    let rest = common_item(item);
    item.forbid_extra();
    let mut connection = Map::new();
    connection.insert("type".to_owned(), kind.peek().cloned().unwrap_or_default().into());
    connection.extend(rest);
    Value::Object(connection)
}

fn common_item(item: &mut Fields) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("enabled".to_owned(), item.boolean("enabled").or(true).into());
    out.insert("description".to_owned(), item.string("description").length(0, 500).or(String::new()).into());
    out.insert("config".to_owned(), Value::Object(item.dict("config").or(Map::new())));
    out
}

fn two_numbers(text: &str) -> std::result::Result<(), String> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((major, minor)) if digits(major) && digits(minor) => Ok(()),
        _ => Err("version must be two numbers, for example 1.0".to_owned()),
    }
}

/// A search.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub query: String,
    pub top_k: usize,
    pub kind: Option<EndpointType>,
}

/// Reads the body of a search.
pub(crate) fn search(body: Value) -> Result<Search> {
    let mut fields = Fields::body(body)?;
    let query = fields.string("query").length(1, 1000).required();
    let top_k = fields.int("top_k").range(1, 50).or(10);
    let kind = fields.string("type").choice::<EndpointType>(TYPES).optional();
    let valid = fields.finish()?;
    Ok(Search { query: query.take(&valid), top_k: usize::try_from(top_k).unwrap_or(10), kind })
}

/// A node's word on how its endpoints are.
#[derive(Debug, Clone)]
pub(crate) struct HealthReport {
    pub endpoints: Vec<ReportItem>,
    pub ttl_seconds: Option<i64>,
    /// The owner's domain that follows from the node's address.
    pub domain: Option<String>,
}

/// One endpoint in a report.
#[derive(Debug, Clone)]
pub(crate) struct ReportItem {
    pub slug: String,
    pub status: HealthStatus,
    pub checked_at: Timestamp,
}

/// Reads a health report of `owner`.
pub(crate) fn health_report(body: Value, owner: &str) -> Result<HealthReport> {
    let mut fields = Fields::body(body)?;
    let items = fields.each("endpoints", report_item).items(1, 300).required();
    let ttl_seconds = fields.int("ttl_seconds").range(1, 3600).optional();
    let domain = fields.string("url").length(1, 500).parse(|url| domain_of(url, owner)).optional();
    let valid = fields.finish()?;
    let endpoints = items.take(&valid).into_iter().flatten().collect();
    Ok(HealthReport { endpoints, ttl_seconds, domain })
}

fn report_item(item: &mut Fields) -> Option<ReportItem> {
    let slug = item.string("slug").length(3, 63).required();
    let status = item.string("status").choice::<HealthStatus>(&["healthy", "unhealthy"]).required();
    let checked_at = item
        .string("checked_at")
        .parse(|text| Timestamp::parse(text).ok_or_else(|| "must be an RFC 3339 time".to_owned()))
        .required();
    Some(ReportItem {
        slug: slug.peek()?.to_lowercase(),
        status: *status.peek()?,
        checked_at: *checked_at.peek()?,
    })
}

/// The owner's domain that an address stands for: scheme, host and port, or a tunnel's name. A tunnel has the
/// name of its user, so that nobody receives what is meant for another.
pub(crate) fn domain_of(url: &str, owner: &str) -> std::result::Result<String, String> {
    let url = url.trim();
    if let Some(name) = url.strip_prefix(TUNNEL) {
        if name.eq_ignore_ascii_case(owner) {
            return Ok(format!("{TUNNEL}{owner}"));
        }
        return Err(format!("a tunnel has the name of its user, so yours is {TUNNEL}{owner}"));
    }
    let parsed = url::Url::parse(url).map_err(|why| format!("not a valid URL: {why}"))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none_or(str::is_empty) {
        return Err("must start with http:// or https:// and name a host, or be tunneling:<name>".to_owned());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("must not carry a user name or password".to_owned());
    }
    Ok(parsed.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use syfthub_domain::Detail;

    fn kinds(result: Result<Create>) -> Vec<(String, &'static str)> {
        let Detail::Fields(fields) = result.unwrap_err().detail else { panic!("expected field errors") };
        fields.iter().map(|f| (serde_json::to_string(&f.loc).unwrap(), f.kind)).collect()
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let made = create(json!({"name": "My", "type": "model", "policies": [{"type": "p"}]})).unwrap();
        assert_eq!(
            (made.version.as_str(), made.visibility, made.archived),
            ("0.1.0", Visibility::Public, false)
        );
        assert_eq!(
            made.policies[0],
            json!({"type": "p", "version": "1.0", "enabled": true, "description": "", "config": {}})
        );
    }

    #[test]
    fn every_failing_field_is_named_at_once() {
        let bad = json!({"type": "x", "slug": "A--b", "version": "1", "tags": ["ok", "a b"],
            "policies": [{"type": "", "version": "1", "extra": 1}], "connect": [{"config": 3}]});
        let found: Vec<String> =
            kinds(create(bad)).into_iter().map(|(loc, kind)| format!("{loc} {kind}")).collect();
        for expected in [
            r#"["body","name"] missing"#,
            r#"["body","type"] enum"#,
            r#"["body","slug"] value_error"#,
            r#"["body","version"] string_pattern_mismatch"#,
            r#"["body","tags"] value_error"#,
            r#"["body","policies",0,"type"] string_too_short"#,
            r#"["body","policies",0,"version"] value_error"#,
            r#"["body","policies",0,"extra"] extra_forbidden"#,
            r#"["body","connect",0,"type"] missing"#,
            r#"["body","connect",0,"config"] dict_type"#,
        ] {
            assert!(found.iter().any(|line| line == expected), "{expected} not in {found:#?}");
        }
    }

    #[test]
    fn nested_configuration_keeps_its_order() {
        let config = json!({"z": 1, "a": {"y": [1, {"x": null}], "b": "c"}});
        let made =
            create(json!({"name": "n", "type": "agent", "connect": [{"type": "mcp", "config": config}]}))
                .unwrap();
        assert_eq!(made.connect[0]["config"].to_string(), config.to_string());
    }

    #[test]
    fn tags_are_cleaned() {
        let raw: Vec<String> = [" AI ", "ai", "", "nlp"].map(str::to_owned).to_vec();
        assert_eq!(clean_tags(&raw).unwrap(), ["ai", "nlp"]);
        let many: Vec<String> = (0..11).map(|i| format!("t{i}")).collect();
        let found = kinds(create(json!({"name": "n", "type": "model", "tags": many})));
        assert_eq!(found, [(r#"["body","tags"]"#.to_owned(), "too_long")]);
    }

    #[test]
    fn an_address_becomes_a_domain_without_its_path() {
        let domain_of = |url| domain_of(url, "bob");
        assert_eq!(domain_of("http://127.0.0.1:8010/x?y").unwrap(), "http://127.0.0.1:8010");
        assert_eq!(domain_of("https://h.example:443/").unwrap(), "https://h.example");
        assert_eq!(domain_of("tunneling:Bob").unwrap(), "tunneling:bob");
        for bad in ["h.example", "ftp://h", "tunneling:", "tunneling:eve", "http://u:p@h"] {
            assert!(domain_of(bad).is_err(), "{bad}");
        }
    }
}
