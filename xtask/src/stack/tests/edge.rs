//! What the proxy does before a service sees a request.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::http::{Request, Response};
use crate::stack::Stack;
use crate::workspace::Profile;

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

fn get(stack: &Stack, path: &str) -> Result<Response> {
    Request::new("GET", path).send(&stack.address)
}

pub(super) fn documents(stack: &mut Stack, _: Profile) -> Result<()> {
    let health = get(stack, "/health")?.expect(200)?.json()?;
    ensure!(health["status"] == "healthy" && health["version"].is_string(), "health says {health}");
    for path in ["/health/live", "/health/ready", "/docs", "/redoc"] {
        get(stack, path)?.expect(200)?;
    }
    let openapi = get(stack, "/openapi.json")?.expect(200)?.json()?;
    ensure!(
        openapi["openapi"].as_str().is_some_and(|v| v.starts_with("3.1")),
        "openapi.json is {}",
        openapi["openapi"]
    );
    let keys = get(stack, "/.well-known/jwks.json")?.expect(200)?.json()?;
    ensure!(keys["keys"].as_array().is_some_and(|keys| !keys.is_empty()), "no keys: {keys}");
    for (path, service) in [("/aggregator/health", "aggregator"), ("/mcp/health", "mcp")] {
        let health = get(stack, path)?.expect(200)?.json()?;
        ensure!(health.to_string().contains(service), "{path} says {health}");
    }
    Ok(())
}

pub(super) fn hidden(stack: &mut Stack, _: Profile) -> Result<()> {
    for path in ["/metrics", "/metrics/x", "/internal", "/internal/x"]
        .iter()
        .flat_map(|path| ["", "/aggregator", "/mcp"].map(|prefix| format!("{prefix}{path}")))
    {
        let answer = get(stack, &path)?.expect(404)?;
        ensure!(answer.json()?["error"]["code"] == "not_found", "{path}: {}", answer.body);
    }
    for path in ["/aggregator//metrics", "/mcp/%6detrics", "/aggregator/x/../metrics"] {
        get(stack, path)?.expect(404)?;
    }
    let grpc = Request::new("POST", "/syfthub.identity.v1.Identity/FindUser")
        .header("Content-Type", "application/grpc")
        .send(&stack.address)?
        .expect(404)?;
    ensure!(grpc.header("grpc-status") == Some("12"), "grpc-status is {:?}", grpc.header("grpc-status"));
    for port in [stack.ports.backend, stack.ports.aggregator, stack.ports.mcp] {
        let metrics = Request::new("GET", "/metrics").send(&format!("127.0.0.1:{port}"))?.expect(200)?;
        ensure!(!metrics.body.is_empty(), "the service on port {port} has no metrics");
    }
    Ok(())
}

pub(super) fn security_headers(stack: &mut Stack, _: Profile) -> Result<()> {
    let paths = [
        "/health",
        "/",
        "/docs",
        "/api/v1/endpoints/public",
        "/api/v1/none",
        "/aggregator/health",
        "/mcp/health",
        "/metrics",
    ];
    for path in paths {
        let answer = Request::new("GET", path).header("Accept", HTML).send(&stack.address)?;
        for header in [
            "X-Frame-Options",
            "X-Content-Type-Options",
            "X-XSS-Protection",
            "Referrer-Policy",
            "Content-Security-Policy",
        ] {
            let values = answer.all(header);
            ensure!(values.len() == 1, "{path} sends {header} {} times: {values:?}", values.len());
        }
        ensure!(answer.all("Strict-Transport-Security").is_empty(), "{path} sends HSTS over plain HTTP");
    }
    Ok(())
}

pub(super) fn mcp_is_not_redirected(stack: &mut Stack, _: Profile) -> Result<()> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let answer = Request::post("/mcp", &call)
        .header("Accept", "application/json, text/event-stream")
        .send(&stack.address)?
        .expect(401)?;
    ensure!(answer.header("WWW-Authenticate").is_some(), "401 without WWW-Authenticate");
    Ok(())
}

pub(super) fn pages(stack: &mut Stack, _: Profile) -> Result<()> {
    for path in ["/nobody", "/nobody/nothing"] {
        let page = Request::new("GET", path).header("Accept", HTML).send(&stack.address)?.expect(404)?;
        ensure!(page.body.contains("Nothing is published here"), "{path} is not a page: {}", page.body);
    }
    for path in ["/", "/some/page/of/the/app"] {
        let page = Request::new("GET", path).header("Accept", HTML).send(&stack.address)?.expect(200)?;
        ensure!(page.body.contains("<title>SyftHub</title>"), "{path} is not the page");
        ensure!(
            page.header("Cache-Control") == Some("no-cache"),
            "{path} may be cached: {:?}",
            page.header("Cache-Control")
        );
    }
    for path in ["/nobody", "/nobody/nothing", "/api/v1/none"] {
        let answer = Request::new("GET", path).header("Accept", "application/json").send(&stack.address)?;
        ensure!((400..500).contains(&answer.status), "{path} answers {}", answer.status);
        ensure!(answer.json()?["error"]["code"].is_string(), "{path}: {}", answer.body);
    }
    Ok(())
}

pub(super) fn correlation(stack: &mut Stack, _: Profile) -> Result<()> {
    let id = "5a1c0c52-9e0f-4f5e-8a57-3f7f3f0f5b11";
    for path in ["/health", "/aggregator/health", "/mcp/health"] {
        let answer =
            Request::new("GET", path).header("X-Correlation-ID", id).send(&stack.address)?.expect(200)?;
        ensure!(answer.all("X-Correlation-ID") == [id], "{path}: {:?}", answer.all("X-Correlation-ID"));
    }
    Ok(())
}
