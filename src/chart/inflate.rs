//! Inflating archives: quickly, and where that fails again, to say where the mistake is as Go's `compress/flate` does.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use sirocco::Format;
use sirocco::inflate::Decoder;

/// Go's words for a deflate stream that is none.
pub const CORRUPT: &str = "flate: corrupt input";

/// How much is inflated at a time: little enough to stay near the processor; of what was before, 32 KiB are kept.
const PIECE: usize = 128 << 10;

/// Inflates member after member, into a buffer that is read where it is. Its errors say nothing but that there was one.
pub struct Quick<'b> {
    input: &'b [u8],
    decoder: Box<Decoder>,
    buffer: Vec<u8>,
    /// What of the buffer was not read yet.
    pending: Range<usize>,
    /// The buffer is full.
    full: bool,
    /// The member has ended: another begins the buffer anew.
    ended: bool,
    failed: bool,
}

impl<'b> Quick<'b> {
    pub fn new(input: &'b [u8]) -> Self {
        let decoder = Box::new(Decoder::new(Format::Gzip));
        Self { input, decoder, buffer: vec![0; PIECE], pending: 0..0, full: false, ended: false, failed: false }
    }

    /// Whether it met something that can't be inflated.
    pub const fn failed(&self) -> bool {
        self.failed
    }
}

impl BufRead for Quick<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.pending.is_empty() && !(self.ended && self.input.is_empty()) {
            let mut end = if self.ended { 0 } else { self.pending.end };
            if self.full {
                end -= self.decoder.make_room(&mut self.buffer);
            }
            let progress = self.decoder.decompress(self.input, &mut self.buffer, true);
            let progress = progress.inspect_err(|_| self.failed = true)?;
            self.pending = end..end + progress.output.len();
            (self.full, self.ended) = (progress.full, progress.done);
            self.input = self.input.get(progress.consumed..).unwrap_or_default();
        }
        Ok(self.buffer.get(self.pending.clone()).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.pending.start = self.pending.end.min(self.pending.start + amount);
    }
}

impl Read for Quick<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buf)?;
        self.consume(read);
        Ok(read)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    }

    /// Bytes of few kinds, that come again at all distances.
    fn text(len: usize, seed: u64) -> Vec<u8> {
        let mut seed = seed;
        let mut out = Vec::new();
        while out.len() < len {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (from, count) = ((seed >> 33) as usize % (out.len() + 1), (seed >> 50) as usize % 300);
            let again: Vec<u8> = out.iter().skip(from).take(count).copied().collect();
            out.extend(again);
            out.push(b'a' + (seed >> 60) as u8);
        }
        out
    }

    #[test]
    fn both_ways_give_the_same() {
        for (lens, level) in [
            (&[0][..], 6),
            (&[1], 1),
            (&[PIECE - 1, PIECE, 0, PIECE + 1], 9),
            (&[5 * PIECE + 77, 3, 2 * PIECE], 0),
            (&[40 << 10, 700 << 10], 6),
        ] {
            let texts: Vec<Vec<u8>> = lens.iter().zip(1..).map(|(len, seed)| text(*len, seed)).collect();
            let packed: Vec<u8> = texts.iter().flat_map(|text| gzip(text, level)).collect();
            let mut quick = Quick::new(&packed);
            let mut found = Vec::new();
            quick.read_to_end(&mut found).unwrap();
            assert!(found == texts.concat() && !quick.failed(), "{lens:?}");
            // Cut off, spoilt, or with something behind it: where the usual way fails, this one does.
            let short = packed.split_last().map(|(_, rest)| rest.to_vec()).unwrap();
            let mut spoilt = packed.clone();
            let crc = spoilt.len() - 6;
            spoilt[crc] ^= 1;
            for bad in [short, spoilt, [&packed[..], b"more"].concat(), [&packed[..], &[0; 20]].concat()] {
                let usual = flate2::bufread::MultiGzDecoder::new(&bad[..]).read_to_end(&mut Vec::new());
                let mut quick = Quick::new(&bad);
                assert!(usual.is_err() && quick.read_to_end(&mut Vec::new()).is_err() && quick.failed(), "{lens:?}");
            }
        }
    }
}
