//! A slow link, in user space: a TCP proxy with a rate each way, a delay, a small queue
//! with back-pressure, and air in which segments are lost.
//!
//! As the peers' rigs have it: pieces of 256 bytes, a queue of 4 KB. A proxy cannot drop
//! bytes of a TCP stream, so a lost segment is what TCP makes of it: a stall until its
//! retransmission, which is again lost or not, each time waiting twice as long, with all
//! that follows behind it. So it is for a link that is down: what is sent then comes with
//! the first retransmission that falls into a time when it is up. A dial while it is down
//! gets no answer, from the kernel itself: the queue of who waits to be accepted is kept
//! full, and a full one drops what comes (Linux, `tcp_abort_on_overflow` off).

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::counted::Traffic;

/// Longest piece that crosses at once, where there is a rate; and without.
const PIECE_BYTES: usize = 256;
const SEGMENT_BYTES: usize = 1_400;
/// Above this the sender is not read …
const QUEUE_BYTES_MAX: usize = 4_096;
/// … until it is below this.
const QUEUE_BYTES_LOW: usize = 2_048;
/// How many may wait to be accepted.
const WAITING_MAX: u32 = 1;
/// How often it is looked at whether the link is still up.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// When TCP sends a lost segment again for the first time; a SYN (RFC 6298).
const RETRANSMIT_AFTER: Duration = Duration::from_millis(300);
const DIAL_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest pause between two retransmissions (RFC 6298 allows 60 s and more).
const RETRANSMIT_PAUSE_MAX: Duration = Duration::from_secs(60);

/// What the link is like now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    /// Bits a second each way; 0 for as fast as it goes.
    pub(crate) rate: u32,
    pub(crate) one_way: Duration,
    pub(crate) air: Option<Air>,
}

/// A link that comes and goes.
#[derive(Debug, Clone)]
pub(crate) struct Air {
    /// When it came up first.
    pub(crate) since: Instant,
    pub(crate) up: Duration,
    pub(crate) down: Duration,
    /// Of a hundred segments.
    pub(crate) lost_percent: u32,
}

impl Air {
    fn is_up(&self, at: Instant) -> bool {
        let period_ms = (self.up + self.down).as_millis();
        let into_ms = at.saturating_duration_since(self.since).as_millis() % period_ms;
        into_ms < self.up.as_millis()
    }

    /// When a segment that is sent now comes through.
    fn passes(&self, sent: Instant, again_after: Duration) -> Instant {
        let (mut at, mut pause) = (sent, again_after);
        while !self.is_up(at) || fastrand::u32(..100) < self.lost_percent {
            at += pause;
            pause = (pause * 2).min(RETRANSMIT_PAUSE_MAX);
        }
        at
    }

    /// When it comes up again, where it is down now.
    fn up_again(&self, now: Instant) -> Option<Instant> {
        let period = self.up + self.down;
        let periods = now.saturating_duration_since(self.since).as_millis() / period.as_millis();
        let next = self.since + period * (u32::try_from(periods).unwrap() + 1);
        (!self.is_up(now)).then_some(next)
    }
}

#[derive(Debug, Default)]
struct Shared {
    shape: Mutex<Shape>,
    traffic: Traffic,
    accepted: Mutex<Option<Instant>>,
    cut: Mutex<CancellationToken>,
}

/// Ends with all its connections when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Up,
    Down,
}

impl Proxy {
    pub(crate) async fn to(target: String) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(WAITING_MAX).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let listening = tokio::spawn(listen(listener, target, shared.clone()));
        Self {
            address,
            shared,
            listening,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn shape(&self, shape: Shape) {
        *self.shared.shape.lock().unwrap() = shape;
    }

    /// Closes all connections, at both ends.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.shared.cut.lock().unwrap()).cancel();
    }

    /// What was taken from either end.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.shared.traffic
    }

    /// When it last accepted a connection.
    pub(crate) fn accepted(&self) -> Option<Instant> {
        *self.shared.accepted.lock().unwrap()
    }
}

async fn listen(listener: TcpListener, target: String, shared: Arc<Shared>) {
    let mut fillers = HashSet::new();
    loop {
        let air = shared.shape.lock().unwrap().air.clone();
        if let Some(up_again) = air.and_then(|air| air.up_again(Instant::now())) {
            let filled = fill(&listener).await;
            tokio::time::sleep_until(up_again.into()).await;
            fillers.extend(filled.iter().map(|filler| filler.local_addr().unwrap()));
        }
        let Ok(accepted) = tokio::time::timeout(LOOK_AGAIN, listener.accept()).await else {
            continue;
        };
        let (device, from) = accepted.unwrap();
        if fillers.remove(&from) {
            continue;
        }
        *shared.accepted.lock().unwrap() = Some(Instant::now());
        let cut = shared.cut.lock().unwrap().clone();
        let (target, shared) = (target.clone(), shared.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = connect(device, target, shared) => {}
                () = cut.cancelled() => {}
            }
        });
    }
}

