//! Made-up agencies' databases over real sockets, well-behaved and not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How a source answers, whatever it is asked.
#[derive(Debug, Clone)]
pub enum Manner {
    /// This status and body, after so many milliseconds.
    Answers {
        status: u16,
        body: String,
        after_ms: u64,
    },
    /// What is no HTTP.
    Garbage,
    /// A body without end, as fast as it is taken.
    Endless,
    /// A header without end.
    EndlessHead,
    /// Takes the connection and closes it.
    Closes,
    /// Takes the question, and says nothing.
    Silent,
    /// Sends elsewhere.
    Redirects { to: String },
    /// A good answer, one byte a second.
    Trickles { body: String },
}

impl Manner {
    /// A 200 at once.
    #[must_use]
    pub fn answers(body: impl Into<String>) -> Self {
        Self::Answers {
            status: 200,
            body: body.into(),
            after_ms: 0,
        }
    }

    /// A status and nothing more, at once.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answers {
            status,
            body: String::new(),
            after_ms: 0,
        }
    }
}

/// Running until it is dropped.
#[derive(Debug)]
pub struct TestSource {
    pub address: SocketAddr,
    /// Of one that speaks TLS, in PEM.
    pub certificate: Option<String>,
    manner: watch::Sender<Manner>,
    seen: Arc<Seen>,
    _serving: JoinSet<()>,
}

/// What it was asked, and what it could say.
#[derive(Debug, Default)]
struct Seen {
    questions: Mutex<Vec<String>>,
    asked: AtomicUsize,
    bytes_sent: AtomicU64,
}

impl TestSource {
    pub async fn start(manner: Manner) -> Self {
        Self::serve(manner, None).await
    }

    /// One that speaks TLS, with a certificate that it made itself.
    pub async fn start_tls(manner: Manner) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let issued = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::serve(manner, Some((acceptor, issued.cert.pem()))).await
    }

    async fn serve(manner: Manner, tls: Option<(TlsAcceptor, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (manner, manners) = watch::channel(manner);
        let seen = Arc::new(Seen::default());
        let mut serving = JoinSet::new();
        let (acceptor, certificate) = tls.unzip();
        serving.spawn(accept(listener, acceptor, manners, seen.clone()));
        Self {
            address,
            certificate,
            manner,
            seen,
            _serving: serving,
        }
    }

    /// From the next question on.
    pub fn behave(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// How many questions have come.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.seen.asked.load(Ordering::SeqCst)
    }

    /// The questions, head and body, as they came.
    pub async fn questions(&self) -> Vec<String> {
        self.seen.questions.lock().await.clone()
    }

    /// How much of its answers was taken from it.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.seen.bytes_sent.load(Ordering::SeqCst)
    }

    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}{path}", self.address)
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    manners: watch::Receiver<Manner>,
    seen: Arc<Seen>,
) {
    let mut talking = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, manners, seen) = (tls.clone(), manners.clone(), seen.clone());
        talking.spawn(async move {
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        talk(stream, manners, &seen).await;
                    }
                }
                None => talk::<TcpStream>(stream, manners, &seen).await,
            }
        });
    }
}

/// One question a connection.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    manners: watch::Receiver<Manner>,
    seen: &Seen,
) {
    let manner = manners.borrow().clone();
    if matches!(manner, Manner::Closes) {
        seen.asked.fetch_add(1, Ordering::SeqCst);
        return;
    }
    let Some(question) = question(&mut stream).await else {
        return;
    };
    seen.questions.lock().await.push(question);
    seen.asked.fetch_add(1, Ordering::SeqCst);
    match manner {
        Manner::Closes => {}
        Manner::Answers {
            status,
            body,
            after_ms,
        } => {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            let head = head(status, "", Some(body.len()));
            say(&mut stream, seen, format!("{head}{body}").as_bytes()).await;
        }
        Manner::Garbage => {
            say(&mut stream, seen, b"\x00\xff\x17garbage\r\n\r\n<<<").await;
        }
        Manner::Endless => {
            if say(&mut stream, seen, head(200, "", None).as_bytes()).await {
                let chunk = vec![b'['; 64 * 1024];
                while say(&mut stream, seen, &chunk).await {}
            }
        }
        Manner::EndlessHead => {
            if say(&mut stream, seen, b"HTTP/1.1 200 OK\r\nx: ").await {
                let chunk = vec![b'x'; 64 * 1024];
                while say(&mut stream, seen, &chunk).await {}
            }
        }
        Manner::Silent => {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
        Manner::Redirects { to } => {
            let head = head(302, &format!("location: {to}\r\n"), Some(0));
            say(&mut stream, seen, head.as_bytes()).await;
        }
        Manner::Trickles { body } => {
            let whole = format!("{}{body}", head(200, "", Some(body.len())));
            for byte in whole.as_bytes() {
                if !say(&mut stream, seen, &[*byte]).await {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    let _ = stream.shutdown().await;
}

fn head(status: u16, more: &str, length: Option<usize>) -> String {
    let length = length.map(|bytes| format!("content-length: {bytes}\r\n"));
    format!(
        "HTTP/1.1 {status} So\r\nconnection: close\r\ncontent-type: application/json\r\n{}{more}\r\n",
        length.unwrap_or_default()
    )
}

/// Head and body; `None` where nobody asks.
async fn question(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Whether it was taken.
async fn say(stream: &mut (impl AsyncWrite + Unpin), seen: &Seen, bytes: &[u8]) -> bool {
    let said = stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok();
    if said {
        seen.bytes_sent
            .fetch_add(bytes.len() as u64, Ordering::SeqCst);
    }
    said
}
