//! An index of packaged charts, as `helm repo index` writes it.
//!
//! Every `*.tgz` of a directory, and of the directories in it, becomes an entry with the address that it will have; the entries of an index
//! that is there already are kept where no archive has their version. Source: Helm 4.3 `pkg/repo/v1/index.go`, `pkg/cmd/repo_index.go`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::chart::{self, Metadata, Nulls, load};
use crate::golang::json::escape_string;
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::golang::time::{Location, RFC3339_NANO, parse_in_location};
use crate::golang::url::Url;
use crate::golang::{path, strconv};
use crate::source::Digest;
use crate::source::oci::manifest;
use crate::value::{Heap, Value, json};
use crate::yaml;

use super::Ordered;

/// An entry's texts that stand behind its other fields, in the order of Helm's struct. All but the first are of older formats, and kept.
const TEXTS: [&str; 5] = ["digest", "checksum", "engine", "tillerVersion", "url"];
/// What else an entry has beside the fields of Chart.yaml, and what an index has.
const FIELDS: [&str; 3] = ["urls", "created", "removed"];
const TOP: [&str; 6] = ["serverInfo", "apiVersion", "generated", "entries", "publicKeys", "annotations"];

/// Go's zero time.
const NO_TIME: &str = crate::golang::time::ZERO;

/// The index of a chart repository.
#[derive(Debug, Default)]
pub struct Index {
    entries: BTreeMap<String, Vec<Entry>>,
}

/// One version of a chart.
#[derive(Debug)]
struct Entry {
    metadata: Metadata,
    /// `None`: not given, which is written as null.
    urls: Option<Vec<String>>,
    created: String,
    removed: bool,
    texts: [String; 5],
}

/// What was left out, and why.
#[derive(Debug)]
pub struct Left {
    pub what: String,
    pub reason: String,
}

impl Index {
    /// The packaged charts of a directory and of those in it. `base` is the address that the directory will have; without one, entries name
    /// their files. `now` is an RFC 3339 time. Archives that are no charts are left out and told.
    ///
    /// # Errors
    /// The directory or an archive can't be read; a chart that Helm refuses.
    pub fn of_directory(dir: &Path, base: &str, now: &str, left: &mut Vec<Left>) -> Result<Self, String> {
        let mut index = Self::default();
        for archive in archives(dir)? {
            let inside = archive.strip_prefix(dir).unwrap_or(&archive);
            let file = inside.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let parent = inside.parent().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
            let bytes = std::fs::read(&archive).map_err(|e| format!("{}: {e}", archive.display()))?;
            let chart = match load::archive_bytes(&bytes, &mut Vec::new()) {
                Ok(chart) => chart,
                Err(e) => {
                    left.push(Left { what: archive.display().to_string(), reason: e.to_string() });
                    continue;
                }
            };
            let address = join(base, &parent);
            let url = if address.is_empty() { file.clone() } else { join(&address, &file) };
            let mut metadata = chart.metadata;
            let refused = |e: String| format!("failed adding to {file} to index: validate failed for {file}: {e}");
            if metadata.api_version.is_empty() {
                metadata.api_version = chart::API_VERSION_V1.into();
            }
            metadata.validate(Nulls::default()).map_err(refused)?;
            let digest = Digest::of(&bytes).hex().to_owned();
            index.add(Entry {
                metadata,
                urls: Some(vec![url]),
                created: now.to_owned(),
                removed: false,
                texts: [digest, String::new(), String::new(), String::new(), String::new()],
            });
        }
        Ok(index)
    }

    fn add(&mut self, entry: Entry) {
        self.entries.entry(entry.metadata.name.clone()).or_default().push(entry);
    }

    /// Whether Helm finds this version here, be it as a range.
    fn has(&self, name: &str, version: &str) -> bool {
        let Some(entries) = self.entries.get(name) else { return false };
        let Ok(range) = Constraint::new(version) else { return false };
        let fits = |e: &Entry| Version::new(&e.metadata.version).is_ok_and(|v| range.check(&v));
        entries.iter().any(|e| e.metadata.version == version || fits(e))
    }

