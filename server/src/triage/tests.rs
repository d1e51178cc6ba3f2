#![allow(clippy::unwrap_used)]
use std::io::BufReader;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;
use crate::address;
use crate::intake::shared_files::shared_file;
use crate::intake::{CallStatus, csv::CallRows};

fn call(nature: &str, narrative: &[&str]) -> CallReport {
    CallReport {
        agency: "tpd".to_owned(),
        number: "1".to_owned(),
        received: Timestamp::UNIX_EPOCH,
        updated: Timestamp::UNIX_EPOCH,
        nature: nature.to_owned(),
        location: "1 MAIN ST".to_owned(),
        latitude: None,
        longitude: None,
        district: None,
        priority: None,
        narrative: narrative.iter().map(|text| (*text).to_owned()).collect(),
        plates: vec![],
        units: vec![],
        status: CallStatus::Open,
    }
}

fn triage(nature: &str, narrative: &[&str]) -> Triage {
    Rules::default().triage(&call(nature, narrative))
}

#[test]
fn the_nature_gives_the_priority_and_says_why() {
    let found = triage("SHOTSPOTTER", &[]);
    assert_eq!((found.priority, found.category.as_str()), (1, "weapons"));
    assert_eq!(found.reasons, ["nature SHOTSPOTTER → 1 (rule shots-fired)"]);
}

#[test]
fn natures_are_known_in_any_case_and_by_whole_words() {
    for (nature, priority) in [
        ("shots  fired", 1),
        ("ENTRY", 3),
        ("ENTRY-DV", 2),
        ("ENTRY AUTOS", 4),
        ("TRBL W/SUBJ", 3),
        ("TRBL W/SUBJ-DV", 2),
        ("FIRE", 2),
        ("FIREWORKS", 4),
        ("BATTERY CUT-DV", 1),
        ("ROBBERY STARM-DV", 1),
        ("TRAFFIC STOP", 4),
        ("911 CALL", 2),
        ("REPORTS", 5),
    ] {
        assert_eq!(triage(nature, &[]).priority, priority, "{nature}");
    }
}

#[test]
fn an_unknown_nature_gets_the_default_unless_dispatch_says_more() {
    let mut report = call("FIREWALKING", &[]);
    let found = Rules::default().triage(&report);
    assert_eq!((found.priority, found.category.as_str()), (3, "unsorted"));
    assert_eq!(found.reasons.len(), 1);
    report.priority = Some(5);
    let found = Rules::default().triage(&report);
    assert_eq!(
        (found.priority, found.reasons),
        (5, vec!["dispatch says → 5".to_owned()])
    );
}

#[test]
fn dispatchs_priority_can_raise_and_never_lowers() {
    let mut report = call("NOISE NUISANCE", &[]);
    report.priority = Some(1);
    let found = Rules::default().triage(&report);
    assert_eq!(found.priority, 1);
    assert_eq!(found.reasons[0], "dispatch says → 1");
    report.nature = "SHOOTING".to_owned();
    report.priority = Some(5);
    assert_eq!(Rules::default().triage(&report).priority, 1);
}

#[test]
fn danger_words_raise_the_priority_and_are_shown_verbatim_as_unverified() {
    let found = triage(
        "NOISE NUISANCE",
        &["Party upstairs. Subj armed w/ KNIFE, on porch. Loud"],
    );
    assert_eq!(found.priority, 1);
    assert!(
        found
            .reasons
            .contains(&"words \"KNIFE\" → 1 (rule blade)".to_owned())
    );
    assert_eq!(
        found.cautions,
        [Caution {
            text: "Caller's words: \"Subj armed w/ KNIFE, on porch\" (unverified)".to_owned(),
            words: "Subj armed w/ KNIFE, on porch".to_owned(),
        }]
    );
}

#[test]
fn a_threat_to_life_raises_the_priority_without_a_caution() {
    let found = triage("WELFARE CITIZEN", &["male 40s NOT BREATHING"]);
    assert_eq!((found.priority, found.cautions.len()), (1, 0));
}

