//! Agreements as lawyers write them: read, refused, replaced, explained, expected.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use packet::Compartment;
use tokio_util::sync::CancellationToken;

use super::set::Question;
use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::shifts::Shift;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/agreement.cedar");

fn names() -> Names {
    let agencies = ["cedarport-pd", "mallory-so", "csu-pd"].map(String::from);
    Names::new(agencies, ["C", "F"].map(String::from))
}

fn officer(agency: &str, cjis: Option<Date>) -> Who {
    Who {
        agency: agency.into(),
        name: "7".into(),
        certifications: Certifications { cjis, intel: None },
        device: Some(agency.into()),
        ..Who::of(Role::Officer)
    }
}

fn carry(
    policies: &Policies,
    who: &Who,
    agency: &str,
    compartment: Compartment,
    purpose: &str,
    today: Date,
) -> Verdict {
    policies.judge(&Question {
        who,
        act: Act::Carry(compartment),
        on: On::Document {
            agency,
            compartment,
        },
        purpose,
        today,
    })
}

#[test]
fn the_sample_agreement_says_who_sees_what_for_which_purpose_and_from_when_to_when() {
    use Compartment::{Call, Intel, Juvenile, Records};
    let text = std::fs::read_to_string(SAMPLE).unwrap();
    let policies = Policies::of(&names(), &[("agreement.cedar".into(), text)]).unwrap();
    let (before, first) = (date(2026, 11, 30), date(2026, 12, 1));
    let (last, after) = (date(2027, 11, 30), date(2027, 12, 1));
    let good = Some(date(2099, 1, 1));
    let so = officer("mallory-so", good);
    for (compartment, purpose, today, allowed) in [
        (Call, "C", before, false),
        (Call, "C", first, true),
        (Call, "F", first, true),
        (Call, "C", last, true),
        (Call, "C", after, false),
        (Records, "C", first, true),
        (Records, "F", first, false),
        (Juvenile, "C", first, false),
        (Intel, "C", first, false),
    ] {
        let verdict = carry(&policies, &so, "cedarport-pd", compartment, purpose, today);
        assert_eq!(
            verdict.allowed, allowed,
            "{compartment:?} {purpose} {today}: {verdict:?}"
        );
    }
    // Not the other way round, not without a certification, not on the day on which it ends,
    // and not for who has agreed to nothing.
    let pd = officer("cedarport-pd", good);
    assert!(!carry(&policies, &pd, "mallory-so", Records, "C", first).allowed);
    for cjis in [None, Some(first)] {
        let so = officer("mallory-so", cjis);
        assert!(!carry(&policies, &so, "cedarport-pd", Records, "C", first).allowed);
    }
    let csu = officer("csu-pd", good);
    assert!(!carry(&policies, &csu, "cedarport-pd", Call, "C", first).allowed);
    // What made it so is named with its place.
    let verdict = carry(&policies, &so, "cedarport-pd", Records, "C", first);
    assert_eq!(verdict.by[0].id, "mou-2026-12-section-2");
    assert_eq!(verdict.by[0].file, "agreement.cedar");
    assert!(verdict.by[0].line > 1);
}

#[test]
fn a_policy_that_does_not_hold_names_file_line_and_column() {
    let good = "@id(\"a\")\npermit (principal in Agency::\"mallory-so\", action in Action::\"share\", resource)\nwhen { context.purpose == Purpose::\"C\" };\n";
    let read = |text: &str| Policies::of(&names(), &[("mou.cedar".into(), text.into())]);
    read(good).unwrap();
    for (from, to, says) in [
        ("mallory-so", "malory-so", "malory-so"),
        ("permit (", "permit(prncipal, ", "mou.cedar: line "),
        ("Action::\"share\"", "Action::\"shar\"", "shar"),
        ("Purpose::\"C\"", "Purpose::\"X\"", "mou.cedar: line 3"),
        ("context.purpose ==", "context.purpos ==", "purpos"),
        (
            "context.purpose == Purpose::\"C\"",
            "context.today < 7",
            "mou.cedar: line 3",
        ),
        ("@id(\"a\")\n", "\n", "wanted a name for this policy"),
        (
            "@id(\"a\")",
            "@id(\"devices\")",
            "wanted an @id that no other policy has",
        ),
        (
            "resource)",
            "resource == Document::\"d\")",
            "wanted no single call",
        ),
        (
            "principal in Agency::\"mallory-so\"",
            "principal == ?principal",
            "mou.cedar: line ",
        ),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let fault = read(&bad).unwrap_err();
        let said = fault.to_string();
        assert!(said.contains(says), "{from}: {said}");
        assert!(
            said.starts_with("mou.cedar: line ") && said.contains(", column "),
            "{said}"
        );
    }
}

