//! What a satellite token costs beside the bare signature. The two should differ by little: the key
//! stays parsed, and joining the parts is cheap.
#![expect(clippy::unwrap_used, missing_docs, reason = "a benchmark; criterion writes its own main")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use criterion::{Criterion, criterion_group, criterion_main};
use syfthub_auth::keys::SigningKey;
use syfthub_auth::satellite::{Claims, mint};
use syfthub_domain::Role;

fn rs256(c: &mut Criterion) {
    let key = SigningKey::generate().unwrap();
    let claims = Claims {
        sub: "42".to_owned(),
        iss: "https://hub.example".to_owned(),
        aud: "ada".to_owned(),
        iat: 1_800_000_000,
        exp: 1_800_000_060,
        role: Role::User,
    };
    let message = mint(&key, &claims).unwrap();
    let message = message.rsplit_once('.').unwrap().0.as_bytes();
    let mut signature = vec![0_u8; key.pair().public_modulus_len()];
    c.bench_function("rs256/raw KeyPair::sign", |bench| {
        bench.iter(|| {
            key.pair().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        });
    });
    c.bench_function("rs256/mint satellite token", |bench| bench.iter(|| mint(&key, &claims).unwrap()));
}

criterion_group!(benches, rs256);
criterion_main!(benches);
