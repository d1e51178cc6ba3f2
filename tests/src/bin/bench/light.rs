//! A light device: the real protocol over TLS with a certificate of its own, without a
//! store. It keeps its state machine over sessions, as a device's store would.
//!
//! Two hundred of them share the machine with the center that they measure. So what
//! comes is noted with its time and reported *delivered*, and written out ([`Light::read`])
//! after the measurement: a device's own work is on the device in the field.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use forerunner_tests::HostileDevice;
use futures_util::{SinkExt, StreamExt};
use packet::{DocumentId, Entry, inspect};
use rustls::HandshakeKind;
use sync::brief::{self, Place, Standing};
use sync::codec::Unpacked;
use sync::device::{Device, Kept, Next, Received, Store};
use sync::frame::{HELLO_HEADER, Hello, encode};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;

use crate::counted::{Counted, Traffic};

/// Ten thousand of them are in one process.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// As the driver of mobile-core has it.
const BACKOFF_MS_START: u64 = 250;
const BACKOFF_MS_MAX: u64 = 10_000;

/// A change that came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    /// [`Light::index`].
    pub(crate) device: usize,
    pub(crate) document: DocumentId,
    pub(crate) seq: u64,
    pub(crate) at: Instant,
    /// And not what the center read from one (a mention, which comes right behind it).
    pub(crate) is_note: bool,
}

type Socket = WebSocketStream<Counted<TlsStream<Counted<TcpStream>>>>;

pub(crate) struct Light {
    pub(crate) index: usize,
    /// Address and port to dial; the center itself at first.
    pub(crate) to: String,
    /// Where it dials from; wherever the system likes at first.
    pub(crate) from: Option<Ipv4Addr>,
    /// What crosses, TLS and all; and what is inside of TLS: the upgrade and WebSocket.
    pub(crate) wire: Arc<Traffic>,
    pub(crate) inside: Arc<Traffic>,
    /// Of the last session.
    pub(crate) handshake: Option<HandshakeKind>,
    identity: HostileDevice,
    device: Device,
    began: Instant,
    came: Vec<(DocumentId, Received)>,
}

impl Light {
    pub(crate) fn new(index: usize, identity: HostileDevice) -> Self {
        Self {
            index,
            to: resolved(identity.address()).to_string(),
            from: None,
            wire: Arc::default(),
            inside: Arc::default(),
            handshake: None,
            identity,
            device: Device::new(Kept::default()),
            began: Instant::now(),
            came: Vec::new(),
        }
    }

    pub(crate) fn tls(&self) -> Arc<rustls::ClientConfig> {
        self.identity.tls()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// Keeps a session alive until `end`, and gives itself back.
    pub(crate) async fn keep(
        mut self,
        end: CancellationToken,
        came: UnboundedSender<Came>,
    ) -> Self {
        let mut failures = 0_u32;
        while !end.is_cancelled() {
            let ended = tokio::select! {
                ended = self.session(&came) => ended,
                () = end.cancelled() => break,
            };
            failures = if self.device.is_welcomed() {
                0
            } else {
                failures + 1
            };
            let ceiling_ms = BACKOFF_MS_START
                .saturating_mul(1 << failures.min(16))
                .min(BACKOFF_MS_MAX);
            let wait_ms = fastrand::u64(ceiling_ms / 2..=ceiling_ms).max(ended.retry_after_ms);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                () = end.cancelled() => {}
            }
        }
        self.device.hang_up();
        self
    }

    async fn session(&mut self, came: &UnboundedSender<Came>) -> Ended {
        match self.talk(came).await {
            Ok(ended) => ended,
            Err(error) => {
                // In a storm a refused dial is a part of what is measured.
                tracing::debug!(device = self.index, %error, "no session");
                Ended::default()
            }
        }
    }

