//! Signing in at the console by an agency's own provider: what it must say, and to whom.

#![allow(clippy::unwrap_used)]

use forerunner_tests::{AGENCY, Lie, TestCenter, TestProvider};
use serde_json::json;
use server::log::{Ledger, LogError};
use server::people::accounts::{self, NewPerson};
use server::people::oidc::{self, Answer, OidcError, Providers, Wanted};
use server::people::{PersonId, Post};

const SECRET: &str = "a secret of this test";

struct Stage {
    center: TestCenter,
    provider: TestProvider,
    browser: reqwest::Client,
}

/// What the console answered.
struct Came {
    status: u16,
    leads_to: String,
    cookies: Vec<String>,
    text: String,
}

impl Came {
    /// The session's cookie, where it gave one.
    fn session(&self) -> Option<&str> {
        let mut cookies = self.cookies.iter();
        cookies
            .find(|cookie| cookie.starts_with("__Host-forerunner="))
            .map(|cookie| cookie.split(';').next().unwrap())
    }

    fn asked(&self) -> &str {
        let mut cookies = self.cookies.iter();
        let cookie = cookies.find(|cookie| cookie.starts_with("__Host-forerunner-asked="));
        let cookie = cookie.expect("a cookie binds the browser");
        for must in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(must), "{cookie}");
        }
        cookie.split(';').next().unwrap()
    }
}

fn section(provider: &TestProvider, folder: &std::path::Path, more: &str) -> String {
    let secret = folder.join("client-secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    format!(
        "[[sign_in.providers]]\nagency = \"{AGENCY}\"\nissuer = \"{}\"\nclient_id = \"forerunner\"\n\
         client_secret = {{ file = {secret:?} }}\n{more}\n",
        provider.issuer
    )
}

impl Stage {
    async fn start(more: &str) -> Self {
        let provider = TestProvider::start(SECRET).await;
        let dir = tempfile::tempdir().unwrap();
        let section = section(&provider, dir.path(), more);
        let center = TestCenter::start_in(dir, [127, 0, 0, 1].into(), &section).await;
        let browser = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            center,
            provider,
            browser,
        }
    }

    /// A person whom a supervisor has named to the provider.
    async fn person(&self, name: &'static str, claim: &'static str) -> PersonId {
        let work = move |ledger: &mut Ledger<'_>| {
            let new = NewPerson {
                agency: Some(AGENCY.into()),
                name: name.into(),
                post: Post::Analyst,
                certifications: vec![],
            };
            let id = accounts::add(ledger, &new, "a test")?;
            oidc::name_by(ledger, id, claim, "a test")?;
            Ok::<_, LogError>(id)
        };
        self.center.center().log.write(work).await.unwrap()
    }

    async fn see(&self, url: &str, cookie: &str) -> Came {
        let url = match url.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.center.api.base),
            None => url.replace("localhost", "127.0.0.1"),
        };
        assert!(url.starts_with(&self.center.api.base), "{url}");
        let request = self.browser.get(url).header("cookie", cookie);
        let answer = request.send().await.unwrap();
        let headers = answer.headers();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        Came {
            status: answer.status().as_u16(),
            leads_to: headers.get("location").map(text).unwrap_or_default(),
            cookies: headers.get_all("set-cookie").iter().map(text).collect(),
            text: answer.text().await.unwrap(),
        }
    }

    async fn sent(&self) -> Came {
        let path = format!("/sign-in/oidc?agency={AGENCY}&to=/premises");
        let sent = self.see(&path, "x=1").await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        sent
    }

    /// From the button to wherever the console leads.
    async fn signs_in(&self) -> Came {
        let sent = self.sent().await;
        let back = self.provider.signs_in(&sent.leads_to).await;
        self.see(&back, sent.asked()).await
    }

    async fn on_record(&self) -> Vec<(String, bool, String)> {
        let read = |c: &rusqlite::Connection| {
            let mut statement = c.prepare(
                "SELECT who, allowed, detail FROM audit WHERE act IN ('SignInAtConsole', 'ChangePeople') ORDER BY id",
            )?;
            let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.center.center().log.readers().read(read).await.unwrap()
    }

    async fn is_on_record(&self, who: &str, allowed: bool, words: &str) {
        let all = self.on_record().await;
        let found = all
            .iter()
            .any(|(by, let_in, what)| by == who && *let_in == allowed && what.contains(words));
        assert!(found, "{who}, {allowed}: {words} is not in {all:#?}");
    }
}

