#![allow(clippy::unwrap_used)]

use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};

use super::*;

/// A photograph, or something as busy as one.
pub(in crate::attachments) fn photograph(width: u32, height: u32) -> RgbImage {
    let mut noise = 12_345_u32;
    RgbImage::from_fn(width, height, |x, y| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (noise >> 27) as u8;
        Rgb([(x % 256) as u8 ^ grain, (y % 256) as u8, grain * 8])
    })
}

pub(in crate::attachments) fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// With an EXIF block that says how the camera was held.
fn jpeg_held_sideways(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    // TIFF, little endian, one entry: orientation (0x0112) is 6; then words to look for.
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    exif.extend_from_slice(b"SERIAL-4711 43.0389N 87.9065W");
    encoder.set_exif_metadata(exif).unwrap();
    let (width, height) = image.dimensions();
    encoder
        .write_image(image, width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// A PNG of 8-bit grey pixels whose data unpacks to this many zeros, whatever its header says.
pub(in crate::attachments) fn zeros(width: u32, height: u32, unpacked_bytes: u64) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    header.extend_from_slice(&[8, 0, 0, 0, 0]);
    block(&mut png, b"IHDR", &header);
    block(&mut png, b"IDAT", &deflated_zeros(unpacked_bytes));
    block(&mut png, b"IEND", &[]);
    png
}

fn block(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
    let body = [kind.as_slice(), data].concat();
    let mut crc = u32::MAX;
    for byte in &body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                0xedb8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            };
        }
    }
    png.extend_from_slice(&body);
    png.extend_from_slice(&(!crc).to_be_bytes());
}

/// zlib (RFC 1950) around one block of fixed codes (RFC 1951, section 3.2.6): a zero, then
/// copies of 258 bytes from one byte before, 13 bits each.
fn deflated_zeros(bytes: u64) -> Vec<u8> {
    let (mut out, mut bits, mut held) = (vec![0x78, 0x01], 0_u64, 0_u32);
    let mut put = |value: u64, count: u32| {
        bits |= value << held;
        held += count;
        while held >= 8 {
            out.push((bits & 0xff) as u8);
            bits >>= 8;
            held -= 8;
        }
    };
    put(0b011, 3); // the last block, fixed codes
    put(0b0000_1100, 8); // the literal 0 is 00110000, the first bit first
    for _ in 0..(bytes - 1) / 258 {
        put(0b1010_0011, 8); // length 258 is 11000101
        put(0, 5); // distance 1 is 00000
    }
    for _ in 0..(bytes - 1) % 258 {
        put(0b0000_1100, 8);
    }
    put(0, 7); // the end
    put(0, 7);
    let adler = ((bytes % 65_521) << 16 | 1) as u32;
    out.extend_from_slice(&adler.to_be_bytes());
    out
}

async fn inspect(content: Vec<u8>, media_type: &str) -> Result<Inspected, ImageError> {
    let turn = Workbench::default().turn().await.unwrap();
    turn.inspect(content.into(), media_type.into()).await
}

#[tokio::test]
async fn a_photograph_becomes_a_small_jpeg_and_a_small_image_does_not_grow() {
    let content = png(&photograph(1_600, 1_200));
    let inspected = inspect(content.clone(), "image/png").await.unwrap();
    assert_eq!(inspected.blob, hash(&content));
    let thumbnail = inspected.thumbnail.unwrap();
    assert!(
        thumbnail.len() <= THUMBNAIL_BYTES_MAX,
        "{}",
        thumbnail.len()
    );
    let small = image::load_from_memory_with_format(&thumbnail, ImageFormat::Jpeg).unwrap();
    assert!(small.width().max(small.height()) <= THUMBNAIL_SIDE_PX_MAX);
    assert_eq!(small.width() * 3, small.height() * 4);

    let tiny = inspect(png(&photograph(20, 10)), "image/png")
        .await
        .unwrap();
    let tiny = image::load_from_memory(&tiny.thumbnail.unwrap()).unwrap();
    assert_eq!((tiny.width(), tiny.height()), (20, 10));
}

#[tokio::test]
async fn a_thumbnail_stands_upright_and_keeps_nothing_of_the_cameras_notes() {
    let content = jpeg_held_sideways(&photograph(640, 320));
    let is_in = |bytes: &[u8], words: &[u8]| bytes.windows(words.len()).any(|w| w == words);
    assert!(is_in(&content, b"SERIAL-4711") && is_in(&content, b"87.9065W"));
    let thumbnail = inspect(content, "image/jpeg")
        .await
        .unwrap()
        .thumbnail
        .unwrap();
    for words in [b"SERIAL-4711".as_slice(), b"87.9065W", b"Exif"] {
        assert!(!is_in(&thumbnail, words));
    }
    let small = image::load_from_memory(&thumbnail).unwrap();
    assert!(small.height() > small.width(), "it lies on its side");
}

#[tokio::test]
async fn a_decompression_bomb_is_refused_by_its_header_before_it_is_unpacked() {
    // 400 million pixels in 2.5 MB.
    let bomb = zeros(20_000, 20_000, 20_000 * 20_001);
    assert!(bomb.len() < 3_000_000, "{}", bomb.len());
    let (width, height) = (20_000, 20_000);
    let refused = inspect(bomb, "image/png").await.unwrap_err();
    assert_eq!(refused, ImageError::TooLarge { width, height });
    assert!(refused.to_string().contains("20000 × 20000 pixels"));
}

#[tokio::test]
async fn a_header_that_lies_about_its_pixels_gets_no_more_than_it_says() {
    // A few bytes that say 49 million pixels: there is nothing to fill them with.
    let empty = inspect(zeros(7_000, 7_000, 100), "image/png").await;
    assert!(matches!(empty, Err(ImageError::Damaged(_))), "{empty:?}");
    // 100 × 100 pixels, and behind them four hundred megabytes that nobody unpacks.
    let stuffed = inspect(zeros(100, 100, 400_000_000), "image/png").await;
    if let Ok(inspected) = stuffed {
        let small = image::load_from_memory(&inspected.thumbnail.unwrap()).unwrap();
        assert_eq!((small.width(), small.height()), (100, 100));
    }
}

#[tokio::test]
async fn what_only_says_that_it_is_an_image_is_refused() {
    let text = b"GET / HTTP/1.1".to_vec();
    for (content, media_type) in [
        (text, "image/png"),
        (png(&photograph(9, 9)), "image/jpeg"),
        (b"\xff\xd8\xff\xe0".to_vec(), "image/png"),
    ] {
        let refused = inspect(content, media_type).await.unwrap_err();
        assert!(matches!(refused, ImageError::OtherKind { .. }), "{refused}");
    }
    let cut = png(&photograph(90, 90))[..200].to_vec();
    let refused = inspect(cut, "image/png").await.unwrap_err();
    assert!(matches!(refused, ImageError::Damaged(_)), "{refused}");
}

#[tokio::test]
async fn another_file_is_only_hashed() {
    let inspected = inspect(b"%PDF-1.7".to_vec(), "application/pdf")
        .await
        .unwrap();
    assert_eq!(inspected.thumbnail, None);
}

#[test]
fn a_decoder_that_panics_is_a_damaged_image() {
    let refused = guarded::<()>(|| panic!("a decoder's bug")).unwrap_err();
    assert!(matches!(refused, ImageError::Damaged(_)));
}
