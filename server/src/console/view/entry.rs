//! One entry of a packet as the analyst sees it: what was said, by whom, by which
//! of the two clocks, and how far it has come on each device.

/// A note, a caution, a query, or an entry of a kind that this version does not
/// know (shown plainly under the kind's own name).
#[derive(Debug, Clone)]
pub struct EntryView {
    pub id: String,
    /// `Note`, `Query` and so on; cautions need none.
    pub kind: String,
    pub text: String,
    pub author: String,
    /// By the author's clock, such as `12:03:02`; none when the center itself wrote it.
    pub author_time: Option<String>,
    /// What that clock was off by, such as `4 s ahead`; none when it was right.
    pub author_clock_off: Option<String>,
    /// The center's receipt, by the center's clock.
    pub center_time: String,
    /// One for each device that should have it.
    pub receipts: Vec<ReceiptView>,
    /// Set when this entry was corrected or withdrawn: it is struck through.
    pub corrected: Option<CorrectionView>,
    /// Attachments only.
    pub attachment: Option<AttachmentView>,
    /// Cautions only: the center's receipt while no officer has acknowledged.
    pub unacknowledged_since_ms: Option<i64>,
}

impl EntryView {
    pub(super) fn delivered_to_nobody(&self) -> bool {
        self.receipts
            .iter()
            .all(|receipt| receipt.delivered.is_none())
    }
}

/// A picture or another file that goes with the entry.
#[derive(Debug, Clone)]
pub struct AttachmentView {
    /// Where its thumbnail is; images have one, once they are here.
    pub thumbnail: Option<String>,
    /// Where the whole is; none while the center does not have it.
    pub content: Option<String>,
    /// Such as `1.2 MB, at the center`.
    pub state: String,
}

/// The entry that names another and says what holds instead.
#[derive(Debug, Clone)]
pub struct CorrectionView {
    /// None: withdrawn, nothing in its place.
    pub text: Option<String>,
    pub author: String,
    pub center_time: String,
}

/// How far an entry has come on one device: three things, never confused.
#[derive(Debug, Clone)]
pub struct ReceiptView {
    /// Such as `4A12 MDT`.
    pub device: String,
    /// Durable there since, by the center's clock.
    pub delivered: Option<String>,
    /// On a lit, unlocked screen at.
    pub shown: Option<String>,
    pub acknowledged: Option<AcknowledgementView>,
}

#[derive(Debug, Clone)]
pub struct AcknowledgementView {
    /// The named officer who tapped.
    pub officer: String,
    pub time: String,
}

/// One result from a source, or what follows from it.
#[derive(Debug, Clone)]
pub struct FindingView {
    pub entry: EntryView,
    pub source: String,
    /// What was asked, such as `plate ABC-1234`.
    pub query: String,
    pub confidence: ConfidenceView,
    /// The date of the record itself, where the source says one.
    pub recorded: Option<String>,
    /// It answers a query of this packet.
    pub answers: bool,
    /// What a tap opens. Not of one that was corrected.
    pub link: Option<String>,
    /// It names a camera, whose recording can be asked for.
    pub is_camera: bool,
    /// The restricted compartment that it stands in, for those who may see that.
    pub restricted: Option<&'static str>,
}

impl FindingView {
    /// A camera's finding has its name as the first line.
    pub(super) fn camera_name(&self) -> &str {
        self.entry.text.lines().next().unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub enum ConfidenceView {
    /// The source holds exactly what was asked for.
    Exact,
    /// Anything less: why, such as `similar name, 80 %`. Shown as a lead to verify.
    Lead(String),
}
