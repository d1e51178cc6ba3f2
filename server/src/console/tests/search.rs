//! The page that looks through all packets, and what else the center itself finds.

use packet::{Caution, Finding, Kind, QueryWhat, Topic};

use super::*;

impl Bench {
    async fn note(&self, call: CallId, text: &str) {
        let (text, by) = (text.to_owned(), "Analyst".to_owned());
        let note = Entry::Note(Note { text, by });
        self.center().write(call, note, "Analyst").await.unwrap();
    }

    async fn entries(&self, call: CallId) -> Vec<Entry> {
        let document = DocumentId::new(call, Compartment::Call);
        let read = move |c: &rusqlite::Connection| crate::log::document(c, document);
        let logged = self.center().log.readers().read(read).await.unwrap();
        logged
            .into_iter()
            .map(|logged| logged.inspected.written.entry)
            .collect()
    }
}

#[tokio::test]
async fn a_search_shows_what_matches_and_it_and_each_packet_are_on_record() {
    let bench = Bench::start().await;
    let call = bench
        .report("1", "BURGLARY", "glass breaking in the cellar")
        .await;
    bench.report("2", "NOISE", "loud music").await;
    let (status, html) = bench.get("/search").await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains("is put on record") && !html.contains("id=\"found\""));
    assert_eq!(bench.audit("Search").await.len(), 0, "nothing was asked");
    let (status, html) = bench.get("/search?words=cellar&state=").await;
    assert_eq!(status, StatusCode::OK);
    for words in [
        "1 packet<",
        "BURGLARY",
        "glass breaking",
        "City Police, call 1",
    ] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
    assert!(!html.contains("loud music"));
    let asked = bench.audit("Search").await;
    assert_eq!(
        asked,
        [(String::new(), "words: 1 found, 1 shown".to_owned())]
    );
    let shown = bench.audit("search in call").await;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].0, format!("{call}/call"));
    let (_, html) = bench.get("/search?phone=12").await;
    assert!(html.contains("phone: 7 or 10 digits is wanted."), "{html}");
    assert!(html.contains("value=\"12\""), "what was typed stays");
    let (_, html) = bench.get("/search?words=%3Cscript%3Ealert(1)").await;
    assert!(!html.contains("<script>alert"));
}

#[tokio::test]
async fn a_saved_search_tells_every_page_at_once_until_it_was_seen() {
    let bench = Bench::start().await;
    let call = bench.report("1", "TRESPASS", "a zebra in the yard").await;
    let mut page = bench.socket("page=search", None).await.unwrap();
    let mut board = bench.socket("page=board", None).await.unwrap();
    let mut packet = bench
        .socket(&format!("page=call&id={call}"), None)
        .await
        .unwrap();
    for socket in [&mut page, &mut board, &mut packet] {
        until(socket, "id=\"header\"").await;
    }
    let (status, html) = bench
        .post("/search/saved", "name=&words=zebra".into())
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        html.contains("name: a name of 1 to 80 characters"),
        "{html}"
    );
    let (status, _) = bench
        .post("/search/saved", "name=%3Cb%3Ezebras&words=zebra".into())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, html) = bench.get("/search").await;
    assert!(html.contains("&#60;b&#62;zebras") && html.contains("words zebra"));

    bench.note(call, "a second zebra").await;
    let html = until(&mut page, "a second zebra").await;
    assert!(html.contains("id=\"notices\""), "{html}");
    assert!(html.contains(&format!("href=\"/calls/{call}\"")));
    assert!(!html.contains("in the yard"), "it was there before: {html}");
    for socket in [&mut board, &mut packet] {
        until(socket, "<b>1</b> new for saved searches").await;
    }
    assert_eq!(bench.center().metrics.notices.get(), 1);
    let told = bench.audit("Search").await;
    assert!(
        told.iter()
            .any(|(object, detail)| object == "notices" && detail.starts_with("shown: ")),
        "{told:?}"
    );
    let seen = html.split("/search/notices/").nth(2).unwrap();
    let seen = seen.split('/').next().unwrap().to_owned();
    let path = format!("/search/notices/{seen}/seen");
    assert_eq!(
        bench.post(&path, String::new()).await.0,
        StatusCode::NO_CONTENT
    );
    until(
        &mut page,
        "id=\"notices\" hx-swap-oob=\"true\" class=\"none\"",
    )
    .await;
    assert_eq!(
        bench.post(&path, String::new()).await.0,
        StatusCode::NOT_FOUND
    );

    let (_, html) = bench.get("/search").await;
    let id = html.split("/search/saved/").nth(1).unwrap();
    let id = id.split('/').next().unwrap();
    let path = format!("/search/saved/{id}/forget");
    assert_eq!(
        bench.post(&path, String::new()).await.0,
        StatusCode::NO_CONTENT
    );
    assert!(bench.get("/search").await.1.contains("None yet."));
}

