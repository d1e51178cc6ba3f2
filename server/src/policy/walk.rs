//! The walk: every route, frame and section of a packet, by every role of every agency, held
//! against a table that a person can read (`tests/policy/table.csv`).
//!
//! Three agencies stand in a ring: each shares `safety` and `call` with one of the others and
//! nothing with the third, so that each has a call of its own, one by agreement and one that
//! is hidden from it. Routes are asked of the real routers, taken from the list that they are
//! built by ([`crate::doors`]): a route without a row fails, and so does a row without a
//! route. A frame is asked of what its session asks; that each has a row is held by matches
//! over all of them, which a new frame does not pass through the compiler.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use data_encoding::BASE64URL_NOPAD;
use http_body_util::BodyExt;
use jiff::civil::Date;
use packet::{
    CallId, Compartment, Confidence, DeviceNumber, DocumentId, Entry, Finding, Kind, Topic,
};
use sync::frame::{DownFrame, UpFrame};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Act, Actor, Carries, Certifications, On, Role, Who};
use crate::accept::Peer;
use crate::attachments::{self, File, digits};
use crate::center::{Center, Running};
use crate::config::Config;
use crate::doors::Door;
use crate::identity::DevicePeer;
use crate::intake::{CallReport, CallStatus};
use crate::log::LogError;
use crate::receipts::{Batch, Carrier, Report};
use crate::shifts::{self, Shift};
use crate::{api, calls, console, devices};

const AGENCIES: [&str; 3] = ["pd", "so", "campus"];
const TABLE: &str = "../tests/policy/table.csv";
const HOST: &str = "127.0.0.1:8080";
const CERTIFIED: &str = "Certified";
/// What each finding answers.
const QUERY: &str = "zqquery";

/// The table's columns: each role, and those whose people may be certified with the
/// certifications of the agency's `people.toml`.
const COLUMNS: [(&str, Role, bool); 11] = [
    ("anonymous", Role::Anonymous, false),
    ("device", Role::Device, false),
    ("officer", Role::Officer, false),
    ("officer+CJIS+intel", Role::Officer, true),
    ("analyst", Role::Analyst, false),
    ("analyst+CJIS+intel", Role::Analyst, true),
    ("supervisor", Role::Supervisor, false),
    ("supervisor+CJIS+intel", Role::Supervisor, true),
    ("auditor", Role::Auditor, false),
    ("dispatch", Role::Dispatch, false),
    ("operator", Role::Operator, false),
];

const WALKER: &str = "x-walker";

/// Who walks: the API knows callers by a token, and is told here who it would be.
pub(crate) fn walker(headers: &HeaderMap) -> Option<Actor> {
    let text = headers.get(WALKER)?.to_str().ok()?;
    let mut parts = text.split('/');
    let (role, agency, name) = (parts.next()?, parts.next()?, parts.next()?);
    let role = Role::ALL.into_iter().find(|known| known.name() == role)?;
    let until = (name == CERTIFIED).then_some(Date::MAX);
    Some(Actor {
        name: name.into(),
        agency: Some(agency.into()),
        certifications: Certifications {
            cjis: until,
            intel: until,
        },
        ..Actor::of(role)
    })
}

fn agreement(reader: &str, owner: &str) -> String {
    format!(
        "@id(\"{reader}-sees-{owner}\")\n\
         permit (principal in Agency::\"{reader}\", action in Action::\"share\", resource in Agency::\"{owner}\")\n\
         when {{ resource in [Compartment::\"safety\", Compartment::\"call\"] }};\n"
    )
}

/// The agency whose call this is, to a reader of that agency.
fn owner(reader: usize, relation: usize) -> &'static str {
    AGENCIES[(reader + relation) % 3]
}

