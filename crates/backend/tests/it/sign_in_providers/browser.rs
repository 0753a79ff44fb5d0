//! A browser: it keeps cookies and does not follow redirects by itself.

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::{Method, header};
use serde_json::json;

use crate::actor::{Actor, Answer, PASSWORD, TestApp};

/// What a browser and a script of the hub's own pages add.
const OWN: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("x-requested-with", "fetch")];

pub(super) struct Browser {
    actor: Actor,
    jar: RefCell<BTreeMap<String, String>>,
}

impl Browser {
    pub(super) fn on(app: &TestApp) -> Self {
        Self { actor: app.anon(), jar: RefCell::default() }
    }

    /// One that is signed in with a password.
    pub(super) async fn of(app: &TestApp, name: &str) -> Self {
        let browser = Self::on(app);
        let body = json!({"username": name, "password": PASSWORD}).to_string();
        browser.send(Method::POST, "/api/v1/auth/session", &OWN, &body).await.is(200);
        browser
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let pairs: Vec<String> =
            self.jar.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = pairs.join("; ");
        let mut all = vec![("cookie", cookies.as_str()), ("content-type", "application/json")];
        all.extend(headers);
        let answer = self.actor.having(method, path, &all, body.to_owned()).await;
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.jar.borrow_mut().remove(name);
            } else {
                self.jar.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Opens an address as a person does.
    pub(super) async fn open(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")], "").await
    }

    /// Opens an address from another site.
    pub(super) async fn open_from(&self, site: &str, path: &str) -> Answer {
        self.send(Method::GET, path, &[("sec-fetch-site", site)], "").await
    }

    /// Reads as a script does.
    pub(super) async fn read(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[("accept", "application/json")], "").await
    }

    /// Changes something as a script does.
    pub(super) async fn change(&self, method: Method, path: &str, body: &str) -> Answer {
        self.send(method, path, &OWN, body).await
    }

    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        self.jar.borrow().get(name).cloned()
    }

    pub(super) fn keep(&self, name: &str, value: &str) {
        self.jar.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn forget(&self, name: &str) {
        self.jar.borrow_mut().remove(name);
    }
}
