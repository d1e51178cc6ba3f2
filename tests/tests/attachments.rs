//! Attachments the whole way: from one officer's device to another's, and to the analyst,
//! over links that are slow and that break.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use forerunner_tests::{HostileDevice, SlowLink, TestCenter, TestDevice, lying_png, noise_png};
use mobile_core::{AttachmentState, AttachmentView, EntryView, MineState, Packet};
use packet::{CallId, Entry};
use sync::frame::{BlobId, ChunkFrame, DownFrame, UpFrame, WantFrame, encode};
use sync::limits::WINDOW_MS;

const FAST: u64 = 80_000_000;

fn hash(content: &[u8]) -> BlobId {
    let digest = digest::digest(&digest::SHA256, content);
    BlobId(digest.as_ref().try_into().unwrap())
}

fn digits(content: &[u8]) -> String {
    HEXLOWER.encode(&hash(content).0)
}

fn has_facts(packet: &Packet) -> bool {
    packet.facts.is_some()
}

fn attached(packet: &Packet) -> Option<&EntryView> {
    packet
        .entries
        .iter()
        .find(|entry| entry.attachment.is_some())
}

/// Waits until the packet's attachment has come as far as this, and gives its entry.
async fn attachment(
    device: &TestDevice,
    call: CallId,
    is_so: impl Fn(&AttachmentView) -> bool,
) -> EntryView {
    let has = |packet: &Packet| attached(packet).is_some_and(|entry| is_so(of(entry)));
    let packet = device.packet(call, has).await;
    attached(&packet).unwrap().clone()
}

fn of(entry: &EntryView) -> &AttachmentView {
    entry.attachment.as_ref().unwrap()
}

async fn content(device: &TestDevice, blob: &str) -> Vec<u8> {
    let found = device.core.attachment(blob).await.unwrap().unwrap();
    found.content.expect("the whole is here")
}

async fn attach(device: &TestDevice, call: CallId, picture: &[u8]) {
    let (content, name) = (picture.to_vec(), "plate.png");
    let attached = device.core.attach(call, content, "image/png", name);
    attached.await.unwrap();
}

