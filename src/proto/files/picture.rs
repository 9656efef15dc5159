//! The previews of pictures, known by their first bytes. A node never decodes a picture.

use crate::proto::limits::{PREVIEW_BYTES_MAX, PREVIEW_PIXELS_MAX};

/// Returns true if bytes can be shown as a preview: a small JPEG or WebP of few pixels.
pub fn is_preview(bytes: &[u8]) -> bool {
    let is_side = |side: u32| (1..=PREVIEW_PIXELS_MAX).contains(&side);
    bytes.len() <= PREVIEW_BYTES_MAX
        && jpeg_size(bytes)
            .or_else(|| webp_size(bytes))
            .is_some_and(|(width, height)| is_side(width) && is_side(height))
}

/// Returns the size of a JPEG by its frame header.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let [0xff, marker, high, low, ..] = *rest else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // Start of frame, in all variants but the tables that share its range of numbers.
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let [_, height_high, height_low, width_high, width_low, ..] = *rest.get(4..)? else { return None };
            let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
            return Some((side(width_high, width_low), side(height_high, height_low)));
        }
        rest = rest.get(2 + length.max(2)..)?;
    }
}

/// Returns the size of a WebP by its first chunk.
fn webp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WEBP" {
        return None;
    }
    let (kind, data) = (bytes.get(12..16)?, bytes.get(20..)?);
    let short = |at: usize| Some(u32::from(u16::from_le_bytes([*data.get(at)?, *data.get(at + 1)?])));
    match kind {
        b"VP8 " => Some((short(6)? & 0x3fff, short(8)? & 0x3fff)),
        b"VP8L" => {
            let bits = short(1)? | short(3)? << 16;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => {
            let wide = |at: usize| Some((short(at)? | u32::from(*data.get(at + 2)?) << 16) + 1);
            Some((wide(4)?, wide(7)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 11, 8];
        bytes.extend(height.to_be_bytes().into_iter().chain(width.to_be_bytes()));
        bytes
    }

    fn webp(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        [b"RIFF\x20\0\0\0WEBP", &kind[..], &[0; 4], data].concat()
    }

    #[test]
    fn small_pictures_are_previews() {
        assert!(is_preview(&jpeg(32, 24)));
        assert!(is_preview(&webp(b"VP8 ", &[0, 0, 0, 0x9d, 1, 0x2a, 32, 0, 24, 0])));
        assert!(is_preview(&webp(b"VP8L", &[0x2f, 31, 0xc0, 5, 0])));
        assert!(is_preview(&webp(b"VP8X", &[0, 0, 0, 0, 31, 0, 0, 23, 0, 0])));
    }

    #[test]
    fn everything_else_is_no_preview() {
        assert!(!is_preview(b""));
        assert!(!is_preview(b"<svg xmlns='http://www.w3.org/2000/svg'/>"));
        assert!(!is_preview(&jpeg(50_000, 1)), "too wide");
        assert!(!is_preview(&jpeg(0, 1)));
        assert!(!is_preview(&webp(b"VP8X", &[0, 0, 0, 0, 0x9f, 0x86, 1, 23, 0, 0])), "100,000 wide");
        assert!(!is_preview(&[jpeg(32, 24), vec![0; PREVIEW_BYTES_MAX]].concat()), "too long");
        assert!(!is_preview(&jpeg(32, 24)[..12]), "cut short");
    }
}
