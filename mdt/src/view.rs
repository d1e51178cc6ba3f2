//! What the officer's page shows: plain structs with public fields, already in
//! words where words are wanted, each an askama template. Nothing here reads the
//! store or a clock: the caller fills the structs, `.render()` gives the HTML.
//!
//! **Regions.** The page is made of regions, each an element with an id of its own
//! that carries `hx-swap-oob`. The same struct renders a region inside the page and
//! as a message over the page's WebSocket, so the two cannot differ. One message
//! holds one region or several one after the other. No region holds a box to type
//! in: what an officer is writing survives every update. Ages tick in the browser
//! from `…_ms` fields: send a region only when it differs from what this page was
//! sent last.
//!
//! | page | socket | regions |
//! |---|---|---|
//! | `GET /` [`DeskView`] without a packet | `/live` | [`LockView`] `#lock`, [`HeaderView`] `#header`, [`AlertsView`] `#alerts`, [`CallsView`] `#calls` |
//! | `GET /beat` [`DeskView`] with [`BeatView`] | `/live` | the same; `GET /beat/found?words=…` answers a search with [`FoundsView`] |
//! | `GET /calls/{id}` [`DeskView`] with it | `/live?call={id}` | these, and [`SummaryView`] `#summary`, [`GlanceView`] `#glance`, [`KnownView`] `#known`, [`StatusView`] `#my-status`, [`CautionsView`] `#cautions`, [`FactsView`] `#facts`, [`FindingsView`] `#findings`, [`NotesView`] `#notes`, [`UnitsView`] `#units`, [`SourcesView`] `#sources`, [`ShownThroughView`] `#shown-through` |
//!
//! On connecting the server sends every region once. It sends `#header` at least
//! every 5 s: after 12 s of silence the page says that the program on this laptop
//! is not answering. `#shown-through` goes last in a message, after the content
//! that it names.
//!
//! **What the page sends**, only while it is visible and each time that
//! `#shown-through` changed:
//! `{"shown": ["<document>", …], "through": "<ShownThroughView::through>"}`. And when the
//! officer touched it, at most twice a minute: `{"touched": true}`.
//!
//! **Forms** (`application/x-www-form-urlencoded`, answered with [`AnswerView`],
//! with a 2xx status when taken; any other status keeps the text in the box).
//! Nothing in them is secret: the secret is in the cookie.
//!
//! | route | fields |
//! |---|---|
//! | `POST /lock/digits` | `digits`: a PIN or a code, by what [`LockView`] says |
//! | `POST /lock`, `/shift/renew`, `/shift/begin` | |
//! | `POST /shift/end` | `anyway`: `yes` loses attachments that were not sent |
//! | `POST /calls/{id}/notes` | `text` |
//! | `POST /calls/{id}/queries` | `what`: `plate`, `person`, `phone`, `address` ([`QueriesView::CHOICES`]); `value`; `purpose`: a code of [`QueriesView::purposes`]; `reason`, which may be empty |
//! | `POST /calls/{id}/status` | `status`: `en-route`, `on-scene`, `clear` ([`StatusView::CHOICES`]) |
//! | `POST /calls/{id}/acknowledge` | `entry`: [`EntryView::id`] of the caution |
//! | `POST /calls/{id}/attachments?name=…` | the file itself, as the body |
//! | `POST /calls/{id}/fetch` | `blob`: an attachment's |
//! | `POST /calls/{id}/clips` | `camera`: its name; `window`: `call` or `now` ([`FindingView::camera`]) |
//! | `POST /packets` | `kind`: `traffic-stop` or `on-view`; `location`; `plate` and `text`, either may be empty. When taken: header `HX-Redirect: /calls/{id}` |
//!
//! All styles and scripts are files (see `assets`): the page works under
//! `default-src 'self'; connect-src 'self' ws:`.

mod beat;
mod desk;
mod entry;
mod glance;
mod lock;
mod packet;

pub use beat::{BeatNameView, BeatView, FoundView, FoundsView, KnownView};
pub use desk::{AlertView, AlertsView, CallView, CallsView, ConnectionView, DeskView, HeaderView};
pub use entry::{
    AttachmentView, ConfidenceView, CorrectionView, EntryProgress, EntryView, FindingView, SeenBy,
};
pub use glance::{GlanceView, LineView, Tone};
pub use lock::{LockView, LockedAs};
pub use packet::{
    CautionsView, FactsView, FindingsView, IntelAnswerView, IntelView, NotesView, PacketView,
    QueriesView, ShownThroughView, SourceOutcome, SourceView, SourcesView, StatusView, SummaryView,
    UnitView, UnitsView,
};

use askama::Template;

/// The longest text that a box takes, in characters.
pub const TEXT_CHARS_MAX: usize = 2000;

/// The longest location or plate that a box takes, in characters.
pub const LINE_CHARS_MAX: usize = 200;

/// A priority is a number and a word; the colour only repeats them.
#[derive(Debug, Clone)]
pub struct PriorityView {
    /// 1 is the most urgent; 1 to 5 have colours of their own.
    pub number: u8,
    pub word: String,
}

/// The answer to a form, shown beside what was tapped.
#[derive(Debug, Clone, Template)]
#[template(path = "answer.html")]
pub struct AnswerView {
    pub taken: bool,
    /// A plain sentence: what was done, or why not and what to do.
    pub text: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_is_escaped_and_says_whether_the_text_was_taken() {
        let refused = AnswerView {
            taken: false,
            text: "Too long: <script>".into(),
        };
        let html = refused.render().unwrap();
        assert!(html.contains("answer bad"));
        assert!(!html.contains("<script>"));
        let taken = AnswerView {
            taken: true,
            text: "Kept on this device".into(),
        };
        assert!(taken.render().unwrap().contains("answer good"));
    }
}
