//! From where a request came, for every entry that comes of it.
//!
//! It is noted once, where requests come in, and goes with the request's task to the log:
//! no route can forget to say it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::accept::Peer;

tokio::task_local! {
    static CAME_FROM: String;
}

/// The address of whom the request at hand came from; `None` outside of one.
pub(crate) fn current() -> Option<String> {
    CAME_FROM.try_with(Clone::clone).ok()
}

/// Notes it for all that comes of a request.
pub(crate) async fn note(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>();
    match peer.map(|peer| peer.address.ip().to_string()) {
        Some(address) => CAME_FROM.scope(address, next.run(request)).await,
        None => next.run(request).await,
    }
}
