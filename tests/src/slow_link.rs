//! A link as slow as a radio's: a proxy that lets so many bits a second through each way,
//! counts what crosses, and can be cut.
//!
//! It holds back little: what a sender hands over before its peer has it waits in the
//! sender's own buffers, as on a modem.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What crosses at a time: a twentieth of a second's worth, within these bounds.
const STEPS_PER_S: u64 = 20;
const STEP_BYTES_MIN: u64 = 32;
const STEP_BYTES_MAX: u64 = 16 * 1024;
const BUFFER_BYTES: u32 = 4 * 1024;

#[derive(Debug)]
struct State {
    bytes_per_s: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    is_cut: watch::Sender<bool>,
}

#[derive(Debug)]
pub struct SlowLink {
    /// Where devices connect.
    pub address: SocketAddr,
    state: Arc<State>,
    /// Ends with the link.
    _serving: JoinSet<()>,
}

impl SlowLink {
    pub async fn to(center: SocketAddr, bits_per_s: u64) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // What is accepted has these buffers too.
        socket.set_recv_buffer_size(BUFFER_BYTES).unwrap();
        socket.set_send_buffer_size(BUFFER_BYTES).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(64).unwrap();
        let state = Arc::new(State {
            bytes_per_s: AtomicU64::new(bits_per_s / 8),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            is_cut: watch::Sender::new(false),
        });
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, center, state.clone()));
        Self {
            address,
            state,
            _serving: serving,
        }
    }

    pub fn set_bits_per_s(&self, bits_per_s: u64) {
        let bytes_per_s = &self.state.bytes_per_s;
        bytes_per_s.store(bits_per_s / 8, Ordering::Relaxed);
    }

    /// Every connection breaks, and new ones break at once.
    pub fn cut(&self) {
        self.state.is_cut.send_replace(true);
    }

    pub fn mend(&self) {
        self.state.is_cut.send_replace(false);
    }

    /// Bytes that devices have sent so far.
    #[must_use]
    pub fn up_bytes(&self) -> u64 {
        self.state.up.load(Ordering::Relaxed)
    }

    /// Bytes that devices were sent so far.
    #[must_use]
    pub fn down_bytes(&self) -> u64 {
        self.state.down.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, center: SocketAddr, state: Arc<State>) {
    let mut links = JoinSet::new();
    loop {
        let Ok((device, _)) = listener.accept().await else {
            continue;
        };
        let state = state.clone();
        links.spawn(async move {
            let mut is_cut = state.is_cut.subscribe();
            tokio::select! {
                () = carry(device, center, &state) => {}
                _ = is_cut.wait_for(|is_cut| *is_cut) => {}
            }
        });
        while links.try_join_next().is_some() {}
    }
}

async fn carry(device: TcpStream, center: SocketAddr, state: &State) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER_BYTES).unwrap();
    socket.set_send_buffer_size(BUFFER_BYTES).unwrap();
    let Ok(center) = socket.connect(center).await else {
        return;
    };
    let (from_device, to_device) = device.into_split();
    let (from_center, to_center) = center.into_split();
    tokio::select! {
        () = pump(from_device, to_center, &state.bytes_per_s, &state.up) => {}
        () = pump(from_center, to_device, &state.bytes_per_s, &state.down) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    bytes_per_s: &AtomicU64,
    crossed: &AtomicU64,
) {
    let mut buffer = vec![0; STEP_BYTES_MAX as usize];
    loop {
        let rate = bytes_per_s.load(Ordering::Relaxed).max(1);
        let step = (rate / STEPS_PER_S).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX);
        let read = match from.read(&mut buffer[..step as usize]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        // This is the link's slowness itself, no wait for an event.
        tokio::time::sleep(Duration::from_micros(read as u64 * 1_000_000 / rate)).await;
        crossed.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
