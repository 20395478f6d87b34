//! Chart archives: gzipped tarballs with one directory at the top.
//!
//! The checks are Helm's: no path may be absolute or leave the chart, and the files together may not be larger than the limit, which
//! is counted while they are unpacked. Source: Helm 4.3 `pkg/chart/loader/archive/archive.go`.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use crate::golang::{path, strconv};

use super::inflate::{CORRUPT, Careful, Quick};
use super::limits::{MAX_CHART_SIZE, MAX_FILES, MAX_NESTED_SIZE};

use super::contents::{Contents, Packed, Shared, can_wait};
use super::{File, tarball};

/// Why an archive was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArchiveError(pub String);

/// What Go says of bytes that are not gzip.
pub const NOT_GZIP: &str = "gzip: invalid header";

fn refuse<T>(text: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError(text.into()))
}

fn too_large<T>() -> Result<T, ArchiveError> {
    refuse(format!("decompressed chart is larger than the maximum size {MAX_CHART_SIZE}"))
}

/// Unpacks an archive into memory. Paths lose their first element.
pub fn read(bytes: &[u8]) -> Result<Vec<File>, ArchiveError> {
    read_limited(bytes, MAX_CHART_SIZE, &mut |_| {})
}

/// [`read`] for who only renders: what rendering does not ask for by itself stays packed. Each file is shown when it is there.
pub(super) fn read_to_render(bytes: &Shared, seen: &mut dyn FnMut(&File)) -> Result<Vec<File>, ArchiveError> {
    read_with((**bytes).as_ref(), MAX_CHART_SIZE, &Unpack::ToRender(Packed::new(bytes)), seen)
}

/// What [`read_to_render`] left packed, in its place among the files; the others are empty.
pub(super) fn read_late(bytes: &[u8]) -> Result<Vec<File>, ArchiveError> {
    read_with(bytes, MAX_CHART_SIZE, &Unpack::Late, &mut |_| {})
}

/// Which files are unpacked.
enum Unpack {
    All,
    /// All but those that can wait.
    ToRender(Arc<Packed>),
    /// Those that could wait.
    Late,
}

/// [`read`] with another limit than Helm's, in bytes; each file is shown when it is there.
pub(super) fn read_limited(bytes: &[u8], limit: u64, seen: &mut dyn FnMut(&File)) -> Result<Vec<File>, ArchiveError> {
    read_with(bytes, limit, &Unpack::All, seen)
}

fn read_with(
    bytes: &[u8],
    limit: u64,
    unpack: &Unpack,
    seen: &mut dyn FnMut(&File),
) -> Result<Vec<File>, ArchiveError> {
    let header = gzip_header(bytes).map_err(|e| ArchiveError(e.into()))?;
    let plain;
    let bytes = if header.reserved {
        // Go does not look at these flags; the inflaters refuse them.
        plain = [PLAIN_HEADER, bytes.get(header.len..).unwrap_or_default()].concat();
        &plain
    } else {
        bytes
    };
    let mut quick = Quick::new(bytes);
    let found = read_tar(&mut quick, limit, unpack, seen);
    if !quick.failed() {
        return found;
    }
    let usual = BufReader::with_capacity(PIECE, flate2::bufread::MultiGzDecoder::new(bytes));
    let found = read_tar(usual, limit, unpack, &mut |_| {});
    if found.as_ref().is_err_and(|e| e.0 == CORRUPT) {
        // What comes before the mistake is read before it is met.
        return read_tar(BufReader::with_capacity(PIECE, Careful::new(bytes)), limit, unpack, &mut |_| {});
    }
    found
}

