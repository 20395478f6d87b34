//! What the text of one file says of other files and objects, without reading it as YAML.
//!
//! An environment has hundreds of parts and a change concerns few of them. Which, is told from words: a path that is read must be written
//! somewhere, and so must the name of an object that is referred to. What is found here is never too little: where a text could hide a
//! reference (an escape, a path that is put together), the part is taken along in any case.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::repo::{Checkout, flux_kustomization};

/// The changed files, and the words that could lead to one of them.
pub struct Changed<'c> {
    paths: &'c BTreeSet<String>,
    /// The names of the files and of the directories that they lie in.
    names: BTreeSet<&'c [u8]>,
    signs: Signs,
}

/// The lengths of words by their last letter: most others are told from them by that.
pub struct Signs(Box<[u64; 256]>);

impl Default for Signs {
    fn default() -> Self {
        Self(Box::new([0; 256]))
    }
}

impl Signs {
    pub fn add(&mut self, word: &[u8]) {
        self.0[usize::from(word.last().copied().unwrap_or_default())] |= 1 << (word.len() % 64);
    }

    /// Whether a word may be among them.
    pub fn may_have(&self, word: &[u8]) -> bool {
        self.0[usize::from(word.last().copied().unwrap_or_default())] & (1 << (word.len() % 64)) != 0
    }
}

/// What a file mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// More than words tell: the part that the file belongs to is built in any case.
    pub unclear: bool,
    /// The file has a say in everything: all parts are built.
    pub everywhere: bool,
    /// One of the changed files, or a directory that one lies in.
    pub changed: bool,
    /// Paths from the root that lie outside of the file's part.
    pub outside: BTreeSet<String>,
    /// Paths from the root that a kustomization gives with a directory in them.
    pub paths: BTreeSet<String>,
    /// Fields that hold names are declared here (`nameReference`).
    pub configures: bool,
}

/// Bytes of a path or a name have the sign [`INNER`]; YAML's own signs, `=` and `:` end a word.
const SIGNS: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        table[b] = match byte {
            b'/' => INNER | SLASH,
            b'.' => INNER | DOT,
            b'_' | b'-' | b'@' | b'+' | b'~' | b'%' => INNER,
            _ if byte.is_ascii_alphanumeric() => INNER,
            _ => 0,
        };
        b += 1;
    }
    table
};
const INNER: u8 = 1;
const SLASH: u8 = 2;
const DOT: u8 = 4;

/// Lengths of the words that say more than where a file is (`nameReference`): most words are told from them by that.
const TELLING: u64 = {
    let words =
        ["/", "ENC", "vars", "crds", "openapi", "namePrefix", "replacements", "nameReference", "/metadata/name"];
    let (mut lengths, mut i) = (0, 0);
    while i < words.len() {
        lengths |= 1 << words[i].len();
        i += 1;
    }
    lengths
};

fn is_word(b: u8) -> bool {
    SIGNS[usize::from(b)] != 0
}

static RELEASE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("helm.toolkit.fluxcd.io/"));
static METADATA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("metadata"));
static GENERATOR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Generator:"));
static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("name"));

/// The words of a text.
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    Words(text).map(|word| word.text)
}

struct Words<'t>(&'t [u8]);

struct Word<'t> {
    text: &'t [u8],
    /// There is a `/` in it.
    nested: bool,
    /// There are two dots side by side in it.
    upwards: bool,
}

impl<'t> Iterator for Words<'t> {
    type Item = Word<'t>;

    fn next(&mut self) -> Option<Word<'t>> {
        let start = self.0.iter().position(|b| is_word(*b))?;
        let rest = self.0.get(start..)?;
        let (mut end, mut all, mut before, mut dots) = (0, 0, 0, 0);
        for b in rest {
            let sign = SIGNS[usize::from(*b)];
            if sign == 0 {
                break;
            }
            all |= sign;
            dots |= before & sign & DOT;
            before = sign;
            end += 1;
        }
        let (text, after) = rest.split_at_checked(end)?;
        self.0 = after;
        Some(Word { text, nested: all & SLASH != 0, upwards: dots != 0 })
    }
}

/// Whether a text says a thing, wherever.
fn says(text: &[u8], what: &str) -> bool {
    memchr::memmem::find(text, what.as_bytes()).is_some()
}

