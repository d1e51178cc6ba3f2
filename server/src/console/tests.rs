#![allow(clippy::unwrap_used)]

mod audit;
mod retention;
mod search;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use jiff::Timestamp;
use packet::{Acknowledgement, CallId, Compartment, DeviceNumber, DocumentId, Entry, Note};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::view::TEXT_CHARS_MAX;
use crate::accept::Peer;
use crate::api::{fleet, new_ticket};
use crate::center::{Center, Running};
use crate::config::{AgencyConfig, Config, OfficerConfig};
use crate::devices;
use crate::intake::{CallReport, CallStatus, UnitReport};
use crate::log::{Happening, Ledger, LogError};
use crate::people::Post;
use crate::people::accounts::{self, NewPerson};
use crate::people::sessions::{self, Browser, Session};
use crate::policy::{Actor, Names, People, Policies, Role};
use crate::receipts::tests::named as carrier_named;
use crate::receipts::{self, Batch, Receipt, ReceiptKind, Report};
use crate::shifts::{self, Shift};

const HOST: &str = "127.0.0.1:8080";
const ORIGIN: &str = "http://127.0.0.1:8080";
/// A page that never hears of it fails the test instead of holding it for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who is signed in.
const ANALYST_NAME: &str = "Analyst (RTCC)";
const HOSTILE: &str = "<script>alert(1)</script>";

