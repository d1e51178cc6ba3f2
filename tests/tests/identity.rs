//! Device and center meet for the first time: the two sides of identity, which
//! live in crates that do not know each other.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::Extension;
use axum::routing::get;
use mobile_core::identity::{
    Signer, SignerError, SoftwareSigner, client_config, seal_to_center, signing_request,
};
use rustls::{ClientConfig, HandshakeKind, NamedGroup};
use server::accept::{AcceptLimits, Drained, Peer, serve};
use server::identity::{CenterKeys, IssuedCertificate, KeyExchange, server_config};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// Phone hardware in miniature: signs, counts how often, and can be locked.
#[derive(Debug)]
struct CountingSigner {
    key: SoftwareSigner,
    signatures: AtomicUsize,
}

impl Signer for CountingSigner {
    fn public_key(&self) -> Vec<u8> {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.signatures.fetch_add(1, Ordering::Relaxed);
        self.key.sign(message)
    }
}

struct Center {
    keys: CenterKeys,
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<Drained>,
    _dir: TempDir,
}

/// What one connection was, and what the center's route said of it.
#[derive(Debug)]
struct Contact {
    answer: String,
    handshake: HandshakeKind,
    group: NamedGroup,
}

fn keys() -> (TempDir, CenterKeys) {
    let dir = tempfile::tempdir().unwrap();
    let names = ["localhost".into(), "127.0.0.1".into()];
    let keys = CenterKeys::open_or_create(&dir.path().join("keys"), &names).unwrap();
    (dir, keys)
}

impl Center {
    async fn start(key_exchange: KeyExchange) -> Self {
        let (dir, keys) = keys();
        let tls = server_config(&keys, key_exchange).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new().route(
            "/",
            get(|Extension(peer): Extension<Peer>| async move {
                peer.device.map_or("nobody".into(), |device| {
                    format!("device {} of {}", device.device, device.agency)
                })
            }),
        );
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(
            listener,
            Some(tls),
            app,
            AcceptLimits::default(),
            shutdown.clone(),
        ));
        Self {
            keys,
            address,
            shutdown,
            served,
            _dir: dir,
        }
    }

    fn enrol(&self, signer: &Arc<dyn Signer>) -> IssuedCertificate {
        let request = signing_request(signer).unwrap();
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis();
        self.keys
            .issue_device(&request, 7, "City Police", now_ms.try_into().unwrap(), 12)
            .unwrap()
    }

    async fn contact(
        &self,
        config: &Arc<ClientConfig>,
        name: &'static str,
    ) -> std::io::Result<Contact> {
        let exchange = async {
            let stream = TcpStream::connect(self.address).await?;
            let mut stream = TlsConnector::from(config.clone())
                .connect(name.try_into().unwrap(), stream)
                .await?;
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            let tls = stream.get_ref().1;
            Ok(Contact {
                answer: answer.rsplit("\r\n").next().unwrap().into(),
                handshake: tls.handshake_kind().unwrap(),
                group: tls.negotiated_key_exchange_group().unwrap().name(),
            })
        };
        timeout(Duration::from_secs(20), exchange)
            .await
            .expect("a handshake on loopback")
    }
}

fn counting() -> (Arc<CountingSigner>, Arc<dyn Signer>) {
    let signer = Arc::new(CountingSigner {
        key: SoftwareSigner::generate().unwrap(),
        signatures: AtomicUsize::new(0),
    });
    (signer.clone(), signer)
}

#[tokio::test]
async fn a_device_enrols_and_is_known_by_its_certificate_from_then_on() {
    let center = Center::start(KeyExchange::Classical).await;
    let stranger = client_config(center.keys.ca_certificate_der(), None).unwrap();
    for name in ["localhost", "127.0.0.1"] {
        assert_eq!(
            center.contact(&stranger, name).await.unwrap().answer,
            "nobody"
        );
    }

    let (_, signer) = counting();
    let issued = center.enrol(&signer);
    assert_eq!(issued.public_key, signer.public_key());
    let device =
        client_config(center.keys.ca_certificate_der(), Some((issued.der, signer))).unwrap();
    let contact = center.contact(&device, "localhost").await.unwrap();
    assert_eq!(contact.answer, "device 7 of City Police");
    assert_eq!(contact.group, NamedGroup::X25519);

    center.shutdown.cancel();
    assert_eq!(center.served.await.unwrap(), Drained { connections_cut: 0 });
}

#[tokio::test]
async fn a_device_that_comes_back_is_known_without_its_key_signing_again() {
    let center = Center::start(KeyExchange::Classical).await;
    let (count, signer) = counting();
    let issued = center.enrol(&signer);
    let device =
        client_config(center.keys.ca_certificate_der(), Some((issued.der, signer))).unwrap();
    let first = center.contact(&device, "localhost").await.unwrap();
    let signatures = count.signatures.load(Ordering::Relaxed);
    let second = center.contact(&device, "localhost").await.unwrap();
    assert_eq!(first.handshake, HandshakeKind::Full);
    assert_eq!(second.handshake, HandshakeKind::Resumed);
    assert_eq!(second.answer, "device 7 of City Police");
    assert_eq!(count.signatures.load(Ordering::Relaxed), signatures);
}

#[tokio::test]
async fn a_center_that_asks_for_post_quantum_keys_gets_them_from_the_same_device() {
    let center = Center::start(KeyExchange::PostQuantum).await;
    let config = client_config(center.keys.ca_certificate_der(), None).unwrap();
    let contact = center.contact(&config, "localhost").await.unwrap();
    assert_eq!(contact.group, NamedGroup::X25519MLKEM768);
    assert_eq!(contact.handshake, HandshakeKind::FullWithHelloRetryRequest);
}

#[tokio::test]
async fn a_device_speaks_to_no_center_but_its_own() {
    let center = Center::start(KeyExchange::Classical).await;
    let (_dir, other) = keys();
    let config = client_config(other.ca_certificate_der(), None).unwrap();
    center.contact(&config, "localhost").await.unwrap_err();
    let config = client_config(center.keys.ca_certificate_der(), None).unwrap();
    center
        .contact(&config, "elsewhere.example")
        .await
        .unwrap_err();
}

#[test]
fn what_a_device_seals_only_its_center_opens() {
    let (_dir, center) = keys();
    let (_other_dir, other) = keys();
    let sealed = seal_to_center(
        &center.sealing_public_key(),
        b"outbox",
        b"device-7",
        b"a note",
    )
    .unwrap();
    assert_eq!(
        center.unseal(b"outbox", b"device-7", &sealed).unwrap(),
        b"a note"
    );
    center.unseal(b"outbox", b"device-8", &sealed).unwrap_err();
    other.unseal(b"outbox", b"device-7", &sealed).unwrap_err();
    let empty = seal_to_center(&center.sealing_public_key(), b"", b"", b"").unwrap();
    assert_eq!(center.unseal(b"", b"", &empty).unwrap(), b"");
}
