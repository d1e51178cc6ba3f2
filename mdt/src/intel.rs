//! What the center shows and this laptop does not keep.

use axum::extract::{Path, State};
use axum::response::Response;

use crate::app::App;
use crate::forms::{FormError, call_of};
use crate::pages::html;
use crate::present::{Scene, intel};

/// `POST /calls/{id}/intel`
pub(crate) async fn ask(
    State(app): State<App>,
    Path(call): Path<String>,
) -> Result<Response, FormError> {
    let call = call_of(&call)?;
    let shown = app.core().intel(call).await?;
    Ok(html(&intel(&Scene::of(&app), call, shown)))
}
