//! What the analyst's pages show: plain structs with public fields, already in
//! words where words are wanted, each an askama template. Nothing here reads a
//! document or a clock: the caller fills the structs, `.render()` gives the HTML.
//!
//! **Regions.** A page is a header and some regions, each an element with an id
//! of its own that carries `hx-swap-oob`. The same struct renders a region inside
//! the page and as a message over the page's WebSocket, so the two cannot differ.
//! One WebSocket message holds one region or several one after the other. No
//! region holds a box to type in: what is being written survives every update.
//! Ages tick in the browser from `…_ms` fields, so a region's HTML changes only
//! when something happened: send a region only when it differs from what this
//! page was sent last.
//!
//! | page | socket | regions |
//! |---|---|---|
//! | `GET /` [`BoardPage`] | `/live?page=board` | [`HeaderView`] `#header`, [`BoardView`] `#board` |
//! | `GET /calls/{id}` [`PacketPage`] | `/live?page=call&id={id}` | `#header`, [`GlanceView`] `#glance`, [`FactsView`] `#facts`, [`CautionsView`] `#cautions`, [`FindingsView`] `#findings`, [`NotesView`] `#notes`, [`SourcesView`] `#sources`, [`UnitsView`] `#units`, [`LifeView`] `#life`, [`TimelineView`] `#timeline`, [`ShownThroughView`] `#shown-through` |
//! | `GET /search` [`SearchPage`] | `/live?page=search` | `#header`, [`NoticesView`] `#notices` |
//! | `GET /before-arrival` [`ArrivalsPage`] | none | |
//!
//! On connecting the server sends every region once. It sends `#header` at least
//! every 5 s: after 12 s of silence the page says that it is not updating.
//! `#shown-through` goes last in a message, after the content that it names.
//!
//! **What the page sends.** Over the packet page's socket, only while the page is
//! visible and each time that `#shown-through` changed:
//! `{"shown": true, "through": "<ShownThroughView::through>"}`.
//!
//! **Forms** (`application/x-www-form-urlencoded`, answered with [`AnswerView`],
//! with a 2xx status when taken; any other status keeps the text in the box):
//!
//! | route | fields |
//! |---|---|
//! | `POST /calls/{id}/notes` | `text` |
//! | `POST /calls/{id}/cautions` | `text` |
//! | `POST /calls/{id}/queries` | `what`: `plate`, `person`, `phone`, `address` ([`QueriesView::CHOICES`]); `value`; `purpose`: a code of the center's; `reason`, which may be empty |
//! | `POST /calls/{id}/clips` | `camera`; `from`: a date and time of the center's zone; `minutes` |
//! | `POST /calls/{id}/links`, `POST /calls/{id}/links/undo` | `other`: a call's id, or its number |
//! | `POST /search/saved` | `name`, and the parts of the search |
//! | `POST /search/saved/{id}/forget`, `POST /search/notices/seen`, `POST /search/notices/{id}/seen` | none |
//! | `POST /calls/{id}/premises` | `text`, `ends`: a time without a zone, the center's |
//!
//! Four pages have no socket, and their forms lead back to them: `GET /hot-list`
//! ([`HotListPage`]), `GET /premises` ([`PremisesPage`]), `GET /people` ([`PeoplePage`]) and
//! `GET /retention` ([`RetentionPage`], whose form is `POST /retention` with `document`, `why`
//! and `what`: `keep`, `hold`, `release`, `purge`).
//!
//! Each page that shows anything has `session.html` and its script: they say whose session
//! it is, and cover the page while that is not open. What was typed stays in its boxes.
//!
//! So have `GET /audit` ([`AuditPage`]) and `GET /audit/review` ([`ReviewPage`]), whose forms
//! are `POST /audit/reviews` with `through`, `found`, and `POST /audit/failures/seen`.
//!
//! All styles and scripts are files (see `assets`): the pages work under
//! `default-src 'self'; connect-src 'self' ws:`.

mod arrivals;
mod audit;
mod board;
mod devices;
mod entry;
mod glance;
mod life;
mod listed;
mod packet;
mod retention;
mod search;
mod sign_in;

pub use arrivals::{ArrivalsPage, ArrivalsRowView, MissRowView, SourceRowView};
pub use audit::{AuditPage, AuditRowView, ReviewListView, ReviewPage, ReviewRowView, WitnessView};
pub use board::{BoardPage, BoardView, CallRowView, ClosedRowView};
pub use devices::{DeviceRowView, DevicesPage, DoneView};
pub use entry::{
    AcknowledgementView, AttachmentView, ConfidenceView, CorrectionView, EntryView, FindingView,
    ReceiptView,
};
pub use glance::{GlanceView, LineView, Tone};
pub use life::{LifeView, LinkedView, StepView};
pub use listed::{BeatRowView, HotFormView, HotListPage, HotRowView, PremiseRowView, PremisesPage};
pub use packet::{
    CautionsView, FactsView, FindingsView, HeldView, MomentView, NotesView, PacketPage, PacketView,
    QueriesView, ShownThroughView, SourceOutcome, SourceView, SourcesView, TimelineView, UnitView,
    UnitsView,
};
pub use retention::{DueRowView, HeldRowView, PurgedRowView, RetentionPage};

pub use search::{
    FoundEntryView, FoundView, NoticeView, NoticesView, ResultsView, SavedView, SearchPage,
};

pub use sign_in::{
    EnrolPage, LockedPage, MadeView, NoticeToReadPage, PasskeyRowView, PeoplePage, PersonFormView,
    PersonRowView, SignInPage,
};

use askama::Template;

/// The longest text that the box takes, in characters.
pub const TEXT_CHARS_MAX: usize = 2000;

/// A caution that nobody has acknowledged for so long goes by radio.
pub const UNACKNOWLEDGED_MS_MAX: i64 = 30_000;

/// The bar on top of both pages. The link's state is not here: only the browser
/// knows whether its socket is up.
#[derive(Debug, Clone, Template)]
#[template(path = "header.html")]
pub struct HeaderView {
    pub center_name: String,
    pub open_calls: u64,
    pub connected_devices: u64,
    /// What saved searches found that the analyst has not seen.
    pub notices: u64,
    /// What ought to be on record and is not: told on every page until it is seen.
    pub alert: Option<String>,
    /// The center's clock, milliseconds since 1970: ages in the browser go by it.
    pub now_ms: i64,
}

/// A priority is a number and a word; the colour only repeats them.
#[derive(Debug, Clone)]
pub struct PriorityView {
    /// 1 is the most urgent; 1 to 5 have colours of their own.
    pub number: u8,
    pub word: String,
}

/// The answer to a form, shown beside its box.
#[derive(Debug, Clone, Template)]
#[template(path = "answer.html")]
pub struct AnswerView {
    pub taken: bool,
    /// A plain sentence: what was done, or why not and what to do.
    pub text: String,
}

/// Instead of a page that cannot be shown: why, in plain words. It has no socket.
#[derive(Debug, Clone, Template)]
#[template(path = "notice.html")]
pub struct NoticePage {
    pub title: String,
    pub text: String,
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
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
            text: "Note added".into(),
        };
        assert!(taken.render().unwrap().contains("answer good"));
    }
}