fn config(folder: &Path) -> Config {
    let policies = folder.join("policies");
    std::fs::create_dir(&policies).unwrap();
    let agreements: String = (0..3)
        .map(|reader| agreement(AGENCIES[reader], owner(reader, 1)))
        .collect();
    std::fs::write(policies.join("agreements.cedar"), agreements).unwrap();
    let certified = "certifications = { CJIS = \"9999-01-01\", intel = \"9999-01-01\" }";
    let people: String = AGENCIES
        .iter()
        .map(|agency| {
            format!("[[people]]\nagency = \"{agency}\"\nbadge = \"{CERTIFIED}\"\n{certified}\n")
        })
        .collect();
    std::fs::write(policies.join(super::people::PEOPLE), people).unwrap();
    let agencies: String = AGENCIES
        .iter()
        .map(|agency| {
            format!(
                "[[agencies]]\nid = \"{agency}\"\nname = \"{agency}\"\nunits = [\"{agency}-1\"]\n\
                 officers = [{{ badge = \"7\", name = \"Diaz\" }}]\n"
            )
        })
        .collect();
    let text = format!(
        "name = \"Test\"\ndata = \"data\"\nsync = \"127.0.0.1:0\"\nconsole = \"127.0.0.1:0\"\n\
         console_tls = false\npolicies = \"policies\"\n{agencies}"
    );
    std::fs::write(folder.join("center.toml"), text).unwrap();
    Config::read(&folder.join("center.toml")).unwrap()
}

/// An agency's call, with something in each compartment, and an attachment.
struct OfAgency {
    call: CallId,
    other: CallId,
    blob: String,
    device: DeviceNumber,
}

struct City {
    running: Running,
    of: BTreeMap<&'static str, OfAgency>,
    _folder: tempfile::TempDir,
}

impl City {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = Center::start(config(folder.path())).await.unwrap();
        let mut of = BTreeMap::new();
        for agency in AGENCIES {
            of.insert(agency, fill(&running.center, agency).await);
        }
        Self {
            running,
            of,
            _folder: folder,
        }
    }

    fn center(&self) -> &Arc<Center> {
        &self.running.center
    }
}

fn secret(compartment: Compartment, agency: &str) -> String {
    format!("zq{}{agency}", compartment.name())
}

async fn fill(center: &Arc<Center>, agency: &'static str) -> OfAgency {
    let mut calls = Vec::new();
    for number in ["1", "2"] {
        let report = CallReport {
            agency: agency.into(),
            number: format!("{agency}-{number}"),
            received: jiff::Timestamp::now(),
            updated: jiff::Timestamp::now(),
            nature: format!("nature {agency}"),
            location: format!("{number} {agency} ST"),
            latitude: None,
            longitude: None,
            district: None,
            priority: None,
            narrative: vec![],
            plates: vec![],
            units: vec![],
            status: CallStatus::Open,
        };
        calls.push(center.report(report, "Dispatch").await.unwrap().call);
    }
    let call = calls[0];
    for compartment in Compartment::ALL {
        let finding = Entry::Finding(Finding {
            source: "Records".into(),
            title: secret(compartment, agency),
            text: "on record".into(),
            query: QUERY.into(),
            recorded_ms: None,
            answered_ms: 0,
            confidence: Confidence::Exact,
            topic: Topic::Record,
            link: None,
            ends_ms: None,
            answers: None,
        });
        let document = DocumentId::new(call, compartment);
        center.write_to(document, finding, "test").await.unwrap();
    }
    let file = File {
        content: format!("the file of {agency}").into_bytes().into(),
        media_type: "application/pdf".into(),
        name: "file.pdf".into(),
        by: "test".into(),
    };
    let added = attachments::add(center, call, file, "test").await.unwrap();
    let signed_on = center.log.write(move |ledger| {
        let code = devices::new_code(ledger, agency, "MDT")?;
        let device = devices::enrol(ledger, &code, agency.as_bytes())?.number;
        let shift = shift(agency, "7", device);
        shifts::sign_on(ledger, &shift)?;
        Ok::<_, LogError>(device)
    });
    let device = signed_on.await.unwrap();
    OfAgency {
        call,
        other: calls[1],
        blob: digits(&added.blob),
        device,
    }
}

fn shift(agency: &str, badge: &str, device: DeviceNumber) -> Shift {
    Shift {
        device,
        officer: "Diaz".into(),
        badge: badge.into(),
        unit: format!("{agency}-1"),
        agency: agency.into(),
        expires_ms: i64::MAX,
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Yes,
    No,
    /// In the very words in which what never was is answered.
    Hidden,
}

impl Said {
    fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Hidden => "hidden",
        }
    }
}