#[tokio::test]
async fn what_comes_from_elsewhere_saves_and_sees_nothing() {
    let bench = Bench::start().await;
    for path in [
        "/search/saved",
        "/search/notices/seen",
        "/search/saved/1/forget",
    ] {
        let request = Request::post(path)
            .header(header::HOST, HOST)
            .header(header::ORIGIN, "http://elsewhere.example")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = bench
            .request(request.body("name=a&words=b".into()).unwrap())
            .await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn a_packet_opens_on_what_matters_most_and_a_camera_opens_by_a_tap() {
    let bench = Bench::start().await;
    let call = bench.report("1", "TRESPASS", "a man").await;
    let camera = Finding {
        source: "Cameras".into(),
        title: "Ramp 4".into(),
        text: "20 m N, looks at this place".into(),
        query: "here".into(),
        recorded_ms: None,
        answered_ms: 1,
        confidence: packet::Confidence::Exact,
        topic: Topic::Camera,
        link: Some("https://cameras.example/4".into()),
        ends_ms: None,
        answers: None,
    };
    let wanted = Finding {
        topic: Topic::Wanted,
        title: "A. Person is wanted".into(),
        link: None,
        ..camera.clone()
    };
    let caution = Caution {
        text: "Large dog".into(),
        by: "Analyst".into(),
        ends_ms: None,
    };
    for entry in [
        Entry::Finding(camera),
        Entry::Finding(wanted),
        Entry::Caution(caution),
    ] {
        bench.center().write(call, entry, "Analyst").await.unwrap();
    }
    let (_, html) = bench.get(&format!("/calls/{call}")).await;
    let start = html.find("id=\"glance\"").unwrap();
    let glance = &html[start..start + html[start..].find("</section>").unwrap()];
    let at = |words: &str| {
        glance
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {glance}"))
    };
    assert!(at("Large dog") < at("A. Person is wanted"));
    assert!(at("A. Person is wanted") < at("Ramp 4"));
    assert!(glance.contains("href=\"https://cameras.example/4\""));
    assert!(html.contains("<option value=\"Ramp 4\">"));
    let links = html.matches("https://cameras.example/4").count();
    assert_eq!(links, 2, "at a glance and below");
}

#[tokio::test]
async fn an_analyst_asks_for_a_recording_and_a_mistake_is_told_beside_the_box() {
    let bench = Bench::start().await;
    let call = bench.report("1", "TRESPASS", "a man").await;
    let path = format!("/calls/{call}/clips");
    for (body, words) in [
        (
            "camera=&from=2026-11-28T12%3A00&minutes=5",
            "wanted: CAMERA",
        ),
        ("camera=Ramp+4&from=noon&minutes=5", "time cannot be read"),
        (
            "camera=Ramp+4&from=2026-11-28T12%3A00&minutes=16",
            "1 to 900 seconds",
        ),
        ("camera=Ramp+4", "are wanted"),
    ] {
        let (status, html) = bench.post(&path, body.into()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(html.contains(words), "{html}");
    }
    let good = "camera=Ramp+4&from=2026-11-28T12%3A00%3A30&minutes=5";
    let (status, html) = bench.post(&path, good.into()).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    let entries = bench.entries(call).await;
    let query = entries.iter().find_map(|entry| match entry {
        Entry::Query(query) => Some(query),
        _ => None,
    });
    let query = query.unwrap();
    assert_eq!(query.what, QueryWhat::Clip);
    assert!(
        query.value.starts_with("Ramp 4 @ 2026-11-28T"),
        "{}",
        query.value
    );
    assert_eq!(bench.audit("write query").await.len(), 1);
    assert_eq!(Entry::Query(query.clone()).kind(), Kind::Query);
    let unknown = bench
        .post("/calls/00000000000000ab/clips", good.into())
        .await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
}
