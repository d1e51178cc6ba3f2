//! Reads the images that people send, in one bounded place.
//!
//! An image is the least trusted thing that reaches the center: a few kilobytes can ask a
//! decoder for gigabytes. So the header is held against [`PIXELS_MAX`] before anything is
//! decoded, one image is decoded at a time, off the async threads, within
//! [`IMAGE_MS_MAX`], under `catch_unwind`; and what others are shown unasked is not the
//! image but a small JPEG made from its pixels. Nothing else of the file survives in that:
//! no EXIF, no place, no camera's serial number.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Blob;

/// Most pixels of an image. A telephone's largest has 50 million.
pub const PIXELS_MAX: u64 = 50_000_000;
/// Longest side of an image; longer ones are strips that no camera makes.
const SIDE_PX_MAX: u32 = 20_000;
/// Most memory that a decoder may ask for.
const DECODED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long reading one image may take.
pub const IMAGE_MS_MAX: u64 = 20_000;

/// Longest side of a thumbnail.
pub const THUMBNAIL_SIDE_PX_MAX: u32 = 320;
/// Largest thumbnail: a quarter of a minute at 9,600 bit/s.
pub const THUMBNAIL_BYTES_MAX: usize = 16 * 1024;
/// What is tried, the best first, until the thumbnail is small enough.
const SIDES_PX: [u32; 4] = [THUMBNAIL_SIDE_PX_MAX, 240, 160, 80];
const QUALITIES: [u8; 3] = [70, 50, 30];

/// Why something is not taken as an image, for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("The file says that it is {claimed}, but its contents are not.")]
    OtherKind { claimed: String },
    #[error(
        "The image would unpack to {width} × {height} pixels; at most {PIXELS_MAX} pixels in all, and {SIDE_PX_MAX} on a side, are taken."
    )]
    TooLarge { width: u32, height: u32 },
    #[error("The image is damaged: {0}.")]
    Damaged(String),
    #[error("The image could not be read within {IMAGE_MS_MAX} ms.")]
    TooSlow,
}

/// What was found in a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inspected {
    pub(super) blob: Blob,
    /// Of an image: a JPEG of at most [`THUMBNAIL_BYTES_MAX`].
    pub(super) thumbnail: Option<Vec<u8>>,
}

/// Where contents are looked at: one at a time, so that all of them together never take
/// more memory than one.
#[derive(Debug, Clone)]
pub struct Workbench {
    places: Arc<Semaphore>,
}

impl Default for Workbench {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(1)),
        }
    }
}

/// A turn at the workbench. A content is read into memory only within one.
#[derive(Debug)]
pub(super) struct Turn {
    /// Given back when the look has ended, however it ended.
    place: OwnedSemaphorePermit,
}

impl Workbench {
    /// Waits for a turn; `None` never comes about while the center runs.
    pub(super) async fn turn(&self) -> Option<Turn> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        Some(Turn { place })
    }
}

impl Turn {
    /// Hashes the content and, when `media_type` names an image, makes its thumbnail.
    ///
    /// # Errors
    /// When it is not the image that it says it is, or one that is not taken.
    pub(super) async fn inspect(
        self,
        content: Arc<[u8]>,
        media_type: String,
    ) -> Result<Inspected, ImageError> {
        let looking = tokio::task::spawn_blocking(move || {
            // A thread cannot be taken back: one that does not end keeps the place.
            let _place = self.place;
            let thumbnail = format_of(&media_type)
                .map(|format| guarded(|| thumbnail(&content, format, &media_type)))
                .transpose()?;
            Ok(Inspected {
                blob: hash(&content),
                thumbnail,
            })
        });
        match tokio::time::timeout(Duration::from_millis(IMAGE_MS_MAX), looking).await {
            Ok(Ok(inspected)) => inspected,
            Ok(Err(e)) => Err(ImageError::Damaged(e.to_string())),
            Err(_) => Err(ImageError::TooSlow),
        }
    }
}

/// SHA-256.
pub(super) fn hash(content: &[u8]) -> Blob {
    let mut blob = [0; 32];
    blob.copy_from_slice(digest::digest(&digest::SHA256, content).as_ref());
    blob
}

/// The two kinds of image that the center reads.
fn format_of(media_type: &str) -> Option<ImageFormat> {
    match media_type {
        "image/png" => Some(ImageFormat::Png),
        "image/jpeg" => Some(ImageFormat::Jpeg),
        _ => None,
    }
}

/// A decoder's panic is a damaged image, and nothing more.
fn guarded<T>(work: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(ImageError::Damaged("its decoder gave up".into())))
}

fn thumbnail(content: &[u8], format: ImageFormat, media_type: &str) -> Result<Vec<u8>, ImageError> {
    if image::guess_format(content).ok() != Some(format) {
        return Err(ImageError::OtherKind {
            claimed: media_type.into(),
        });
    }
    let damaged = |e: image::ImageError| ImageError::Damaged(e.to_string());
    let (width, height) = ImageReader::with_format(Cursor::new(content), format)
        .into_dimensions()
        .map_err(damaged)?;
    let too_large = ImageError::TooLarge { width, height };
    if u64::from(width) * u64::from(height) > PIXELS_MAX || width.max(height) > SIDE_PX_MAX {
        return Err(too_large);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_PX_MAX);
    limits.max_image_height = Some(SIDE_PX_MAX);
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(content), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    if decoder.total_bytes() > DECODED_BYTES_MAX {
        return Err(too_large);
    }
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut small = fit(
        DynamicImage::from_decoder(decoder).map_err(damaged)?,
        THUMBNAIL_SIDE_PX_MAX,
    );
    small.apply_orientation(orientation);
    encoded(small)
}

/// Smaller where it is larger; never larger.
fn fit(image: DynamicImage, side_px: u32) -> DynamicImage {
    if image.width().max(image.height()) > side_px {
        image.thumbnail(side_px, side_px)
    } else {
        image
    }
}

fn encoded(small: DynamicImage) -> Result<Vec<u8>, ImageError> {
    let mut small = DynamicImage::ImageRgb8(small.into_rgb8());
    for side_px in SIDES_PX {
        small = fit(small, side_px);
        for quality in QUALITIES {
            let mut jpeg = Vec::with_capacity(THUMBNAIL_BYTES_MAX);
            JpegEncoder::new_with_quality(&mut jpeg, quality)
                .encode_image(&small)
                .map_err(|e| ImageError::Damaged(e.to_string()))?;
            if jpeg.len() <= THUMBNAIL_BYTES_MAX {
                return Ok(jpeg);
            }
        }
    }
    Err(ImageError::Damaged(
        "no thumbnail of it is small enough".into(),
    ))
}

#[cfg(test)]
pub(super) mod tests;
