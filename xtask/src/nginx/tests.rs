//! Both configurations in a real nginx, with services that only say what they were asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Kind, Ports, command, prepare};
use crate::http::{Request, Response};
use crate::process::{Service, free_port};
use crate::workspace;

const HTML: &str = "text/html,*/*;q=0.8";

/// nginx in front of three services that echo, and one that is not there when `with_mcp` is false.
struct Edge {
    http: String,
    https: u16,
    _nginx: Service,
    _folder: TempDir,
}

impl Edge {
    fn start(kind: Kind, with_mcp: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = Ports {
            http: free_port().unwrap(),
            https: free_port().unwrap(),
            backend: echo("backend"),
            aggregator: echo("aggregator"),
            mcp: if with_mcp { echo("mcp") } else { free_port().unwrap() },
            frontend: free_port().unwrap(),
        };
        let main = prepare(folder.path(), kind, ports).unwrap();
        serve_page_from_the_repository(folder.path());
        let nginx = command(folder.path(), &main).expect("these tests need nginx; `make test` installs it");
        let mut nginx = Service::start("nginx", nginx, folder.path()).unwrap();
        let http = format!("127.0.0.1:{}", ports.http);
        let up = || Request::new("GET", "/nginx-health").send(&http).is_ok();
        nginx.wait_at(ports.http, Duration::from_secs(20), up).unwrap();
        Self { http, https: ports.https, _nginx: nginx, _folder: folder }
    }

    fn get(&self, path: &str) -> Response {
        Request::new("GET", path).send(&self.http).unwrap()
    }

    /// What the service behind a path was asked.
    fn seen(&self, method: &str, path: &str) -> (String, String) {
        let answer = Request::new(method, path).send(&self.http).unwrap();
        let echo: Value =
            serde_json::from_str(&answer.body).unwrap_or_else(|_| json!({"status": answer.status}));
        (
            echo["service"].as_str().unwrap_or_default().to_owned(),
            echo["path"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// The same over TLS, by curl: status line, headers and body as text.
    fn secure(&self, path: &str) -> String {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--insecure",
            "--include",
            "--http1.1",
            "--header",
            &format!("Accept: {HTML}"),
        ]);
        workspace::read(curl.arg(format!("https://127.0.0.1:{}{path}", self.https))).unwrap()
    }
}

/// In production the files are in a volume; here they are those of the repository.
fn serve_page_from_the_repository(folder: &Path) {
    let file = folder.join(Kind::Prod.file());
    if let Ok(text) = std::fs::read_to_string(&file) {
        let page = workspace::root().join("frontend/public");
        std::fs::write(&file, text.replace("/usr/share/nginx/html", &page.display().to_string())).unwrap();
    }
}

/// A service that answers with its name and the path it was asked for, and sets a header of the edge.
fn echo(service: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream, service));
        }
    });
    port
}

fn answer(mut stream: &TcpStream, service: &str) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let body = json!({"service": service, "path": path, "headers": headers}).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Frame-Options: DENY\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).unwrap_or_default();
}

#[test]
fn paths_reach_their_services_as_the_table_says() {
    let edge = Edge::start(Kind::Dev, true);
    for (method, path, service, seen) in [
        ("GET", "/api/v1/users/a.js", "backend", "/api/v1/users/a.js"),
        ("POST", "/api/v1/auth/login", "backend", "/api/v1/auth/login"),
        ("GET", "/health/ready", "backend", "/health/ready"),
        ("GET", "/docs", "backend", "/docs"),
        ("GET", "/.well-known/jwks.json", "backend", "/.well-known/jwks.json"),
        ("POST", "/webhook/x", "backend", "/webhook/x"),
        ("POST", "/aggregator/api/v1/chat?x=1", "aggregator", "/api/v1/chat?x=1"),
        ("GET", "/v1/models", "aggregator", "/v1/models"),
        ("GET", "/q?a=b", "aggregator", "/api/v1/q?a=b"),
        ("POST", "/mcp", "mcp", "/mcp"),
        ("POST", "/mcp/oauth/token", "mcp", "/oauth/token"),
        (
            "GET",
            "/.well-known/oauth-authorization-server/mcp",
            "mcp",
            "/.well-known/oauth-authorization-server/mcp",
        ),
        ("POST", "/register", "mcp", "/oauth/register"),
        ("GET", "/ada/notes", "backend", "/ada/notes"),
        ("POST", "/ada/notes", "backend", "/ada/notes"),
        ("GET", "/ada", "backend", "/ada"),
    ] {
        assert_eq!(edge.seen(method, path), (service.to_owned(), seen.to_owned()), "{method} {path}");
    }
}

#[test]
fn bare_names_are_no_redirects() {
    let edge = Edge::start(Kind::Dev, true);
    for path in ["/api", "/v1", "/aggregator", "/webhook", "/webhooks", "/.well-known"] {
        for method in ["GET", "POST"] {
            assert_eq!(edge.seen(method, path), ("backend".to_owned(), path.to_owned()), "{method} {path}");
        }
        let page = Request::new("GET", path).header("Accept", HTML).send(&edge.http).unwrap();
        assert!(page.status == 200 && page.body.contains("<title>SyftHub</title>"), "{path}: {}", page.body);
        assert_eq!(page.all("X-Frame-Options"), ["SAMEORIGIN"], "{path}");
    }
}