/// A center without sources, and its console.
struct Bench {
    running: Running,
    pages: Router,
    cookie: String,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = Center::start(Config::on_loopback(
            "Test RTCC",
            folder.path().into(),
            vec![AgencyConfig {
                id: "pd".into(),
                name: "City Police".into(),
                units: vec!["4A12".into()],
                officers: vec![OfficerConfig {
                    badge: "7".into(),
                    name: "Diaz".into(),
                    certifications: crate::policy::Certifications::default(),
                }],
            }],
        ))
        .await
        .unwrap();
        let pages = super::router(running.center.clone(), running.stopping());
        let (_, token) = signed_in(&running.center, ANALYST_NAME, Post::Analyst).await;
        Self {
            running,
            pages,
            cookie: cookie(&token),
            _folder: folder,
        }
    }

    fn center(&self) -> &Arc<Center> {
        &self.running.center
    }

    async fn report(&self, number: &str, nature: &str, narrative: &str) -> CallId {
        let long_ago = Timestamp::UNIX_EPOCH;
        self.report_of(long_ago, number, nature, narrative).await
    }

    async fn report_of(
        &self,
        received: Timestamp,
        number: &str,
        nature: &str,
        narrative: &str,
    ) -> CallId {
        let report = CallReport {
            received,
            ..a_call(number, nature, narrative)
        };
        self.center().report(report, "Dispatch").await.unwrap().call
    }

    /// A device of 4A12 with an officer signed on.
    async fn device(&self) -> DeviceNumber {
        let enrolled = self.center().log.write(|ledger| {
            let code = devices::new_code(ledger, "pd", "MDT 1")?;
            let device = devices::enrol(ledger, &code, &[1])?;
            let shift = Shift {
                device: device.number,
                officer: "Diaz".into(),
                badge: "7".into(),
                unit: "4A12".into(),
                agency: "pd".into(),
                expires_ms: i64::MAX,
            };
            shifts::sign_on(ledger, &shift)?;
            Ok::<_, LogError>(device.number)
        });
        enrolled.await.unwrap()
    }

    /// As the analyst's browser, unless it says by a cookie of its own that it is another.
    async fn request(&self, mut request: Request<Body>) -> Response {
        let headers = request.headers_mut();
        if !headers.contains_key(header::COOKIE) {
            headers.insert(header::COOKIE, self.cookie.parse().unwrap());
        }
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(peer([127, 0, 0, 1]));
        }
        self.pages.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).header(header::HOST, HOST);
        text(self.request(request.body(Body::empty()).unwrap()).await).await
    }

    async fn post(&self, path: &str, body: String) -> (StatusCode, String) {
        let request = Request::post(path)
            .header(header::HOST, HOST)
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        text(self.request(request.body(body.into()).unwrap()).await).await
    }

    async fn socket(&self, query: &str, origin: Option<&str>) -> Result<Socket, Error> {
        let address = self.running.console;
        let uri = format!("ws://{address}/live?{query}").parse().unwrap();
        let own = format!("http://{address}");
        let request = ClientRequestBuilder::new(uri)
            .with_header("Origin", origin.unwrap_or(&own))
            .with_header("Cookie", &self.cookie);
        let stream = TcpStream::connect(address).await.unwrap();
        Ok(client_async(request, stream).await?.0)
    }

    async fn audit(&self, act: &'static str) -> Vec<(String, String)> {
        let read = self.center().log.readers().read(move |connection| {
            let mut statement = connection.prepare(
                "SELECT object, detail FROM audit_by_person WHERE act = ?1 AND who = ?2",
            )?;
            let rows =
                statement.query_map([act, ANALYST_NAME], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        read.await.unwrap()
    }
}

fn a_call(number: &str, nature: &str, narrative: &str) -> CallReport {
    CallReport {
        agency: "pd".into(),
        number: number.into(),
        received: Timestamp::UNIX_EPOCH,
        updated: Timestamp::now(),
        nature: nature.into(),
        location: "2900 W OKLAHOMA AV".into(),
        latitude: None,
        longitude: None,
        district: None,
        priority: None,
        narrative: vec![narrative.into()],
        plates: vec![],
        units: vec!["4A12".into()],
        status: CallStatus::Open,
    }
}

/// Where a request comes from.
fn peer(address: [u8; 4]) -> Peer {
    Peer {
        address: (address, 50_000).into(),
        since: std::time::Instant::now(),
        device: None,
    }
}

fn cookie(token: &str) -> String {
    format!("__Host-forerunner={token}")
}

/// A person of the police, with a session in which the notice is acknowledged.
async fn signed_in(center: &Center, name: &str, post: Post) -> (Session, String) {
    let new = NewPerson {
        agency: Some("pd".into()),
        name: name.into(),
        post,
        certifications: vec![],
    };
    let begun = center.log.write(move |ledger| {
        let id = accounts::add(ledger, &new, "a test")?;
        let address = Some([127, 0, 0, 1].into());
        let browser = Browser::new(&HeaderMap::new(), address);
        let (session, token) = sessions::begin(ledger, id, "a test", &browser, false)?;
        let session = sessions::by_id(ledger.sql(), session)?.unwrap();
        sessions::acknowledge(ledger, &session)?;
        Ok::<_, LogError>((session, token))
    });
    begun.await.unwrap()
}

type Socket = WebSocketStream<TcpStream>;

async fn text(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Reads until a message holds this, and gives that message.
async fn until(socket: &mut Socket, wanted: &str) -> String {
    let found = async {
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap()
                && text.contains(wanted)
            {
                return text.to_string();
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.unwrap_or_else(|_| panic!("{wanted:?} did not come"))
}

#[tokio::test]
async fn the_board_shows_reported_calls_the_most_urgent_first() {
    let bench = Bench::start().await;
    bench.report("1", "NOISE NUISANCE", "loud music").await;
    bench
        .report("2", "SHOTS FIRED", "he has a gun, <b>two</b> men")
        .await;
    // Each call has a caution of its own, the first entry of its kind in its document.
    bench.report("3", "SHOTS FIRED", "she has a knife").await;
    let (status, html) = bench.get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.find("SHOTS FIRED").unwrap() < html.find("NOISE NUISANCE").unwrap());
    assert_eq!(html.matches("1 not acknowledged").count(), 2);
    for words in ["Test RTCC", "City Police", "4A12 assigned", "<b>3</b> open"] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
    assert_eq!(bench.audit("SeeBoard").await.len(), 1);
}

#[tokio::test]
async fn an_analyst_links_two_calls_by_number_and_undoes_it_and_each_step_is_shown() {
    let bench = Bench::start().await;
    let call = bench.report("26-1", "WELFARE CHECK", "no answer").await;
    let other = bench.report("26-2", "FIGHT", "two men").await;
    let link = format!("/calls/{call}/links");
    let (status, html) = bench.post(&link, "other=26-2".into()).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    let agency = &bench.center().config.agencies[0].name;
    for (page, linked, number) in [(call, other, "26-2"), (other, call, "26-1")] {
        let (_, html) = bench.get(&format!("/calls/{page}")).await;
        for words in [
            "The same event:".to_owned(),
            format!("href=\"/calls/{linked}\""),
            "an analyst says so".to_owned(),
            "Opened by dispatch".to_owned(),
            "4A12 assigned".to_owned(),
            format!("The same event as {agency} {number}"),
        ] {
            assert!(html.contains(&words), "{words} is missing in {html}");
        }
    }
    // What was shown of the one on the other's page is on record as its own.
    let seen = bench.audit("SeePacket").await;
    let record = (other.to_string(), format!("linked with {call}"));
    assert!(seen.contains(&record), "{seen:?}");
    let (_, board) = bench.get("/").await;
    assert_eq!(board.matches("1 linked call").count(), 2, "{board}");
    for (body, says) in [
        ("other=26-9", "knows no call with this number"),
        ("other=26-1", "not linked with itself"),
        ("", "number is wanted"),
    ] {
        let (status, html) = bench.post(&link, body.into()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{html}");
        assert!(html.contains(says), "{html}");
    }
    let undo = format!("/calls/{other}/links/undo");
    let (status, html) = bench.post(&undo, format!("other={call}")).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    let (_, html) = bench.get(&format!("/calls/{call}")).await;
    assert!(
        html.contains(&format!("No longer linked with {agency} 26-2")),
        "{html}"
    );
    assert!(!html.contains("Undo the link"), "{html}");
    assert_eq!(bench.audit("LinkCalls").await.len(), 2);
}

#[tokio::test]
async fn what_becomes_of_a_call_is_on_the_board_also_when_it_is_over() {
    let bench = Bench::start().await;
    let call = bench.report("26-1", "WELFARE CHECK", "no answer").await;
    bench.report("26-1", "SHOTS FIRED", "no answer").await;
    let (_, board) = bench.get("/").await;
    assert!(board.contains("Now SHOTS FIRED"), "{board}");
    let closed = CallReport {
        status: CallStatus::Closed {
            disposition: "Advised".into(),
        },
        units: vec![UnitReport {
            status: Some(packet::UnitState::Clear),
            ..UnitReport::from("4A12")
        }],
        ..a_call("26-1", "SHOTS FIRED", "no answer")
    };
    bench.center().report(closed, "Dispatch").await.unwrap();
    let (_, board) = bench.get("/").await;
    assert!(
        board.contains("Closed last") && board.contains("Closed: Advised"),
        "{board}"
    );
    let again = CallReport {
        units: vec![],
        ..a_call("26-1", "SHOTS FIRED", "again")
    };
    bench.center().report(again, "Dispatch").await.unwrap();
    let (_, board) = bench.get("/").await;
    assert!(
        board.contains("Reopened") && !board.contains("Closed last"),
        "{board}"
    );
    let (_, page) = bench.get(&format!("/calls/{call}")).await;
    for step in [
        "Opened by dispatch",
        "Upgraded from",
        "Now SHOTS FIRED",
        "Closed: Advised",
        "Reopened",
    ] {
        assert!(page.contains(step), "{step} is missing in {page}");
    }
}

#[tokio::test]
async fn a_note_and_a_caution_appear_in_the_packet_and_the_page_view_is_on_record() {
    let bench = Bench::start().await;
    let call = bench.report("1", "WELFARE CHECK", "no answer").await;
    let note = bench
        .post(
            &format!("/calls/{call}/notes"),
            "text=Side+door+open%0D%0A2nd+line".into(),
        )
        .await;
    assert_eq!(note.0, StatusCode::OK, "{}", note.1);
    assert!(note.1.contains("answer good"));
    let caution = bench
        .post(&format!("/calls/{call}/cautions"), "text=Large+dog".into())
        .await;
    assert_eq!(caution.0, StatusCode::OK, "{}", caution.1);
    let (status, html) = bench.get(&format!("/calls/{call}")).await;
    assert_eq!(status, StatusCode::OK);
    for words in [
        "Side door open\n2nd line",
        "Large dog",
        "Not acknowledged for",
        "Analyst (RTCC)",
        "No device has this packet",
        "WELFARE CHECK",
    ] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
    let seen = bench.audit("SeePacket").await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(
        seen.iter()
            .any(|(object, _)| *object == format!("{call}/safety"))
    );
    assert_eq!(bench.audit("write note").await.len(), 1);
    assert_eq!(bench.audit("write caution").await.len(), 1);
}

#[tokio::test]
async fn an_analysts_picture_stands_in_its_own_packet_alone_and_each_look_is_on_record() {
    let bench = Bench::start().await;
    let call = bench.report("1", "WELFARE CHECK", "no answer").await;
    let other = bench.report("2", "WELFARE CHECK", "no answer").await;
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(8, 6)
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    let png = png.into_inner();
    let attach = |name: &str, content: Vec<u8>| {
        let request = Request::post(format!("/calls/{call}/attachments?name={name}"))
            .header(header::HOST, HOST)
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "image/png");
        bench.request(request.body(content.into()).unwrap())
    };
    let (status, html) = text(attach("%3Cb%3Edoor.png", png.clone()).await).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    let (status, html) = text(attach("text.png", b"no image".to_vec()).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(html.contains("answer bad") && html.contains("its contents are not"));

    let (_, html) = bench.get(&format!("/calls/{call}")).await;
    let start = format!("/calls/{call}/attachments/");
    let places: Vec<&str> = html
        .match_indices(&start)
        .map(|(at, _)| &html[at..at + start.len() + 64])
        .filter(|place| !place.contains('"'))
        .collect();
    assert_eq!(places.len(), 2, "a thumbnail and the whole: {html}");
    assert!(html.contains("&#60;b&#62;door.png") && html.contains("at the center"));
    let get = async |path: &str| {
        let request = Request::get(path).header(header::HOST, HOST);
        bench.request(request.body(Body::empty()).unwrap()).await
    };
    for (place, media_type) in [(places[0], "image/jpeg"), (places[1], "image/png")] {
        let response = get(place).await;
        assert_eq!(response.status(), StatusCode::OK, "{place}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], media_type);
        assert_eq!(
            response.headers()[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff"
        );
        let elsewhere = place.replace(&call.to_string(), &other.to_string());
        assert_eq!(get(&elsewhere).await.status(), StatusCode::NOT_FOUND);
    }
    let body = get(places[1]).await.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), png);
    assert_eq!(bench.audit("FetchAttachment").await.len(), 3);
    assert_eq!(bench.audit("write attachment").await.len(), 1);
}

#[tokio::test]
async fn hostile_text_is_escaped_on_both_pages() {
    let bench = Bench::start().await;
    let call = bench.report("1", HOSTILE, HOSTILE).await;
    for path in ["notes", "cautions"] {
        let body = "text=%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned();
        let (status, _) = bench.post(&format!("/calls/{call}/{path}"), body).await;
        assert_eq!(status, StatusCode::OK);
    }
    for path in ["/".to_owned(), format!("/calls/{call}")] {
        let (_, html) = bench.get(&path).await;
        assert!(html.contains("&#60;script&#62;alert(1)"), "{path}");
        assert!(!html.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn a_text_that_cannot_be_taken_is_answered_in_words() {
    let bench = Bench::start().await;
    let call = bench.report("1", "THEFT", "").await;
    let path = format!("/calls/{call}/notes");
    for (body, words) in [
        (
            format!("text={}", "x".repeat(TEXT_CHARS_MAX + 1)),
            "at most 2000 characters",
        ),
        (
            format!("text={}", "x".repeat(super::forms::BODY_BYTES_MAX)),
            "at most 2000 characters",
        ),
        ("text=+%0D%0A+".into(), "no text"),
        ("text=a%00b".into(), "cannot be shown"),
        ("tex=a".into(), "could not read"),
    ] {
        let (status, html) = bench.post(&path, body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            html.contains("answer bad") && html.contains(words),
            "{html}"
        );
        assert!(html.contains("Your text is kept"), "{html}");
    }
    // Four bytes each, and each byte three characters of the form.
    let longest = format!("text={}", "%F0%9F%9A%93".repeat(TEXT_CHARS_MAX));
    assert_eq!(bench.post(&path, longest).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_call_is_told_in_plain_words() {
    let bench = Bench::start().await;
    for id in ["00000000000000ff", "17", "%3Cb%3E"] {
        let (status, html) = bench.get(&format!("/calls/{id}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(html.contains("The center knows no call"), "{html}");
        let (status, html) = bench
            .post(&format!("/calls/{id}/notes"), "text=a".into())
            .await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(html.contains("does not know this call"), "{html}");
    }
}

#[tokio::test]
async fn another_host_or_origin_is_turned_away() {
    let bench = Bench::start().await;
    let call = bench.report("1", "THEFT", "").await;
    let status = async |request: axum::http::request::Builder| {
        let request = request.body(Body::from("text=a")).unwrap();
        bench.request(request).await.status()
    };
    let note = format!("/calls/{call}/notes");
    let post =
        || Request::post(&note).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let host = "console.example.com:8080";
    assert_eq!(status(Request::get("/")).await, StatusCode::FORBIDDEN);
    assert_eq!(
        status(Request::get("/").header(header::HOST, host)).await,
        StatusCode::FORBIDDEN
    );
    for origin in ["http://localhost:8080", "https://127.0.0.1:8080", "null"] {
        let from_elsewhere = post()
            .header(header::HOST, HOST)
            .header(header::ORIGIN, origin);
        assert_eq!(status(from_elsewhere).await, StatusCode::FORBIDDEN);
    }
    let without = post().header(header::HOST, HOST);
    assert_eq!(status(without).await, StatusCode::FORBIDDEN);
    let own = post()
        .header(header::HOST, HOST)
        .header(header::ORIGIN, ORIGIN);
    assert_eq!(status(own).await, StatusCode::OK);
    let refused = bench
        .socket("page=board", Some("http://example.com"))
        .await
        .unwrap_err();
    let Error::Http(response) = refused else {
        panic!("{refused}")
    };
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_answer_says_what_the_browser_must_hold_to() {
    let bench = Bench::start().await;
    let of = |headers: &HeaderMap, name: &str| headers[name].to_str().unwrap().to_owned();
    for asset in super::assets::ASSETS {
        let request = Request::get(asset.path).header(header::HOST, HOST);
        let response = bench.request(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK, "{}", asset.path);
        let headers = response.headers();
        assert_eq!(of(headers, "content-type"), asset.content_type);
        assert_eq!(of(headers, "cache-control"), "no-store");
        assert_eq!(of(headers, "x-content-type-options"), "nosniff");
        assert!(
            of(headers, "content-security-policy")
                .starts_with("default-src 'self'; connect-src 'self' ws://127.0.0.1:8080;")
        );
    }
}

#[tokio::test]
async fn a_board_hears_of_a_new_call_by_itself() {
    let bench = Bench::start().await;
    let mut board = bench.socket("page=board", None).await.unwrap();
    until(&mut board, "No open calls").await;
    bench.report("1", "SHOTS FIRED", "").await;
    let html = until(&mut board, "SHOTS FIRED").await;
    assert!(html.contains("id=\"board\" hx-swap-oob=\"true\""));
    // A second page gets what is there, though nothing happens any more.
    let mut second = bench.socket("page=board", None).await.unwrap();
    until(&mut second, "SHOTS FIRED").await;
}

#[tokio::test]
async fn a_packet_page_gets_the_regions_that_changed_and_no_others() {
    let bench = Bench::start().await;
    let call = bench.report("1", "THEFT", "").await;
    let mut page = bench
        .socket(&format!("page=call&id={call}"), None)
        .await
        .unwrap();
    until(&mut page, "id=\"facts\"").await;
    let note = Entry::Note(Note {
        text: "Side door open".into(),
        by: "Analyst".into(),
    });
    let appended = bench.center().write(call, note, "Analyst").await.unwrap();
    let html = until(&mut page, "Side door open").await;
    let through = html.split("data-through=\"").nth(1).unwrap();
    let through: u64 = through.split('"').next().unwrap().parse().unwrap();
    // A busy machine may have had time to write an outcome more.
    assert!(through >= appended.seq, "{through} of {}", appended.seq);
    assert!(html.find("shown-through").unwrap() > html.find("id=\"notes\"").unwrap());
    assert!(!html.contains("id=\"facts\""), "{html}");
}

#[tokio::test]
async fn what_the_analyst_saw_becomes_a_receipt_only_when_the_page_says_so() {
    let bench = Bench::start().await;
    let call = bench.report("1", "THEFT", "").await;
    let mut told = bench.center().log.subscribe();
    let mut page = bench
        .socket(&format!("page=call&id={call}"), None)
        .await
        .unwrap();
    let html = until(&mut page, "data-through").await;
    let through = html.split("data-through=\"").nth(1).unwrap();
    let through = through.split('"').next().unwrap();
    let all = bench
        .center()
        .log
        .readers()
        .read(move |c| receipts::of_document(c, DocumentId::new(call, Compartment::Call)))
        .await
        .unwrap();
    assert_eq!(all, []);
    for bad in [
        "{}",
        "{\"shown\":false,\"through\":\"1\"}",
        "x",
        "{\"shown\":true,\"through\":\"-1\"}",
    ] {
        page.send(Message::text(bad)).await.unwrap();
    }
    // More than was sent is not believed.
    let said = format!("{{\"shown\":true,\"through\":\"{through}9\"}}");
    page.send(Message::text(said)).await.unwrap();
    let mut seen: Vec<Receipt> = Vec::new();
    while seen.len() < 2 {
        let group = told.recv().await.unwrap();
        seen.extend(group.iter().filter_map(|happening| match happening {
            Happening::Receipt(receipt) => Some(receipt.clone()),
            _ => None,
        }));
    }
    for receipt in &seen {
        assert_eq!(receipt.kind, ReceiptKind::Shown);
        assert_eq!(receipt.device, None);
        assert_eq!(receipt.who, "Analyst (RTCC)");
    }
    let most = seen.iter().map(|receipt| receipt.through).max().unwrap();
    // A busy machine may have had time to send an outcome more.
    let through: u64 = through.parse().unwrap();
    assert!((through..10 * through).contains(&most), "{most}");
}

#[tokio::test]
async fn delivered_shown_and_acknowledged_stand_beside_the_entry_of_their_device() {
    let bench = Bench::start().await;
    let device = bench.device().await;
    let call = bench.report("1", "SHOTS FIRED", "").await;
    let caution = Entry::Caution(packet::Caution {
        text: "Armed".into(),
        by: "Analyst (RTCC)".into(),
        ends_ms: None,
    });
    let caution = bench
        .center()
        .write(call, caution, "Analyst")
        .await
        .unwrap();
    let mut page = bench
        .socket(&format!("page=call&id={call}"), None)
        .await
        .unwrap();
    let html = until(&mut page, "Armed").await;
    assert!(
        html.contains("<b>4A12 MDT 1</b> · not delivered yet"),
        "{html}"
    );
    assert!(html.contains("Diaz"), "{html}");
    let safety = DocumentId::new(call, Compartment::Safety);
    let carrier = carrier_named(device.0, "4A12 MDT 1", "Diaz (4A12)");
    let (seq, now_ms) = (caution.seq, crate::clock::now_ms());
    let report = Report {
        delivered: [(safety, seq)].into(),
        shown: [(safety, (seq, now_ms))].into(),
        ..Report::default()
    };
    let mut batch = Batch::default();
    batch.add(&carrier, report, now_ms);
    let kept = bench.center().log.write(move |ledger| batch.write(ledger));
    kept.await.unwrap().committed();
    let html = until(&mut page, " · shown ").await;
    assert!(html.contains("<b>4A12 MDT 1</b> · delivered "), "{html}");
    assert!(html.contains("Not acknowledged for"), "{html}");
    let tap = Entry::Acknowledgement(Acknowledgement {
        of: caution.id,
        by: "Diaz".into(),
        unit: "4A12".into(),
    });
    let tapped = bench.center().write_to(safety, tap, "Diaz").await;
    tapped.unwrap();
    let html = until(&mut page, "ack Diaz").await;
    assert!(!html.contains("Not acknowledged for"), "{html}");
}

#[tokio::test]
async fn sockets_end_when_the_center_stops() {
    let bench = Bench::start().await;
    let mut board = bench.socket("page=board", None).await.unwrap();
    until(&mut board, "No open calls").await;
    let Bench { running, .. } = bench;
    let ((), closed) = tokio::join!(running.stop(), async {
        loop {
            match board.next().await {
                Some(Ok(Message::Close(_))) | None => break true,
                Some(Ok(_)) => {}
                Some(Err(e)) => panic!("{e}"),
            }
        }
    });
    assert!(closed);
}

#[tokio::test]
async fn a_stopped_console_has_no_task_left() {
    let bench = Bench::start().await;
    let stop = CancellationToken::new();
    let pages = super::router(bench.center().clone(), stop.clone());
    let before = Arc::strong_count(bench.center());
    drop(pages);
    stop.cancel();
    while Arc::strong_count(bench.center()) >= before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_arrival_is_told_on_its_packets_page_on_the_measures_page_and_to_the_api() {
    let bench = Bench::start().await;
    let device = bench.device().await;
    let call = bench.report_of(Timestamp::now(), "1", "SHOTS FIRED", "two men");
    let call = call.await;
    let arrived = bench.center().log.write(move |ledger| {
        let carrier = carrier_named(device.0, "4A12 MDT 1", "Diaz (4A12)");
        let mut report = Report::default();
        for compartment in crate::log::Ledger::carried() {
            let document = DocumentId::new(call, compartment);
            report.delivered.insert(document, ledger.last(document)?);
        }
        let mut batch = Batch::default();
        batch.add(&carrier, report, crate::clock::now_ms());
        batch.write(ledger)?;
        let on_scene = Entry::UnitStatus(packet::UnitStatus {
            unit: "4A12".into(),
            status: packet::UnitState::OnScene,
            by: HOSTILE.into(),
        });
        ledger.append(DocumentId::new(call, Compartment::Call), on_scene)
    });
    arrived.await.unwrap();

    let (_, html) = bench.get(&format!("/calls/{call}")).await;
    for words in ["4A12 MDT 1 has the packet", "4A12 on scene"] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
    let (status, html) = bench.get("/before-arrival").await;
    assert_eq!(status, StatusCode::OK);
    // It was assigned and there in one moment: nobody could have been told.
    assert!(html.contains("late assignment"), "{html}");
    assert!(html.contains("Priority 1") && html.contains("<svg"));
    assert!(!html.contains("style="));
    assert_eq!(bench.audit("SeeArrivals").await.len(), 1);

    let api = crate::api::router(bench.center().clone());
    let get = async |query: &str, token: &str| {
        let request = Request::get(format!("/v1/metrics/before-arrival{query}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let response = api.clone().oneshot(request.body(Body::empty()).unwrap());
        text(response.await.unwrap()).await
    };
    let token = &bench.center().token;
    let (status, body) = get("", token).await;
    assert_eq!(status, StatusCode::OK);
    let view: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(view["priorities"]["1"]["calls"], 1);
    assert_eq!(view["misses"][0]["why"], "late assignment");
    assert_eq!(view["misses"][0]["call"], call.to_string());
    assert_eq!(get("?hours=1", "another").await.0, StatusCode::FORBIDDEN);
    let (status, body) = get("?hours=0", token).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        body.contains("hours: a whole number from 1 to 336"),
        "{body}"
    );
}

/// As a browser's form sends a time.
fn in_two_days() -> String {
    let then = Timestamp::now() + jiff::SignedDuration::from_hours(48);
    then.strftime("%Y-%m-%dT%H%%3A%M").to_string()
}

#[tokio::test]
async fn an_analyst_lists_a_plate_and_clears_it_and_the_packet_strikes_it_through() {
    let bench = Bench::start().await;
    let call = bench
        .report("1", "WELFARE CHECK", "red car left, plate KRT482 WI")
        .await;
    let form = |plate: &str| {
        format!(
            "kind=stolen&list=Stolen&agency=County&author=Lund&plate={plate}&state=WI&name=&date_of_birth=\
             &phone=&vehicle=&text=Taken+on+Monday&ends=2099-01-01T00%3A00&danger=yes"
        )
    };
    let refused = bench.post("/hot-list", form("AB*")).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.1.contains("ends: a time after now") || refused.1.contains("plate:"));
    let soon = format!("ends={}", in_two_days());
    let added = bench
        .post(
            "/hot-list",
            form("KRT482").replace("ends=2099-01-01T00%3A00", &soon),
        )
        .await;
    assert_eq!(added.0, StatusCode::SEE_OTHER, "{}", added.1);
    let (_, html) = bench.get("/hot-list").await;
    assert!(html.contains("<b>Stolen: KRT482 WI</b>"), "{html}");
    assert!(html.contains("action=\"/hot-list/1/clear\""));
    let packet = format!("/calls/{call}");
    let (_, html) = bench.get(&packet).await;
    for words in [
        "Hot list: Stolen",
        "exact match",
        "Stolen: KRT482 WI. Taken on Monday",
    ] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
    assert!(!html.contains("<s>"));
    let cleared = bench.post("/hot-list/1/clear", String::new()).await;
    assert_eq!(cleared.0, StatusCode::SEE_OTHER);
    let (_, html) = bench.get(&packet).await;
    assert!(
        html.contains("<s>Stolen: KRT482 WI\nTaken on Monday"),
        "{html}"
    );
    assert!(html.contains("<s>Stolen: KRT482 WI. Taken on Monday"));
    assert!(html.contains("Hot list: Stolen, cleared by Analyst (RTCC)"));
    let again = bench.post("/hot-list/1/clear", String::new()).await;
    assert_eq!(again.0, StatusCode::NOT_FOUND);
    assert!(
        bench
            .get("/hot-list")
            .await
            .1
            .contains("<s>Stolen: KRT482 WI</s>")
    );
    for act in ["AddHotListEntry", "ClearHotListEntry", "SeeHotLists"] {
        assert!(!bench.audit(act).await.is_empty(), "{act}");
    }
}

#[tokio::test]
async fn a_caution_that_is_kept_with_its_place_is_on_the_next_call_there_until_it_is_ended() {
    let bench = Bench::start().await;
    let call = bench.report("1", "WELFARE CHECK", "no answer").await;
    let keep = |ends: &str| format!("text=Large+dog&ends={ends}");
    let path = format!("/calls/{call}/premises");
    let without_end = bench.post(&path, keep("")).await;
    assert_eq!(without_end.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(without_end.1.contains("until when"));
    let year = Timestamp::now().strftime("%Y").to_string();
    let kept = bench
        .post(&path, keep(&format!("{year}-12-31T23%3A59")))
        .await;
    assert_eq!(kept.0, StatusCode::OK, "{}", kept.1);
    let next = bench.report("2", "FIGHT", "two men").await;
    for call in [call, next] {
        let (_, html) = bench.get(&format!("/calls/{call}")).await;
        assert!(html.contains("Large dog") && html.contains("Premise: Analyst (RTCC)"));
        assert!(!html.contains("<s>Large dog</s>"));
    }
    let (_, html) = bench.get("/premises").await;
    assert!(html.contains("2900 W OKLAHOMA AV") && html.contains("action=\"/premises/1/end\""));
    let ended = bench.post("/premises/1/end", String::new()).await;
    assert_eq!(ended.0, StatusCode::SEE_OTHER);
    let (_, html) = bench.get(&format!("/calls/{next}")).await;
    assert!(html.contains("<s>Large dog</s>"), "{html}");
    assert!(!bench.audit("SetPremise").await.is_empty());
    assert!(!bench.audit("EndPremise").await.is_empty());
}

#[tokio::test]
async fn an_analyst_sees_how_the_devices_stand_and_can_do_nothing_to_them() {
    let bench = Bench::start().await;
    let device = bench.device().await;
    let (status, page) = bench.get("/devices").await;
    assert_eq!(status, StatusCode::OK);
    for words in [
        "MDT 1",
        "City Police",
        "4A12, Diaz",
        "in use",
        "never heard",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    assert!(!page.contains("action=\"/devices"));
    for what in ["erase", "revoke", "release", "code", "mounted"] {
        let path = format!("/devices/{}/{what}", device.0);
        let (status, _) = bench.post(&path, String::new()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{what}");
    }
    let form = "agency=pd&label=MDT+2".to_owned();
    let (status, _) = bench.post("/devices/codes", form).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_supervisor_answers_for_the_devices_of_the_own_agency_and_sees_no_others() {
    let bench = Bench::start().await;
    let device = bench.device().await;
    let of = |agency: &str| Actor {
        name: "Okafor".into(),
        agency: Some(agency.into()),
        ..Actor::of(Role::Supervisor)
    };
    let own = fleet::order_erasure(bench.center(), &of("pd"), device).await;
    assert!(own.is_ok(), "{own:?}");
    let other = of("sheriff");
    let erased = fleet::order_erasure(bench.center(), &other, device).await;
    let revoked = fleet::revoke(bench.center(), &other, device).await;
    let told = fleet::code_for(bench.center(), &other, device, "12345678".into()).await;
    for refused in [erased.map(drop), revoked, told.map(drop)] {
        assert!(
            matches!(refused, Err(LogError::Unknown { .. })),
            "{refused:?}"
        );
    }
    let ticket = new_ticket(bench.center(), &other, "pd".into(), "MDT 9", false).await;
    assert!(ticket.is_err(), "a ticket for another agency's device");
}

#[tokio::test]
async fn an_open_page_ends_when_the_policies_no_longer_let_its_person_see_it() {
    let bench = Bench::start().await;
    let call = bench.report("1", "THEFT", "").await;
    let query = format!("page=call&id={call}");
    let mut page = bench.socket(&query, None).await.unwrap();
    until(&mut page, "id=\"facts\"").await;
    let policies = &bench.center().policies;
    let names = Names::of(&bench.center().config);
    let put = |set: Policies| policies.replace(set, People::default());
    // What changes nothing for this person leaves the page open.
    put(Policies::built_in(&names).unwrap());
    let note = Entry::Note(Note {
        text: "Side door open".into(),
        by: "Analyst".into(),
    });
    bench.center().write(call, note, "Analyst").await.unwrap();
    until(&mut page, "Side door open").await;

    let nobody = "@id(\"nobody\") forbid (principal, action in Action::\"see\", resource);";
    put(Policies::of(&names, &[("agreement.cedar".into(), nobody.into())]).unwrap());
    let ended = async {
        while let Some(Ok(message)) = page.next().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    let again = bench.socket(&query, None).await;
    assert!(again.is_err(), "and is not opened again");
}
