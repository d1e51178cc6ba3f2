#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::evening;

/// Asks as any HTTP client does, over a connection of its own.
async fn ask(address: SocketAddr, path: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
    let query: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path}?{} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n",
        query.join("&")
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn escaped(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Enough that some of them hang.
const QUESTIONS: usize = 20;

/// The (state, plate) of each plate in a narrative.
fn plates(narrative: &str) -> Vec<(&'static str, String)> {
    let words: Vec<&str> = narrative.split_whitespace().collect();
    let places = (0..words.len()).filter(|at| words[*at] == "PLATE");
    places
        .map(|at| {
            let away = at > 0 && words[at - 1] == "IL";
            let plate = words[at + 1].trim_matches(['.', ',']);
            (if away { "IL" } else { STATE }, plate.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn every_plate_of_the_state_is_registered_and_no_other_is() {
    let sources = start(7, Faults::NONE).await.unwrap();
    let (mut ours, mut away) = (0, 0);
    for call in evening(7) {
        for (state, plate) in plates(&call.narrative) {
            let pairs = [("plate", plate.as_str()), ("state", state)];
            let (status, body) = ask(sources.vehicles, "/vehicles", &pairs).await;
            if state == STATE {
                ours += 1;
                assert_eq!(status, 200, "{}", call.narrative);
                assert_eq!(body["plate"], plate);
                // The narrative describes the vehicle that is registered.
                assert!(call.narrative.contains(body["model"].as_str().unwrap()));
                if call.nature == "STOLEN VEHICLE" {
                    assert_eq!(body["status"], "stolen");
                }
            } else {
                away += 1;
                assert_eq!(status, 404, "{}", call.narrative);
                assert!(body["error"].is_string());
            }
        }
    }
    assert!(ours > 50, "{ours}");
    assert!(away > 0);
    sources.shutdown().await;
}

#[tokio::test]
async fn some_addresses_of_the_evening_have_records_and_every_one_has_cameras() {
    let sources = start(7, Faults::NONE).await.unwrap();
    let calls = evening(7);
    let (mut known, mut cautioned) = (0, 0);
    for call in &calls {
        let pairs = [("address", call.location.as_str())];
        let (status, body) = ask(sources.records, "/records", &pairs).await;
        match status {
            200 => {
                known += 1;
                assert_eq!(body["address"], place(&call.location));
                assert!(body["incidents"][0]["nature"].is_string());
                cautioned += usize::from(body["cautions"][0]["text"].is_string());
            }
            _ => assert_eq!(status, 404),
        }
        let (lat, lon) = (call.latitude.to_string(), call.longitude.to_string());
        let pairs = [("lat", lat.as_str()), ("lon", lon.as_str())];
        let (status, body) = ask(sources.cameras, "/cameras", &pairs).await;
        assert_eq!(status, 200);
        assert_eq!(body["cameras"].as_array().unwrap().len(), 4);
    }
    let share = known as f64 / calls.len() as f64;
    assert!((0.3..=0.6).contains(&share), "{share}");
    assert!(cautioned > 0);
    sources.shutdown().await;
}

#[tokio::test]
async fn persons_and_phones_are_known_if_they_are_of_the_city() {
    let sources = start(7, Faults::NONE).await.unwrap();
    let (status, body) = ask(sources.persons, "/persons", &[("last", "Okafor")]).await;
    assert_eq!(status, 200);
    let one = &body["persons"][0];
    assert_eq!(one["matched"], "partial");
    let name = one["name"].as_str().unwrap();
    assert!(name.starts_with("OKAFOR, "), "{name}");
    let nobody = [("last", "Zzyzx")];
    assert_eq!(ask(sources.persons, "/persons", &nobody).await.0, 404);
    let number = [("number", "201-555-0100")];
    let (status, body) = ask(sources.phones, "/phones", &number).await;
    assert_eq!((status, &body["phone"]), (200, &Value::from("2015550100")));
    let nobodys = [("number", "9995550100")];
    assert_eq!(ask(sources.phones, "/phones", &nobodys).await.0, 404);
    sources.shutdown().await;
}

#[tokio::test]
async fn a_question_that_is_none_is_refused() {
    let sources = start(7, Faults::NONE).await.unwrap();
    let long = "X".repeat(ADDRESS_BYTES_MAX + 1);
    for (address, path, pairs) in [
        (sources.records, "/records", vec![]),
        (
            sources.records,
            "/records",
            vec![("address", long.as_str())],
        ),
        (
            sources.vehicles,
            "/vehicles",
            vec![("plate", long.as_str())],
        ),
        (
            sources.cameras,
            "/cameras",
            vec![("lat", "NaN"), ("lon", "1")],
        ),
        (
            sources.cameras,
            "/cameras",
            vec![("lat", "91"), ("lon", "1")],
        ),
    ] {
        let (status, _) = ask(address, path, &pairs).await;
        assert_eq!(status, 400, "{path} {pairs:?}");
    }
    sources.shutdown().await;
}

#[tokio::test]
async fn a_failing_source_says_so() {
    let always = Faults {
        delay_scale: 0.0,
        failure_share: 1.0,
    };
    // What the service's questions will meet. The last to arrive is an error, so
    // once all errors are back, every one that hangs has arrived too.
    let mood = Mood::new(7, "cameras", always, CancellationToken::new());
    let mut hangs = (0..QUESTIONS).map(|_| mood.hangs()).collect::<Vec<_>>();
    while hangs.pop_if(|hangs| *hangs).is_some() {}
    let hanging = hangs.iter().filter(|hangs| **hangs).count();
    assert!(hanging > 0);

    let sources = start(7, always).await.unwrap();
    let address = sources.cameras;
    let mut questions = JoinSet::new();
    for _ in 0..hangs.len() {
        questions
            .spawn(async move { ask(address, "/cameras", &[("lat", "44"), ("lon", "-89")]).await });
    }
    for _ in hanging..hangs.len() {
        let (status, body) = questions.join_next().await.unwrap().unwrap();
        assert_eq!(status, 500);
        assert!(body["error"].is_string());
    }
    // Shutting down gives up the answers that hang.
    sources.shutdown().await;
    let given_up = questions.join_all().await;
    assert_eq!(given_up.len(), hanging);
    assert!(given_up.iter().all(|(status, _)| *status == 503));
}

#[tokio::test]
async fn after_shutdown_nobody_listens() {
    let sources = start(7, Faults::NONE).await.unwrap();
    let addresses = [
        sources.records,
        sources.vehicles,
        sources.persons,
        sources.phones,
        sources.cameras,
    ];
    for address in addresses {
        drop(TcpStream::connect(address).await.unwrap());
    }
    sources.shutdown().await;
    for address in addresses {
        assert!(TcpStream::connect(address).await.is_err());
    }
}
