use packet::{Actor, Author, Correction, DeviceNumber, EntryId, Link, LinkHow, Note};

use super::super::{
    LinksConfig, LinksThen, StepWhat, link, links_of, officers, units_on_it, unlink,
};
use super::*;
use crate::devices;
use crate::shifts::{self, Shift};

/// The first that is enrolled.
const DEVICE: DeviceNumber = DeviceNumber(1);

fn bench(then: LinksThen) -> Bench {
    let rules = Rules::default();
    let config = LinksConfig {
        then,
        ..LinksConfig::default()
    };
    let surroundings = Surroundings::default();
    let surroundings = surroundings.triaging(move |report| rules.triage(report));
    Bench::within(surroundings.linking(config))
}

/// A call of an agency at this second, so many metres north of the first.
fn at_place(agency: &str, number: &str, second: i64, metres: f64) -> CallReport {
    CallReport {
        agency: agency.into(),
        received: at(second),
        nature: "SHOTS FIRED".into(),
        location: format!("{metres:.0} N CEDAR AV"),
        latitude: Some(43.0 + metres / 111_320.0),
        longitude: Some(-88.0),
        ..said(number, second)
    }
}

/// What an officer's device says of a packet that it opens.
fn a_stop(nature: &str, location: &str, second: i64) -> Facts {
    Facts {
        agency: "pd".into(),
        number: String::new(),
        nature: nature.into(),
        category: "officer".into(),
        priority: 3,
        reason: "opened by Diaz (1A1)".into(),
        location: location.into(),
        latitude_e6: None,
        longitude_e6: None,
        district: None,
        narrative: None,
        received_ms: at(second).as_millisecond(),
        state: packet::CallState::Open,
        disposition: None,
    }
}

impl Bench {
    /// The links of a call: with which others, and how.
    fn links(&mut self, call: CallId) -> Vec<(CallId, LinkHow)> {
        let links = self.write(move |ledger| links_of(ledger.sql(), call));
        links
            .into_iter()
            .map(|link| (link.other, link.how))
            .collect()
    }

    /// The entries of a call's document that speak of links: those that are made, and how
    /// many are withdrawn.
    fn link_entries(&mut self, call: CallId) -> (Vec<(EntryId, Link)>, usize) {
        let document_id = DocumentId::new(call, Compartment::Call);
        let entries = self.write(move |ledger| document(ledger.sql(), document_id));
        let (mut links, mut withdrawn) = (Vec::new(), 0);
        for logged in entries {
            match logged.inspected.written.entry {
                Entry::Link(link) => links.push((logged.inspected.id, link)),
                Entry::Correction(_) => withdrawn += 1,
                _ => {}
            }
        }
        (links, withdrawn)
    }

    fn units(&mut self, call: CallId) -> Vec<String> {
        self.write(move |ledger| units_on_it(ledger.sql(), call))
    }

    /// All that whoever has the packet can read, as JSON.
    fn packet_text(&mut self, call: CallId) -> String {
        self.write(move |ledger| {
            let mut text = String::new();
            for compartment in Ledger::carried() {
                for logged in document(ledger.sql(), DocumentId::new(call, compartment))? {
                    let fields = logged.inspected.written.entry.to_fields()?;
                    text += &serde_json::to_string(&fields).unwrap();
                }
            }
            Ok(text)
        })
    }

    /// A device of unit 1A1 opens a packet.
    fn officer_opens(&mut self, nature: &str, location: &str, second: i64) -> CallId {
        self.officer_opens_with(a_stop(nature, location, second))
    }

    fn officer_opens_with(&mut self, facts: Facts) -> CallId {
        let call = CallId::new(Author::Device(DEVICE), 1);
        self.write(move |ledger| {
            let code = devices::new_code(ledger, "pd", "MDT 1")?;
            let device = devices::enrol(ledger, &code, &[1])?;
            assert_eq!(device.number, DEVICE);
            let shift = Shift {
                device: DEVICE,
                officer: "Diaz".into(),
                badge: "7".into(),
                unit: "1A1".into(),
                agency: "pd".into(),
                expires_ms: i64::MAX,
            };
            shifts::sign_on(ledger, &shift)?;
            for compartment in [Compartment::Safety, Compartment::Call] {
                let document = DocumentId::new(call, compartment);
                let appended = ledger.append(document, Entry::Facts(facts.clone()))?;
                officers::said(ledger, appended.seq, document, &facts, DEVICE)?;
            }
            Ok(call)
        })
    }
}

