//! One entry of a packet as the officer sees it: what was said, by whom, by which
//! of the two clocks, and, for one's own, how far it has come.

/// A note, a caution, a query, or an entry of a kind that this version does not
/// know (shown plainly under the kind's own name).
#[derive(Debug, Clone)]
pub struct EntryView {
    pub id: String,
    /// `Note`, `Query` and so on; cautions need none.
    pub kind: String,
    pub text: String,
    /// `You` for one's own.
    pub author: String,
    /// By the author's clock, such as `12:03:02`; none when the center itself wrote it.
    pub author_time: Option<String>,
    /// What that clock was off by, such as `4 s ahead`; none when it was right.
    pub author_clock_off: Option<String>,
    /// The center's receipt by the center's clock; none while it is only here.
    pub center_time: Option<String>,
    /// Set for one's own entries only.
    pub progress: Option<EntryProgress>,
    /// Set when this entry was corrected or withdrawn: it is struck through.
    pub corrected: Option<CorrectionView>,
    /// Attachments only.
    pub attachment: Option<AttachmentView>,
    /// Cautions only: who has acknowledged, such as `Diaz 12:03:15`.
    pub acknowledged: Vec<String>,
    /// Cautions only: nobody of this officer's unit has acknowledged. It sounds and asks.
    pub asks: bool,
}

/// A picture or another file that goes with the entry.
#[derive(Debug, Clone)]
pub struct AttachmentView {
    /// The blob of its thumbnail, when that is on this device.
    pub thumbnail: Option<String>,
    pub blob: String,
    /// The whole is on this device.
    pub is_here: bool,
    /// The whole can be asked for.
    pub can_fetch: bool,
    /// Such as `1.2 MB, at the center`.
    pub state: String,
}

/// How far an entry of one's own has come.
#[derive(Debug, Clone)]
pub enum EntryProgress {
    OnThisDevice,
    AtTheCenter,
    ShownTo(Vec<SeenBy>),
    /// The center did not take it. The entry's text stays on the page.
    Refused {
        reason: String,
    },
}

/// On whose screen it was, and when.
#[derive(Debug, Clone)]
pub struct SeenBy {
    pub name: String,
    pub time: String,
}

/// The entry that names another and says what holds instead.
#[derive(Debug, Clone)]
pub struct CorrectionView {
    /// None: withdrawn, nothing in its place.
    pub text: Option<String>,
    pub author: String,
    /// Already labelled with its clock, such as `12:04:00 at the center`.
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
    /// It answers a query of this packet.
    pub answers: bool,
    /// What a tap opens. Not of one that was corrected.
    pub link: Option<String>,
    /// The name of a camera, whose recording can be asked for.
    pub camera: Option<String>,
}

#[derive(Debug, Clone)]
pub enum ConfidenceView {
    /// The source holds exactly what was asked for.
    Exact,
    /// Anything less: why, such as `similar name, 80 %`. Shown as a lead to verify.
    Lead(String),
}
