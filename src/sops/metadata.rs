//! The `sops` block of a document: who can decrypt it, what is encrypted, the MAC.

use std::sync::Arc;

use super::error::{Error, codes};
use super::keys::{KeyGroup, MasterKey};
use super::value::{Branch, Item, Key, Value};
use crate::golang::regexp::Regexp;
use crate::golang::time::{Location, Time, parse_in_location};

/// The version of sops whose files these are.
pub const VERSION: &str = "3.13.3";

const RFC3339: &[u8] = b"2006-01-02T15:04:05Z07:00";

const ONE_SELECTOR: &str = "Cannot use more than one of encrypted_suffix, unencrypted_suffix, encrypted_regex, unencrypted_regex, encrypted_comment_regex, or unencrypted_comment_regex in the same file";

/// Which values are encrypted. At most one is set; all are empty only while a document is being made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub unencrypted_suffix: String,
    pub encrypted_suffix: String,
    pub unencrypted_regex: String,
    pub encrypted_regex: String,
    pub unencrypted_comment_regex: String,
    pub encrypted_comment_regex: String,
}

impl Selection {
    /// Name and text of each selector.
    pub const fn fields(&self) -> [(&'static str, &String); 6] {
        [
            ("unencrypted_suffix", &self.unencrypted_suffix),
            ("encrypted_suffix", &self.encrypted_suffix),
            ("unencrypted_regex", &self.unencrypted_regex),
            ("encrypted_regex", &self.encrypted_regex),
            ("unencrypted_comment_regex", &self.unencrypted_comment_regex),
            ("encrypted_comment_regex", &self.encrypted_comment_regex),
        ]
    }

    pub fn count(&self) -> usize {
        self.fields().iter().filter(|(_, text)| !text.is_empty()).count()
    }
}

#[derive(Clone, Debug)]
pub struct Metadata {
    pub last_modified: Time,
    pub selection: Selection,
    /// The encrypted MAC.
    pub mac: String,
    pub mac_only_encrypted: bool,
    pub version: String,
    pub groups: Vec<KeyGroup>,
    /// Key groups needed for the data key; 0 if not said.
    pub threshold: usize,
}

/// The selectors, ready to be asked.
pub struct Selector<'a> {
    selection: &'a Selection,
    regexes: [Option<Arc<Regexp>>; 4],
}

impl Selector<'_> {
    /// True if a value is to be encrypted: `path` are the keys above it, `comments` the active comments of each level.
    pub fn selects(&self, path: &[Vec<u8>], comments: &[Vec<Vec<u8>>], is_comment: bool) -> bool {
        let s = self.selection;
        let mut encrypted = true;
        let ends = |suffix: &str| path.iter().any(|key| key.ends_with(suffix.as_bytes()));
        // An expression that does not compile matches nothing, as in sops.
        let matches = |i: usize, text: &[u8]| {
            self.regexes.get(i).and_then(Option::as_ref).is_some_and(|regex| regex.is_match(text))
        };
        if !s.unencrypted_suffix.is_empty() && ends(&s.unencrypted_suffix) {
            encrypted = false;
        }
        if !s.encrypted_suffix.is_empty() {
            encrypted = ends(&s.encrypted_suffix);
        }
        if !s.unencrypted_regex.is_empty() && path.iter().any(|key| matches(0, key)) {
            encrypted = false;
        }
        if !s.encrypted_regex.is_empty() {
            encrypted = path.iter().any(|key| matches(1, key));
        }
        if !s.unencrypted_comment_regex.is_empty() && comments.iter().flatten().any(|c| matches(2, c)) {
            encrypted = false;
        }
        if !s.encrypted_comment_regex.is_empty() {
            // The comment line that says so is itself not encrypted.
            let skipped = is_comment.then(|| (comments.len(), comments.last().map_or(0, Vec::len)));
            encrypted = comments.iter().enumerate().any(|(i, level)| {
                level.iter().enumerate().any(|(j, c)| Some((i + 1, j + 1)) != skipped && matches(3, c))
            });
        }
        encrypted
    }

    /// True if an encrypted comment would turn off its own encryption when it is read again.
    pub fn refuses_comment(&self, text: &[u8]) -> bool {
        self.regexes[2].as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

fn wrong(field: &str, want: &str, got: &Value) -> Error {
    let kind = got.go_type();
    Error::new(
        codes::FAILED,
        format!(
            "decoding failed due to the following error(s):\n\n'{field}' expected type '{want}', got unconvertible type '{kind}'"
        ),
    )
}

/// The fields of a block, read as loosely as sops does (mapstructure with weak types).
pub(super) struct Fields<'a>(&'a Branch);