fn config(folder: &Path) -> Config {
    let text = r#"
        name = "Test"
        data = "data"
        sync = "127.0.0.1:0"
        console = "127.0.0.1:0"
        policies = "policies"
        [[agencies]]
        id = "cedarport-pd"
        name = "Police"
        units = ["1A"]
        officers = [{ badge = "12", name = "Diaz", certifications = { CJIS = "2026-12-05" } }]
        [[agencies]]
        id = "mallory-so"
        name = "Sheriff"
        units = ["2A"]
        officers = [{ badge = "12", name = "Okafor" }]
    "#;
    std::fs::create_dir_all(folder.join("policies")).unwrap();
    let path = folder.join("center.toml");
    std::fs::write(&path, text).unwrap();
    Config::read(&path).unwrap()
}

fn shift(agency: &str) -> Shift {
    Shift {
        device: packet::DeviceNumber(1),
        officer: "Officer".into(),
        badge: "12".into(),
        unit: "1A".into(),
        agency: agency.into(),
        expires_ms: i64::MAX,
    }
}

/// Live policies of a folder, by a clock that the test turns.
fn live(folder: &Path, day: Date) -> (Arc<LivePolicies>, Arc<AtomicI64>, PathBuf) {
    let config = config(folder);
    let noon = day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
    let now = Arc::new(AtomicI64::new(noon.timestamp().as_millisecond()));
    let clock = {
        let now = now.clone();
        Clock::new(move || now.load(Ordering::Relaxed))
    };
    let zone = TimeZone::get("America/Chicago").unwrap();
    let live = LivePolicies::open_in(&config, clock, zone).unwrap();
    (Arc::new(live), now, config.policies.unwrap())
}

fn has_records(live: &Arc<LivePolicies>, agency: &str, of: &str) -> bool {
    let carries = Carries::new(live.clone(), Some(shift(agency)), agency);
    carries.now().may_have(of, Compartment::Records)
}

#[test]
fn a_certification_ends_with_the_midnight_before_its_day_in_the_centers_zone() {
    let folder = tempfile::tempdir().unwrap();
    let (live, now, _) = live(folder.path(), date(2026, 12, 4));
    let changes = live.changes();
    let pd = "cedarport-pd";
    assert!(has_records(&live, pd, pd));
    let set = |day: Date, hour: i8, minute: i8| {
        let at = day.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        now.store(at.timestamp().as_millisecond(), Ordering::Relaxed);
    };
    // Midnight in Chicago is six o'clock UTC in winter.
    set(date(2026, 12, 5), 5, 59);
    assert!(has_records(&live, pd, pd));
    assert!(!changes.has_changed().unwrap());
    set(date(2026, 12, 5), 6, 0);
    assert!(!has_records(&live, pd, pd));
    assert!(changes.has_changed().unwrap());
    // A clock that is set back does not bring an answer of another day.
    set(date(2026, 12, 4), 12, 0);
    assert!(has_records(&live, pd, pd));
}

