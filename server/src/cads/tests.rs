#![allow(clippy::unwrap_used)]

mod folder;
mod view;

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::center::Running;
use crate::config::{AgencyConfig, Config, LimitsConfig};
use crate::identity::KeyExchange;
use crate::intake::CallStatus;
use crate::log::LogError;
use crate::triage::Rules;

/// What never comes fails the test instead of holding it for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A center with these CADs, and a folder that outlives it.
struct Bench {
    running: Option<Running>,
    folder: tempfile::TempDir,
    cads: Vec<CadConfig>,
}

impl Bench {
    async fn start(cads: impl FnOnce(&Path) -> Vec<CadConfig>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cads = cads(folder.path());
        let mut bench = Self {
            running: None,
            folder,
            cads,
        };
        bench.start_again().await;
        bench
    }

    async fn start_again(&mut self) {
        let any = "127.0.0.1:0".parse().unwrap();
        let agency = |id: &str| AgencyConfig {
            id: id.into(),
            name: id.into(),
            units: vec![],
            officers: vec![],
        };
        let config = Config {
            name: "Test RTCC".into(),
            data: self.folder.path().join("data"),
            sync: any,
            console: any,
            console_tls: false,
            sign_in: crate::people::config::SignInConfig::default(),
            names: vec!["localhost".into()],
            triage: None,
            keep_closed_s: 1_800,
            key_exchange: KeyExchange::default(),
            limits: LimitsConfig::default(),
            agencies: vec![agency("pd"), agency("sheriff")],
            cads: self.cads.clone(),
            links: crate::calls::LinksConfig::default(),
            sources: vec![],
            purposes: crate::config::default_purposes(),
            beats: vec![],
            plate_reads: crate::plate_reads::PlateReadsConfig::default(),
            cameras: vec![],
            video: None,
        };
        self.running = Some(Center::start(config).await.unwrap());
    }

    async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    fn center(&self) -> &Arc<Center> {
        &self.running.as_ref().unwrap().center
    }

    fn cad(&self, agency: &str) -> &Cad {
        self.center().cads.of(agency).unwrap()
    }

    /// Number, nature and whether it is open, of each call, by number.
    async fn calls(&self) -> Vec<(String, String, bool)> {
        let read = self.center().log.readers().read(|connection| {
            let mut statement = connection
                .prepare("SELECT number, nature, open FROM calls ORDER BY number, agency")?;
            let rows =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok::<_, LogError>(rows.collect::<Result<_, _>>()?)
        });
        read.await.unwrap()
    }

    async fn until_numbers_are(&self, wanted: &[&str]) {
        self.until(&format!("{wanted:?}"), async || {
            let calls = self.calls().await;
            calls
                .iter()
                .map(|(number, ..)| number.as_str())
                .eq(wanted.iter().copied())
        })
        .await;
    }

    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        let (calls, doors) = (self.calls().await, self.doors());
        assert!(waited.is_ok(), "{what} did not come: {calls:?}, {doors:?}");
    }

    fn doors(&self) -> Vec<DoorView> {
        let doors = self.center().cads.0.iter();
        doors
            .flat_map(|cad| [cad.folder.view(), cad.view_door.view()])
            .collect()
    }
}

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
        folder: None,
        view: None,
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