impl<'a> Fields<'a> {
    pub(super) const fn new(branch: &'a Branch) -> Self {
        Self(branch)
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        let found = self.0.iter().rev().find(|i| i.key.is(name.as_bytes()));
        found.map(|i| &i.value).filter(|v| !matches!(v, Value::Null))
    }

    pub(super) fn text(&self, name: &str) -> Result<String, Error> {
        Ok(match self.get(name) {
            None => String::new(),
            Some(Value::Bool(b)) => if *b { "1" } else { "0" }.to_owned(),
            Some(v @ (Value::Text(_) | Value::Int(_) | Value::Float(_))) => {
                String::from_utf8_lossy(v.to_bytes().unwrap_or_default().as_bytes()).into_owned()
            }
            Some(other) => return Err(wrong(name, "string", other)),
        })
    }

    fn number(&self, name: &str) -> Result<usize, Error> {
        let n = match self.get(name) {
            None => 0,
            Some(Value::Int(n)) => *n,
            Some(Value::Float(f)) => *f as i64,
            Some(Value::Bool(b)) => i64::from(*b),
            Some(Value::Text(t)) if t.is_empty() => 0,
            Some(v @ Value::Text(_)) => self.text(name)?.parse().map_err(|_| wrong(name, "int", v))?,
            Some(other) => return Err(wrong(name, "int", other)),
        };
        Ok(usize::try_from(n).unwrap_or(0))
    }

    fn truth(&self, name: &str) -> Result<bool, Error> {
        Ok(match self.get(name) {
            None => false,
            Some(Value::Bool(b)) => *b,
            Some(Value::Int(n)) => *n != 0,
            Some(Value::Float(f)) => *f != 0.0,
            Some(Value::Text(t)) if t.is_empty() => false,
            Some(v @ Value::Text(_)) => {
                crate::golang::strconv::parse_bool(&self.text(name)?).map_err(|_| wrong(name, "bool", v))?
            }
            Some(other) => return Err(wrong(name, "bool", other)),
        })
    }

    pub(super) fn list(&self, name: &str) -> Result<Vec<&'a Branch>, Error> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Branch(one)) => Ok(if one.is_empty() { Vec::new() } else { vec![one] }),
            Some(Value::Text(t)) if t.is_empty() => Ok(Vec::new()),
            Some(Value::List(items)) => {
                let items = items.iter().filter(|v| !matches!(v, Value::Comment(_)));
                items
                    .map(|item| match item {
                        Value::Branch(b) => Ok(b),
                        other => Err(wrong(name, "map", other)),
                    })
                    .collect()
            }
            Some(other) => Err(wrong(name, "list", other)),
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.get(name)
    }
}

/// Reads a time as it stands in metadata.
pub(super) fn time(text: &str) -> Result<Time, Error> {
    parse_in_location(RFC3339, text.as_bytes(), &Location::utc()).map_err(Error::from)
}

/// A time as it is written in metadata: whole seconds.
pub(super) fn time_text(time: &Time) -> String {
    String::from_utf8_lossy(&time.format(RFC3339)).into_owned()
}

impl Metadata {
    /// Metadata of a document that is yet to be encrypted.
    pub fn new(groups: Vec<KeyGroup>, selection: Selection) -> Self {
        Self {
            last_modified: Time::zero(),
            selection,
            mac: String::new(),
            mac_only_encrypted: false,
            version: VERSION.to_owned(),
            groups,
            threshold: 0,
        }
    }

    pub fn last_modified_text(&self) -> String {
        time_text(&self.last_modified)
    }

