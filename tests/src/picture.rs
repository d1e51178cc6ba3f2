//! Pictures to attach, made by hand: PNG (ISO/IEC 15948) without compression.

/// A picture of this size that no compression makes smaller: about three bytes a pixel.
#[must_use]
pub fn noise_png(width: u32, height: u32) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(u64::from(width) << 32 | u64::from(height));
    let mut rows = Vec::new();
    for _ in 0..height {
        rows.push(0); // this row stands as it is
        rows.extend((0..width * 3).map(|_| random.u8(..)));
    }
    png(width, height, &rows)
}

/// A picture of some bytes whose header says that it is this large.
#[must_use]
pub fn lying_png(width: u32, height: u32) -> Vec<u8> {
    png(width, height, &[0; 64])
}

fn png(width: u32, height: u32, rows: &[u8]) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // 8 bits a sample, red, green and blue.
    block(
        &mut png,
        b"IHDR",
        &[size.as_slice(), &[8, 2, 0, 0, 0]].concat(),
    );
    block(&mut png, b"IDAT", &stored(rows));
    block(&mut png, b"IEND", &[]);
    png
}

fn block(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    let body = [kind.as_slice(), data].concat();
    let crc = body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    });
    png.extend(body);
    png.extend((!crc).to_be_bytes());
}

/// zlib (RFC 1950) of stored blocks (RFC 1951, section 3.2.4).
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(65_535).peekable();
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        let bytes = u16::try_from(block.len()).unwrap();
        out.extend(bytes.to_le_bytes());
        out.extend((!bytes).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}
