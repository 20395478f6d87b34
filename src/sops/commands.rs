//! sops's commands on one document: text in, text out.

use super::cipher::{Cipher, DataKey, Random};
use super::config::Rule;
use super::error::{Error, codes};
use super::keys::{KeyGroup, MasterKey, Services};
use super::metadata::{Metadata, Selection, VERSION, time_text};
use super::path::{self, Step};
use super::store::{Format, Store};
use super::tree::Tree;
use super::value::{Branch, Value};
use super::wrap::wrap;
use crate::golang::semver::Version;
use crate::golang::time::Time;

/// What a command needs from outside: the time (UTC), and random bytes.
#[derive(Clone, Copy)]
pub struct Fresh<'a> {
    pub now: &'a Time,
    pub random: Random<'a>,
}

impl Fresh<'_> {
    fn now_text(&self) -> String {
        time_text(self.now)
    }
}

/// A decrypted document, with what is needed to encrypt it again.
pub struct Opened {
    pub tree: Tree,
    pub key: DataKey,
    cipher: Cipher,
}

impl Opened {
    /// Takes over the nonces of another version of the document, if it has the same data key.
    pub(super) fn remember(&mut self, other: Self) {
        if self.key == other.key {
            self.cipher.remember(other.cipher);
        }
    }

    /// Encrypts again with the same data key; values that did not change keep their texts.
    pub fn close(mut self, store: &Store, fresh: Fresh<'_>) -> Result<Vec<u8>, Error> {
        self.tree.encrypt(&self.key, &self.cipher, fresh.now, fresh.random)?;
        emit(store, &self.tree)
    }
}

fn emit(store: &Store, tree: &Tree) -> Result<Vec<u8>, Error> {
    store.emit_encrypted(tree).map_err(|e| e.context("Could not marshal tree: ").with_code(codes::NOT_DUMPED))
}

/// Reads and decrypts a document.
///
/// # Errors
/// With sops's exit codes and texts.
pub fn open(store: &Store, text: &[u8], keys: &Services<'_>, ignore_mac: bool) -> Result<Opened, Error> {
    let mut tree = store.load_encrypted(text)?;
    tree.metadata.check_version()?;
    let key = keys.data_key(&tree.metadata)?;
    let mut cipher = Cipher::new();
    tree.decrypt(&key, &mut cipher, ignore_mac)?;
    Ok(Opened { tree, key, cipher })
}

/// `sops decrypt`, written as another kind of document if wanted.
pub fn decrypt(
    input: &Store,
    output: &Store,
    text: &[u8],
    keys: &Services<'_>,
    ignore_mac: bool,
) -> Result<Vec<u8>, Error> {
    let opened = open(input, text, keys, ignore_mac)?;
    emit_plain(output, &opened.tree.branches)
}

/// Writes a plain document, with sops's errors.
pub fn emit_plain(store: &Store, branches: &[Branch]) -> Result<Vec<u8>, Error> {
    const HINT: &str =
        "\n\nThis is likely not an encrypted binary file? If not, use --output-type to select the correct output type.";
    store.emit_plain(branches).map_err(|e| {
        let binary = e.sops_text().starts_with("error emitting binary store");
        let e = if binary { Error::new(e.code, format!("{}{HINT}", e.sops_text())) } else { e };
        e.context("Error dumping file: ").with_code(codes::NOT_DUMPED)
    })
}

fn check_plain(store: &Store, branches: &[Branch]) -> Result<(), Error> {
    let Some(first) = branches.first() else {
        let text = "File cannot be completely empty, it must contain at least one document";
        return Err(Error::new(codes::EMPTY_FILE, text));
    };
    if store.has_metadata(first) {
        let text = "The file you have provided contains a top-level entry called 'sops', or for flat file formats top-level entries starting with 'sops_'. This is generally due to the file already being encrypted. SOPS uses a top-level entry called 'sops' to store the metadata required to decrypt the file. For this reason, SOPS can not encrypt files that already contain such an entry.\n\nIf this is an unencrypted file, rename the 'sops' entry.\n\nIf this is an encrypted file and you want to edit it, use the editor mode, for example: `sops edit my_file.yaml`";
        return Err(Error::new(codes::ALREADY_ENCRYPTED, wrap(text, 75)));
    }
    Ok(())
}

/// `sops encrypt` by a creation rule.
pub fn encrypt(
    input: &Store,
    output: &Store,
    text: &[u8],
    rule: &Rule,
    keys: &Services<'_>,
    fresh: Fresh<'_>,
) -> Result<Vec<u8>, Error> {
    let branches =
        input.load_plain(text).map_err(|e| e.context("Error unmarshalling file: ").with_code(codes::NOT_READ))?;
    check_plain(output, &branches)?;
    let mut metadata = Metadata::new(rule.groups.clone(), Selection::default());
    // A binary document is one value: there is nothing to select.
    if input.format != Format::Binary {
        metadata.selection = rule.selection.clone();
        if metadata.selection.count() == 0 {
            "_unencrypted".clone_into(&mut metadata.selection.unencrypted_suffix);
        }
    }
    metadata.mac_only_encrypted = rule.mac_only_encrypted;
    metadata.threshold = rule.threshold;
    let key = keys.new_data_key(&mut metadata, &fresh.now_text(), fresh.random)?;
    let tree = Tree { branches, metadata };
    Opened { tree, key, cipher: Cipher::new() }.close(output, fresh)
}

