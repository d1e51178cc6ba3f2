#![allow(clippy::unwrap_used)]
use jiff::Timestamp;

use super::*;
use crate::intake::CallStatus;
use crate::triage::Rules;

fn report(agency: &str, nature: &str, priority: Option<u8>) -> CallReport {
    CallReport {
        agency: agency.into(),
        number: "7".into(),
        received: Timestamp::UNIX_EPOCH,
        updated: Timestamp::UNIX_EPOCH,
        nature: nature.into(),
        location: "1 MAIN ST".into(),
        latitude: None,
        longitude: None,
        district: None,
        priority,
        narrative: Vec::new(),
        plates: Vec::new(),
        units: Vec::new(),
        status: CallStatus::Open,
    }
}

fn section(agency: &str) -> CadConfig {
    CadConfig {
        agency: agency.into(),
        eido_id: None,
        zone: "America/Chicago".into(),
        codes: None,
    }
}

#[test]
fn a_code_means_what_its_own_cad_says_and_the_same_code_of_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("codes.toml");
    std::fs::write(
        &table,
        "[[code]]\ncodes = [\"245\"]\nnature = \"ASSAULT WITH A KNIFE\"\ncategory = \"assault\"\npriority = 2\n",
    )
    .unwrap();
    let cads = Cads::open(&[
        CadConfig {
            codes: Some(table),
            eido_id: Some("pd.example".into()),
            ..section("pd")
        },
        section("sheriff"),
    ])
    .unwrap();
    let rules = Rules::default();
    let mut ours = report("pd.example", "245", Some(4));
    let coded = cads.translate(&mut ours).unwrap();
    assert_eq!(
        (ours.agency.as_str(), ours.nature.as_str()),
        ("pd", "ASSAULT WITH A KNIFE")
    );
    assert_eq!(ours.priority, Some(2));
    let mut triage = rules.triage(&ours);
    coded.speak(&mut triage);
    assert_eq!(triage.category, "assault");
    let reason = "code 245 is ASSAULT WITH A KNIFE → 2 (code table)";
    assert!(
        triage.reasons.iter().any(|said| said == reason),
        "{triage:?}"
    );
    let mut theirs = report("sheriff", "245", None);
    assert!(cads.translate(&mut theirs).is_none());
    assert_eq!(theirs, report("sheriff", "245", None));
}

#[test]
fn a_section_that_cannot_be_used_says_where() {
    let nowhere = CadConfig {
        zone: "Mars/Olympus".into(),
        ..section("pd")
    };
    let error = Cads::open(&[nowhere]).unwrap_err().to_string();
    assert!(
        error.starts_with("cads.pd.zone: ") && error.contains("Mars"),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("codes.toml");
    let broken = CadConfig {
        codes: Some(table.clone()),
        ..section("pd")
    };
    let error = Cads::open(std::slice::from_ref(&broken))
        .unwrap_err()
        .to_string();
    assert!(error.contains("codes.toml cannot be read"), "{error}");
    std::fs::write(&table, "[[code]]\ncodes = [7]\n").unwrap();
    let error = Cads::open(&[broken]).unwrap_err().to_string();
    assert!(error.contains("codes.toml: line 2, column 10: "), "{error}");
}
