//! The whole program over its real socket, with a center that is gone.
#![allow(clippy::unwrap_used)]

mod center;
mod laptop;

use std::time::Duration;

use futures_util::StreamExt;
use mobile_core::Ticket;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_util::sync::CancellationToken;

use crate::{MdtError, run};
use center::Center;
use laptop::{Laptop, options};

/// A ticket whose center nobody has ever reached.
fn ticket_to_nowhere() -> String {
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let ticket = Ticket {
        center: "127.0.0.1:1".into(),
        ca: key.cert.der().to_vec(),
        code: "ABCD".into(),
    };
    ticket.to_string()
}

async fn alone(directory: &TempDir) -> Laptop {
    Laptop::start(options(directory.path(), Some(ticket_to_nowhere()))).await
}

/// Signed on by a center that is gone now.
async fn signed_on(directory: &TempDir) -> Laptop {
    let center = Center::start().await;
    let laptop = Laptop::start(options(directory.path(), Some(center.ticket.clone()))).await;
    let mut live = open_live(&laptop, "/live", None).await.unwrap();
    // Enrolment and sign-on tell the page.
    while !next(&mut live).await.contains("Offline since") {}
    laptop
}

async fn open_live(
    laptop: &Laptop,
    path: &str,
    origin: Option<&str>,
) -> Result<WebSocketStream<TcpStream>, SocketError> {
    let own = format!("http://{}", laptop.host());
    let mut request = format!("ws://{}{path}", laptop.host()).into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("Cookie", laptop.cookie().parse().unwrap());
    headers.insert("Origin", origin.unwrap_or(&own).parse().unwrap());
    let stream = TcpStream::connect(laptop.host()).await.unwrap();
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

async fn next(live: &mut WebSocketStream<TcpStream>) -> String {
    let soon = tokio::time::timeout(Duration::from_secs(30), live.next());
    match soon.await.unwrap().unwrap().unwrap() {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?} is no region"),
    }
}

/// Its address.
async fn open_packet(laptop: &Laptop) -> String {
    let form = "kind=traffic-stop&location=S+27th+St+%26+W+Mitchell&plate=ABC-123&text=";
    let answer = laptop.form("/packets", form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.header("HX-Redirect").unwrap().into()
}

#[tokio::test]
async fn nobody_gets_an_answer_without_the_secret_of_this_start() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = alone(&directory).await;
    let host = laptop.host();
    for path in [
        "/",
        "/live",
        "/assets/mdt.css",
        "/calls/0",
        "/nothing",
        "/?key=guess",
    ] {
        let answer = laptop
            .ask(&format!("GET {path}"), &[("Host", &host)], "")
            .await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("Open the address"), "{path}");
    }
    let wrong = format!("forerunner-mdt-{}={}x", laptop.port, laptop.key);
    let headers = [("Host", &*host), ("Cookie", &*wrong)];
    assert_eq!(laptop.ask("GET /", &headers, "").await.status, 403);
    laptop.stop().await;
}

#[tokio::test]
async fn the_secret_moves_from_the_address_to_a_cookie_that_scripts_cannot_read() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = alone(&directory).await;
    let line = format!("GET /?key={}", laptop.key);
    let answer = laptop.ask(&line, &[("Host", &laptop.host())], "").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("Location"), Some("/"));
    let cookie = format!("{}; HttpOnly; SameSite=Strict; Path=/", laptop.cookie());
    assert_eq!(answer.header("Set-Cookie"), Some(&*cookie));
    laptop.stop().await;
}

#[tokio::test]
async fn a_foreign_host_or_origin_gets_nothing_even_with_the_cookie() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = alone(&directory).await;
    let (cookie, host) = (laptop.cookie(), laptop.host());
    let port = laptop.port;
    for foreign in [
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        "127.0.0.1".into(),
        "127.0.0.1:1".into(),
    ] {
        let headers = [("Host", &*foreign), ("Cookie", &*cookie)];
        assert_eq!(laptop.ask("GET /", &headers, "").await.status, 421);
    }
    let twice = [("Host", &*host), ("Host", &*host), ("Cookie", &*cookie)];
    assert_ne!(laptop.ask("GET /", &twice, "").await.status, 200);
    let own = [("Host", &*host), ("Cookie", &*cookie)];
    assert_eq!(laptop.ask("POST /packets", &own, "").await.status, 403);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let headers = [own[0], own[1], ("Origin", origin)];
        assert_eq!(laptop.ask("POST /packets", &headers, "").await.status, 403);
        let refused = open_live(&laptop, "/live", Some(origin)).await;
        assert!(
            matches!(&refused, Err(SocketError::Http(answer)) if answer.status() == 403),
            "{origin}"
        );
    }
    laptop.stop().await;
}

