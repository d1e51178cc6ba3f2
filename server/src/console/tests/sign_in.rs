//! What a thief, another web page and a forgetful person come to.

#[allow(unreachable_pub, dead_code)]
#[path = "../../../../tests/src/passkey.rs"]
mod passkey;

use axum::http::request::Builder;
use serde_json::{Value, json};

use self::passkey::TestPasskey;
use super::*;
use crate::people::links::{self, LinkFor};
use crate::people::{PersonId, watch};

const NOBODY: &str = "none=1";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// What came back, with the session's new cookie where there is one.
struct Came {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Came {
    fn cookie(&self) -> Option<String> {
        let set = self.headers.get(header::SET_COOKIE)?.to_str().unwrap();
        for must in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(set.contains(must), "{set}");
        }
        assert!(
            set.starts_with("__Host-") && !set.contains("Domain"),
            "{set}"
        );
        Some(set.split(';').next().unwrap().to_owned())
    }

    fn leads_to(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Bench {
    async fn ask(&self, request: Builder, cookie: &str, body: &str) -> Came {
        let request = request
            .header(header::HOST, HOST)
            .header(header::COOKIE, cookie)
            .body(body.to_owned().into())
            .unwrap();
        let response = self.request(request).await;
        let headers = response.headers().clone();
        let (status, body) = text(response).await;
        Came {
            status,
            headers,
            body,
        }
    }

    async fn see(&self, path: &str, cookie: &str) -> Came {
        self.ask(Request::get(path), cookie, "").await
    }

    async fn send(&self, path: &str, cookie: &str, body: &Value) -> Came {
        let request = Request::post(path)
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "application/json");
        self.ask(request, cookie, &body.to_string()).await
    }

    async fn fill(&self, path: &str, cookie: &str, form: &str) -> Came {
        let request = Request::post(path)
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request, cookie, form).await
    }

    /// A person with a passkey, and the cookie that came of adding it.
    async fn enrolled(&self, name: &'static str, post: Post) -> (PersonId, TestPasskey, String) {
        let made = self.center().log.write(move |ledger| {
            let new = NewPerson {
                agency: Some("pd".into()),
                name: name.into(),
                post,
                certifications: vec![],
            };
            let id = accounts::add(ledger, &new, "a test")?;
            let link = links::new(ledger, id, LinkFor::Passkey, "a test")?;
            Ok::<_, LogError>((id, link))
        });
        let (id, link) = made.await.unwrap();
        let mut passkey = TestPasskey::new("http://localhost:8080");
        let asked = self
            .send("/enrol/start", NOBODY, &json!({ "link": link }))
            .await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let asked = asked.json();
        assert_eq!(asked["name"], name);
        assert_eq!(
            asked["options"]["authenticatorSelection"]["userVerification"],
            "required"
        );
        assert_eq!(
            asked["options"]["authenticatorSelection"]["residentKey"],
            "required"
        );
        let answer = json!({
            "link": link,
            "ceremony": asked["ceremony"],
            "credential": passkey.create(&asked["options"]),
            "label": "Desk key",
        });
        let entered = self.send("/enrol/finish", NOBODY, &answer).await;
        assert_eq!(entered.status, StatusCode::OK, "{}", entered.body);
        let cookie = entered.cookie().unwrap();
        let again = self
            .send("/enrol/start", NOBODY, &json!({ "link": link }))
            .await;
        assert_eq!(again.status, StatusCode::FORBIDDEN, "a link is good once");
        (id, passkey, cookie)
    }

    async fn question(&self, path: &str, cookie: &str) -> Value {
        let asked = self.send(path, cookie, &json!({})).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        asked.json()
    }

    async fn try_to_sign_in(&self, passkey: &mut TestPasskey, cookie: &str) -> Came {
        let asked = self.question("/sign-in/passkey/start", cookie).await;
        let answer = json!({
            "ceremony": asked["ceremony"],
            "credential": passkey.get(&asked["options"]),
        });
        self.send("/sign-in/passkey/finish", cookie, &answer).await
    }