    /// Takes over the entries of an index whose versions are not here. Entries that Helm does not accept are left out and told.
    ///
    /// # Errors
    /// Helm's words for an index that is none.
    pub fn merge(&mut self, text: &[u8], left: &mut Vec<Left>) -> Result<(), String> {
        if text.is_empty() {
            return Err("empty index.yaml file".into());
        }
        let mut heap = Heap::new();
        let top = yaml::to_map(&mut heap, text)?;
        // Helm reads JSON less strictly.
        let strict = serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err();
        known(&heap, top, strict, &[&TOP])?;
        if !matches!(heap.map(top).get("apiVersion"), Some(Value::Str(s)) if !s.is_empty()) {
            return Err("no API version specified".into());
        }
        let charts: Vec<(String, Value)> = match heap.map(top).get("entries") {
            Some(Value::Map(id)) => {
                let all = heap.map(*id).iter();
                all.map(|(k, v)| (String::from_utf8_lossy(k.as_ref()).into_owned(), v.clone())).collect()
            }
            None | Some(Value::Nil) => Vec::new(),
            Some(_) => return Err("entries is no mapping of charts".into()),
        };
        let mut found = Vec::new();
        for (name, versions) in charts {
            let items = match versions {
                Value::List(list) => heap.list(list).items.to_vec(),
                Value::Nil => continue,
                _ => return Err(format!("the entry of {name} is no list of versions")),
            };
            for item in items {
                match read(&mut heap, &item, strict)? {
                    Ok(entry) => found.push(entry),
                    Err(reason) => left.push(Left { what: format!("an entry of {name}"), reason }),
                }
            }
        }
        // As Helm sorts an index that it reads: of versions that are the same to it, one is taken.
        for entry in sorted(found) {
            if !self.has(&entry.metadata.name, &entry.metadata.version) {
                self.add(entry);
            }
        }
        Ok(())
    }

    /// The index as JSON on one line, its fields in the order of Helm's structs.
    pub fn to_json(&self, now: &str) -> Vec<u8> {
        let mut out = b"{\"apiVersion\":\"v1\",\"generated\":".to_vec();
        escape_string(now.as_bytes(), true, &mut out);
        out.extend_from_slice(b",\"entries\":{");
        for (i, (name, entries)) in self.entries.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            escape_string(name.as_bytes(), true, &mut out);
            out.extend_from_slice(b":[");
            let mut entries: Vec<&Entry> = entries.iter().collect();
            entries.sort_by_cached_key(|e| rank(e));
            for (i, entry) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                entry.write(&mut out);
            }
            out.push(b']');
        }
        out.extend_from_slice(b"}}");
        out
    }
}

impl Entry {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(manifest::config(&self.metadata));
        // Name and version are there, so a comma may follow.
        out.pop();
        out.extend_from_slice(b",\"urls\":");
        match &self.urls {
            None => out.extend_from_slice(b"null"),
            Some(urls) => {
                out.push(b'[');
                for (i, url) in urls.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    escape_string(url.as_bytes(), true, out);
                }
                out.push(b']');
            }
        }
        out.extend_from_slice(b",\"created\":");
        escape_string(self.created.as_bytes(), true, out);
        if self.removed {
            out.extend_from_slice(b",\"removed\":true");
        }
        for (field, text) in TEXTS.iter().zip(&self.texts).filter(|(_, text)| !text.is_empty()) {
            out.push(b',');
            escape_string(field.as_bytes(), true, out);
            out.push(b':');
            escape_string(text.as_bytes(), true, out);
        }
        out.push(b'}');
    }
}

/// The highest first; equal ones stay as they stood.
fn rank(entry: &Entry) -> std::cmp::Reverse<Option<Ordered>> {
    std::cmp::Reverse(Version::new(&entry.metadata.version).ok().map(Ordered))
}

fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_cached_key(rank);
    entries
}

