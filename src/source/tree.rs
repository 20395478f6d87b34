//! Directories that were fetched: a plain tar with zero times and a fixed order, so that equal trees have equal digests.
//!
//! Files come as a directory is walked: the names of one folder in byte order, a folder's content where its name stands. A name longer than
//! the 100 bytes of the header stands in a record of its own before it, as GNU tar writes it. [`crate::chart::tree`] reads it back.

use std::collections::BTreeMap;

const BLOCK: usize = 512;

/// Packs files, their paths relative with `/`.
pub fn pack(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(files.values().map(|d| d.len() + 2 * BLOCK).sum::<usize>() + 2 * BLOCK);
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by(|a, b| a.0.split('/').cmp(b.0.split('/')));
    for (name, data) in files {
        if name.len() > 100 {
            entry("././@LongLink", b'L', name.as_bytes(), &mut out);
        }
        entry(name, b'0', data, &mut out);
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

fn entry(name: &str, kind: u8, data: &[u8], out: &mut Vec<u8>) {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (slot, byte) in header.iter_mut().skip(at).zip(bytes) {
            *slot = *byte;
        }
    };
    put(0, name.as_bytes().get(..100).unwrap_or(name.as_bytes()));
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", data.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar  \0");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    for (slot, byte) in header.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *slot = byte;
    }
    out.extend_from_slice(&header);
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let long = format!("{}/{}", "d".repeat(90), "é".repeat(90));
        let names = ["a", "b/c", &long, "t/a", "t-x"];
        let files: BTreeMap<_, _> = names.iter().map(|n| (n.to_string(), n.repeat(9).into_bytes())).collect();
        let tar = pack(&files);
        assert_eq!(tar, pack(&files));
        // As a directory is walked, not by the whole path.
        let read = crate::chart::tree::files(&tar).unwrap();
        assert_eq!(read.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), names);
        assert!(read.iter().all(|f| *f.data == files[&f.name]));
        // Another reader agrees.
        let mut other = tar::Archive::new(tar.as_slice());
        let paths: Vec<_> =
            other.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(paths, names);
    }
}