fn read_tar(
    inflated: impl BufRead,
    limit: u64,
    unpack: &Unpack,
    seen: &mut dyn FnMut(&File),
) -> Result<Vec<File>, ArchiveError> {
    let inflated = Bounded { inner: inflated, left: MAX_NESTED_SIZE };
    let mut tar = tarball::Reader::new(inflated);
    let mut files = Vec::new();
    let mut remaining = limit;
    while let Some(header) = tar.next_entry().map_err(io_text)? {
        if header.is_dir() || matches!(header.kind, b'g' | b'x') {
            continue;
        }
        let name = chart_path(&header.name)?;
        if header.size > remaining || files.len() >= MAX_FILES {
            return too_large();
        }
        let (data, len) = match unpack {
            Unpack::ToRender(packed) if can_wait(&name) => {
                (Contents::packed(packed.clone(), files.len()), tar.skip().map_err(io_text)?)
            }
            Unpack::Late if !can_wait(&name) => (Contents::default(), tar.skip().map_err(io_text)?),
            _ => {
                let data = read_file(&mut tar, header.size, remaining).map_err(io_text)?;
                let len = data.len() as u64;
                (data.strip_prefix(b"\xef\xbb\xbf").map(Arc::from).unwrap_or(data).into(), len)
            }
        };
        remaining = remaining.saturating_sub(len);
        if len < header.size || remaining == 0 {
            return too_large();
        }
        let (secs, nanos) = header.modified;
        let file = File { name, data, modified: jiff::Timestamp::new(secs, nanos).ok() };
        seen(&file);
        files.push(file);
    }
    if files.is_empty() {
        return refuse("no files in chart archive");
    }
    Ok(files)
}

/// How much is inflated at a time where it is not done quickly.
const PIECE: usize = 64 << 10;

/// A header that promises more is not believed before the bytes are there.
const BELIEVED: u64 = 1 << 20;

/// The bytes of an entry, put right where they stay.
fn read_file(tar: &mut impl BufRead, size: u64, most: u64) -> io::Result<Arc<[u8]>> {
    let len = usize::try_from(size).unwrap_or(usize::MAX);
    // Most lie in one piece.
    if let Some(whole) = tar.fill_buf()?.get(..len) {
        let data = whole.into();
        tar.consume(len);
        return Ok(data);
    }
    if size > BELIEVED {
        let mut data = Vec::with_capacity(BELIEVED as usize);
        tar.take(most).read_to_end(&mut data)?;
        return Ok(data.into());
    }
    let mut data: Arc<[u8]> = std::iter::repeat_n(0, len).collect();
    let mut filled = 0;
    // Nobody else has it yet, so there always is a way in.
    while let Some(rest) = Arc::get_mut(&mut data).and_then(|d| d.get_mut(filled..)).filter(|rest| !rest.is_empty()) {
        match tar.read(rest) {
            // An entry of a kind that has no bytes.
            Ok(0) => return Ok(data[..filled].into()),
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(data)
}

/// A stream that may not be longer than a bound: what an archive skips is unpacked too, and takes its time.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.inner.fill_buf()?;
        if bytes.len() as u64 > self.left {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount as u64);
        self.inner.consume(amount);
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

/// A header that says nothing.
const PLAIN_HEADER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";

/// What a gzip header is like.
struct GzipHeader {
    len: usize,
    /// Flags are set that mean nothing yet.
    reserved: bool,
}

/// Go's `gzip.Reader` over the header, for its words: a truncated one is no invalid one.
fn gzip_header(bytes: &[u8]) -> Result<GzipHeader, &'static str> {
    const SHORT: &str = "unexpected EOF";
    const MAX_NAME: usize = 512;
    if bytes.is_empty() {
        return Err("EOF");
    }
    let (head, mut rest) = bytes.split_at_checked(10).ok_or(SHORT)?;
    if !head.starts_with(b"\x1f\x8b\x08") {
        return Err(NOT_GZIP);
    }
    let flags = head[3];
    if flags & 4 != 0 {
        let (size, extra) = rest.split_at_checked(2).ok_or(SHORT)?;
        rest = extra.get(usize::from(u16::from_le_bytes([size[0], size[1]]))..).ok_or(SHORT)?;
    }
    // The file's name, then a comment.
    for _ in 0..(flags >> 3 & 1) + (flags >> 4 & 1) {
        let end = rest.iter().take(MAX_NAME).position(|b| *b == 0);
        rest = match end {
            Some(end) => &rest[end + 1..],
            None if rest.len() < MAX_NAME => return Err(SHORT),
            None => return Err(NOT_GZIP),
        };
    }
    if flags & 2 != 0 {
        let (sum, behind) = rest.split_first_chunk().ok_or(SHORT)?;
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[..bytes.len() - rest.len()]);
        if crc.sum() as u16 != u16::from_le_bytes(*sum) {
            return Err(NOT_GZIP);
        }
        rest = behind;
    }
    Ok(GzipHeader { len: bytes.len() - rest.len(), reserved: flags & 0xe0 != 0 })
}

