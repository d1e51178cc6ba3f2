#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

fn building(location: &str) -> String {
    normalise(location).building
}

fn meets(spellings: &[&str], expected: &str) {
    for spelling in spellings {
        assert_eq!(building(spelling), expected, "{spelling:?}");
    }
}

fn has_unit(location: &str, expected: (&str, &str)) {
    let found = normalise(location);
    assert_eq!(
        (found.building.as_str(), found.unit.as_str()),
        expected,
        "{location:?}"
    );
}

#[test]
fn spellings_of_one_building_meet() {
    meets(
        &[
            "5237 N 35TH ST,MKE",
            "5237 NORTH 35TH STREET",
            "5237 n. 35th st.",
            "5237 N 35 ST",
            "5237 N 35 TH STREET, Milwaukee, WI 53209",
            "5237 North Thirty-Fifth Street",
            "5237 N 35TH ST MILWAUKEE WI",
            "5237 N 35TH ST APT 4,MKE",
            "5237 N 35TH ST,MKE APT 4",
            "5237 N 35TH STREET, Apt. #4, Milwaukee",
            "5237 N 35TH ST LWR",
            "5237-A N 35TH ST,MKE",
            "5237A N 35TH ST",
            "APT 4, 5237 N 35TH ST",
            "CORNER MARKET @ 5237 N 35TH ST",
            "CORNER MARKET, 5237 N 35TH ST, MKE",
        ],
        "5237 N 35TH ST",
    );
    meets(
        &["1609 E NORTH AV,MKE", "1609 East North Avenue"],
        "1609 E NORTH AVE",
    );
    meets(
        &[
            "1100 BLK N OLD WORLD 3RD ST",
            "1100-BLK N OLD WORLD THIRD ST,MKE",
            "1100 block of North Old World Third Street",
        ],
        "1100 BLK N OLD WORLD 3RD ST",
    );
    meets(
        &["2145-2147 N SHERMAN BL,MKE", "2145 N SHERMAN BD"],
        "2145 N SHERMAN BLVD",
    );
    meets(&["94-1035 WAIPAHU ST #3"], "94-1035 WAIPAHU ST");
    meets(&["31-42 37TH ST"], "31-42 37TH ST");
    meets(
        &["1411 K ST NW STE 900", "1411 K Street Northwest"],
        "1411 K ST NW",
    );
    meets(
        &["1140 CACHE CRK DR", "1140 Cache Creek Drive"],
        "1140 CACHE CREEK DR",
    );
    meets(
        &["778 W ST PAUL AV", "778 W. Saint Paul Ave"],
        "778 W ST PAUL AVE",
    );
    meets(
        &[
            "20418 W COUNTY ROAD 56",
            "20418 W CR 56",
            "20418 W CO RD 56",
        ],
        "20418 W COUNTY ROAD 56",
    );
    meets(
        &[
            "W180 N8085 TOWN HALL RD, MENOMONEE FALLS",
            "W180N8085 Town Hall Road",
        ],
        "W180N8085 TOWN HALL RD",
    );
    meets(
        &["RTE 3 BOX 118", "RR 3 BOX 118", "Rural Route 3 Box 118"],
        "RR 3 BOX 118",
    );
    meets(&["12 1/2 MAIN STREET"], "12 1/2 MAIN ST");
    meets(&["3382 VIA LOS ALTOS"], "3382 VIA LOS ALTOS");
    meets(
        &[
            "700 CIVIC CENTER DR W",
            "700 Civic Center Drive West, Santa Ana CA",
        ],
        "700 CIVIC CENTER DR W",
    );
    meets(&["500 AVE L", "500 AVENUE L"], "500 AVENUE L");
    meets(&["14507 BAMMEL N HOUSTON #1108"], "14507 BAMMEL N HOUSTON");
    meets(&["1919 N ST MARYS ST"], "1919 N ST MARYS ST");
}

#[test]
fn a_unit_stands_beside_its_building() {
    for (location, unit) in [
        ("5237 N 35TH ST APT 4,MKE", "APT 4"),
        ("5237 N 35TH ST,MKE APT 4", "APT 4"),
        ("5237 N 35TH ST, Apartment 4", "APT 4"),
        ("5237 N 35TH ST #4", "# 4"),
        ("5237 N 35TH ST APT #4", "APT 4"),
        ("5237 N 35TH ST Ste1501", "STE 1501"),
        ("5237 N 35TH ST LWR,MKE", "LOWR"),
        ("5237 N 35TH ST UPPER", "UPPR"),
        ("5237 N 35TH ST 3RD FLOOR", "FL 3"),
        ("5237 N 35TH ST 2F", "FL 2"),
        ("5237 N 35TH ST, BSMT", "BSMT"),
        ("5237 N 35TH ST BLDG 14 APT 22-C", "BLDG 14 APT 22-C"),
        ("5237 N 35TH ST 3B", "# 3B"),
        ("5237-A N 35TH ST", "A"),
        ("5237 N 35TH ST REAR", "REAR"),
        ("UNIT 12 5237 N 35TH ST", "UNIT 12"),
        ("5237 N 35TH ST, 53209", ""),
        ("5237 N 35TH ST", ""),
    ] {
        has_unit(location, ("5237 N 35TH ST", unit));
    }
}