/// A path from a directory, clean; `None` if it leads out.
pub fn resolve(dir: &str, path: &str) -> Option<String> {
    let path = if dir.is_empty() { path.to_owned() } else { format!("{dir}/{path}") };
    // Most are clean.
    if !path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some(path);
    }
    Checkout::relative(&path).ok()
}

/// Whether a path is a directory's, or lies below it.
pub fn is_below(path: &str, dir: &str) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl<'c> Changed<'c> {
    /// `None` if a path has signs that words don't have.
    pub fn new(paths: &'c BTreeSet<String>) -> Option<Self> {
        if !paths.iter().all(|p| p.bytes().all(is_word)) {
            return None;
        }
        let names: BTreeSet<&[u8]> = paths.iter().flat_map(|p| p.split('/')).map(str::as_bytes).collect();
        let mut signs = Signs::default();
        names.iter().for_each(|name| signs.add(name));
        Some(Self { paths, names, signs })
    }

    /// How many paths there are.
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// Whether a file is changed that lies at a path or below it.
    pub fn reaches(&self, path: &str) -> bool {
        if path.is_empty() {
            return !self.paths.is_empty();
        }
        let from = (Bound::Included(path), Bound::Unbounded);
        self.paths.range::<str, _>(from).take_while(|p| p.starts_with(path)).any(|p| is_below(p, path))
    }

    fn may_be(&self, word: &[u8], nested: bool) -> bool {
        let last = if nested {
            let word = word.strip_suffix(b"/").unwrap_or(word);
            memchr::memrchr(b'/', word).and_then(|at| word.get(at + 1..)).unwrap_or(word)
        } else {
            word
        };
        matches!(last, b"" | b"." | b"..") || self.signs.may_have(last) && self.names.contains(last)
    }
}

/// What a text says, wherever it stands.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    unclear: bool,
    everywhere: bool,
    configures: bool,
    release: bool,
    /// A release names the root of the repository as its chart.
    root_chart: bool,
    /// The words that may lead to another file.
    ways: Vec<Way>,
    /// Names that objects of the file may have.
    pub defines: Vec<String>,
}

#[derive(Clone, Debug)]
struct Way {
    word: String,
    upwards: bool,
    /// A path with a directory in it, in a kustomization.
    nested: bool,
}

impl Seen {
    /// Looks through a text, of a kustomization or of another file.
    pub fn of(text: &[u8], kustomization: bool, changed: &Changed<'_>) -> Self {
        let mut out = Self { release: RELEASE.find(text).is_some(), ..Self::default() };
        let (mut encrypted, mut root) = (false, false);
        // The word behind it is no path.
        let versioned = text.starts_with(b"apiVersion: kustomize.config.k8s.io/");
        for (n, Word { text: word, nested, upwards }) in Words(text).enumerate() {
            if word.len() < 64 && TELLING >> word.len() & 1 != 0 {
                match word {
                    b"nameReference" => out.configures = true,
                    b"/metadata/name" => out.unclear = true,
                    b"ENC" => encrypted = true,
                    b"/" => root = true,
                    b"vars" | b"crds" | b"openapi" if kustomization => out.everywhere = true,
                    b"replacements" | b"namePrefix" | b"nameSuffix" | b"transformers" | b"generators"
                    | b"validators"
                        if kustomization =>
                    {
                        out.unclear = true;
                    }
                    _ => {}
                }
            }
            out.everywhere |= nested
                && (word.starts_with(flux_kustomization::API.as_bytes())
                    || word.starts_with(b"source.extensions.fluxcd.io/"));
            let leads = kustomization && nested && !(versioned && n == 1);
            if !upwards && !leads && !changed.may_be(word, nested) {
                continue;
            }
            if let Ok(word) = std::str::from_utf8(word) {
                out.ways.push(Way { word: word.to_owned(), upwards, nested: leads });
            }
        }
        out.unclear |= out.release && encrypted;
        out.root_chart = out.release
            && root
            && ["chart: /\n", "chart: \"/\"", "chart: '/'"].into_iter().any(|chart| says(text, chart));
        // In a quoted text these may stand for, or within, what is looked for.
        let escape = |rest: &[u8]| matches!(rest.first(), Some(b'x' | b'u' | b'U' | b'/' | b'\n' | b'\r'));
        out.unclear |= memchr::memchr_iter(b'\\', text).any(|at| text.get(at + 1..).is_some_and(escape));
        out.unclear |= !names(text, kustomization, &mut out.defines);
        out
    }
}

