//! Packing a chart: the same chart is always the same bytes.
//!
//! What goes in, in which order, and how Chart.yaml is written anew is Helm's (`pkg/chart/v2/util/save.go`, 4.3). Helm writes the times of the files,
//! which differ in every checkout; here all have one time, that of `SOURCE_DATE_EPOCH` or the first day of 1980.

use std::io::Write;

use flate2::{Compression, GzBuilder};

use crate::golang::path;
use crate::value::{Heap, Value};
use crate::yaml;

use super::tarball::pax;
use super::{API_VERSION_V1, API_VERSION_V2, Chart, Lock};

/// Seconds since 1970 of 1980-01-01, the first day that all archive formats know.
pub const EPOCH: u64 = 315_532_800;

/// Helm's mark in the gzip header.
const EXTRA: &[u8] = b"+aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=";

/// The archive of a chart, `NAME-VERSION.tgz`; `time` is in seconds since 1970.
///
/// # Errors
/// Helm's text: a name that is a path, a schema that is no JSON.
pub fn archive(chart: &Chart, time: u64) -> Result<Vec<u8>, String> {
    let mut tar = Tar { out: Vec::new(), time };
    contents(chart, "", &mut tar)?;
    tar.out.extend_from_slice(&[0; 1024]);
    let mut gzip =
        GzBuilder::new().extra(EXTRA).comment("Helm").operating_system(255).write(Vec::new(), Compression::default());
    gzip.write_all(&tar.out).and_then(|()| gzip.finish()).map_err(|e| e.to_string())
}

fn contents(chart: &Chart, prefix: &str, tar: &mut Tar) -> Result<(), String> {
    let name = chart.name();
    if path::base(name.as_bytes()) != name.as_bytes() {
        return Err(format!("{}: invalid chart name", crate::golang::strconv::quote(name.as_bytes())));
    }
    let base = if prefix.is_empty() { name.to_string() } else { format!("{prefix}/{name}") };
    let mut heap = Heap::new();
    let mut metadata = chart.metadata.clone();
    if metadata.api_version == API_VERSION_V1 {
        // They stand in requirements.yaml.
        metadata.dependencies.clear();
    }
    let chart_yaml = metadata.to_json(&mut heap);
    tar.file(&format!("{base}/Chart.yaml"), &yaml::marshal(&mut heap, &Value::Map(chart_yaml))?);
    if let Some(lock) = chart.lock.as_ref().filter(|_| metadata.api_version == API_VERSION_V2) {
        tar.file(&format!("{base}/Chart.lock"), &lock_file(lock)?);
    }
    for file in chart.raw.iter().filter(|f| f.name == "values.yaml") {
        tar.file(&format!("{base}/values.yaml"), &file.data);
    }
    if let Some(schema) = &chart.schema {
        if crate::value::json::decode(&mut heap, schema).is_err() {
            return Err("invalid JSON in values.schema.json".into());
        }
        tar.file(&format!("{base}/values.schema.json"), schema);
    }
    for file in chart.templates.iter().chain(&chart.files) {
        tar.file(&format!("{base}/{}", file.name), &file.data);
    }
    chart.dependencies.iter().try_for_each(|d| contents(d, &format!("{base}/charts"), tar))
}

/// Chart.lock as Helm writes it.
///
/// # Errors
/// What the YAML writer says; no lock makes it say anything.
pub fn lock_file(lock: &Lock) -> Result<Vec<u8>, String> {
    let mut heap = Heap::new();
    let dependencies = match &lock.dependencies {
        Some(list) => {
            let list = list.iter().map(|d| Value::Map(d.to_json(&mut heap))).collect();
            Value::List(heap.list_of(list))
        }
        None => Value::Nil,
    };
    let map = heap.map_of([
        ("dependencies", dependencies),
        ("digest", Value::str(&lock.digest)),
        ("generated", Value::str(if lock.generated.is_empty() { crate::golang::time::ZERO } else { &lock.generated })),
    ]);
    yaml::marshal(&mut heap, &Value::Map(map))
}

/// A tar stream of plain files.
struct Tar {
    out: Vec<u8>,
    time: u64,
}

impl Tar {
    fn file(&mut self, name: &str, data: &[u8]) {
        match split(name) {
            Some((prefix, short)) => self.header(prefix, short, b'0', data.len()),
            None => {
                // A name that ustar has no room for stands in a record before it.
                let record = pax("path", name);
                self.header("", "PaxHeaders.0/name", b'x', record.len());
                self.body(&record);
                let mut end = name.len().min(99);
                while !name.is_char_boundary(end) {
                    end -= 1;
                }
                self.header("", name.get(..end).unwrap_or_default(), b'0', data.len());
            }
        }
        self.body(data);
    }

