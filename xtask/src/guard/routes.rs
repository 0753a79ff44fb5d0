//! The locations of nginx and the route table of the all-in-one hub are the same.

use anyhow::{Context as _, Result};

use super::Repository;
use crate::nginx::syntax::{Directive, parse};
use crate::source::Source;

const TABLE: &str = "crates/web/src/route_table.rs";
const FILES: &[&str] = &["nginx/nginx.dev.conf", "nginx/nginx.prod.conf"];
/// What the proxy answers itself, and the web app's own files.
const OF_THE_EDGE: &[&str] = &["/nginx-health", "/assets/", "/index.html", "/"];
/// Headers that every answer has to carry, once.
const SECURITY: [&str; 5] = [
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Content-Security-Policy",
    "Strict-Transport-Security",
];

/// A path, whether it stands for everything below it, who answers, and the path that they see.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    pattern: String,
    exact: bool,
    owner: String,
    seen: String,
}

pub(super) fn check(repository: &Repository) -> Vec<String> {
    inspect(repository).unwrap_or_else(|error| vec![format!("{error:#}")])
}

fn inspect(repository: &Repository) -> Result<Vec<String>> {
    let table = table(repository.text(TABLE)?);
    let mut faults = Vec::new();
    if table.len() < 10 {
        faults.push(format!("{TABLE} could not be read: only {} rows", table.len()));
    }
    for file in FILES {
        let read = |name: &str| repository.text(&format!("nginx/snippets/{name}")).map(str::to_owned);
        let tree = parse(repository.text(file)?, &read).with_context(|| (*file).to_owned())?;
        let servers = tree.iter().filter(|d| d.name == "server");
        let main = servers.max_by_key(|server| server.block.len()).context("no server block")?;
        faults.extend(compare(&table, main).into_iter().map(|fault| format!("{file}: {fault}")));
        faults.extend(headers(main).into_iter().map(|fault| format!("{file}: {fault}")));
    }
    Ok(faults)
}

/// The exact and prefix rows of the table, from its source.
fn table(source: &str) -> Vec<Route> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let body =
        source.split("const ROUTES").nth(1).and_then(|rest| rest.split("];").next()).unwrap_or_default();
    let parsed = Source::parse(body);
    // The literals in order, and the code with a mark where each one stood.
    let mut literals = parsed.strings.iter().map(|(_, text)| text.clone());
    let mut routes = Vec::new();
    for row in rows(&parsed.code) {
        let words: Vec<&str> = row.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let Some(pattern) = literals.next() else { break };
        let owner = words.iter().find(|w| ["Backend", "Aggregator", "Mcp", "WebApp", "Nobody"].contains(w));
        let seen = match words.first() {
            Some(&"strip") => format!("-{}", literals.next().unwrap_or_default()),
            Some(&"rewrite") => literals.next().unwrap_or_default(),
            _ => String::new(),
        };
        let exact = words.contains(&"exact");
        if exact || words.contains(&"prefix") {
            let owner = owner.map_or_else(String::new, |w| w.to_lowercase());
            routes.push(Route { pattern, exact, owner, seen });
        }
    }
    routes
}

/// Splits the table at its commas, not at those inside a row.
fn rows(code: &str) -> Vec<String> {
    let code = code.split_once("&[").map_or(code, |(_, rows)| rows);
    let code = code.split_once("= &[").map_or(code, |(_, rows)| rows);
    let (mut rows, mut row, mut depth) = (Vec::new(), String::new(), 0_i32);
    for c in code.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                rows.push(std::mem::take(&mut row));
                continue;
            }
            _ => {}
        }
        row.push(c);
    }
    rows.push(row);
    rows.into_iter().map(|row| row.trim().to_owned()).filter(|row| row.contains('(')).collect()
}

