#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

/// What a text names, as people are shown it.
fn named(text: &str) -> Vec<String> {
    let entities = Rules::default().entities(text).into_iter();
    entities.map(|entity| entity.what.to_string()).collect()
}

fn names(text: &str, expected: &[&str]) {
    assert_eq!(named(text), expected, "{text}");
}

#[test]
fn vehicles_are_read_in_any_order_and_by_any_name() {
    names(
        "GRY 2015 HOND CIVIC 4DR",
        &["vehicle gray 2015 Honda Civic 4-door"],
    );
    names(
        "'09 doesnt matter, BLU 09 DODGE RAM 1500",
        &["vehicle blue 2009 Dodge Ram 1500"],
    );
    names(
        "F150 crew cab, white over tan",
        &["vehicle Ford F-150 pickup"],
    );
    names("HUNDA ACORD BLK", &["vehicle black Honda Accord"]);
    names(
        "fled in a lt blue four door sedan",
        &["vehicle light blue sedan"],
    );
    names("TAHOE WHI 2016", &["vehicle white 2016 Chevrolet Tahoe"]);
    names(
        "RED/WHI PETERBILT SEMI",
        &["vehicle red/white Peterbilt semi"],
    );
    names("TAN DAKOTA", &["vehicle tan Dodge Dakota"]);
    names("BLK CAR, LEXUS", &["vehicle black car", "vehicle Lexus"]);
}

