//! A registry of ten thousand users and a hundred thousand endpoints.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::PgPool;
use syfthub_store::{Db, search};

/// Accounts; each owns ten endpoints.
pub(crate) const USERS: i32 = 10_000;
const PER_USER: i32 = 10;
/// Words that names and descriptions are made of.
const WORDS: u32 = 20_000;
const SYLLABLES: [&str; 20] = [
    "ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo", "kar", "lin", "mon",
    "per", "tor", "van",
];

/// A word that can be pronounced, three to five syllables, different for each number.
pub(crate) fn word(number: u32) -> String {
    let mut rest = number + 8_000;
    let mut word = String::new();
    while rest > 0 {
        word.push_str(SYLLABLES[(rest % 20) as usize]);
        rest /= 20;
    }
    word
}

/// Few words are frequent and many are rare, as in any language.
fn any_word(random: &mut SmallRng) -> String {
    let share: f64 = random.random();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below WORDS")]
    let number = (share.powi(3) * f64::from(WORDS)) as u32;
    word(number.min(WORDS - 1))
}

fn words(random: &mut SmallRng, count: usize) -> String {
    (0..count).map(|_| any_word(random)).collect::<Vec<_>>().join(" ")
}

/// Fills the tables and builds the search index. Gives some of the names.
pub(crate) async fn fill(pool: &PgPool, db: &Db) -> anyhow::Result<Vec<String>> {
    sqlx::query(
        "INSERT INTO users (username, email, full_name, is_email_verified, domain, created_at, updated_at) \
         SELECT 'user' || n, 'user' || n || '@example.org', 'User ' || n, TRUE, 'https://u' || n || '.example.org', \
         now(), now() FROM generate_series(1, $1) AS n",
    )
    .bind(USERS)
    .execute(pool)
    .await?;
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM users WHERE username LIKE 'user%' ORDER BY id")
        .fetch_all(pool)
        .await?;
    let mut random = SmallRng::seed_from_u64(7);
    let mut sample = Vec::new();
    for ids in ids.chunks(500) {
        let (mut owners, mut names, mut slugs, mut texts, mut readmes) =
            (vec![], vec![], vec![], vec![], vec![]);
        for id in ids {
            for number in 0..PER_USER {
                owners.push(*id);
                names.push(words(&mut random, 3));
                slugs.push(format!("endpoint-{number}"));
                texts.push(words(&mut random, 8));
                readmes.push(words(&mut random, 40));
            }
        }
        sample.extend(names.iter().step_by(50).cloned());
        sqlx::query(
            "INSERT INTO endpoints (user_id, name, slug, type, visibility, description, readme, stars_count, connect, \
             created_at, updated_at) \
             SELECT given.owner, given.name, given.slug, CASE WHEN random() < 0.5 THEN 'model' ELSE 'data_source' END, \
             'public', given.text, given.readme, floor(random() * 1000), \
             '[{\"type\": \"http\", \"enabled\": true, \"description\": \"\", \"config\": {\"url\": \"/\"}}]', \
             now() - random() * interval '300 days', now() - random() * interval '300 days' \
             FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) AS given (owner, name, slug, text, readme)",
        )
        .bind(&owners)
        .bind(&names)
        .bind(&slugs)
        .bind(&texts)
        .bind(&readmes)
        .execute(pool)
        .await?;
    }
    for sql in [
        "INSERT INTO published_names (owner_id, name, kind) SELECT user_id, slug, 'endpoint' FROM endpoints \
         ON CONFLICT DO NOTHING",
        "INSERT INTO endpoint_tags (endpoint_id, position, tag) SELECT id, 1, 'tag-' || id % 100 FROM endpoints",
        "INSERT INTO endpoint_contributors (endpoint_id, position, user_id) SELECT id, 1, user_id FROM endpoints",
    ] {
        sqlx::query(sql).execute(pool).await?;
    }
    let mut tx = db.begin().await?;
    search::rebuild(&mut tx).await?;
    tx.commit().await?;
    sqlx::query("VACUUM ANALYZE").execute(pool).await?;
    Ok(sample)
}

/// Queries that people would type: words of a name, beginnings of them, and slips.
pub(crate) fn queries(names: &[String]) -> Vec<String> {
    let slip = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        let middle = letters.len() / 2;
        letters.swap(middle, middle - 1);
        letters.into_iter().collect::<String>()
    };
    names
        .iter()
        .take(300)
        .enumerate()
        .map(|(number, name)| {
            let words: Vec<&str> = name.split(' ').collect();
            match number % 5 {
                0 => format!("{} {}", words[0], words[1]),
                1 => words[2].to_owned(),
                2 => format!("{} {}", slip(words[0]), words[1]),
                3 => format!("{} {}", words[0], &words[1][..5]),
                _ => name.clone(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn words_are_different_and_long_enough_for_slips() {
        let all: HashSet<String> = (0..WORDS).map(word).collect();
        assert_eq!(all.len(), WORDS as usize);
        assert!(all.iter().all(|word| word.len() >= 6));
    }
}