    pub fn selector(&self) -> Selector<'_> {
        let s = &self.selection;
        let compile = |text: &String| {
            if text.is_empty() { None } else { Regexp::cached(text.as_bytes()).ok() }
        };
        let regexes = [
            compile(&s.unencrypted_regex),
            compile(&s.encrypted_regex),
            compile(&s.unencrypted_comment_regex),
            compile(&s.encrypted_comment_regex),
        ];
        Selector { selection: s, regexes }
    }

    /// Reads the block.
    ///
    /// # Errors
    /// sops's texts.
    pub fn from_branch(branch: &Branch) -> Result<Self, Error> {
        let f = Fields(branch);
        let last_modified = f.text("lastmodified")?;
        let mut groups = Vec::new();
        let flat = MasterKey::group(&f)?;
        for group in f.list("key_groups")? {
            groups.push(MasterKey::group(&Fields(group))?);
        }
        let mut selection = Selection {
            unencrypted_suffix: f.text("unencrypted_suffix")?,
            encrypted_suffix: f.text("encrypted_suffix")?,
            unencrypted_regex: f.text("unencrypted_regex")?,
            encrypted_regex: f.text("encrypted_regex")?,
            unencrypted_comment_regex: f.text("unencrypted_comment_regex")?,
            encrypted_comment_regex: f.text("encrypted_comment_regex")?,
        };
        let (threshold, mac_only_encrypted) = (f.number("shamir_threshold")?, f.truth("mac_only_encrypted")?);
        let (mac, version) = (f.text("mac")?, f.text("version")?);
        let last_modified = time(&last_modified)?;
        let key_time = |key: &MasterKey| key.created_at().map_or(Ok(()), |text| time(text).map(|_| ()));
        let groups = if flat.is_empty() { groups } else { vec![flat] };
        groups.iter().flatten().try_for_each(key_time)?;
        if groups.is_empty() {
            return Err("No keys found in file".to_owned().into());
        }
        match selection.count() {
            0 => "_unencrypted".clone_into(&mut selection.unencrypted_suffix),
            1 => {}
            _ => return Err(ONE_SELECTOR.to_owned().into()),
        }
        Ok(Self { last_modified, selection, mac, mac_only_encrypted, version, groups, threshold })
    }

    /// The block as it is written: all keys sorted.
    pub fn to_branch(&self) -> Branch {
        let mut out: Vec<(String, Value)> = Vec::new();
        let text = |t: &str| Value::text(t);
        if self.threshold > 0 {
            out.push(("shamir_threshold".into(), Value::Int(i64::try_from(self.threshold).unwrap_or(i64::MAX))));
        }
        if let [group] = self.groups.as_slice() {
            out.extend(MasterKey::lists(group).into_iter().map(|(k, v)| (k.to_owned(), v)));
        } else if !self.groups.is_empty() {
            let groups = self.groups.iter().map(|group| {
                let mut lists = MasterKey::lists(group);
                // sops writes these two even when they are empty.
                for always in ["hc_vault", "age"] {
                    if !lists.iter().any(|(k, _)| *k == always) {
                        lists.push((always, Value::List(Vec::new())));
                    }
                }
                Value::Branch(sorted(lists.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
            });
            out.push(("key_groups".into(), Value::List(groups.collect())));
        }
        out.push(("lastmodified".into(), text(&self.last_modified_text())));
        out.push(("mac".into(), text(&self.mac)));
        for (name, selector) in self.selection.fields() {
            if !selector.is_empty() {
                out.push((name.into(), text(selector)));
            }
        }
        if self.mac_only_encrypted {
            out.push(("mac_only_encrypted".into(), Value::Bool(true)));
        }
        out.push(("version".into(), text(&self.version)));
        sorted(out)
    }

    /// sops's look at the version before it decrypts: AWS KMS had a bug before 3.3.0.
    pub fn check_version(&self) -> Result<(), Error> {
        if self.version.starts_with("1.") {
            return Ok(());
        }
        let version = self.version.strip_prefix('v').unwrap_or(&self.version);
        if version.is_empty() {
            return Err("Version string empty".to_owned().into());
        }
        let core = version.split(['-', '+']).next().unwrap_or_default();
        let parts: Vec<&str> = core.splitn(3, '.').collect();
        if parts.len() != 3 {
            return Err("No Major.Minor.Patch elements found".to_owned().into());
        }
        for (part, name) in parts.iter().zip(["major", "minor", "patch"]) {
            let shown = crate::golang::strconv::quote(part.as_bytes());
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                let name = name[..1].to_uppercase() + &name[1..];
                return Err(format!("Invalid character(s) found in {} number {shown}", name.to_lowercase()).into());
            }
            if part.len() > 1 && part.starts_with('0') {
                let name = name[..1].to_uppercase() + &name[1..];
                return Err(format!("{name} number must not contain leading zeroes {shown}").into());
            }
        }
        Ok(())
    }
}

/// Items by key.
pub(super) fn sorted(mut fields: Vec<(String, Value)>) -> Branch {
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields.into_iter().map(|(key, value)| Item { key: Key::Text(key.into_bytes()), value }).collect()
}
