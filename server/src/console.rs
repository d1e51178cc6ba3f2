//! The analysts' pages.
pub mod assets;
pub mod view;
use crate::center::Center;
use axum::Router;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
pub fn router(_center: Arc<Center>, _stop: CancellationToken) -> Router {
    Router::new()
}
