//! Every bound of the protocol, by name. Times in milliseconds, sizes in bytes.

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 4;

/// Longest message either side takes, and longest frame when its parts are joined.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Most frames in one message.
pub const FRAMES_PER_MESSAGE_MAX: usize = 1_024;
/// Longest hello: it rides in a header of the WebSocket's upgrade request.
pub const HELLO_BYTES_MAX: usize = 4 * 1024;
/// Most documents that a hello lists apart from its position.
pub const EXCEPTIONS_MAX: usize = 64;
/// Most messages that may be under way, however small: a peer that reports nothing
/// as delivered costs no more than this.
pub const MESSAGES_UNDER_WAY_MAX: usize = 4 * 1_024;
/// Most changes in one frame.
pub const CHANGES_PER_FRAME_MAX: usize = 256;
/// Most documents that one session may be granted at a time.
pub const GRANTS_MAX: usize = 4_096;
/// Most receipts (*shown to*) that wait in one session; the oldest give way.
pub const SEEN_QUEUE_MAX: usize = 256;
/// Most offers that a device has under way before the first is answered.
pub const OFFERS_IN_FLIGHT_MAX: usize = 64;
/// Most rules of leases that a welcome carries: one for each agency and compartment.
pub const LEASES_MAX: usize = 64;
/// The shortest lease, in minutes: longer than a live session is silent, many times over.
pub const LEASE_MINUTES_MIN: u32 = 5;
/// … and the longest: a shift.
pub const LEASE_MINUTES_MAX: u32 = 12 * 60;
/// Longest reason or name in a frame.
pub const WORDS_BYTES_MAX: usize = 1_024;
/// Most answers (accepted, refused) that wait in one session: one for each offer under way.
pub const ANSWERS_QUEUE_MAX: usize = 4 * OFFERS_IN_FLIGHT_MAX;

/// Largest attachment, whole.
pub const BLOB_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Longest piece of an attachment in one frame.
pub const CHUNK_BYTES_MAX: usize = FRAME_BYTES_TARGET_MAX;
/// Most attachments that one device fetches, and most that it sends, at a time.
pub const WANTS_MAX: usize = 64;

/// What comes up before a session begins, at the least: a resumed TLS handshake and the
/// upgrade request. The time that it took is the first measure of the link.
pub const HANDSHAKE_BYTES_MIN: u64 = 600;
/// Bytes under way before the link's rate is known.
pub const WINDOW_BYTES_START: u64 = 2 * 1024;
/// A link is never trusted with less than this: one small frame must always fit.
pub const WINDOW_BYTES_MIN: u64 = 1_024;
pub const WINDOW_BYTES_MAX: u64 = 1024 * 1024;
/// How many milliseconds of the link's measured rate may be under way.
pub const WINDOW_MS: u64 = 1_500;
/// Smallest frame that changes are packed into, on the slowest link.
pub const FRAME_BYTES_TARGET_MIN: usize = 512;
pub const FRAME_BYTES_TARGET_MAX: usize = 16 * 1024;

/// How long a device may keep *delivered* to itself while more is announced: on a slow
/// link a report a frame would fill the way up.
pub const REPORT_MS_MAX: u64 = 600;
/// … and how many messages it may hold back.
pub const REPORT_MESSAGES_MAX: u64 = 2;

/// How long a device may keep *delivered* to itself where all is quiet: what comes one small
/// message at a time is reported together, since a report costs the device's radio and the
/// center as much as what it reports. What is urgent is reported at once.
pub const REPORT_CALM_MS_MAX: u64 = 500;
/// … and how many bytes it may hold back: half of the smallest window.
pub const REPORT_CALM_BYTES_MAX: usize = 512;
/// A report tells how long it was held back from here on: below, the link's own noise is more.
pub const REPORT_HELD_MS_MIN: u64 = 50;

/// Silence after which a side asks for a sign of life, where nothing is due.
pub const QUIET_MS_MAX: u64 = 20_000;
/// … and where an answer is due: this and two round trips after it was.
pub const ASK_MS_MIN: u64 = 2_000;
/// How long an asked peer may stay silent: four round trips, within these.
pub const PATIENCE_MS_MIN: u64 = 5_000;
pub const PATIENCE_MS_MAX: u64 = 40_000;
/// Silence after which a link is surely given up. Any byte counts as a sign of life.
pub const SILENCE_MS_MAX: u64 = QUIET_MS_MAX + PATIENCE_MS_MAX;