fn ana() -> serde_json::Value {
    json!({"sub": "a1", "email": "Ana@city.example", "email_verified": true})
}

#[tokio::test]
async fn a_login_opens_the_account_that_a_supervisor_named_and_stays_bound_to_it() {
    let stage = Stage::start("").await;
    stage.person("Ana Ruiz", "ana@city.example").await;
    stage.provider.person(ana());
    let came = stage.signs_in().await;
    assert_eq!(
        (came.status, &*came.leads_to),
        (303, "/notice?to=/premises")
    );
    let session = stage.see("/session", came.session().unwrap()).await;
    assert!(session.text.contains("Ana Ruiz"), "{}", session.text);
    stage
        .is_on_record("Ana Ruiz", true, "bound to subject a1")
        .await;
    stage
        .is_on_record("Ana Ruiz", true, "began: the agency's sign-in")
        .await;
    // Whoever has the address next year is not Ana.
    let mut next = ana();
    next["sub"] = json!("b2");
    stage.provider.person(next);
    let came = stage.signs_in().await;
    assert_eq!((came.status, came.session()), (403, None));
    assert!(
        came.text.contains("no account here is linked"),
        "{}",
        came.text
    );
    stage
        .is_on_record("anonymous", false, "nobody's account: subject b2")
        .await;
    // Ana with another address is Ana.
    stage.provider.person(json!({"sub": "a1"}));
    assert!(stage.signs_in().await.session().is_some());
}

#[tokio::test]
async fn an_address_that_the_provider_has_not_verified_is_nobodys() {
    let stage = Stage::start("").await;
    stage.person("Ana Ruiz", "ana@city.example").await;
    for unverified in [json!(false), json!(null), json!("true")] {
        let mut eve = ana();
        eve["email_verified"] = unverified;
        stage.provider.person(eve);
        assert_eq!(stage.signs_in().await.status, 403);
    }
}

#[tokio::test]
async fn an_employee_number_names_a_person_whatever_its_letters() {
    let stage = Stage::start("claim = \"employee_id\"").await;
    stage.person("Ana Ruiz", "E-17b").await;
    stage
        .provider
        .person(json!({"sub": "a1", "employee_id": "e-17B"}));
    assert!(stage.signs_in().await.session().is_some());
}

#[tokio::test]
async fn what_a_provider_says_that_is_not_so_signs_nobody_in() {
    let stage = Stage::start("").await;
    stage.person("Ana Ruiz", "ana@city.example").await;
    stage.provider.person(ana());
    for lie in Lie::ALL {
        stage.provider.lies(Some(lie));
        let came = stage.signs_in().await;
        assert_eq!((came.status, came.session()), (403, None), "{lie:?}");
        assert!(
            came.text.contains("does not hold"),
            "{lie:?}: {}",
            came.text
        );
        let all = stage.on_record().await;
        let (who, allowed, words) = all.last().unwrap();
        assert!(who == "anonymous" && !allowed, "{lie:?}: {all:?}");
        assert!(words.contains("does not hold"), "{lie:?}: {words}");
    }
    stage.provider.lies(None);
    assert!(stage.signs_in().await.session().is_some());
}

