//! Signing on by the agency's own provider: from this page to the provider's, and back here.
//!
//! The provider leads the browser back to this laptop's page from another site, and then a
//! `SameSite=Strict` cookie does not come along. Such an arrival is answered by a page that
//! goes on to the same address by itself, once: then the cookie comes, or it is not the
//! officer's browser. What it brings is good for nothing but this laptop's own question,
//! which the center keeps.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use mobile_core::CoreError;

use crate::app::App;
use crate::pages::html;
use crate::words::sentence;

/// Where the provider leads back to; the agency's configuration has it with any port.
pub(crate) const BACK: &str = "/sign-on/back";
/// What the second arrival has in its address.
const AGAIN: &str = "&arrived=again";

#[derive(Debug, Template)]
#[template(path = "sign_on.html")]
struct SignOnPage {
    /// To go to by itself.
    to: Option<String>,
    words: String,
}

fn page(status: StatusCode, error: &CoreError) -> Response {
    let page = SignOnPage {
        to: None,
        words: sentence(&error.to_string()),
    };
    (status, html(&page)).into_response()
}

/// For who arrives without the cookie: the first time.
pub(crate) fn arrival(uri: &Uri) -> Option<Response> {
    let query = uri.query().unwrap_or_default();
    if uri.path() != BACK || query.ends_with(AGAIN) {
        return None;
    }
    let page = SignOnPage {
        to: Some(format!("{BACK}?{query}{AGAIN}")),
        words: "Signing on.".into(),
    };
    Some(html(&page))
}

/// `GET /sign-on`: to the provider.
pub(crate) async fn begin(State(app): State<App>) -> Response {
    let Some(unit) = app.unit() else {
        return Redirect::to("/").into_response();
    };
    let redirect = format!("{}{BACK}", app.origin());
    match app.core().begin_sign_on(unit, &redirect).await {
        Ok(Some(url)) => Redirect::to(&url).into_response(),
        Ok(None) => Redirect::to("/").into_response(),
        Err(error) => page(StatusCode::BAD_GATEWAY, &error),
    }
}

/// `GET /sign-on/back`
pub(crate) async fn back(State(app): State<App>, uri: Uri) -> Response {
    let place = uri.path_and_query().map_or(BACK, |place| place.as_str());
    let back = format!("{}{place}", app.origin());
    match app.core().finish_sign_on(&back).await {
        Ok(_) => {
            app.signed_on();
            Redirect::to("/").into_response()
        }
        Err(error) => page(StatusCode::FORBIDDEN, &error),
    }
}
