//! Comparing two versions of a SOPS document without showing a value.
//!
//! Three levels of trust, by what is at hand. **Without a key** values are compared by their ciphertexts: sops uses a value's nonce again when it did
//! not change, so equal texts are equal values, and different ones are "encrypted anew, perhaps changed". **With a key** the values themselves are
//! compared, and only the verdict leaves this file. Showing values is left to a person at a terminal, elsewhere.
//!
//! What is never told: values, their lengths, and hashes that somebody could try guesses on. A `Fingerprint` is keyed with a secret that is new for
//! every run, or belongs to one repository.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::cipher::{Encrypted, is_encrypted};
use super::commands::{Opened, open};
use super::error::{Error, codes};
use super::keys::Services;
use super::metadata::Metadata;
use super::store::Store;
use super::tree::Tree;
use super::value::{Branch, Item, Key, Value};

/// What happened to one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Added,
    Removed,
    Changed,
    /// The ciphertext differs; without a key nobody knows whether the value does.
    PerhapsChanged,
    /// The ciphertext differs, the value does not.
    Reencrypted,
    /// It was encrypted, now it stands in clear.
    NowPlain,
    /// It stood in clear, now it is encrypted.
    NowEncrypted,
}

impl Verdict {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::PerhapsChanged => "encrypted anew, perhaps changed",
            Self::Reencrypted => "re-encrypted only",
            Self::NowPlain => "IN CLEAR NOW, was encrypted",
            Self::NowEncrypted => "encrypted now, was in clear",
        }
    }

    /// True if what is deployed may change.
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Reencrypted)
    }
}

/// One value that is not the same in both versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `data.password`, `list[2]`; keys only.
    pub path: String,
    pub verdict: Verdict,
    /// Types before and after (`str`, `int`, …), which stand in clear in the file, where they differ.
    pub types: Option<(String, String)>,
    /// Keyed fingerprints before and after, if asked for and a key is at hand.
    pub fingerprints: [Option<String>; 2],
}

/// A version whose MAC is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `base` or `head`.
    pub version: &'static str,
    pub text: String,
}

/// Which versions there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    #[default]
    Both,
    /// The file is new.
    Head,
    /// The file is gone.
    Base,
}

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pub versions: Versions,
    /// The older version's path, where it is another.
    pub renamed_from: Option<String>,
    pub changes: Vec<Change>,
    /// Who can read the only version.
    pub recipients: Vec<String>,
    pub recipients_added: Vec<String>,
    pub recipients_removed: Vec<String>,
    /// Other metadata that changed what is protected: selectors, threshold, `mac_only_encrypted`.
    pub settings: Vec<String>,
    /// Versions that do not decrypt, or whose MAC is wrong.
    pub problems: Vec<Problem>,
    /// Values were compared, not only ciphertexts.
    pub with_key: bool,
}

impl Comparison {
    /// True if nothing that is deployed can differ.
    pub fn same_values(&self) -> bool {
        self.changes.iter().all(|c| !c.verdict.is_change())
    }

    /// True if there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        let recipients = self.recipients_added.is_empty() && self.recipients_removed.is_empty();
        let same = self.changes.is_empty() && self.settings.is_empty() && self.problems.is_empty();
        self.versions == Versions::Both && recipients && same
    }

    /// One line for all.
    pub fn summary(&self) -> String {
        match (self.versions, &self.renamed_from) {
            (Versions::Head, _) => "file added".to_owned(),
            (Versions::Base, _) => "file removed".to_owned(),
            (Versions::Both, Some(old)) if self.is_empty() => format!("renamed from {old}, nothing changed"),
            (Versions::Both, Some(old)) => format!("renamed from {old}, {}", self.what_changed()),
            (Versions::Both, None) => self.what_changed(),
        }
    }

    fn what_changed(&self) -> String {
        let recipients = !self.recipients_added.is_empty() || !self.recipients_removed.is_empty();
        let values = match (self.changes.is_empty(), self.same_values()) {
            (true, _) => "no value changed",
            (false, true) => "re-encrypted only, no value changed",
            (false, false) => "values changed",
        };
        let mut out = values.to_owned();
        if recipients {
            out.push_str(", recipients changed");
        }
        if !self.settings.is_empty() {
            out.push_str(", protection changed");
        }
        out
    }
}