#[tokio::test]
async fn changed_files_are_in_force_without_a_restart_and_wrong_ones_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (live, _, policies) = live(folder.path(), date(2026, 12, 2));
    let (metrics, stop) = (Metrics::new(), CancellationToken::new());
    let watching = tokio::spawn(live.clone().watch(metrics.clone(), stop.clone()));
    let (mut changes, mut fault) = (live.changes(), live.fault());
    let (pd, so) = ("cedarport-pd", "mallory-so");
    assert!(!has_records(&live, so, pd));

    let agreement = policies.join("mou.cedar");
    std::fs::copy(SAMPLE, &agreement).unwrap();
    changes.changed().await.unwrap();
    // It is agreed, but nobody there is certified.
    assert!(!has_records(&live, so, pd));

    let people = "[[people]]\nagency = \"mallory-so\"\nbadge = \"12\"\ncertifications = { CJIS = \"2027-01-01\" }\n";
    std::fs::write(policies.join("people.toml"), people).unwrap();
    changes.changed().await.unwrap();
    assert!(has_records(&live, so, pd));

    let wrong = people.replace("mallory-so", "malory-so");
    std::fs::write(policies.join("people.toml"), wrong).unwrap();
    let said = fault
        .wait_for(Option::is_some)
        .await
        .unwrap()
        .clone()
        .unwrap();
    assert!(
        said.contains("people[1].agency: malory-so is none of the agencies"),
        "{said}"
    );
    assert!(has_records(&live, so, pd));

    std::fs::write(policies.join("people.toml"), people).unwrap();
    fault.wait_for(Option::is_none).await.unwrap();
    std::fs::remove_file(&agreement).unwrap();
    changes.mark_unchanged();
    changes.changed().await.unwrap();
    assert!(!has_records(&live, so, pd));
    stop.cancel();
    watching.await.unwrap();
}

#[test]
fn what_an_agency_expects_is_held_against_the_policies() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let names = Names::of(&config);
    let text = std::fs::read_to_string(SAMPLE).unwrap();
    let policies = Policies::of(&names, &[("mou.cedar".into(), text)]).unwrap();
    let people = People::of(&config.agencies);
    let file = folder.path().join("expect.toml");
    let run = |text: &str| {
        std::fs::write(&file, text).unwrap();
        expect::run(&config, &policies, &people, date(2026, 12, 2), &file)
    };
    let holds = r#"
        [[expect]]
        who = { role = "officer", agency = "mallory-so", certifications = { CJIS = "2027-01-31" } }
        may = "carry"
        document = "cedarport-pd/records"
        outcome = "allow"
        by = "mou-2026-12-section-2"
        [[expect]]
        user = "cedarport-pd/12"
        may = "carry"
        document = "mallory-so/juvenile"
        outcome = "deny"
    "#;
    let report = run(holds).unwrap();
    assert_eq!((report.held, report.missed.len()), (2, 0), "{report:?}");
    let report = run(&holds.replace("2027-01-31", "2026-12-02")).unwrap();
    assert_eq!(report.held, 1);
    let said = &report.missed[0];
    assert!(
        said.contains("expect[1]: wanted allow, but it is denied: by records-for-the-certified"),
        "{said}"
    );
    for (from, to, says) in [
        ("\"carry\"", "\"cary\"", "expect[1].may: one of show, carry"),
        (
            "mallory-so\", cert",
            "mallory\", cert",
            "expect[1].who.agency: an agency's id",
        ),
        (
            "pd/records",
            "pd/record",
            "expect[1].compartment: one of safety, call",
        ),
        ("\"officer\"", "\"oficer\"", "expect[1].who.role: one of"),
        ("2027-01-31", "soon", "wanted the day on which it ends"),
        (
            "cedarport-pd/12",
            "cedarport-pd/99",
            "expect[2].user: a badge of cedarport-pd",
        ),
        ("outcome", "outcom", "unknown field `outcom`"),
    ] {
        let bad = holds.replacen(from, to, 1);
        assert_ne!(bad, holds, "{from}");
        let said = run(&bad).unwrap_err();
        assert!(said.contains(says), "{from}: {said}");
    }
}
