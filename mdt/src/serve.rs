//! The accept loop: `axum::serve` gives hyper no timer, so there a program that
//! never finishes its header keeps its connection for ever. A few connections are
//! enough for the officer's pages; more wait in the kernel's queue.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const CONNECTIONS_MAX: u32 = 128;
/// For a header to arrive whole, and for silence between two requests.
const HEADER_MS_MAX: u64 = 20_000;
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// For answers under way at the end.
const DRAIN_MS_MAX: u64 = 3_000;
/// After an error of accepting: at once would be a busy loop.
const REST_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Answers until `shutdown` is cancelled and what was under way is done or out of time.
/// Each WebSocket ends by the same token, and holds its permit until it has.
pub(crate) async fn serve(listener: TcpListener, app: Router, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    loop {
        let place = tokio::select! {
            () = shutdown.cancelled() => break,
            place = places.clone().acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(answer(stream, app.clone(), shutdown.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections, trying again");
                sleep(REST_AFTER_ERROR).await;
            }
        }
    }
    drop(listener);
    let drained = places.acquire_many(CONNECTIONS_MAX);
    if timeout(Duration::from_millis(DRAIN_MS_MAX), drained)
        .await
        .is_err()
    {
        tracing::debug!("connections were still open at the end");
    }
}

async fn answer(
    stream: TcpStream,
    app: Router,
    shutdown: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    // An upgrade takes the socket to another task: its place goes along, in each
    // request's extensions.
    let place = Arc::new(place);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Place(place.clone()));
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
        .header_read_timeout(Duration::from_millis(HEADER_MS_MAX))
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// The connection's place among [`CONNECTIONS_MAX`].
#[derive(Debug, Clone)]
pub(crate) struct Place(#[expect(dead_code, reason = "kept, not read")] Arc<OwnedSemaphorePermit>);
