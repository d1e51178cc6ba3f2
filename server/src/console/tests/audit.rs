use std::sync::Arc;

use axum::Extension;
use tokio::sync::{Semaphore, watch};

use super::super::{Console, audit, board, words};
use super::*;
use crate::audit::Record;
use crate::policy::{Act, Actor, Role};

/// The pages as this one has them.
struct Pages {
    bench: Bench,
    pages: Router,
}

impl Pages {
    async fn of(actor: Actor) -> Self {
        let bench = Bench::start().await;
        let console = Arc::new(Console {
            center: bench.center().clone(),
            stop: CancellationToken::new(),
            times: words::Times::of_this_center(),
            board: board::Board::default(),
            notices: watch::channel(0).0,
            places: Arc::new(Semaphore::new(1)),
        });
        let pages = audit::routes()
            .layer(Extension(actor))
            .with_state(console)
            .into_router();
        Self { bench, pages }
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        text(self.pages.clone().oneshot(request).await.unwrap()).await
    }

    async fn post(&self, path: &str, body: &str) -> (StatusCode, String) {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
            .unwrap();
        text(self.pages.clone().oneshot(request).await.unwrap()).await
    }
}

fn auditor() -> Actor {
    Actor {
        name: "R. Auditor".into(),
        ..Actor::of(Role::Auditor)
    }
}

#[tokio::test]
async fn an_auditor_looks_through_the_log_by_what_is_asked_and_that_is_on_record() {
    let pages = Pages::of(auditor()).await;
    let call = pages.bench.report("1", "FIGHT", "loud").await;
    let hostile = Record {
        object: call.to_string(),
        reason: Some(HOSTILE.into()),
        ..Record::of(HOSTILE, Act::SeePacket)
    };
    pages.bench.center().put_on_record(vec![hostile]).await;
    let (status, html) = pages.get(&format!("/audit?call={call}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        html.contains("ReportCall") && html.contains("SeePacket"),
        "{html}"
    );
    assert!(!html.contains("<script>"), "{html}");
    assert!(
        html.contains(&format!("call={call}")),
        "an export of the same: {html}"
    );
    let (_, html) = pages.get("/audit?act=SeeAudit").await;
    assert!(
        html.contains("R. Auditor") && html.contains(&format!("call {call}: 2 shown")),
        "{html}"
    );
    let (status, html) = pages.get("/audit?call=nonsense").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        html.contains("call: a call&#39;s id: 16 hexadecimal digits is wanted."),
        "{html}"
    );
    assert!(html.contains("value=\"nonsense\""), "what was typed stays");
}

#[tokio::test]
async fn who_may_not_look_gets_nothing_and_a_supervisor_neither_exports_nor_reviews() {
    let paths = ["/audit", "/audit/review", "/audit/export?form=csv"];
    let pages = Pages::of(Actor::of(Role::Analyst)).await;
    for path in paths {
        assert_eq!(pages.get(path).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    // The console's own analyst neither.
    assert_eq!(pages.bench.get("/audit").await.0, StatusCode::FORBIDDEN);
    let supervisor = Actor {
        agency: Some("pd".into()),
        ..Actor::of(Role::Supervisor)
    };
    let pages = Pages::of(supervisor).await;
    let (status, html) = pages.get("/audit").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!html.contains("/audit/export"), "{html}");
    for path in &paths[1..] {
        assert_eq!(pages.get(path).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    let (status, _) = pages.post("/audit/reviews", "through=1&found=x").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = pages.post("/audit/failures/seen", "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_review_is_signed_off_by_name_and_the_next_one_begins_behind_it() {
    let pages = Pages::of(auditor()).await;
    let (status, html) = pages.get("/audit/review").await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains("It was never reviewed."), "{html}");
    assert!(html.contains("StartCenter"), "{html}");
    assert!(!html.contains("id=\"overdue\""), "{html}");
    let through = html.split("name=\"through\" value=\"").nth(1).unwrap();
    let through = through.split('"').next().unwrap().to_owned();
    let (status, html) = pages
        .post("/audit/reviews", &format!("through={through}&found=+"))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(html.contains("Say what was found"), "{html}");
    let form = format!("through={through}&found=all+%3Cb%3Equiet");
    assert_eq!(
        pages.post("/audit/reviews", &form).await.0,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        pages.post("/audit/reviews", &form).await.0,
        StatusCode::CONFLICT
    );
    let (_, html) = pages.get("/audit/review").await;
    assert!(
        html.contains("<b>R. Auditor</b>") && html.contains("all &#60;b&#62;quiet"),
        "{html}"
    );
    assert!(!html.contains("StartCenter"), "{html}");
    // A week later it is late.
    let long_ago = "UPDATE audit_reviews SET at_ms = at_ms - 8 * 24 * 3600000";
    let aged = pages.bench.center().log.write(move |ledger| {
        ledger.sql().execute(long_ago, [])?;
        Ok::<_, LogError>(())
    });
    aged.await.unwrap();
    assert!(
        pages
            .get("/audit/review")
            .await
            .1
            .contains("id=\"overdue\"")
    );
}

#[tokio::test]
async fn that_the_log_was_changed_stands_on_every_page_until_somebody_who_may_has_seen_it() {
    let pages = Pages::of(auditor()).await;
    assert!(!pages.bench.get("/").await.1.contains("class=\"alarm\""));
    pages
        .bench
        .center()
        .unkept
        .tampered("entry 7 is not as it was written");
    for path in ["/", "/search", "/hot-list", "/premises", "/before-arrival"] {
        let (_, html) = pages.bench.get(path).await;
        assert!(
            html.contains("entry 7 is not as it was written"),
            "{path}: {html}"
        );
    }
    assert_eq!(
        pages.post("/audit/failures/seen", "").await.0,
        StatusCode::SEE_OTHER
    );
    assert!(!pages.bench.get("/").await.1.contains("class=\"alarm\""));
    let (_, html) = pages.get("/audit?act=ReviewAudit").await;
    assert!(html.contains("failures of auditing"), "{html}");
}