/// An entry of an index; the inner error says why Helm leaves it out.
fn read(heap: &mut Heap, item: &Value, strict: bool) -> Result<Result<Entry, String>, String> {
    let id = match item {
        Value::Map(id) => *id,
        Value::Nil => return Ok(Err("it is empty".into())),
        _ => return Err("an entry is no mapping".into()),
    };
    known(heap, id, strict, &[chart::METADATA_FIELDS, &FIELDS, &TEXTS])?;
    let text = json::encode(heap, item, false, None)?;
    let metadata = match chart::index_metadata(&text) {
        Ok(metadata) => metadata,
        Err(reason) => return Ok(Err(reason)),
    };
    let map = heap.map(id);
    let field = |name: &str| match map.get(name) {
        None | Some(Value::Nil) => Ok(String::new()),
        Some(Value::Str(s)) => Ok(String::from_utf8_lossy(s.as_ref()).into_owned()),
        Some(_) => Err(format!("{name} of {} {} is no text", metadata.name, metadata.version)),
    };
    let created = match field("created")? {
        none if none.is_empty() => NO_TIME.to_owned(),
        text => {
            let time = parse_in_location(b"2006-01-02T15:04:05Z07:00", text.as_bytes(), &Location::utc())?;
            String::from_utf8_lossy(&time.format(RFC3339_NANO)).into_owned()
        }
    };
    let urls = match map.get("urls") {
        Some(Value::List(list)) => {
            let text = |v: &Value| match v {
                Value::Str(s) => String::from_utf8_lossy(s.as_ref()).into_owned(),
                _ => String::new(),
            };
            Some(heap.list(*list).items.iter().map(text).collect())
        }
        _ => None,
    };
    let mut texts = <[String; 5]>::default();
    for (text, name) in texts.iter_mut().zip(TEXTS) {
        *text = field(name)?;
    }
    let removed = matches!(map.get("removed"), Some(Value::Bool(true)));
    Ok(Ok(Entry { metadata, urls, created, removed, texts }))
}

/// Refuses a mapping with fields that Helm does not know.
fn known(heap: &Heap, map: crate::value::MapId, strict: bool, fields: &[&[&str]]) -> Result<(), String> {
    let unknown = heap.map(map).iter().map(|(key, _)| key).find(|key| {
        // As encoding/json compares names.
        let is = |field: &&str| field.as_bytes().eq_ignore_ascii_case((*key).as_ref());
        !fields.iter().copied().flatten().any(is)
    });
    match unknown.filter(|_| strict) {
        None => Ok(()),
        Some(key) => {
            let key = strconv::quote(key.as_ref());
            Err(format!("error unmarshaling JSON: while decoding JSON: json: unknown field {key}"))
        }
    }
}

/// The archives of a directory, then those of the directories in it, each by name.
fn archives(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let list = |dir: &Path| -> Result<Vec<PathBuf>, String> {
        let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
        let entries = std::fs::read_dir(dir).map_err(failed)?;
        let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        paths.sort();
        Ok(paths)
    };
    let is_archive = |p: &PathBuf| p.to_string_lossy().ends_with(".tgz");
    // Where there is no directory there is no archive, says Helm.
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let here = list(dir)?;
    let mut found: Vec<PathBuf> = here.iter().filter(|p| is_archive(p) && p.is_file()).cloned().collect();
    for inner in here.iter().filter(|p| p.is_dir()) {
        // One that may not be read has none, as for Helm.
        found.extend(list(inner).unwrap_or_default().into_iter().filter(|p| is_archive(p) && p.is_file()));
    }
    Ok(found)
}

/// A path below an address, or below a path.
fn join(base: &str, below: &str) -> String {
    let joined = match Url::parse(base.as_bytes()) {
        Ok(mut url) => {
            url.path = path::join(&[&url.path[..], below.as_bytes()]);
            url.encoded()
        }
        Err(_) => path::join(&[base, below]),
    };
    String::from_utf8_lossy(&joined).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_joined_as_helm_joins_them() {
        for (base, below, want) in [
            ("", "", ""),
            ("", "sub", "sub"),
            ("http://h/charts/", "a-1.0.0+x.tgz", "http://h/charts/a-1.0.0+x.tgz"),
            ("http://h", "a b.tgz", "http://h/a%20b.tgz"),
            ("http://h/x?q=1", "../a", "http://h/a?q=1"),
            ("oci://h/x", "a", "oci://h/x/a"),
            ("charts", "a.tgz", "charts/a.tgz"),
            ("http://h:x/", "a", "http:/h:x/a"),
        ] {
            assert_eq!(join(base, below), want, "{base} {below}");
        }
    }

    #[test]
    fn a_version_is_there_if_it_fits_as_a_range() {
        let entry = |version: &str| Entry {
            metadata: Metadata { name: "a".into(), version: version.into(), ..Metadata::default() },
            urls: None,
            created: String::new(),
            removed: false,
            texts: Default::default(),
        };
        let mut index = Index::default();
        index.add(entry("1.0.5"));
        index.add(entry("2.0.0-rc1"));
        for (version, want) in
            [("1.0.5", true), ("1.0", true), ("v1.0.5", true), ("1.0.4", false), ("2.0.0", false), ("2.0.0-rc1", true)]
        {
            assert_eq!(index.has("a", version), want, "{version}");
        }
        assert!(!index.has("b", "1.0.5"));
    }
}
