//! Real sockets against the loop; each waits for the event that it is about, and
//! [`soon`] only ends a test that has already failed.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Extension;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::identity::{CenterKeys, KeyExchange, server_config};

const LONG_MS: u64 = 60_000;
const TINY_MS: u64 = 30;

fn patient() -> AcceptLimits {
    AcceptLimits {
        connections_max: 100,
        connections_per_address_max: 100,
        connections_per_device_max: 100,
        handshake_ms_max: LONG_MS,
        header_ms_max: LONG_MS,
        header_bytes_max: 8 * 1024,
        drain_ms_max: LONG_MS,
    }
}

async fn soon<T>(event: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), event)
        .await
        .expect("the event that this test awaits")
}

struct TestCenter {
    keys: CenterKeys,
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<Drained>,
    /// Told when a request to `/slow` has arrived.
    arrived: Arc<Notify>,
    /// Ends requests to `/slow` and upgraded connections to `/up`.
    release: CancellationToken,
    requests: Arc<AtomicUsize>,
    _dir: tempfile::TempDir,
}

impl TestCenter {
    async fn start(limits: AcceptLimits, with_tls: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys =
            CenterKeys::open_or_create(&dir.path().join("keys"), &["localhost".into()]).unwrap();
        let tls = with_tls.then(|| server_config(&keys, KeyExchange::Classical).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let (arrived, release) = (Arc::new(Notify::new()), CancellationToken::new());
        let requests = Arc::new(AtomicUsize::new(0));
        let app = app(arrived.clone(), release.clone(), requests.clone());
        let served = tokio::spawn(serve(listener, tls, app, limits, shutdown.clone()));
        Self {
            keys,
            address,
            shutdown,
            served,
            arrived,
            release,
            requests,
            _dir: dir,
        }
    }

    async fn dial(&self) -> TcpStream {
        soon(TcpStream::connect(self.address)).await.unwrap()
    }

    async fn dial_tls(&self, identity: Option<Identity>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(self.keys.ca_certificate_der()))
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some((certificate, key)) => config
                .with_client_auth_cert(vec![certificate], key)
                .unwrap(),
            None => config.with_no_client_auth(),
        };
        let connector = TlsConnector::from(Arc::new(config));
        soon(connector.connect("localhost".try_into().unwrap(), self.dial().await)).await
    }

    async fn stop(self) -> Drained {
        self.shutdown.cancel();
        soon(self.served).await.unwrap()
    }
}

type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn device_of_center(keys: &CenterKeys, device: u32) -> Identity {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let csr = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let issued = keys
        .issue_device(csr.der(), device, "City Police", now_ms(), 12)
        .unwrap();
    (
        CertificateDer::from(issued.der),
        PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    )
}

fn app(arrived: Arc<Notify>, release: CancellationToken, requests: Arc<AtomicUsize>) -> Router {
    let slow_release = release.clone();
    Router::new()
        .route(
            "/who",
            get(|Extension(peer): Extension<Peer>| async move {
                requests.fetch_add(1, Ordering::Relaxed);
                match peer.device {
                    Some(device) => format!("device {} of {}", device.device, device.agency),
                    None => "no device".into(),
                }
            }),
        )
        .route(
            "/slow",
            get(move || async move {
                arrived.notify_one();
                slow_release.cancelled().await;
                "late"
            }),
        )
        .route(
            "/up",
            get(move |mut request: axum::extract::Request| async move {
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let held = upgrade.await;
                    release.cancelled().await;
                    drop(held);
                });
                let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "test")];
                (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
            }),
        )
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, path: &str) -> io::Result<()> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, upgrade\r\nUpgrade: test\r\n\r\n"
    );
    soon(stream.write_all(request.as_bytes())).await
}

/// Reads until what has come contains `end`; an early end of the connection is an error.
async fn read_to<S: AsyncRead + Unpin>(stream: &mut S, end: &str) -> io::Result<String> {
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains(end) {
        if soon(stream.read_buf(&mut got)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8(got).unwrap())
}

/// Waits for the other side to hang up, politely or not.
async fn read_until_closed<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut got = Vec::new();
    while let Ok(1..) = soon(stream.read_buf(&mut got)).await {}
    got
}