/// Whether the built-in rules caution an officer about this text.
fn cautions(text: &str) -> bool {
    !triage("TRBL W/SUBJ", &[text]).cautions.is_empty()
}

#[test]
fn what_is_denied_does_not_raise() {
    for text in [
        "no weapons",
        "NO WEAPONS SEEN",
        "no visible weapons",
        "unarmed",
        "subj is not armed",
        "isn't armed",
        "isn’t armed",
        "denies having any weapons",
        "does not have a gun",
        "no sign of a gun",
        "no guns or knives",
        "w/o weapons",
        "weapons: none",
        "weapons - negative",
        "weapons none seen, calm",
        "gun not seen",
        "UNK WEAPONS",
        "FIREWORKS, NOT GUNSHOTS PER CALLER",
        "worker w/ nail gun",
        "at the gun shop",
        "gunnery sgt, swordfish, hammered",
    ] {
        assert!(!cautions(text), "{text}");
    }
}

#[test]
fn a_denial_of_one_thing_does_not_hide_another() {
    for text in [
        "no gun but has a knife",
        "NO GUN SEEN HAS KNIFE",
        "no, he has a gun",
        "no he has a gun",
        "no shoes, w/ machete",
        "no weapons. rifle in car",
        "gun none injured",
        "gun no shots",
        "caller not home subj has gun",
        "gun/knife",
        "AK 47 in trunk",
        "nail gun and a handgun",
        "not breathing, stabbed",
        "subj w/ box cutter",
        "HAS ACCESS TO RIFLE",
    ] {
        assert!(cautions(text), "{text}");
    }
}

#[test]
fn one_sentence_is_one_caution_and_there_is_a_limit() {
    let found = triage("FIGHT", &["gun, knife and rifle", "gun, knife and rifle"]);
    assert_eq!(found.cautions.len(), 1);
    let many: String = (0..50).map(|n| format!("gun {n}. ")).collect();
    assert_eq!(triage("FIGHT", &[&many]).cautions.len(), CAUTIONS_MAX);
}

#[test]
fn of_a_long_sentence_the_words_around_are_shown() {
    let text = format!("{} gun {}", "före ".repeat(300), "efter ".repeat(300));
    let found = triage("FIGHT", &[&text]);
    let words = &found.cautions[0].words;
    assert!(words.contains(" gun ") && words.starts_with('…') && words.ends_with('…'));
    assert!(words.chars().count() <= WORDS_CHARS_MAX + 2, "{words}");
    let endless = format!("gun x{}", "y".repeat(5000));
    assert_eq!(triage("FIGHT", &[&endless]).cautions[0].words, "gun…");
}

#[test]
fn plates_of_the_narrative_are_found_unless_the_report_has_them() {
    let mut report = call("TRAFFIC STOP", &["WI PLATE KRT482", "tag ABC1234"]);
    report.plates = vec!["krt-482".to_owned()];
    let found = Rules::default().triage(&report);
    assert_eq!(found.plates.len(), 1);
    assert_eq!(found.plates[0].plate, "ABC1234");
    let many: String = (10..60).map(|n| format!("plate ABC12{n}, ")).collect();
    assert_eq!(triage("FIGHT", &[&many]).plates.len(), FOUND_PLATES_MAX);
}

#[test]
fn any_text_is_read_without_harm() {
    for text in [
        "",
        "'",
        "''' ’",
        "w/",
        "W/O",
        "é w/o gun",
        "…!?;",
        "\0\u{202e}",
        "w/oé",
        "’w/o’",
    ] {
        triage(text, &[text]);
    }
}

const MINIMAL: &str = "default_priority = 3\n";

fn wrong(table: &str) -> (usize, usize, String) {
    let error = Rules::parse(&format!("{MINIMAL}{table}")).unwrap_err();
    (error.line, error.column, error.message)
}

