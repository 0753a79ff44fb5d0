//! What mails say.

use std::borrow::Cow;
use std::time::Duration;

use syfthub_config::Secret;

use crate::html::escape;

/// A mail that the hub sends.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// Confirm a mail address.
    VerificationCode {
        /// What to enter.
        code: Secret,
        /// Who is addressed.
        full_name: String,
        /// How long the code is good.
        valid_for: Duration,
    },
    /// Choose a new password.
    PasswordResetCode {
        /// What to enter.
        code: Secret,
        /// Who is addressed.
        full_name: String,
        /// How long the code is good.
        valid_for: Duration,
    },
    /// For the address that an account had until now.
    AddressChanged {
        /// Who is addressed.
        full_name: String,
        /// The account's name.
        username: String,
    },
    /// A collective wants an endpoint.
    CollectiveInvitation {
        /// Who invites, by name.
        inviter: String,
        /// Name of the collective.
        collective: String,
        /// `owner/slug` of the endpoint.
        endpoint: String,
    },
    /// Somebody may register.
    RegistrationInvitation {
        /// What the hub calls itself.
        instance: String,
        /// Who invites, by name.
        inviter: String,
        /// Where the account is made: an address of this hub.
        link: String,
    },
}

/// The texts of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Texts {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// What every mail says about its sender.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// What the hub calls itself.
    pub(crate) instance: String,
    /// Where its web app is.
    pub(crate) url: String,
}

struct Template {
    text: &'static str,
    html: &'static str,
}

macro_rules! template {
    ($name:literal) => {
        Template {
            text: include_str!(concat!("templates/", $name, ".txt")),
            html: include_str!(concat!("templates/", $name, ".html")),
        }
    };
}

const FRAME: Template = template!("frame");

impl Message {
    /// How long the mail is of use; `None`: for ever.
    pub(crate) fn valid_for(&self) -> Option<Duration> {
        match self {
            Self::VerificationCode { valid_for, .. } | Self::PasswordResetCode { valid_for, .. } => {
                Some(*valid_for)
            }
            Self::AddressChanged { .. }
            | Self::CollectiveInvitation { .. }
            | Self::RegistrationInvitation { .. } => None,
        }
    }

    /// A word for the log.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::VerificationCode { .. } => "verification_code",
            Self::PasswordResetCode { .. } => "password_reset_code",
            Self::AddressChanged { .. } => "address_changed",
            Self::CollectiveInvitation { .. } => "collective_invitation",
            Self::RegistrationInvitation { .. } => "registration_invitation",
        }
    }

    /// Writes the mail. What users chose is cut to one line, and escaped in HTML.
    pub(crate) fn write(&self, sender: &Sender) -> Texts {
        let instance = &sender.instance;
        let subject = match self {
            Self::VerificationCode { .. } => format!("Your verification code for {instance}"),
            Self::PasswordResetCode { .. } => format!("Your password reset code for {instance}"),
            Self::AddressChanged { .. } => format!("Your account at {instance} has a new mail address"),
            Self::CollectiveInvitation { inviter, collective, .. } => {
                let (inviter, collective) = (unlinked(inviter), unlinked(collective));
                format!("{inviter} invited your endpoint to the {collective} collective")
            }
            Self::RegistrationInvitation { instance, inviter, .. } => {
                format!("{} invited you to {instance}", unlinked(inviter))
            }
        };
        let subject = line(&subject).into_owned();
        let mut values = self.values();
        values.extend([("instance", instance.clone()), ("url", sender.url.clone())]);
        let values: Vec<(&str, String)> =
            values.into_iter().map(|(name, value)| (name, line(&value).into_owned())).collect();
        let template = self.template();
        let text = fill(FRAME.text, &with_body(&values, &subject, &fill(template.text, &values)));
        let escaped: Vec<(&str, String)> =
            values.iter().map(|(name, value)| (*name, escape(value))).collect();
        let body = fill(template.html, &escaped);
        let html = fill(FRAME.html, &with_body(&escaped, &escape(&subject), &body));
        Texts { subject, text, html }
    }

    fn template(&self) -> Template {
        match self {
            Self::VerificationCode { .. } => template!("verification_code"),
            Self::PasswordResetCode { .. } => template!("password_reset_code"),
            Self::AddressChanged { .. } => template!("address_changed"),
            Self::CollectiveInvitation { .. } => template!("collective_invitation"),
            Self::RegistrationInvitation { .. } => template!("registration_invitation"),
        }
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::VerificationCode { code, full_name, valid_for }
            | Self::PasswordResetCode { code, full_name, valid_for } => vec![
                ("code", code.expose().to_owned()),
                ("full_name", greeted(full_name)),
                ("minutes", valid_for.as_secs().div_ceil(60).to_string()),
            ],
            Self::AddressChanged { full_name, username } => {
                vec![("full_name", greeted(full_name)), ("username", username.clone())]
            }
            Self::CollectiveInvitation { inviter, collective, endpoint } => vec![
                ("inviter", unlinked(inviter)),
                ("collective", unlinked(collective)),
                ("endpoint", endpoint.clone()),
            ],
            Self::RegistrationInvitation { instance, inviter, link } => {
                vec![("name", instance.clone()), ("inviter", unlinked(inviter)), ("link", link.clone())]
            }
        }
    }
}

fn with_body<'v>(values: &[(&'v str, String)], subject: &str, body: &str) -> Vec<(&'v str, String)> {
    let own = [("subject", subject.to_owned()), ("body", body.trim_end().to_owned())];
    values.iter().cloned().chain(own).collect()
}

