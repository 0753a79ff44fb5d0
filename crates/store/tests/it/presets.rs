use syfthub_domain::{Slug, UserId, Visibility};
use syfthub_store::presets::{self, PresetContent};
use syfthub_store::{Db, Page, endpoints, users};

use crate::contract;
use crate::fixture::{add_user, at, new_endpoint};

fn content(visibility: Visibility) -> PresetContent {
    PresetContent {
        name: "Writer".to_owned(),
        description: "Writes".to_owned(),
        model: "mia/writer".to_owned(),
        sources: vec!["ann/notes".to_owned(), "bob/docs".to_owned()],
        system_prompt: Some("Be brief, “please”.".to_owned()),
        top_k: Some(7),
        max_tokens: None,
        temperature: Some(0.25),
        similarity_threshold: None,
        visibility,
    }
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

async fn add(
    db: &Db,
    owner: UserId,
    name: &str,
    visibility: Visibility,
    when: u64,
) -> syfthub_store::Result<()> {
    let mut tx = db.begin().await.unwrap();
    presets::insert(&mut tx, owner, &slug(name), &content(visibility), at(when)).await?;
    tx.commit().await.unwrap();
    Ok(())
}

async fn visible(db: &Db, viewer: Option<UserId>) -> Vec<String> {
    let rows = presets::list_visible(db, viewer, Page::new(0, 100)).await.unwrap();
    assert_eq!(presets::count_visible(db, viewer).await.unwrap(), i64::try_from(rows.len()).unwrap());
    rows.iter().map(presets::PresetRow::path).collect()
}

contract! {
    async fn presets_are_kept_as_they_were_given(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        add(&db, ada, "writer", Visibility::Private, 1).await.unwrap();
        let row = presets::find(&db, "ada", "writer").await.unwrap().unwrap();
        assert_eq!(row.content(), content(Visibility::Private));
        assert_eq!((row.path().as_str(), row.created_at, row.is_listed()), ("ada/writer", at(1), false));
        let changed = PresetContent {
            name: "New".to_owned(), sources: vec![], system_prompt: None, top_k: None, max_tokens: Some(9),
            temperature: None, similarity_threshold: Some(1.0), ..content(Visibility::Public)
        };
        let mut tx = db.begin().await.unwrap();
        assert!(presets::replace(&mut tx, ada, &slug("writer"), &changed, at(5)).await.unwrap());
        assert!(!presets::replace(&mut tx, ada, &slug("other"), &changed, at(5)).await.unwrap());
        tx.commit().await.unwrap();
        let row = presets::find(&db, "ada", "writer").await.unwrap().unwrap();
        assert_eq!((row.content(), row.updated_at, row.is_listed()), (changed, at(5), true));
        let mut tx = db.begin().await.unwrap();
        assert!(presets::delete(&mut tx, ada, &slug("writer")).await.unwrap());
        assert!(!presets::delete(&mut tx, ada, &slug("writer")).await.unwrap());
        tx.commit().await.unwrap();
        assert!(presets::find(&db, "ada", "writer").await.unwrap().is_none());
        assert!(!endpoints::slug_taken(&db, ada, "writer").await.unwrap());
    }

    async fn endpoints_and_presets_share_one_set_of_names(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        let publish = async |owner: UserId, name: &str| {
            let mut tx = db.begin().await.unwrap();
            endpoints::insert(&mut tx, &new_endpoint(owner, name), at(1)).await?;
            tx.commit().await
        };
        publish(ada, "notes").await.unwrap();
        let refused = add(&db, ada, "notes", Visibility::Public, 2).await.unwrap_err();
        assert!(presets::is_slug_conflict(&refused), "{refused}");
        add(&db, bob, "notes", Visibility::Public, 2).await.unwrap();
        add(&db, ada, "writer", Visibility::Public, 2).await.unwrap();
        let refused = add(&db, ada, "writer", Visibility::Public, 3).await.unwrap_err();
        assert!(presets::is_slug_conflict(&refused), "{refused}");
        let refused = publish(ada, "writer").await.unwrap_err();
        assert!(endpoints::is_slug_conflict(&refused), "{refused}");
        // What counts as an endpoint, and what goes with the endpoints, is not the preset.
        assert_eq!(endpoints::count_by_owner(&db, ada).await.unwrap(), 1);
        let mut tx = db.begin().await.unwrap();
        assert_eq!(endpoints::delete_by_owner(&mut tx, ada).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert!(presets::find(&db, "ada", "writer").await.unwrap().is_some());
        assert!(endpoints::slug_taken(&db, ada, "writer").await.unwrap());
        add(&db, ada, "notes", Visibility::Public, 4).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        users::delete(&mut tx, ada).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(visible(&db, None).await, ["bob/notes"]);
    }

    async fn a_viewer_sees_public_presets_and_their_own_newest_first(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        for (owner, name, visibility, when) in [
            (ada, "one", Visibility::Public, 1), (ada, "two", Visibility::Private, 2),
            (bob, "six", Visibility::Public, 3), (bob, "ten", Visibility::Private, 3),
        ] {
            add(&db, owner, name, visibility, when).await.unwrap();
        }
        assert_eq!(visible(&db, None).await, ["bob/six", "ada/one"]);
        assert_eq!(visible(&db, Some(ada)).await, ["bob/six", "ada/two", "ada/one"]);
        let own = presets::list_by_owner(&db, bob, Page::new(1, 5)).await.unwrap();
        assert_eq!(own.iter().map(presets::PresetRow::path).collect::<Vec<_>>(), ["bob/ten"]);
        assert_eq!(presets::count_by_owner(&db, bob).await.unwrap(), 2);
        let off = users::ProfileChange { is_active: Some(false), ..users::ProfileChange::default() };
        let mut tx = db.begin().await.unwrap();
        users::update_profile(&mut tx, bob, &off, at(9)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(visible(&db, None).await, ["ada/one"]);
    }

    async fn one_of_two_at_once_gets_the_name(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        for round in 0..6_u32 {
            let name = format!("name-{round}");
            let preset = async {
                let mut tx = db.begin().await.unwrap();
                users::lock(&mut tx, ada).await.unwrap();
                presets::insert(&mut tx, ada, &slug(&name), &content(Visibility::Public), at(1)).await?;
                tx.commit().await
            };
            let endpoint = async {
                let mut tx = db.begin().await.unwrap();
                endpoints::insert(&mut tx, &new_endpoint(ada, &name), at(1)).await?;
                tx.commit().await
            };
            let (preset, endpoint) = tokio::join!(preset, endpoint);
            assert!(preset.is_ok() != endpoint.is_ok(), "{preset:?} {endpoint:?}");
            let refused = preset.and(endpoint).unwrap_err();
            assert!(presets::is_slug_conflict(&refused), "{refused}");
        }
    }
}