fn io_text(e: io::Error) -> ArchiveError {
    ArchiveError(match e.kind() {
        io::ErrorKind::UnexpectedEof => "unexpected EOF".into(),
        io::ErrorKind::FileTooLarge => {
            format!("decompressed chart is larger than the maximum size {MAX_CHART_SIZE}")
        }
        // Our own tar errors carry Go's words; what the inflater says means what Go calls a corrupt input.
        _ => {
            let text = e.to_string();
            if text.starts_with("archive/tar") || text.starts_with(CORRUPT) {
                text
            } else if text.contains("checksum") {
                "gzip: invalid checksum".into()
            } else if text.contains("gzip header") {
                NOT_GZIP.into()
            } else {
                CORRUPT.into()
            }
        }
    })
}

/// The path within the chart of a path in the archive.
fn chart_path(full: &[u8]) -> Result<String, ArchiveError> {
    let delimiter = if full.contains(&b'\\') { b'\\' } else { b'/' };
    let (first, rest) =
        full.iter().position(|b| *b == delimiter).map_or((full, &[][..]), |i| (&full[..i], &full[i + 1..]));
    let normal: Vec<u8> = rest.iter().map(|b| if *b == delimiter { b'/' } else { *b }).collect();
    if normal.starts_with(b"/") {
        return refuse("chart illegally contains absolute paths");
    }
    let clean = path::clean(&normal);
    if clean == b"." {
        let quoted = strconv::quote(full);
        return refuse(format!("chart illegally contains content outside the base directory: {quoted}"));
    }
    if clean.starts_with(b"..") {
        return refuse("chart illegally references parent directory");
    }
    if matches!(*clean, [drive, b':', b'/', ..] if drive.is_ascii_alphabetic()) {
        return refuse("chart contains illegally named files");
    }
    if first == b"Chart.yaml" {
        return refuse("chart yaml not in base directory");
    }
    Ok(String::from_utf8_lossy(&clean).into_owned())
}