#[tokio::test]
async fn a_way_of_signing_in_that_the_agency_does_not_want_is_none() {
    let stage = Stage::start("amr = [\"mfa\", \"hwk\"]").await;
    stage.person("Ana Ruiz", "ana@city.example").await;
    for (amr, status) in [
        (json!(["pwd"]), 403),
        (json!(null), 403),
        (json!(["pwd", "mfa"]), 303),
    ] {
        let mut person = ana();
        person["amr"] = amr.clone();
        stage.provider.person(person);
        assert_eq!(stage.signs_in().await.status, status, "{amr}");
    }
}

#[tokio::test]
async fn what_comes_back_counts_once_in_the_browser_that_asked() {
    let stage = Stage::start("").await;
    stage.person("Ana Ruiz", "ana@city.example").await;
    stage.provider.person(ana());
    let sent = stage.sent().await;
    let other = stage.sent().await;
    assert_ne!(sent.asked(), other.asked());
    let back = stage.provider.signs_in(&sent.leads_to).await;
    // Led there by somebody else (login CSRF), with another sign-in of their own or none.
    for cookie in ["x=1", other.asked(), "__Host-forerunner-asked="] {
        let came = stage.see(&back, cookie).await;
        assert_eq!((came.status, came.session()), (403, None), "{cookie}");
        assert!(
            came.text.contains("began in another browser"),
            "{}",
            came.text
        );
    }
    assert_eq!(
        stage.provider.exchanged(),
        0,
        "a code of another's is not even sent"
    );
    let came = stage.see(&back, sent.asked()).await;
    assert!(came.session().is_some(), "{}", came.text);
    let again = stage.see(&back, sent.asked()).await;
    assert_eq!((again.status, again.session()), (403, None));
    assert_eq!(stage.provider.exchanged(), 1);
    stage
        .is_on_record("anonymous", false, "began elsewhere")
        .await;
}

#[tokio::test]
async fn an_answer_of_another_provider_or_a_refusal_or_none_is_no_sign_in() {
    let stage = Stage::start("").await;
    stage.person("Ana Ruiz", "ana@city.example").await;
    stage.provider.person(ana());
    for (change, words) in [
        (
            "&iss=https://login.elsewhere.example",
            "comes from another provider",
        ),
        ("&error=access_denied", "signed nobody in: access_denied"),
    ] {
        let sent = stage.sent().await;
        let back = stage.provider.signs_in(&sent.leads_to).await;
        let came = stage.see(&format!("{back}{change}"), sent.asked()).await;
        assert_eq!((came.status, came.session()), (403, None), "{change}");
        stage.is_on_record("anonymous", false, words).await;
        // Whatever it was, it is answered.
        let again = stage.see(&back, sent.asked()).await;
        assert_eq!(again.session(), None, "{change}");
    }
    assert_eq!(stage.provider.exchanged(), 0);
}

#[tokio::test]
async fn who_is_disabled_or_locked_is_told_so_and_is_not_bound() {
    let stage = Stage::start("").await;
    let ana_is = stage.person("Ana Ruiz", "ana@city.example").await;
    stage.provider.person(ana());
    let disable = move |ledger: &mut Ledger<'_>| {
        accounts::disable(ledger, ana_is, "Sam Lee", "Left the agency")
    };
    stage.center.center().log.write(disable).await.unwrap();
    let came = stage.signs_in().await;
    assert_eq!((came.status, came.session()), (403, None));
    assert!(
        came.text.contains("the account is disabled"),
        "{}",
        came.text
    );
    stage
        .is_on_record("Ana Ruiz", false, "the account is disabled")
        .await;
    let lock = move |ledger: &mut Ledger<'_>| {
        accounts::enable(ledger, ana_is, "Sam Lee")?;
        while !accounts::bad_try(ledger, ana_is, "not the passkey")? {}
        Ok::<_, LogError>(())
    };
    stage.center.center().log.write(lock).await.unwrap();
    let came = stage.signs_in().await;
    assert_eq!((came.status, came.session()), (403, None));
    assert!(came.text.contains("the account is locked"), "{}", came.text);
    let all = stage.on_record().await;
    assert!(
        !all.iter().any(|(.., what)| what.contains("bound to")),
        "{all:#?}"
    );
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be_and_is_asked_once_for_all_who_press() {
    let stage = Stage::start("").await;
    stage.provider.is_down(true);
    for _ in 0..20 {
        let came = stage
            .see(&format!("/sign-in/oidc?agency={AGENCY}"), "x=1")
            .await;
        assert_eq!(came.status, 502);
        assert!(came.text.contains("does not answer"), "{}", came.text);
    }
    assert!(
        stage.provider.discovered() <= 3,
        "{}",
        stage.provider.discovered()
    );
    let came = stage.see("/sign-in/oidc?agency=nobody", "x=1").await;
    assert_eq!(came.status, 404);
}