    fn body(&mut self, data: &[u8]) {
        self.out.extend_from_slice(data);
        self.out.resize(self.out.len().next_multiple_of(512), 0);
    }

    fn header(&mut self, prefix: &str, name: &str, kind: u8, size: usize) {
        let mut h = Vec::with_capacity(512);
        let mut field = |text: &[u8], width: usize| {
            h.extend_from_slice(text);
            h.extend(std::iter::repeat_n(0, width.saturating_sub(text.len())));
        };
        field(name.as_bytes(), 100);
        field(b"0000644", 8);
        field(b"0000000", 8);
        field(b"0000000", 8);
        field(format!("{size:011o}").as_bytes(), 12);
        field(format!("{:011o}", self.time).as_bytes(), 12);
        field(b"        ", 8);
        field(&[kind], 1);
        field(b"", 100);
        field(b"ustar\x0000", 8);
        field(b"", 64);
        field(b"0000000", 8);
        field(b"0000000", 8);
        field(prefix.as_bytes(), 155);
        field(b"", 12);
        let sum: u32 = h.iter().map(|b| u32::from(*b)).sum();
        let sum = format!("{sum:06o}\0 ");
        let checksum = h.iter_mut().skip(148).zip(sum.bytes());
        checksum.for_each(|(at, b)| *at = b);
        self.out.extend_from_slice(&h);
    }
}

/// A path in ustar's two fields, if it is ASCII and fits.
fn split(name: &str) -> Option<(&str, &str)> {
    if !name.is_ascii() {
        return None;
    }
    if name.len() <= 100 {
        return Some(("", name));
    }
    let fits = |i: &usize| *i <= 155 && name.len() - i - 1 <= 100 && *i + 1 < name.len();
    let at = name.match_indices('/').map(|(i, _)| i).find(fits)?;
    Some((name.get(..at)?, name.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{File, load};

    #[test]
    fn what_is_packed_is_read_again() {
        let long = format!("templates/{}/{}.yaml", "d".repeat(120), "n".repeat(90));
        let longer = format!("files/{}ä.txt", "x".repeat(300));
        let texts = [
            ("Chart.yaml", "name: a\napiVersion: v2\nversion: 1.0.0\n# a comment\n"),
            ("values.yaml", "a: 1 # kept\n"),
            (&long, "b"),
            (&longer, "c"),
            ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 2.0.0\n"),
        ];
        let files = texts.iter().map(|(n, t)| File { name: (*n).into(), data: t.as_bytes().into(), modified: None });
        let chart = load::files(files.collect(), &mut Vec::new()).unwrap();
        let packed = archive(&chart, EPOCH).unwrap();
        assert_eq!(packed, archive(&chart, EPOCH).unwrap());
        let again = load::archive_bytes(&packed, &mut Vec::new()).unwrap();
        assert_eq!(again.metadata, chart.metadata);
        let names = |c: &Chart| c.templates.iter().chain(&c.files).map(|f| f.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&again), [long, longer]);
        assert_eq!(again.dependencies[0].name(), "sub");
        // Another reader of tar sees the same.
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&packed[..]));
        let entries: Vec<String> =
            tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(entries[..2], ["a/Chart.yaml", "a/values.yaml"]);
        assert_eq!(entries.len(), 5);
    }

    #[test]
    fn a_lock_has_a_time_as_go_writes_it() {
        for (written, want) in [
            ("", "0001-01-01T00:00:00Z"),
            ("generated: null\n", "0001-01-01T00:00:00Z"),
            ("generated: \"2020-01-01T00:00:00.10Z\"\n", "2020-01-01T00:00:00.1Z"),
            ("generated: \"2020-01-01T00:00:00+02:00\"\n", "2020-01-01T00:00:00+02:00"),
        ] {
            let file =
                |name: &str, text: &str| File { name: name.into(), data: text.as_bytes().into(), modified: None };
            let files = vec![
                file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
                file("Chart.lock", &format!("digest: x\n{written}")),
            ];
            let chart = crate::chart::load::files(files, &mut Vec::new()).unwrap();
            let text = String::from_utf8(lock_file(&chart.lock.unwrap()).unwrap()).unwrap();
            assert_eq!(text, format!("dependencies: null\ndigest: x\ngenerated: \"{want}\"\n"));
        }
        let empty = Lock { dependencies: Some(Vec::new()), ..Lock::default() };
        let text = String::from_utf8(lock_file(&empty).unwrap()).unwrap();
        assert_eq!(text, "dependencies: []\ndigest: \"\"\ngenerated: \"0001-01-01T00:00:00Z\"\n");
    }
}