fn said(all: [Said; 3]) -> String {
    if all.iter().all(|one| *one == all[0]) {
        return all[0].word().into();
    }
    all.map(Said::word).join("/")
}

fn is_of_call(path: &str) -> bool {
    path.contains("/calls/{id}") || path.contains("{blob}") || path.contains("page=call")
}

/// The pages of a path that has more than one.
fn variants(door: &Door) -> Vec<String> {
    let path = &door.1;
    match path.as_str() {
        "/live" => ["board", "search", "call&id={id}"]
            .map(|page| format!("/live?page={page}"))
            .into(),
        "/devices/{device}/{what}" => ["erase", "revoke", "release", "code", "mounted"]
            .map(|what| path.replace("{what}", what))
            .into(),
        "/people/{id}/{act}" => ["disable", "enable", "release", "certify", "link", "claim"]
            .map(|act| path.replace("{act}", act))
            .into(),
        "/v1/calls/{id}/attachments" | "/calls/{id}/attachments" => {
            vec![format!("{path}?name=x.pdf")]
        }
        path => vec![path.to_owned()],
    }
}

struct Asked<'a> {
    actor: &'a Actor,
    of: &'a OfAgency,
    own: &'a OfAgency,
    /// The token of the officer's shift.
    shift: &'a str,
}

/// A call that never was.
const NEVER: CallId = CallId(0x7777_7777);
const INTEL: &str = "/v1/calls/{id}/intel";
const NO_INTEL: &str = "{\"changes\":[],\"earlier\":0}";
const NEVER_BLOB: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