#[tokio::test]
async fn a_provider_is_asked_once_what_it_is_and_again_when_its_key_is_new() {
    let stage = Stage::start("").await;
    stage.person("Ana Ruiz", "ana@city.example").await;
    stage.provider.person(ana());
    for _ in 0..3 {
        assert!(stage.signs_in().await.session().is_some());
    }
    assert_eq!(stage.provider.discovered(), 1);
    stage.provider.changes_its_key();
    assert!(stage.signs_in().await.session().is_some());
    assert_eq!(stage.provider.discovered(), 2);
    // Down in the middle of a sign-in.
    let sent = stage.sent().await;
    let back = stage.provider.signs_in(&sent.leads_to).await;
    stage.provider.is_down(true);
    assert_eq!(stage.see(&back, sent.asked()).await.session(), None);
}

#[tokio::test]
async fn a_sign_in_leads_to_a_page_of_the_console_and_nowhere_else() {
    let stage = Stage::start("").await;
    stage.person("Ana Ruiz", "ana@city.example").await;
    stage.provider.person(ana());
    for to in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
        let path = format!("/sign-in/oidc?agency={AGENCY}&to={to}");
        let sent = stage.see(&path, "x=1").await;
        assert!(sent.leads_to.starts_with(&stage.provider.issuer));
        let back = stage.provider.signs_in(&sent.leads_to).await;
        let came = stage.see(&back, sent.asked()).await;
        assert_eq!(came.leads_to, "/notice?to=/", "{to}");
    }
}

/// With a clock of its own: ten minutes are not waited for.
#[tokio::test]
async fn a_sign_in_that_took_too_long_is_none_and_the_secret_is_shown_by_nothing() {
    let provider = TestProvider::start(SECRET).await;
    let dir = tempfile::tempdir().unwrap();
    let text = section(&provider, dir.path(), "");
    let read: toml::Table = toml::from_str(&text).unwrap();
    let config: server::people::config::SignInConfig = read["sign_in"].clone().try_into().unwrap();
    let providers = Providers::new(&config.providers, "http://localhost:1").unwrap();
    for shown in [format!("{config:?}"), format!("{providers:?}")] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    provider.person(ana());
    let now_ms = server::clock::now_ms();
    for (later_ms, is_in_time) in [(9 * 60 * 1_000, true), (10 * 60 * 1_000, false)] {
        let wanted = Wanted::SignIn { to: "/".into() };
        let sent = providers
            .send(AGENCY, wanted.clone(), None, now_ms)
            .await
            .unwrap();
        let back = provider.signs_in(&sent.url).await;
        let back = reqwest::Url::parse(&back).unwrap();
        let value = |name: &str| {
            let mut pairs = back.query_pairs();
            pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
        };
        let answer = Answer {
            state: value("state"),
            code: value("code"),
            ..Answer::default()
        };
        let came = providers
            .back(answer, &sent.secret, now_ms + later_ms)
            .await;
        match came {
            Ok((_, came)) => assert!(is_in_time && came == wanted),
            Err(OidcError::Over) => assert!(!is_in_time),
            Err(e) => panic!("{e}"),
        }
    }
}
