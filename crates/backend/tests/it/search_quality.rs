//! How good search is: more than two hundred queries with known answers, on both databases.
//!
//! The library is made of every pair of a subject and a place or trade, each with an endpoint of its own, and of
//! noise that mentions subjects in passing. A query names a pair, in one of several ways; the pair's endpoint is the
//! answer (grade 3), those that share the rarer half are related (grade 1), everything else is not.

use std::collections::{BTreeMap, HashMap};

use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{Actor, TestApp};

const SUBJECTS: &[(&str, &str)] = &[
    ("weather", "Rain, wind and temperatures of the last years"),
    ("restaurants", "Menus, opening hours and reviews"),
    ("statutes", "Laws and ordinances in force"),
    ("clinics", "Where to find a doctor"),
    ("timetables", "Departures and arrivals"),
    ("museums", "Exhibitions and collections"),
    ("housing", "Rents and prices of flats"),
    ("recipes", "What people cook"),
    ("elections", "Results by district"),
    ("pollution", "Measurements of air and water"),
    ("schools", "Places, curricula and terms"),
    ("theatre", "Plays and tickets"),
];
const PLACES: &[&str] = &[
    "Amsterdam",
    "Barcelona",
    "Copenhagen",
    "Dresden",
    "Edinburgh",
    "Florence",
    "Gothenburg",
    "Helsinki",
    "Istanbul",
    "Jakarta",
    "Kathmandu",
    "Lisbon",
];
const NEEDED: f64 = 0.9;

/// A query, and how well each slug answers it.
struct Query {
    words: String,
    grades: HashMap<String, f64>,
}

fn slug(subject: &str, place: &str) -> String {
    format!("{subject}-{}", place.to_lowercase())
}

/// The library in batches that one owner each publishes.
fn library() -> Vec<Vec<Value>> {
    let pairs = PLACES.iter().map(|place| {
        let of_place = SUBJECTS.iter().map(|(subject, about)| {
            json!({"name": format!("{subject} in {place}"), "slug": slug(subject, place), "type": "data_source",
                "description": about, "tags": [subject], "readme": format!("# {subject}\n\nCollected in {place}. {about}.")})
        });
        of_place.collect()
    });
    let noise = (0..200).map(|n: usize| {
        let (subject, place) = (SUBJECTS[n % SUBJECTS.len()].0, PLACES[(n / 7) % PLACES.len()]);
        json!({"name": format!("Notebook number {n}"), "slug": format!("notebook-{n}"), "type": "model",
            "readme": format!("Written on a journey. {} On the way somebody spoke of {subject}, in {place}.", "More words. ".repeat(30))})
    });
    pairs.chain([noise.collect()]).collect()
}

/// Swaps two letters in the middle, drops one, or doubles one.
fn slip(word: &str, kind: usize) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let middle = letters.len() / 2;
    match kind % 3 {
        0 => letters.swap(middle, middle - 1),
        1 => drop(letters.remove(middle)),
        _ => letters.insert(middle, letters[middle]),
    }
    letters.into_iter().collect()
}

fn queries() -> Vec<Query> {
    let mut all = Vec::new();
    for (s, (subject, _)) in SUBJECTS.iter().enumerate() {
        for (p, place) in PLACES.iter().enumerate() {
            let small = place.to_lowercase();
            let words = match (s + p) % 6 {
                0 => format!("{subject} {small}"),
                1 => format!("{place} {subject}"),
                2 => format!("Where can I find {subject} in {place}?"),
                3 => format!("{} {small}", slip(subject, s)),
                4 => format!("{subject} {}", slip(&small, p)),
                _ => format!("{} {}", &subject[..subject.len() - 2], &small[..5]), // as somebody types
            };
            all.push(query(words, subject, place));
            if (s + p) % 2 == 0 {
                all.push(query(format!("{} {}", slip(subject, p), slip(&small, s)), subject, place));
            }
        }
    }
    all
}

fn query(words: String, subject: &str, place: &str) -> Query {
    let mut grades = HashMap::new();
    for (other, _) in SUBJECTS {
        grades.insert(slug(other, place), 1.0);
    }
    for other in PLACES {
        grades.insert(slug(subject, other), 1.0);
    }
    grades.insert(slug(subject, place), 3.0);
    Query { words, grades }
}

/// Normalised discounted cumulative gain of the first ten answers (Järvelin and Kekäläinen, 2002).
fn ndcg(found: &[String], grades: &HashMap<String, f64>) -> f64 {
    let gain = |grades: &mut dyn Iterator<Item = f64>| -> f64 {
        grades.take(10).zip(2_u8..).map(|(grade, place)| (grade.exp2() - 1.0) / f64::from(place).log2()).sum()
    };
    let mut ideal: Vec<f64> = grades.values().copied().collect();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let had = gain(&mut found.iter().map(|slug| grades.get(slug).copied().unwrap_or(0.0)));
    had / gain(&mut ideal.into_iter())
}

