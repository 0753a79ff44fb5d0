//! Defaults of what an administrator may change at run time.

use crate::hub_settings::{Hub, RegistrationMode, is_mail_domain};
use crate::reader::Reader;

/// Longest name of a hub, in characters.
const LONGEST_NAME: usize = 60;

/// Reads them.
pub(super) fn hub(reader: &mut Reader) -> Hub {
    let registration = match reader.choice("REGISTRATION_MODE", "open") {
        "invitation" => RegistrationMode::Invitation,
        "domains" => RegistrationMode::Domains,
        "closed" => RegistrationMode::Closed,
        _ => RegistrationMode::Open,
    };
    let allowed = reader.list("REGISTRATION_ALLOWED_DOMAINS", Vec::new());
    let allowed_domains: Vec<String> =
        allowed.iter().map(|domain| domain.trim().trim_start_matches('@').to_lowercase()).collect();
    if let Some(bad) = allowed_domains.iter().find(|domain| !is_mail_domain(domain)) {
        reader.problem(
            "REGISTRATION_ALLOWED_DOMAINS",
            format!("{bad} is not a mail domain such as example.com"),
        );
    }
    if registration == RegistrationMode::Domains && allowed_domains.is_empty() {
        reader
            .problem("REGISTRATION_ALLOWED_DOMAINS", "must name a domain when REGISTRATION_MODE is domains");
    }
    let guest_access = reader.flag("GUEST_ACCESS", true);
    let instance_name = reader.text("INSTANCE_NAME", "SyftHub").trim().to_owned();
    if instance_name.chars().count() > LONGEST_NAME || instance_name.chars().any(char::is_control) {
        reader.problem("INSTANCE_NAME", "must be one line of up to 60 characters");
    }
    Hub { registration, allowed_domains, guest_access, instance_name }
}
