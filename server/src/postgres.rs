//! Speaking to an agency's PostgreSQL: where it is, and by TLS where that crosses a network.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, NoTls, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, Socket};
use tokio_rustls::TlsConnector;

/// As the database's own list of connections shows the center.
const APPLICATION: &str = "forerunner";
/// How long a connection may take to be made.
const CONNECT_MS_MAX: u64 = 10_000;

/// Which part of a configuration does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Url,
    Ca,
}

/// Where a database is and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Place {
    config: Config,
    tls: Option<Rustls>,
}

impl std::fmt::Debug for Place {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("hosts", &self.config.get_hosts())
            .finish_non_exhaustive()
    }
}

impl Place {
    /// `url` is `postgresql://user@host:port/database`, without a password. With `ca` (a
    /// file of certificates in PEM) it is spoken to by TLS and no other way; without, only
    /// on this machine.
    ///
    /// # Errors
    /// Which of the two does not hold, and what was wanted.
    pub(crate) fn parse(
        url: &str,
        password: Option<&str>,
        ca: Option<&Path>,
    ) -> Result<Self, (Field, String)> {
        let wanted = |why: &str| {
            let wanted = format!("postgresql://user@host:port/database without a password: {why}");
            Err((Field::Url, wanted))
        };
        let mut config: Config = match url.parse() {
            Ok(config) => config,
            Err(e) => return wanted(&why(&e)),
        };
        if config.get_password().is_some() {
            return wanted("its place is the secret");
        }
        if config.get_hosts().is_empty() {
            return wanted("there is no host");
        }
        let tls = match ca {
            Some(ca) => Some(Rustls::new(ca).map_err(|wanted| (Field::Ca, wanted))?),
            None if config.get_hosts().iter().all(is_here) => None,
            None => {
                let wanted = "the file of the certificate authority that vouches for it: what is asked crosses a network";
                return Err((Field::Ca, wanted.into()));
            }
        };
        let mode = if tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        };
        config
            .ssl_mode(mode)
            .application_name(APPLICATION)
            .connect_timeout(Duration::from_millis(CONNECT_MS_MAX));
        if let Some(password) = password {
            config.password(password);
        }
        Ok(Self { config, tls })
    }

    /// A connection; it lives as long as the client.
    ///
    /// # Errors
    /// Why there is none; [`why`] says it in words.
    pub(crate) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(connection);
                Ok(client)
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                Ok(client)
            }
        }
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

/// What the database, or the way to it, says is wrong: one line.
pub(crate) fn why(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().replace('\n', " ");
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().replace('\n', " ")
}

/// Whether it is its certificate that does not hold.
pub(crate) fn is_certificate(error: &tokio_postgres::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        let wrapped = io.and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>());
        let tls = wrapped.or_else(|| error.downcast_ref::<rustls::Error>());
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// TLS for a PostgreSQL connection.
#[derive(Clone)]
struct Rustls(Arc<ClientConfig>);

impl Rustls {
    fn new(ca: &Path) -> Result<Self, String> {
        let wrong =
            |e: &dyn std::fmt::Display| format!("certificates in PEM in {}: {e}", ca.display());
        let pem = std::fs::read(ca).map_err(|e| wrong(&e))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|e| wrong(&e))?;
            roots.add(certificate).map_err(|e| wrong(&e))?;
        }
        if roots.is_empty() {
            return Err(wrong(&"there is none"));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(&e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

impl MakeTlsConnect<Socket> for Rustls {
    type Stream = RustlsStream;
    type TlsConnect = Handshake;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Handshake, Self::Error> {
        let name = ServerName::try_from(domain.to_owned())?;
        Ok(Handshake(TlsConnector::from(self.0.clone()), name))
    }
}

struct Handshake(TlsConnector, ServerName<'static>);

type Shaking = Pin<Box<dyn Future<Output = io::Result<RustlsStream>> + Send>>;

impl TlsConnect<Socket> for Handshake {
    type Stream = RustlsStream;
    type Error = io::Error;
    type Future = Shaking;

    fn connect(self, stream: Socket) -> Shaking {
        Box::pin(async move {
            let stream = self.0.connect(self.1, stream).await?;
            Ok(RustlsStream(Box::new(stream)))
        })
    }
}

struct RustlsStream(Box<tokio_rustls::client::TlsStream<Socket>>);

impl TlsStream for RustlsStream {
    /// The certificate has been verified against one authority: binding the password to the
    /// channel besides would need its signature's hash, and tell no more.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for RustlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for RustlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_across_a_network_wants_an_authority_and_no_password_in_its_address() {
        for (url, field, wanted) in [
            (
                "postgresql://a@db.example.org/cad",
                Field::Ca,
                "certificate authority",
            ),
            (
                "postgresql://a:hunter2@localhost/cad",
                Field::Url,
                "its place is the secret",
            ),
            ("postgresql:///cad", Field::Url, "there is no host"),
            (
                "postgresql://a@localhost:x/cad",
                Field::Url,
                "postgresql://user@host",
            ),
        ] {
            let (at, why) = Place::parse(url, None, None).unwrap_err();
            assert_eq!(at, field, "{url}: {why}");
            assert!(
                why.contains(wanted) && !why.contains("hunter2"),
                "{url}: {why}"
            );
        }
        for url in [
            "postgresql://a@localhost/cad",
            "postgresql://a@127.0.0.1:5/cad",
        ] {
            let place = Place::parse(url, Some("hunter2"), None).unwrap();
            assert!(!format!("{place:?}").contains("hunter2"));
        }
    }
}