#[test]
fn the_callers_address_and_host_are_passed_on() {
    let edge = Edge::start(Kind::Dev, true);
    let answer =
        Request::new("GET", "/health").header("X-Forwarded-For", "203.0.113.7").send(&edge.http).unwrap();
    let host = format!("Host: {}", edge.http);
    for header in
        ["X-Real-IP: 127.0.0.1", "X-Forwarded-For: 203.0.113.7, 127.0.0.1", "X-Forwarded-Proto: http", &host]
    {
        assert!(answer.body.contains(header), "{header}: {}", answer.body);
    }
    assert!(answer.body.contains("X-Correlation-ID: "), "{}", answer.body);
}

#[test]
fn the_edge_answers_for_itself_in_the_shape_of_the_api() {
    let edge = Edge::start(Kind::Dev, false);
    for path in ["/metrics", "/internal/x"]
        .iter()
        .flat_map(|p| ["", "/aggregator", "/mcp"].map(|at| format!("{at}{p}")))
    {
        let answer = edge.get(&path);
        assert_eq!(
            (answer.status, &answer.json().unwrap()["error"]["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
    }
    let gone = edge.get("/mcp/health");
    assert_eq!((gone.status, &gone.json().unwrap()["error"]["code"]), (503, &json!("unavailable")));
    assert_eq!(gone.header("Retry-After"), Some("2"));
    let grpc = Request::new("POST", "/api/v1/x")
        .header("Content-Type", "application/grpc")
        .send(&edge.http)
        .unwrap();
    assert_eq!((grpc.status, grpc.header("grpc-status")), (404, Some("12")));
    assert!(edge.get("/ada/notes").all("Vary").contains(&"Accept"), "a cache may mix the page and the API");
    assert_eq!(edge.get("/health").all("X-Frame-Options"), ["SAMEORIGIN"]);
    assert_eq!(gone.all("X-Frame-Options"), ["SAMEORIGIN"]);
}

#[test]
fn idle_connections_are_given_up_before_the_services_close_them() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports { http: 1, https: 2, backend: 3, aggregator: 4, mcp: 5, frontend: 6 };
    prepare(folder.path(), Kind::Dev, ports).unwrap();
    let committed = workspace::root().join("nginx/snippets/upstreams.conf");
    for file in [committed, folder.path().join("syfthub/upstreams.conf")] {
        let text = std::fs::read_to_string(&file).unwrap();
        let upstreams: Vec<&str> =
            text.split("upstream ").skip(1).filter(|part| part.contains('{')).collect();
        assert_eq!(upstreams.len(), 3, "{}", file.display());
        for upstream in upstreams {
            let kept = upstream.split("keepalive_timeout ").nth(1).and_then(|rest| rest.split('s').next());
            let kept: u32 = kept.and_then(|seconds| seconds.parse().ok()).unwrap_or(u32::MAX);
            assert!(kept < 15, "{}: upstream {upstream}", file.display());
        }
    }
}

#[test]
fn a_flood_of_logins_is_stopped_at_the_edge() {
    let edge = Edge::start(Kind::Prod, true);
    let statuses: Vec<u16> = (0..40).map(|_| secure_status(&edge, "/api/v1/auth/login")).collect();
    assert_eq!(statuses[0], 200);
    assert!(statuses.contains(&429), "{statuses:?}");
}

fn secure_status(edge: &Edge, path: &str) -> u16 {
    let answer = edge.secure(path);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn production_redirects_to_tls_except_for_health() {
    let edge = Edge::start(Kind::Prod, true);
    assert_eq!(edge.get("/health").status, 200);
    let answer = edge.get("/ada/notes?x=1");
    let target = "https://127.0.0.1/ada/notes?x=1";
    assert_eq!((answer.status, answer.header("Location")), (301, Some(target)));
}

#[test]
fn production_serves_the_page_anew_and_the_security_headers_once() {
    let edge = Edge::start(Kind::Prod, true);
    assert!(edge.secure("/ada/notes").contains("\"backend\""), "owners' pages are backend's, for people too");
    for path in ["/", "/some/page/of/the/app"] {
        let answer = edge.secure(path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(answer.contains("<title>SyftHub</title>"), "{path}");
        assert!(answer.contains("Cache-Control: no-cache\r\n"), "{path}");
    }
    for path in ["/", "/health", "/api/v1/x", "/none.js", "/.git/config", "/metrics"] {
        let answer = edge.secure(path);
        for header in [
            "Strict-Transport-Security: max-age=63072000",
            "X-Frame-Options: SAMEORIGIN",
            "X-Content-Type-Options: nosniff",
        ] {
            assert_eq!(answer.matches(header).count(), 1, "{path} {header}:\n{answer}");
        }
        assert_eq!(answer.matches("X-Frame-Options").count(), 1, "{path}");
    }
    assert_eq!(secure_status(&edge, "/.git/config"), 404);
    assert_eq!(secure_status(&edge, "/none.js"), 404);
    assert!(edge.secure("/api/v1/users/a.js").contains("\"backend\""), "a static rule took an API path");
}
