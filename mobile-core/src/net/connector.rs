//! A stream of bytes to the center, as this device.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

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

/// TLS over TCP.
#[derive(Debug)]
pub(crate) struct TlsConnector;

impl Connector for TlsConnector {
    fn connect<'a>(&'a self, center: &'a str, tls: Arc<ClientConfig>) -> Connecting<'a> {
        Box::pin(async move {
            let wrong = || NetError::Address(center.chars().take(100).collect());
            let (host, _) = center.rsplit_once(':').ok_or_else(wrong)?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
            let stream = TcpStream::connect(center)
                .await
                .map_err(NetError::Connect)?;
            // A note is one small write: it does not wait for more.
            stream.set_nodelay(true).map_err(NetError::Connect)?;
            let connector = tokio_rustls::TlsConnector::from(tls);
            let stream = connector.connect(name, stream).await;
            let stream = stream.map_err(|error: io::Error| NetError::Connect(error))?;
            Ok(Box::new(stream) as Box<dyn Connection>)
        })
    }
}
