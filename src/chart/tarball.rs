//! Reads tar streams as Go's `archive/tar` does, as far as charts need it.
//!
//! Names come from ustar's prefix, from GNU's long-name entries or from PAX records; sizes may be octal, base-256 or PAX. Nothing is
//! kept in memory but one header and its extensions, which have their own bound. Source: Go 1.26 `archive/tar/{reader,strconv}.go`.

use std::io::{self, BufRead, Read};

const BLOCK: usize = 512;
/// The most that an extension header may hold, in bytes (Go's `maxSpecialFileSize`).
const MAX_EXTENSION: u64 = 1 << 20;

/// One entry's header.
#[derive(Clone, Debug, Default)]
pub struct Header {
    pub name: Vec<u8>,
    pub size: u64,
    pub mode: i64,
    pub kind: u8,
    /// Seconds and nanoseconds since 1970.
    pub modified: (i64, i32),
}

impl Header {
    /// A directory by its type or by the mode bits.
    pub const fn is_dir(&self) -> bool {
        self.kind == b'5' || self.mode & !0o7777 == 0o40000
    }
}

/// Why a stream could not be read, in Go's words.
fn header_error() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "archive/tar: invalid tar header")
}

/// The entries of a stream, one after the other.
pub struct Reader<R> {
    inner: R,
    /// What the current entry has left, and the padding behind it.
    left: u64,
    padding: u64,
}

/// What extension headers say of the entry behind them.
#[derive(Default)]
struct Extensions {
    long_name: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    size: Option<u64>,
    modified: Option<(i64, i32)>,
}

impl<R: BufRead> Reader<R> {
    pub const fn new(inner: R) -> Self {
        Self { inner, left: 0, padding: 0 }
    }

    /// The next entry, or `None` at the end. Its bytes are then read from `self`.
    pub fn next_entry(&mut self) -> io::Result<Option<Header>> {
        let mut ext = Extensions::default();
        loop {
            self.skip_rest()?;
            let Some((mut header, block)) = self.read_header()? else {
                return Ok(None);
            };
            self.set_body(header.size);
            match header.kind {
                b'x' => {
                    let records = self.read_extension()?;
                    parse_pax(&records, &mut ext)?;
                }
                b'g' => {
                    // For all entries behind it; no record that matters here is given in this way.
                    let records = self.read_extension()?;
                    parse_pax(&records, &mut Extensions::default())?;
                    return Ok(Some(Header { name: header.name, kind: b'g', ..Header::default() }));
                }
                b'L' => {
                    let text = self.read_extension()?;
                    ext.long_name = Some(c_string(&text).to_vec());
                }
                b'K' => drop(self.read_extension()?),
                b'S' => return Err(header_error()),
                _ => {
                    if let Some(name) = ext.long_name.take().or_else(|| ext.path.take()) {
                        header.name = name;
                    }
                    header.modified = ext.modified.unwrap_or(header.modified);
                    header.size = ext.size.unwrap_or(header.size);
                    // Links, devices, directories and pipes have no bytes, whatever the header says.
                    let has_bytes = !matches!(header.kind, b'1'..=b'6');
                    self.set_body(if has_bytes { header.size } else { 0 });
                    if block[156] == 0 {
                        header.kind = if header.name.ends_with(b"/") { b'5' } else { b'0' };
                    }
                    return Ok(Some(header));
                }
            }
        }
    }

    const fn set_body(&mut self, size: u64) {
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        self.skip()?;
        // A last entry without its padding is fine: the end is found when the next header is read.
        pass(&mut self.inner, self.padding)?;
        self.padding = 0;
        Ok(())
    }

    /// Passes over what the current entry has left, and says how many bytes that was.
    pub fn skip(&mut self) -> io::Result<u64> {
        let body = std::mem::take(&mut self.left);
        if pass(&mut self.inner, body)? < body {
            return Err(unexpected_eof());
        }
        Ok(body)
    }

    /// A block, or `None` at the end of the stream.
    fn read_block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(unexpected_eof()),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Some(block))
    }

    fn read_header(&mut self) -> io::Result<Option<(Header, [u8; BLOCK])>> {
        let Some(block) = self.read_block()? else {
            return Ok(None);
        };
        if block == [0; BLOCK] {
            return match self.read_block()? {
                None => Ok(None),
                Some(b) if b == [0; BLOCK] => Ok(None),
                Some(_) => Err(header_error()),
            };
        }
        if !checksum_fits(&block) {
            return Err(header_error());
        }
        let mut name = c_string(&block[..100]).to_vec();
        let prefix = prefix(&block)?;
        // Owners and device numbers are of no use here, but have to be numbers.
        numeric(&block[108..116])?;
        numeric(&block[116..124])?;
        if !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        let size = u64::try_from(numeric(&block[124..136])?).map_err(|_| header_error())?;
        let header = Header {
            name,
            size,
            mode: numeric(&block[100..108])?,
            kind: block[156],
            modified: (numeric(&block[136..148])?, 0),
        };
        Ok(Some((header, block)))
    }

    fn read_extension(&mut self) -> io::Result<Vec<u8>> {
        let size = self.left;
        if size > MAX_EXTENSION {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "archive/tar: header field too long"));
        }
        let mut text = Vec::new();
        self.read_to_end(&mut text)?;
        if (text.len() as u64) < size {
            return Err(unexpected_eof());
        }
        Ok(text)
    }
}

impl<R: BufRead> BufRead for Reader<R> {
    /// What of the current entry is there.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let here = self.inner.fill_buf()?;
        if here.is_empty() {
            return Err(unexpected_eof());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(here.get(..most).unwrap_or(here))
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount as u64);
        self.inner.consume(amount);
    }
}

