//! A device with a good certificate whose holder misuses it: every byte by hand.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_lc_rs::digest;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use futures_util::{SinkExt, StreamExt};
use mobile_core::Ticket;
use mobile_core::identity::{Signer, SoftwareSigner, client_config, signing_request};
use packet::custody::erasure_signing_input;
use packet::signature::signing_input;
use packet::{
    Actor, Author, CenterId, ChangeHash, Composed, DeviceNumber, Document, DocumentId, Draft,
    Entry, Note, Proof, Written, change_hash, compose, inspect,
};
use rustls::ClientConfig;
use serde_json::{Value, json};
use sync::decode_down;
use sync::frame::{
    AcceptedFrame, Bye, DownFrame, HELLO_HEADER, Hello, OfferFrame, RefusedFrame, UpFrame, encode,
};
use sync::limits::PROTOCOL_VERSION;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::{PATIENCE, TestApi};

#[derive(Debug)]
pub struct HostileDevice {
    pub number: DeviceNumber,
    pub actor: Actor,
    center: CenterId,
    /// `host:port`.
    address: String,
    signer: Arc<dyn Signer>,
    tls: Arc<ClientConfig>,
    token: Vec<u8>,
}

impl HostileDevice {
    /// Enrolled and signed on like any other.
    pub async fn on_duty(api: &TestApi, badge: &str, unit: &str) -> Self {
        let Ticket { center, ca, code } = api.ticket("hostile").await;
        let signer: Arc<dyn Signer> = Arc::new(SoftwareSigner::generate().unwrap());
        let request = BASE64.encode(&signing_request(&signer).unwrap());
        let stranger = client_config(&ca, None).unwrap();
        let body = json!({"code": code, "request": request});
        let (status, enrolled) = post(&center, stranger, "/v1/enrol", &body).await;
        assert_eq!(status, 201, "{enrolled}");
        let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let certificate = BASE64
            .decode(text(&enrolled, "certificate").as_bytes())
            .unwrap();
        let id = HEXLOWER_PERMISSIVE
            .decode(text(&enrolled, "center_id").as_bytes())
            .unwrap();
        let number = DeviceNumber(enrolled["device"].as_u64().unwrap().try_into().unwrap());
        let tls = client_config(&ca, Some((certificate, signer.clone()))).unwrap();
        let body = json!({"officer": badge, "unit": unit});
        let (status, shift) = post(&center, tls.clone(), "/v1/shifts", &body).await;
        assert_eq!(status, 201, "{shift}");
        Self {
            number,
            actor: Actor::new(Author::Device(number), [6; 4]),
            center: CenterId(id.try_into().unwrap()),
            address: center,
            signer,
            tls,
            token: BASE64URL_NOPAD
                .decode(text(&shift, "token").as_bytes())
                .unwrap(),
        }
    }

    /// `host:port` of the center.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// With its certificate.
    #[must_use]
    pub fn tls(&self) -> Arc<ClientConfig> {
        self.tls.clone()
    }

    /// As this very device, but with a certificate that was issued then.
    ///
    /// # Panics
    /// When the center does not issue it.
    #[must_use]
    pub fn certified(&self, center: &crate::TestCenter, issued_ms: i64) -> Self {
        let keys = &center.center().keys;
        let request = signing_request(&self.signer).unwrap();
        let issued = keys
            .issue_device(&request, self.number.0, crate::AGENCY, issued_ms, 72)
            .unwrap();
        let identity = (issued.der, self.signer.clone());
        Self {
            number: self.number,
            actor: self.actor,
            center: self.center,
            address: self.address.clone(),
            signer: self.signer.clone(),
            tls: client_config(keys.ca_certificate_der(), Some(identity)).unwrap(),
            token: self.token.clone(),
        }
    }

    /// What the center answers to this, by the certificate alone.
    pub async fn ask(&self, path: &str, body: &Value) -> (u16, Value) {
        post(&self.address, self.tls.clone(), path, body).await
    }

    /// Whether a connection comes about at all.
    pub async fn is_let_in(&self) -> bool {
        let (host, _) = self.address.rsplit_once(':').unwrap();
        let name = host.to_owned().try_into().unwrap();
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(self.tls.clone());
        let Ok(mut stream) = connector.connect(name, stream).await else {
            return false;
        };
        // TLS 1.3: a client learns of its refusal when it reads.
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        asked.is_ok() && matches!(stream.read(&mut [0; 16]).await, Ok(1..))
    }

    /// This device's signature over the words of a receipt.
    #[must_use]
    pub fn receipt(&self, statement: &str) -> Value {
        let input = erasure_signing_input(statement.as_bytes());
        let signature = self.signer.sign(&input).unwrap();
        json!({"statement": statement, "signature": BASE64.encode(&signature)})
    }

    /// The center's id.
    #[must_use]
    pub fn center_id(&self) -> CenterId {
        self.center
    }

    /// A request for a certificate of this device's key, in base64.
    #[must_use]
    pub fn request(&self) -> String {
        BASE64.encode(&signing_request(&self.signer).unwrap())
    }

