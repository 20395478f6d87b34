//! SOPS documents: reading, decrypting, changing and writing them as sops 3.13 does, and comparing them without showing a value.
//!
//! The room does no I/O: texts come in as arguments, keys through [`KeyService`], random bytes and the time through [`Fresh`]. Plain values lie in
//! memory that is wiped, and never stand in an error's text or in `Debug` output.
//!
//! - [`Store`] reads and writes the five kinds of documents; [`Tree`] is a document with its metadata.
//! - [`decrypt`], [`encrypt`], [`set`], [`unset`], [`rotate`], [`update_keys`] and [`replace`] are sops's commands. A value that did not change keeps
//!   its `ENC[…]` text.
//! - [`mask`] compares two versions of a document, [`merge`] joins two changes of one.

mod age;
mod cipher;
mod commands;
pub mod config;
mod error;
mod flatten;
mod keys;
pub mod mask;
mod merge;
mod metadata;
mod path;
mod pgp;
mod shamir;
mod store;
mod tree;
mod value;
mod wrap;

pub use age::{AgeKeys, check_recipient, damage};
pub use cipher::{Cipher, DataKey, Encrypted, Random, is_encrypted};
pub use commands::{Fresh, Opened, decrypt, emit_plain, encrypt, open, replace, rotate, set, unset, update_keys};
pub use error::{Error, codes};
pub use keys::{KeyError, KeyGroup, KeyService, MasterKey, Services};
pub use merge::{MergeError, merge};
pub use metadata::{Metadata, Selection, VERSION};
pub use path::{Step, parse_path, parse_value};
pub use pgp::PgpKeys;
pub use store::{Format, Store};
pub use tree::Tree;
pub use value::{Branch, Comment, Item, Key, Text, Value};
