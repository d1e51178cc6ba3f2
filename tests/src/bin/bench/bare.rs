//! What rustls alone needs for a connection: a process that shakes hands and holds.
//!
//! The center's own TLS configuration and keys, tokio, and nothing else; so the memory of
//! an idle connection has its floor measured the same way.

use std::path::Path;
use std::process::Stdio;

use server::identity::{CenterKeys, KeyExchange, server_config};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::light::Light;
use crate::process::resident_bytes;

/// The argument by which this program becomes it.
pub(crate) const NAME: &str = "bare-tls";

/// Holds connections until it is killed. Says its address on the first line.
pub(crate) async fn serve(keys: &str) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let keys = CenterKeys::open_or_create(Path::new(keys), &names).unwrap();
    let config = server_config(&keys, KeyExchange::Classical).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(config.clone());
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let _ = stream.read_u8().await;
        });
    }
}

async fn start(keys: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(NAME)
        .arg(keys)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().unwrap();
    (child, address)
}

/// Memory of a held connection, in bytes, with the certificates of these devices.
pub(crate) async fn bytes_a_connection(keys: &Path, lights: &[Light]) -> f64 {
    let (child, address) = start(keys).await;
    let process = child.id().unwrap();
    let mut held = vec![shake_hands(&address, &lights[0]).await];
    let before = resident_bytes(process);
    for light in &lights[1..] {
        held.push(shake_hands(&address, light).await);
    }
    let grown = resident_bytes(process).saturating_sub(before);
    #[allow(clippy::cast_precision_loss)]
    let per_connection = grown as f64 / (held.len() - 1) as f64;
    per_connection
}

async fn shake_hands(address: &str, light: &Light) -> tokio_rustls::client::TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(light.tls());
    let name = "127.0.0.1".try_into().unwrap();
    connector.connect(name, stream).await.unwrap()
}
