//! What a screen reads.

use packet::{CallId, Glance};

use super::Core;
use crate::view::{self, Packet, PacketSummary};
use crate::{CoreError, OpenPacket, store::Store};

impl Core {
    /// The packets on this device: open ones first, most urgent first, newest first.
    ///
    /// # Errors
    /// When the store is closed ([`Core::pause`]) or cannot be read.
    pub async fn packets(&self) -> Result<Vec<PacketSummary>, CoreError> {
        self.must_be_open()?;
        let unit = self.shift().map(|shift| shift.unit);
        let rows = self.0.store.run(Store::packets).await?;
        let mut packets: Vec<_> = rows
            .into_iter()
            .map(|(call, rows)| view::summary(call, rows, unit.as_deref()))
            .collect();
        view::sort(&mut packets);
        Ok(packets)
    }

    /// One packet; `None` where it is not on this device.
    ///
    /// # Errors
    /// When the store is closed ([`Core::pause`]) or cannot be read.
    pub async fn packet(&self, call: CallId) -> Result<Option<Packet>, CoreError> {
        self.must_be_open()?;
        let read = move |store: &Store| {
            let rows = store.packet(call)?;
            let Some(rows) = rows else { return Ok(None) };
            let leased = store.leased(call)?;
            Ok(Some((
                rows,
                store.seen(call)?,
                store.attachments(call)?,
                leased,
            )))
        };
        let Some((rows, seen, contents, leased)) = self.0.store.run(read).await? else {
            return Ok(None);
        };
        Ok(Some(Packet {
            leases: self.leases_of(leased),
            ..view::packet(call, rows, &seen, &contents)
        }))
    }

    /// The few lines that a packet opens on, for whoever is signed on.
    #[must_use]
    pub fn glance(&self, packet: &Packet) -> Glance {
        let unit = self.shift().map(|shift| shift.unit);
        let now_ms = self.0.clock.wall_ms() - self.clock_off_ms().unwrap_or(0);
        packet.glance(unit.as_deref(), now_ms)
    }

    /// How many entries wait to be sent.
    ///
    /// # Errors
    /// When the store is closed ([`Core::pause`]) or cannot be read.
    pub async fn outbox_len(&self) -> Result<usize, CoreError> {
        Ok(self.0.store.run(Store::outbox_len).await?)
    }

    /// The packet was on a lit, unlocked screen, with all that is here of it. Told to the
    /// center when there is a link; telling it again changes nothing.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn shown(&self, call: CallId) -> Result<(), CoreError> {
        // An empty car's screen shows nothing.
        self.must_be_open()?;
        let at_ms = self.0.clock.wall_ms() - self.clock_off_ms().unwrap_or(0);
        if self
            .0
            .store
            .run(move |store| store.show(call, at_ms))
            .await?
        {
            self.0.work.notify_one();
        }
        Ok(())
    }
}

impl OpenPacket {
    /// Without what was left empty on the page.
    pub(super) fn filled(text: &Option<String>) -> Option<&str> {
        text.as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }
}