impl Mentions {
    /// What was seen in a file: `path` is its place from the root, `part` what it belongs to.
    pub fn of(path: &str, seen: &Seen, part: &str, changed: &Changed<'_>) -> Self {
        let mut out =
            Self { unclear: seen.unclear, everywhere: seen.everywhere, configures: seen.configures, ..Self::default() };
        if seen.ways.is_empty() {
            return out;
        }
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        // Words that do not lead upwards lead to what lies below.
        let here = changed.reaches(dir);
        for Way { word, upwards, nested } in &seen.ways {
            let (upwards, nested) = (*upwards, *nested);
            let from_here = if upwards || nested || here { resolve(dir, word) } else { None };
            out.paths.extend(from_here.clone().filter(|_| nested));
            // The root alone is a path where a release names its chart; elsewhere it is a route or the end of a sentence.
            let whole = seen.release && (word != "/" || seen.root_chart);
            let odd = ["//", "/."].into_iter().any(|odd| word.contains(odd));
            let is_clean = !upwards && !odd && !word.starts_with(['.', '/']) && !word.ends_with('/');
            let from_root = if is_clean { Some(Cow::Borrowed(&**word)) } else { resolve("", word).map(Cow::Owned) };
            let from_root = from_root.filter(|p| !p.is_empty() || whole);
            out.changed |= from_here.as_ref().is_some_and(|p| changed.reaches(p) && !is_below(dir, p))
                || from_root.is_some_and(|p| changed.reaches(&p));
            if upwards && let Some(target) = from_here {
                // What encloses its own part is no base of it.
                out.unclear |= is_below(part, &target) && target != part;
                if !is_below(&target, part) {
                    out.outside.insert(target);
                }
            }
        }
        out
    }
}

/// The files of a directory that its kustomizations only take data from: named by generators and by nothing else.
pub fn only_data(kustomizations: &[&[u8]]) -> BTreeSet<String> {
    let (mut data, mut others): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    if !kustomizations.iter().any(|text| GENERATOR.find(text).is_some()) {
        return BTreeSet::new();
    }
    for text in kustomizations {
        // Each field of the top, from its line to the next field's.
        let mut rest = *text;
        while !rest.is_empty() {
            let (field, after) = rest.split_at(field_end(rest));
            rest = after;
            if field.starts_with(b"configMapGenerator:") || field.starts_with(b"secretGenerator:") {
                data.extend(file_names(field));
            } else {
                others.push(field);
            }
        }
    }
    for text in others {
        file_names(text).for_each(|name| data.retain(|d| *d != name));
    }
    data.into_iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// Where the first field of a kustomization's text ends: behind its last line, before one that begins another.
fn field_end(text: &[u8]) -> usize {
    let begins = |line: &[u8]| line.first().is_some_and(|b| !matches!(b, b' ' | b'-' | b'#' | b'\r' | b'\n'));
    let mut ends = memchr::memchr_iter(b'\n', text).map(|at| at + 1);
    ends.find(|at| text.get(*at..).is_some_and(begins)).unwrap_or(text.len())
}

/// The words of a text, as names of files beside it.
fn file_names(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    words(text).map(|w| w.strip_prefix(b"./").unwrap_or(w))
}

/// Collects what stands behind `name:` in `metadata`, or anywhere in a kustomization. False if that can't be told line by line.
fn names(text: &[u8], kustomization: bool, out: &mut Vec<String>) -> bool {
    let at_start = |at: usize| at == 0 || text.get(at - 1) == Some(&b'\n');
    if memchr::memchr2_iter(b'{', b'[', text).any(at_start) {
        return false;
    }
    let mut name = |value: &[u8]| value_name(value, out);
    if kustomization {
        return values(text, &NAME, &mut |_, value| name(value));
    }
    values(text, &METADATA, &mut |at, value| match value.first() {
        None | Some(b'#') => values(block(text, at), &NAME, &mut |_, value| name(value)),
        // On one line, from brace to brace.
        Some(b'{') if balanced(value) => values(value, &NAME, &mut |_, value| name(value)),
        Some(_) => false,
    })
}

/// The lines below the one that a key stands on which are indented more than the key.
fn block(text: &[u8], key: usize) -> &[u8] {
    let start = text.get(..key).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |at| at + 1);
    let end = |from: usize| memchr::memchr(b'\n', text.get(from..).unwrap_or_default()).map(|n| from + n + 1);
    let first = end(key).unwrap_or(text.len());
    // A quote may stand before the key.
    let column = (start..key).take_while(|i| matches!(text.get(*i), Some(b' ' | b'-'))).count();
    let mut last = first;
    while last < text.len() {
        let line = text.get(last..).unwrap_or_default();
        let indent = line.iter().take_while(|b| **b == b' ').count();
        let is_blank = matches!(line.get(indent), None | Some(b'\n' | b'\r' | b'#'));
        if !is_blank && indent <= column {
            break;
        }
        last = end(last).unwrap_or(text.len());
    }
    text.get(first..last).unwrap_or_default()
}

