//! One WebSocket to the center, as two bounded channels of whole frames.
//!
//! The hello rides in the upgrade request. The channel up holds one frame: what to
//! send is chosen when the link can take it, so that a caution passes what waits.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sync::frame::{HELLO_HEADER, Hello, encode};
use sync::limits::{FRAME_BYTES_MAX, SILENCE_MS_MAX};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Connection, NetError, reason};

/// Frames that were received and wait for their commit.
const DOWN_FRAMES_MAX: usize = 64;
const READ_BUFFER_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) enum Heard {
    Frame(Vec<u8>),
    /// Bytes, but no frame: the link lives.
    Life,
    Closed(String),
}

/// Closed when it is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) up: mpsc::Sender<Vec<u8>>,
    pub(crate) down: mpsc::Receiver<Heard>,
    _tasks: JoinSet<()>,
}

type Socket = WebSocketStream<Box<dyn Connection>>;

pub(crate) async fn open(
    stream: Box<dyn Connection>,
    center: &str,
    hello: &Hello,
) -> Result<Link, NetError> {
    let wrong = |error: &dyn std::fmt::Display| NetError::Answer(error.to_string());
    let mut request = format!("wss://{center}/v1/sync")
        .into_client_request()
        .map_err(|error| wrong(&error))?;
    let hello = BASE64URL_NOPAD.encode(&encode(hello));
    let hello = HeaderValue::from_str(&hello).map_err(|error| wrong(&error))?;
    request.headers_mut().insert(HELLO_HEADER, hello);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let (socket, _) = client_async_with_config(request, stream, Some(config))
        .await
        .map_err(|error| match error {
            Error::Http(answer) => {
                let status = answer.status().as_u16();
                let body = answer.body().as_deref().unwrap_or_default();
                NetError::Refused {
                    status,
                    reason: reason(status, body),
                }
            }
            error => wrong(&error),
        })?;
    let (sink, stream) = socket.split();
    let (up, up_frames) = mpsc::channel(1);
    let (down_frames, down) = mpsc::channel(DOWN_FRAMES_MAX);
    let mut tasks = JoinSet::new();
    tasks.spawn(send(sink, up_frames));
    tasks.spawn(receive(stream, down_frames));
    Ok(Link {
        up,
        down,
        _tasks: tasks,
    })
}

/// Until the link takes no more; what it brought before that is still read.
async fn send(mut sink: SplitSink<Socket, Message>, mut frames: mpsc::Receiver<Vec<u8>>) {
    let wait = Duration::from_millis(SILENCE_MS_MAX);
    while let Some(frame) = frames.recv().await {
        let sent = tokio::time::timeout(wait, sink.send(Message::Binary(frame.into()))).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

async fn receive(mut stream: SplitStream<Socket>, frames: mpsc::Sender<Heard>) {
    loop {
        let heard = match stream.next().await {
            Some(Ok(Message::Binary(frame))) => Heard::Frame(frame.into()),
            Some(Ok(Message::Close(_))) | None => Heard::Closed("the center hung up".into()),
            Some(Ok(_)) => Heard::Life,
            Some(Err(error)) => Heard::Closed(format!("the link broke: {error}")),
        };
        let over = matches!(heard, Heard::Closed(_));
        if frames.send(heard).await.is_err() || over {
            return;
        }
    }
}
