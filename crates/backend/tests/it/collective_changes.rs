//! What changes to collectives leave behind, and changes at the same time, on PostgreSQL: SQLite has one writer.

use serde_json::json;
use syfthub_config::MailProvider;
use syfthub_store::audit::{self, Filter};

use crate::actor::TestApp;
use crate::collectives::{PATH, choice, found, source};

#[tokio::test]
async fn two_decisions_at_once_are_one_decision() {
    let (app, _, ada) = TestApp::start_on_postgres().await.with_user("ada").await;
    let bob = app.user("bob").await;
    let (_, path) = found(&ada, "Readers", json!({})).await;
    let (asked, open) = (source(&bob, "asked", json!({})).await, source(&bob, "open", json!({})).await);
    bob.post(&format!("{path}/members"), &choice(asked)).await.is(201);
    let review = format!("{path}/members/{asked}/review");
    let (yes, no) = (json!({"decision": "approve"}), json!({"decision": "reject"}));
    let (first, second) = tokio::join!(ada.post(&review, &yes), ada.post(&review, &no));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", first.text, second.text);

    // Asking and inviting at once meet in a membership, whichever comes first.
    let (members, invitations) = (format!("{path}/members"), format!("{path}/invitations"));
    let body = choice(open);
    let (joined, invited) = tokio::join!(bob.post(&members, &body), ada.post(&invitations, &body));
    let mut seen = [joined, invited].map(|answer| {
        answer.is(201);
        answer.json()["status"].as_str().unwrap().to_owned()
    });
    seen.sort();
    assert_eq!(seen[0], "approved", "{seen:?}");
    let now = bob.get(&format!("{invitations}/{open}")).await.json();
    assert_eq!(now["status"], "approved");
}

#[tokio::test]
async fn one_slug_is_given_once_to_many_who_ask_at_the_same_time() {
    let (_app, _, ada) = TestApp::start_on_postgres().await.with_user("ada").await;
    let (explicit, derived) = (json!({"name": "x", "slug": "wanted"}), json!({"name": "Same name"}));
    let made = futures::future::join_all((0..5).map(|_| ada.post(PATH, &explicit))).await;
    let statuses: Vec<u16> = made.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let made = futures::future::join_all((0..5).map(|_| ada.post(PATH, &derived))).await;
    for answer in made {
        answer.is(201);
    }
}

#[tokio::test]
async fn decisions_are_written_down_and_invitations_mailed() {
    let (app, _, ada) = TestApp::start().await.with_user("ada").await;
    let bob = app.user("bob").await;
    // Accounts are made before, because with a mail provider they would wait for a code.
    let app = app.restarted_with(|settings| settings.mail.provider = MailProvider::Log).await;
    let (ada, bob) =
        (app.with_token(ada.token.as_deref().unwrap()), app.with_token(bob.token.as_deref().unwrap()));
    let (_, path) = found(&ada, "Readers", json!({})).await;
    let (notes, mine) = (source(&bob, "notes", json!({})).await, source(&ada, "mine", json!({})).await);
    let invitations = format!("{path}/invitations");
    ada.post(&invitations, &choice(mine)).await.is(201);
    ada.post(&invitations, &choice(notes)).await.is(201);
    let letter = app.mail_to("bob@example.com", 1).await;
    assert!(letter.subject.contains("ada") && letter.text.contains("bob/notes"), "{}", letter.text);
    assert!(app.sent_mail().iter().all(|letter| letter.to != "ada@example.com"), "nobody mails themselves");
    ada.post(&invitations, &choice(notes)).await.is(201);
    app.mail_to("bob@example.com", 2).await;
    bob.post(&format!("{invitations}/{notes}/respond"), &json!({"decision": "accept"})).await.is(200);
    bob.delete(&format!("{path}/members/{notes}")).await.is(204);
    ada.delete(&path).await.is(204);

    let about = |kind: &str, target: &str| Filter {
        target_kind: Some(kind.to_owned()),
        target: Some(target.to_owned()),
        ..Filter::default()
    };
    let filter = about("collective_member", "readers bob/notes");
    let rows = audit::list(&app.db, &filter, None, 10).await.unwrap();
    let seen: Vec<_> = rows.iter().rev().map(|row| (row.actor_name.as_str(), row.action.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("ada", "collective.member.invited"),
            ("bob", "collective.member.accepted"),
            ("bob", "collective.member.removed")
        ]
    );
    let rows = audit::list(&app.db, &about("collective", "readers"), None, 10).await.unwrap();
    let seen: Vec<_> = rows.iter().rev().map(|row| row.action.as_str()).collect();
    assert_eq!(seen, ["collective.created", "collective.deleted"]);
}
