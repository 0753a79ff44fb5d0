//! Pictures, told by their first bytes: what a client says about a file proves nothing.

/// Largest picture, in bytes.
pub(super) const MAX_BYTES: usize = 5 * 1024 * 1024;

/// The picture of a submission.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Picture {
    /// None was sent.
    None,
    /// A picture of this media type.
    Good(&'static str, Vec<u8>),
    /// What was sent is not kept, for this reason.
    Refused(&'static str),
}

impl Picture {
    /// Judges what was sent; `whole` is false when there was more than is read.
    pub(super) fn of(bytes: Vec<u8>, whole: bool) -> Self {
        if !whole {
            return Self::Refused("the screenshot was left out because it is larger than 5 MB");
        }
        if bytes.is_empty() {
            return Self::None; // a file field of a form in which nothing was chosen
        }
        match media_type(&bytes) {
            Some(media_type) => Self::Good(media_type, bytes),
            None => {
                Self::Refused("the screenshot was left out because it is no PNG, JPEG, WebP or GIF image")
            }
        }
    }
}

/// The media type of a picture.
pub(super) fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// The ending of a file of this type.
pub(super) fn extension(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => "png",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_by_their_first_bytes() {
        for (bytes, told) in [
            (b"\x89PNG\r\n\x1a\n....".as_slice(), Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a..", Some("image/gif")),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some("image/webp")),
            (b"<svg onload=alert(1)>", None),
            (b"<html>", None),
            (b"RIFF....WAVE", None),
            (b"\x89PN", None),
            (b"", None),
        ] {
            assert_eq!(media_type(bytes), told, "{bytes:?}");
        }
        assert_eq!(Picture::of(Vec::new(), true), Picture::None);
        assert!(matches!(Picture::of(vec![1], true), Picture::Refused(_)));
        assert!(matches!(Picture::of(b"GIF89a".to_vec(), false), Picture::Refused(_)));
    }
}