/// A secret that fingerprints are made with.
#[derive(Clone)]
pub struct FingerprintKey(zeroize::Zeroizing<[u8; 32]>);

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

impl FingerprintKey {
    /// A key from random bytes, or from a secret that belongs to a repository.
    pub fn new(secret: &[u8]) -> Self {
        Self(zeroize::Zeroizing::new(Sha256::digest([b"pintle fingerprint\0", secret].concat()).into()))
    }

    /// Eight characters for a value at a place. Equal values of equal places look equal to whoever has the same key, and tell nothing to others.
    pub fn of(&self, path: &str, value: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else { return String::new() };
        mac.update(path.as_bytes());
        mac.update(&[0]);
        mac.update(value);
        short(&mac.finalize().into_bytes())
    }
}

fn short(bytes: &[u8]) -> String {
    let text = data_encoding::BASE32_NOPAD.encode(bytes.get(..5).unwrap_or_default());
    text.to_ascii_lowercase()
}

/// What stands for an encrypted value where it cannot be decrypted: stable as long as its ciphertext is. The nonce in it makes guessing useless.
pub fn placeholder(enc: &[u8]) -> String {
    let kind = Encrypted::parse(enc).map_or_else(|_| "value".to_owned(), |e| e.kind);
    format!("{PLACEHOLDER}{kind} {}>", short(&Sha256::digest(enc)))
}

/// How such a text begins.
pub const PLACEHOLDER: &str = "<encrypted ";

/// Whether a text stands for an encrypted value.
pub fn is_placeholder(text: &str) -> bool {
    text.starts_with(PLACEHOLDER) && text.ends_with('>')
}

/// A document whose encrypted values are placeholders, without metadata: to build and to read where no key is at hand.
pub fn placeholders(store: &Store, text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut tree = store.load_encrypted(text)?;
    tree.branches.iter_mut().for_each(mask_branch);
    store.emit_plain(&tree.branches)
}

fn mask_branch(branch: &mut Branch) {
    for Item { key, value } in branch {
        if let Key::Comment(comment) = key
            && is_encrypted(comment.text.as_bytes())
        {
            comment.text = format!(" {}", placeholder(comment.text.as_bytes())).into();
        }
        mask_value(value);
    }
}

fn mask_value(value: &mut Value) {
    match value {
        Value::Branch(branch) => mask_branch(branch),
        Value::List(items) => items.iter_mut().for_each(mask_value),
        Value::Text(text) if is_encrypted(text.as_bytes()) => *text = placeholder(text.as_bytes()).into(),
        _ => {}
    }
}

/// A document as text to compare line by line: values masked, recipients named, MAC and times left out. With keys an encrypted value's
/// placeholder is made of the value, keyed with the document's own data key, so that mere re-encryption shows no difference.
pub fn textconv(store: &Store, text: &[u8], keys: Option<&Services<'_>>) -> Result<Vec<u8>, Error> {
    let mut tree = store.load_encrypted(text)?;
    let opened = keys.and_then(|keys| open(store, text, keys, true).ok());
    match opened {
        Some(opened) => {
            let secret = FingerprintKey::new(&opened.key);
            for (branch, plain) in tree.branches.iter_mut().zip(&opened.tree.branches) {
                fingerprint_branch(branch, plain, &secret, "");
            }
        }
        None => tree.branches.iter_mut().for_each(mask_branch),
    }
    let mut out = String::new();
    for name in recipients(&tree.metadata) {
        out.push_str(&format!("# recipient {name}\n"));
    }
    for line in settings(&tree.metadata) {
        out.push_str(&format!("# {line}\n"));
    }
    let mut out = out.into_bytes();
    out.extend(store.emit_plain(&tree.branches)?);
    Ok(out)
}

fn fingerprint_branch(branch: &mut Branch, plain: &Branch, secret: &FingerprintKey, path: &str) {
    for (item, plain) in branch.iter_mut().zip(plain) {
        let path = match &item.key {
            Key::Text(key) => format!("{path}.{}", String::from_utf8_lossy(key)),
            Key::Comment(_) | Key::Other { .. } => path.to_owned(),
        };
        if let Key::Comment(comment) = &mut item.key
            && is_encrypted(comment.text.as_bytes())
        {
            comment.text = format!(" {}", placeholder(comment.text.as_bytes())).into();
        }
        fingerprint_value(&mut item.value, &plain.value, secret, &path);
    }
}

