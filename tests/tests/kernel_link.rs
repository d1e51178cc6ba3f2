//! The real device over a link that the kernel makes as slow as a radio's.

#![allow(clippy::unwrap_used)]

use std::thread;
use std::time::Instant;

use forerunner_tests::{KernelLink, TestCenter, TestDevice, noise_png};
use mobile_core::{AttachmentState, AttachmentView, EntryView, Packet, Ticket};
use packet::{CallId, Entry};
use tokio::runtime;
use tokio::sync::oneshot;

const TEST: &str = "kernel_link";
const BITS_PER_S: u32 = 9_600;
/// What of the picture may be there when the caution is: what was there before it was
/// written, a window, and what waits in the kernel on the way; then as much again.
const PASSED_BYTES_MAX: u32 = 24_000;

fn has_caution(packet: &Packet) -> bool {
    let mut entries = packet.entries.iter();
    entries.any(|entry| matches!(entry.written.entry, Entry::Caution(_)))
}

fn picture(packet: &Packet) -> Option<&AttachmentView> {
    let attachment = |entry: &EntryView| entry.attachment.is_some();
    let found = packet.entries.iter().find(|entry| attachment(entry));
    found?.attachment.as_ref()
}

/// What the officer's device does, at the far end.
async fn at_the_far_end(
    ticket: Ticket,
    call: CallId,
    under_way: oneshot::Sender<()>,
) -> AttachmentView {
    let device = TestDevice::enrolled_by(ticket).await;
    device.core.sign_on("102", "1A1").await.unwrap();
    device.online().await;
    let packet = device
        .packet(call, |packet| picture(packet).is_some())
        .await;
    let blob = picture(&packet).unwrap().blob.clone();
    device.core.fetch(&blob).await.unwrap();
    let is_under_way =
        |packet: &Packet| picture(packet).is_some_and(|view| view.bytes_here > 2_000);
    device.packet(call, is_under_way).await;
    under_way.send(()).unwrap();
    let packet = device.packet(call, has_caution).await;
    let coming = picture(&packet).unwrap().clone();
    device
        .core
        .add_note(call, "seen, going in by the back")
        .await
        .unwrap();
    device.has_sent_all().await;
    device.close().await;
    coming
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_slow_link_of_the_kernel_a_caution_passes_a_picture_and_a_note_comes_back() {
    let Some(link) = KernelLink::lay(TEST, BITS_PER_S) else {
        return;
    };
    let center = TestCenter::start_at(link.address).await;
    let call = center.api.call("26-1", &["1A1"]).await;
    let path = format!("/v1/calls/{call}/attachments?name=door.png");
    let picture = noise_png(660, 530);
    let answer = center.api.upload(&path, "image/png", &picture).await;
    assert_eq!(answer.unwrap().status, 201);
    let mut ticket = center.api.ticket("MDT of 102").await;
    ticket.center = center.sync.to_string();

    let (under_way, is_under_way) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let far = thread::spawn(move || {
        link.enter();
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let device = at_the_far_end(ticket, call, under_way);
        let _ = ended.send(runtime.unwrap().block_on(device));
        link
    });
    is_under_way.await.expect("the picture is under way");
    let written = Instant::now();
    center.caution(call, "he has a rifle").await;
    let coming = end.await.expect("the device has the caution");
    println!(
        "the caution and the answer took {} ms",
        written.elapsed().as_millis()
    );
    assert_eq!(coming.state, AttachmentState::Coming);
    assert!(
        coming.bytes_here < PASSED_BYTES_MAX,
        "it waited for the picture: {} bytes",
        coming.bytes_here
    );
    center
        .has_notes(call, &["seen, going in by the back"])
        .await;
    drop(far.join().unwrap());
}