/// The exact and prefix locations of a server.
fn locations(server: &Directive) -> Vec<(Route, bool)> {
    let mut found = Vec::new();
    for location in server.find("location") {
        let (modifier, pattern) = match location.arguments.as_slice() {
            [pattern] if pattern.starts_with('/') => ("", pattern),
            [modifier, pattern] if modifier == "=" || modifier == "^~" => (modifier.as_str(), pattern),
            _ => continue,
        };
        let target = location.find("proxy_pass").next().map_or("", Directive::first);
        let target = target.strip_prefix("http://").unwrap_or_default();
        let (owner, path) = target.find('/').map_or((target, ""), |at| target.split_at(at));
        let hidden = location.find("return").any(|d| d.first() == "404");
        let stripped = location
            .find("rewrite")
            .next()
            .map(|d| d.first().trim_end_matches("/(.*)").trim_start_matches('^'));
        let seen = match stripped {
            Some(prefix) => format!("-{prefix}"),
            None if path == pattern => String::new(),
            None => path.to_owned(),
        };
        let owner = if hidden { "nobody" } else { owner };
        let route = Route { pattern: pattern.clone(), exact: modifier == "=", owner: owner.to_owned(), seen };
        found.push((route, modifier.is_empty() && !target.is_empty()));
    }
    found
}

fn compare(table: &[Route], server: &Directive) -> Vec<String> {
    let locations = locations(server);
    let mut faults = Vec::new();
    for row in table {
        match locations.iter().find(|(l, _)| l.pattern == row.pattern && l.exact == row.exact) {
            None => faults.push(format!("no location for {}", row.pattern)),
            Some((location, _)) if location != row => {
                faults.push(format!("{} is {location:?}, the table says {row:?}", row.pattern));
            }
            Some(_) => {}
        }
    }
    let is_there = |path: &str| locations.iter().any(|(l, _)| l.exact && l.pattern == path);
    for path in bare_names(table).iter().filter(|path| !is_there(path)) {
        faults.push(format!("no location for {path}, so nginx redirects it"));
    }
    let hides = |path: &str| locations.iter().any(|(l, _)| l.pattern == path && l.owner == "nobody");
    for path in hidden_below(table).iter().filter(|path| !hides(path)) {
        faults.push(format!("{path} is not hidden"));
    }
    for (location, plain) in &locations {
        let hidden = location.owner == "nobody" && hidden_below(table).contains(&location.pattern);
        if location.exact && bare_names(table).contains(&location.pattern) || hidden {
            continue;
        }
        if OF_THE_EDGE.contains(&location.pattern.as_str()) {
            continue;
        }
        if *plain {
            faults.push(format!("{} needs ^~, or a regular expression may take its paths", location.pattern));
        }
        // The bare name of a hidden prefix is hidden too.
        let path = if location.owner == "nobody" {
            format!("{}/", location.pattern.trim_end_matches('/'))
        } else {
            location.pattern.clone()
        };
        let owner = owner(table, &path);
        if owner != Some(location.owner.as_str()) {
            faults
                .push(format!("{} goes to {}, by the table to {owner:?}", location.pattern, location.owner));
        }
    }
    faults
}

/// The names of prefixes without their slash, where the table has no row for them. nginx would redirect
/// to the prefix; they are treated as a name that nobody can have.
fn bare_names(table: &[Route]) -> Vec<String> {
    let prefixes = table.iter().filter(|row| !row.exact && row.owner != "nobody");
    let names = prefixes.filter_map(|row| row.pattern.strip_suffix('/'));
    names
        .filter(|name| !table.iter().any(|row| row.exact && row.pattern == *name))
        .map(str::to_owned)
        .collect()
}

/// What nobody answers, below each prefix that is cut off before a service sees the path.
fn hidden_below(table: &[Route]) -> Vec<String> {
    let prefixes = table.iter().filter_map(|row| row.seen.strip_prefix('-'));
    let hidden = |prefix: &str| {
        let names =
            table.iter().filter(|row| row.owner == "nobody").map(|row| row.pattern.trim_end_matches('/'));
        names.flat_map(|name| [format!("{prefix}{name}"), format!("{prefix}{name}/")]).collect::<Vec<_>>()
    };
    prefixes.flat_map(hidden).collect()
}

fn owner<'a>(table: &'a [Route], path: &str) -> Option<&'a str> {
    let bare = path.trim_end_matches('/');
    let exact = table.iter().find(|row| row.exact && (row.pattern == path || row.pattern == bare));
    let longest =
        || table.iter().filter(|r| !r.exact && path.starts_with(&r.pattern)).max_by_key(|r| r.pattern.len());
    exact.or_else(longest).map(|row| row.owner.as_str())
}