fn fingerprint_value(value: &mut Value, plain: &Value, secret: &FingerprintKey, path: &str) {
    match (value, plain) {
        (Value::Branch(a), Value::Branch(b)) => fingerprint_branch(a, b, secret, path),
        (Value::List(a), Value::List(b)) => {
            a.iter_mut().zip(b).for_each(|(a, b)| fingerprint_value(a, b, secret, path));
        }
        (Value::Text(text), plain) if is_encrypted(text.as_bytes()) => {
            let kind = Encrypted::parse(text.as_bytes()).map_or_else(|_| "value".to_owned(), |e| e.kind);
            let value = plain.to_bytes().unwrap_or_default();
            *text = format!("<encrypted {kind} {}>", secret.of(path, value.as_bytes())).into();
        }
        _ => {}
    }
}

fn recipients(metadata: &Metadata) -> BTreeSet<String> {
    let many = metadata.groups.len() > 1;
    let groups = metadata.groups.iter().enumerate();
    groups
        .flat_map(|(i, group)| {
            group.iter().map(move |key| match many {
                true => format!("{} {} (group {})", key.kind(), key.name(), i + 1),
                false => format!("{} {}", key.kind(), key.name()),
            })
        })
        .collect()
}

fn settings(metadata: &Metadata) -> Vec<String> {
    let selectors = metadata.selection.fields().into_iter().filter(|(_, text)| !text.is_empty());
    let mut out: Vec<String> = selectors.map(|(name, text)| format!("{name}: {text}")).collect();
    if metadata.mac_only_encrypted {
        out.push("mac_only_encrypted: true".into());
    }
    if metadata.threshold > 0 {
        out.push(format!("shamir_threshold: {}", metadata.threshold));
    }
    out
}

/// One side of a comparison.
struct Side {
    tree: Tree,
    plain: Option<Vec<Branch>>,
}

/// Compares two versions of a document; `None` for one that does not exist.
///
/// # Errors
/// A version that is no SOPS document; its text shows no value.
pub fn compare(
    store: &Store,
    base: Option<&[u8]>,
    head: Option<&[u8]>,
    keys: Option<&Services<'_>>,
    fingerprints: Option<&FingerprintKey>,
) -> Result<Comparison, Error> {
    let mut out = Comparison::default();
    let mut load = |version: &'static str, text: Option<&[u8]>| -> Result<Option<Side>, Error> {
        let Some(text) = text else { return Ok(None) };
        let tree = store.load_encrypted(text)?;
        // With a key it is told by whoever looks for it.
        let opens = |keys: &Services<'_>| keys.data_key(&tree.metadata).is_ok();
        if tree.metadata.mac.is_empty() && !keys.is_some_and(opens) {
            out.problems.push(Problem { version, text: "the file has no MAC".into() });
        }
        let plain = keys.and_then(|keys| {
            match open(store, text, keys, false) {
                Ok(opened) => Some(opened.tree.branches),
                // Not our file: then ciphertexts are compared.
                Err(e) if e.code == codes::NO_DATA_KEY => None,
                Err(e) => {
                    out.problems.push(Problem { version, text: e.to_string() });
                    open(store, text, keys, true).ok().map(|o: Opened| o.tree.branches)
                }
            }
        });
        Ok(Some(Side { tree, plain }))
    };
    let (base, head) = (load("base", base)?, load("head", head)?);
    let sides = [base.as_ref(), head.as_ref()];
    // What cannot be opened on one side is compared by ciphertext on both.
    let plain = sides.map(|s| s.and_then(|s| s.plain.as_ref()));
    out.with_key =
        sides.iter().zip(plain).all(|(s, p)| s.is_none() || p.is_some()) && sides.iter().any(Option::is_some);
    let side_recipients = sides.map(|s| s.map(|s| recipients(&s.tree.metadata)).unwrap_or_default());
    let [before, after] = &side_recipients;
    out.versions = match sides {
        [None, Some(_)] => Versions::Head,
        [Some(_), None] => Versions::Base,
        _ => Versions::Both,
    };
    if out.versions == Versions::Both {
        out.recipients_added = after.difference(before).cloned().collect();
        out.recipients_removed = before.difference(after).cloned().collect();
    } else {
        out.recipients = before.union(after).cloned().collect();
    }
    if let [Some(base), Some(head)] = sides {
        let [old, new] = [base, head].map(|s| settings(&s.tree.metadata));
        out.settings.extend(old.iter().filter(|l| !new.contains(l)).map(|l| format!("- {l}")));
        out.settings.extend(new.iter().filter(|l| !old.contains(l)).map(|l| format!("+ {l}")));
    }
    let mut walk = Walk { out: &mut out.changes, fingerprints: if out.with_key { fingerprints } else { None } };
    let branches = |side: Option<&Side>| side.map(|s| s.tree.branches.clone()).unwrap_or_default();
    let (old, new) = (branches(sides[0]), branches(sides[1]));
    for i in 0..old.len().max(new.len()) {
        let prefix = if old.len().max(new.len()) > 1 { format!("[{i}]") } else { String::new() };
        let plain_at = |side: usize| -> Option<Value> {
            if out.with_key { plain.get(side).copied().flatten()?.get(i).cloned().map(Value::Branch) } else { None }
        };
        let (a, b) = (old.get(i).cloned().map(Value::Branch), new.get(i).cloned().map(Value::Branch));
        let (pa, pb) = (plain_at(0), plain_at(1));
        walk.pair(&prefix, One { enc: a.as_ref(), plain: pa.as_ref() }, One { enc: b.as_ref(), plain: pb.as_ref() });
    }
    Ok(out)
}

