//! One request, one answer, one connection: enrolment, sign-on, what is sealed.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;

use super::{CONNECT_MS_MAX, Connector, NetError, reason};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The answer's body, when the center says yes (2xx).
pub(crate) async fn ask(
    connector: &dyn Connector,
    center: &str,
    tls: Arc<ClientConfig>,
    method: Method,
    path: &str,
    content_type: &str,
    body: Vec<u8>,
) -> Result<Vec<u8>, NetError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, center)
        .header(CONTENT_TYPE, content_type)
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| NetError::Answer(error.to_string()))?;
    let exchange = async {
        let stream = connector.connect(center, tls).await?;
        send(TokioIo::new(stream), request).await
    };
    tokio::time::timeout(Duration::from_millis(CONNECT_MS_MAX), exchange)
        .await
        .map_err(|_| NetError::TimedOut)?
}

async fn send(
    stream: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send,
    request: Request<Full<Bytes>>,
) -> Result<Vec<u8>, NetError> {
    let broken = |error: hyper::Error| NetError::Answer(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(broken)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let body = body
            .await
            .map_err(|error| NetError::Answer(error.to_string()))?
            .to_bytes();
        if status.is_success() {
            Ok(body.to_vec())
        } else {
            Err(NetError::Refused {
                status: status.as_u16(),
                reason: reason(status.as_u16(), &body),
            })
        }
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => {
            ended.map_err(broken)?;
            // The connection ends with the answer already here.
            exchange.await
        }
    }
}