#[test]
fn calls_of_two_cads_that_are_near_and_alike_are_proposed_in_both_packets() {
    let mut bench = bench(LinksThen::Propose);
    let ours = bench.tell(at_place("pd", "26-1", 0, 0.0)).call;
    let theirs = bench.tell(at_place("so", "9", 300, 150.0)).call;
    assert_eq!(bench.links(ours), [(theirs, LinkHow::Proposed)]);
    assert_eq!(bench.links(theirs), [(ours, LinkHow::Proposed)]);
    let (links, _) = bench.link_entries(ours);
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].1.why, "150 m and 5 min apart, both weapons");
    assert_eq!(
        bench.link_entries(theirs).0[0].1.why,
        "150 m and 5 min apart, both weapons"
    );
    // Told again it is not proposed again.
    bench.tell(at_place("so", "9", 310, 150.0));
    assert_eq!(bench.link_entries(ours).0.len(), 1);
}

#[test]
fn linked_calls_stay_two_and_neither_packet_has_a_word_or_a_unit_of_the_others() {
    let mut bench = bench(LinksThen::Link);
    let ours = bench
        .tell(CallReport {
            narrative: vec!["caller is RIVERA in the back yard".into()],
            units: vec!["1A1".into()],
            ..at_place("pd", "26-11", 0, 0.0)
        })
        .call;
    let before = bench.state(ours);
    let theirs = bench
        .tell(CallReport {
            location: "77 HEMLOCK CT".into(),
            narrative: vec!["victim is OWENS".into()],
            units: vec!["S12".into()],
            ..at_place("sheriff", "S-4477", 60, 150.0)
        })
        .call;
    assert_eq!(bench.links(ours), [(theirs, LinkHow::Rule)]);
    assert_ne!(ours, theirs);
    assert_eq!(bench.state(ours), before);
    assert_eq!(bench.units(ours), ["1A1"]);
    assert_eq!(bench.units(theirs), ["S12"]);
    for (call, words_of_the_other) in [
        (ours, ["sheriff", "S-4477", "HEMLOCK", "OWENS", "S12"]),
        (theirs, ["\"pd\"", "26-11", "CEDAR", "RIVERA", "1A1"]),
    ] {
        let packet = bench.packet_text(call);
        assert!(packet.contains("both weapons"), "{packet}");
        for words in words_of_the_other {
            assert!(!packet.contains(words), "{words} is in {packet}");
        }
    }
}

#[test]
fn two_cads_that_use_the_same_number_have_two_calls() {
    let mut bench = bench(LinksThen::Link);
    let ours = bench.tell(at_place("pd", "26-11", 0, 0.0)).call;
    let theirs = bench.tell(at_place("so", "26-11", 10, 0.0)).call;
    assert_ne!(ours, theirs);
    assert_eq!(bench.tell(at_place("so", "26-11", 20, 5.0)).call, theirs);
    assert_eq!(bench.links(ours), [(theirs, LinkHow::Rule)]);
}

#[test]
fn an_officer_who_withdraws_a_link_is_not_named_in_the_others_packet() {
    let mut bench = bench(LinksThen::Link);
    let ours = bench.tell(at_place("pd", "1", 0, 0.0)).call;
    let theirs = bench.tell(at_place("so", "9", 10, 10.0)).call;
    let of = bench.link_entries(ours).0[0].0;
    bench.write(move |ledger| {
        let correction = Correction {
            of,
            text: None,
            by: "Diaz (1A1)".into(),
        };
        let by_device = EntryId {
            actor: Actor::new(Author::Device(DEVICE), [0; 4]),
            number: 1,
        };
        super::super::links::undone(ledger, ours, by_device, &correction)
    });
    assert_eq!((bench.links(ours), bench.links(theirs)), (vec![], vec![]));
    assert!(!bench.packet_text(theirs).contains("Diaz"));
}

#[test]
fn a_device_that_claims_another_agencys_number_is_linked_with_nothing_of_it() {
    let mut bench = bench(LinksThen::Link);
    let theirs = bench.tell(at_place("so", "26-00123", 0, 0.0)).call;
    let claimed = Facts {
        agency: "so".into(),
        number: "26-00123".into(),
        ..a_stop("TRAFFIC STOP", "westbound", 0)
    };
    let stop = bench.officer_opens_with(claimed);
    assert_eq!((bench.links(stop), bench.links(theirs)), (vec![], vec![]));
}