/// A value as it stands in the file, and what it is, where that is known.
#[derive(Clone, Copy)]
struct One<'a> {
    enc: Option<&'a Value>,
    plain: Option<&'a Value>,
}

impl<'a> One<'a> {
    fn child(self, key: &[u8]) -> Self {
        let get = |value: Option<&'a Value>| match value {
            Some(Value::Branch(b)) => b.iter().find(|i| i.key.is(key)).map(|i| &i.value),
            _ => None,
        };
        Self { enc: get(self.enc), plain: get(self.plain) }
    }

    /// Items of a list without comments; what decrypts to a comment is one.
    fn items(self) -> Vec<Self> {
        let list = |value: Option<&'a Value>| match value {
            Some(Value::List(l)) => Some(l),
            _ => None,
        };
        let (enc, plain) = (list(self.enc), list(self.plain));
        let all = enc.map(|l| l.iter().collect::<Vec<_>>()).unwrap_or_default();
        let is_comment = |v: &Value| match v {
            Value::Comment(_) => true,
            Value::Text(t) => Encrypted::parse(t.as_bytes()).is_ok_and(|e| e.kind == "comment"),
            _ => false,
        };
        let items = all.into_iter().enumerate();
        items
            .filter(|(_, v)| !is_comment(v))
            .map(|(i, v)| Self { enc: Some(v), plain: plain.and_then(|l| l.get(i)) })
            .collect()
    }

    fn encrypted(self) -> Option<Encrypted> {
        match self.enc {
            Some(Value::Text(t)) => Encrypted::parse(t.as_bytes()).ok(),
            _ => None,
        }
    }

    fn kind(self) -> String {
        self.encrypted().map_or_else(|| self.enc.map_or("nothing", Value::go_type).to_owned(), |e| e.kind)
    }

    fn same(self, other: Self) -> bool {
        match (self.plain, other.plain, self.enc, other.enc) {
            (Some(a), Some(b), ..) => a.same(b) && self.encrypted().is_some() == other.encrypted().is_some(),
            (_, _, Some(a), Some(b)) => a.same(b),
            _ => false,
        }
    }
}

struct Walk<'a> {
    out: &'a mut Vec<Change>,
    fingerprints: Option<&'a FingerprintKey>,
}