#[test]
fn what_only_resembles_a_unit_is_a_street() {
    for (location, expected) in [
        ("12 FRONT ST", "12 FRONT ST"),
        ("12 STOP 11 RD", "12 STOP 11 RD"),
        ("500 W KEY LARGO DR", "500 W KEY LARGO DR"),
        ("12 LOWER MAIN ST", "12 LOWER MAIN ST"),
        ("300 LAKE SIDE DR", "300 LAKE SIDE DR"),
        ("100 N ROOM RD", "100 N ROOM RD"),
    ] {
        has_unit(location, (expected, ""));
    }
}

#[test]
fn a_crossing_is_one_in_either_order_and_with_any_sign() {
    meets(
        &[
            "N 60TH ST / W CAPITOL DR,MKE",
            "W CAPITOL DR/N 60TH ST",
            "W Capitol Drive & North 60th Street",
            "W CAPITOL DR @ N 60 ST",
            "w capitol dr and n sixtieth st",
            "N 60TH ST AT W CAPITOL DR, MILWAUKEE",
        ],
        "N 60TH ST & W CAPITOL DR",
    );
    meets(
        &["I-94 WB at Hwy 83", "HWY 83 / I94"],
        "HIGHWAY 83 & INTERSTATE 94",
    );
    meets(
        &["US 41 & CTH E", "US HIGHWAY 41 / County Hwy E"],
        "COUNTY HIGHWAY E & US HIGHWAY 41",
    );
    meets(&["CROSS BAY & 160 AV"], "160TH AVE & CROSS BAY");
    meets(
        &["E NORTH AV / N OAKLAND AV"],
        "E NORTH AVE & N OAKLAND AVE",
    );
}

#[test]
fn a_place_without_an_address_is_its_name() {
    meets(
        &["WEST ALLIS PD, WEST ALLIS", "West Allis P.D."],
        "W ALLIS PD",
    );
    meets(&["", " , / ", "…", "#"], "");
}

#[test]
fn two_buildings_do_not_meet() {
    for (one, other) in [
        ("5237 N 35TH ST", "5237 S 35TH ST"),
        ("5237 N 35TH ST", "5237 N 35TH PL"),
        ("5237 N 35TH ST", "5237 N 36TH ST"),
        ("5237 N 35TH ST", "5200 BLK N 35TH ST"),
        ("12 MAIN ST N", "12 N MAIN ST E"),
        ("12 MAIN ST", "121 MAIN ST"),
        ("N 35TH ST / W CAPITOL DR", "N 35TH ST"),
    ] {
        assert_ne!(building(one), building(other), "{one} and {other}");
    }
}

/// Words as addresses are made of, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "5237",
        "3017-A",
        "2145-2147",
        "94-1035",
        "N",
        "SW",
        "NORTH",
        "EAST",
        "35TH",
        "35",
        "TH",
        "THIRD",
        "TWENTY",
        "FIRST",
        "MAIN",
        "ST",
        "STREET",
        "AV",
        "CRK",
        "LAKE",
        "PARK",
        "SAINT",
        "APT",
        "#",
        "4",
        "22-C",
        "UPPER",
        "REAR",
        "FRONT",
        "UNIT",
        "BLK",
        "OF",
        "/",
        "&",
        "@",
        "AND",
        "AT",
        ",",
        "I-94",
        "US",
        "HWY",
        "CR",
        "CTH",
        "K",
        "RR",
        "BOX",
        "PO",
        "WB",
        "1/2",
        "W180",
        "N8085",
        "MKE",
        "WI",
        "53209",
        "FL",
        "2F",
        "é",
        "'",
    ]);
    prop::collection::vec(word, 0..9).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normalising_twice_is_normalising_once(location in prop_oneof![words(), ".{0,80}"]) {
        let key = building(&location);
        prop_assert_eq!(building(&key), key, "{}", location);
    }

    #[test]
    fn case_spaces_and_points_do_not_matter(location in words(), points in prop::collection::vec(any::<bool>(), 0..9)) {
        let mut dotted = String::from("  ");
        let mut points = points.into_iter().cycle();
        for word in location.split(' ') {
            let point = points.next().unwrap_or(false);
            dotted.push_str(&word.to_lowercase());
            dotted.push_str(if point { ".  " } else { "\t" });
        }
        prop_assert_eq!(normalise(&dotted), normalise(&location), "{} / {}", dotted, location);
    }
}