#[test]
fn calls_that_are_far_late_unlike_or_of_one_cad_are_not_the_same() {
    let mut bench = bench(LinksThen::Link);
    let first = bench.tell(at_place("pd", "1", 0, 0.0)).call;
    bench.tell(at_place("so", "far", 10, 201.0));
    bench.tell(at_place("so", "late", 901, 10.0));
    bench.tell(CallReport {
        nature: "NOISE NUISANCE".into(),
        ..at_place("so", "unlike", 10, 10.0)
    });
    bench.tell(at_place("pd", "ours", 10, 10.0));
    bench.tell(CallReport {
        latitude: None,
        longitude: None,
        ..at_place("so", "nowhere", 10, 10.0)
    });
    assert_eq!(bench.links(first), []);
    let same = bench.tell(at_place("so", "same", 900, 199.0)).call;
    assert!(bench.links(first).contains(&(same, LinkHow::Rule)));
}

#[test]
fn without_positions_the_same_building_is_near() {
    let mut bench = bench(LinksThen::Propose);
    let nowhere = |agency: &str, number: &str, location: &str| CallReport {
        latitude: None,
        longitude: None,
        location: location.into(),
        ..at_place(agency, number, 0, 0.0)
    };
    let ours = bench.tell(nowhere("pd", "1", "5237 N 35TH ST,MKE")).call;
    let theirs = bench
        .tell(nowhere("so", "2", "5237 NORTH 35TH STREET APT 4"))
        .call;
    assert_eq!(bench.links(ours), [(theirs, LinkHow::Proposed)]);
}

#[test]
fn what_a_person_has_undone_no_rule_makes_again_and_a_person_may() {
    let mut bench = bench(LinksThen::Propose);
    let ours = bench.tell(at_place("pd", "1", 0, 0.0)).call;
    let theirs = bench.tell(at_place("so", "9", 10, 10.0)).call;
    bench.write(move |ledger| unlink(ledger, theirs, ours, "Analyst"));
    for call in [ours, theirs] {
        assert_eq!(bench.links(call), []);
        let (links, withdrawn) = bench.link_entries(call);
        assert_eq!((links.len(), withdrawn), (1, 1));
    }
    bench.tell(at_place("so", "9", 20, 11.0));
    assert_eq!(bench.links(ours), []);
    let by_hand = move |ledger: &mut Ledger<'_>| {
        link(
            ledger,
            ours,
            theirs,
            LinkHow::Hand,
            "seen on camera",
            "Analyst",
        )
    };
    assert!(bench.write(by_hand));
    assert!(!bench.write(by_hand), "it is there already");
    assert_eq!(bench.links(theirs), [(ours, LinkHow::Hand)]);
}

#[test]
fn a_proposal_that_is_confirmed_is_withdrawn_and_the_link_stands() {
    let mut bench = bench(LinksThen::Propose);
    let ours = bench.tell(at_place("pd", "1", 0, 0.0)).call;
    let theirs = bench.tell(at_place("so", "9", 10, 10.0)).call;
    bench.write(move |ledger| link(ledger, ours, theirs, LinkHow::Hand, "yes", "Analyst"));
    for (call, other) in [(ours, theirs), (theirs, ours)] {
        assert_eq!(bench.links(call), [(other, LinkHow::Hand)]);
        let (links, withdrawn) = bench.link_entries(call);
        assert_eq!((links.len(), withdrawn), (2, 1));
        // Its life knows no moment at which it was unlinked.
        let hows = [LinkHow::Proposed, LinkHow::Hand];
        let linked = hows.map(|how| StepWhat::Linked { other, how });
        assert!(bench.life(call).ends_with(&linked));
    }
}

#[test]
fn whoever_withdraws_a_link_in_one_packet_withdraws_it_in_the_other() {
    let mut bench = bench(LinksThen::Link);
    let ours = bench.tell(at_place("pd", "1", 0, 0.0)).call;
    let theirs = bench.tell(at_place("so", "9", 10, 10.0)).call;
    let of = bench.link_entries(ours).0[0].0;
    bench.write(move |ledger| {
        let correction = Correction {
            of,
            text: None,
            by: "Diaz (1A1)".into(),
        };
        ledger.append(
            DocumentId::new(ours, Compartment::Call),
            Entry::Correction(correction),
        )
    });
    assert_eq!((bench.links(ours), bench.links(theirs)), (vec![], vec![]));
    assert_eq!(bench.link_entries(theirs).1, 1);
}