impl Walk<'_> {
    fn push(&mut self, path: &str, verdict: Verdict, a: One<'_>, b: One<'_>) {
        let (old, new) = (a.kind(), b.kind());
        let types = (a.enc.is_some() && b.enc.is_some() && old != new).then_some((old, new));
        let print = |one: One<'_>| {
            let value = one.plain.and_then(Value::to_bytes)?;
            one.encrypted()?;
            Some(self.fingerprints?.of(path, value.as_bytes()))
        };
        let fingerprints = [print(a), print(b)];
        self.out.push(Change { path: path.trim_start_matches('.').to_owned(), verdict, types, fingerprints });
    }

    /// All leaves below a value that only one side has.
    fn all(&mut self, path: &str, one: One<'_>, verdict: Verdict) {
        let none = One { enc: None, plain: None };
        match one.enc {
            Some(Value::Branch(branch)) if !branch.is_empty() => {
                for item in branch {
                    if let Key::Text(key) = &item.key {
                        self.all(&format!("{path}.{}", String::from_utf8_lossy(key)), one.child(key), verdict);
                    }
                }
            }
            Some(Value::List(items)) if !items.is_empty() => {
                for (i, item) in one.items().into_iter().enumerate() {
                    self.all(&format!("{path}[{i}]"), item, verdict);
                }
            }
            Some(_) if verdict == Verdict::Removed => self.push(path, verdict, one, none),
            Some(_) => self.push(path, verdict, none, one),
            None => {}
        }
    }

    fn pair(&mut self, path: &str, a: One<'_>, b: One<'_>) {
        match (a.enc, b.enc) {
            (None, None) => {}
            (Some(_), None) => self.all(path, a, Verdict::Removed),
            (None, Some(_)) => self.all(path, b, Verdict::Added),
            (Some(Value::Branch(old)), Some(Value::Branch(new))) => {
                let keys = |branch: &Branch| -> Vec<Vec<u8>> {
                    branch
                        .iter()
                        .filter_map(|i| if let Key::Text(k) = &i.key { Some(k.clone()) } else { None })
                        .collect()
                };
                let mut all = keys(old);
                all.extend(keys(new).into_iter().filter(|k| !all.contains(k)).collect::<Vec<_>>());
                for key in all {
                    self.pair(&format!("{path}.{}", String::from_utf8_lossy(&key)), a.child(&key), b.child(&key));
                }
            }
            (Some(Value::List(_)), Some(Value::List(_))) => self.lists(path, &a.items(), &b.items()),
            (Some(Value::Branch(_) | Value::List(_)), Some(_)) | (Some(_), Some(Value::Branch(_) | Value::List(_))) => {
                self.all(path, a, Verdict::Removed);
                self.all(path, b, Verdict::Added);
            }
            (Some(x), Some(y)) => {
                let (old, new) = (a.encrypted(), b.encrypted());
                let verdict = match (&old, &new) {
                    (Some(_), None) => Verdict::NowPlain,
                    (None, Some(_)) => Verdict::NowEncrypted,
                    (None, None) if x.same(y) => return,
                    (None, None) => Verdict::Changed,
                    (Some(old), Some(new)) => match (a.plain, b.plain) {
                        (Some(p), Some(q)) if p.same(q) && old == new => return,
                        (Some(p), Some(q)) if p.same(q) => Verdict::Reencrypted,
                        (Some(_), Some(_)) => Verdict::Changed,
                        _ if old == new => return,
                        // Another type is another value.
                        _ if old.kind != new.kind => Verdict::Changed,
                        _ => Verdict::PerhapsChanged,
                    },
                };
                self.push(path, verdict, a, b);
            }
        }
    }

    /// What is the same at both ends is set aside, so that one new item is one addition.
    fn lists(&mut self, path: &str, a: &[One<'_>], b: &[One<'_>]) {
        let front = a.iter().zip(b).take_while(|(x, y)| x.same(**y)).count();
        let (rest_a, rest_b) = (a.len() - front, b.len() - front);
        let back = a.iter().rev().zip(b.iter().rev()).take(rest_a.min(rest_b)).take_while(|(x, y)| x.same(**y)).count();
        // The same value with another ciphertext is still told.
        let pairs = (0..front).map(|i| (i, i)).chain((0..back).map(|i| (a.len() - back + i, b.len() - back + i)));
        for (i, j) in pairs {
            if let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
                self.pair(&format!("{path}[{j}]"), *x, *y);
            }
        }
        let (a, b) =
            (a.get(front..a.len() - back).unwrap_or_default(), b.get(front..b.len() - back).unwrap_or_default());
        for i in 0..a.len().max(b.len()) {
            let at = format!("{path}[{}]", front + i);
            let none = One { enc: None, plain: None };
            self.pair(&at, a.get(i).copied().unwrap_or(none), b.get(i).copied().unwrap_or(none));
        }
    }
}
