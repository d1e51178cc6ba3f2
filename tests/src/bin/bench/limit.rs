//! What no center can be faster than: one fsync on this disk and one TLS write.

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TRIES: usize = 200;
/// As large as a frame with one note.
const NOTE_BYTES: usize = 200;

/// Median and 99th percentile of writing one page to this folder's disk, durably.
pub(crate) fn fsync(folder: &std::path::Path) -> Vec<Duration> {
    let mut file = std::fs::File::create(folder.join("fsync")).unwrap();
    (0..TRIES)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect()
}

/// One way over TLS on loopback: half of there and back.
pub(crate) async fn tls_write(
    client: std::sync::Arc<rustls::ClientConfig>,
    server: std::sync::Arc<rustls::ServerConfig>,
) -> Vec<Duration> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut stream = tokio_rustls::TlsAcceptor::from(server)
            .accept(stream)
            .await
            .unwrap();
        let mut bytes = [0; NOTE_BYTES];
        while stream.read_exact(&mut bytes).await.is_ok() {
            stream.write_all(&bytes).await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(client)
        .connect(name, stream)
        .await
        .unwrap();
    let mut took = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let mut bytes = [1; NOTE_BYTES];
        let began = Instant::now();
        stream.write_all(&bytes).await.unwrap();
        stream.flush().await.unwrap();
        stream.read_exact(&mut bytes).await.unwrap();
        took.push(began.elapsed() / 2);
    }
    drop(stream);
    echo.await.unwrap();
    took
}
