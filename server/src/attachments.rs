//! Images and other small files that go with a call's packet.
//!
//! An attachment is two things: an entry in the packet ([`packet::Attachment`]), which
//! travels like any other, and its content, which travels apart in the lowest class. The
//! content is known by its SHA-256 (a *blob*) and lies in the center's own store in chunks,
//! so that it is encrypted at rest and a backup has it.
//!
//! ```text
//! device's entry ─▶ log                    others see: on its way
//! device's chunks ─▶ uploads (resumable) ─▶ whole? hash, image ─▶ the center's entry ─▶ log
//!                                                  └─▶ no: a correction says why
//! ```
//!
//! **The center's entry is the truth.** Only when the whole content is durable and fits
//! its hash does the center write an entry of its own with the same blob, and of an image
//! with a thumbnail. Screens say *at the center* on that entry alone, so that a half-sent
//! one never shows as sent; and only what the center's entry names is given to anybody.
//! That a device names a blob gives it nothing: else a hash that somebody saw once would
//! be a key to the content for ever. So each device proves what it names by sending it
//! ([`uploads`]), also where the center has the same bytes from somebody else.
//!
//! * [`names`] keeps which entry names which blob, and decides who may have one.
//! * [`contents`] is bytes: chunks, quotas, what was left unfinished.
//! * [`uploads`] is what a device sends, from its first byte to the center's entry.
//! * [`files`] is what comes whole: over the API, from the console.
//! * [`image`] reads images, in one bounded place, and makes their thumbnails.

mod contents;
mod files;
mod image;
mod names;
mod uploads;

#[cfg(test)]
mod tests;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::log::LogError;

pub use contents::{CONTENTS_BYTES_MAX, UNFINISHED_MS_MAX, sweep};
pub use files::{Added, File, add};
pub use image::{
    IMAGE_MS_MAX, ImageError, PIXELS_MAX, THUMBNAIL_BYTES_MAX, THUMBNAIL_SIDE_PX_MAX, Workbench,
};
pub(crate) use names::forget;
pub use names::{Found, find, find_in_call, find_of_unit};
pub use uploads::{Have, UNFINISHED_MAX, announce, chunk};

pub(crate) use contents::{piece, whole};
pub(crate) use names::named;

/// SHA-256 of a content.
pub type Blob = [u8; 32];

/// Why an attachment was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// For the person who sends it, as a sentence.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<rusqlite::Error> for AttachmentError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Log(e.into())
    }
}

/// As entries and addresses write it.
#[must_use]
pub fn digits(blob: &Blob) -> String {
    HEXLOWER.encode(blob)
}

/// Reads what [`digits`] wrote.
#[must_use]
pub fn blob_of(digits: &str) -> Option<Blob> {
    let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
    bytes.try_into().ok()
}
