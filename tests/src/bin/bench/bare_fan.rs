//! The yardstick of a live call: a process that passes each message on to everybody.
//!
//! tokio and WebSocket; no TLS, no storage, no checks, and nobody says that anything came.
//! It is measured beside the center, on the same work in the same run: a machine's own
//! price for two hundred small writes is most of what it takes.

use std::process::Stdio;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::{broadcast, mpsc};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use super::process::cpu;
use super::sync_bench::EVERY;

/// The argument by which this program becomes it.
pub(crate) const NAME: &str = "bare-fan";
/// As large as one of our notes, inside TLS and WebSocket's framing.
const NOTE_BYTES: usize = 124;
/// Messages that a slow receiver may lag behind.
const LAG_MAX: usize = 1_024;

/// What it took.
pub(crate) struct BareFan {
    pub(crate) took_ms: Vec<f64>,
    /// Of the process, a message.
    pub(crate) cpu_ms: f64,
}

/// Passes messages on until it is killed. Says its address on the first line.
pub(crate) async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let (all, _) = broadcast::channel::<Bytes>(LAG_MAX);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (all, mut mine) = (all.clone(), all.subscribe());
        tokio::spawn(async move {
            let mut socket = accept_async(stream).await.unwrap();
            loop {
                tokio::select! {
                    Ok(bytes) = mine.recv() => {
                        if socket.send(Message::Binary(bytes)).await.is_err() {
                            return;
                        }
                    }
                    message = socket.next() => match message {
                        Some(Ok(Message::Binary(bytes))) => drop(all.send(bytes)),
                        Some(Ok(_)) => {}
                        _ => return,
                    },
                }
            }
        });
    }
}

async fn dial(address: &str) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let url = format!("ws://{address}/");
    client_async(url, stream).await.unwrap().0
}

/// So many messages to so many receivers, one every 100 ms.
pub(crate) async fn run(receivers: usize, messages: u32) -> BareFan {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(NAME)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().unwrap();
    let (came, mut arrivals) = mpsc::unbounded_channel();
    for _ in 0..receivers {
        let (mut socket, came) = (dial(&address).await, came.clone());
        tokio::spawn(async move {
            while let Some(Ok(Message::Binary(bytes))) = socket.next().await {
                let number: [u8; 4] = bytes[..4].try_into().unwrap();
                let _ = came.send((u32::from_be_bytes(number), Instant::now()));
            }
        });
    }
    let mut sender = dial(&address).await;
    let before = cpu(child.id().unwrap());
    let mut tick = tokio::time::interval(EVERY);
    let mut sent = Vec::new();
    for number in 0..messages {
        tick.tick().await;
        let mut bytes = [0; NOTE_BYTES];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        sent.push(Instant::now());
        let bytes = Bytes::copy_from_slice(&bytes);
        sender.send(Message::Binary(bytes)).await.unwrap();
    }
    let mut took_ms = Vec::new();
    while took_ms.len() < receivers * sent.len() {
        let (number, at) = arrivals.recv().await.unwrap();
        let sent = sent[usize::try_from(number).unwrap()];
        took_ms.push(at.duration_since(sent).as_secs_f64() * 1_000.0);
    }
    let cpu = cpu(child.id().unwrap()) - before;
    BareFan {
        took_ms,
        cpu_ms: cpu.as_secs_f64() * 1_000.0 / f64::from(messages),
    }
}
