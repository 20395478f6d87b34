//! The tarball of an artifact: what Go's `archive/tar` writes for a directory, with everything that differs from machine to machine taken out.
//!
//! Entries come as a directory is walked: the root as `.`, the names of one folder in byte order, a folder's content behind it. Owners and
//! times are zero, modes are one of three. A name that ustar has no room for stands in a PAX record before its entry. So equal trees are equal
//! tar streams, the same that source-controller packs. Source: fluxcd/pkg `artifact/storage/archive.go`, Go 1.26 `archive/tar/writer.go`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use crate::chart::tarball::pax;

const BLOCK: usize = 512;
const NAME: usize = 100;
const PREFIX: usize = 155;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Executable,
    Directory,
}

impl Kind {
    const fn mode(self) -> u32 {
        match self {
            Self::File => 0o600,
            Self::Executable => 0o700,
            Self::Directory => 0o750,
        }
    }
}

/// Writes a gzipped tar.
pub struct Packer<W: Write> {
    out: GzEncoder<W>,
}

impl<W: Write> Packer<W> {
    /// Begins with the root.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(out: W) -> io::Result<Self> {
        let mut packer = Self { out: GzBuilder::new().operating_system(255).write(out, Compression::default()) };
        packer.entry(".", Kind::Directory, &[])?;
        Ok(packer)
    }

    /// Adds an entry; a directory has no data.
    ///
    /// # Errors
    /// The writer's.
    pub fn entry(&mut self, name: &str, kind: Kind, data: &[u8]) -> io::Result<()> {
        self.out.write_all(&header(name, kind, data.len()))?;
        self.body(data)
    }

    fn body(&mut self, data: &[u8]) -> io::Result<()> {
        self.out.write_all(data)?;
        let rest = data.len().next_multiple_of(BLOCK) - data.len();
        self.out.write_all(&[0; BLOCK][..rest])
    }

    /// Ends the tar and gives the writer back.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.finish()
    }
}

/// Packs files, given by path, with the folders on the way to each.
///
/// # Errors
/// The writer's.
pub fn files<'f, W: Write>(out: W, files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> io::Result<W> {
    let mut entries: BTreeMap<Vec<&str>, Option<(&str, &[u8])>> = BTreeMap::new();
    for (name, data) in files {
        let parts: Vec<&str> = name.split('/').collect();
        for depth in 1..parts.len() {
            entries.entry(parts.iter().take(depth).copied().collect()).or_default();
        }
        entries.insert(parts, Some((name, data)));
    }
    let mut packer = Packer::new(out)?;
    for (parts, file) in entries {
        match file {
            Some((name, data)) => packer.entry(name, Kind::File, data)?,
            None => packer.entry(&parts.join("/"), Kind::Directory, &[])?,
        }
    }
    packer.finish()
}

/// An entry's header, with a PAX record before it where the name needs one.
fn header(name: &str, kind: Kind, size: usize) -> Vec<u8> {
    let flag = if kind == Kind::Directory { b'5' } else { b'0' };
    let mode = format!("{:07o}", kind.mode());
    if name.is_ascii() && name.len() <= NAME {
        return block("", name, &mode, size, flag, true);
    }
    if let Some((prefix, rest)) = split(name) {
        return block(prefix, rest, &mode, size, flag, true);
    }
    let record = pax("path", name);
    let (dir, file) = name.rsplit_once('/').map_or(("", name), |(d, f)| (d, f));
    let shown = if dir.is_empty() { format!("PaxHeaders.0/{file}") } else { format!("{dir}/PaxHeaders.0/{file}") };
    let shown: String = shown.chars().filter(char::is_ascii).take(NAME).collect();
    let mut out = block("", shown.trim_end_matches('/'), "0000000", record.len(), b'x', false);
    out.extend_from_slice(&record);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
    let ascii: String = name.chars().filter(char::is_ascii).collect();
    let mut cut: String = ascii.chars().take(NAME).collect();
    if ascii.len() > NAME && cut.ends_with('/') {
        // Some readers take a name that ends so for a directory.
        cut.truncate(cut.trim_end_matches('/').len());
    }
    out.extend_from_slice(&block("", &cut, &mode, size, flag, true));
    out
}

fn block(prefix: &str, name: &str, mode: &str, size: usize, flag: u8, devices: bool) -> Vec<u8> {
    let mut h = Vec::with_capacity(BLOCK);
    let mut field = |text: &[u8], width: usize| {
        h.extend_from_slice(text);
        h.extend(std::iter::repeat_n(0, width.saturating_sub(text.len())));
    };
    let device: &[u8] = if devices { b"0000000" } else { b"" };
    field(name.as_bytes(), NAME);
    field(mode.as_bytes(), 8);
    field(b"0000000", 8);
    field(b"0000000", 8);
    field(format!("{size:011o}").as_bytes(), 12);
    field(b"00000000000", 12);
    field(b"        ", 8);
    field(&[flag], 1);
    field(b"", 100);
    field(b"ustar\x0000", 8);
    field(b"", 64);
    field(device, 8);
    field(device, 8);
    field(prefix.as_bytes(), PREFIX);
    field(b"", 12);
    let sum: u32 = h.iter().map(|b| u32::from(*b)).sum();
    let sum = format!("{sum:06o}\0 ");
    h.iter_mut().skip(148).zip(sum.bytes()).for_each(|(at, b)| *at = b);
    h
}

/// A path in ustar's two fields, at the last slash that the first has room for.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME || !name.is_ascii() {
        return None;
    }
    let at = name.get(..name.len().min(PREFIX + 1))?.rfind('/')?;
    let (prefix, rest) = (name.get(..at)?, name.get(at + 1..)?);
    (at > 0 && !rest.is_empty() && rest.len() <= NAME).then_some((prefix, rest))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::source::Digest;

    #[test]
    fn the_tar_is_gos() {
        let long = format!("{}/{}", "d".repeat(60), "f".repeat(60));
        let longer = format!("{}/x", "e".repeat(120));
        let longest = "g".repeat(130);
        let entries = [
            ("a", Kind::Directory, ""),
            ("a/b.txt", Kind::File, "hello\n"),
            ("a/run.sh", Kind::Executable, "#!/bin/sh\n"),
            (&long, Kind::File, "long"),
            (&longer, Kind::File, "longer"),
            (&longest, Kind::File, "longest"),
            ("ä/ö", Kind::File, "umlaut"),
        ];
        let mut packer = Packer::new(Vec::new()).unwrap();
        for (name, kind, data) in entries {
            packer.entry(name, kind, data.as_bytes()).unwrap();
        }
        let packed = packer.finish().unwrap();
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut tar).unwrap();
        // What Go 1.26 writes for the same headers (source-controller's modes, zero times).
        assert_eq!(Digest::of(&tar).hex(), "f8154dac898cce04f2abaccf176e7e28dc3e117a682c4e39909ac95033b2eb58");
    }

    #[test]
    fn folders_come_before_what_lies_in_them() {
        let given = [("b", "1"), ("a-b", "2"), ("a/b/c", "3"), ("a/a", "4")].map(|(n, d)| (n, d.as_bytes()));
        let packed = files(Vec::new(), given).unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&packed[..]));
        let names = tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string());
        assert_eq!(names.collect::<Vec<_>>(), [".", "a", "a/a", "a/b", "a/b/c", "a-b", "b"]);
    }
}