/// Fills the queue of who waits to be accepted: it is full when a dial gets no answer.
async fn fill(listener: &TcpListener) -> Vec<TcpStream> {
    let address = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    while let Ok(Ok(filler)) = tokio::time::timeout(LOOK_AGAIN, TcpStream::connect(address)).await {
        fillers.push(filler);
    }
    fillers
}

async fn connect(device: TcpStream, target: String, shared: Arc<Shared>) {
    let air = shared.shape.lock().unwrap().air.clone();
    if let Some(air) = air {
        let passes = air.passes(Instant::now(), DIAL_AGAIN_AFTER);
        tokio::time::sleep_until(passes.into()).await;
    }
    let Ok(center) = TcpStream::connect(target).await else {
        return;
    };
    if device.set_nodelay(true).is_err() || center.set_nodelay(true).is_err() {
        return;
    }
    let (from_device, to_device) = device.into_split();
    let (from_center, to_center) = center.into_split();
    tokio::join!(
        pipe(from_device, to_center, shared.clone(), Way::Up),
        pipe(from_center, to_device, shared, Way::Down),
    );
}

#[derive(Debug, Default)]
struct Queue {
    bytes: AtomicUsize,
    shrunk: Notify,
}

impl Queue {
    fn is_below(&self, bytes: usize) -> bool {
        self.bytes.load(Ordering::Relaxed) < bytes
    }

    async fn room(&self) {
        if self.is_below(QUEUE_BYTES_MAX) {
            return;
        }
        while !self.is_below(QUEUE_BYTES_LOW) {
            self.shrunk.notified().await;
        }
    }
}

/// One way of a connection. The channel is bounded by the queue: each piece has a byte
/// or is the last.
async fn pipe(from: OwnedReadHalf, to: OwnedWriteHalf, shared: Arc<Shared>, way: Way) {
    let queue = Queue::default();
    let (pieces, arriving) = mpsc::unbounded_channel();
    tokio::join!(
        take(from, pieces, &queue, &shared, way),
        give(to, arriving, &queue),
    );
}

async fn take(
    mut from: OwnedReadHalf,
    pieces: mpsc::UnboundedSender<(Instant, Vec<u8>)>,
    queue: &Queue,
    shared: &Shared,
    way: Way,
) {
    let mut bytes = [0; SEGMENT_BYTES];
    let (mut sent, mut arrived) = (Instant::now(), Instant::now());
    loop {
        queue.room().await;
        let shape = shared.shape.lock().unwrap().clone();
        let most = if shape.rate > 0 && shape.air.is_none() {
            PIECE_BYTES
        } else {
            SEGMENT_BYTES
        };
        let count = from.read(&mut bytes[..most]).await.unwrap_or(0);
        // What it is like may have changed while nothing came.
        let shape = shared.shape.lock().unwrap().clone();
        match way {
            Way::Up => shared.traffic.add_up(count),
            Way::Down => shared.traffic.add_down(count),
        }
        let bits = u32::try_from(count).unwrap() * 8;
        sent = sent.max(Instant::now());
        if shape.rate > 0 {
            sent += Duration::from_secs_f64(f64::from(bits) / f64::from(shape.rate));
        }
        let passes = shape
            .air
            .map_or(sent, |air| air.passes(sent, RETRANSMIT_AFTER));
        arrived = arrived.max(passes + shape.one_way);
        queue.bytes.fetch_add(count, Ordering::Relaxed);
        let is_last = count == 0;
        if pieces.send((arrived, bytes[..count].to_vec())).is_err() || is_last {
            return;
        }
    }
}

async fn give(
    mut to: OwnedWriteHalf,
    mut arriving: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>,
    queue: &Queue,
) {
    while let Some((at, bytes)) = arriving.recv().await {
        tokio::time::sleep_until(at.into()).await;
        if bytes.is_empty() || to.write_all(&bytes).await.is_err() {
            break;
        }
        queue.bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
        queue.shrunk.notify_one();
    }
    let _ = to.shutdown().await;
    // The other side may be waiting for room that nobody makes any more.
    arriving.close();
    queue.bytes.store(0, Ordering::Relaxed);
    queue.shrunk.notify_one();
}