impl<R: BufRead> Read for Reader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

/// Passes over so many bytes, or those that there are: nothing is copied.
fn pass(from: &mut impl BufRead, most: u64) -> io::Result<u64> {
    let mut left = most;
    while left > 0 {
        let here = match from.fill_buf() {
            Ok(bytes) => bytes.len(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let n = here.min(usize::try_from(left).unwrap_or(usize::MAX));
        if n == 0 {
            break;
        }
        from.consume(n);
        left -= n as u64;
    }
    Ok(most - left)
}

pub fn unexpected_eof() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF")
}

/// What stands before the name, by the dialect that the magic tells.
fn prefix(block: &[u8; BLOCK]) -> io::Result<&[u8]> {
    let is_gnu = &block[257..265] == b"ustar  \0";
    if !is_gnu && &block[257..263] != b"ustar\0" {
        return Ok(&[]);
    }
    numeric(&block[329..337])?;
    numeric(&block[337..345])?;
    if !is_gnu {
        return Ok(c_string(if &block[508..512] == b"tar\0" { &block[345..476] } else { &block[345..500] }));
    }
    // GNU has times here; Go once wrote ustar's prefix into GNU headers.
    let is_time = |field: &[u8]| field[0] == 0 || numeric(field).is_ok();
    let name = c_string(&block[345..500]);
    let is_old = !(is_time(&block[345..357]) && is_time(&block[357..369]));
    Ok(if is_old && name.is_ascii() { name } else { &[] })
}

fn c_string(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

/// The sum over the block with blanks in place of itself, of unsigned or (old Sun) signed bytes.
fn checksum_fits(block: &[u8; BLOCK]) -> bool {
    let Ok(given) = numeric(&block[148..156]) else {
        return false;
    };
    let bytes = || block.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { b' ' } else { *b });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|b| i64::from(b as i8)).sum();
    given == unsigned || given == signed
}

/// An octal number between blanks and NULs, or base-256 where the first bit is set.
fn numeric(field: &[u8]) -> io::Result<i64> {
    if field.first().is_some_and(|b| b & 0x80 != 0) {
        let negative = field[0] & 0x40 != 0;
        let invert = if negative { 0xff } else { 0 };
        let mut n: u64 = 0;
        for (i, b) in field.iter().enumerate() {
            let mut b = b ^ invert;
            if i == 0 {
                b &= 0x7f;
            }
            if n >> 56 != 0 {
                return Err(header_error());
            }
            n = n << 8 | u64::from(b);
        }
        let n = i64::try_from(n).map_err(|_| header_error())?;
        return Ok(if negative { !n } else { n });
    }
    let trimmed = field.trim_ascii_matches();
    let digits = c_string(trimmed);
    if trimmed.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(digits).map_err(|_| header_error())?;
    u64::from_str_radix(text, 8).ok().filter(|_| !text.starts_with('+')).map(|n| n as i64).ok_or_else(header_error)
}

trait TrimField {
    fn trim_ascii_matches(&self) -> &[u8];
}

impl TrimField for [u8] {
    /// Without blanks and NULs at both ends.
    fn trim_ascii_matches(&self) -> &[u8] {
        let blank = |b: &u8| *b == b' ' || *b == 0;
        let start = self.iter().position(|b| !blank(b)).unwrap_or(self.len());
        let end = self.iter().rposition(|b| !blank(b)).map_or(start, |i| i + 1);
        &self[start..end]
    }
}

/// A PAX record as it is written: `LENGTH key=value\n`, whose length counts itself.
pub fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n").into_bytes()
}

/// Records of the form `LENGTH KEY=VALUE\n`; an empty value takes a record back.
fn parse_pax(mut text: &[u8], ext: &mut Extensions) -> io::Result<()> {
    while !text.is_empty() {
        let space = text.iter().position(|b| *b == b' ').ok_or_else(header_error)?;
        let length = std::str::from_utf8(&text[..space]).ok().and_then(|n| n.parse::<usize>().ok());
        let length = length.filter(|n| *n > space + 1 && *n <= text.len()).ok_or_else(header_error)?;
        let (record, rest) = text.split_at(length);
        text = rest;
        let record = record[space + 1..].strip_suffix(b"\n").ok_or_else(header_error)?;
        let eq = record.iter().position(|b| *b == b'=').ok_or_else(header_error)?;
        let (key, value) = (&record[..eq], &record[eq + 1..]);
        let number = || std::str::from_utf8(value).ok();
        match key {
            b"" => return Err(header_error()),
            b"path" | b"linkpath" | b"uname" | b"gname" if value.contains(&0) => return Err(header_error()),
            b"path" => ext.path = Some(value.to_vec()).filter(|v| !v.is_empty()),
            b"size" if value.is_empty() => ext.size = None,
            b"size" => ext.size = Some(number().and_then(|n| n.parse().ok()).ok_or_else(header_error)?),
            b"mtime" if value.is_empty() => ext.modified = None,
            b"mtime" => ext.modified = Some(number().and_then(pax_time).ok_or_else(header_error)?),
            b"linkpath" | b"uname" | b"gname" => {}
            _ if key.contains(&0) => return Err(header_error()),
            _ => {}
        }
    }
    Ok(())
}

/// `seconds.fraction`.
fn pax_time(text: &str) -> Option<(i64, i32)> {
    let (secs, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos: i32 = nanos.parse().ok()?;
    Some((secs.parse().ok()?, if secs.starts_with('-') { -nanos } else { nanos }))
}
