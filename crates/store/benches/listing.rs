//! The listing of public endpoints that the front page asks for: a thousand of them on SQLite.
#![expect(clippy::unwrap_used, missing_docs, reason = "a benchmark; criterion writes its own main")]

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use syfthub_domain::{
    AuthProvider, Email, EndpointType, Role, Slug, Tag, Timestamp, Username, Version, Visibility,
};
use syfthub_store::endpoints::{self, NewEndpoint, PublicFilter};
use syfthub_store::users::{self, NewUser};
use syfthub_store::{Db, Page};

const ENDPOINTS: i64 = 1_000;
const OWNERS: i64 = 20;

fn owner(number: i64) -> NewUser {
    NewUser {
        username: Username::parse(&format!("owner-{number}")).unwrap(),
        email: Email::parse(&format!("owner-{number}@example.org")).unwrap(),
        full_name: format!("Owner {number}"),
        role: Role::User,
        password_hash: None,
        is_email_verified: true,
        auth_provider: AuthProvider::Local,
        google_id: None,
        avatar_url: None,
    }
}

async fn fill(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let mut owners = Vec::new();
    for number in 0..OWNERS {
        let user = users::insert(&mut tx, &owner(number), Timestamp::from_secs(1_800_000_000)).await.unwrap();
        owners.push(user.id);
    }
    for (number, owner) in (0..ENDPOINTS).zip(owners.into_iter().cycle()) {
        let new = NewEndpoint {
            user_id: owner,
            name: format!("Endpoint {number}"),
            slug: Slug::parse(&format!("endpoint-{number}")).unwrap(),
            description: "What the operations team knows about backups".to_owned(),
            kind: EndpointType::DataSource,
            visibility: Visibility::Public,
            archived: false,
            version: Version::parse("1.0.0").unwrap(),
            readme: "# Read me\n\nHow to restore a backup of the database.\n".repeat(20),
            tags: vec![Tag::parse("operations").unwrap(), Tag::parse("backup").unwrap()],
            contributors: vec![owner],
            policies: json!([]),
            connect: json!([{"type": "http", "config": {"url": "https://node.example"}}]),
        };
        endpoints::insert(&mut tx, &new, Timestamp::from_secs(1_800_000_000 + number)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn listing(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let db = runtime.block_on(async {
        let db = Db::connect(&syfthub_testing::sqlite_settings(folder.path())).await.unwrap();
        db.migrate().await.unwrap();
        fill(&db).await;
        db
    });
    for (name, search) in [("first page", None), ("first page with a filter", Some("endpoint 9".to_owned()))]
    {
        let filter = PublicFilter { search, ..PublicFilter::default() };
        criterion.bench_function(&format!("list 20 of 1,000 public endpoints on SQLite/{name}"), |bench| {
            bench
                .to_async(&runtime)
                .iter(async || endpoints::list_public(&db, &filter, Page::new(0, 20)).await.unwrap());
        });
    }
}

criterion_group!(benches, listing);
criterion_main!(benches);
