//! A stream that counts what crosses it. Around a socket it counts the wire, around TLS
//! what TLS carries.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes, since it was made.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    up: AtomicU64,
    down: AtomicU64,
}

impl Traffic {
    pub(crate) fn up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }

    pub(crate) fn down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }

    pub(crate) fn add_up(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_down(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// What is told how much has crossed.
pub(crate) trait Meter: Unpin {
    fn up(&self, bytes: usize);
    fn down(&self, bytes: usize);
}

impl Meter for Arc<Traffic> {
    fn up(&self, bytes: usize) {
        self.add_up(bytes);
    }

    fn down(&self, bytes: usize) {
        self.add_down(bytes);
    }
}

#[derive(Debug)]
pub(crate) struct Counted<S, M = Arc<Traffic>> {
    inner: S,
    meter: M,
}

impl<S, M: Meter> Counted<S, M> {
    pub(crate) fn new(inner: S, meter: M) -> Self {
        Self { inner, meter }
    }
}

impl<S: AsyncRead + Unpin, M: Meter> AsyncRead for Counted<S, M> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.meter.down(buf.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin, M: Meter> AsyncWrite for Counted<S, M> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.meter.up(*bytes);
        }
        polled
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