    async fn unlock(
        &self,
        passkey: &mut TestPasskey,
        request: impl Fn(&str) -> Builder,
        cookie: &str,
    ) -> Came {
        let asked = self
            .ask(request("/session/unlock/start"), cookie, "{}")
            .await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let asked = asked.json();
        let answer = json!({
            "ceremony": asked["ceremony"],
            "credential": passkey.get(&asked["options"]),
        });
        self.ask(
            request("/session/unlock/finish"),
            cookie,
            &answer.to_string(),
        )
        .await
    }

    async fn acknowledge(&self, cookie: &str) {
        let read = self.fill("/notice", cookie, "to=/").await;
        assert_eq!(read.status, StatusCode::SEE_OTHER);
    }

    async fn sql(&self, sql: &'static str) {
        let work = move |ledger: &mut crate::log::Ledger<'_>| {
            ledger.sql().execute_batch(sql).map_err(LogError::from)
        };
        self.center().log.write(work).await.unwrap();
    }

    /// What is on record of sign-ins and sessions: whose, whether it was let, and what.
    async fn sign_ins(&self) -> Vec<(String, bool, String)> {
        let read = self.center().log.readers().read(|connection| {
            let mut statement = connection.prepare(
                "SELECT who, allowed, detail FROM audit WHERE act IN ('SignInAtConsole', 'ChangePeople') ORDER BY id",
            )?;
            let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        read.await.unwrap()
    }

    async fn is_on_record(&self, who: &str, allowed: bool, words: &str) {
        let all = self.sign_ins().await;
        let found = all
            .iter()
            .any(|(by, let_in, what)| by == who && *let_in == allowed && what.contains(words));
        assert!(found, "{who}, {allowed}: {words} is not in {all:#?}");
    }
}

fn json_post(path: &str) -> Builder {
    Request::post(path)
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_TYPE, "application/json")
}

fn from_address(request: Builder, address: [u8; 4]) -> Builder {
    request.extension(peer(address))
}

#[tokio::test]
async fn a_passkey_signs_its_person_in_and_nothing_is_shown_before_the_notice() {
    let bench = Bench::start().await;
    let (_, mut passkey, first) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    for cookie in [
        first,
        bench
            .try_to_sign_in(&mut passkey, NOBODY)
            .await
            .cookie()
            .unwrap(),
    ] {
        let board = bench.see("/?x=1&y=2", &cookie).await;
        assert_eq!(board.status, StatusCode::SEE_OTHER);
        assert_eq!(board.leads_to(), "/notice?to=/%3Fx%3D1%26y%3D2");
        assert_eq!(
            bench.fill("/hot-list", &cookie, "").await.status,
            StatusCode::UNAUTHORIZED
        );
        let notice = bench.see(board.leads_to(), &cookie).await;
        assert!(notice.body.contains("subject to audit"), "{}", notice.body);
        assert!(
            notice.body.contains("value=\"/?x=1&#38;y=2\""),
            "{}",
            notice.body
        );
        bench.acknowledge(&cookie).await;
        assert_eq!(bench.see("/", &cookie).await.status, StatusCode::OK);
        let said = bench.see("/session", &cookie).await.json();
        assert_eq!(said["standing"], "open");
        assert_eq!(said["person"]["name"], "Ana Ruiz");
    }
    bench
        .is_on_record("Ana Ruiz", true, "passkey added: Desk key")
        .await;
    bench.is_on_record("Ana Ruiz", true, "began: passkey").await;
    bench
        .is_on_record("Ana Ruiz", true, "use notice acknowledged")
        .await;
}

