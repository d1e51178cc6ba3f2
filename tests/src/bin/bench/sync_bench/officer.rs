//! An officer's real device behind a link: mobile-core with its driver and its store.

use std::time::{Duration, Instant};

use forerunner_tests::{TestApi, TestDevice};
use mobile_core::{Core, Ticket};
use packet::{CallId, Entry};
use tempfile::TempDir;

use crate::proxy::Proxy;

pub(super) struct Officer {
    pub(super) proxy: Proxy,
    pub(super) device: TestDevice,
    _folder: TempDir,
}

impl Officer {
    /// On duty, and online over a link that is still a good one.
    pub(super) async fn on_duty(api: &TestApi, unit: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = TestDevice::open(folder.path());
        let ticket = api.ticket("behind a link").await;
        let proxy = Proxy::to(ticket.center.clone()).await;
        let ticket = Ticket {
            center: proxy.address(),
            ..ticket
        };
        device.core.enrol(&ticket).await.unwrap();
        device.core.sign_on("101", unit).await.unwrap();
        device.online().await;
        Self {
            proxy,
            device,
            _folder: folder,
        }
    }

    /// When the device's store has this caution; `None` when it does not come in this time.
    pub(super) async fn has_caution(
        &self,
        call: CallId,
        text: &str,
        within: Duration,
    ) -> Option<Instant> {
        tokio::time::timeout(within, caution(&self.device.core, call, text))
            .await
            .ok()
    }
}

async fn caution(core: &Core, call: CallId, text: &str) -> Instant {
    let mut changes = core.changes();
    loop {
        changes.mark_unchanged();
        let at = Instant::now();
        let packet = core.packet(call).await.unwrap();
        let is_here = packet.is_some_and(|packet| {
            let mut entries = packet.entries.iter();
            entries.any(|entry| matches!(&entry.written.entry, Entry::Caution(c) if c.text == text))
        });
        if is_here {
            return at;
        }
        changes.changed().await.unwrap();
    }
}