/// `sops set`; `None` if the value was there already and `idempotent` is set.
pub fn set(
    store: &Store,
    text: &[u8],
    place: &[Step],
    value: Value,
    idempotent: bool,
    keys: &Services<'_>,
    fresh: Fresh<'_>,
) -> Result<Option<Vec<u8>>, Error> {
    let mut opened = open(store, text, keys, false)?;
    let mut changed = true;
    if let Some(first) = opened.tree.branches.first_mut() {
        changed = path::on_branch(first, |branch| path::set(branch, place, value))?;
    }
    check_plain(store, &opened.tree.branches)?;
    if !changed && idempotent { Ok(None) } else { opened.close(store, fresh).map(Some) }
}

/// `sops unset`
pub fn unset(
    store: &Store,
    text: &[u8],
    place: &[Step],
    keys: &Services<'_>,
    fresh: Fresh<'_>,
) -> Result<Vec<u8>, Error> {
    let mut opened = open(store, text, keys, false)?;
    if let Some(first) = opened.tree.branches.first_mut() {
        path::on_branch(first, |branch| path::unset(branch, place))?;
    }
    opened.close(store, fresh)
}

/// `sops rotate`: a new data key, recipients added to the first group and removed from all.
pub fn rotate(
    store: &Store,
    text: &[u8],
    add: &[MasterKey],
    remove: &[MasterKey],
    keys: &Services<'_>,
    fresh: Fresh<'_>,
) -> Result<Vec<u8>, Error> {
    let mut opened = open(store, text, keys, false)?;
    let metadata = &mut opened.tree.metadata;
    if let Some(first) = metadata.groups.first_mut() {
        first.extend(add.iter().cloned());
    }
    let removed: Vec<String> = remove.iter().map(MasterKey::name).collect();
    for group in &mut metadata.groups {
        group.retain(|key| !removed.contains(&key.name()));
    }
    opened.key = keys.new_data_key(metadata, &fresh.now_text(), fresh.random)?;
    opened.close(store, fresh)
}

fn names(groups: &[KeyGroup], i: usize) -> Vec<String> {
    groups.get(i).map(|g| g.iter().map(MasterKey::name).collect()).unwrap_or_default()
}

/// `sops updatekeys`: the recipients that the creation rule names; values and MAC stay. `None` if nothing is to be done.
pub fn update_keys(
    store: &Store,
    text: &[u8],
    rule: &Rule,
    keys: &Services<'_>,
    fresh: Fresh<'_>,
) -> Result<Option<Vec<u8>>, Error> {
    let mut tree = store.load_encrypted(text)?;
    let metadata = &mut tree.metadata;
    let count = metadata.groups.len().max(rule.groups.len());
    let differs = |i| {
        let (ours, theirs) = (names(&metadata.groups, i), names(&rule.groups, i));
        ours.iter().any(|k| !theirs.contains(k)) || theirs.iter().any(|k| !ours.contains(k))
    };
    let threshold = metadata.threshold.min(rule.groups.len());
    if !(0..count).any(differs) && metadata.threshold == threshold {
        return Ok(None);
    }
    let key = keys.data_key(metadata)?;
    metadata.groups.clone_from(&rule.groups);
    metadata.threshold = threshold;
    keys.seal(metadata, &key, &fresh.now_text(), fresh.random)
        .map_err(|e| Error::new(codes::FAILED, format!("error updating one or more master keys: [{}]", e.join(" "))))?;
    emit(store, &tree).map(Some)
}

/// The end of `sops edit`: the plain document was changed to `edited`.
pub fn replace(
    store: &Store,
    text: &[u8],
    edited: &[u8],
    keys: &Services<'_>,
    fresh: Fresh<'_>,
) -> Result<Vec<u8>, Error> {
    let mut opened = open(store, text, keys, false)?;
    if emit_plain(store, &opened.tree.branches)? == edited {
        return Err(Error::new(codes::NOT_MODIFIED, "File has not changed, exiting."));
    }
    let branches = store.load_plain(edited)?;
    check_plain(store, &branches)?;
    opened.tree.branches = branches;
    let metadata = &mut opened.tree.metadata;
    let newer = match (Version::new(VERSION), Version::new(&metadata.version)) {
        (Ok(ours), Ok(theirs)) => ours.compare(&theirs).is_gt(),
        _ => false,
    };
    if newer {
        VERSION.clone_into(&mut metadata.version);
    }
    opened.close(store, fresh)
}
