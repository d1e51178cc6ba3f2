//! Officers who sign on by their agency's own provider: from the device, by the center, to the
//! shift; and what does not begin one.

#![allow(clippy::unwrap_used)]

use forerunner_tests::{AGENCY, Lie, TestCenter, TestDevice, TestProvider};
use mobile_core::CoreError;
use packet::DeviceNumber;
use serde_json::{Value, json};
use server::people::config::SignInConfig;
use server::people::oidc::{OidcError, Providers};

const SECRET: &str = "a secret of this test";
/// As a laptop's program listens.
const BACK: &str = "http://127.0.0.1:49152/sign-on/back";

struct Stage {
    center: TestCenter,
    provider: TestProvider,
}

fn section(provider: &TestProvider, folder: &std::path::Path) -> String {
    let secret = folder.join("client-secret");
    std::fs::write(&secret, SECRET).unwrap();
    format!(
        "[[sign_in.providers]]\nagency = \"{AGENCY}\"\nissuer = \"{}\"\nclient_id = \"console\"\n\
         [sign_in.providers.officers]\nclaim = \"badge\"\nclient_id = \"officers\"\n\
         client_secret = {{ file = {secret:?} }}\n\
         redirects = [\"http://127.0.0.1/sign-on/back\", \"gov.example.app:/sign-on\"]\n\
         [[agencies]]\nid = \"campus-pd\"\nname = \"Campus Police\"\nunits = [\"C1\"]\n\
         officers = [{{ badge = \"900\", name = \"Nakamura\" }}]\n",
        provider.issuer
    )
}

impl Stage {
    async fn start() -> Self {
        let provider = TestProvider::start(SECRET).await;
        let dir = tempfile::tempdir().unwrap();
        let section = section(&provider, dir.path());
        let center = TestCenter::start_in(dir, [127, 0, 0, 1].into(), &section).await;
        provider.person(json!({"sub": "d1", "badge": "101"}));
        Self { center, provider }
    }

    async fn device(&self, label: &str) -> TestDevice {
        TestDevice::enrolled(&self.center.api, label).await
    }

    /// What the browser was led back to.
    async fn back(&self, device: &TestDevice, unit: &str) -> String {
        let url = device.core.begin_sign_on(unit, BACK).await.unwrap();
        self.provider.signs_in(&url.unwrap()).await
    }

