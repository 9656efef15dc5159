//! The files that a message names: the content by its hash, and how each file is shown.
//!
//! A file that breaks a limit counts for nothing, and the message is shown without it.

use minicbor::bytes::ByteVec;
use minicbor::data::Type;
use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

use super::media_type::is_media_type;
use super::picture::is_preview;
use crate::proto::ids::Hash;
use crate::proto::limits::{FILE_BYTES_MAX, FILES_PER_MESSAGE_MAX, PICTURE_SIDE_MAX};
use crate::proto::names::file_name::clean_file_name;

/// A file that a message names.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Attachment {
    /// BLAKE3 of the content.
    #[n(0)]
    pub content: Hash,
    /// The name of the file, cleaned by [`clean_file_name`].
    #[n(1)]
    pub name: String,
    /// The size in bytes.
    #[n(2)]
    pub size: u64,
    /// The media type that the sender's node derived from the name.
    #[n(3)]
    pub media_type: String,
    /// The width of a picture in pixels.
    #[n(4)]
    pub width: Option<u32>,
    /// The height of a picture in pixels.
    #[n(5)]
    pub height: Option<u32>,
    /// A tiny WebP or JPEG of a picture.
    #[n(6)]
    pub preview: Option<ByteVec>,
}

impl Attachment {
    /// Returns the file within its limits; none if it cannot be shown at all. A claim about a
    /// picture that cannot be true is dropped alone.
    pub fn checked(mut self) -> Option<Self> {
        if self.size > FILE_BYTES_MAX || !is_media_type(&self.media_type) {
            return None;
        }
        self.name = clean_file_name(&self.name);
        let is_side = |side: Option<u32>| side.is_some_and(|side| (1..=PICTURE_SIDE_MAX).contains(&side));
        if !is_side(self.width) || !is_side(self.height) {
            (self.width, self.height) = (None, None);
        }
        self.preview = self.preview.filter(|bytes| is_preview(bytes));
        Some(self)
    }
}

/// The files of a message, at most [`FILES_PER_MESSAGE_MAX`]. An empty list takes no bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachments(pub Vec<Attachment>);

impl<C> Encode<C> for Attachments {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        self.0.iter().try_for_each(|file| file.encode(e, ctx))
    }

    fn is_nil(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for Attachments {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let announced = d.array()?;
        let mut files = Vec::new();
        let mut read = 0;
        while announced.map_or_else(|| d.datatype().map(|kind| kind != Type::Break), |all| Ok(read < all))? {
            let start = d.position();
            d.skip()?;
            // Further ones are passed over, so that a newer program may allow more.
            if files.len() < FILES_PER_MESSAGE_MAX {
                let mut one = Decoder::new(&d.input()[start..d.position()]);
                files.extend(Attachment::decode(&mut one, ctx).ok().and_then(Attachment::checked));
            }
            read += 1;
        }
        if announced.is_none() {
            d.skip()?;
        }
        Ok(Self(files))
    }

    fn nil() -> Option<Self> {
        Some(Self::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size: u64) -> Attachment {
        let media_type = "text/plain".to_owned();
        let (name, content) = (name.to_owned(), Hash([7; 32]));
        Attachment { content, name, size, media_type, width: None, height: None, preview: None }
    }

    fn read(files: Vec<Attachment>) -> Vec<Attachment> {
        let bytes = minicbor::to_vec(Attachments(files)).expect("a Vec takes everything");
        minicbor::decode::<Attachments>(&bytes).expect("a list").0
    }

    #[test]
    fn empty_and_largest_files_are_read() {
        let files = vec![file("a.txt", 0), file("b.txt", FILE_BYTES_MAX)];
        assert_eq!(read(files.clone()), files);
    }

    #[test]
    fn files_beyond_a_limit_are_left_out() {
        let odd = Attachment { media_type: "text/html\r\nx: y".to_owned(), ..file("c", 1) };
        assert_eq!(read(vec![file("a", 1 << 63), file("a", u64::MAX), odd, file("b", 1)]), [file("b", 1)]);
        let many = vec![file("a", 1); FILES_PER_MESSAGE_MAX + 5];
        assert_eq!(read(many).len(), FILES_PER_MESSAGE_MAX);
    }

    #[test]
    fn names_and_claims_are_cleaned() {
        let preview = Some(b"<script>".to_vec().into());
        let hostile = Attachment { width: Some(0), height: Some(5), preview, ..file("../../x\n", 1) };
        assert_eq!(read(vec![hostile]), [file("x", 1)]);
    }

    #[test]
    fn malformed_file_leaves_the_others() {
        let good = minicbor::to_vec(file("a", 1)).expect("a Vec takes everything");
        // An open list of a number, a file, and a map that lacks fields.
        let bytes = [&[0x9f, 0x07], &good[..], &[0xa1, 0x01, 0x61, b'x', 0xff]].concat();
        assert_eq!(minicbor::decode::<Attachments>(&bytes).expect("a list").0, [file("a", 1)]);
    }
}
