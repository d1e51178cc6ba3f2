//! The own accept loop, where a connection is worth nothing until it has spoken.
//!
//! `axum::serve` gives hyper no timer, so its header timeout does not work and a
//! client that sends a header for ever holds its connection for ever
//! (slowloris). Here each step before a request has its time (handshake, header),
//! connections are counted, in all and by address, and a socket counts until it
//! is closed: a WebSocket that has left HTTP behind still does.
//!
//! A request finds its [`Peer`] among its extensions. What the peer may do is
//! decided by the routes.
//!
//! A body that trickles is the routes' to limit, and a WebSocket's silence its
//! session's: only they know what they wait for.

mod connections;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::identity::{DevicePeer, RENEWED_LATE_MS_MAX, peer_of};
use connections::{Connections, Held};

/// hyper's own lower bound for a connection's read buffer.
const HEADER_BYTES_LEAST: usize = 8 * 1024;
/// How long the loop rests when the machine has no socket to give (EMFILE, ENFILE,
/// ENOBUFS): at once would be a busy loop, since the connection stays in the queue.
const REST_AFTER_ERROR: Duration = Duration::from_millis(100);

/// What the loop grants to those it does not know yet.
#[derive(Debug, Clone)]
pub struct AcceptLimits {
    pub connections_max: usize,
    /// By IPv4 address or IPv6 /64. Generous, because a whole agency may come
    /// through the one address of its mobile VPN.
    pub connections_per_address_max: usize,
    /// Of one device, as its certificate says: a session, what it asks beside that, and what
    /// is left of those that a dead link has not ended yet.
    pub connections_per_device_max: usize,
    /// From the first byte of TCP to the end of the TLS handshake.
    pub handshake_ms_max: u64,
    /// From being able to ask to having asked: for a header to arrive whole, and
    /// for silence between two requests.
    pub header_ms_max: u64,
    /// At least 8 KiB. A header that does not fit is answered 431.
    pub header_bytes_max: usize,
    /// For answers under way once the center shuts down.
    pub drain_ms_max: u64,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            connections_max: 16 * 1024,
            connections_per_address_max: 4 * 1024,
            connections_per_device_max: 32,
            // At 9,600 bit/s a full handshake takes about 2 s; radio loses some on the way.
            handshake_ms_max: 20_000,
            header_ms_max: 20_000,
            header_bytes_max: 32 * 1024,
            drain_ms_max: 5_000,
        }
    }
}

/// What may lie in the kernel's buffer and is not sent yet.
const NOT_SENT_BYTES_MAX: u32 = 4 * 1024;

/// Who sent a request; in each request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    /// When its connection was accepted, before any handshake.
    pub since: Instant,
    /// The device whose certificate, given by this center, opened the connection.
    pub device: Option<DevicePeer>,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open when the time to drain was over.
    pub connections_cut: usize,
}

/// Where connections come from: the kernel, or a simulated network.
pub trait Listener: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// What is set on a connection before its first byte.
    ///
    /// # Errors
    /// When it is lost already.
    fn prepare(stream: &Self::Stream) -> io::Result<()>;

    /// # Errors
    /// When the system does not tell.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }

    /// Frames are written whole; waiting for more to send only delays them. And what lies
    /// unsent in the kernel is what a caution cannot pass: it takes no more than one frame.
    fn prepare(stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        SockRef::from(stream).set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

/// Takes connections from `listener` and has `app` answer their requests, until
/// `shutdown` is cancelled and what was under way is done or out of time.
///
/// Without `tls` it is plain HTTP, for loopback. An upgraded connection belongs to
/// its session, which must end by the same `shutdown`; here it is only waited for.
pub async fn serve(
    listener: impl Listener,
    tls: Option<Arc<ServerConfig>>,
    app: Router,
    limits: AcceptLimits,
    shutdown: CancellationToken,
) -> Drained {
    let connections = Connections::new(limits.clone());
    Acceptor {
        listener,
        tls,
        app,
        limits,
        shutdown,
        cut: CancellationToken::new(),
        connections,
    }
    .run()
    .await
}

/// The loop. Ends by `shutdown` only: no error of accepting is a reason to stop serving.
struct Acceptor<L> {
    /// Dropped before draining begins, so that whoever dials then is refused by the
    /// kernel and tries another node, instead of waiting in a queue that nobody reads.
    listener: L,
    tls: Option<Arc<ServerConfig>>,
    app: Router,
    limits: AcceptLimits,
    /// Cancelled by whoever ends the center. The loop takes no connection more; a
    /// connection that shakes hands is dropped, one that answers says that this is
    /// its last answer and closes behind it.
    shutdown: CancellationToken,
    /// Cancelled by this loop alone, when the time to drain is over: HTTP
    /// connections still there end in mid-word.
    cut: CancellationToken,
    /// Counts each socket until it is closed. Empty means drained.
    connections: Connections,
}

impl<L: Listener> Acceptor<L> {
    async fn run(self) -> Drained {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => self.take(stream, address),
                Err(error) => {
                    if let Some(rest) = rest_after(&error) {
                        tracing::warn!(%error, "cannot accept connections, trying again");
                        tokio::select! {
                            () = self.shutdown.cancelled() => break,
                            () = sleep(rest) => {}
                        }
                    }
                }
            }
        }
        let Self {
            listener,
            connections,
            cut,
            limits,
            ..
        } = self;
        drop(listener);
        let connections_cut = match timeout(
            Duration::from_millis(limits.drain_ms_max),
            connections.drained(),
        )
        .await
        {
            Ok(()) => 0,
            Err(_) => connections.count(),
        };
        cut.cancel();
        Drained { connections_cut }
    }

    fn take(&self, stream: L::Stream, address: SocketAddr) {
        let Some(stream) = self.connections.hold(stream, address.ip()) else {
            // Closed, not queued: a device that is told at once can try another node.
            tracing::debug!(%address, "too many connections");
            return;
        };
        if let Err(error) = L::prepare(stream.get_ref()) {
            tracing::debug!(%address, %error, "connection lost before it began");
            return;
        }
        let connection = Connection {
            address,
            since: Instant::now(),
            tls: self.tls.clone(),
            app: self.app.clone(),
            limits: self.limits.clone(),
            shutdown: self.shutdown.clone(),
            cut: self.cut.clone(),
        };
        tokio::spawn(async move {
            if let Err(error) = connection.run(stream).await {
                tracing::debug!(%address, %error, "connection ended");
            }
        });
    }
}