fn request(door: &Door, path: &str, asked: &Asked<'_>) -> Request<Body> {
    let filled = path
        .replace("{id}", &asked.of.call.to_string())
        .replace("{blob}", &asked.of.blob)
        .replace("{other}", &asked.own.other.to_string())
        .replace("{unit}", "pd-1")
        .replace("{held}", "999")
        .replace("{list}", "list")
        .replace("{device}", "999");
    let filled = match is_of_call(path) {
        true => filled,
        // What is kept by number: one that is not there is said to be so, to who may ask.
        false => path
            .replace("{id}", "999")
            .replace("{list}", "list")
            .replace("{number}", "999")
            .replace("{device}", "999"),
    };
    let body = match (door.0, path) {
        (_, "/calls/{id}/notes" | "/calls/{id}/cautions") => "text=walk",
        (_, "/calls/{id}/links" | "/calls/{id}/links/undo") => "other=nothing",
        (_, "/calls/{id}/queries") => "what=plate&value=ABC1234&purpose=C",
        (_, "/calls/{id}/premises") => "text=walk&ends=2099-01-01T00:00",
        (_, "/v1/calls/{id}/units") => "{\"unit\": \"walk-1\"}",
        (_, INTEL) => &format!("{{\"shift\": \"{}\"}}", asked.shift),
        _ => "",
    };
    let actor = asked.actor;
    let agency = actor.agency.as_deref().unwrap_or_default();
    let walker = format!("{}/{agency}/{}", actor.role.name(), actor.name);
    let mut request = Request::builder()
        .method(door.0.to_uppercase().as_str())
        .uri(filled)
        .header(WALKER, walker)
        .header(header::HOST, HOST)
        .header(header::ORIGIN, format!("http://{HOST}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if path.starts_with("/live") || path == "/v1/sync" {
        request = request
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==");
    }
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    // As a connection that can be upgraded brings it.
    let upgrade = hyper::upgrade::on(Request::new(()));
    request.extensions_mut().insert(upgrade);
    request
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return (status, String::new());
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

async fn ask(router: &Router, door: &Door, path: &str, asked: &Asked<'_>) -> Said {
    let (status, body) = answer(router, request(door, path, asked)).await;
    if status == StatusCode::FORBIDDEN || status == StatusCode::UNAUTHORIZED {
        return Said::No;
    }
    // As of a call that has none.
    if path == INTEL && body == NO_INTEL {
        return Said::Hidden;
    }
    if is_of_call(path) && status == StatusCode::NOT_FOUND {
        let never = OfAgency {
            call: NEVER,
            other: NEVER,
            blob: NEVER_BLOB.into(),
            device: asked.of.device,
        };
        let never = Asked {
            of: &never,
            ..*asked
        };
        let told = answer(router, request(door, path, &never)).await;
        if told == (status, body) {
            return Said::Hidden;
        }
    }
    Said::Yes
}

fn actors(reader: usize) -> impl Iterator<Item = (&'static str, Actor)> {
    COLUMNS.into_iter().map(move |(column, role, certified)| {
        let name = if certified { CERTIFIED } else { "7" };
        let actor = Actor {
            name: name.into(),
            agency: Some(AGENCIES[reader].into()),
            ..Actor::of(role)
        };
        (column, actor)
    })
}

/// What the table says, and what it is held against.
#[derive(Default)]
struct Book {
    rows: BTreeMap<String, BTreeMap<&'static str, BTreeSet<String>>>,
    asked: usize,
}

impl Book {
    fn note(&mut self, row: &str, column: &'static str, all: [Said; 3]) {
        self.asked += 3;
        let cells = self.rows.entry(row.to_owned()).or_default();
        cells.entry(column).or_default().insert(said(all));
    }

    fn text(&self) -> String {
        let columns: Vec<&str> = COLUMNS.iter().map(|(column, ..)| *column).collect();
        let mut text = format!("what,{}\n", columns.join(","));
        for (row, cells) in &self.rows {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| {
                    // All agencies are alike: one that is not stands beside the others.
                    let said: Vec<String> = cells[column].iter().cloned().collect();
                    said.join(" or ")
                })
                .collect();
            text.push_str(&format!("{row},{}\n", cells.join(",")));
        }
        text
    }
}

async fn walk_doors(book: &mut Book, city: &City) {
    for (reader, agency) in AGENCIES.into_iter().enumerate() {
        let own = &city.of[agency];
        for (column, actor) in actors(reader) {
            let stop = CancellationToken::new();
            let center = city.center().clone();
            let pages = console::doors(center.clone(), stop.clone());
            let api = api::doors(center.clone());
            let sync = api::sync_doors(center.clone(), stop.clone());
            let peer = peer(&actor, own);
            let sync_list = sync.list().to_vec();
            let sync = sync.into_router().layer(axum::Extension(peer));
            let pages_list = pages.list().to_vec();
            let api_list = api.list().to_vec();
            for (name, list, router) in [
                ("console", pages_list, pages.into_router()),
                ("api", api_list, api.into_router()),
                ("sync", sync_list, sync),
            ] {
                for door in &list {
                    for path in variants(door) {
                        // Just before: another door may have ended it.
                        let shift = match actor.role {
                            Role::Officer if path == INTEL => {
                                sign_on(city, agency, &actor.name).await
                            }
                            _ => String::new(),
                        };
                        let mut all = [Said::No; 3];
                        for (relation, said) in all.iter_mut().enumerate() {
                            let of = &city.of[owner(reader, relation)];
                            let asked = Asked {
                                actor: &actor,
                                of,
                                own,
                                shift: &shift,
                            };
                            *said = ask(&router, door, &path, &asked).await;
                        }
                        let row = format!("{name}: {} {path}", door.0);
                        book.note(&row, column, all);
                    }
                }
            }
            stop.cancel();
        }
    }
}

/// An officer signs on to the agency's device, and has the calls of all agencies; the token of
/// the shift.
async fn sign_on(city: &City, agency: &'static str, badge: &str) -> String {
    let shift = shift(agency, badge, city.of[agency].device);
    let calls: Vec<CallId> = city.of.values().map(|of| of.call).collect();
    let signed_on = city.center().log.write(move |ledger| {
        for call in calls {
            calls::assign(ledger, call, &shift.unit)?;
        }
        shifts::sign_on(ledger, &shift)
    });
    BASE64URL_NOPAD.encode(&signed_on.await.unwrap())
}

fn peer(actor: &Actor, own: &OfAgency) -> Peer {
    let is_device = matches!(actor.role, Role::Device | Role::Officer);
    let agency = actor.agency.clone().unwrap_or_default();
    let device = is_device.then(|| DevicePeer {
        device: own.device.0,
        public_key: agency.as_bytes().to_vec(),
        agency,
        not_after_ms: i64::MAX / 2,
    });
    Peer {
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        since: tokio::time::Instant::now().into(),
        device,
    }
}

/// What of a packet is on a page, and what is found in it.
async fn walk_sections(book: &mut Book, city: &City) {
    for (reader, agency) in AGENCIES.into_iter().enumerate() {
        let own = &city.of[agency];
        for (column, actor) in actors(reader) {
            let stop = CancellationToken::new();
            let center = city.center().clone();
            let pages = console::doors(center.clone(), stop.clone()).into_router();
            for compartment in Compartment::ALL {
                let mut shown = [Said::No; 3];
                let mut found = [Said::No; 3];
                for relation in 0..3 {
                    let agency = owner(reader, relation);
                    let of = &city.of[agency];
                    let asked = Asked {
                        actor: &actor,
                        of,
                        own,
                        shift: "",
                    };
                    let words = secret(compartment, agency);
                    let door = ("get", String::new());
                    for (path, there, said) in [
                        (
                            "/calls/{id}".to_owned(),
                            format!(">{words}"),
                            &mut shown[relation],
                        ),
                        (
                            format!("/search?words={words}"),
                            // In what was found: the page repeats what was asked for, too.
                            QUERY.to_owned(),
                            &mut found[relation],
                        ),
                    ] {
                        let (_, page) = answer(&pages, request(&door, &path, &asked)).await;
                        *said = if page.contains(&there) {
                            Said::Yes
                        } else {
                            Said::No
                        };
                    }
                }
                let name = compartment.name();
                book.note(&format!("page: {name} of a packet"), column, shown);
                book.note(&format!("page: {name} found by a search"), column, found);
            }
            stop.cancel();
        }
    }
}

/// The row of a frame from a device; of an offer one for each kind of entry.
fn row_of_up(frame: &UpFrame) -> Option<&'static str> {
    match frame {
        UpFrame::Offer(_) => Some("up: offer"),
        UpFrame::Want(_) | UpFrame::Unwant(_) => Some("up: want an attachment"),
        UpFrame::Put(_) | UpFrame::Chunk(_) => Some("up: put an attachment"),
        // These speak of what was granted before, or of the link.
        UpFrame::Delivered(_)
        | UpFrame::DeliveredLate(_)
        | UpFrame::Shown(_)
        | UpFrame::Heads(_)
        | UpFrame::Ping
        | UpFrame::Pong
        | UpFrame::Part(_) => None,
    }
}

