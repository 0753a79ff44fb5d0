//! Who is asking, and what their credential lets them do.

use syfthub_domain::{CredentialKind, Error, Result, Role, Scope, UserId, Username};

/// An authenticated caller. Role and names come from the database, not from the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user_id: UserId,
    /// Their current name.
    pub username: Username,
    /// Their mail address, lower-case.
    pub email: String,
    /// Their display name.
    pub full_name: String,
    /// Their role; never `Guest`.
    pub role: Role,
    /// What the credential may do. A hub token has `[Full]`.
    pub scopes: Vec<Scope>,
    /// What was presented.
    pub kind: CredentialKind,
    /// The session that it belongs to; personal access tokens have none.
    pub session: Option<String>,
}

impl Principal {
    /// Whether the credential's scopes cover an action. Says nothing about ownership or role.
    pub fn allows(&self, action: Action) -> bool {
        self.scopes.iter().any(|scope| match scope {
            Scope::Full => true,
            Scope::Write => action != Action::Credential,
            Scope::Read => action == Action::Read,
        })
    }

    /// Refuses an action that the credential's scopes do not cover (403 `PERMISSION_DENIED`).
    pub fn require(&self, action: Action) -> Result<()> {
        if self.allows(action) {
            return Ok(());
        }
        let needed = match action {
            Action::Read => "read",
            Action::Write => "write",
            Action::Credential => "full",
        };
        Err(Error::forbidden(format!("This token lacks the `{needed}` scope that the request needs")))
    }

    /// Whether the caller runs the hub.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// The classes of action that scopes tell apart (spec backend 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Changes nothing: GET, HEAD, search, verification of a token.
    Read,
    /// Changes what the caller owns.
    Write,
    /// Touches credentials, money, administration or the existence of an account.
    Credential,
}

impl Action {
    /// Classifies an HTTP request by method and full path (`/api/v1/…`, query excluded).
    pub fn classify(method: &str, path: &str) -> Self {
        let rest = path.strip_prefix("/api/v1").unwrap_or(path).trim_end_matches('/');
        let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
        // Reading these is as good as holding what they give.
        if let ["admin" | "accounting", ..]
        | ["users"]
        | ["nats", "credentials"]
        | ["users", "me", "tunnel-credentials" | "accounting"] = segments.as_slice()
        {
            return Self::Credential;
        }
        if matches!(method, "GET" | "HEAD" | "OPTIONS") {
            return Self::Read;
        }
        match segments.as_slice() {
            ["endpoints", "search"] | ["verify"] => Self::Read,
            ["auth", "tokens" | "sessions" | "grants", ..]
            | ["users", "me", "identities", ..]
            | ["auth" | "users", "me", "password"]
            | ["wallet", ..]
            | ["users", _, "activate" | "deactivate" | "grants"]
            | ["endpoints", _, "admin"]
            | ["nats", "encryption-key"] => Self::Credential,
            ["users", _] if method == "DELETE" => Self::Credential,
            _ => Self::Write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(scopes: &[Scope]) -> Principal {
        Principal {
            user_id: UserId(7),
            username: Username::from_trusted("ada".to_owned()),
            email: "ada@example.org".to_owned(),
            full_name: "Ada".to_owned(),
            role: Role::User,
            scopes: scopes.to_vec(),
            kind: CredentialKind::AccessToken,
            session: None,
        }
    }

    #[test]
    fn requests_fall_into_the_classes_of_the_contract() {
        let cases = [
            ("GET", "/api/v1/auth/me", Action::Read),
            ("HEAD", "/api/v1/endpoints", Action::Read),
            ("POST", "/api/v1/endpoints/search", Action::Read),
            ("POST", "/api/v1/verify", Action::Read),
            ("GET", "/api/v1/auth/tokens", Action::Read),
            ("POST", "/api/v1/endpoints", Action::Write),
            ("POST", "/api/v1/endpoints/", Action::Write),
            ("DELETE", "/api/v1/endpoints/slug/x", Action::Write),
            ("POST", "/ada/notes", Action::Write),
            ("POST", "/api/v1/auth/logout", Action::Write),
            ("POST", "/api/v1/auth/tokens", Action::Credential),
            ("DELETE", "/api/v1/auth/sessions/7", Action::Credential),
            ("GET", "/api/v1/users/me/identities", Action::Read),
            ("POST", "/api/v1/users/me/identities/google", Action::Credential),
            ("DELETE", "/api/v1/users/me/identities/github", Action::Credential),
            ("POST", "/api/v1/auth/tokens/", Action::Credential),
            ("DELETE", "/api/v1/auth/tokens/3", Action::Credential),
            ("GET", "/api/v1/auth/grants", Action::Read),
            ("DELETE", "/api/v1/auth/grants", Action::Credential),
            ("DELETE", "/api/v1/auth/grants/3", Action::Credential),
            ("DELETE", "/api/v1/users/3/grants", Action::Credential),
            ("PUT", "/api/v1/auth/me/password", Action::Credential),
            ("POST", "/api/v1/wallet/transfer", Action::Credential),
            ("DELETE", "/api/v1/users/3", Action::Credential),
            ("PATCH", "/api/v1/users/3/deactivate", Action::Credential),
            ("GET", "/api/v1/admin/users", Action::Credential),
            ("GET", "/api/v1/users/", Action::Credential),
            ("GET", "/api/v1/nats/credentials", Action::Credential),
            ("PUT", "/api/v1/nats/encryption-key", Action::Credential),
            ("GET", "/api/v1/nats/encryption-key/ada", Action::Read),
            ("POST", "/api/v1/peer-token", Action::Write),
            ("GET", "/api/v1/users/me/tunnel-credentials", Action::Credential),
            ("GET", "/api/v1/users/me/accounting", Action::Credential),
            ("GET", "/api/v1/accounting/user", Action::Credential),
            ("PATCH", "/api/v1/endpoints/3/admin", Action::Credential),
        ];
        for (method, path, expected) in cases {
            assert_eq!(Action::classify(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn scopes_cover_what_the_contract_says() {
        let allowed = |scope| {
            [Action::Read, Action::Write, Action::Credential].map(|action| with(&[scope]).allows(action))
        };
        assert_eq!(allowed(Scope::Read), [true, false, false]);
        assert_eq!(allowed(Scope::Write), [true, true, false]);
        assert_eq!(allowed(Scope::Full), [true, true, true]);
        assert!(!with(&[]).allows(Action::Read));
        assert!(with(&[Scope::Read, Scope::Write]).allows(Action::Write));
    }

    #[test]
    fn a_refusal_names_the_missing_scope() {
        let refused = with(&[Scope::Read]).require(Action::Write).unwrap_err();
        assert_eq!(refused.code.name(), "PERMISSION_DENIED");
        assert!(refused.message.contains("`write`"));
    }
}
