//! Looking through all packets, closed ones too, for whoever works on them afterwards.
//!
//! ```text
//! change ─▶ log ─▶ index (in its commit) ─▶ find: a page of packets
//!                     └─▶ watch (after it) ─▶ notices of saved searches ─▶ console
//! ```
//!
//! A packet is found when all that was asked holds for it ([`Criteria`]): words, a person,
//! a plate or a phone in one of its entries; its address or place; when it was received.
//! **Only what the asker may see is looked in**, compartment by compartment: what stands in
//! another one is neither shown nor counted, and how many there are says nothing of it.
//!
//! * [`index`] keeps words, places and addresses beside the log, in the commit of each change.
//! * [`criteria`] is what can be asked, and what is wrong with what was asked.
//! * [`find`] answers with a page of packets.
//! * [`saved`] keeps searches under a name, [`watch`] tells their owners when a new entry
//!   matches, each once.
//! * [`place`] is distances and ways. How addresses meet: [`crate::address`].

pub mod criteria;
pub mod find;
pub(crate) mod index;
pub(crate) mod place;
pub mod saved;
mod terms;
#[cfg(test)]
pub(crate) mod tests;
pub mod watch;

use packet::{Compartment, MentionWhat};

pub use criteria::{Criteria, SearchRequest, Wrong};
pub use find::{Found, FoundEntry, FoundPacket, Page, find};

/// A plate, phone or person in the index's language; `None` for what is not looked up so, or
/// has nothing to look up in it.
pub(crate) fn terms_of(what: MentionWhat, value: &str) -> Option<String> {
    match what {
        MentionWhat::Plate => terms::plate(value),
        MentionWhat::Phone => terms::phone(value),
        MentionWhat::Person => terms::person(value),
        MentionWhat::PartialPlate
        | MentionWhat::Vehicle
        | MentionWhat::Address
        | MentionWhat::Weapon
        | MentionWhat::Danger => None,
    }
}

/// As a list in SQL. Numbers, no text: nothing that somebody wrote is in it.
pub(crate) fn sql_list(compartments: &[Compartment]) -> String {
    let numbers: Vec<String> = compartments
        .iter()
        .map(|compartment| (*compartment as u8).to_string())
        .collect();
    numbers.join(",")
}