#[test]
fn a_link_needs_two_calls_that_are_known() {
    let mut bench = bench(LinksThen::Propose);
    let call = bench.tell(said("1", 0)).call;
    for (other, wanted) in [
        (call, "not linked with itself"),
        (CallId(99), "is not known"),
    ] {
        let refused = bench.write(move |ledger| {
            let linked =
                ledger.attempt(|ledger| link(ledger, call, other, LinkHow::Hand, "", "Analyst"));
            Ok(linked.unwrap_err().to_string())
        });
        assert!(refused.contains(wanted), "{refused}");
    }
}

#[test]
fn an_officers_packet_is_linked_with_dispatchs_call_of_the_same_unit_and_place() {
    for dispatch_is_first in [true, false] {
        let mut bench = bench(LinksThen::Propose);
        let dispatched = CallReport {
            nature: "TRAFFIC STOP".into(),
            location: "5TH ST & OAK AV".into(),
            units: vec!["1A1".into()],
            received: at(60),
            ..said("26-1", 60)
        };
        let mut told = None;
        if dispatch_is_first {
            told = Some(bench.tell(dispatched.clone()).call);
        }
        let stop = bench.officer_opens("TRAFFIC STOP", "5TH ST & OAK AV", 0);
        let call = told.unwrap_or_else(|| bench.tell(dispatched).call);
        assert_eq!(
            bench.links(stop),
            [(call, LinkHow::Rule)],
            "{dispatch_is_first}"
        );
        let why = &bench.link_entries(stop).0[0].1.why;
        assert_eq!(why, "1A1 is on both, at the same address and 60 s apart");
    }
}

#[test]
fn an_officers_packet_without_a_place_is_proposed_and_of_another_unit_it_is_not() {
    let mut bench = bench(LinksThen::Propose);
    let stop = bench.officer_opens("TRAFFIC STOP", "westbound", 0);
    let call = |number: &str, unit: &str, second| CallReport {
        units: vec![unit.into()],
        received: at(second),
        ..said(number, second)
    };
    bench.tell(call("26-1", "1B1", 60));
    bench.tell(call("26-2", "1A1", 1_860));
    assert_eq!(bench.links(stop), []);
    // The unit may be put on it later.
    let told = bench.tell(call("26-3", "1B1", 60)).call;
    bench.write(move |ledger| super::super::assign(ledger, told, "1A1"));
    assert_eq!(bench.links(stop), [(told, LinkHow::Proposed)]);
}

#[test]
fn a_units_second_call_is_not_proposed_with_the_packet_that_has_its_own() {
    let mut bench = bench(LinksThen::Propose);
    let stop = bench.officer_opens("TRAFFIC STOP", "5TH ST & OAK AV", 0);
    let call = |number: &str, location: &str, second| CallReport {
        units: vec!["1A1".into()],
        received: at(second),
        location: location.into(),
        ..said(number, second)
    };
    let first = bench.tell(call("26-1", "5TH ST & OAK AV", 60)).call;
    let second = bench.tell(call("26-2", "9 ELM ST", 600)).call;
    assert_eq!(bench.links(stop), [(first, LinkHow::Rule)]);
    assert_eq!(bench.links(second), []);
}

#[test]
fn a_number_that_the_officer_has_said_links_whatever_the_place() {
    let mut bench = bench(LinksThen::Nothing);
    let call = bench.tell(said("26-00123", 300)).call;
    let stop = bench.officer_opens("TRAFFIC STOP", "westbound", 0);
    assert_eq!(bench.links(stop), []);
    bench.write(move |ledger| {
        let note = Note {
            text: "dispatch gave 26-00123".into(),
            by: "Diaz (1A1)".into(),
        };
        ledger.append(DocumentId::new(stop, Compartment::Call), Entry::Note(note))
    });
    // It is looked at again when anything moves.
    bench.tell(said("26-00123", 310));
    assert_eq!(bench.links(stop), [(call, LinkHow::Rule)]);
}

#[test]
fn an_officers_packet_is_triaged_when_it_comes() {
    let mut bench = bench(LinksThen::Propose);
    let stop = bench.officer_opens("SHOTS FIRED", "5TH ST & OAK AV", 0);
    let state = bench.state(stop);
    assert_eq!(state.priority, 1);
    for facts in &state.facts {
        assert_eq!((facts.category.as_str(), facts.priority), ("weapons", 1));
    }
    let reason = &state.facts[1].reason;
    assert!(
        reason.starts_with("opened by Diaz (1A1); nature SHOTS FIRED → 1"),
        "{reason}"
    );
}