/// A name to greet somebody by. Whoever registers chooses both the name and whom the mail goes to, so a name with
/// something that mail programs turn into a link is left out.
fn greeted(name: &str) -> String {
    let is_link = |word: &str| {
        let dotted = word.split('.').filter(|part| !part.is_empty()).collect::<Vec<_>>();
        word.contains('@')
            || word.contains("://")
            || word.to_lowercase().contains("http")
            || (dotted.len() > 1 && dotted.last().is_some_and(|end| end.chars().count() > 1))
    };
    if name.split_whitespace().any(is_link) { "there".to_owned() } else { name.to_owned() }
}

/// A name that the sender chose, so that no mail program makes a link of a part of it.
fn unlinked(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(c);
        if matches!(c, '.' | ':' | '@') && rest.peek().is_some_and(|next| !next.is_whitespace()) {
            out.push(' ');
        }
    }
    out
}

/// One line of at most 200 characters: neither a header nor a sentence can be broken off by a value.
fn line(value: &str) -> Cow<'_, str> {
    if value.chars().count() <= 200 && !value.chars().any(breaks) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.chars().take(200).map(|c| if breaks(c) { ' ' } else { c }).collect())
}

fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Puts values in place of `{{name}}`, in one pass: a value that looks like a place stays as it is.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            out.push_str(value);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_invitation_is_no_way_to_send_links_either() {
        let message = Message::CollectiveInvitation {
            inviter: "Your account at https://evil.example/x".to_owned(),
            collective: "See www.evil.example or a@evil.example".to_owned(),
            endpoint: "ada/notes".to_owned(),
        };
        let sender = Sender { instance: "Hub".to_owned(), url: "https://hub.example.org".to_owned() };
        let Texts { subject, text, html } = message.write(&sender);
        for part in [&subject, &text, &html] {
            for link in ["evil.example", "://evil", "@evil"] {
                assert!(!part.contains(link), "{link} in {part}");
            }
        }
        assert_eq!(unlinked("J. R. R. Tolkien"), "J. R. R. Tolkien");
        assert_eq!(unlinked("Node.js"), "Node. js");
    }

    #[test]
    fn a_name_is_no_way_to_send_links_to_strangers() {
        for bad in [
            "You won! evil.example",
            "http://evil",
            "evil.co/x",
            "HTTPS:evil",
            "a@b",
            "See www.evil.example now",
        ] {
            assert_eq!(greeted(bad), "there", "{bad}");
        }
        for good in [
            "Bob",
            "J. R. R. Tolkien",
            "J.R.R. Tolkien",
            "Ada/Bob",
            "Martin Luther King Jr.",
            "Ada",
            "王小明",
        ] {
            assert_eq!(greeted(good), good);
        }
    }

    fn sender() -> Sender {
        Sender { instance: "Ada's <Hub>".to_owned(), url: "https://hub.example.com".to_owned() }
    }

    fn all(text: &str) -> Vec<Message> {
        let (text, code, valid_for) = (text.to_owned(), Secret::new("123456"), Duration::from_mins(10));
        vec![
            Message::VerificationCode { code: code.clone(), full_name: text.clone(), valid_for },
            Message::PasswordResetCode { code, full_name: text.clone(), valid_for },
            Message::CollectiveInvitation {
                inviter: text.clone(),
                collective: text.clone(),
                endpoint: text.clone(),
            },
            Message::RegistrationInvitation {
                instance: text.clone(),
                inviter: text.clone(),
                link: text.clone(),
            },
            Message::AddressChanged { full_name: text.clone(), username: text },
        ]
    }

    #[test]
    fn every_place_of_every_template_is_filled() {
        for message in all("Bob") {
            let Texts { subject, text, html } = message.write(&sender());
            for part in [&subject, &text, &html] {
                assert!(!part.contains("{{") && !part.contains("}}"), "{part}");
            }
            assert!(text.contains("Bob") && html.contains("Bob"), "{text}");
            assert!(text.contains("https://hub.example.com") && html.contains("https://hub.example.com"));
            assert!(html.contains("Ada&#39;s &lt;Hub&gt;") && text.contains("Ada's <Hub>"), "{html}");
            assert!(!html.contains("<img") && !html.contains("src=") && !html.contains("<link"), "{html}");
        }
    }

    #[test]
    fn codes_are_in_the_text_and_not_in_the_subject() {
        for message in &all("Bob")[..2] {
            let Texts { subject, text, html } = message.write(&sender());
            assert!(text.contains("123456") && html.contains("123456") && !subject.contains("123456"));
            assert!(text.contains("10 minutes"), "{text}");
        }
    }

    #[test]
    fn subjects_say_what_it_is_about() {
        let subjects: Vec<String> = all("X").iter().map(|message| message.write(&sender()).subject).collect();
        assert!(subjects[0].contains("verification code") && subjects[1].contains("password reset code"));
        assert_eq!(subjects[2], "X invited your endpoint to the X collective");
    }

    #[test]
    fn a_value_that_looks_like_a_place_is_not_filled() {
        let text = all("{{code}}")[0].write(&sender()).text;
        assert_eq!(text.matches("123456").count(), 1, "{text}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_value_breaks_out(value in "[\\PC\r\n\t<>\"'&]{0,60}") {
            for message in all(&value) {
                let Texts { subject, text, html } = message.write(&sender());
                prop_assert!(!subject.chars().any(breaks));
                let plain = all("Bob").into_iter().find(|other| other.kind() == message.kind()).unwrap().write(&sender());
                prop_assert_eq!(text.lines().count(), plain.text.lines().count());
                prop_assert_eq!(html.matches('<').count(), plain.html.matches('<').count());
            }
        }
    }
}