/// A location with a header of its own loses the inherited ones and has to repeat them all.
fn headers(server: &Directive) -> Vec<String> {
    let mut faults = Vec::new();
    for block in std::iter::once(server).chain(server.find("location")) {
        let set: Vec<&str> = block.find("add_header").map(Directive::first).collect();
        if set.is_empty() && block.name == "location" {
            continue;
        }
        for header in SECURITY {
            let times = set.iter().filter(|name| **name == header).count();
            if times != 1 {
                faults.push(format!(
                    "{} {} sets {header} {times} times",
                    block.name,
                    block.arguments.join(" ")
                ));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "pub const ROUTES: &[Route] = &[\n    prefix(\"/api/\", Backend),\n    \
        strip(prefix(\"/mcp/\", Mcp), \"/mcp\"),\n    rewrite(\n        exact(\"/q\", Aggregator),\n        \"/api/v1/q\",\n    ),\n    \
        exact(\"/metrics\", Nobody),\n    row(Match::OwnerPage, \"/{owner}\", Backend),\n];\n";

    fn server(locations: &str) -> Directive {
        let text = format!("server {{ {locations} }}");
        parse(&text, &|_| Ok(String::new())).unwrap().remove(0)
    }

    const GOOD: &str = "location ^~ /api/ { proxy_pass http://backend; } \
        location ^~ /mcp/ { rewrite ^/mcp/(.*) /$1 break; proxy_pass http://mcp; } \
        location = /q { proxy_pass http://aggregator/api/v1/q; } location = /metrics { return 404; } \
        location = /api { proxy_pass http://backend; } \
        location = /mcp { proxy_pass http://backend; } \
        location = /mcp/metrics { return 404; } location ^~ /mcp/metrics/ { return 404; } \
        location / { try_files $uri /index.html; }";

    #[test]
    fn the_table_is_read_from_its_source() {
        let routes = table(ROWS);
        assert_eq!(routes.len(), 4, "{routes:?}");
        assert_eq!(routes[1].seen, "-/mcp");
        assert_eq!(
            routes[2],
            Route { pattern: "/q".into(), exact: true, owner: "aggregator".into(), seen: "/api/v1/q".into() }
        );
    }

    #[test]
    fn equal_tables_pass() {
        assert_eq!(compare(&table(ROWS), &server(GOOD)), Vec::<String>::new());
    }

    #[test]
    fn a_missing_a_misdirected_and_an_extra_location_are_found() {
        let missing = GOOD.replace("location = /metrics { return 404; }", "");
        assert_eq!(compare(&table(ROWS), &server(&missing)), ["no location for /metrics"]);
        let elsewhere = GOOD.replace("http://mcp", "http://backend");
        assert!(compare(&table(ROWS), &server(&elsewhere))[0].starts_with("/mcp/ is"));
        let extra = format!("{GOOD} location ^~ /admin/ {{ proxy_pass http://backend; }}");
        assert!(compare(&table(ROWS), &server(&extra))[0].starts_with("/admin/ goes to backend"));
    }

    #[test]
    fn a_redirected_name_and_metrics_below_a_prefix_are_found() {
        let redirected = GOOD.replace("location = /api { proxy_pass http://backend; }", "");
        assert!(compare(&table(ROWS), &server(&redirected))[0].contains("nginx redirects it"));
        let open = GOOD.replace("location = /mcp/metrics { return 404; }", "");
        assert_eq!(compare(&table(ROWS), &server(&open)), ["/mcp/metrics is not hidden"]);
    }

    #[test]
    fn a_plain_prefix_that_a_regular_expression_could_rob_is_found() {
        let plain = GOOD.replace("^~ /api/", "/api/");
        assert!(compare(&table(ROWS), &server(&plain))[0].contains("needs ^~"));
    }

    #[test]
    fn a_location_that_loses_the_security_headers_is_found() {
        let all = SECURITY.map(|h| format!("add_header {h} x always;")).concat();
        let good = server(&format!("{all} location /a {{ return 200; }}"));
        assert!(headers(&good).is_empty());
        let bad = server(&format!("{all} location /a {{ add_header Cache-Control no-cache; }}"));
        assert_eq!(headers(&bad).len(), SECURITY.len());
    }
}