/// What stands behind each occurrence of a key on its line, with the key's place; all must be understood.
fn values(text: &[u8], key: &Finder<'_>, take: &mut dyn FnMut(usize, &[u8]) -> bool) -> bool {
    key.find_iter(text).all(|at| {
        let before = at.checked_sub(1).and_then(|i| text.get(i));
        if before.is_some_and(|b| !matches!(b, b' ' | b'\n' | b'{' | b',' | b'"' | b'\'' | b'\t')) {
            return true;
        }
        let rest = text.get(at + key.needle().len()..).unwrap_or_default();
        let rest = rest.get(..memchr::memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
        let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest).trim_ascii_start();
        let Some(value) = rest.strip_prefix(b":") else { return true };
        // `name:x` is a text, but for flow mappings behind a quoted key.
        take(at, value.trim_ascii())
    })
}

/// Takes a plain or quoted name; anchors, aliases, tags, blocks and continued lines are not understood.
fn value_name(value: &[u8], out: &mut Vec<String>) -> bool {
    let end = value.iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'#')).unwrap_or(value.len());
    let value = value.get(..end).unwrap_or_default();
    let plain = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\""));
    let plain = plain.or_else(|| value.strip_prefix(b"'").and_then(|v| v.strip_suffix(b"'"))).unwrap_or(value);
    if plain.is_empty() || plain.iter().any(|b| matches!(b, b'&' | b'*' | b'!' | b'>' | b'|' | b'"' | b'\'' | b'\\')) {
        return false;
    }
    out.push(String::from_utf8_lossy(plain).into_owned());
    true
}

