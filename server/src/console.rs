//! The analysts' console: a board of live calls, one page for each packet, one to look
//! through all of them, and one for how much of it was there before the officers were.
//!
//! Pages are rendered here and kept up to date over one WebSocket each, by regions
//! (see [`view`]). The board is read and rendered by one task for all who watch it
//! ([`board`]); a packet's page looks at its own packet when something happened to it
//! ([`live`]).
//!
//! People sign in ([`sign_in`]). Each route behind that is given its person as an
//! [`Actor`](crate::policy::Actor), asks [`crate::policy`] for it, and what a page was given is put on record
//! ([`disclosure`]). Who may speak to the console at all: [`access`].

mod access;
mod arrivals;
pub mod assets;
mod attachments;
mod audit;
mod board;
mod clips;
mod devices;
mod disclosure;
mod forms;
mod held;
mod hot_list;
mod links;
mod live;
mod packet;
mod pages;
mod people;
mod premises;
mod retention;
mod search;
mod sign_in;
#[cfg(test)]
mod tests;
pub mod view;
mod words;

use std::sync::Arc;

use ::packet::entry::ATTACHMENT_BYTES_MAX;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use self::view::HeaderView;
use crate::center::Center;
use crate::clock;
use crate::doors::{Doors, get, post};
use crate::log::LogError;
use crate::policy::{Act, Actor, Sight};

/// Most pages that are kept up to date at a time.
const PAGES_MAX: usize = 256;

/// What the console's routes share.
#[derive(Debug)]
struct Console {
    center: Arc<Center>,
    /// Sockets and the board's task end when it is cancelled.
    stop: CancellationToken,
    times: words::Times,
    board: board::Board,
    /// How many notices of saved searches nobody has seen; sent whenever that may differ.
    notices: watch::Sender<u64>,
    /// A place for each open socket.
    places: Arc<Semaphore>,
}

impl Console {
    fn header(&self, open_calls: u64) -> HeaderView {
        HeaderView {
            center_name: self.center.config.name.clone(),
            open_calls,
            connected_devices: self.center.hub.counts().0 as u64,
            notices: *self.notices.borrow(),
            alert: self.center.unkept.alert().map(|alert| alert.text),
            now_ms: clock::now_ms(),
        }
    }

    /// As many as this person may know of.
    async fn open_calls(&self, actor: &Actor) -> Result<u64, LogError> {
        let sight = self.sight(actor);
        let count = move |connection: &_| board::open_calls(connection, &sight);
        self.center.log.readers().read(count).await
    }

    /// What this person may see of whose packets.
    fn sight(&self, actor: &Actor) -> Sight {
        Sight::of(&self.center.policies, actor, Act::Show)
    }
}

/// The pages, their sockets and their files. Has tasks of its own, so it is called
/// within a runtime; they end with `stop`.
pub fn router(center: Arc<Center>, stop: CancellationToken) -> Router {
    doors(center, stop).into_router()
}

pub(crate) fn doors(center: Arc<Center>, stop: CancellationToken) -> Doors {
    let gate = access::Gate::new(&center.config);
    let console = Arc::new(Console {
        center,
        stop,
        times: words::Times::of_this_center(),
        board: board::Board::default(),
        notices: watch::channel(0).0,
        places: Arc::new(Semaphore::new(PAGES_MAX)),
    });
    tokio::spawn(search::keep(console.clone()));
    let attachments = Doors::new()
        .route("/calls/{id}/attachments", post(attachments::add))
        .layer(DefaultBodyLimit::max(ATTACHMENT_BYTES_MAX as usize));
    let pages = Doors::new()
        .route("/", get(pages::board))
        .route("/before-arrival", get(arrivals::page))
        .route("/calls/{id}", get(pages::packet))
        .route("/calls/{id}/notes", post(forms::note))
        .route("/calls/{id}/cautions", post(forms::caution))
        .route("/calls/{id}/premises", post(forms::premise))
        .route("/calls/{id}/held/{held}/release", post(held::release))
        .route("/calls/{id}/held/{held}/withhold", post(held::withhold))
        .route("/hot-list", get(hot_list::page).post(hot_list::add))
        .route("/hot-list/{id}/clear", post(hot_list::clear))
        .route("/premises", get(premises::page))
        .route("/retention", get(retention::page).post(retention::act))
        .route("/devices", get(devices::page))
        .route("/devices/codes", post(devices::new_code))
        .route("/devices/{device}/{what}", post(devices::act))
        .route("/premises/{id}/end", post(premises::end))
        .route("/calls/{id}/clips", post(clips::ask))
        .route("/calls/{id}/links", post(links::link))
        .route("/calls/{id}/links/undo", post(links::undo))
        .route("/search", get(search::page))
        .route("/search/saved", post(search::save))
        .route("/search/saved/{id}/forget", post(search::forget))
        .route("/search/notices/seen", post(search::all_seen))
        .route("/search/notices/{id}/seen", post(search::seen))
        .route("/calls/{id}/queries", post(forms::query))
        .route("/people", get(people::page).post(people::add))
        .route("/people/{id}/{act}", post(people::change))
        .route(
            "/people/{id}/passkeys/{number}/withdraw",
            post(people::withdraw),
        )
        .layer(DefaultBodyLimit::max(forms::BODY_BYTES_MAX))
        .route("/calls/{id}/attachments/{blob}", get(attachments::content))
        .route("/live", get(live::open))
        .merge(attachments)
        .merge(audit::routes())
        // All of the above, and no asset, needs a person.
        .route_layer(from_fn_with_state(console.clone(), access::signed_in));
    let mut router = pages.merge(sign_in::router());
    for asset in assets::ASSETS {
        router = router.route(
            asset.path,
            get(move || async move { ([(CONTENT_TYPE, asset.content_type)], asset.body) }),
        );
    }
    router
        .layer(from_fn_with_state(gate, access::guard))
        .with_state(console)
}
