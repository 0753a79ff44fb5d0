//! What a client may ask for, and what it gets.

use super::urls::Resource;

/// Those of OpenID Connect, which say something about a person and open nothing.
pub(crate) const IDENTITY: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// Those that open something, from the least to the most.
const ACCESS: [&str; 3] = ["read", "write", "full"];

/// What can be asked for at a resource.
pub(crate) fn offered(resource: Resource) -> Vec<&'static str> {
    let access = match resource {
        Resource::Mcp => &ACCESS[..2],
        Resource::Api => &ACCESS[..],
    };
    IDENTITY.iter().chain(access).copied().collect()
}

/// What a resource says that it knows. Staying connected is between a client and the authorization server.
pub(crate) fn of_resource(resource: Resource) -> Vec<&'static str> {
    offered(resource).into_iter().filter(|scope| *scope != "offline_access").collect()
}

/// Everything that can be asked for anywhere.
pub(crate) fn all() -> Vec<&'static str> {
    offered(Resource::Api)
}

/// Whether it opens something.
pub(crate) fn opens(scope: &str) -> bool {
    ACCESS.contains(&scope)
}

/// The scopes of a request: what is unknown is dropped, and one that names nothing that opens something gets `read`,
/// which clients of earlier hubs rely on. `None` when something was asked for and nothing of it is known.
pub(crate) fn wanted(given: Option<&str>, resource: Resource) -> Option<Vec<String>> {
    let offered = offered(resource);
    let given = given.unwrap_or_default();
    let named: Vec<&str> = given.split(' ').filter(|scope| !scope.is_empty()).collect();
    let mut scopes: Vec<String> = Vec::new();
    for scope in &named {
        if offered.contains(scope) && !scopes.iter().any(|known| known == scope) {
            scopes.push((*scope).to_owned());
        }
    }
    if scopes.is_empty() && !named.is_empty() {
        return None;
    }
    if !scopes.iter().any(|scope| opens(scope)) {
        scopes.push("read".to_owned());
    }
    Some(scopes)
}

/// What a scope means to somebody who has to decide.
pub(crate) fn in_words(scope: &str) -> &'static str {
    match scope {
        "read" => {
            "See the endpoints that you can see, search their documents and ask questions in your name, also where that costs money"
        }
        "write" => "Publish endpoints in your name and change those that you own",
        "full" => "Do everything that you can do here, including passwords, tokens and payments",
        "openid" => "Know which account of this hub is yours",
        "profile" => "See your name and username",
        "email" => "See your mail address",
        "offline_access" => "Stay connected when you are away, until it was not used for 30 days",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_scopes_are_dropped_and_read_is_the_least() {
        let of = |given, resource| wanted(given, resource).map(|scopes| scopes.join(" "));
        assert_eq!(of(None, Resource::Mcp).as_deref(), Some("read"));
        assert_eq!(
            of(Some("openid profile email"), Resource::Mcp).as_deref(),
            Some("openid profile email read")
        );
        assert_eq!(of(Some("write  x write"), Resource::Mcp).as_deref(), Some("write"));
        assert_eq!(of(Some("full"), Resource::Mcp), None);
        assert_eq!(of(Some("full"), Resource::Api).as_deref(), Some("full"));
        assert_eq!(of(Some("x y"), Resource::Mcp), None);
    }

    #[test]
    fn every_scope_has_words() {
        assert!(all().iter().all(|scope| !in_words(scope).is_empty()));
    }
}