    async fn on_record(&self) -> Vec<(String, i64, bool, String)> {
        let read = |c: &rusqlite::Connection| {
            let mut statement = c.prepare(
                "SELECT who, coalesce(device, 0), allowed, detail FROM audit WHERE act = 'SignOn' AND agency IS NOT NULL ORDER BY id",
            )?;
            let rows =
                statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.center.center().log.readers().read(read).await.unwrap()
    }

    async fn last_on_record(&self, who: &str, device: &TestDevice, allowed: bool, words: &str) {
        let all = self.on_record().await;
        let (by, on, let_in, what) = all.last().unwrap();
        let number = i64::from(device.core.device().unwrap().0);
        assert!(
            by == who && *on == number && *let_in == allowed && what.contains(words),
            "{who}, device {number}, {allowed}: {words} is not the last of {all:#?}"
        );
    }
}

fn refusal<T: std::fmt::Debug>(done: Result<T, CoreError>) -> (u16, String) {
    match done {
        Err(CoreError::Refused { status, reason }) => (status, reason),
        done => panic!("it was not refused: {done:?}"),
    }
}

fn name(device: &TestDevice) -> String {
    device.core.device().unwrap().to_string()
}

#[tokio::test]
async fn an_officer_signs_on_by_the_agencys_provider_and_works() {
    let stage = Stage::start().await;
    let device = stage.device("MDT 1").await;
    let back = stage.back(&device, "1A1").await;
    let shift = device.core.finish_sign_on(&back).await.unwrap();
    assert_eq!((&*shift.officer, &*shift.unit), ("Diaz", "1A1"));
    device.online().await;
    let all = stage.on_record().await;
    assert!(
        all.iter().any(|(who, _, allowed, what)| who == "Diaz"
            && *allowed
            && what.contains("signed in by the agency's sign-in: subject d1 of http://")),
        "{all:#?}"
    );
    stage
        .last_on_record("Diaz", &device, true, "by the agency's sign-in")
        .await;
    // Another officer on the same device, whose shift takes the first one's place.
    stage.provider.person(json!({"sub": "f1", "badge": 102}));
    let back = stage.back(&device, "1A2").await;
    let shift = device.core.finish_sign_on(&back).await.unwrap();
    assert_eq!((&*shift.officer, &*shift.unit), ("Ferris", "1A2"));
}

#[tokio::test]
async fn a_badge_alone_is_refused_and_what_is_wanted_is_said() {
    let stage = Stage::start().await;
    let device = stage.device("MDT 1").await;
    let (status, why) = refusal(device.core.sign_on("101", "1A1").await);
    assert_eq!(status, 401);
    assert_eq!(
        why,
        "Officers of Cedarport Police sign on by the agency's own sign-in: a badge alone is not taken."
    );
    assert!(device.core.shift().is_none());
    let name = name(&device);
    stage
        .last_on_record(&name, &device, false, "a badge alone, for badge 101")
        .await;
    // Nor is it when the shift is to go on.
    let back = stage.back(&device, "1A1").await;
    device.core.finish_sign_on(&back).await.unwrap();
    assert_eq!(refusal(device.core.renew_shift().await).0, 401);
    let back = stage.back(&device, "1A1").await;
    device.core.finish_sign_on(&back).await.unwrap();
}

#[tokio::test]
async fn what_comes_back_counts_once_and_on_the_device_that_began() {
    let stage = Stage::start().await;
    let device = stage.device("MDT 1").await;
    let other = stage.device("MDT 2").await;
    let back = stage.back(&device, "1A1").await;
    let others = stage.back(&other, "1A2").await;
    let (status, why) = refusal(other.core.finish_sign_on(&back).await);
    assert_eq!(status, 403);
    assert!(why.contains("began on another device"), "{why}");
    let named = name(&other);
    stage
        .last_on_record(&named, &other, false, "began elsewhere")
        .await;
    assert_eq!(stage.provider.exchanged(), 0, "its code is not even sent");
    device.core.finish_sign_on(&back).await.unwrap();
    assert_eq!(refusal(device.core.finish_sign_on(&back).await).0, 403);
    assert_eq!(stage.provider.exchanged(), 1);
    // Begun again, what was begun before is over.
    stage.back(&other, "1A2").await;
    assert_eq!(refusal(other.core.finish_sign_on(&others).await).0, 403);
    // Led back elsewhere than it asked for.
    let back = stage.back(&other, "1A2").await;
    let elsewhere = back.replace("/sign-on/back", "/elsewhere");
    assert_eq!(refusal(other.core.finish_sign_on(&elsewhere).await).0, 403);
    assert_eq!(refusal(other.core.finish_sign_on("nothing").await).0, 403);
    assert!(other.core.shift().is_none());
}

#[tokio::test]
async fn what_the_provider_says_that_is_not_so_begins_no_shift() {
    let stage = Stage::start().await;
    let device = stage.device("MDT 1").await;
    let named = name(&device);
    for lie in Lie::ALL {
        stage.provider.lies(Some(lie));
        let back = stage.back(&device, "1A1").await;
        let (status, why) = refusal(device.core.finish_sign_on(&back).await);
        assert_eq!(status, 403, "{lie:?}");
        assert!(why.contains("does not hold"), "{lie:?}: {why}");
        stage
            .last_on_record(&named, &device, false, "does not hold")
            .await;
    }
    stage.provider.lies(None);
    let back = stage.back(&device, "1A1").await;
    let declined = back.replace("code=", "error=access_denied&was=");
    let (_, why) = refusal(device.core.finish_sign_on(&declined).await);
    assert!(why.contains("was not completed"), "{why}");
    assert!(device.core.shift().is_none());
}

#[tokio::test]
async fn who_is_no_officer_of_the_devices_agency_begins_no_shift() {
    let stage = Stage::start().await;
    let device = stage.device("MDT 1").await;
    let named = name(&device);
    for (badge, words) in [
        (json!("999"), "no officer of this center has your badge"),
        // Of the other agency.
        (json!("900"), "no officer of this center has your badge"),
        (Value::Null, "does not hold"),
        (json!(["101"]), "does not hold"),
    ] {
        stage
            .provider
            .person(json!({"sub": "x1", "badge": badge.clone()}));
        let back = stage.back(&device, "1A1").await;
        let (status, why) = refusal(device.core.finish_sign_on(&back).await);
        assert_eq!(status, 403, "{badge}");
        assert!(why.contains(words), "{badge}: {why}");
        stage
            .last_on_record(&named, &device, false, "the agency's sign-in")
            .await;
    }
    assert!(device.core.shift().is_none());
}

#[tokio::test]
async fn an_agency_without_a_provider_signs_on_as_before_and_not_by_anothers() {
    let stage = Stage::start().await;
    let device =
        TestDevice::enrolled_by(stage.center.api.ticket_for("campus-pd", "Campus MDT").await).await;
    let url = device.core.begin_sign_on("C1", BACK).await.unwrap();
    assert_eq!(url, None);
    let shift = device.core.sign_on("900", "C1").await.unwrap();
    assert_eq!(shift.officer, "Nakamura");
    // What another agency's device began is not this one's to end.
    let theirs = stage.device("MDT 1").await;
    let back = stage.back(&theirs, "1A1").await;
    assert_eq!(refusal(device.core.finish_sign_on(&back).await).0, 403);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_named() {
    let stage = Stage::start().await;
    let device = stage.device("MDT 1").await;
    for (unit, redirect, field) in [
        ("9Z9", BACK, "unit: a unit of Cedarport Police"),
        ("1A1", "https://evil.example/sign-on/back", "redirect: "),
        ("1A1", "http://127.0.0.1:49152/elsewhere", "redirect: "),
    ] {
        let (status, why) = refusal(device.core.begin_sign_on(unit, redirect).await);
        assert_eq!(status, 422);
        assert!(why.starts_with(field), "{why}");
    }
    let app = device.core.begin_sign_on("1A1", "gov.example.app:/sign-on");
    let back = stage.provider.signs_in(&app.await.unwrap().unwrap()).await;
    assert!(back.starts_with("gov.example.app:/sign-on?"), "{back}");
    device.core.finish_sign_on(&back).await.unwrap();
    stage.provider.is_down(true);
    let url = device.core.begin_sign_on("1A1", BACK).await.unwrap();
    assert!(url.is_some(), "what the provider is, is known");
}

#[tokio::test]
async fn a_provider_that_is_down_may_answer_later() {
    let stage = Stage::start().await;
    stage.provider.is_down(true);
    let device = stage.device("MDT 1").await;
    let begun = device.core.begin_sign_on("1A1", BACK).await;
    match begun {
        Err(CoreError::Unreachable(why)) => assert!(why.contains("does not answer"), "{why}"),
        begun => panic!("{begun:?}"),
    }
}

/// With a clock of its own: minutes are not waited for.
#[tokio::test]
async fn a_sign_on_that_takes_too_long_is_none_and_a_proof_is_one_devices_for_minutes() {
    let provider = TestProvider::start(SECRET).await;
    let dir = tempfile::tempdir().unwrap();
    let read: toml::Table = toml::from_str(&section(&provider, dir.path())).unwrap();
    let config: SignInConfig = read["sign_in"].clone().try_into().unwrap();
    let providers = Providers::new(&config.providers, "http://localhost:1").unwrap();
    provider.person(json!({"sub": "d1", "badge": "101"}));
    let (device, other) = (DeviceNumber(7), DeviceNumber(8));
    let now_ms = server::clock::now_ms();
    let begin = async || {
        let url = providers.send_officer(AGENCY, device, "1A1", BACK, now_ms);
        provider.signs_in(&url.await.unwrap()).await
    };
    let back = begin().await;
    let late = providers.back_officer(&back, device, now_ms + 10 * 60 * 1_000);
    assert!(matches!(late.await, Err(OidcError::Over)));
    let back = begin().await;
    let signed_on = providers.back_officer(&back, device, now_ms).await.unwrap();
    let (proof, lasts_ms) = providers.prove(device, &signed_on, now_ms).unwrap();
    let proven =
        |device, badge, unit, at_ms| providers.is_proven(device, &proof, badge, unit, at_ms);
    assert!(!proven(device, "101", "1A1", now_ms + lasts_ms), "too late");
    assert!(!proven(other, "101", "1A1", now_ms));
    assert!(!proven(device, "102", "1A1", now_ms));
    assert!(!proven(device, "101", "1A2", now_ms));
    assert!(proven(device, "101", "1A1", now_ms + lasts_ms - 1));
    assert!(!proven(device, "101", "1A1", now_ms), "once");
}