#[test]
fn what_only_sounds_like_a_vehicle_is_none() {
    for text in [
        "RAMMING THE DOOR",
        "4100 LINCOLN AVE IS WHERE HE WORKS, NOT HERE, FOCUS",
        "AVALANCHE CONTROL",
        "MOVED TO MALIBU",
        "RED BACKPACK",
        "WHITE POLICE CAR",
        "BLK SEMI AUTO IN HAND",
        "A CAR, A TRUCK, NO COLOR",
    ] {
        let found = named(text);
        assert!(
            !found.iter().any(|what| what.starts_with("vehicle")),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn addresses_are_read_with_their_units_and_in_standard_form() {
    names(
        "AT 5237 North 35th Street Apt 4, UPSTAIRS",
        &["address 5237 N 35TH ST APT 4"],
    );
    names(
        "R/O 2841 N BREMEN ST, NO ANS",
        &["address 2841 N BREMEN ST"],
    );
    names("1600 BLK S 6TH", &["address 1600 BLK S 6TH"]);
    names("3382 VIA LOS ALTOS", &["address 3382 VIA LOS ALTOS"]);
    names("27 MILLBURY ST 3RD FLOOR", &["address 27 MILLBURY ST FL 3"]);
    names("640 W END AVE #9F", &["address 640 W END AVE # 9F"]);
    names(
        "418 CR 2204 TRLR 3",
        &["address 418 COUNTY ROAD 2204 TRLR 3"],
    );
    names("I-94 WB at Hwy 83", &["address HIGHWAY 83 & INTERSTATE 94"]);
    names("68TH AND BLUEMOUND, TAG", &["address 68TH & BLUEMOUND"]);
    names(
        "NB ON 27TH ST / W CAPITOL DR",
        &["address 27TH ST & W CAPITOL DR"],
    );
    names("DIVISION/SPRAGUE. RUN", &["address DIVISION & SPRAGUE"]);
}

#[test]
fn other_numbers_and_pairs_of_words_are_no_addresses() {
    for text in [
        "1045 HRS UNIT 412 10-97",
        "3 MALES RUNNING DOWN THE STREET",
        "HIT/RUN, GUN/KNIFE AND/OR N/A",
        "1ST AND 2ND CALLER SAY SO",
        "PAID $400 DR JONES",
        "22 METERS OF ROPE, MM 217",
        "CASE 18-1210044 ST",
        "2 VEH ACC, 2011 NISSAN ALTIMA PL ABC1234",
        "HIM AND HER",
    ] {
        let found = named(text);
        assert!(
            !found.iter().any(|what| what.starts_with("address")),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn persons_are_named_as_dispatch_names_them() {
    names(
        "RP/ O'BRIEN, SEAN P (DOB 1967-12-25)",
        &["person SEAN P O'BRIEN, born 1967-12-25"],
    );
    names("(SMITH,LINDA) STATES", &["person LINDA SMITH"]);
    names(
        "SUBJ IS JAMAR T. OWENS DOB 8-8-90",
        &["person JAMAR T OWENS, born 1990-08-08"],
    );
    names("MR NGUYEN REFUSED", &["person NGUYEN"]);
    names("HUSBAND DAVID LEFT", &["person DAVID"]);
    names("his name is cody. left", &["person CODY"]);
    names("Richard Alan Boyce in jail", &["person RICHARD ALAN BOYCE"]);
    names(
        "SUSAN KELLER F/B 14 YOA BRAIDS PINK CROCS",
        &["person SUSAN KELLER, F/B 14 YOA BRAIDS PINK CROCS"],
    );
    let text = "W/M 40S GRY HOODIE, THEN NORTH";
    names(text, &["person W/M 40S GRY HOODIE"]);
}

#[test]
fn colleagues_streets_and_ordinary_words_are_no_persons() {
    for text in [
        "OFC BROWN AND SGT MARY PRICE ENRT",
        "WILL SHOOT. MAY JUMP. MARK IT",
        "MARTIN LUTHER KING DR",
        "JOHNSON'S AUTO",
        "WANTED BY CHICAGO, OAK PARK",
        "1 MALE 2 FEMALES",
        "I AM IN THE AM",
    ] {
        let found = named(text);
        assert!(
            !found.iter().any(|what| what.starts_with("person")),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn weapons_and_dangers_are_what_the_table_calls_them_and_denied_ones_are_none() {
    names(
        "NO GUN SEEN HAS KNIFE, THRETENING TO KILL HER",
        &["weapon blade", "danger threat", "danger threat"],
    );
    names("HEARD 5-6 SHOTS, SUBJ SHOUTING", &["danger shots"]);
    names("RAZOR BLADE IN HAND", &["weapon blade"]);
    names("no weapons, not suicidal, denies threats", &[]);
}

#[test]
fn entities_have_a_limit() {
    let many: String = (0..500).map(|n| format!("gun {n}. ")).collect();
    assert_eq!(Rules::default().entities(&many).len(), ENTITIES_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_harm_and_words_are_what_stands_there(text in prop_oneof![dispatch(), ".{0,200}"]) {
        thread_local! {
            static RULES: Rules = Rules::default();
        }
        for entity in RULES.with(|rules| rules.entities(&text)) {
            prop_assert_eq!(&text[entity.bytes.clone()], entity.words.as_str());
        }
    }
}

/// Words as narratives are made of, in any order and with any sign between.
fn dispatch() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "PLATE",
        "WI",
        "ABC",
        "1234",
        "ABC123",
        "?",
        "OR",
        "PARTIAL",
        "RED",
        "FORD",
        "F",
        "150",
        "2DR",
        "SUV",
        "414",
        "555",
        "0118",
        "4145550118",
        "MR",
        "DAVID",
        "SMITH",
        "O'BRIEN",
        "DOB",
        "8-8-90",
        "1967-12-25",
        "W/M",
        "40S",
        "6'2",
        "HOODIE",
        "5237",
        "N",
        "35TH",
        "ST",
        "#",
        "4",
        "APT",
        "&",
        "AND",
        "AT",
        "I-94",
        "HWY",
        "RR",
        "BOX",
        "FL",
        "3RD",
        "FLOOR",
        "GUN",
        "NO",
        "KNIFE",
        "{",
        "é",
        "’",
        "ADAM",
        "CHARLES",
        "KING",
        "D",
        "X",
        "R",
        "8",
        "2",
        "BLK",
        "OVER",
        "DK",
    ]);
    let sign = prop::sample::select(vec![
        " ", " ", " ", ", ", ". ", "/", "-", "\n", ": ", "", "(", ")", "\"",
    ]);
    prop::collection::vec((word, sign), 0..24).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, sign)| format!("{word}{sign}"))
            .collect()
    })
}
