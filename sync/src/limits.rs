//! Every bound of the protocol, by name. Times in milliseconds, sizes in bytes.

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 1;

/// Longest frame either side takes, as it crosses the wire.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Longest hello: it rides in a header of the WebSocket's upgrade request.
pub const HELLO_BYTES_MAX: usize = 4 * 1024;
/// Most documents that a hello lists apart from its position.
pub const EXCEPTIONS_MAX: usize = 64;
/// Most frames that may be under way, however small: a peer that reports nothing
/// as delivered costs no more than this.
pub const FRAMES_UNDER_WAY_MAX: usize = 4 * 1_024;
/// Most changes in one frame.
pub const CHANGES_PER_FRAME_MAX: usize = 256;
/// Most documents that one session may be granted at a time.
pub const GRANTS_MAX: usize = 4_096;
/// Most receipts (*shown to*) that wait in one session; the oldest give way.
pub const SEEN_QUEUE_MAX: usize = 256;
/// Most offers that a device has under way before the first is answered.
pub const OFFERS_IN_FLIGHT_MAX: usize = 64;
/// Longest reason or name in a frame.
pub const WORDS_BYTES_MAX: usize = 1_024;
/// Most answers (accepted, refused) that wait in one session: one for each offer under way.
pub const ANSWERS_QUEUE_MAX: usize = 4 * OFFERS_IN_FLIGHT_MAX;

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

/// Silence after which a side asks for a sign of life.
pub const QUIET_MS_MAX: u64 = 20_000;
/// Silence after which a side gives the link up. Any byte counts as a sign of life.
pub const SILENCE_MS_MAX: u64 = 60_000;
