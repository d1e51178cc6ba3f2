//! From a source's answer to findings and cautions. What does not fit is said, not guessed.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use packet::entry::{NAME_CHARS_MAX, TEXT_CHARS_MAX};
use packet::{Caution, Confidence, Finding, Topic};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Brings, Gives, SourceConfig};

/// Most lines of one finding's text.
const LINES_MAX: usize = 6;

#[derive(Deserialize)]
struct Records {
    #[serde(default)]
    incidents: Vec<Incident>,
    #[serde(default)]
    cautions: Vec<Premise>,
}

#[derive(Deserialize)]
struct Incident {
    number: String,
    date: String,
    nature: String,
    #[serde(default)]
    outcome: String,
}

#[derive(Deserialize)]
struct Premise {
    text: String,
    set_by: String,
    date: String,
}

#[derive(Deserialize)]
struct Registration {
    plate: String,
    state: String,
    make: String,
    model: String,
    year: u16,
    color: String,
    registered_owner: String,
    status: String,
    recorded: String,
}

#[derive(Deserialize)]
struct Cameras {
    cameras: Vec<Camera>,
}

#[derive(Deserialize)]
struct Camera {
    name: String,
    distance_m: f64,
    direction: String,
    stream: String,
}

/// # Errors
/// One sentence for the packet: why the answer cannot be used.
pub(super) fn read(
    source: &SourceConfig,
    query: &str,
    body: &[u8],
    now_ms: i64,
) -> Result<Brings, String> {
    match source.gives {
        Gives::Records => parse(body).map(|records| from_records(source, query, records, now_ms)),
        Gives::Registration => {
            parse(body).map(|vehicle| from_registration(source, query, &vehicle, now_ms))
        }
        Gives::Cameras => parse(body).map(|cameras| from_cameras(source, query, &cameras, now_ms)),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| format!("its answer does not fit: {e}"))
}

fn from_records(source: &SourceConfig, query: &str, records: Records, now_ms: i64) -> Brings {
    let cautions = records
        .cautions
        .into_iter()
        .map(|premise| Caution {
            text: cut(&premise.text, TEXT_CHARS_MAX),
            by: cut(
                &format!("{}: {}, {}", source.name, premise.set_by, premise.date),
                NAME_CHARS_MAX,
            ),
            ends_ms: None,
        })
        .filter(|caution| !caution.text.trim().is_empty())
        .collect();
    let count = records.incidents.len();
    let newest = records
        .incidents
        .iter()
        .filter_map(|incident| date_ms(&incident.date))
        .max();
    let lines: Vec<String> = records
        .incidents
        .iter()
        .take(LINES_MAX)
        .map(|i| {
            format!("{} {} {} {}", i.date, i.number, i.nature, i.outcome)
                .trim()
                .to_owned()
        })
        .collect();
    let finding = (count > 0).then(|| Finding {
        title: if count == 1 {
            "1 prior incident".into()
        } else {
            format!("{count} prior incidents")
        },
        recorded_ms: newest,
        ..finding(source, query, &lines.join("\n"), now_ms)
    });
    Brings {
        findings: finding.into_iter().collect(),
        cautions,
    }
}

fn from_registration(
    source: &SourceConfig,
    query: &str,
    vehicle: &Registration,
    now_ms: i64,
) -> Brings {
    let text = format!(
        "{} {} {} {}\nRegistered owner: {}\nRegistration: {}",
        vehicle.year,
        vehicle.color,
        vehicle.make,
        vehicle.model,
        vehicle.registered_owner,
        vehicle.status
    );
    let stolen = vehicle
        .status
        .eq_ignore_ascii_case("stolen")
        .then(|| Caution {
            text: format!(
                "Plate {} {} is listed as stolen: a lead to verify.",
                vehicle.plate, vehicle.state
            ),
            by: cut(&source.name, NAME_CHARS_MAX),
            ends_ms: None,
        });
    let finding = Finding {
        title: cut(
            &format!("Plate {} {}", vehicle.plate, vehicle.state),
            NAME_CHARS_MAX,
        ),
        recorded_ms: date_ms(&vehicle.recorded),
        ..finding(source, query, &text, now_ms)
    };
    Brings {
        findings: vec![finding],
        cautions: stolen.into_iter().collect(),
    }
}

