//! The three agencies that share the center, with who is on duty.
//!
//! Fixed, not drawn from a seed: tests and the demo's pages name units and
//! officers, and a name that changes with the seed cannot be written down.

/// One agency of the shared center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// Stable, for configuration and certificates.
    pub id: &'static str,
    /// As people say it.
    pub name: &'static str,
    pub units: Vec<Unit>,
}

/// One unit on duty this evening. Ids differ across all agencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// As on the radio; the city's begin with the unit's district.
    pub id: &'static str,
    /// One or two.
    pub officers: Vec<Officer>,
}

/// One officer. Badges differ across all agencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Officer {
    pub name: &'static str,
    pub badge: &'static str,
}

type UnitRow = (&'static str, &'static [(&'static str, &'static str)]);

const CITY: [UnitRow; 9] = [
    ("1A11", &[("T. Marlowe", "2107"), ("J. Vang-Reyes", "2254")]),
    ("1A14", &[("S. Okonjo", "1988")]),
    ("2A12", &[("R. Delacroix", "2311"), ("M. Haugen", "2042")]),
    ("2A15", &[("P. Castellanos", "2190")]),
    ("3A11", &[("K. Brightwater", "2276")]),
    ("4A12", &[("A. Ferris", "2133"), ("L. Nakagawa", "2405")]),
    ("4A16", &[("D. Stroud", "1876")]),
    ("5A11", &[("C. Whitehorse", "2348"), ("B. Tillman", "2019")]),
    ("5A13", &[("E. Sandoval", "2222")]),
];
const COUNTY: [UnitRow; 8] = [
    ("R201", &[("H. Gunderson", "611")]),
    ("R204", &[("W. Abara", "634"), ("T. Lovelace", "658")]),
    ("R207", &[("N. Petrakis", "602")]),
    ("R210", &[("G. Sommers", "647")]),
    ("R212", &[("F. Iverson", "619"), ("O. Quintero", "663")]),
    ("R215", &[("V. Blackwood", "625")]),
    ("R218", &[("I. Charron", "640")]),
    ("R221", &[("M. Eastgate", "655")]),
];
const UNIVERSITY: [UnitRow; 7] = [
    ("U31", &[("Z. Farrow", "U-14")]),
    ("U32", &[("J. Mbeki-Lund", "U-22"), ("A. Corliss", "U-27")]),
    ("U34", &[("Y. Dahlgren", "U-09")]),
    ("U35", &[("S. Pryor", "U-18")]),
    ("U37", &[("R. Tennant", "U-31")]),
    ("U38", &[("L. Avelar", "U-25")]),
    ("U41", &[("C. Hsu-Barnes", "U-12"), ("P. Rowntree", "U-29")]),
];

/// The city's police, the county's sheriff, the university's police.
pub fn agencies() -> [Agency; 3] {
    [
        agency("cedar-pd", "Cedarport Police Department", &CITY),
        agency("river-county-so", "River County Sheriff's Office", &COUNTY),
        agency(
            "state-university-pd",
            "State University Police",
            &UNIVERSITY,
        ),
    ]
}

fn agency(id: &'static str, name: &'static str, rows: &[UnitRow]) -> Agency {
    let units = rows.iter().map(|(id, officers)| Unit {
        id,
        officers: officers
            .iter()
            .map(|(name, badge)| Officer { name, badge })
            .collect(),
    });
    Agency {
        id,
        name,
        units: units.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_units_share_an_id_and_no_two_officers_a_badge() {
        let (mut units, mut badges) = (HashSet::new(), HashSet::new());
        for unit in agencies().iter().flat_map(|agency| &agency.units) {
            assert!(units.insert(unit.id), "{} twice", unit.id);
            assert!((1..=2).contains(&unit.officers.len()), "{}", unit.id);
            for officer in &unit.officers {
                assert!(badges.insert(officer.badge), "{} twice", officer.badge);
            }
        }
    }
}
