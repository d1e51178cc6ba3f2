//! How much of each document's lease is left: what only ever runs down, but for a contact
//! in which the document is still granted.
//!
//! It goes by the same time as the shift ([`super::shift_clock`]): time has passed where
//! either clock says so. In one thing it is stricter: a program that starts on an earlier
//! day than it has seen already cannot know how long it did not run, and then every lease
//! is over. A shift that ended would take the packet out of the officer's hand; a document
//! whose lease ended comes again with the next contact.

use std::collections::BTreeMap;

use packet::DocumentId;
use serde::{Deserialize, Serialize};

use super::tries::Moment;

/// How far a clock may have been set back while the program did not run: an honest clock
/// that is put right.
const SET_BACK_MS_MAX: i64 = 60_000;

/// One document's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) left_ms: i64,
    /// From contact to contact.
    pub(crate) length_ms: i64,
}

/// As it is kept: how much was left at this time of the wall clock, the latest seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct KeptTerms {
    wall_ms: i64,
    /// Document (its bytes in hexadecimal), left, length.
    terms: Vec<(String, i64, i64)>,
}

/// … and as it runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeaseClock {
    terms: BTreeMap<DocumentId, Term>,
    at: Moment,
}

impl LeaseClock {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            terms: BTreeMap::new(),
            at: now,
        }
    }

    /// What was kept, in a program that starts now.
    pub(crate) fn load(kept: &KeptTerms, now: Moment) -> Self {
        let is_set_back = now.wall_ms.saturating_add(SET_BACK_MS_MAX) < kept.wall_ms;
        let terms = kept
            .terms
            .iter()
            .filter_map(|(document, left_ms, length_ms)| {
                let bytes = data_encoding::HEXLOWER.decode(document.as_bytes()).ok()?;
                let term = Term {
                    left_ms: if is_set_back { 0 } else { *left_ms },
                    length_ms: *length_ms,
                };
                Some((DocumentId::from_bytes(&bytes).ok()?, term))
            });
        let mut clock = Self {
            terms: terms.collect(),
            at: Moment {
                wall_ms: kept.wall_ms,
                ..now
            },
        };
        clock.pass(now);
        clock
    }

    /// Runs down to now. A wall clock that went back is not believed: the latest stays.
    pub(crate) fn pass(&mut self, now: Moment) {
        let passed = i64::try_from(self.at.perhaps_until(now)).unwrap_or(i64::MAX);
        for term in self.terms.values_mut() {
            term.left_ms = term.left_ms.saturating_sub(passed).max(0);
        }
        self.at = Moment {
            boot_ms: now.boot_ms,
            wall_ms: now.wall_ms.max(self.at.wall_ms),
        };
    }

    pub(crate) fn kept(&self) -> KeptTerms {
        let term = |(document, term): (&DocumentId, &Term)| {
            let document = data_encoding::HEXLOWER.encode(&document.to_bytes());
            (document, term.left_ms, term.length_ms)
        };
        KeptTerms {
            wall_ms: self.at.wall_ms,
            terms: self.terms.iter().map(term).collect(),
        }
    }

    /// A document came: all of its lease is left.
    pub(crate) fn begin(&mut self, document: DocumentId, length_ms: i64) {
        let term = Term {
            left_ms: length_ms,
            length_ms,
        };
        self.terms.insert(document, term);
    }

    /// From the next contact on it lasts so long.
    pub(crate) fn lasts(&mut self, document: DocumentId, length_ms: i64) {
        if let Some(term) = self.terms.get_mut(&document) {
            term.length_ms = length_ms;
            term.left_ms = term.left_ms.min(length_ms);
        }
    }

    /// The center was heard, and grants all that is here. What is over stays over.
    pub(crate) fn renew(&mut self) {
        for term in self.terms.values_mut().filter(|term| term.left_ms > 0) {
            term.left_ms = term.length_ms;
        }
    }

    /// Says whether there was one.
    pub(crate) fn forget(&mut self, document: DocumentId) -> bool {
        self.terms.remove(&document).is_some()
    }

    pub(crate) fn term(&self, document: DocumentId) -> Option<Term> {
        self.terms.get(&document).copied()
    }

    pub(crate) fn documents(&self) -> impl Iterator<Item = DocumentId> + '_ {
        self.terms.keys().copied()
    }

    pub(crate) fn over(&self) -> Vec<DocumentId> {
        let over = self.terms.iter().filter(|(_, term)| term.left_ms == 0);
        over.map(|(document, _)| *document).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use packet::{CallId, Compartment};

    use super::*;

    const H: i64 = 60 * 60 * 1_000;
    const DOCUMENT: DocumentId = DocumentId {
        call: CallId(5),
        compartment: Compartment::Juvenile,
    };

    fn at(boot_h: i64, wall_h: i64) -> Moment {
        Moment {
            boot_ms: (boot_h * H).unsigned_abs(),
            wall_ms: wall_h * H,
        }
    }

    fn begun() -> LeaseClock {
        let mut clock = LeaseClock::new(at(0, 100));
        clock.begin(DOCUMENT, 4 * H);
        clock
    }

    fn left(clock: &LeaseClock) -> i64 {
        clock.term(DOCUMENT).map_or(-1, |term| term.left_ms)
    }

    #[test]
    fn a_contact_begins_a_lease_anew_and_none_brings_back_one_that_is_over() {
        let mut clock = begun();
        clock.pass(at(3, 103));
        assert_eq!((left(&clock), clock.over()), (H, vec![]));
        clock.renew();
        assert_eq!(left(&clock), 4 * H);
        clock.pass(at(7, 107));
        clock.renew();
        assert_eq!((left(&clock), clock.over()), (0, vec![DOCUMENT]));
    }

    #[test]
    fn setting_the_clock_back_gives_no_time() {
        let mut clock = begun();
        clock.pass(at(1, 1));
        clock.pass(at(3, 3));
        assert_eq!(left(&clock), H);
        clock.pass(at(4, 4));
        assert_eq!(clock.over(), [DOCUMENT]);
    }

    #[test]
    fn what_passed_while_the_program_did_not_run_has_passed() {
        let mut clock = begun();
        clock.pass(at(1, 101));
        let kept = clock.kept();
        assert_eq!(left(&LeaseClock::load(&kept, at(0, 103))), H);
        assert_eq!(left(&LeaseClock::load(&kept, at(0, 104))), 0);
    }

    #[test]
    fn a_program_that_starts_before_it_ended_has_no_lease_left() {
        let mut clock = begun();
        clock.pass(at(1, 101));
        let kept = clock.kept();
        assert_eq!(left(&LeaseClock::load(&kept, at(0, 100))), 0);
        let a_little_back = Moment {
            boot_ms: 0,
            wall_ms: 101 * H - SET_BACK_MS_MAX,
        };
        assert_eq!(left(&LeaseClock::load(&kept, a_little_back)), 3 * H);
    }

    #[test]
    fn a_rule_that_is_shorter_now_counts_at_once() {
        let mut clock = begun();
        clock.lasts(DOCUMENT, H);
        assert_eq!(left(&clock), H);
        clock.lasts(DOCUMENT, 2 * H);
        assert_eq!(left(&clock), H);
        clock.renew();
        assert_eq!(left(&clock), 2 * H);
    }
}
