//! Archives that can't be inflated: where the mistake is, as Go's `compress/flate` says it.

use std::io::{self, Read};

/// Go's words for a deflate stream that is none.
pub const CORRUPT: &str = "flate: corrupt input";

/// Inflates up to a mistake, and then says where it is: the usual way gives nothing of the piece that has it, and does not count.
pub struct Careful<'b> {
    /// From the member that is read.
    rest: &'b [u8],
    /// The deflate stream of the member, once its header is past.
    member: Option<(&'b [u8], flate2::Decompress)>,
    corrupt: bool,
}

impl<'b> Careful<'b> {
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, member: None, corrupt: false }
    }

    /// The next member's stream; `None` where there is none.
    fn begin(&mut self) -> Option<()> {
        let member = flate2::bufread::GzDecoder::new(self.rest);
        member.header()?;
        let stream = self.rest.get(self.rest.len() - member.into_inner().len()..)?;
        self.member = Some((stream, flate2::Decompress::new(false)));
        Some(())
    }
}

impl Read for Careful<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.member.is_none() && self.begin().is_none() {
                return Ok(0);
            }
            let Some((stream, inflate)) = &mut self.member else { return Ok(0) };
            let read = |inflate: &flate2::Decompress| usize::try_from(inflate.total_in()).unwrap_or(usize::MAX);
            let (given, made) = (read(inflate), inflate.total_out());
            if self.corrupt {
                return Err(io::Error::other(format!("{CORRUPT} before offset {given}")));
            }
            let input = stream.get(given..).unwrap_or_default();
            let status = inflate.decompress(input, buf, flate2::FlushDecompress::None);
            let new = usize::try_from(inflate.total_out() - made).unwrap_or_default();
            let stalled = new == 0 && read(inflate) == given;
            match status {
                Err(_) => self.corrupt = true,
                Ok(flate2::Status::StreamEnd) => {
                    // Behind the checksum and the length.
                    self.rest = stream.get(read(inflate) + 8..).unwrap_or_default();
                    self.member = None;
                }
                Ok(_) if stalled => return Ok(0),
                Ok(_) => {}
            }
            if new > 0 {
                return Ok(new);
            }
        }
    }
}
