//! A light device: the real protocol over TLS with a certificate of its own, without a
//! store. It reports *delivered* at once, and when each note came and in how many bytes.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use data_encoding::BASE64URL_NOPAD;
use forerunner_tests::HostileDevice;
use futures_util::{SinkExt, StreamExt};
use packet::{DocumentId, Entry, Inspected, inspect};
use sync::brief::{self, Place, Standing};
use sync::codec::Unpacked;
use sync::device::{Device, Kept, Next, Received, Store};
use sync::frame::{HELLO_HEADER, encode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// A note that came: its text, and when.
pub(crate) type Came = (String, Instant);

/// A socket that counts what comes out of it, TLS and all.
struct Counted {
    inner: TcpStream,
    bytes: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.bytes
            .fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// What a brief stands on: all that a light device keeps.
#[derive(Default)]
struct Held(HashMap<(DocumentId, u64), Standing>);

impl Held {
    fn take(&mut self, document: DocumentId, change: &Received) -> Inspected {
        let place = Place {
            seq: change.seq,
            received_ms: change.received_ms,
        };
        let change = match &change.body {
            Unpacked::Change(bytes) => inspect(bytes).unwrap(),
            Unpacked::Brief(brief) => {
                let standing = |seq| self.0.get(&(document, seq)).copied();
                inspect(&brief::restore(brief, place, standing).unwrap().bytes).unwrap()
            }
        };
        let (hash, id, max_op) = (change.hash, change.id, change.max_op);
        let standing = Standing { hash, id, max_op };
        self.0.insert((document, place.seq), standing);
        change
    }
}

/// Connects, and runs until the center goes. `bytes` counts what came down.
pub(crate) async fn run(
    identity: HostileDevice,
    bytes: Arc<AtomicU64>,
    came: UnboundedSender<Came>,
) {
    let mut device = Device::new(Kept::default());
    let began = Instant::now();
    let now_ms = || u64::try_from(began.elapsed().as_millis()).unwrap();
    let hello = device.dial(identity.hello().shift, 0);
    let stream = TcpStream::connect(identity.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = identity
        .address()
        .split(':')
        .next()
        .unwrap()
        .to_owned()
        .try_into()
        .unwrap();
    let stream = Counted {
        inner: stream,
        bytes,
    };
    let stream = TlsConnector::from(identity.tls())
        .connect(name, stream)
        .await
        .unwrap();
    let mut request = format!("wss://{}/v1/sync", identity.address())
        .into_client_request()
        .unwrap();
    request.headers_mut().insert(
        HELLO_HEADER,
        BASE64URL_NOPAD.encode(&encode(&hello)).parse().unwrap(),
    );
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let mut held = Held::default();
    loop {
        while let Next::Send(frame) = device.next(now_ms()) {
            socket.send(Message::Binary(frame.into())).await.unwrap();
        }
        let Some(Ok(message)) = socket.next().await else {
            return;
        };
        let Message::Binary(frame) = message else {
            continue;
        };
        let at = Instant::now();
        for store in device.message(&frame, now_ms()).unwrap().store {
            let Store::Changes {
                document, changes, ..
            } = store
            else {
                continue;
            };
            for change in changes {
                let change = held.take(document, &change);
                if let Entry::Note(note) = change.written.entry {
                    let _ = came.send((note.text, at));
                }
            }
        }
        device.committed();
    }
}