/// How long to wait after `accept` failed; `None` where it was the one connection
/// that failed, and the next may be fine.
fn rest_after(error: &io::Error) -> Option<Duration> {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted => None,
        _ => Some(REST_AFTER_ERROR),
    }
}

/// Why a connection ended otherwise than by its own close.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("no TLS handshake in time")]
    HandshakeTimeout,
    #[error("TLS handshake: {0}")]
    Handshake(io::Error),
    #[error("the certificate is not a device's, or its time is over")]
    Certificate,
    #[error("device {0} has too many connections")]
    TooManyOfDevice(u32),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
}

/// One connection, from its socket to its last answer or its upgrade.
struct Connection {
    address: SocketAddr,
    since: Instant,
    tls: Option<Arc<ServerConfig>>,
    app: Router,
    limits: AcceptLimits,
    /// See [`Acceptor::shutdown`].
    shutdown: CancellationToken,
    /// See [`Acceptor::cut`].
    cut: CancellationToken,
}

impl Connection {
    async fn run<S>(mut self, stream: Held<S>) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(tls) = self.tls.take() else {
            return self.http(stream, None).await;
        };
        let handshake = timeout(
            Duration::from_millis(self.limits.handshake_ms_max),
            TlsAcceptor::from(tls).accept(stream),
        );
        let mut stream = tokio::select! {
            () = self.shutdown.cancelled() => return Ok(()),
            shaken = handshake => shaken
                .map_err(|_| ConnectionError::HandshakeTimeout)?
                .map_err(ConnectionError::Handshake)?,
        };
        let certificates = stream.get_ref().1.peer_certificates();
        let device = device_of(certificates.and_then(<[_]>::first), now_ms())?;
        if let Some(device) = &device
            && !stream.get_mut().0.is_of(device.device)
        {
            return Err(ConnectionError::TooManyOfDevice(device.device));
        }
        self.http(stream, device).await
    }

    async fn http<S>(self, stream: S, device: Option<DevicePeer>) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            address,
            since,
            app,
            limits,
            shutdown,
            cut,
            ..
        } = self;
        let peer = Peer {
            address,
            since,
            device,
        };
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            let app = app.clone();
            async move {
                Ok::<Response, Infallible>(
                    app.oneshot(request)
                        .await
                        .unwrap_or_else(|never| match never {}),
                )
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // 37 bytes that nobody needs, at each contact over a slow link.
            .auto_date_header(false)
            .header_read_timeout(Duration::from_millis(limits.header_ms_max))
            .max_buf_size(limits.header_bytes_max.max(HEADER_BYTES_LEAST))
            .serve_connection(TokioIo::new(stream), answer)
            .with_upgrades();
        tokio::pin!(connection);
        let mut last_answer = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => return Ok(ended?),
                () = cut.cancelled() => return Ok(()),
                () = shutdown.cancelled(), if !last_answer => {
                    last_answer = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The device that a finished handshake names, if it names one.
///
/// The time is looked at again because a resumed session is not verified again,
/// and could outlive the certificate that began it by more than it can be renewed late.
fn device_of(
    certificate: Option<&CertificateDer<'_>>,
    now_ms: i64,
) -> Result<Option<DevicePeer>, ConnectionError> {
    let Some(certificate) = certificate else {
        return Ok(None);
    };
    let device = peer_of(certificate).map_err(|_| ConnectionError::Certificate)?;
    if device.not_after_ms.saturating_add(RENEWED_LATE_MS_MAX) < now_ms {
        return Err(ConnectionError::Certificate);
    }
    Ok(Some(device))
}

fn now_ms() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
