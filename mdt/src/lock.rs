//! The laptop's lock: what the page shows over everything else, and what its keys do.
//!
//! One pad of digits serves for all of it: choosing a PIN, opening with it, the code that a
//! supervisor reads out. What the digits are for, the device's own state says.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use mobile_core::{Core, LockState, LockedWhy};
use serde::Deserialize;

use crate::app::App;
use crate::forms::{FormError, Sent, taken};
use crate::view::{LockView, LockedAs};

#[derive(Debug, Deserialize)]
pub(crate) struct DigitsRequest {
    digits: String,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct EndRequest {
    #[serde(default)]
    anyway: String,
}

/// What lies over the page; nothing while the laptop is open.
pub(crate) fn view(app: &App) -> LockView {
    let state = app.core().lock_state().borrow().clone();
    let (locked, title, words) = match state {
        LockState::Open { .. } if !app.wants_shift() => (
            LockedAs::Ended,
            "The shift has ended",
            "All that this laptop had is erased. What was not sent is sealed to the center, and \
             goes up when there is a link."
                .to_owned(),
        ),
        LockState::Open { has_pin: false } => (
            LockedAs::NoPin,
            "Choose a PIN",
            "6 to 12 digits. It opens this laptop, also without a link, until your shift ends."
                .to_owned(),
        ),
        LockState::Open { has_pin: true } => (LockedAs::Open, "", String::new()),
        LockState::Locked {
            why: LockedWhy::ShiftOver,
            ..
        } => (
            LockedAs::ShiftOver,
            "Your shift is over",
            "Nothing is lost. Sign on again, then enter your PIN.".to_owned(),
        ),
        LockState::Locked { why, tries_left } => {
            (LockedAs::Pin, "Locked", words_of(why, tries_left))
        }
        LockState::LockedOut {
            challenge,
            code_tries_left: 0,
        } => (
            LockedAs::Out,
            "Locked: call your supervisor",
            format!(
                "No more codes are taken. Only the center can release this laptop, when it has a \
                 link. Its number was {}.",
                spaced(&challenge)
            ),
        ),
        LockState::LockedOut { challenge, .. } => (
            LockedAs::Code,
            "Too many wrong PINs",
            format!(
                "Read this number to your supervisor over the radio: {}. Enter the code that you \
                 hear.",
                spaced(&challenge)
            ),
        ),
    };
    LockView {
        locked,
        title: title.into(),
        words,
        demo_pin: app.demo_pin().map(ToOwned::to_owned),
        agency: app.wants_agency(),
    }
}

fn spaced(challenge: &str) -> String {
    let (first, last) = challenge.split_at(challenge.len() / 2);
    format!("{first} {last}")
}

fn words_of(why: LockedWhy, tries_left: u8) -> String {
    let why = match why {
        LockedWhy::Idle => "Nobody touched this laptop for half an hour. ",
        LockedWhy::Started | LockedWhy::Asked | LockedWhy::ShiftOver => "",
    };
    let tries = match tries_left {
        5.. => String::new(),
        1 => " One more try before a supervisor is needed.".into(),
        tries_left => format!(" {tries_left} more tries before a supervisor is needed."),
    };
    format!("{why}Enter your PIN.{tries}")
}

/// Does what these digits are for.
async fn enter(core: &Core, digits: &str) -> Result<&'static str, FormError> {
    let state = core.lock_state().borrow().clone();
    Ok(match state {
        LockState::Open { has_pin: false } => {
            core.set_pin(digits).await?;
            "Your PIN is set."
        }
        LockState::Open { has_pin: true } => "Open.",
        LockState::Locked { .. } => {
            core.unlock(digits).await?;
            "Open."
        }
        LockState::LockedOut { .. } => {
            core.release(digits).await?;
            "Released. Enter your PIN."
        }
    })
}

/// `POST /lock/digits`
pub(crate) async fn digits(
    State(app): State<App>,
    sent: Sent<DigitsRequest>,
) -> Result<Response, FormError> {
    let Form(sent) = sent?;
    let done = enter(app.core(), sent.digits.trim()).await?;
    app.look_at_shift();
    Ok(taken(done))
}

/// `POST /lock`
pub(crate) async fn lock(State(app): State<App>) -> Result<Response, FormError> {
    app.core().lock().await?;
    Ok(taken("Locked."))
}

/// `POST /shift/renew`: the officer's own, while it lasts or after it ended.
pub(crate) async fn renew(State(app): State<App>) -> Result<Response, FormError> {
    let renewed = match app.core().renew_shift().await {
        // Locked, it is not known here whose it was: whoever started the program knows.
        Err(mobile_core::CoreError::SignOnFirst) => app.sign_on_again().await,
        renewed => renewed.map(drop),
    };
    if let Err(error) = renewed {
        if error.wants_the_agencys_sign_in() {
            app.want_agency();
            app.look_at_shift();
        }
        return Err(error.into());
    }
    Ok(taken("Your shift is renewed: twelve hours from now."))
}

/// `POST /shift/end`: all that is here goes.
pub(crate) async fn end(
    State(app): State<App>,
    sent: Sent<EndRequest>,
) -> Result<Response, FormError> {
    let anyway = sent.is_ok_and(|Form(sent)| sent.anyway == "yes");
    app.want_shift(false);
    let ended = if anyway {
        app.core().sign_off_anyway().await
    } else {
        app.core().sign_off().await
    };
    if let Err(error) = ended {
        app.want_shift(true);
        return Err(error.into());
    }
    Ok(taken("The shift has ended."))
}

/// `POST /shift/begin`
pub(crate) async fn begin(State(app): State<App>) -> Result<Response, FormError> {
    app.want_shift(true);
    Ok(taken("Signing on."))
}