#[tokio::test]
async fn a_picture_reaches_the_other_device_thumbnail_first_and_whole_when_it_is_asked_for() {
    let center = TestCenter::start().await;
    let phone = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let mdt = TestDevice::on_duty(&center.api, "102", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    phone.packet(call, has_facts).await;
    mdt.packet(call, has_facts).await;
    let picture = noise_png(300, 200);
    attach(&phone, call, &picture).await;

    let entry = attachment(&mdt, call, |view| view.thumbnail.is_some()).await;
    assert_eq!(entry.mine, None);
    assert_eq!(of(&entry).state, AttachmentState::AtCenter);
    assert_eq!(of(&entry).bytes_here, 0, "nobody asked for the whole");
    let thumbnail = content(&mdt, of(&entry).thumbnail.as_ref().unwrap()).await;
    assert!(thumbnail.starts_with(b"\xff\xd8") && thumbnail.len() <= 16 * 1024);

    mdt.core.fetch(&digits(&picture)).await.unwrap();
    attachment(&mdt, call, |view| view.state == AttachmentState::Here).await;
    assert_eq!(content(&mdt, &digits(&picture)).await, picture);
    let entry = attachment(&phone, call, |view| view.state == AttachmentState::Here).await;
    assert_eq!(entry.mine, Some(MineState::AtCenter));
}

#[tokio::test]
async fn an_upload_that_breaks_in_the_middle_goes_on_there_and_is_not_shown_as_sent_before() {
    let center = TestCenter::start().await;
    let link = SlowLink::to(center.sync, FAST).await;
    let phone = TestDevice::on_duty_over(&link, &center.api, "101", "1A1").await;
    let mdt = TestDevice::on_duty(&center.api, "102", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    phone.packet(call, has_facts).await;
    link.cut();
    phone.offline().await;
    link.set_bits_per_s(400_000);
    let picture = noise_png(320, 310);
    let total = picture.len() as u64;
    attach(&phone, call, &picture).await;
    let before = link.up_bytes();
    link.mend();
    let is_far = |view: &AttachmentView| match view.state {
        AttachmentState::Sending { bytes_at_center } => u64::from(bytes_at_center) > total * 2 / 3,
        _ => false,
    };
    let entry = attachment(&phone, call, is_far).await;
    assert_eq!(
        entry.mine,
        Some(MineState::OnDevice),
        "its entry is there, it is not"
    );
    link.cut();
    phone.offline().await;
    let theirs = attachment(&mdt, call, |_| true).await;
    assert_eq!(of(&theirs).state, AttachmentState::OnItsWay);
    assert_eq!(of(&theirs).thumbnail, None);
    let page = center
        .api
        .page(&format!("/calls/{call}"))
        .await
        .unwrap()
        .text;
    assert!(page.contains("on its way: not at the center yet"), "{page}");

    link.mend();
    let entry = attachment(&phone, call, |view| view.state == AttachmentState::Here).await;
    assert_eq!(entry.mine, Some(MineState::AtCenter));
    attachment(&mdt, call, |view| view.thumbnail.is_some()).await;
    let window = 400_000 / 8 * WINDOW_MS / 1_000;
    let up = link.up_bytes() - before;
    println!("{total} bytes took {up} bytes up, cut once");
    assert!(up < total + total / 10 + window, "{up} of {total}");
}

#[tokio::test]
async fn a_download_that_breaks_in_the_middle_goes_on_there() {
    let center = TestCenter::start().await;
    let link = SlowLink::to(center.sync, FAST).await;
    let mdt = TestDevice::on_duty_over(&link, &center.api, "102", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    let picture = noise_png(320, 310);
    let total = picture.len() as u64;
    let path = format!("/v1/calls/{call}/attachments?name=door.png");
    let answer = center.api.upload(&path, "image/png", &picture).await;
    assert_eq!(answer.unwrap().status, 201);
    attachment(&mdt, call, |view| view.thumbnail.is_some()).await;
    link.cut();
    mdt.offline().await;
    link.set_bits_per_s(400_000);
    mdt.core.fetch(&digits(&picture)).await.unwrap();
    let before = link.down_bytes();
    link.mend();
    attachment(&mdt, call, |view| {
        u64::from(view.bytes_here) > total * 2 / 3
    })
    .await;
    link.cut();
    mdt.offline().await;
    let half = attachment(&mdt, call, |_| true).await;
    assert_eq!(of(&half).state, AttachmentState::Coming);
    let here = mdt.core.attachment(&digits(&picture)).await.unwrap();
    assert_eq!(here.unwrap().content, None, "half a picture is none");

    link.mend();
    attachment(&mdt, call, |view| view.state == AttachmentState::Here).await;
    assert_eq!(content(&mdt, &digits(&picture)).await, picture);
    let window = 400_000 / 8 * WINDOW_MS / 1_000;
    let down = link.down_bytes() - before;
    println!("{total} bytes took {down} bytes down, cut once");
    assert!(down < total + total / 10 + window, "{down} of {total}");
}

#[tokio::test]
async fn a_caution_passes_a_megabyte_that_is_under_way_at_9600_bits_a_second() {
    let center = TestCenter::start().await;
    let link = SlowLink::to(center.sync, FAST).await;
    let mdt = TestDevice::on_duty_over(&link, &center.api, "102", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    let picture = noise_png(660, 530);
    assert!(picture.len() > 1_000_000);
    let path = format!("/v1/calls/{call}/attachments?name=door.png");
    let answer = center.api.upload(&path, "image/png", &picture).await;
    assert_eq!(answer.unwrap().status, 201);
    attachment(&mdt, call, |view| view.thumbnail.is_some()).await;
    link.cut();
    mdt.offline().await;
    link.set_bits_per_s(9_600);
    link.mend();
    mdt.core.fetch(&digits(&picture)).await.unwrap();
    attachment(&mdt, call, |view| view.bytes_here > 2_000).await;

    let written = Instant::now();
    center.caution(call, "he has a rifle").await;
    let has_caution = |packet: &Packet| {
        let mut entries = packet.entries.iter();
        entries.any(|entry| matches!(entry.written.entry, Entry::Caution(_)))
    };
    let packet = mdt.packet(call, has_caution).await;
    println!("the caution took {} ms", written.elapsed().as_millis());
    let view = of(attached(&packet).unwrap());
    assert_eq!(view.state, AttachmentState::Coming);
    assert!(view.bytes_here < 100_000, "it waited for the picture");
}

#[tokio::test]
async fn a_device_of_another_unit_gets_nothing_and_does_not_learn_that_there_is_something() {
    let center = TestCenter::start().await;
    let call = center.api.call("26-1", &["1A1"]).await;
    let picture = noise_png(90, 60);
    let path = format!("/v1/calls/{call}/attachments?name=door.png");
    let answer = center
        .api
        .upload(&path, "image/png", &picture)
        .await
        .unwrap();
    let thumbnail = answer.body["thumbnail"].as_str().unwrap().as_bytes();
    let thumbnail = HEXLOWER.decode(thumbnail).unwrap().try_into().unwrap();

    let stranger = HostileDevice::on_duty(&center.api, "104", "1B2").await;
    let mut session = stranger.session().await;
    let unknown = BlobId([7; 32]);
    for blob in [hash(&picture), BlobId(thumbnail), unknown] {
        let want = WantFrame { blob, offset: 0 };
        session.send(encode(&UpFrame::Want(want))).await;
        let chunk = loop {
            if let DownFrame::Chunk(chunk) = session.next().await.unwrap() {
                break chunk;
            }
        };
        let (offset, total, bytes) = (0, 0, vec![]);
        let nothing = ChunkFrame {
            blob,
            offset,
            total,
            bytes,
        };
        assert_eq!(chunk, nothing);
    }
    let path = format!("/v1/attachments/{}", digits(&picture));
    let answer = center.api.stranger("GET", &path).await.unwrap();
    assert_eq!(answer.status, 403);
    // The same device gets it as soon as its unit has the call: it was not the asking.
    center.api.assign(call, "1B2").await;
    let mut session = stranger.session().await;
    let want = WantFrame {
        blob: hash(&picture),
        offset: 0,
    };
    session.send(encode(&UpFrame::Want(want))).await;
    loop {
        if let DownFrame::Chunk(chunk) = session.next().await.unwrap() {
            assert_eq!(chunk.total, picture.len() as u64);
            assert!(picture.starts_with(&chunk.bytes) && !chunk.bytes.is_empty());
            break;
        }
    }
}

#[tokio::test]
async fn a_decompression_bomb_is_refused_and_everybody_is_told_why() {
    let center = TestCenter::start().await;
    let phone = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let mdt = TestDevice::on_duty(&center.api, "102", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    phone.packet(call, has_facts).await;
    attach(&phone, call, &lying_png(20_000, 20_000)).await;
    let is_refused = |view: &AttachmentView| matches!(view.state, AttachmentState::Refused { .. });
    let entry = attachment(&phone, call, is_refused).await;
    let Some(MineState::Refused { reason }) = entry.mine else {
        panic!("{:?}", entry.mine)
    };
    assert!(reason.contains("20000 × 20000 pixels"), "{reason}");
    let is_corrected =
        |packet: &Packet| attached(packet).is_some_and(|entry| entry.corrected_by.is_some());
    let packet = mdt.packet(call, is_corrected).await;
    assert_eq!(
        of(attached(&packet).unwrap()).state,
        AttachmentState::OnItsWay
    );
}

#[tokio::test]
async fn what_comes_over_the_api_goes_out_over_it_and_only_pictures_are_shown() {
    let center = TestCenter::start().await;
    let call = center.api.call("26-1", &[]).await;
    let picture = noise_png(640, 480);
    let path = format!("/v1/calls/{call}/attachments?name=back%20door.png");
    let answer = center
        .api
        .upload(&path, "image/png", &picture)
        .await
        .unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body["blob"], digits(&picture));
    let path = format!("/v1/attachments/{}", digits(&picture));
    let whole = center.api.download(&path).await;
    assert_eq!(whole.bytes, picture);
    assert_eq!(whole.content_type, "image/png");
    assert_eq!(
        whole.disposition,
        "inline; filename*=UTF-8''back%20door.png"
    );
    let small = center.api.download(&format!("{path}/thumbnail")).await;
    assert_eq!(small.content_type, "image/jpeg");
    assert!(small.bytes.len() < picture.len() / 20);

    let page = b"<script>alert(1)</script>";
    let path = format!("/v1/calls/{call}/attachments?name=page.html");
    let answer = center.api.upload(&path, "text/html", page).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let path_of_page = format!("/v1/attachments/{}", digits(page));
    let found = center.api.download(&path_of_page).await;
    assert_eq!(found.content_type, "application/octet-stream");
    assert!(found.disposition.starts_with("attachment;"));

    let large = vec![0; 8 * 1024 * 1024 + 1];
    let answer = center
        .api
        .upload(&path, "text/plain", &large)
        .await
        .unwrap();
    assert_eq!(answer.status, 413);
    let bomb = lying_png(30_000, 30_000);
    let answer = center.api.upload(&path, "image/png", &bomb).await.unwrap();
    assert_eq!(answer.status, 422);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("30000 × 30000 pixels"), "{detail}");
    let answer = center.api.stranger("POST", &path).await.unwrap();
    assert_eq!(answer.status, 403);
    let unknown = format!("/v1/attachments/{}", "0".repeat(64));
    assert_eq!(center.api.get(&unknown).await.unwrap().status, 404);
}