#[test]
fn a_table_that_is_wrong_says_the_line_and_the_column() {
    let rule = "[[nature]]\nrule = \"a\"\ncategory = \"c\"\npriority = 1\n";
    let (line, column, message) = wrong(&format!("{rule}exact = [\"A\", \"é\", \"a\"]\n"));
    assert_eq!((line, column), (6, 20));
    assert!(message.contains("rule before"), "{message}");
    assert_eq!(wrong(&format!("{rule}prefix = [\" \"]\n")).0, 6);
    assert_eq!(wrong(&rule.replace("= 1", "= 6")).0, 5);
    assert_eq!(wrong(&rule.replace("= 1", "= 0")).1, 12);
    assert_eq!(wrong(&rule.replace("= 1", "= 999999999999")).0, 5);
    assert_eq!(wrong(&rule.replace("= 1", "= nan")).0, 5);
    assert_eq!(wrong(&format!("{rule}prefixes = [\"A\"]\n")).0, 6);
    assert_eq!(wrong("[[words]\n").0, 2);
    assert_eq!(
        wrong("[[words]]\nrule = \"w\"\ncategory = \"c\"\npriority = 1\nwords = [\"ok\", \"-\"]\n")
            .0,
        6
    );
    assert!(Rules::parse("").is_err());
    assert!(Rules::parse(&"a=[".repeat(100_000)).is_err());
    let text = Rules::parse("default_priority = x")
        .unwrap_err()
        .to_string();
    assert!(text.starts_with("line 1, column 20: "), "{text}");
}

#[test]
fn an_agencys_own_table_is_obeyed() {
    let table = format!(
        "{MINIMAL}[[nature]]\nrule = \"band\"\ncategory = \"music\"\npriority = 5\nprefix = [\"BRASS\"]\n"
    );
    let found = Rules::parse(&table)
        .unwrap()
        .triage(&call("BRASS BAND", &["gun"]));
    assert_eq!((found.priority, found.category.as_str()), (5, "music"));
    assert_eq!(found.cautions, []);
}

#[test]
fn the_built_in_table_knows_the_natures_of_a_real_fortnight() {
    let test = "the_built_in_table_knows_the_natures_of_a_real_fortnight";
    let Some(path) = shared_file("data/milwaukee_calls_2018-05-01_to_14.csv", test) else {
        return;
    };
    let rules = Rules::default();
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    let rows = CallRows::open(file, "mpd", TimeZone::UTC).unwrap();
    let mut by_priority = [0_u64; 6];
    let mut unknown = std::collections::BTreeSet::new();
    for report in rows.map(Result::unwrap) {
        match rules.nature(&report.nature) {
            Some(rule) => by_priority[usize::from(rule.priority)] += 1,
            None => {
                by_priority[0] += 1;
                unknown.insert(report.nature);
            }
        }
    }
    let all: u64 = by_priority.iter().sum();
    println!("by priority (0 is unknown): {by_priority:?}");
    assert!(by_priority[0] * 20 <= all, "{unknown:?}");
}

#[test]
fn a_real_fortnight_of_locations_keeps_its_places_apart_and_finds_more_of_them_again() {
    let test = "a_real_fortnight_of_locations_keeps_its_places_apart_and_finds_more_of_them_again";
    let Some(path) = shared_file("data/milwaukee_calls_2018-05-01_to_14.csv", test) else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut spellings = std::collections::BTreeSet::new();
    let mut keys = std::collections::BTreeSet::new();
    for line in text.lines().skip(1) {
        let location = line.split('"').nth(1).unwrap_or_default();
        if location.is_empty() {
            continue;
        }
        let key = address::normalise(location).building;
        assert_eq!(address::normalise(&key).building, key, "{location}");
        spellings.insert(location.to_owned());
        keys.insert(key);
    }
    println!("{} spellings, {} places", spellings.len(), keys.len());
    // Most places have one spelling: much fewer keys would be places that fell together.
    assert!(keys.len() < spellings.len());
    assert!(keys.len() * 100 > spellings.len() * 95);
}
