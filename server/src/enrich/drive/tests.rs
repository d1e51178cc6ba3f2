#![allow(clippy::unwrap_used)]

use std::path::Path;

use tokio::net::TcpListener;

use super::*;
use crate::center::Running;
use crate::config::{AgencyConfig, Config, LimitsConfig, default_purposes};
use crate::enrich::SourceConfig;
use crate::identity::KeyExchange;
use crate::intake::{CallReport, CallStatus};
use crate::log::Happening;
use packet::{Entry, OutcomeState};

/// A source that answers at once, and one that takes a connection and says nothing.
async fn center(folder: &Path, silent: &TcpListener) -> Running {
    let csv = folder.join("places.csv");
    std::fs::write(&csv, "place,text\n1 A ST,a dog\n").unwrap();
    let sources: Vec<SourceConfig> = toml::from_str::<toml::Table>(&format!(
        r#"
        [[sources]]
        name = "Places"
        asks = "address"
        file = {{ csv = "{}", match = {{ address = "place" }} }}
        [[sources]]
        name = "Silent"
        asks = "address"
        gives = "records"
        http = {{ url = "http://{}/?address={{address}}" }}
        timeout_ms = 60000
        "#,
        csv.display(),
        silent.local_addr().unwrap()
    ))
    .unwrap()["sources"]
        .clone()
        .try_into()
        .unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    Center::start(Config {
        name: "Test RTCC".into(),
        data: folder.join("data"),
        sync: any,
        console: any,
        console_tls: false,
        sign_in: crate::people::config::SignInConfig::default(),
        names: vec!["localhost".into()],
        triage: None,
        keep_closed_s: 1_800,
        key_exchange: KeyExchange::default(),
        limits: LimitsConfig::default(),
        agencies: vec![AgencyConfig {
            id: "pd".into(),
            name: "City Police".into(),
            units: vec![],
            officers: vec![],
        }],
        cads: vec![],
        links: crate::calls::LinksConfig::default(),
        sources,
        purposes: default_purposes(),
        beats: vec![],
        plate_reads: crate::plate_reads::PlateReadsConfig::default(),
        cameras: vec![],
        video: None,
    })
    .await
    .unwrap()
}

fn report(number: &str) -> CallReport {
    CallReport {
        agency: "pd".into(),
        number: number.into(),
        received: jiff::Timestamp::UNIX_EPOCH,
        updated: jiff::Timestamp::UNIX_EPOCH,
        nature: "NOISE".into(),
        location: "1 A ST".into(),
        latitude: None,
        longitude: None,
        district: None,
        priority: None,
        narrative: vec![],
        plates: vec![],
        units: vec![],
        status: CallStatus::Open,
    }
}

/// Waits until the file has answered this call, and says whether the call counts as asked.
async fn asked_when_places_answered(running: &Running, number: &str) -> bool {
    let mut happenings = running.center.log.subscribe();
    let reported = running.center.report(report(number), "test").await.unwrap();
    let is_answer = |happening: &Happening| match happening {
        Happening::Change(change) if change.document.call == reported.call => {
            matches!(&change.entry, Entry::Outcome(outcome)
                if outcome.source == "Places" && outcome.state == OutcomeState::Answered)
        }
        _ => false,
    };
    while !happenings.recv().await.unwrap().iter().any(is_answer) {}
    let call = reported.call.0.cast_signed();
    let asked = running.center.log.readers().read(move |connection| {
        Ok(
            connection.query_row("SELECT asked FROM calls WHERE call = ?1", [call], |row| {
                row.get(0)
            })?,
        )
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn a_call_whose_first_source_answers_from_the_cache_is_not_asked_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = center(folder.path(), &silent).await;
    for number in ["1", "2"] {
        let asked = asked_when_places_answered(&running, number).await;
        assert!(!asked, "call {number}: one source has yet to answer");
    }
    running.stop().await;
}