#[tokio::test]
async fn the_page_is_there_when_there_has_never_been_a_center() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = alone(&directory).await;
    let answer = laptop.get("/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("Not signed on."), "{}", answer.body);
    assert!(answer.body.contains("Laptop 7"));
    let policy = answer.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("default-src 'self'; connect-src 'self' ws://127.0.0.1:"));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let style = laptop.get("/assets/mdt.css").await;
    assert_eq!(
        style.header("Content-Type"),
        Some("text/css; charset=utf-8")
    );
    let refused = laptop
        .form("/packets", "kind=on-view&location=here&plate=&text=")
        .await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("Nobody is signed on here"));
    assert_eq!(laptop.get("/calls/0000000000000011").await.status, 404);
    laptop.stop().await;
}

#[tokio::test]
async fn an_officer_opens_a_packet_and_writes_with_the_center_gone() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = signed_on(&directory).await;
    let call = open_packet(&laptop).await;
    let mut live = open_live(
        &laptop,
        &format!("/live?call={}", &call["/calls/".len()..]),
        None,
    )
    .await
    .unwrap();
    let all = next(&mut live).await;
    for region in [
        "header",
        "alerts",
        "calls",
        "summary",
        "notes",
        "my-status",
        "sources",
    ] {
        assert!(all.contains(&format!("id=\"{region}\"")), "{region}");
    }
    assert!(all.rfind("id=\"shown-through\"") > all.rfind("id=\"sources\""));

    let note = "text=%3Cscript%3Ealert(1)%3C%2Fscript%3E+two+in+the+car";
    let answer = laptop.form(&format!("{call}/notes"), note).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("Kept on this device"));
    let mut news = next(&mut live).await;
    while !news.contains("two in the car") {
        news = next(&mut live).await;
    }
    assert!(!news.contains("id=\"facts\""), "only what changed is sent");

    let status = laptop
        .form(&format!("{call}/status"), "status=on-scene")
        .await;
    assert_eq!(status.status, 200);
    let page = laptop.get(&call).await.body;
    for words in [
        "Traffic stop",
        "S 27th St &#38; W Mitchell",
        "Plate: ABC123",
        "&#60;script&#62;alert(1)&#60;/script&#62; two in the car",
        "On this device</b>, not at the center yet",
        "Offline since",
        "5 entries are not at the center yet",
        "✓ On scene",
        "Opened on this device",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    assert!(!page.contains("<script>alert"));
    assert!(page.contains("Without a link to the center it cannot be shown"));
    let asked = laptop.form(&format!("{call}/intel"), "").await;
    assert_eq!(asked.status, 503, "{}", asked.body);
    assert!(
        asked.body.contains("The center cannot be reached"),
        "{}",
        asked.body
    );
    laptop.stop().await;
    // The page hears that the program ends.
    let end = tokio::time::timeout(Duration::from_secs(30), async {
        while let Some(Ok(message)) = live.next().await {
            if let Message::Close(frame) = message {
                return frame;
            }
        }
        None
    });
    assert_eq!(u16::from(end.await.unwrap().unwrap().code), 1012);
}