#[tokio::test]
async fn without_a_session_every_page_asks_to_sign_in_and_every_form_keeps_its_text() {
    let bench = Bench::start().await;
    let call = bench.report("1", HOSTILE, "").await;
    let packet = format!("/calls/{call}");
    for cookie in [
        NOBODY,
        "__Host-forerunner=x",
        &bench.cookie.replace("__Host-", ""),
    ] {
        for path in [
            "/",
            "/before-arrival",
            "/hot-list",
            "/premises",
            "/search",
            "/people",
            &packet,
        ] {
            let page = bench.see(path, cookie).await;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
            assert_eq!(page.leads_to(), format!("/sign-in?to={path}"));
        }
        for path in [
            "/hot-list",
            "/people",
            "/people/1/disable",
            "/search/saved",
            &format!("{packet}/notes"),
        ] {
            let refused = bench.fill(path, cookie, "text=a").await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(
                refused.body.contains("Your text is kept"),
                "{}",
                refused.body
            );
            assert_eq!(refused.headers["x-session"], "over");
        }
    }
    let live = Request::get("/live?page=board")
        .header(header::UPGRADE, "websocket")
        .header(header::ORIGIN, ORIGIN);
    assert_eq!(
        bench.ask(live, NOBODY, "").await.status,
        StatusCode::UNAUTHORIZED
    );
    let elsewhere = bench.see("/sign-in?to=//elsewhere.example/", NOBODY).await;
    assert!(
        elsewhere.body.contains("data-to=\"/\""),
        "{}",
        elsewhere.body
    );
}