async fn search(anon: &Actor, words: &str) -> Vec<(String, String)> {
    let answer = anon.post("/api/v1/endpoints/search", &json!({"query": words, "top_k": 10})).await;
    let answer = answer.expect(StatusCode::OK);
    let hit = |hit: &Value| (hit["slug"].as_str().unwrap().to_owned(), hit["relevance_score"].to_string());
    answer["results"].as_array().unwrap().iter().map(hit).collect()
}

/// What each query finds, in order and with its score.
async fn answers(app: &TestApp) -> BTreeMap<String, Vec<(String, String)>> {
    for (number, batch) in library().into_iter().enumerate() {
        let owner = app.user(&format!("librarian{number}")).await;
        owner.post("/api/v1/endpoints/sync", &json!({"endpoints": batch})).await.expect(StatusCode::OK);
    }
    let anon = app.anon();
    let mut answers = BTreeMap::new();
    for query in queries() {
        answers.insert(query.words.clone(), search(&anon, &query.words).await);
    }
    answers
}

#[tokio::test]
async fn queries_with_known_answers_find_them_in_the_same_order_on_both_databases() {
    let no_limits = |settings: &mut syfthub_config::Settings| settings.rate_limits.enabled = false;
    let small = TestApp::start_with(no_limits).await;
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let large = TestApp::start_with(|settings| {
        no_limits(settings);
        settings.database = syfthub_testing::postgres_settings(&url);
    });
    let (small, large) = tokio::join!(async { answers(&small).await }, async { answers(&large.await).await });
    let queries = queries();
    assert!(queries.len() >= 200, "{} queries", queries.len());
    let mut sum = 0.0;
    let mut weakest = Vec::new();
    for query in &queries {
        let found = &small[&query.words];
        assert_eq!(found, &large[&query.words], "{}: SQLite and PostgreSQL", query.words);
        let slugs: Vec<String> = found.iter().map(|(slug, _)| slug.clone()).collect();
        let quality = ndcg(&slugs, &query.grades);
        weakest.push((quality, query.words.as_str()));
        sum += quality;
    }
    weakest.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mean = sum / queries.len() as f64;
    println!("NDCG@10 {mean:.3} over {} queries; weakest: {:?}", queries.len(), &weakest[..5]);
    assert!(mean >= NEEDED, "NDCG@10 is {mean:.3}; weakest: {:#?}", &weakest[..10]);
}

/// What does not fit the type must not use up the places of what does.
#[tokio::test]
async fn what_weighs_little_is_found_when_everything_heavier_is_of_another_type() {
    let (app, anon, ann) = TestApp::start().await.with_user("ann").await;
    let bob = app.user("bob").await;
    for (owner, word) in [(&ann, "harbour"), (&bob, "lighthouse")] {
        let many: Vec<Value> = (0..290)
            .map(
                |n| json!({"name": format!("{word} {word}"), "slug": format!("{word}-{n}"), "type": "model"}),
            )
            .collect();
        owner.post("/api/v1/endpoints/sync", &json!({"endpoints": many})).await.expect(StatusCode::OK);
    }
    let readme = format!("{} harbour", "Other words. ".repeat(200));
    bob.publish("pilot", json!({"type": "agent", "readme": readme})).await;
    let body = json!({"query": "harbour lighthouse", "type": "agent"});
    let found = anon.post("/api/v1/endpoints/search", &body).await.expect(StatusCode::OK);
    assert_eq!(found["results"][0]["slug"], "pilot", "{found}");
}

#[tokio::test]
async fn queries_at_the_edges_are_answered() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("tokyo", json!({"name": "東京タワー", "description": "R and what to do about it"})).await;
    let slugs = async |query: &str| -> Vec<String> {
        let found =
            anon.post("/api/v1/endpoints/search", &json!({"query": query})).await.expect(StatusCode::OK);
        let slug = |item: &Value| item["slug"].as_str().unwrap().to_owned();
        found["results"].as_array().unwrap().iter().map(slug).collect()
    };
    for query in [
        "r",
        "R",
        "東京",
        "京",
        "タワー",
        "what to do",
        "TOKYO",
        "tokoy",
        &format!("{} tokyo", "x ".repeat(497)),
    ] {
        assert_eq!(slugs(query).await, ["tokyo"], "{query}");
    }
    for query in ["?", " ", "z", "%", "大", &"x".repeat(1000)] {
        assert!(slugs(query).await.is_empty(), "{query}");
    }
}
