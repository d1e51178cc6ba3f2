//! A center in memory: the real relay and the real admission behind a real HTTP
//! server, over a stream that is no socket.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use packet::signature::MacKey;
use packet::{
    Actor, Admission, Author, CenterId, Compartment, DeviceNumber, Document, DocumentId, Draft,
    Entry, Written, admit, compose, inspect,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
    PublicKeyData,
};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{Hpke, HpkePublicKey};
use serde_json::{Value, json};
use sync::codec;
use sync::frame::{
    AcceptedFrame, ByeWhy, ChangeItem, HELLO_HEADER, Lease, RefusedFrame, SeenFrame, decode_hello,
};
use sync::relay::{Event, Granted, Next, PackedChange, Relay, Standing, Urgency};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::net::{Connection, Connector, NetError};

const CENTER: CenterId = CenterId([4; 16]);
pub(super) const DEVICE: DeviceNumber = DeviceNumber(7);
const NOW_MS: i64 = 1_790_000_000_000;
pub(super) const RELEASE_SECRET: [u8; 32] = [5; 32];
const SHIFT_MS: i64 = 12 * 60 * 60 * 1_000;

struct Logged {
    document: DocumentId,
    by_device: bool,
    bytes: Vec<u8>,
}

#[derive(Default)]
pub(super) struct State {
    documents: BTreeMap<DocumentId, Document>,
    log: Vec<Logged>,
    granted: Vec<DocumentId>,
    pub(super) device_key: Vec<u8>,
    /// How devices said that they are.
    pub(super) stood: Vec<String>,
    pub(super) receipts: Vec<Value>,
    pub(super) mounted: bool,
    pub(super) releases: u64,
    /// An order to erase.
    pub(super) erase: Option<i64>,
    pub(super) sealed: Vec<Vec<u8>>,
    pub(super) shown: Vec<(DocumentId, u64)>,
    pub(super) shifts: Vec<Vec<u8>>,
    pub(super) signed_off: usize,
    /// Whom the agency's own sign-in signs in; without one there is none.
    pub(super) signs_in: Option<&'static str>,
    /// What was shown to begin shifts.
    pub(super) proofs: Vec<Value>,
    finished: Vec<String>,
    /// Certificates given, renewed ones among them.
    pub(super) certified: usize,
    /// Ends the next session with this.
    pub(super) bye: Option<&'static str>,
    pub(super) unreachable: bool,
    /// What does not last for the shift.
    pub(super) leases: Vec<Lease>,
    seen: Vec<SeenFrame>,
}

impl State {
    /// The device may not have it any more.
    pub(super) fn take_back(&mut self, document: DocumentId) {
        self.granted.retain(|granted| *granted != document);
    }
}

pub(super) struct Center {
    pub(super) state: Mutex<State>,
    /// Rises with everything that a session has to look at.
    news: watch::Sender<u64>,
    authority: Issuer<'static, KeyPair>,
    pub(super) ca: Vec<u8>,
    sealing_key: HpkePublicKey,
}

impl std::fmt::Debug for Center {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Center")
    }
}

#[derive(Debug)]
pub(super) struct ToCenter(pub(super) Arc<Center>);

impl Connector for ToCenter {
    fn connect<'a>(
        &'a self,
        _: &'a str,
        _: Arc<ClientConfig>,
    ) -> Pin<Box<dyn Future<Output = Result<Box<dyn Connection>, NetError>> + Send + 'a>> {
        Box::pin(async move {
            if self.0.state.lock().unwrap().unreachable {
                return Err(NetError::TimedOut);
            }
            let (near, far) = tokio::io::duplex(64 * 1024);
            let center = self.0.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| center.clone().answer(request));
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(far), service)
                    .with_upgrades()
                    .await;
            });
            Ok(Box::new(near) as Box<dyn Connection>)
        })
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.to_string().into()));
    *response.status_mut() = status;
    response
}

