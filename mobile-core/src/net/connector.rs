//! A stream of bytes to the center, as this device.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::NetError;

/// Bytes both ways.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

pub type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<Box<dyn Connection>, NetError>> + Send + 'a>>;

pub trait Connector: Send + Sync + fmt::Debug {
    /// To `center` (`host:port`).
    fn connect<'a>(&'a self, center: &'a str, tls: Arc<ClientConfig>) -> Connecting<'a>;
}

/// How long the network may take to answer the first packet of a dial. Short, since on a
/// link that comes and goes the next dial finds it sooner than the kernel's own second try
/// does, which waits twice as long each time.
const ANSWER_MS_MAX: u64 = 1_500;
/// … and how long one dial in four may, for links whose round trip is longer.
const ANSWER_MS_MAX_PATIENT: u64 = 8_000;
/// How long the network may take to answer the dial of this number.
pub(crate) fn answer_ms_max(dial: u32) -> u64 {
    match dial % 4 {
        3 => ANSWER_MS_MAX_PATIENT,
        _ => ANSWER_MS_MAX,
    }
}

/// What may lie in the kernel's buffer and is not sent yet: a caution cannot pass it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOT_SENT_BYTES_MAX: u32 = 4 * 1024;

/// TLS over TCP.
#[derive(Debug, Default)]
pub(crate) struct TlsConnector {
    dials: AtomicU32,
}

impl TlsConnector {
    async fn reach(&self, center: &str) -> Result<TcpStream, NetError> {
        let dial = self.dials.fetch_add(1, Ordering::Relaxed);
        let answer = timeout(
            Duration::from_millis(answer_ms_max(dial)),
            TcpStream::connect(center),
        );
        let stream = match answer.await {
            Ok(Ok(stream)) => stream,
            // Somebody is there and says no.
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Err(NetError::Connect(error));
            }
            Ok(Err(error)) => return Err(NetError::NoWay(error)),
            Err(_) => return Err(NetError::NoWay(io::ErrorKind::TimedOut.into())),
        };
        // A note is one small write: it does not wait for more.
        stream.set_nodelay(true).map_err(NetError::Connect)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        SockRef::from(&stream)
            .set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX)
            .map_err(NetError::Connect)?;
        Ok(stream)
    }
}

impl Connector for TlsConnector {
    fn connect<'a>(&'a self, center: &'a str, tls: Arc<ClientConfig>) -> Connecting<'a> {
        Box::pin(async move {
            let wrong = || NetError::Address(center.chars().take(100).collect());
            let (host, _) = center.rsplit_once(':').ok_or_else(wrong)?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
            let stream = self.reach(center).await?;
            let connector = tokio_rustls::TlsConnector::from(tls);
            let stream = connector.connect(name, stream).await;
            let stream = stream.map_err(|error: io::Error| NetError::Connect(error))?;
            Ok(Box::new(stream) as Box<dyn Connection>)
        })
    }
}
