//! A caution while an image of a megabyte crosses 9,600 bit/s.

use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use forerunner_tests::{ServedCenter, TestApi, UNITS};
use packet::CallId;

use super::officer::Officer;
use super::slow;
use crate::notes;
use crate::row::{Row, median};

const SIDE_PX: u32 = 1_000;
const CAUTIONS: u32 = 7;
/// Between two cautions the image has the link again.
const REST: Duration = Duration::from_secs(8);
const WAIT_MAX: Duration = Duration::from_secs(60);

pub(super) async fn run() -> Vec<Row> {
    let center = ServedCenter::start().await;
    let call = center.api.call("I-1", &[UNITS[0]]).await;
    let officer = Officer::on_duty(&center.api, UNITS[0]).await;
    officer.device.packet(call, |_| true).await;
    let image = noise_png();
    let blob = HEXLOWER.encode(digest::digest(&digest::SHA256, &image).as_ref());
    attach(&center.api, call, image).await;
    let core = &officer.device.core;
    officer
        .device
        .packet(call, |packet| {
            let mut entries = packet.entries.iter();
            entries.any(|entry| entry.attachment.is_some())
        })
        .await;
    // A session that begins on the slow link learns its rate from its own handshake.
    officer.proxy.shape(slow::link());
    officer.proxy.cut();
    officer.device.offline().await;
    officer.device.online().await;
    core.fetch(&blob).await.unwrap();
    crossing(core, &blob).await;
    let mut took = Vec::new();
    for number in 0..CAUTIONS {
        // So that the image has the link when the caution is written.
        tokio::time::sleep(REST).await;
        let text = format!("man with gun {number}");
        let written = Instant::now();
        notes::warn(&center.api, call, &text).await;
        let came = officer.has_caution(call, &text, WAIT_MAX).await.unwrap();
        took.push(came.duration_since(written).as_secs_f64());
    }
    let crossed = here(core, &blob).await;
    assert!(crossed < SIDE_PX * SIDE_PX, "the image is still crossing");
    eprintln!("a caution beside an image: {took:.2?} s; {crossed} B of the image came");
    let work = "a 1 MB image crosses 9,600 bit/s, 600 ms round trip";
    vec![
        Row::new(work, "caution written to stored")
            .ours(median(&took), "s")
            .goal(2.5)
            .limit(1.3),
    ]
}

/// Waits until the first of it is here; its thumbnail crosses before.
async fn crossing(core: &mobile_core::Core, blob: &str) {
    let mut changes = core.changes();
    let waiting = async {
        while here(core, blob).await == 0 {
            changes.changed().await.unwrap();
        }
    };
    let came = tokio::time::timeout(WAIT_MAX, waiting).await;
    came.expect("the image begins to cross");
}

async fn here(core: &mobile_core::Core, blob: &str) -> u32 {
    let found = core.attachment(blob).await.unwrap();
    found.map_or(0, |found| found.bytes_here)
}

async fn attach(api: &TestApi, call: CallId, image: Vec<u8>) {
    let url = format!("{}/v1/calls/{call}/attachments?name=rear-lot.png", api.base);
    let request = reqwest::Client::new().post(url).bearer_auth(&api.token);
    let request = request.header("content-type", "image/png").body(image);
    let status = request.send().await.unwrap().status();
    assert!(status.is_success(), "{status}");
}

/// A grey image of noise, which no compression makes smaller (PNG, RFC 2083; its data in
/// stored blocks, RFC 1950 and 1951).
fn noise_png() -> Vec<u8> {
    let mut rows = Vec::new();
    for _ in 0..SIDE_PX {
        rows.push(0);
        rows.extend((0..SIDE_PX).map(|_| fastrand::u8(..)));
    }
    let mut data = vec![0x78, 0x01];
    let mut blocks = rows.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap();
        data.push(u8::from(blocks.peek().is_none()));
        data.extend(length.to_le_bytes());
        data.extend((!length).to_le_bytes());
        data.extend(block);
    }
    data.extend(adler32(&rows).to_be_bytes());
    let side = SIDE_PX.to_be_bytes();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(
        &mut png,
        b"IHDR",
        &[&side[..], &side, &[8, 0, 0, 0, 0]].concat(),
    );
    chunk(&mut png, b"IDAT", &data);
    chunk(&mut png, b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    let named = [kind, data].concat();
    png.extend(&named);
    png.extend(crc32(&named).to_be_bytes());
}

fn adler32(bytes: &[u8]) -> u32 {
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    };
    let (a, b) = bytes.iter().fold((1, 0), step);
    b << 16 | a
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
