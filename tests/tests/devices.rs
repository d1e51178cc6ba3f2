//! Devices and the center's orders, and devices that are not what they say.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use forerunner_tests::{HostileDevice, TestCenter, TestDevice, note_texts, until};
use mobile_core::{CoreError, LockState};
use packet::custody::{ErasedWhy, Erasure};
use packet::{CallId, DeviceNumber};
use serde_json::{Value, json};
use sync::frame::{DownFrame, UpFrame, encode};

const PIN: &str = "482916";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

async fn listed(center: &TestCenter, device: DeviceNumber) -> Value {
    let answer = center.api.get("/v1/devices").await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let devices = answer.body["devices"].as_array().unwrap().clone();
    let mut devices = devices.into_iter();
    devices.find(|found| found["device"] == device.0).unwrap()
}

async fn becomes(center: &TestCenter, device: DeviceNumber, state: &str) {
    until(&format!("the device is {state}"), async || {
        (listed(center, device).await["state"] == state).then_some(())
    })
    .await;
}

async fn order(center: &TestCenter, device: DeviceNumber) {
    let path = format!("/v1/devices/{}/erase", device.0);
    let answer = center.api.post(&path, &json!({})).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
}

async fn with_a_call(center: &TestCenter, device: &TestDevice) -> CallId {
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, |packet| packet.facts.is_some()).await;
    call
}

#[tokio::test]
async fn an_order_erases_a_device_in_session_at_once_and_its_signed_receipt_is_kept() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let number = device.core.device().unwrap();
    let call = with_a_call(&center, &device).await;
    assert_eq!(listed(&center, number).await["state"], "in use");
    let ordered = Instant::now();
    order(&center, number).await;
    device.packet_is_gone(call).await;
    println!(
        "erased {} ms after the order",
        ordered.elapsed().as_millis()
    );
    becomes(&center, number, "erased").await;
    assert!(device.core.shift().is_none());
    let read = |c: &rusqlite::Connection| {
        let sql = "SELECT statement, signature FROM erasures";
        Ok(c.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    let readers = center.center().log.readers();
    let (statement, signature): (String, Vec<u8>) = readers.read(read).await.unwrap();
    let read = |c: &rusqlite::Connection| {
        Ok(c.query_row("SELECT public_key FROM devices", [], |row| row.get(0))?)
    };
    let key: Vec<u8> = readers.read(read).await.unwrap();
    let input = packet::custody::erasure_signing_input(statement.as_bytes());
    assert!(packet::signature::verify(&key, &input, &signature));
    let erasure: Erasure = serde_json::from_str(&statement).unwrap();
    assert_eq!(erasure.why, ErasedWhy::Ordered);
    // The order is done with: the next officer signs on.
    device.core.sign_on("102", "1A1").await.unwrap();
    device.packet(call, |packet| packet.facts.is_some()).await;
    becomes(&center, number, "in use").await;
}

#[tokio::test]
async fn an_order_to_a_device_out_of_reach_comes_before_anything_else() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let number = device.core.device().unwrap();
    let call = with_a_call(&center, &device).await;
    device.cut().await;
    device
        .core
        .add_note(call, "written in the dead zone")
        .await
        .unwrap();
    order(&center, number).await;
    becomes(&center, number, "erase ordered").await;
    center.note(call, "never for this device").await;
    let received = device.core.metrics().frames_received;
    device.core.set_link(true);
    becomes(&center, number, "erased").await;
    let packets = device.core.packets().await.unwrap();
    assert!(packets.is_empty());
    // What it wrote is not lost.
    center
        .has_notes(call, &["never for this device", "written in the dead zone"])
        .await;
    // All that came since is a session without an officer.
    let packets = device.core.packets().await.unwrap();
    assert!(packets.is_empty(), "{packets:?} in {received} frames");
}

#[tokio::test]
async fn a_locked_device_that_has_a_link_is_told_at_once_and_hands_in_what_is_sealed() {
    let center = TestCenter::start().await;
    let device = TestDevice::with_pin(&center.api, PIN).await;
    let number = device.core.device().unwrap();
    device.core.sign_on("101", "1A1").await.unwrap();
    let call = with_a_call(&center, &device).await;
    device.cut().await;
    device
        .core
        .add_note(call, "before it locked")
        .await
        .unwrap();
    device.core.lock().await.unwrap();
    device.core.set_link(true);
    becomes(&center, number, "locked").await;
    center.has_notes(call, &["before it locked"]).await;
    // Opened, it offers the same again, and it is there once.
    device.core.unlock(PIN).await.unwrap();
    device.has_sent_all().await;
    center.note(call, "from the center").await;
    let packet = device.has_note(call, "from the center").await;
    assert_eq!(packet.mine, None);
    center
        .has_notes(call, &["before it locked", "from the center"])
        .await;
    device.core.lock().await.unwrap();
    becomes(&center, number, "locked").await;
    order(&center, number).await;
    becomes(&center, number, "erased").await;
    assert!(device.core.packets().await.unwrap().is_empty());
    let unlocked = device.core.lock_state().borrow().clone();
    assert_eq!(unlocked, LockState::Open { has_pin: false });
}