#[tokio::test]
async fn a_form_that_does_not_fit_says_why_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = signed_on(&directory).await;
    let call = open_packet(&laptop).await;
    let long = format!("text={}", "x".repeat(2_001));
    for (path, form, status, words) in [
        (
            format!("{call}/notes"),
            long.as_str(),
            422,
            "2001 characters, at most 2000",
        ),
        (
            format!("{call}/notes"),
            "text=+%0A",
            422,
            "The note is empty",
        ),
        (format!("{call}/notes"), "other=1", 422, "cannot be read"),
        (
            format!("{call}/status"),
            "status=asleep",
            422,
            "not known here",
        ),
        (
            format!("{call}/acknowledge"),
            "entry=x",
            422,
            "not known here",
        ),
        (
            "/packets".into(),
            "kind=on-view&location=+",
            422,
            "The place is empty",
        ),
        (
            "/calls/0000000000000011/notes".into(),
            "text=a",
            404,
            "not on this device",
        ),
        ("/calls/x/notes".into(), "text=a", 404, "not on this device"),
    ] {
        let answer = laptop.form(&path, form).await;
        assert_eq!(answer.status, status, "{path} {form}: {}", answer.body);
        assert!(answer.body.contains(words), "{}", answer.body);
        assert!(answer.body.contains("Your text is still in its box"));
    }
    let bomb = format!("text={}", "x".repeat(70_000));
    assert_eq!(
        laptop.form(&format!("{call}/notes"), &bomb).await.status,
        413
    );
    assert!(
        laptop
            .get(&call)
            .await
            .body
            .contains("3 entries are not at")
    );
    laptop.stop().await;
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart_and_another_officer_does_not_write_as_me() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = signed_on(&directory).await;
    let call = open_packet(&laptop).await;
    laptop.stop().await;

    let laptop = Laptop::start(options(directory.path(), None)).await;
    assert!(laptop.get(&call).await.body.contains("J. Diaz"));
    laptop.stop().await;

    let mut other = options(directory.path(), None);
    other.officer = Some("0815".into());
    let laptop = Laptop::start(other).await;
    let mut live = open_live(&laptop, "/live", None).await.unwrap();
    while !next(&mut live).await.contains("Not signed on.") {}
    let refused = laptop.form(&format!("{call}/notes"), "text=mine").await;
    assert_eq!(refused.status, 409);
    assert_eq!(laptop.get(&call).await.status, 404);
    laptop.stop().await;
}

#[tokio::test]
async fn the_link_switch_is_there_only_when_it_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = alone(&directory).await;
    let json = "application/json";
    assert_eq!(
        laptop.post("/link", json, "{\"up\": false}").await.status,
        404
    );
    laptop.stop().await;
    let mut with_switch = options(directory.path(), Some(ticket_to_nowhere()));
    with_switch.allow_link_switch = true;
    let laptop = Laptop::start(with_switch).await;
    assert_eq!(
        laptop.post("/link", json, "{\"up\": false}").await.status,
        204
    );
    laptop.stop().await;
}

#[tokio::test]
async fn what_keeps_the_program_from_starting_is_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let start = async |options| {
        run(options, CancellationToken::new(), |_| {})
            .await
            .unwrap_err()
    };
    assert!(matches!(
        start(options(directory.path(), None)).await,
        MdtError::NoTicket
    ));
    let nonsense = start(options(directory.path(), Some("nonsense!".into()))).await;
    assert!(nonsense.to_string().contains("ticket"), "{nonsense}");

    let laptop = alone(&directory).await;
    let mut taken = options(directory.path(), Some(ticket_to_nowhere()));
    assert!(matches!(
        start(taken.clone()).await,
        MdtError::FolderInUse { .. }
    ));
    taken.port = laptop.port;
    assert!(matches!(start(taken).await, MdtError::PortTaken { .. }));
    laptop.stop().await;

    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = start(options(&file, Some(ticket_to_nowhere()))).await;
    assert!(matches!(error, MdtError::Folder { .. }), "{error}");
}

#[tokio::test]
async fn a_file_is_kept_here_at_once_and_is_not_called_sent() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = signed_on(&directory).await;
    let call = open_packet(&laptop).await;
    let place = format!("{call}/attachments");
    let kept = laptop
        .post(
            &format!("{place}?name=note.txt"),
            "text/plain",
            "a tenant's letter",
        )
        .await;
    assert_eq!(kept.status, 200, "{}", kept.body);
    assert!(kept.body.contains("Kept on this device"), "{}", kept.body);
    let page = laptop.get(&call).await.body;
    for words in ["note.txt", "on this device; 0 of 1 KB are at the center"] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    assert!(
        !page.contains("<b class=\"center\">at the center</b>"),
        "{page}"
    );
    let start = format!("{place}/");
    let at = page.find(&start).unwrap();
    let content = laptop.get(&page[at..at + start.len() + 64]).await;
    assert_eq!(content.body, "a tenant's letter");
    assert_eq!(content.header("Content-Disposition"), Some("attachment"));
    assert_eq!(
        content.header("Content-Type"),
        Some("application/octet-stream")
    );

    let unknown = laptop.get(&format!("{start}{}", "0".repeat(64))).await;
    assert_eq!(unknown.status, 404);
    let large = "x".repeat(8 * 1024 * 1024 + 1);
    let refused = laptop
        .post(&format!("{place}?name=large.txt"), "text/plain", &large)
        .await;
    assert_eq!(refused.status, 413, "{}", refused.body);
    let named = laptop
        .post(&format!("{place}?name=..%2Fa.txt"), "text/plain", "x")
        .await;
    assert_eq!(named.status, 422, "{}", named.body);
    laptop.stop().await;
}