#[tokio::test]
async fn a_header_that_never_ends_loses_its_connection() {
    let limits = AcceptLimits {
        header_ms_max: TINY_MS,
        ..patient()
    };
    for with_tls in [false, true] {
        let center = TestCenter::start(limits.clone(), with_tls).await;
        let begun = b"GET /who HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
        let got = if with_tls {
            let mut stream = center.dial_tls(None).await.unwrap();
            stream.write_all(begun).await.unwrap();
            read_until_closed(&mut stream).await
        } else {
            let mut stream = center.dial().await;
            stream.write_all(begun).await.unwrap();
            read_until_closed(&mut stream).await
        };
        assert!(!String::from_utf8_lossy(&got).contains("no device"));
        assert_eq!(center.requests.load(Ordering::Relaxed), 0);
        assert_eq!(center.stop().await, Drained { connections_cut: 0 });
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_after_the_handshake_or_an_answer_is_closed() {
    let limits = AcceptLimits {
        header_ms_max: TINY_MS,
        ..patient()
    };
    let center = TestCenter::start(limits, true).await;
    let mut silent = center.dial_tls(None).await.unwrap();
    assert!(read_until_closed(&mut silent).await.is_empty());
    // A slow machine may lose the race against so small a limit: ask until answered.
    soon(async {
        loop {
            let mut once = center.dial_tls(None).await.unwrap();
            let asked = ask(&mut once, "/who").await;
            let got = read_until_closed(&mut once).await;
            if asked.is_ok() && String::from_utf8_lossy(&got).contains("no device") {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn silence_in_place_of_a_handshake_is_closed() {
    let limits = AcceptLimits {
        handshake_ms_max: TINY_MS,
        ..patient()
    };
    let center = TestCenter::start(limits, true).await;
    let mut silent = center.dial().await;
    assert!(read_until_closed(&mut silent).await.is_empty());
    assert_eq!(center.stop().await, Drained { connections_cut: 0 });
}

#[tokio::test]
async fn a_header_larger_than_the_limit_is_refused_and_its_connection_closed() {
    let center = TestCenter::start(patient(), false).await;
    let mut stream = center.dial().await;
    let request = format!(
        "GET /who HTTP/1.1\r\nHost: localhost\r\nX-Big: {}\r\n\r\n",
        "x".repeat(16 * 1024)
    );
    // The center may hang up before all of it is sent.
    let _ = stream.write_all(request.as_bytes()).await;
    read_until_closed(&mut stream).await;
    assert_eq!(center.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn one_address_gets_only_its_share_and_gets_it_back_when_a_connection_ends() {
    let limits = AcceptLimits {
        connections_per_address_max: 2,
        ..patient()
    };
    let center = TestCenter::start(limits, false).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = center.dial().await;
        ask(&mut stream, "/who").await.unwrap();
        read_to(&mut stream, "no device").await.unwrap();
        held.push(stream);
    }
    assert!(read_until_closed(&mut center.dial().await).await.is_empty());

    held.pop();
    // The center learns of the closed socket in its own time: dial until it has.
    soon(async {
        loop {
            let mut stream = center.dial().await;
            let asked = ask(&mut stream, "/who").await;
            if asked.is_ok() && read_to(&mut stream, "no device").await.is_ok() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_upgraded_connection_keeps_its_place_until_its_socket_closes() {
    let limits = AcceptLimits {
        connections_max: 1,
        ..patient()
    };
    let center = TestCenter::start(limits, false).await;
    let mut upgraded = center.dial().await;
    ask(&mut upgraded, "/up").await.unwrap();
    assert!(
        read_to(&mut upgraded, "\r\n\r\n")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 101")
    );
    assert!(read_until_closed(&mut center.dial().await).await.is_empty());

    let TestCenter {
        shutdown,
        served,
        release,
        ..
    } = center;
    shutdown.cancel();
    release.cancel();
    assert_eq!(soon(served).await.unwrap(), Drained { connections_cut: 0 });
}

#[tokio::test]
async fn a_route_learns_whether_and_which_device_is_calling() {
    let center = TestCenter::start(patient(), true).await;
    let mut nobody = center.dial_tls(None).await.unwrap();
    ask(&mut nobody, "/who").await.unwrap();
    read_to(&mut nobody, "no device").await.unwrap();

    let mut device = center
        .dial_tls(Some(device_of_center(&center.keys, 7)))
        .await
        .unwrap();
    ask(&mut device, "/who").await.unwrap();
    read_to(&mut device, "device 7 of City Police")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_center_or_past_its_time_is_refused() {
    let center = TestCenter::start(patient(), true).await;
    let dir = tempfile::tempdir().unwrap();
    let other =
        CenterKeys::open_or_create(&dir.path().join("keys"), &["localhost".into()]).unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let csr = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let long_ago = now_ms() - 2 * 60 * 60 * 1000 - RENEWED_LATE_MS_MAX;
    let past = center
        .keys
        .issue_device(csr.der(), 7, "City Police", long_ago, 1)
        .unwrap();
    let past = (
        CertificateDer::from(past.der),
        PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    );

    for identity in [device_of_center(&other, 7), past] {
        // In TLS 1.3 the client is done before the server has judged: the refusal
        // comes with the first read, if not before.
        let refused = async {
            let mut stream = center.dial_tls(Some(identity)).await?;
            ask(&mut stream, "/who").await?;
            read_to(&mut stream, "device").await
        };
        refused.await.unwrap_err();
    }
    assert_eq!(center.requests.load(Ordering::Relaxed), 0);
}

#[test]
fn a_resumed_session_does_not_outlive_the_time_in_which_its_certificate_can_be_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let keys = CenterKeys::open_or_create(&dir.path().join("keys"), &["localhost".into()]).unwrap();
    let (certificate, _) = device_of_center(&keys, 7);
    let device = device_of(Some(&certificate), now_ms()).unwrap().unwrap();
    assert_eq!(device.device, 7);
    let renewed_until_ms = device.not_after_ms + RENEWED_LATE_MS_MAX;
    assert!(device_of(Some(&certificate), renewed_until_ms).is_ok());
    assert!(device_of(Some(&certificate), renewed_until_ms + 1).is_err());
}

#[tokio::test]
async fn shutting_down_lets_an_answer_finish_and_takes_nobody_new() {
    let center = TestCenter::start(patient(), false).await;
    let mut stream = center.dial().await;
    ask(&mut stream, "/slow").await.unwrap();
    soon(center.arrived.notified()).await;
    center.shutdown.cancel();
    soon(async { while TcpStream::connect(center.address).await.is_ok() {} }).await;
    center.release.cancel();
    let got = read_until_closed(&mut stream).await;
    assert!(String::from_utf8_lossy(&got).ends_with("late"));
    assert_eq!(center.stop().await, Drained { connections_cut: 0 });
}

#[tokio::test]
async fn an_answer_that_does_not_come_within_the_drain_is_cut_and_counted() {
    let center = TestCenter::start(
        AcceptLimits {
            drain_ms_max: TINY_MS,
            ..patient()
        },
        false,
    )
    .await;
    let mut stream = center.dial().await;
    ask(&mut stream, "/slow").await.unwrap();
    soon(center.arrived.notified()).await;
    assert_eq!(center.stop().await, Drained { connections_cut: 1 });
    assert!(read_until_closed(&mut stream).await.is_empty());
}

#[test]
fn the_loop_rests_when_sockets_run_out_and_not_for_one_lost_connection() {
    // EMFILE, as Linux and macOS number it.
    assert_eq!(
        rest_after(&io::Error::from_raw_os_error(24)),
        Some(REST_AFTER_ERROR)
    );
    assert_eq!(rest_after(&io::ErrorKind::ConnectionAborted.into()), None);
}