/// Says in Helm's words what a file is that should have been an archive.
///
/// # Errors
/// `file 'x' does not appear to be a gzipped archive; got 'text/plain; charset=utf-8'` and the like.
pub fn ensure(name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    let mut head = [0; 512];
    let n = bytes.len().min(512);
    head[..n].copy_from_slice(&bytes[..n]);
    if head.starts_with(b"\x1f\x8b\x08") {
        return Ok(());
    }
    if name.ends_with(".yml") || name.ends_with(".yaml") {
        return refuse(format!("file '{name}' seems to be a YAML file, but expected a gzipped archive"));
    }
    let got = super::sniff::content_type(&head);
    refuse(format!("file '{name}' does not appear to be a gzipped archive; got '{got}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    }

    /// An archive with one-byte files of these names, put there without any check.
    fn archive(names: &[&str]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for name in names {
            let mut h = tar::Header::new_ustar();
            h.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            h.set_size(1);
            h.set_mode(0o644);
            h.set_mtime(1_700_000_000);
            h.set_cksum();
            tar.append(&h, &b"x"[..]).unwrap();
        }
        gzip(&tar.into_inner().unwrap())
    }

    #[test]
    fn a_mistake_in_the_deflate_stream_is_where_go_says() {
        // What helm 4.3.1 says of these as a subchart's archive.
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        let text = |stream: &[u8]| read(&[&header[..], stream].concat()).unwrap_err().0;
        assert_eq!(text(&[7]), "flate: corrupt input before offset 1");
        assert_eq!(text(b"\x01\x05\0\0\0hello"), "flate: corrupt input before offset 5");
        // An entry is read whole before the mistake behind it is met: what is wrong with it comes first.
        let mut tar = vec![b'x'; 512];
        tar.extend([0; 512]);
        let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
        let mut stream = vec![0; 2048];
        deflate.compress(&tar, &mut stream, flate2::FlushCompress::Full).unwrap();
        stream.truncate(usize::try_from(deflate.total_out()).unwrap());
        stream.push(7);
        assert_eq!(text(&stream), "archive/tar: invalid tar header");
    }

    #[test]
    fn headers_are_read_as_go_reads_them() {
        let packed = archive(&["c/Chart.yaml"]);
        let with = |flags: u8, fields: &[u8], sum: Option<u16>| {
            let mut head = packed[..10].to_vec();
            head[3] = flags;
            head.extend(fields);
            let mut crc = flate2::Crc::new();
            crc.update(&head);
            if flags & 2 != 0 {
                head.extend(sum.unwrap_or(crc.sum() as u16).to_le_bytes());
            }
            read(&[&head[..], &packed[10..]].concat()).map(|files| files.len()).map_err(|e| e.0)
        };
        let wrong = Err(NOT_GZIP.to_owned());
        assert_eq!(with(0, b"", None), Ok(1));
        assert_eq!(with(4 | 8 | 16, b"\x02\0xyname\0comment\0", None), Ok(1));
        assert_eq!(with(2 | 8, b"name\0", None), Ok(1));
        assert_eq!(with(2 | 8, b"name\0", Some(7)), wrong);
        assert_eq!(with(2, b"", Some(7)), wrong);
        // Flags that mean nothing.
        for flags in [0x20, 0x40, 0x80, 0xe0 | 8 | 2] {
            let name: &[u8] = if flags & 8 == 0 { b"" } else { b"name\0" };
            assert_eq!(with(flags, name, None), Ok(1), "{flags:#x}");
        }
        assert_eq!(with(8, &[b'n'; 600], None), wrong);
    }

    #[test]
    fn paths_must_stay_in_the_chart() {
        for (name, want) in [
            ("c/Chart.yaml", Ok("Chart.yaml")),
            ("c/./a//b.yaml", Ok("a/b.yaml")),
            ("c\\templates\\x.yaml", Ok("templates/x.yaml")),
            ("c//etc/passwd", Err("chart illegally contains absolute paths")),
            ("c/../x", Err("chart illegally references parent directory")),
            ("c/..x", Err("chart illegally references parent directory")),
            ("c/C:/x", Err("chart contains illegally named files")),
            ("Chart.yaml/x", Err("chart yaml not in base directory")),
            ("x", Err("chart illegally contains content outside the base directory: \"x\"")),
            ("c/a/..", Err("chart illegally contains content outside the base directory: \"c/a/..\"")),
        ] {
            let got = read(&archive(&[name])).map(|f| f[0].name.clone()).map_err(|e| e.0);
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{name}");
        }
    }

    #[test]
    fn long_names_and_times_are_read() {
        let long = format!("c/templates/{}.yaml", "long".repeat(60));
        let mut tar = tar::Builder::new(Vec::new());
        let mut h = tar::Header::new_gnu();
        h.set_size(1);
        h.set_mtime(1_700_000_000);
        tar.append_data(&mut h, &long, &b"x"[..]).unwrap();
        let record = |k: &str, v: &str| {
            let rest = format!(" {k}={v}\n");
            let n = (1..).find(|n| n.to_string().len() + rest.len() == *n).unwrap();
            format!("{n}{rest}")
        };
        let pax = record("path", &long.replace("long", "paxx")) + &record("mtime", "1700000000.25");
        let mut h = tar::Header::new_ustar();
        h.set_entry_type(tar::EntryType::XHeader);
        h.set_size(pax.len() as u64);
        h.set_cksum();
        tar.append(&h, pax.as_bytes()).unwrap();
        let mut h = tar::Header::new_ustar();
        h.set_path("short").unwrap();
        h.set_size(3);
        h.set_cksum();
        tar.append(&h, &b"pax"[..]).unwrap();
        let files = read(&gzip(&tar.into_inner().unwrap())).unwrap();
        assert_eq!(files[0].name, long[2..]);
        assert_eq!(files[0].modified.unwrap().as_second(), 1_700_000_000);
        assert_eq!(files[1].name, long[2..].replace("long", "paxx"));
        assert_eq!(files[1].modified.unwrap().to_string(), "2023-11-14T22:13:20.25Z");
        assert_eq!(&*files[1].data, b"pax");
    }

    #[test]
    fn bombs_are_refused_before_they_are_kept() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut h = tar::Header::new_ustar();
        h.set_path("c/big").unwrap();
        h.set_size(2000);
        h.set_cksum();
        tar.append(&h, &[0; 2000][..]).unwrap();
        let bytes = gzip(&tar.into_inner().unwrap());
        let too_large = "decompressed chart is larger than the maximum size 104857600";
        assert_eq!(read_limited(&bytes, 1999, &mut |_| {}).unwrap_err().0, too_large);
        // Helm wants a byte to be left.
        assert_eq!(read_limited(&bytes, 2000, &mut |_| {}).unwrap_err().0, too_large);
        assert!(read_limited(&bytes, 2001, &mut |_| {}).is_ok());
    }

    #[test]
    fn what_waits_in_the_archive_is_the_same_when_it_comes() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut put = |path: &str, kind: tar::EntryType, text: &[u8]| {
            let mut h = tar::Header::new_ustar();
            h.set_path(path).unwrap();
            h.set_entry_type(kind);
            h.set_size(text.len() as u64);
            h.set_cksum();
            tar.append(&h, text).unwrap();
        };
        let file = tar::EntryType::Regular;
        put("c/Chart.yaml", file, b"name: c");
        put("c/README.md", file, b"\xef\xbb\xbfread me");
        put("c/crds", tar::EntryType::Directory, b"");
        put("c/crds/a.yaml", file, &[b'x'; 3000]);
        put("c/link", tar::EntryType::Symlink, b"");
        put("c/templates/t.yaml", file, b"t");
        put("c/charts/s/LICENSE", file, b"");
        let bytes = gzip(&tar.into_inner().unwrap());
        let shared: Shared = Arc::new(bytes.clone());
        let at_once = read(&bytes).unwrap();
        let mut seen = Vec::new();
        let late = read_to_render(&shared, &mut |f| seen.push(f.name.clone())).unwrap();
        let waiting = late.iter().filter(|f| format!("{f:?}").contains("(packed)")).map(|f| f.name.as_str());
        assert_eq!(waiting.collect::<Vec<_>>(), ["README.md", "crds/a.yaml", "link", "charts/s/LICENSE"]);
        assert_eq!(seen, at_once.iter().map(|f| f.name.clone()).collect::<Vec<_>>());
        assert_eq!(late, at_once);
        assert_eq!(&*late[1].data, b"read me");
        // The bounds hold for what is passed over, too.
        for limit in [2999, 3000, 3010, 3018, 3019, 4000] {
            let packed = Packed::new(&shared);
            let names = |files: Vec<File>| files.into_iter().map(|f| f.name).collect::<Vec<_>>();
            let late = read_with(&bytes, limit, &Unpack::ToRender(packed), &mut |_| {}).map(names);
            assert_eq!(late, read_limited(&bytes, limit, &mut |_| {}).map(names), "{limit}");
        }
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        let cut = &archive(&["c/x"])[..40];
        for (bytes, want) in [
            (&b""[..], "EOF"),
            (b"abc", "unexpected EOF"),
            (b"not gzip at all", "gzip: invalid header"),
            (cut, "unexpected EOF"),
        ] {
            assert_eq!(read(bytes).unwrap_err().0, want);
        }
        assert_eq!(read(&gzip(&[])).unwrap_err().0, "no files in chart archive");
        assert_eq!(read(&gzip(&[7; 512])).unwrap_err().0, "archive/tar: invalid tar header");
        let text = "key: value\n".repeat(60);
        for (name, bytes, want) in [
            ("a.yaml", text.as_bytes(), "file 'a.yaml' seems to be a YAML file, but expected a gzipped archive"),
            ("a", text.as_bytes(), "file 'a' does not appear to be a gzipped archive; got 'text/plain; charset=utf-8'"),
            // Helm looks at the zeros behind a short text too.
            ("a", b"short", "file 'a' does not appear to be a gzipped archive; got 'application/octet-stream'"),
            ("a", b"PK\x03\x04", "file 'a' does not appear to be a gzipped archive; got 'application/zip'"),
        ] {
            assert_eq!(ensure(name, bytes).unwrap_err().0, want);
        }
    }
}