#[tokio::test]
async fn the_beats_page_searches_what_is_on_the_laptop_with_no_link() {
    let directory = tempfile::tempdir().unwrap();
    let laptop = signed_on(&directory).await;
    let call = open_packet(&laptop).await;
    let page = laptop.get("/beat").await;
    assert_eq!(page.status, 200);
    for words in [
        "My beat",
        "No beat is on this device",
        "hx-get=\"/beat/found\"",
    ] {
        assert!(
            page.body.contains(words),
            "{words} is missing in {}",
            page.body
        );
    }
    let found = laptop.get("/beat/found?words=abc123").await.body;
    assert!(
        found.contains("ABC123") && found.contains(&format!("href=\"{call}\"")),
        "{found}"
    );
    let found = laptop.get("/beat/found?words=w+mitchell").await.body;
    assert!(found.contains("S 27th St &#38; W Mitchell"), "{found}");
    let nothing = laptop.get("/beat/found?words=zebra").await.body;
    assert!(
        nothing.contains("Nothing on this device has that."),
        "{nothing}"
    );
    // A beat's packet has a page of its own, not a call's.
    let beat = laptop.get("/calls/80000001ffffffff").await;
    assert_eq!((beat.status, beat.header("Location")), (303, Some("/beat")));
    laptop.stop().await;
}

#[tokio::test]
async fn who_comes_back_from_the_agencys_sign_in_without_the_cookie_is_sent_on_once() {
    let directory = TempDir::new().unwrap();
    let laptop = alone(&directory).await;
    let host = laptop.host();
    let stranger = async |line: &str| laptop.ask(line, &[("Host", &*host)], "").await;
    let came = stranger("GET /sign-on/back?state=1&code=%22%3E%3Cb").await;
    assert_eq!(came.status, 200);
    let on = "content=\"0;url=/sign-on/back?state=1&#38;code=%22%3E%3Cb&#38;arrived=again\"";
    assert!(came.body.contains(on), "{}", came.body);
    assert!(!came.body.contains("4A12"), "{}", came.body);
    for line in [
        "GET /sign-on/back?state=1&arrived=again",
        "POST /sign-on/back?state=1",
        "GET /sign-on",
        "GET /sign-on/back/x?state=1",
    ] {
        assert_eq!(stranger(line).await.status, 403, "{line}");
    }
    let came = laptop.get("/sign-on/back?state=1&arrived=again").await;
    assert_eq!(came.status, 403);
    assert!(came.body.contains("not enrolled"), "{}", came.body);
    laptop.stop().await;
}

#[tokio::test]
async fn a_laptop_whose_agency_has_a_sign_in_of_its_own_leads_there_and_back() {
    let directory = TempDir::new().unwrap();
    let center = Center::with_a_provider().await;
    let laptop = Laptop::start(options(directory.path(), Some(center.ticket.clone()))).await;
    let mut live = open_live(&laptop, "/live", None).await.unwrap();
    while !next(&mut live).await.contains("Sign on with your agency") {}
    let page = laptop.get("/").await;
    assert!(
        page.body.contains("a badge alone is not taken"),
        "{}",
        page.body
    );
    let sent = laptop.get("/sign-on").await;
    assert_eq!(sent.status, 303);
    let to = sent.header("location").unwrap();
    let back = format!("http://{}/sign-on/back", laptop.host());
    assert_eq!(to, format!("https://login.example/authorize?to={back}"));
    let came = laptop.get("/sign-on/back?state=1&code=2").await;
    assert_eq!((came.status, came.header("location")), (303, Some("/")));
    let page = laptop.get("/").await;
    assert!(page.body.contains("J. Diaz"), "{}", page.body);
    assert!(
        !page.body.contains("Sign on with your agency"),
        "{}",
        page.body
    );
    laptop.stop().await;
}
