//! Whether a file holds several pictures that are shown one after the other.

/// Whether GIF, PNG or WebP bytes are an animation, of which only the first picture is decoded.
pub(super) fn is_animated(bytes: &[u8]) -> bool {
    match bytes {
        [b'G', b'I', b'F', ..] => gif_pictures(bytes) > 1,
        // The chunk of animations stands before the pixels.
        [0x89, b'P', b'N', b'G', ..] => png_has_control(bytes),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            b'V',
            b'P',
            b'8',
            b'X',
            _,
            _,
            _,
            _,
            flags,
            ..,
        ] => flags & 2 == 2,
        _ => false,
    }
}

fn png_has_control(bytes: &[u8]) -> bool {
    let mut rest = &bytes[8.min(bytes.len())..];
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        match &head[4..] {
            b"acTL" => return true,
            b"IDAT" | b"IEND" => return false,
            _ => {}
        }
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        // The checksum follows.
        let Some(next) = length.checked_add(4).and_then(|length| after.get(length..)) else {
            return false;
        };
        rest = next;
    }
    false
}

/// Pictures of a GIF, counted up to two.
fn gif_pictures(bytes: &[u8]) -> usize {
    let mut found = 0;
    let palette = |flags: u8| match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    };
    let Some(&flags) = bytes.get(10) else {
        return 0;
    };
    let mut at = 13 + palette(flags);
    while let Some(&block) = bytes.get(at) {
        at = match block {
            b'!' => after_parts(bytes, at + 2),
            b',' => {
                found += 1;
                let Some(&flags) = bytes.get(at + 9) else {
                    return found;
                };
                // Behind the palette stands the size of codes.
                after_parts(bytes, at + 10 + palette(flags) + 1)
            }
            _ => return found,
        };
        if found > 1 {
            return found;
        }
    }
    found
}

/// The place behind parts that begin with their length, the last one with 0.
fn after_parts(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&length) = bytes.get(at) {
        at += 1 + usize::from(length);
        if length == 0 {
            break;
        }
    }
    at
}