impl Center {
    pub(super) fn new() -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap().der().to_vec();
        let (sealing_key, _) = DH_KEM_P256_HKDF_SHA256_AES_256.generate_key_pair().unwrap();
        Arc::new(Self {
            state: Mutex::default(),
            news: watch::Sender::new(0),
            authority: Issuer::new(params, key),
            ca,
            sealing_key,
        })
    }

    /// The center writes an entry, and grants its document.
    pub(super) fn write(&self, document: DocumentId, entry: Entry) {
        let mut state = self.state.lock().unwrap();
        let actor = Actor::new(Author::Center(1 << 31), [1; 4]);
        let basis = state
            .documents
            .entry(document)
            .or_default()
            .lineage()
            .basis(actor);
        let written = Written {
            entry,
            clock_off_ms: None,
            instead: None,
        };
        let change = compose(&Draft {
            actor,
            number: basis.number,
            deps: basis.deps,
            start_op: basis.start_op,
            time_ms: NOW_MS,
            written: &written,
        })
        .unwrap();
        let inspected = inspect(&change.bytes).unwrap();
        let kept = state.documents.get_mut(&document).unwrap();
        kept.apply(&inspected, &change.bytes).unwrap();
        state.log.push(Logged {
            document,
            by_device: false,
            bytes: change.bytes,
        });
        if !state.granted.contains(&document) {
            state.granted.push(document);
        }
        drop(state);
        self.wake();
    }

    /// An analyst looks at all of the document.
    pub(super) fn look_at(&self, document: DocumentId) {
        let mut state = self.state.lock().unwrap();
        let seen = SeenFrame {
            number: state.seen.len() as u64 + 1,
            document,
            through: state.log.len() as u64,
            who: "an analyst".into(),
            at_ms: NOW_MS + 7,
        };
        state.seen.push(seen);
        drop(state);
        self.wake();
    }

    pub(super) fn wake(&self) {
        self.news.send_modify(|news| *news += 1);
    }

    /// The texts of all notes, in the order of the log.
    pub(super) fn notes(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let entries = state
            .log
            .iter()
            .map(|logged| inspect(&logged.bytes).unwrap());
        entries
            .filter_map(|change| match change.written.entry {
                Entry::Note(note) => Some(note.text),
                _ => None,
            })
            .collect()
    }

    async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        if request.uri().path() == "/v1/sync" {
            let headers = request.headers();
            let accept = derive_accept_key(headers["sec-websocket-key"].as_bytes());
            let hello = headers[HELLO_HEADER].as_bytes().to_vec();
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let stream = TokioIo::new(upgrade.await.unwrap());
                let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
                self.session(&BASE64URL_NOPAD.decode(&hello).unwrap(), socket)
                    .await;
            });
            let mut response = respond(StatusCode::SWITCHING_PROTOCOLS, &Value::Null);
            *response.body_mut() = Full::default();
            let headers = response.headers_mut();
            headers.insert("upgrade", "websocket".parse().unwrap());
            headers.insert("connection", "Upgrade".parse().unwrap());
            headers.insert("sec-websocket-accept", accept.parse().unwrap());
            return Ok(response);
        }
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await?.to_bytes();
        Ok(match path.as_str() {
            "/v1/enrol" | "/v1/certificate" => self.enrol(&body),
            "/v1/shifts" if body.len() > 2 => {
                let asked: Value = serde_json::from_slice(&body).unwrap();
                if asked["officer"] == "0000" {
                    let problem =
                        json!({"title": "Unknown officer", "detail": "No officer has this badge."});
                    return Ok(respond(StatusCode::FORBIDDEN, &problem));
                }
                self.state
                    .lock()
                    .unwrap()
                    .proofs
                    .push(asked["proof"].clone());
                let token = BASE64URL_NOPAD.encode(asked["unit"].as_str().unwrap().as_bytes());
                respond(
                    StatusCode::OK,
                    &json!({"token": token, "officer": "Diaz", "unit": asked["unit"], "agency": "cedarport-pd", "expires_ms": NOW_MS + SHIFT_MS, "lasts_ms": SHIFT_MS}),
                )
            }
            "/v1/sign-on/begin" => {
                let url = self.state.lock().unwrap().signs_in;
                let url = url.map(|_| "https://login.example/authorize?state=1");
                respond(StatusCode::OK, &json!({ "url": url }))
            }
            "/v1/sign-on/finish" => self.finish(&body),
            "/v1/sealed" => {
                self.state.lock().unwrap().sealed.push(body.to_vec());
                self.wake();
                respond(StatusCode::OK, &Value::Null)
            }
            "/v1/standing" => {
                let asked: Value = serde_json::from_slice(&body).unwrap();
                let mut state = self.state.lock().unwrap();
                state.stood.push(asked["state"].as_str().unwrap().into());
                let answer = json!({
                    "mounted": state.mounted,
                    "releases": state.releases,
                    "erase": state.erase,
                    "shift": null,
                });
                drop(state);
                self.wake();
                respond(StatusCode::OK, &answer)
            }
            "/v1/erasures" => {
                let receipt: Value = serde_json::from_slice(&body).unwrap();
                let mut state = self.state.lock().unwrap();
                state.erase = None;
                state.receipts.push(receipt);
                drop(state);
                self.wake();
                respond(StatusCode::OK, &Value::Null)
            }
            "/v1/shifts" => {
                self.state.lock().unwrap().signed_off += 1;
                respond(StatusCode::OK, &Value::Null)
            }
            _ => respond(StatusCode::NOT_FOUND, &Value::Null),
        })
    }

    /// Each address that was led back to is good once.
    fn finish(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let back = asked["back"].as_str().unwrap().to_owned();
        let mut state = self.state.lock().unwrap();
        if state.finished.contains(&back) {
            let problem = json!({"title": "Not signed on", "detail": "Begin again."});
            return respond(StatusCode::FORBIDDEN, &problem);
        }
        let answer = json!({"officer": state.signs_in, "unit": "4A13", "proof": back});
        state.finished.push(back);
        respond(StatusCode::OK, &answer)
    }

    fn enrol(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let request = BASE64
            .decode(asked["request"].as_str().unwrap().as_bytes())
            .unwrap();
        let request = CertificateSigningRequestParams::from_der(&request.into()).unwrap();
        let mut state = self.state.lock().unwrap();
        state.device_key = request.public_key.der_bytes().to_vec();
        state.certified += 1;
        drop(state);
        self.wake();
        let certificate = request.signed_by(&self.authority).unwrap();
        respond(
            StatusCode::OK,
            &json!({
                "device": DEVICE.0,
                "certificate": BASE64.encode(certificate.der()),
                "center_id": HEXLOWER.encode(&CENTER.0),
                "sealing_key": BASE64.encode(&self.sealing_key.0),
                "agency": "cedarport-pd",
                "release_secret": BASE64.encode(&RELEASE_SECRET),
            }),
        )
    }

    fn granted(state: &State, document: DocumentId) -> Granted {
        let last = state
            .log
            .iter()
            .rposition(|logged| logged.document == document);
        Granted {
            document,
            from: 0,
            last: last.map_or(0, |at| at as u64 + 1),
            urgency: Urgency::of(document.compartment, true, 3),
        }
    }

    fn open(&self, hello: &[u8]) -> Relay {
        let hello = decode_hello(hello).unwrap();
        let mut state = self.state.lock().unwrap();
        state.shifts.push(hello.shift.clone());
        let granted = state.granted.iter();
        let standing = Standing {
            incarnation: 1,
            head: state.log.len() as u64,
            center_now_ms: NOW_MS,
            granted: granted.map(|id| Self::granted(&state, *id)).collect(),
            ended: vec![],
        };
        let mut relay = Relay::open(&hello, standing, None, 0).unwrap();
        relay.lease(state.leases.clone());
        if let Some(reason) = state.bye.take() {
            relay.close(ByeWhy::Standing, reason, 3_600_000);
        }
        let seen = state
            .seen
            .iter()
            .filter(|seen| seen.number > hello.receipts);
        seen.for_each(|seen| relay.seen(seen.clone()));
        relay
    }

    async fn session(
        &self,
        hello: &[u8],
        mut socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    ) {
        let mut news = self.news.subscribe();
        let mut relay = self.open(hello);
        let mut receipts = self.state.lock().unwrap().seen.len();
        loop {
            let frame = match relay.next(0) {
                Next::Send(frame) => Some(frame),
                Next::Fetch {
                    document,
                    after,
                    session_head,
                    ..
                } => {
                    let (changes, through) = self.fetch(document, after, session_head);
                    relay.fetched(document, &changes, through);
                    None
                }
                Next::FetchChunk { blob, offset, .. } => {
                    relay.chunk(blob, offset, Vec::new(), 0);
                    None
                }
                Next::Over => return,
                Next::Wait { .. } => {
                    tokio::select! {
                        message = socket.next() => match message {
                            Some(Ok(Message::Binary(frame))) => self.hear(&mut relay, &frame),
                            Some(Ok(_)) => {}
                            _ => return,
                        },
                        _ = news.changed() => {
                            let state = self.state.lock().unwrap();
                            for document in &state.granted {
                                relay.grant(&Self::granted(&state, *document));
                            }
                            let last = |id: &DocumentId| (*id, Self::granted(&state, *id).last);
                            let lasts: Vec<_> = state.granted.iter().map(last).collect();
                            relay.grown(state.log.len() as u64, &lasts);
                            state.seen[receipts..].iter().for_each(|seen| relay.seen(seen.clone()));
                            receipts = state.seen.len();
                        }
                    }
                    None
                }
            };
            if let Some(frame) = frame
                && socket.send(Message::Binary(frame.into())).await.is_err()
            {
                return;
            }
        }
    }

    fn fetch(
        &self,
        document: DocumentId,
        after: u64,
        session_head: u64,
    ) -> (Vec<PackedChange>, u64) {
        let state = self.state.lock().unwrap();
        let mut changes = Vec::new();
        let mut through = after;
        for (at, logged) in state.log.iter().enumerate() {
            let seq = at as u64 + 1;
            if logged.document == document && seq > after {
                through = seq;
                if !(logged.by_device && seq > session_head) {
                    changes.push(PackedChange::new(&ChangeItem {
                        seq,
                        received_ms: NOW_MS,
                        body: codec::pack(&logged.bytes, 1),
                        mac: [0; 16],
                    }));
                }
            }
        }
        (changes, through)
    }

    fn hear(&self, relay: &mut Relay, message: &[u8]) {
        for event in relay.message(message, 0).unwrap() {
            self.event(relay, event);
        }
    }

    fn event(&self, relay: &mut Relay, event: Event) {
        let mut state = self.state.lock().unwrap();
        match event {
            Event::Offer(offer) => {
                let hash = packet::change_hash(&offer.bytes).unwrap();
                let key = state.device_key.clone();
                let admission = Admission {
                    center: CENTER,
                    device: DEVICE,
                    public_key: &key,
                    now_ms: NOW_MS,
                    opened_by_device: offer.document.call.author() == Author::Device(DEVICE),
                    mac: &MacKey::new(&[6; 32]),
                };
                let kept = state.documents.entry(offer.document).or_default();
                if kept.lineage().knows(&hash) {
                    // Its answer went with its link.
                    let is_it = |logged: &Logged| {
                        packet::change_hash(&logged.bytes).is_ok_and(|logged| logged == hash)
                    };
                    if let Some(at) = state.log.iter().position(is_it) {
                        relay.accepted(AcceptedFrame {
                            hash,
                            seq: at as u64 + 1,
                            received_ms: NOW_MS,
                        });
                    }
                    return;
                }
                let forbidden = inspect(&offer.bytes).is_ok_and(|change| {
                    matches!(change.written.entry, Entry::Note(note) if note.text == "forbidden")
                });
                let taken = if forbidden {
                    Err(packet::Refusal::Policy("not this".into()))
                } else {
                    admit(kept, &offer, &admission)
                };
                match taken {
                    Ok(_) => {
                        state.log.push(Logged {
                            document: offer.document,
                            by_device: true,
                            bytes: offer.bytes,
                        });
                        relay.accepted(AcceptedFrame {
                            hash,
                            seq: state.log.len() as u64,
                            received_ms: NOW_MS,
                        });
                        if !state.granted.contains(&offer.document) {
                            state.granted.push(offer.document);
                        }
                        self.wake();
                    }
                    Err(refusal) => relay.refused(RefusedFrame {
                        hash,
                        code: refusal.code(),
                        reason: refusal.to_string(),
                    }),
                }
            }
            Event::Shown {
                document, through, ..
            } => {
                state.shown.push((document, through));
                self.wake();
            }
            Event::Delivered { .. } | Event::Want { .. } => {}
            Event::Put { blob, .. } | Event::Chunk { blob, .. } => relay.have(blob, 0, None),
        }
    }

    /// Waits until this is true of the center.
    pub(super) async fn until(&self, is_so: impl Fn(&State) -> bool) {
        let mut news = self.news.subscribe();
        while !is_so(&self.state.lock().unwrap()) {
            news.changed().await.unwrap();
        }
    }
}

pub(super) fn safety(call: packet::CallId) -> DocumentId {
    DocumentId::new(call, Compartment::Safety)
}
