#![allow(clippy::unwrap_used)]
use super::*;
use crate::triage::{Entity, EntityWhat, Rules};

fn plates(text: &str) -> Vec<(Entity, Plate)> {
    let entities = Rules::default().entities(text);
    let plates = entities
        .into_iter()
        .filter_map(|entity| match &entity.what {
            EntityWhat::Plate(plate) => Some((entity.clone(), plate.clone())),
            _ => None,
        });
    plates.collect()
}

/// The whole ones: those that would be run.
fn found(text: &str) -> Vec<(String, Option<String>)> {
    let whole = plates(text).into_iter().filter(|(_, plate)| !plate.partial);
    whole.map(|(_, plate)| (plate.plate, plate.state)).collect()
}

fn partial(text: &str) -> Vec<(String, Option<String>)> {
    let partial = plates(text).into_iter().filter(|(_, plate)| plate.partial);
    partial
        .map(|(_, plate)| (plate.plate, plate.state))
        .collect()
}

fn one(plate: &str, state: Option<&str>) -> Vec<(String, Option<String>)> {
    vec![(plate.to_owned(), state.map(str::to_owned))]
}

#[test]
fn plates_are_found_as_call_takers_write_them() {
    for (text, plate, state) in [
        (
            "GRY 2015 HONDA CIVIC WI PLATE KRT482, SPEED 48 IN 30",
            "KRT482",
            Some("WI"),
        ),
        (
            "GRY 2015 HONDA CIVIC PLATE KRT482 NO HEADLIGHTS",
            "KRT482",
            None,
        ),
        (
            "veh il PLATE 4151123 DRIVING WRONG WAY",
            "4151123",
            Some("IL"),
        ),
        ("tag: abc-1234.", "ABC1234", None),
        ("LP#ABC1234/WI", "ABC1234", Some("WI")),
        ("license plate number is MN 123-ABC", "123ABC", Some("MN")),
        ("lic no IN 12AB34", "12AB34", Some("IN")),
        ("Lic. WI/AB12345", "AB12345", Some("WI")),
        ("left in a car (reg 7ABC123) at speed", "7ABC123", None),
        ("last seen w/ plates ABC1234 MI", "ABC1234", Some("MI")),
        ("plate ABC1234 in lot", "ABC1234", None),
        ("stolen plate ABC1234, 2 occupants", "ABC1234", None),
    ] {
        assert_eq!(found(text), one(plate, state), "{text}");
    }
}

#[test]
fn a_plate_may_be_parted_spelled_or_stand_with_its_vehicle() {
    for (text, plate, state) in [
        ("WHI CHEVY SILVERADO TX LP KZV 4471", "KZV4471", Some("TX")),
        ("MA reg 1PR 734", "1PR734", Some("MA")),
        ("plate 123 ABC, fled", "123ABC", None),
        ("plate ABC 1234", "ABC1234", None),
        ("ILL PLATES V 88 1204", "V881204", Some("IL")),
        ("RED NISSAN VERSA NV 482-M6X", "482M6X", Some("NV")),
        ("BLK TOYOTA CAMRY 7ABC123", "7ABC123", None),
        ("ABC123 WI, 4 OCC", "ABC123", Some("WI")),
        ("RUN ABC1234 ON A RED FORD", "", None),
        ("10-28 Lincoln Ocean Nora four four two", "LON442", None),
        ("copy D X R 8 2 1 on that", "DXR821", None),
        ("VANITY PLATE IMAHERO", "IMAHERO", None),
        ("CA PLATE SURFN4U", "SURFN4U", Some("CA")),
    ] {
        let expected = if plate.is_empty() {
            vec![]
        } else {
            one(plate, state)
        };
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn what_is_said_with_doubt_is_a_partial_plate() {
    for (text, plate, state) in [
        ("partial plate ABC123", "ABC123", None),
        ("poss tag ABC1234", "ABC1234", None),
        ("plate starts with 713", "713", None),
        ("last 3 of plate 5KP", "5KP", None),
        ("OK TAG ENDING 32Q", "32Q", Some("OK")),
        ("plate ABC1234?", "ABC1234", None),
        ("plate ABC1234 partial", "ABC1234", None),
        ("plate wrong ABC1234", "ABC1234", None),
        ("PL DNA 4 UNK UNK UNK", "DNA4", None),
        ("PARTIAL 8F?? EB ON SHAW", "8F", None),
    ] {
        assert_eq!(found(text), vec![], "{text}");
        let expected = if plate.is_empty() {
            vec![]
        } else {
            one(plate, state)
        };
        assert_eq!(partial(text), expected, "{text}");
    }
    assert_eq!(partial("plate ABC1234 or ABC1235").len(), 2);
}

#[test]
fn the_words_of_a_plate_are_verbatim() {
    let found = plates("silver sedan, Tag  # abc-1234 wi, fled");
    assert_eq!(found[0].0.words, "Tag  # abc-1234 wi");
}

#[test]
fn what_may_not_be_a_plate_is_left_out() {
    for text in [
        "ABC1234",
        "plate ABC",
        "partial plate ABC123",
        "poss tag ABC1234",
        "plate unk ABC1234",
        "plate ABC1234 or ABC1235",
        "plate ABC1234 partial",
        "plate ABC12?4",
        "plate ABC1234?",
        "plate ABC1*34",
        "first 5 of plate ABC12",
        "no plate ABC1234",
        "no front plate ABC1234",
        "drivers license D1234567",
        "driver lic D123456",
        "plate 5551234",
        "tag 1200HRS",
        "plate 18000LBS",
        "reg 100TH ST",
        "plate F150",
        "license FORD150",
        "reg EXP2019",
        "plate ABC12 34",
        "reg check req",
        "tagged AB1234",
        "plate A1B2C3D",
        "plate HONDA12",
        "plate: ",
        "plate",
        "tag WI",
        "lic 1HGCM82633A004352",
        "plate 123-4567",
        "plate ÄBC1234",
        "IL plate 12345",
        "plate -1234A",
        "plate wrong ABC1234",
    ] {
        assert_eq!(found(text), vec![], "{text}");
    }
}

#[test]
fn an_abbreviation_with_slashes_is_not_spelled_on_the_radio() {
    for text in [
        "20 M I/F/O THE STORE",
        "2 B/M 4 W/F AT THE BAR",
        "RED HONDA CIVIC 20 M I/F/O",
    ] {
        assert_eq!(found(text), vec![], "{text}");
    }
}

#[test]
fn no_cut_of_a_text_breaks_the_search() {
    let text = "“plate” é: WI/ABC-1234,\u{a0}tag…ñ LP#12AB34 ’";
    for (at, _) in text.char_indices() {
        found(&text[at..]);
        found(&text[..at]);
    }
}