async fn lock_out(device: &TestDevice) -> String {
    device.core.lock().await.unwrap();
    for _ in 0..5 {
        device.core.unlock("111222").await.unwrap_err();
    }
    match device.core.lock_state().borrow().clone() {
        LockState::LockedOut { challenge, .. } => challenge,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_supervisor_releases_a_device_by_a_code_that_is_read_out_and_by_the_link() {
    let center = TestCenter::start().await;
    let device = TestDevice::with_pin(&center.api, PIN).await;
    let number = device.core.device().unwrap();
    device.core.sign_on("101", "1A1").await.unwrap();
    device.cut().await;
    let challenge = lock_out(&device).await;
    let path = format!("/v1/devices/{}/release", number.0);
    let wrong = center
        .api
        .post(&path, &json!({"challenge": "12"}))
        .await
        .unwrap();
    assert_eq!(wrong.status, 409, "{wrong:?}");
    let answer = center
        .api
        .post(&path, &json!({"challenge": challenge}))
        .await
        .unwrap();
    let code = answer.body["code"].as_str().unwrap();
    device.core.release(code).await.unwrap();
    device.core.unlock(PIN).await.unwrap();

    lock_out(&device).await;
    device.core.set_link(true);
    becomes(&center, number, "locked out").await;
    let answer = center.api.post(&path, &json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut state = device.core.lock_state();
    let released = state.wait_for(|state| matches!(state, LockState::Locked { tries_left: 5, .. }));
    tokio::time::timeout(forerunner_tests::PATIENCE, released)
        .await
        .unwrap()
        .unwrap();
    device.core.unlock(PIN).await.unwrap();
}

#[tokio::test]
async fn a_device_that_is_marked_as_in_a_vehicle_learns_it() {
    let center = TestCenter::start().await;
    let device = TestDevice::with_pin(&center.api, PIN).await;
    let number = device.core.device().unwrap();
    assert!(!device.core.is_mounted());
    let path = format!("/v1/devices/{}/mounted", number.0);
    let answer = center
        .api
        .put(&path, "application/json", "{\"mounted\":true}")
        .await;
    assert_eq!(answer.unwrap().status, 204);
    device.core.sign_on("101", "1A1").await.unwrap();
    assert!(device.core.is_mounted());
    assert_eq!(listed(&center, number).await["mounted"], true);
}

fn hello(device: &HostileDevice) -> String {
    BASE64URL_NOPAD.encode(&encode(&device.hello()))
}

/// What the device gets by its certificate: standing, renewal, sign-on, a session.
async fn doors(device: &HostileDevice) -> [u16; 4] {
    let standing = json!({"state": "open", "sealed": 0, "shift": null, "releases": 0});
    let renewal = json!({"request": device.request()});
    let shift = json!({"officer": "104", "unit": "1B2"});
    [
        device.ask("/v1/standing", &standing).await.0,
        device.ask("/v1/certificate", &renewal).await.0,
        device.ask("/v1/shifts", &shift).await.0,
        device.dial(&hello(device)).await.err().unwrap_or(101),
    ]
}

#[tokio::test]
async fn a_certificate_that_has_ended_opens_its_renewal_and_its_orders_and_after_90_days_nothing() {
    let center = TestCenter::start().await;
    let device = HostileDevice::on_duty(&center.api, "104", "1B2").await;
    let now_ms = server::clock::now_ms();
    assert_eq!(
        doors(&device).await,
        [200, 200, 201, 403],
        "the old hello's shift has ended"
    );
    let ended = device.certified(&center, now_ms - 4 * DAY_MS);
    assert_eq!(doors(&ended).await, [200, 200, 403, 403]);
    let long_ended = device.certified(&center, now_ms - 92 * DAY_MS);
    assert!(long_ended.is_let_in().await);
    let too_long_ended = device.certified(&center, now_ms - 94 * DAY_MS);
    assert!(!too_long_ended.is_let_in().await);
}

#[tokio::test]
async fn a_revoked_device_is_told_its_orders_and_gets_nothing_else() {
    let center = TestCenter::start().await;
    let device = HostileDevice::on_duty(&center.api, "104", "1B2").await;
    center.api.revoke(device.number).await;
    assert_eq!(doors(&device).await, [200, 403, 403, 403]);
    assert_eq!(device.ask("/v1/sealed", &json!({})).await.0, 403);
    order(&center, device.number).await;
    let standing = json!({"state": "open", "sealed": 0, "shift": null, "releases": 0});
    let (status, told) = device.ask("/v1/standing", &standing).await;
    assert_eq!((status, told["erase"].is_i64()), (200, true), "{told}");
}

#[tokio::test]
async fn a_hello_is_good_for_its_own_device_and_for_its_own_shift() {
    let center = TestCenter::start().await;
    let mine = HostileDevice::on_duty(&center.api, "104", "1B2").await;
    let call = center.api.call("26-1", &["1B2"]).await;
    center.note(call, "not for a thief").await;
    let other = HostileDevice::on_duty(&center.api, "103", "1B1").await;
    // Another device has seen it, and says it too.
    let mut session = other.dial(&hello(&mine)).await.unwrap();
    session.send(encode(&UpFrame::Ping)).await;
    loop {
        match session.next().await.unwrap() {
            DownFrame::Pong => break,
            DownFrame::Welcome(_) | DownFrame::Position(_) => {}
            found => panic!("{found:?}"),
        }
    }
    // Its own device says it again after the shift.
    let old = hello(&mine);
    mine.dial(&old).await.unwrap();
    let shift = json!({"officer": "104", "unit": "1B2"});
    assert_eq!(mine.ask("/v1/shifts", &shift).await.0, 201);
    assert_eq!(mine.dial(&old).await.err(), Some(403));
}

fn statement(device: &HostileDevice, center: &str, order: i64) -> String {
    let erasure = Erasure {
        device: device.number,
        center: center.to_owned(),
        store: "ab".repeat(16),
        why: ErasedWhy::Ordered,
        order: Some(order),
        at_ms: 1,
        clock_off_ms: None,
        sealed: 0,
        attachments_lost: None,
    };
    serde_json::to_string(&erasure).unwrap()
}

#[tokio::test]
async fn a_receipt_that_is_not_the_devices_own_is_refused_and_the_order_stands() {
    let center = TestCenter::start().await;
    let device = HostileDevice::on_duty(&center.api, "104", "1B2").await;
    let other = HostileDevice::on_duty(&center.api, "103", "1B1").await;
    order(&center, device.number).await;
    let id = HEXLOWER.encode(&device.center_id().0);
    let good = statement(&device, &id, 1);
    let receipts = [
        // Signed by another's key; another's words; for another center; altered; no words.
        other.receipt(&good),
        device.receipt(&statement(&other, &id, 1)),
        device.receipt(&statement(&device, &"00".repeat(16), 1)),
        json!({"statement": good.replace("\"sealed\":0", "\"sealed\":1"),
            "signature": device.receipt(&good)["signature"]}),
        device.receipt("{}"),
        device.receipt(&" ".repeat(3_000)),
    ];
    for receipt in receipts {
        let (status, problem) = device.ask("/v1/erasures", &receipt).await;
        assert_eq!(status, 422, "{problem}");
    }
    assert_eq!(
        listed(&center, device.number).await["state"],
        "erase ordered"
    );
    // Its own is taken, also twice.
    for _ in 0..2 {
        let (status, problem) = device.ask("/v1/erasures", &device.receipt(&good)).await;
        assert_eq!(status, 204, "{problem}");
    }
    assert_ne!(
        listed(&center, device.number).await["state"],
        "erase ordered"
    );
}

#[tokio::test]
async fn a_device_whose_shift_the_center_ended_locks_and_keeps_what_it_has() {
    let center = TestCenter::start().await;
    let device = TestDevice::with_pin(&center.api, PIN).await;
    device.core.sign_on("101", "1A1").await.unwrap();
    let call = with_a_call(&center, &device).await;
    device.cut().await;
    device.core.add_note(call, "kept").await.unwrap();
    center.execute("UPDATE shifts SET expires_ms = 1").await;
    device.core.set_link(true);
    let mut state = device.core.lock_state();
    let locked = state.wait_for(|state| !state.is_open());
    tokio::time::timeout(forerunner_tests::PATIENCE, locked)
        .await
        .unwrap()
        .unwrap();
    let opened = device.core.unlock(PIN).await;
    assert!(matches!(opened, Err(CoreError::ShiftOver)), "{opened:?}");
    device.core.sign_on("101", "1A1").await.unwrap();
    device.core.unlock(PIN).await.unwrap();
    let packet = device.core.packet(call).await.unwrap().unwrap();
    assert_eq!(note_texts(&packet), ["kept"]);
}