    async fn talk(&mut self, came: &UnboundedSender<Came>) -> Result<Ended, LinkError> {
        let stream = self.secured().await?;
        let hello = self.device.dial(self.identity.hello().shift, self.now_ms());
        let mut socket = self.opened(stream, &hello).await?;
        loop {
            let until_ms = loop {
                match self.device.next(self.now_ms()) {
                    Next::Send(frame) => socket.send(Message::Binary(frame.into())).await?,
                    Next::FetchChunk { blob, offset, .. } => {
                        self.device.chunk(blob, offset, vec![], self.now_ms());
                    }
                    Next::Wait { until_ms } => break until_ms,
                    Next::Dead => return Ok(Ended::default()),
                }
            };
            let nap = Duration::from_millis(until_ms.saturating_sub(self.now_ms()));
            let message = tokio::select! {
                message = socket.next() => message,
                () = tokio::time::sleep(nap) => continue,
            };
            let at = Instant::now();
            let Some(message) = message else {
                return Ok(Ended::default());
            };
            let Message::Binary(message) = message? else {
                self.device.heard(self.now_ms());
                continue;
            };
            if let Some(ended) = self.take(&message, at, came) {
                return Ok(ended);
            }
        }
    }

    fn take(&mut self, message: &[u8], at: Instant, came: &UnboundedSender<Came>) -> Option<Ended> {
        let effects = self.device.message(message, self.now_ms()).unwrap();
        for store in effects.store {
            let Store::Changes {
                document, changes, ..
            } = store
            else {
                continue;
            };
            for change in changes {
                let _ = came.send(Came {
                    device: self.index,
                    document,
                    seq: change.seq,
                    at,
                    is_note: is_note(&change.body),
                });
                self.came.push((document, change));
            }
        }
        self.device.committed();
        effects.bye.map(|bye| Ended {
            retry_after_ms: bye.retry_after_ms,
        })
    }

    async fn secured(&mut self) -> Result<Counted<TlsStream<Counted<TcpStream>>>, LinkError> {
        let address: SocketAddr = self.to.parse().unwrap();
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = self.from {
            socket.bind(SocketAddrV4::new(from, 0).into())?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = Counted::new(stream, self.wire.clone());
        let name = address.ip().to_string().try_into().unwrap();
        let stream = TlsConnector::from(self.identity.tls())
            .connect(name, stream)
            .await?;
        self.handshake = stream.get_ref().1.handshake_kind();
        Ok(Counted::new(stream, self.inside.clone()))
    }

    async fn opened(
        &self,
        stream: Counted<TlsStream<Counted<TcpStream>>>,
        hello: &Hello,
    ) -> Result<Socket, LinkError> {
        let mut request = format!("wss://{}/v1/sync", self.to).into_client_request()?;
        let hello = BASE64URL_NOPAD.encode(&encode(hello)).parse().unwrap();
        request.headers_mut().insert(HELLO_HEADER, hello);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0);
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
        Ok(socket)
    }

    /// Everything that came so far, written out: proof that it was all there.
    pub(crate) fn read(&self) -> Vec<(DocumentId, u64, Entry)> {
        let mut held: HashMap<(DocumentId, u64), Standing> = HashMap::new();
        let mut entries = Vec::with_capacity(self.came.len());
        for (document, change) in &self.came {
            let place = Place {
                seq: change.seq,
                received_ms: change.received_ms,
            };
            let inspected = match &change.body {
                Unpacked::Change(bytes) => inspect(bytes),
                Unpacked::Brief(brief) => {
                    let standing = |seq| held.get(&(*document, seq)).copied();
                    inspect(&brief::restore(brief, place, standing).unwrap().bytes)
                }
            }
            .unwrap();
            let standing = Standing {
                hash: inspected.hash,
                id: inspected.id,
                max_op: inspected.max_op,
            };
            held.insert((*document, place.seq), standing);
            entries.push((*document, place.seq, inspected.written.entry));
        }
        entries
    }
}

/// Whether an entry is a note: told from a brief's own CBOR, where the fields' names and
/// texts stand as they are, since writing all of them out is not measured.
fn is_note(body: &Unpacked) -> bool {
    const KIND: &[u8] = b"\x64kind\x64note";
    match body {
        Unpacked::Brief(brief) => brief.windows(KIND.len()).any(|part| part == KIND),
        Unpacked::Change(bytes) => {
            inspect(bytes).is_ok_and(|change| matches!(change.written.entry, Entry::Note(_)))
        }
    }
}

/// Loopback has names and addresses of both kinds; devices dial from IPv4.
fn resolved(address: &str) -> SocketAddr {
    let mut found = address.to_socket_addrs().unwrap();
    found.find(SocketAddr::is_ipv4).unwrap()
}

/// How a session ended.
#[derive(Debug, Default)]
struct Ended {
    retry_after_ms: u64,
}

#[derive(Debug)]
struct LinkError(String);

impl std::fmt::Display for LinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for LinkError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