fn from_cameras(source: &SourceConfig, query: &str, cameras: &Cameras, now_ms: i64) -> Brings {
    let lines: Vec<String> = cameras
        .cameras
        .iter()
        .take(LINES_MAX)
        .map(|c| {
            format!(
                "{} – {:.0} m, facing {} – {}",
                c.name, c.distance_m, c.direction, c.stream
            )
        })
        .collect();
    let count = cameras.cameras.len();
    let finding = (count > 0).then(|| Finding {
        title: if count == 1 {
            "1 camera near by".into()
        } else {
            format!("{count} cameras near by")
        },
        confidence: Confidence::Nearby,
        ..finding(source, query, &lines.join("\n"), now_ms)
    });
    Brings {
        findings: finding.into_iter().collect(),
        cautions: Vec::new(),
    }
}

fn finding(source: &SourceConfig, query: &str, text: &str, now_ms: i64) -> Finding {
    Finding {
        source: source.name.clone(),
        title: String::new(),
        text: cut(text, TEXT_CHARS_MAX),
        query: cut(query, NAME_CHARS_MAX),
        recorded_ms: None,
        answered_ms: now_ms,
        confidence: Confidence::Exact,
        topic: Topic::Record,
        link: None,
        ends_ms: None,
        answers: None,
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

fn date_ms(date: &str) -> Option<i64> {
    let date: Date = date.get(..10)?.parse().ok()?;
    Some(
        date.to_zoned(TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_millisecond(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Asks;
    use super::*;

    fn source(gives: Gives) -> SourceConfig {
        SourceConfig {
            name: "Records".into(),
            asks: Asks::Address,
            url: "{address}".into(),
            gives,
            timeout_ms: 100,
        }
    }

    #[test]
    fn records_bring_cautions_and_one_finding() {
        let body = br#"{"address":"1 A ST","incidents":[{"number":"17-1","date":"2017-03-02","nature":"BATTERY","outcome":"arrest"}],
            "cautions":[{"text":"Large dog in the yard","set_by":"Unit 4A12","date":"2017-05-01"}]}"#;
        let brings = read(&source(Gives::Records), "1 A ST", body, 9).unwrap();
        assert_eq!(brings.findings[0].title, "1 prior incident");
        assert_eq!(brings.findings[0].recorded_ms, Some(1_488_412_800_000));
        assert_eq!(brings.cautions[0].by, "Records: Unit 4A12, 2017-05-01");
    }

    #[test]
    fn a_stolen_plate_is_a_caution_and_a_lead() {
        let body = br#"{"plate":"ABC123","state":"WI","make":"Ford","model":"F-150","year":2011,"color":"red",
            "registered_owner":"A. Person","status":"stolen","recorded":"2018-01-01"}"#;
        let brings = read(&source(Gives::Registration), "ABC123", body, 9).unwrap();
        assert!(brings.cautions[0].text.contains("a lead to verify"));
        assert!(brings.findings[0].text.contains("red Ford F-150"));
    }

    #[test]
    fn an_answer_that_does_not_fit_is_said_so() {
        for body in [&b"<html>"[..], b"{}", b"[1]", b"", b"{\"cameras\":3}"] {
            let why = read(&source(Gives::Cameras), "q", body, 9).unwrap_err();
            assert!(why.starts_with("its answer does not fit"), "{why}");
        }
        assert_eq!(
            read(&source(Gives::Records), "q", b"{}", 9).unwrap(),
            Brings::default()
        );
    }
}
