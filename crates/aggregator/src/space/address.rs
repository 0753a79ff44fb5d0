//! Where an endpoint is asked.

use url::Url;

use super::Failure;
use crate::chat::{Connection, EndpointRef};

/// `{url}/api/v1/endpoints/{slug}/query`, or `{url}/chat/completions` of a model that speaks OpenAI's protocol. The slug is one path segment, whatever it contains.
pub(super) fn query_url(endpoint: &EndpointRef) -> Result<Url, Failure> {
    if endpoint.url.starts_with("tunneling:") {
        return Err(Failure::BadReference("tunnelling is not configured on this hub"));
    }
    let path: &[&str] = match endpoint.connection {
        Connection::OpenAi => &["chat", "completions"],
        Connection::Space if matches!(endpoint.slug.as_str(), "" | "." | "..") => {
            return Err(Failure::BadReference("The endpoint has no usable slug"));
        }
        Connection::Space => &["api", "v1", "endpoints", &endpoint.slug, "query"],
    };
    let mut url = Url::parse(&endpoint.url).map_err(|_| NOT_HTTP)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(NOT_HTTP);
    }
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut().map_err(|()| NOT_HTTP)?.pop_if_empty().extend(path);
    Ok(url)
}

const NOT_HTTP: Failure = Failure::BadReference("The address of the endpoint is not an http or https URL");

/// Scheme, host and port, for messages; no user information and no path.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str, slug: &str) -> Result<String, String> {
        let endpoint = EndpointRef { url: url.to_owned(), slug: slug.to_owned(), ..EndpointRef::default() };
        query_url(&endpoint).map(String::from).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_path_is_appended_to_the_base() {
        let expected = "https://x.org/space/api/v1/endpoints/docs/query";
        assert_eq!(at("https://x.org/space", "docs").unwrap(), expected);
        assert_eq!(at("https://x.org/space/?a=1#b", "docs").unwrap(), expected);
        assert_eq!(at("http://x.org", "a").unwrap(), "http://x.org/api/v1/endpoints/a/query");
    }

    #[test]
    fn a_model_of_openais_protocol_is_asked_below_its_base() {
        let endpoint = EndpointRef {
            url: "https://m.example/v1/".to_owned(),
            connection: Connection::OpenAi,
            ..EndpointRef::default()
        };
        let url = query_url(&endpoint).map(String::from).unwrap();
        assert_eq!(url, "https://m.example/v1/chat/completions");
    }

    #[test]
    fn a_slug_cannot_leave_its_segment() {
        assert_eq!(
            at("http://x.org", "../admin?x").unwrap(),
            "http://x.org/api/v1/endpoints/..%2Fadmin%3Fx/query"
        );
        assert!(at("http://x.org", "..").is_err());
        assert!(at("http://x.org", "").is_err());
    }

    #[test]
    fn only_http_is_spoken() {
        for url in ["", "file:///etc/passwd", "ftp://x.org", "mailto:a@x.org"] {
            assert!(at(url, "docs").unwrap_err().contains("not an http"), "{url}");
        }
        assert!(at("tunneling:bob", "docs").unwrap_err().contains("tunnelling"));
    }
}
