//! What a device writes: admitted by the log, one after the other, and answered in the
//! order of the offers.

use futures_util::FutureExt;
use packet::sabotage::{Sabotage, is_on};
use packet::{DocumentId, Kind, Offer, Proof, Refusal, change_hash, inspect};
use sync::frame::{AcceptedFrame, ByeWhy, FrameError, RefusedFrame};

use super::Session;
use crate::audit::{self, Record};
use crate::devices;
use crate::log::{Appended, Ledger, Log, LogError, OfferedBy, restored};
use crate::policy::{Act, Role, Who};
use crate::shifts;

/// Most answered offers that a session remembers; an older one is sent down once more.
const ANSWERED_MAX: usize = 4_096;

/// What became of a write.
pub(super) enum Written {
    Accepted(AcceptedFrame),
    Refused(RefusedFrame),
    /// What was offered is no change at all: the device breaks the protocol.
    NoChange(Refusal),
    Failed(LogError),
}

impl Session {
    pub(super) fn offer(&mut self, offer: Offer) {
        let by = OfferedBy {
            device: self.speaker.device.number,
            public_key: self.speaker.device.public_key.clone(),
        };
        let (log, metrics) = (self.center.log.clone(), self.center.metrics.clone());
        let (who, role) = (self.speaker.who(), self.speaker.role());
        self.writes.push_back(
            async move {
                let hash = match change_hash(&offer.bytes) {
                    Ok(hash) => hash,
                    // What has no hash cannot be answered by hash, and would never be answered.
                    Err(refusal) => {
                        metrics.refused.inc();
                        return Written::NoChange(refusal);
                    }
                };
                match admit(&log, offer, by, who, role).await {
                    Ok(Ok(appended)) => Written::Accepted(AcceptedFrame {
                        hash,
                        seq: appended.seq,
                        received_ms: appended.received_ms,
                    }),
                    Ok(Err(refusal)) => {
                        metrics.refused.inc();
                        Written::Refused(RefusedFrame {
                            hash,
                            code: refusal.code(),
                            reason: words(&refusal),
                        })
                    }
                    Err(e) => Written::Failed(e),
                }
            }
            .boxed(),
        );
    }

    pub(super) fn written(&mut self, written: Written) {
        match written {
            Written::Accepted(accepted) => {
                self.answered.insert(accepted.seq);
                if self.answered.len() > ANSWERED_MAX {
                    self.answered.pop_first();
                }
                self.relay.accepted(accepted);
            }
            Written::Refused(refused) => self.relay.refused(refused),
            Written::NoChange(refusal) => self.break_off(&FrameError::Body(words(&refusal))),
            // Nothing is refused for the center's own trouble: the device comes back with it.
            Written::Failed(e) => self.relay.close(ByeWhy::Busy, &e.to_string(), 5_000),
        }
    }
}

/// Admits a device's change and puts it on record, in one commit.
///
/// # Errors
/// The log's; a refusal is a result.
pub async fn admit(
    log: &Log,
    offer: Offer,
    by: OfferedBy,
    who: String,
    role: Role,
) -> Result<Result<Appended, Refusal>, LogError> {
    log.write(move |ledger| admit_now(ledger, &offer, &by, who, role))
        .await
}

/// [`admit`] within a commit that is under way.
///
/// # Errors
/// As [`admit`].
pub fn admit_now(
    ledger: &mut Ledger<'_>,
    offer: &Offer,
    by: &OfferedBy,
    who: String,
    role: Role,
) -> Result<Result<Appended, Refusal>, LogError> {
    // What cannot be inspected is refused by admission, with its reason.
    let change = inspect(&offer.bytes).ok();
    let act = change.map(|change| Asked {
        act: match offer.proof {
            Proof::Signature(_) => Act::Write(change.written.entry.kind()),
            Proof::CenterMac(_) => Act::GiveBack,
        },
        written_ms: change.written_ms(),
    });
    let (device, document) = (by.device, offer.document);
    let agency = devices::find(ledger.sql(), device)?.map(|device| device.agency);
    let asker = Who {
        role,
        ..Who::device(&agency.unwrap_or_default())
    };
    let allowed = match &act {
        Some(asked) => may(ledger, &asker, device, document, asked)?,
        None => Ok(()),
    };
    let admitted = ledger.admit(offer, by, allowed)?;
    if let Some(asked) = act {
        let detail = admitted
            .as_ref()
            .map_or_else(ToString::to_string, |appended| appended.seq.to_string());
        audit::record(
            ledger,
            &Record {
                device: Some(device),
                object: document.to_string(),
                allowed: admitted.is_ok(),
                detail,
                asker: Some(asker),
                ..Record::of(who, asked.act)
            },
        )?;
    }
    Ok(admitted)
}

/// What an offer asks for.
struct Asked {
    act: Act,
    /// By the center's clock.
    written_ms: i64,
}

fn may(
    ledger: &Ledger<'_>,
    asker: &Who,
    device: packet::DeviceNumber,
    document: DocumentId,
    asked: &Asked,
) -> Result<Result<(), Refusal>, LogError> {
    if !ledger.may(asker, asked.act, document.call)? {
        return Ok(Err(Refusal::Policy(
            "this may not be written from a device".into(),
        )));
    }
    if document.call.is_beat()
        && !matches!(asked.act, Act::GiveBack | Act::Write(Kind::Acknowledgement))
    {
        return Ok(Err(Refusal::Policy(
            "a beat's packet is no call: only the tap on its alerts is taken".into(),
        )));
    }
    // The center's own word is what counts for what is given back.
    if asked.act == Act::GiveBack
        || is_on(Sabotage::SkipGrantCheck)
        || shifts::may_write_to(ledger.sql(), device, document.call, ledger.now_ms())?
        || restored(ledger.sql())?
            .is_some_and(|restored| restored.covers(asked.written_ms, ledger.now_ms()))
    {
        return Ok(Ok(()));
    }
    Ok(Err(Refusal::Policy(
        "this call is not, and was not lately, one of this unit's".into(),
    )))
}

/// A refusal as its officer reads it, within the frame's limit.
fn words(refusal: &Refusal) -> String {
    refusal
        .to_string()
        .chars()
        .take(sync::limits::WORDS_BYTES_MAX / 4)
        .collect()
}
