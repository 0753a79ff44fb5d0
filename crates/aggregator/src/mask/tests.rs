use proptest::prelude::*;

use super::*;

fn kinds(text: &str) -> Vec<&'static str> {
    mask(text).found.into_keys().collect()
}

/// A value that looks random, made here so that no scanner takes this file for a leak.
fn random(length: usize) -> String {
    let letters = b"aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xYz";
    (0..length).map(|at| char::from(letters[(at * 7 + at / 5) % letters.len()])).collect()
}

fn upper(length: usize) -> String {
    random(length * 2).to_ascii_uppercase().chars().take(length).collect()
}

#[test]
fn the_signs_can_be_looked_for() {
    assert!(FINDER.is_some());
    assert!(SIGNS.iter().all(|(sign, _)| sign.is_ascii() && !sign.is_empty()));
}

#[test]
fn every_kind_of_secret_is_masked_and_named() {
    let pem = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n{}\n-----END RSA PRIVATE KEY-----",
        random(64),
        random(40)
    );
    let jwt = format!("eyJ{}.eyJ{}.{}", random(20), random(40), random(43));
    let cases = [
        (pem.clone(), "private key"),
        (pem.replace('\n', "\\n"), "private key"),
        (pem[..80].to_owned(), "private key"),
        (format!("AKIA{}", upper(16)), "AWS access key"),
        (format!("ghp_{}", random(36)), "GitHub token"),
        (format!("github_pat_{}", random(82)), "GitHub token"),
        (format!("glpat-{}", random(20)), "GitLab token"),
        (format!("xoxb-{}", random(40)), "Slack token"),
        (format!("sk_live_{}", random(24)), "Stripe key"),
        (format!("AIza{}", random(35)), "Google API key"),
        (format!("sk-ant-api03-{}", random(80)), "Anthropic API key"),
        (format!("sk-proj-{}", random(48)), "API key"),
        (format!("sk-{}", random(48)), "API key"),
        (format!("hf_{}", random(34)), "Hugging Face token"),
        (format!("syft_pat_{}", random(43)), "SyftHub token"),
        (jwt, "JSON web token"),
    ];
    for (secret, kind) in cases {
        let text = format!("The key is {secret}, keep it. ä");
        let masked = mask(&text);
        assert_eq!(masked.text, format!("The key is [masked: {kind}], keep it. ä"), "{secret}");
        assert_eq!(masked.found, BTreeMap::from([(kind, 1)]));
    }
}

#[test]
fn the_value_alone_is_masked_where_a_name_says_what_it_is() {
    let value = random(24);
    for (before, after, kind) in [
        ("password=", "", "password"),
        ("DB_PASSWORD: '", "'", "password"),
        ("\"api_key\": \"", "\",", "API key"),
        ("\\\"apiKey\\\":\\\"", "\\\"", "API key"),
        ("X-Api-Key: ", "\r\n", "API key"),
        ("aws_secret_access_key = ", "\n", "access key"),
        ("client_secret := \"", "\"", "secret"),
        (":token => '", "'", "token"),
        ("Authorization: Basic ", "", "credential"),
        ("curl -H 'x: Bearer ", "'", "bearer token"),
        ("postgres://ann:", "@db:5432/x", "password"),
        ("https://hooks.slack.com/services/", " ", "Slack hook"),
    ] {
        let masked = mask(&format!("é {before}{value}{after}")).text.into_owned();
        assert_eq!(masked, format!("é {before}[masked: {kind}]{after}"));
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    for text in [
        "",
        "Your password must have at least twelve characters; the token expires after 60 seconds.",
        "Password: required. Token: string. secret: true, api_key: null, max_tokens: 1024",
        "password = os.environ['DB_PASSWORD1'] and token = get_token_2(user)",
        "API_KEY=${API_KEY_2026} password=your-password-123 token: <token-2-here>",
        "Set the token: see https://docs.example.org/v2/tokens#create-1",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8, sha256 e3b0c44298fc1c149afbf4c8996fb924",
        "id 123e4567-e89b-12d3-a456-426614174000 of task-2024-plan-for-the-second-quarter1",
        "risk-management-of-2024-and-disk-usage sk-learn-something-from-2024-on",
        "![x](data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAKIAbcdEfgh0123456789)",
        "-----BEGIN CERTIFICATE-----\nMIIB0123456789\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB0123456789\n-----END PUBLIC KEY-----",
        "http://ann@example.org:80/ and mailto:ann@example.org, ssh://git@host:22/x",
        "The bearer of this letter2 may pass. Bearer tokens are short.",
        "AKIA is a prefix; eyJ is another; ghp_ too, and sk- as well. 密码是什么?",
        "Die Passwörter: siehe Seite 12. пароль: пример",
    ] {
        assert_eq!(mask(text).text, text);
        assert_eq!(kinds(text), [""; 0]);
    }
}

#[test]
fn long_secrets_are_masked_to_their_end() {
    let long = random(3_000);
    for (text, masked) in [
        (format!("password={long} x"), "password=[masked: password] x"),
        (format!("sk-{long} x"), "[masked: API key] x"),
        (format!("ghp_{long} x"), "[masked: GitHub token] x"),
        (format!("eyJ{long}.eyJ{long}.{long} x"), "[masked: JSON web token] x"),
    ] {
        assert_eq!(mask(&text).text, masked);
    }
}

#[test]
fn a_text_of_nothing_but_places_to_look_at_takes_no_longer_than_others() {
    let started = std::time::Instant::now();
    for place in [
        "_eyJ",
        "token=",
        "password=a",
        "-sk-",
        "_ghp_a",
        "AKIA ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "bearer a",
        "://a:",
        "SG.",
        "hooks.slack.com/services/",
        "api_key:\"",
        "pwd=a1",
    ] {
        mask(&place.repeat(100_000 / place.len()));
    }
    // With looks that each go on for 16 KiB it took minutes.
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn several_secrets_are_counted() {
    let text = format!("ghp_{} and ghp_{} password={}", random(36), random(40), random(20));
    assert_eq!(mask(&text).found, BTreeMap::from([("GitHub token", 2), ("password", 1)]));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_a_mask_is_not_masked_again(
        parts in prop::collection::vec(
            prop_oneof![
                any::<String>(),
                prop::sample::select(SIGNS).prop_map(|(sign, _)| sign.to_owned()),
                Just("=".to_owned()),
                Just(": \"".to_owned()),
                Just("PRIVATE KEY-----".to_owned()),
                Just("ann:é@".to_owned()),
                (16_usize..80).prop_map(random),
            ],
            0..12,
        )
    ) {
        let text = parts.concat();
        let once = mask(&text).text.into_owned();
        let twice = mask(&once).text.into_owned();
        prop_assert_eq!(mask(&twice).text.into_owned(), twice);
    }
}