fn balanced(flow: &[u8]) -> bool {
    let count = |sign: u8| flow.iter().filter(|b| **b == sign).count();
    count(b'{') == count(b'}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::generated;

    fn seen(path: &str, text: &str, changed: &[&str]) -> (Seen, Mentions) {
        let paths: BTreeSet<String> = changed.iter().map(|p| (*p).to_owned()).collect();
        let changed = Changed::new(&paths).unwrap();
        let name = path.rsplit('/').next().unwrap();
        let seen = Seen::of(text.as_bytes(), generated::NAMES.contains(&name), &changed);
        let mentions = Mentions::of(path, &seen, "env/web", &changed);
        (seen, mentions)
    }

    fn mentions(path: &str, text: &str, changed: &[&str]) -> Mentions {
        seen(path, text, changed).1
    }

    #[test]
    fn a_changed_file_is_seen_by_every_way_to_write_it() {
        for (text, changed, want) in [
            ("chart: ./charts/web", "charts/web/templates/a.yaml", true),
            ("chart: charts/web/", "charts/web/templates/a.yaml", true),
            ("chart: charts//./web", "charts/web/templates/a.yaml", true),
            ("chart: charts/web2", "charts/web/templates/a.yaml", false),
            ("- values/web/prod.yaml", "values/web/prod.yaml", true),
            ("- values/web/prod.yaml", "values/api/prod.yaml", false),
            ("files: [key=../../values/x.yaml]", "values/x.yaml", true),
            ("files: [key=../../values/x.yaml]", "other/x.yaml", false),
            ("- \"a.yaml\"", "env/web/a.yaml", true),
            ("- a.yaml", "env/api/a.yaml", false),
            ("- ../base", "env/base/x/y.yaml", true),
            ("apiVersion: helm.toolkit.fluxcd.io/v2\npath: /", "x/y.yaml", false),
            ("apiVersion: helm.toolkit.fluxcd.io/v2\nchart: '/'", "x/y.yaml", true),
            ("path: /", "x/y.yaml", false),
            ("apiVersion: helm.toolkit.fluxcd.io/v2\nchart: ./", "x/y.yaml", true),
        ] {
            assert_eq!(mentions("env/web/k.yaml", text, &[changed]).changed, want, "{text} {changed}");
        }
    }

    #[test]
    fn what_objects_are_called() {
        for (path, text, want) in [
            ("a.yaml", "kind: A\nmetadata:\n  labels: {a: b}\n  name: web # it\nspec:\n  name: other\n", Some("web")),
            ("a.yaml", "metadata: {name: \"web\", labels: {name: x}}\n", Some("web,x")),
            ("a.yaml", "items:\n- metadata:\n    name: web\n  spec:\n    name: other\n", Some("web")),
            ("a.yaml", "\"metadata\":\n  'name': 'web'\n", Some("web")),
            ("a.yaml", "metadata:\n  name: &n web\n", None),
            ("a.yaml", "metadata: &m\n  name: web\n", None),
            ("a.yaml", "metadata:\n  name:\n    web\n", None),
            ("a.yaml", "metadata: {\n  name: web}\n", None),
            ("a.yaml", "{\"metadata\": {\"name\": \"web\"}}", None),
            ("a.yaml", "spec:\n  hostname: web\n  name: x\n", Some("")),
            ("kustomization.yaml", "configMapGenerator:\n- name: web\n- files: [name]\n  name: b\n", Some("b,web")),
            ("kustomization.yaml", "configMapGenerator: [{name: web, files: [a]}]\n", Some("web")),
        ] {
            let (seen, found) = seen(&format!("env/web/{path}"), text, &[]);
            let names: BTreeSet<String> = seen.defines.into_iter().collect();
            let names = names.into_iter().collect::<Vec<_>>().join(",");
            assert_eq!((!found.unclear).then_some(names.as_str()), want, "{text}");
        }
    }

    #[test]
    fn what_generators_read_is_data() {
        let text = "resources:\n- a.yaml\nconfigMapGenerator:\n- name: x\n  files: [b.yaml, k=./c.txt, a.yaml]\npatches:\n- path: d.yaml\n";
        let data = only_data(&[text.as_bytes()]);
        for (name, want) in [("a.yaml", false), ("b.yaml", true), ("c.txt", true), ("d.yaml", false)] {
            assert_eq!(data.contains(name), want, "{name}");
        }
        assert!(only_data(&[b"{configMapGenerator: [{files: [a.yaml]}], resources: [a.yaml]}"]).is_empty());
    }

    #[test]
    fn what_words_do_not_tell() {
        for (path, text, unclear, everywhere) in [
            ("a.yaml", "a: \"\\x61\"", true, false),
            ("a.yaml", "a: \"x\\\n  y\"", true, false),
            ("a.yaml", "a: '\\d+'", false, false),
            ("a.yaml", "vars: []", false, false),
            ("kustomization.yaml", "vars: []", false, true),
            ("kustomization.yaml", "namePrefix: a-", true, false),
            ("kustomization.yaml", "resources: [../..]", true, false),
            ("kustomization.yaml", "resources: [..]", true, false),
            ("patch.yaml", "- path: /metadata/name", true, false),
            ("a.yaml", "apiVersion: kustomize.toolkit.fluxcd.io/v1", false, true),
        ] {
            let found = mentions(&format!("env/web/{path}"), text, &[]);
            assert_eq!((found.unclear, found.everywhere), (unclear, everywhere), "{text}");
        }
        let outside = mentions("env/web/kustomization.yaml", "resources: [../base, a/../../x, ./b]", &[]).outside;
        assert_eq!(outside.into_iter().collect::<Vec<_>>(), ["env/base", "env/x"]);
    }
}