/// The row of a frame to a device; one for each compartment.
fn row_of_down(frame: &DownFrame) -> Option<&'static str> {
    match frame {
        DownFrame::Grant(_) | DownFrame::Changes(_) | DownFrame::Bundle(_) | DownFrame::Seen(_) => {
            Some("down: changes")
        }
        DownFrame::Chunk(_) => Some("up: want an attachment"),
        // These tell of nothing but what the device has or has sent.
        DownFrame::Welcome(_)
        | DownFrame::Revoke(_)
        | DownFrame::Position(_)
        | DownFrame::Accepted(_)
        | DownFrame::Refused(_)
        | DownFrame::Ping
        | DownFrame::Pong
        | DownFrame::Bye(_)
        | DownFrame::Part(_)
        | DownFrame::Have(_)
        | DownFrame::Got => None,
    }
}

async fn walk_frames(book: &mut Book, city: &City) {
    let policies = &city.center().policies;
    let yes = |may: bool| if may { Said::Yes } else { Said::No };
    let rows = [row_of_up(&UpFrame::Ping), row_of_down(&DownFrame::Ping)];
    assert_eq!(rows, [None, None]);
    for (reader, agency) in AGENCIES.into_iter().enumerate() {
        for (column, actor) in actors(reader) {
            let holds = matches!(actor.role, Role::Officer).then(|| {
                let badge = &actor.name;
                shift(agency, badge, city.of[agency].device)
            });
            let is_on_device = matches!(actor.role, Role::Device | Role::Officer);
            let carries = Carries::new(policies.clone(), holds, agency);
            let carrying = carries.now();
            for compartment in Compartment::ALL {
                let all = [0, 1, 2].map(|relation| {
                    let owner = owner(reader, relation);
                    yes(is_on_device && carrying.may_have(owner, compartment))
                });
                let row = format!("down: changes of {}", compartment.name());
                book.note(&row, column, all);
            }
            let all = [0, 1, 2].map(|relation| {
                let owner = owner(reader, relation);
                yes(is_on_device && carrying.may_fetch(owner, Compartment::Call))
            });
            book.note("up: want an attachment", column, all);
            let put = yes(is_on_device && carrying.may_attach());
            book.note("up: put an attachment", column, [put; 3]);
            for kind in Kind::ALL {
                let mut all = [Said::No; 3];
                for (relation, said) in all.iter_mut().enumerate() {
                    let call = city.of[owner(reader, relation)].call;
                    let who = Who {
                        role: actor.role,
                        ..Who::device(agency)
                    };
                    let may = city
                        .center()
                        .log
                        .write(move |ledger| ledger.may(&who, Act::Write(kind), call));
                    *said = yes(is_on_device && may.await.unwrap());
                }
                let row = format!("up: offer of {}", Act::Write(kind).name());
                book.note(&row, column, all);
            }
        }
    }
}