#[tokio::test]
async fn an_answer_that_is_not_the_persons_counts_and_five_lock_until_a_supervisor_releases() {
    let bench = Bench::start().await;
    let (id, mut passkey, _) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    let (_, _, supervisor) = bench.enrolled("Sam Lee", Post::Supervisor).await;
    bench.acknowledge(&supervisor).await;

    // A key alone, without PIN or fingerprint.
    passkey.verifies = false;
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::FORBIDDEN
    );
    passkey.verifies = true;
    // A page that looks like ours.
    passkey.origin = "https://rtcc.example.com".into();
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::FORBIDDEN
    );
    passkey.origin = "http://localhost:8080".into();
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::OK
    );
    // The same answer once more: the question is gone. That is no bad try.
    let asked = bench.question("/sign-in/passkey/start", NOBODY).await;
    let answer =
        json!({"ceremony": asked["ceremony"], "credential": passkey.get(&asked["options"])});
    assert_eq!(
        bench
            .send("/sign-in/passkey/finish", NOBODY, &answer)
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        bench
            .send("/sign-in/passkey/finish", NOBODY, &answer)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    bench
        .is_on_record("Ana Ruiz", false, "answered before")
        .await;
    // An answer to another question.
    let other = bench.question("/sign-in/passkey/start", NOBODY).await;
    let answer =
        json!({"ceremony": other["ceremony"], "credential": passkey.get(&asked["options"])});
    assert_eq!(
        bench
            .send("/sign-in/passkey/finish", NOBODY, &answer)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    // A good sign-in has wiped what was before it: four more, of a copy of the key.
    for _ in 0..4 {
        passkey.set_back();
        assert_eq!(
            bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
            StatusCode::FORBIDDEN
        );
    }
    bench
        .is_on_record("the center", true, "locked: 5 bad tries in 15 min")
        .await;
    for _ in 0..9 {
        // The counter is past what the center has: a good answer, and not let in.
        assert_eq!(
            bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
            StatusCode::FORBIDDEN
        );
    }
    bench
        .is_on_record("Ana Ruiz", false, "the account is locked")
        .await;
    let page = bench.see("/people", &supervisor).await;
    assert!(
        page.body.contains("Locked by bad tries since"),
        "{}",
        page.body
    );
    let release = format!("/people/{}/release", id.0);
    let analyst = bench.fill(&release, &bench.cookie, "").await;
    assert_eq!(analyst.status, StatusCode::FORBIDDEN);
    assert_eq!(
        bench.fill(&release, &supervisor, "").await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::OK
    );
    bench.is_on_record("Sam Lee", true, "released").await;
}

#[tokio::test]
async fn tries_that_are_far_apart_lock_nothing() {
    let bench = Bench::start().await;
    let (_, mut passkey, _) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    passkey.verifies = false;
    for _ in 0..9 {
        assert_eq!(
            bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
            StatusCode::FORBIDDEN
        );
        bench
            .sql("UPDATE bad_tries SET at_ms = at_ms - 4 * 60 * 1000")
            .await;
    }
    passkey.verifies = true;
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_stolen_cookie_in_another_browser_ends_the_session_for_both() {
    let bench = Bench::start().await;
    let (_, _, cookie) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    bench.acknowledge(&cookie).await;
    let thief = Request::get("/").header(header::USER_AGENT, FIREFOX);
    assert_eq!(
        bench.ask(thief, &cookie, "").await.status,
        StatusCode::SEE_OTHER
    );
    let own = bench.see("/", &cookie).await;
    assert_eq!(own.leads_to(), "/sign-in?to=/");
    bench
        .is_on_record("Ana Ruiz", false, "from another browser: Firefox on Linux")
        .await;
    bench
        .is_on_record("Ana Ruiz", true, "over: its cookie was copied")
        .await;
}

#[tokio::test]
async fn a_session_at_another_address_locks_and_its_person_alone_unlocks_it_with_a_new_token() {
    let bench = Bench::start().await;
    let (_, mut passkey, cookie) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    bench.acknowledge(&cookie).await;
    bench.sql("UPDATE console_sessions SET exempt = 1").await;
    let elsewhere = |path: &str| from_address(json_post(path), [10, 0, 0, 7]);
    let thief = from_address(Request::get("/"), [10, 0, 0, 7]);
    let seen = bench.ask(thief, &cookie, "").await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
    assert!(!seen.body.contains("open call"), "{}", seen.body);
    // Locked for its person too, until the passkey says who has it.
    assert_eq!(
        bench.see("/", &cookie).await.status,
        StatusCode::UNAUTHORIZED
    );
    let (_, mut other, _) = bench.enrolled("Eve Stone", Post::Analyst).await;
    let refused = bench.unlock(&mut other, elsewhere, &cookie).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let unlocked = bench.unlock(&mut passkey, elsewhere, &cookie).await;
    let fresh = unlocked.cookie().unwrap();
    assert_ne!(fresh, cookie);
    let exempt = bench.center().log.readers().read(|connection| {
        let count =
            "SELECT count(*) FROM console_sessions WHERE exempt = 1 AND address = '10.0.0.7'";
        Ok(connection.query_row(count, [], |row| row.get::<_, i64>(0))?)
    });
    let exempt = exempt.await.unwrap();
    assert_eq!(exempt, 0, "what is exempt is a place, not a session");
    let there = from_address(Request::get("/"), [10, 0, 0, 7]);
    assert_eq!(bench.ask(there, &fresh, "").await.status, StatusCode::OK);
    // The old token opens nothing any more, from nowhere.
    assert_eq!(bench.see("/", &cookie).await.status, StatusCode::SEE_OTHER);
    let there = from_address(Request::get("/"), [10, 0, 0, 7]);
    assert_eq!(
        bench.ask(there, &cookie, "").await.status,
        StatusCode::SEE_OTHER
    );
    bench
        .is_on_record(
            "Ana Ruiz",
            false,
            "from another address: another on another at 10.0.0.7",
        )
        .await;
    bench
        .is_on_record("Ana Ruiz", true, "unlocked: passkey, at 10.0.0.7")
        .await;
}

#[tokio::test]
async fn a_cookie_that_was_planted_beforehand_is_never_taken_on() {
    let bench = Bench::start().await;
    let (_, mut passkey, own) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    let planted = "__Host-forerunner=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let fresh = bench
        .try_to_sign_in(&mut passkey, planted)
        .await
        .cookie()
        .unwrap();
    assert_ne!(fresh, planted);
    assert_eq!(bench.see("/", planted).await.leads_to(), "/sign-in?to=/");
    // Nor one that the thief is signed in with: it ends where its browser changes hands.
    let thiefs = bench.cookie.clone();
    assert_eq!(bench.see("/", &thiefs).await.status, StatusCode::OK);
    let fresh = bench
        .try_to_sign_in(&mut passkey, &thiefs)
        .await
        .cookie()
        .unwrap();
    assert_ne!(fresh, thiefs);
    assert_eq!(bench.see("/", &thiefs).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        bench.see("/session", &own).await.json()["standing"],
        "notice"
    );
}

#[tokio::test]
async fn another_sites_form_or_socket_with_the_cookie_comes_to_nothing() {
    let bench = Bench::start().await;
    let (_, _, cookie) = bench.enrolled("Ana Ruiz", Post::Supervisor).await;
    bench.acknowledge(&cookie).await;
    let changes = bench.sign_ins().await.len();
    for origin in [
        Some("https://elsewhere.example"),
        Some("null"),
        Some("http://localhost:8080"),
        None,
    ] {
        for path in [
            "/people",
            "/people/1/disable",
            "/session/end",
            "/session/lock",
            "/notice",
            "/sign-in/link",
            "/enrol/start",
        ] {
            let mut request = Request::post(path)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(origin) = origin {
                request = request.header(header::ORIGIN, origin);
            }
            let refused = bench
                .ask(request, &cookie, "name=Eve&role=supervisor")
                .await;
            assert_eq!(
                refused.status,
                StatusCode::FORBIDDEN,
                "{path} from {origin:?}"
            );
        }
    }
    assert_eq!(bench.sign_ins().await.len(), changes);
    assert_eq!(bench.see("/", &cookie).await.status, StatusCode::OK);
    for origin in ["https://elsewhere.example", "null", "http://localhost:1"] {
        let refused = bench.socket("page=board", Some(origin)).await.unwrap_err();
        assert!(
            matches!(refused, Error::Http(r) if r.status() == StatusCode::FORBIDDEN),
            "{origin}"
        );
    }
    // A name that was pointed here, with an Origin that fits it.
    let rebound = Request::get("/live?page=board")
        .header(header::HOST, "elsewhere.example")
        .header(header::ORIGIN, "http://elsewhere.example")
        .header(header::UPGRADE, "websocket")
        .header(header::COOKIE, &cookie);
    let refused = bench.request(rebound.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn thirty_minutes_without_use_lock_and_an_hour_ends_also_an_open_socket() {
    let bench = Bench::start().await;
    let mut board = bench.socket("page=board", None).await.unwrap();
    until(&mut board, "No open calls").await;
    bench
        .sql("UPDATE console_sessions SET seen_ms = seen_ms - 30 * 60 * 1000")
        .await;
    watch::look(bench.center(), true).await.unwrap();
    bench.report("1", "SHOTS FIRED", "").await;
    let rest = async {
        let mut said = String::new();
        while let Some(Ok(message)) = board.next().await {
            if let Message::Text(text) = message {
                said.push_str(&text);
            }
        }
        said
    };
    let said = tokio::time::timeout(PATIENCE, rest).await.unwrap();
    assert!(!said.contains("SHOTS FIRED"), "{said}");
    let (status, page) = bench.get("/").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(!page.contains("SHOTS FIRED"));
    let note = bench.post("/hot-list", "text=a".into()).await;
    assert_eq!(note.0, StatusCode::UNAUTHORIZED);
    assert!(
        note.1.contains("Unlock it first. Your text is kept"),
        "{}",
        note.1
    );
    bench
        .is_on_record(ANALYST_NAME, true, "locked: not used for 30 minutes")
        .await;
    // Somebody who asks how it stands does not use it.
    bench
        .sql("UPDATE console_sessions SET seen_ms = seen_ms - 30 * 60 * 1000")
        .await;
    assert_eq!(
        bench.see("/session", &bench.cookie).await.json()["standing"],
        "over"
    );
    watch::look(bench.center(), true).await.unwrap();
    bench
        .is_on_record(ANALYST_NAME, true, "over: 12 hours, or an hour without use")
        .await;
}

#[tokio::test]
async fn twelve_hours_end_a_session_however_much_it_is_used_and_dispatch_consoles_too() {
    let bench = Bench::start().await;
    bench
        .sql("UPDATE console_sessions SET exempt = 1, seen_ms = seen_ms - 2 * 60 * 60 * 1000")
        .await;
    watch::look(bench.center(), true).await.unwrap();
    assert_eq!(
        bench.get("/").await.0,
        StatusCode::OK,
        "a dispatch console stays open"
    );
    bench
        .sql("UPDATE console_sessions SET expires_ms = began_ms + 1")
        .await;
    assert_eq!(bench.get("/").await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_disabled_persons_socket_ends_at_once_and_the_key_opens_nothing() {
    let bench = Bench::start().await;
    let (_, _, supervisor) = bench.enrolled("Sam Lee", Post::Supervisor).await;
    bench.acknowledge(&supervisor).await;
    let (id, mut passkey, cookie) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    bench.acknowledge(&cookie).await;
    let address = bench.running.console;
    let uri = format!("ws://{address}/live?page=board").parse().unwrap();
    let request = ClientRequestBuilder::new(uri)
        .with_header("Origin", format!("http://{address}"))
        .with_header("Cookie", &cookie);
    let stream = TcpStream::connect(address).await.unwrap();
    let mut board = client_async(request, stream).await.unwrap().0;
    until(&mut board, "No open calls").await;
    let disable = format!("/people/{}/disable", id.0);
    let without_why = bench.fill(&disable, &supervisor, "text=").await;
    assert_eq!(without_why.status, StatusCode::CONFLICT);
    assert!(
        without_why.body.contains("why: 1 to 200"),
        "{}",
        without_why.body
    );
    let done = bench
        .fill(&disable, &supervisor, "text=Left+the+agency")
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let ended = async {
        while let Some(Ok(message)) = board.next().await {
            if let Message::Close(_) = message {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(bench.see("/", &cookie).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::FORBIDDEN
    );
    bench
        .is_on_record("Sam Lee", true, "disabled: Left the agency")
        .await;
    bench
        .is_on_record("Ana Ruiz", false, "the account is disabled")
        .await;
    let enable = format!("/people/{}/enable", id.0);
    assert_eq!(
        bench.fill(&enable, &supervisor, "").await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn ninety_days_without_a_sign_in_disable_an_account_by_themselves() {
    let bench = Bench::start().await;
    let (_, mut passkey, _) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    bench.enrolled("New Here", Post::Analyst).await;
    bench.sql("UPDATE people SET seen_ms = seen_ms - 7776000000, added_ms = added_ms - 7776000000 WHERE name = 'Ana Ruiz'").await;
    watch::look(bench.center(), true).await.unwrap();
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::FORBIDDEN
    );
    bench
        .is_on_record("the center", true, "disabled: not used for 90 days")
        .await;
    let disabled = bench.sign_ins().await;
    let disabled = disabled
        .iter()
        .filter(|(_, _, what)| what.starts_with("disabled"));
    assert_eq!(disabled.count(), 1);
}

#[tokio::test]
async fn a_supervisor_lets_people_of_the_own_agency_in_and_sees_no_others() {
    let bench = Bench::start().await;
    let (own_id, _, supervisor) = bench.enrolled("Sam Lee", Post::Supervisor).await;
    bench.acknowledge(&supervisor).await;
    let form =
        "name=Ana+Ruiz&role=analyst&certifications=CJIS+2027-03-31%0D%0AIntel+training+2020-01-01";
    let made = bench.fill("/people", &supervisor, form).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    for words in [
        "Ana Ruiz",
        "CJIS until 2027-03-31",
        "Intel training until 2020-01-01, over",
        "City Police",
    ] {
        assert!(
            made.body.contains(words),
            "{words} is missing in {}",
            made.body
        );
    }
    let link = made
        .body
        .split("/enrol#")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    let asked = bench
        .send("/enrol/start", NOBODY, &json!({ "link": link }))
        .await;
    assert_eq!(asked.json()["name"], "Ana Ruiz");
    assert!(
        !bench
            .see("/people", &supervisor)
            .await
            .body
            .contains("/enrol#"),
        "shown once"
    );
    for (form, wanted) in [
        ("name=&role=analyst", "name: 1 to 80"),
        ("name=A&role=chief", "role: analyst, supervisor or auditor"),
        (
            "name=A&role=analyst&certifications=CJIS+soon",
            "certifications: a name and a day a line",
        ),
        (
            "name=ana+ruiz&role=analyst",
            "name: somebody of this agency is called",
        ),
    ] {
        let refused = bench.fill("/people", &supervisor, form).await;
        assert!(refused.status.is_client_error(), "{form}");
        assert!(refused.body.contains(wanted), "{wanted}: {}", refused.body);
    }
    let elsewhere = bench.center().log.write(|ledger| {
        let new = NewPerson {
            agency: Some("so".into()),
            name: "Sheriff's Own".into(),
            post: Post::Analyst,
            certifications: vec![],
        };
        accounts::add(ledger, &new, "a test")
    });
    let elsewhere: PersonId = elsewhere.await.unwrap();
    assert!(!bench.see("/people", &supervisor).await.body.contains("Own"));
    for act in ["disable", "enable", "release", "link", "certify"] {
        let path = format!("/people/{}/{act}", elsewhere.0);
        let refused = bench.fill(&path, &supervisor, "text=CJIS+2027-03-31").await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{act}");
        assert_eq!(
            bench.fill(&path, &bench.cookie, "text=a").await.status,
            StatusCode::FORBIDDEN
        );
    }
    let own = bench
        .fill(
            &format!("/people/{}/disable", own_id.0),
            &supervisor,
            "text=a",
        )
        .await;
    assert_eq!(own.status, StatusCode::CONFLICT);
    assert_eq!(
        bench.see("/people", &bench.cookie).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_withdrawn_passkey_signs_nobody_in_and_signing_out_ends_the_session() {
    let bench = Bench::start().await;
    let (_, _, supervisor) = bench.enrolled("Sam Lee", Post::Supervisor).await;
    bench.acknowledge(&supervisor).await;
    let (id, mut passkey, _) = bench.enrolled("Ana Ruiz", Post::Analyst).await;
    let cookie = bench
        .try_to_sign_in(&mut passkey, NOBODY)
        .await
        .cookie()
        .unwrap();
    let out = bench.fill("/session/end", &cookie, "").await;
    assert!(
        out.headers[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(
        bench.see("/session", &cookie).await.json()["standing"],
        "over"
    );
    let page = bench.see("/people", &supervisor).await.body;
    let place = format!("/people/{}/passkeys/", id.0);
    let number = page
        .split(&place)
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let withdrawn = bench
        .fill(&format!("{place}{number}/withdraw"), &supervisor, "")
        .await;
    assert_eq!(withdrawn.status, StatusCode::SEE_OTHER);
    assert_eq!(
        bench.try_to_sign_in(&mut passkey, NOBODY).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_center_that_is_no_demo_takes_no_demos_link() {
    let bench = Bench::start().await;
    let made = bench.center().log.write(|ledger| {
        let id = accounts::all(ledger.sql(), None)?[0].id;
        links::new(ledger, id, LinkFor::Demo, "a test")
    });
    let link: String = made.await.unwrap();
    let refused = bench
        .fill("/sign-in/link", NOBODY, &format!("link={link}"))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.cookie().is_none());
}

#[tokio::test]
async fn no_page_has_a_script_or_style_of_its_own() {
    let bench = Bench::start().await;
    let call = bench.report("1", "THEFT", "").await;
    let (_, _, cookie) = bench.enrolled("Sam Lee", Post::Supervisor).await;
    let mut pages = vec![bench.see("/notice", &cookie).await];
    bench.acknowledge(&cookie).await;
    let packet = format!("/calls/{call}");
    for path in [
        "/",
        "/before-arrival",
        "/hot-list",
        "/premises",
        "/search",
        "/people",
        &packet,
    ] {
        pages.push(bench.see(path, &cookie).await);
    }
    for path in ["/sign-in", "/enrol"] {
        pages.push(bench.see(path, NOBODY).await);
    }
    bench.fill("/session/lock", &cookie, "").await;
    let locked = bench.see("/", &cookie).await;
    assert_eq!(locked.status, StatusCode::UNAUTHORIZED);
    pages.push(locked);
    for page in pages {
        let html = page.body.to_lowercase();
        assert!(html.contains("<!doctype html>"), "{html}");
        for script in html.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"/assets/"), "{script}");
        }
        for own in [
            "style=",
            "<style",
            " onclick",
            " onload",
            " onsubmit",
            "javascript:",
        ] {
            assert!(!html.contains(own), "{own} in {html}");
        }
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"));
    }
}

/// Covered by the lock, and signed out from: whatever page is in front.
#[test]
fn every_page_behind_the_sign_in_has_the_session_in_its_corner() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut pages = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.contains("<div class=\"top\">") {
            continue;
        }
        pages += 1;
        for part in [
            "{% include \"session.html\" %}",
            "/assets/session.js",
            "/assets/passkey.js",
        ] {
            assert!(text.contains(part), "{part} in {}", path.display());
        }
    }
    assert!(pages >= 8, "{pages}");
}