    /// What an honest device that has nothing says.
    #[must_use]
    pub fn hello(&self) -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            position: 0,
            exceptions: vec![],
            digest: 0,
            dictionary: 1,
            receipts: 0,
            shift: self.token.clone(),
        }
    }

    /// A session with this in the hello's header, or the status that it was refused with.
    ///
    /// # Errors
    /// The center's status, where there is no session.
    pub async fn dial(&self, hello: &str) -> Result<HostileSession, u16> {
        let stream = connect(&self.address, self.tls.clone()).await;
        let mut request = format!("wss://{}/v1/sync", self.address)
            .into_client_request()
            .unwrap();
        request
            .headers_mut()
            .insert(HELLO_HEADER, hello.parse().unwrap());
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(HostileSession {
                socket,
                messages: 0,
                frames: VecDeque::new(),
            }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("neither a session nor an answer: {error}"),
        }
    }

    /// An honest session, to misuse.
    pub async fn session(&self) -> HostileSession {
        let hello = BASE64URL_NOPAD.encode(&encode(&self.hello()));
        self.dial(&hello).await.unwrap()
    }

    /// A note as this device would write it next.
    #[must_use]
    pub fn note(&self, document: &Document, actor: Actor, text: &str) -> Composed {
        let note = Note {
            text: text.into(),
            by: "Lindqvist (1B2)".into(),
        };
        self.write(document, actor, Entry::Note(note))
    }

    /// An entry as this device would write it next, whatever it is.
    #[must_use]
    pub fn write(&self, document: &Document, actor: Actor, entry: Entry) -> Composed {
        let basis = document.lineage().basis(actor);
        let written = Written {
            entry,
            clock_off_ms: Some(0),
            instead: None,
        };
        compose(&Draft {
            actor,
            number: basis.number,
            deps: basis.deps,
            start_op: basis.start_op,
            time_ms: server::clock::now_ms(),
            written: &written,
        })
        .unwrap()
    }

    /// These bytes, raw, with this device's good signature over the hash that they have.
    #[must_use]
    pub fn offer(&self, document: DocumentId, bytes: &[u8]) -> OfferFrame {
        let hash = change_hash(bytes).unwrap_or(ChangeHash([0; 32]));
        OfferFrame {
            document,
            body: [&[0], bytes].concat(),
            proof: Proof::Signature(
                self.signer
                    .sign(&signing_input(self.center, document, &hash))
                    .unwrap(),
            ),
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The center said why.
    Bye(Bye),
    /// The link closed without a word: the transport itself did not take the frame.
    Closed,
}

#[derive(Debug)]
pub struct HostileSession {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    messages: u64,
    /// Of the last message, those that were not asked for yet.
    frames: VecDeque<DownFrame>,
}

impl HostileSession {
    /// Sends these bytes as one message. A link that broke is told by the next read.
    pub async fn send(&mut self, bytes: Vec<u8>) {
        let _ = self.socket.send(Message::Binary(bytes.into())).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        let _ = self.socket.send(Message::Text(text.into())).await;
    }

    pub async fn offer(&mut self, offer: OfferFrame) {
        self.send(encode(&UpFrame::Offer(offer))).await;
    }

    /// The next frame; its message was said to be delivered.
    ///
    /// # Errors
    /// How the session ended.
    pub async fn next(&mut self) -> Result<DownFrame, Ended> {
        if let Some(frame) = self.frames.pop_front() {
            return Ok(frame);
        }
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended::Closed),
                    Some(Ok(_)) => {}
                }
            }
        };
        let bytes = tokio::time::timeout(PATIENCE, next).await;
        let bytes = bytes.expect("the center answers or hangs up")?;
        let frames = decode_down(&bytes).expect("the center's frames are good");
        if let Some(DownFrame::Bye(bye)) = frames.last() {
            return Err(Ended::Bye(bye.clone()));
        }
        self.frames.extend(frames);
        self.messages += 1;
        self.send(encode(&UpFrame::Delivered(self.messages))).await;
        Ok(self.frames.pop_front().expect("a message is not empty"))
    }

    /// What the center says to this change.
    ///
    /// # Errors
    /// How the session ended instead.
    pub async fn answer(
        &mut self,
        hash: ChangeHash,
    ) -> Result<Result<AcceptedFrame, RefusedFrame>, Ended> {
        loop {
            match self.next().await? {
                DownFrame::Accepted(accepted) if accepted.hash == hash => return Ok(Ok(accepted)),
                DownFrame::Refused(refused) if refused.hash == hash => return Ok(Err(refused)),
                _ => {}
            }
        }
    }

    /// Offers this change, which is refused; why.
    pub async fn refused(&mut self, offer: OfferFrame) -> RefusedFrame {
        let hash = change_hash(&offer.body[1..]).unwrap();
        self.offer(offer).await;
        match self.answer(hash).await {
            Ok(Err(refused)) => refused,
            other => panic!("it is not refused: {other:?}"),
        }
    }

    /// Offers this change, which is taken; both have it then.
    pub async fn accepted(&mut self, offer: OfferFrame, document: &mut Document) {
        let bytes = offer.body[1..].to_vec();
        let hash = change_hash(&bytes).unwrap();
        self.offer(offer).await;
        match self.answer(hash).await {
            Ok(Ok(_)) => document.apply(&inspect(&bytes).unwrap(), &bytes).unwrap(),
            other => panic!("it is not accepted: {other:?}"),
        }
    }

    /// Reads until the session is over.
    pub async fn end(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.next().await {
                return ended;
            }
        }
    }
}

/// The contents of a change, as a chunk whose checksum is right: what is wrong with it
/// is inside.
#[must_use]
pub fn reseal(bytes: &[u8]) -> Vec<u8> {
    // magic (4), checksum (4), then what the checksum is over: type, length, contents.
    let mut chunk = bytes.to_vec();
    let sum = digest::digest(&digest::SHA256, &bytes[8..]);
    chunk[4..8].copy_from_slice(&sum.as_ref()[..4]);
    chunk
}

async fn connect(address: &str, tls: Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let (host, _) = address.rsplit_once(':').unwrap();
    let name = host.to_owned().try_into().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(tls);
    connector.connect(name, stream).await.unwrap()
}

/// One request on a connection of its own.
async fn post(address: &str, tls: Arc<ClientConfig>, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = connect(address, tls).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    // rustls may have taken what the socket has not.
    stream.flush().await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        panic!("{path}: no answer but {answer:?} ({read:?})");
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}