/// What concerns whole acts, for each role: what no route asks yet has its row here too.
fn walk_acts(book: &mut Book, city: &City) {
    let policies = &city.center().policies;
    for reader in 0..3 {
        for (column, actor) in actors(reader) {
            let who = Who::from(&actor);
            for act in [Act::AskSource, Act::ReleaseCaution] {
                let all = [0, 1, 2].map(|relation| {
                    let on = On::Source {
                        agency: owner(reader, relation),
                        name: "Records",
                        compartment: Compartment::Records,
                    };
                    if policies.decide(&who, act, on) {
                        Said::Yes
                    } else {
                        Said::No
                    }
                });
                let row = format!("source: {}", act.name());
                book.note(&row, column, all);
            }
        }
    }
}

#[tokio::test]
async fn every_route_and_frame_by_every_role_is_as_the_table_says() {
    let city = City::start().await;
    let mut book = Book::default();
    walk_sections(&mut book, &city).await;
    walk_frames(&mut book, &city).await;
    walk_acts(&mut book, &city);
    // Last: it writes.
    walk_doors(&mut book, &city).await;
    city.running.stop().await;

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    let table = std::fs::read_to_string(&path).unwrap_or_default();
    let found = book.text();
    println!(
        "the walk: {} rows, {} roles of {} agencies, {} decisions",
        book.rows.len(),
        COLUMNS.len(),
        AGENCIES.len(),
        book.asked
    );
    let (wanted, found): (BTreeSet<&str>, BTreeSet<&str>) =
        (table.lines().collect(), found.lines().collect());
    let missing: Vec<_> = found.difference(&wanted).collect();
    let wrong: Vec<_> = wanted.difference(&found).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "the center does:\n{}\n\ntests/policy/table.csv says:\n{}",
        missing
            .iter()
            .map(|line| line.to_string())
            .collect::<Vec<_>>()
            .join("\n"),
        wrong
            .iter()
            .map(|line| line.to_string())
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn no_router_is_made_but_of_doors() {
    fn look(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                look(&path, found);
                continue;
            }
            let is_test = name.contains("tests") || name.ends_with("walk.rs");
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let makes = [
                "Router::new(",
                "Router::<",
                "axum::routing",
                "Router::default(",
            ];
            if !is_test && makes.iter().any(|make| text.contains(make)) {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    look(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("doors.rs"));
}

#[test]
fn every_act_has_its_word_in_the_schema() {
    let policies = super::built_in().policies();
    for act in super::tests::all_acts() {
        assert!(
            policies.knows(act),
            "{} is not in words.cedarschema",
            act.name()
        );
    }
}

#[tokio::test]
async fn what_is_hidden_is_in_no_board_count_search_or_link() {
    let city = City::start().await;
    for (reader, agency) in AGENCIES.into_iter().enumerate() {
        let (shared, hidden) = (owner(reader, 1), owner(reader, 2));
        let own = &city.of[agency];
        let actor = Actor {
            name: "7".into(),
            agency: Some(agency.into()),
            ..Actor::of(Role::Analyst)
        };
        let center = city.center().clone();
        let (call, other) = (own.call, city.of[hidden].call);
        // As a person says who may see both.
        let why = format!("both at {hidden} ST");
        center.link(call, other, why, "Dispatch").await.unwrap();
        let stop = CancellationToken::new();
        let pages = console::doors(center, stop.clone()).into_router();
        let asked = Asked {
            actor: &actor,
            of: own,
            own,
            shift: "",
        };
        let door = ("get", String::new());
        for (path, says) in [
            ("/".to_owned(), "<b>4</b> open"),
            ("/search?words=nature".to_owned(), "4 packets"),
            (format!("/search?words={hidden}"), "0 packets"),
            (format!("/calls/{call}"), "<b>4</b> open"),
            ("/hot-list".to_owned(), "<b>4</b> open"),
            ("/premises".to_owned(), "<b>4</b> open"),
            ("/devices".to_owned(), "<b>4</b> open"),
            ("/before-arrival".to_owned(), "<b>4</b> open"),
        ] {
            let (status, page) = answer(&pages, request(&door, &path, &asked)).await;
            assert_eq!(status, StatusCode::OK);
            assert!(
                page.contains(says),
                "{agency} {path}: {says} is missing in {page}"
            );
            for secret in [
                format!("nature {hidden}"),
                format!("1 {hidden} ST"),
                format!("both at {hidden}"),
                other.to_string(),
            ] {
                assert!(
                    !page.contains(&secret),
                    "{agency} {path}: {secret} is in {page}"
                );
            }
            if path == "/" {
                assert!(page.contains(&format!("nature {shared}")));
            }
        }
        stop.cancel();
    }
    city.running.stop().await;
}

#[tokio::test]
async fn what_is_shown_to_another_agency_is_on_record_with_the_agreement_and_who_got_it() {
    let city = City::start().await;
    let (own, shared) = (&city.of[AGENCIES[0]], &city.of[owner(0, 1)]);
    let stop = CancellationToken::new();
    let pages = console::doors(city.center().clone(), stop.clone()).into_router();
    let actor = Actor {
        name: "7".into(),
        agency: Some(AGENCIES[0].into()),
        ..Actor::of(Role::Analyst)
    };
    let door = ("get", String::new());
    for of in [own, shared] {
        let asked = Asked {
            actor: &actor,
            of,
            own,
            shift: "",
        };
        let (status, _) = answer(&pages, request(&door, "/calls/{id}", &asked)).await;
        assert_eq!(status, StatusCode::OK);
    }
    let on_record = async |call: CallId| {
        let read = city.center().log.readers().read(move |connection| {
            let object = DocumentId::new(call, Compartment::Call).to_string();
            let found: (String, Option<String>) = connection.query_row(
                "SELECT policies, receiver FROM audit WHERE act = 'SeePacket' AND object = ?1 AND who = '7'",
                [object],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok::<_, LogError>(found)
        });
        read.await.unwrap()
    };
    let (policies, receiver) = on_record(own.call).await;
    assert!(policies.contains("the-agency's-own"), "{policies}");
    assert_eq!(receiver, None);
    let (policies, receiver) = on_record(shared.call).await;
    let agreement = format!("{}-sees-{}", AGENCIES[0], owner(0, 1));
    assert!(policies.contains(&agreement), "{policies}");
    assert_eq!(receiver.as_deref(), Some(AGENCIES[0]));
    stop.cancel();
}

#[tokio::test]
async fn what_devices_are_given_is_on_record_by_agency_with_the_policies_and_who_got_it() {
    let city = City::start().await;
    let (own, shared) = (AGENCIES[0], owner(0, 1));
    let call = DocumentId::new(city.of[shared].call, Compartment::Call);
    let mut batch = Batch::default();
    for (device, agency) in [own, own, shared].into_iter().enumerate() {
        let shift = shift(agency, "7", city.of[agency].device);
        let carries = Carries::new(city.center().policies.clone(), Some(shift), agency);
        let number = DeviceNumber(100 + device as u32);
        let carrier = Carrier::new(number, "MDT".into(), format!("Diaz {device}"), carries);
        let mut report = Report::default();
        report.sends(call, 0, 1);
        batch.add(&carrier, report, 0);
    }
    let kept = city.center().log.write(move |ledger| batch.write(ledger));
    kept.await.unwrap().committed();
    let read = city.center().log.readers().read(move |connection| {
        let mut statement = connection.prepare(
            "SELECT agency, who, policies, receiver FROM audit
             WHERE act = 'carry call' AND object = ?1 ORDER BY agency = ?2",
        )?;
        let rows = statement.query_map([call.to_string(), shared.into()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        let all: Vec<(String, String, String, Option<String>)> = rows.collect::<Result<_, _>>()?;
        Ok::<_, LogError>(all)
    });
    let all = read.await.unwrap();
    let [
        (first, count, agreement, receiver),
        (second, one, whole, nobody),
    ] = &all[..]
    else {
        panic!("{all:?}");
    };
    assert_eq!([first, second], [own, shared]);
    assert_eq!([count, one], ["2 devices", "1 devices"]);
    assert!(
        agreement.contains(&format!("{own}-sees-{shared}")),
        "{agreement}"
    );
    assert!(whole.contains("the-agency's-own"), "{whole}");
    assert_eq!((receiver.as_deref(), nobody), (Some(own), &None));
}

#[tokio::test]
async fn intel_is_shown_on_a_device_whose_unit_has_the_call_and_each_look_is_on_record() {
    let city = City::start().await;
    let (agency, own) = (AGENCIES[0], &city.of[AGENCIES[0]]);
    let stop = CancellationToken::new();
    let officer = Actor {
        agency: Some(agency.into()),
        ..Actor::of(Role::Officer)
    };
    let doors = api::sync_doors(city.center().clone(), stop.clone()).into_router();
    let doors = doors.layer(axum::Extension(peer(&officer, own)));
    let look = async |call: CallId, shift: &str| {
        let body = Body::from(format!("{{\"shift\": \"{shift}\"}}"));
        let request = Request::post(format!("/v1/calls/{call}/intel")).body(body);
        answer(&doors, request.unwrap()).await
    };
    let last = async || {
        let object = DocumentId::new(own.call, Compartment::Intel).to_string();
        let read = city.center().log.readers().read(move |connection| {
            let found = connection.query_row(
                "SELECT allowed, through_seq IS NOT NULL, who, agency, policies FROM audit
                 WHERE act = 'show intel' AND object = ?1 ORDER BY id DESC LIMIT 1",
                [object],
                |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                    ))
                },
            )?;
            Ok::<(bool, bool, String, String, String), LogError>(found)
        });
        read.await.unwrap()
    };
    for (badge, may, by) in [
        ("7", false, "intel-for-the-trained"),
        (CERTIFIED, true, "what-is-the-agency's-own"),
    ] {
        let shift = sign_on(&city, agency, badge).await;
        let (status, shown) = look(own.call, &shift).await;
        assert_eq!(
            (status, shown == NO_INTEL),
            (StatusCode::OK, !may),
            "{shown}"
        );
        let (allowed, was_given, who, whose, policies) = last().await;
        assert_eq!([allowed, was_given], [may; 2]);
        assert_eq!((&*who, &*whose), ("Diaz (pd-1)", agency));
        assert!(policies.contains(by), "{policies}");
    }
    let shift = sign_on(&city, agency, CERTIFIED).await;
    let call = own.call;
    let released = city
        .center()
        .log
        .write(move |ledger| calls::release(ledger, call, "pd-1"));
    released.await.unwrap();
    let never = look(NEVER, &shift).await;
    assert_eq!(never.0, StatusCode::NOT_FOUND);
    assert_eq!(
        look(own.call, &shift).await,
        never,
        "the unit has it no longer"
    );
    let (status, told) = look(own.call, "AAAA").await;
    assert_eq!(status, StatusCode::FORBIDDEN, "no shift's token: {told}");
    let (status, told) = look(own.call, "?").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        told.contains("the token of the shift, in base64url"),
        "{told}"
    );
    stop.cancel();
}
