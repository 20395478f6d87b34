//! Master keys: each holds the data key (or a share of it), encrypted for one recipient. Who can use them is a [`KeyService`].

use zeroize::Zeroizing;

use super::cipher::{DataKey, Random};
use super::error::{Error, codes};
use super::metadata::{Fields, Metadata, sorted, time, time_text};
use super::value::{Branch, Value};
use super::{shamir, wrap};

/// Kinds of keys in cloud services: the list's name, the kind's name in errors, and its fields (those with `?` are left out when empty).
const SERVICES: [(&str, &str, &[&str]); 5] = [
    ("kms", "AWS KMS", &["arn", "role?", "context?", "created_at", "enc", "aws_profile"]),
    ("gcp_kms", "Google Cloud KMS", &["resource_id", "created_at", "enc"]),
    ("hckms", "Huawei Cloud KMS", &["key_id", "created_at", "enc"]),
    ("azure_kv", "Azure Key Vault", &["vault_url", "name", "version", "created_at", "enc"]),
    ("hc_vault", "HashiCorp Vault", &["vault_address", "engine_path", "key_name", "created_at", "enc"]),
];

/// The data key as one recipient has it.
#[derive(Clone, Debug)]
pub enum MasterKey {
    Age {
        recipient: String,
        enc: String,
    },
    Pgp {
        fingerprint: String,
        created_at: String,
        enc: String,
    },
    /// A key in a service, with all its fields. Only an external key service can use it.
    Service {
        list: &'static str,
        fields: Branch,
    },
}

/// Keys that all open the same data key, or the same share of it.
pub type KeyGroup = Vec<MasterKey>;

impl MasterKey {
    pub fn age(recipient: impl Into<String>) -> Self {
        Self::Age { recipient: recipient.into(), enc: String::new() }
    }

    pub fn pgp(fingerprint: &str) -> Self {
        let fingerprint = fingerprint.chars().filter(|c| !c.is_whitespace()).collect();
        Self::Pgp { fingerprint, created_at: String::new(), enc: String::new() }
    }

    /// The name of the key's list in the metadata: `age`, `pgp`, `kms`, …
    pub const fn list(&self) -> &'static str {
        match self {
            Self::Age { .. } => "age",
            Self::Pgp { .. } => "pgp",
            Self::Service { list, .. } => list,
        }
    }

    /// The kind for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Age { .. } => "age",
            Self::Pgp { .. } => "PGP",
            Self::Service { list, .. } => SERVICES.iter().find(|s| s.0 == *list).map_or("unknown", |s| s.1),
        }
    }

    /// sops's `ToString`: recipient, fingerprint, ARN, … No secret.
    pub fn name(&self) -> String {
        match self {
            Self::Age { recipient, .. } => recipient.clone(),
            Self::Pgp { fingerprint, .. } => fingerprint.clone(),
            Self::Service { list, fields } => {
                let f = Fields::new(fields);
                let text = |name| f.text(name).unwrap_or_default();
                match *list {
                    "kms" => match text("role") {
                        role if role.is_empty() => text("arn"),
                        role => format!("{}+{role}", text("arn")),
                    },
                    "gcp_kms" => text("resource_id"),
                    "hckms" => text("key_id"),
                    "azure_kv" => format!("{}/keys/{}/{}", text("vault_url"), text("name"), text("version")),
                    _ => format!("{}/v1/{}/keys/{}", text("vault_address"), text("engine_path"), text("key_name")),
                }
            }
        }
    }

    pub fn enc(&self) -> String {
        match self {
            Self::Age { enc, .. } | Self::Pgp { enc, .. } => enc.clone(),
            Self::Service { fields, .. } => Fields::new(fields).text("enc").unwrap_or_default(),
        }
    }

    pub(super) fn created_at(&self) -> Option<&str> {
        match self {
            Self::Pgp { created_at, .. } => Some(created_at),
            _ => None,
        }
    }

    fn set_enc(&mut self, new: String, now: &str) {
        match self {
            Self::Age { enc, .. } => *enc = new,
            Self::Pgp { enc, created_at, .. } => {
                *enc = new;
                if created_at.is_empty() {
                    now.clone_into(created_at);
                }
            }
            Self::Service { fields, .. } => {
                for item in fields {
                    if item.key.is(b"enc") {
                        item.value = Value::text(new.clone());
                    }
                }
            }
        }
    }

    /// The keys of a metadata block or of a key group, in sops's order.
    pub(super) fn group(f: &Fields<'_>) -> Result<KeyGroup, Error> {
        let mut out = Vec::new();
        for (list, _, names) in &SERVICES {
            for key in f.list(list)? {
                let key = Fields::new(key);
                let mut fields = Vec::new();
                for name in *names {
                    let (name, optional) = name.strip_suffix('?').map_or((*name, false), |n| (n, true));
                    let value = match key.value(name) {
                        Some(map @ Value::Branch(_)) => map.clone(),
                        _ => Value::text(key.text(name)?),
                    };
                    if !optional || !matches!(&value, Value::Text(t) if t.is_empty()) {
                        fields.push((name.to_owned(), value));
                    }
                }
                out.push(Self::Service { list, fields: sorted(fields) });
            }
        }
        for key in f.list("pgp")? {
            let key = Fields::new(key);
            out.push(Self::Pgp {
                fingerprint: key.text("fp")?,
                created_at: key.text("created_at")?,
                enc: key.text("enc")?,
            });
        }
        for key in f.list("age")? {
            let key = Fields::new(key);
            out.push(Self::Age { recipient: key.text("recipient")?, enc: key.text("enc")? });
        }
        Ok(out)
    }

    /// The lists that a group is written as; those without keys are left out.
    pub(super) fn lists(group: &KeyGroup) -> Vec<(&'static str, Value)> {
        let mut out: Vec<(&'static str, Value)> = Vec::new();
        for key in group {
            let fields = match key {
                Self::Age { recipient, enc } => sorted(vec![
                    ("enc".into(), Value::text(enc.clone())),
                    ("recipient".into(), Value::text(recipient.clone())),
                ]),
                Self::Pgp { fingerprint, created_at, enc } => {
                    let created = time(created_at).map_or_else(|_| created_at.clone(), |t| time_text(&t));
                    sorted(vec![
                        ("created_at".into(), Value::text(created)),
                        ("enc".into(), Value::text(enc.clone())),
                        ("fp".into(), Value::text(fingerprint.clone())),
                    ])
                }
                Self::Service { fields, .. } => fields.clone(),
            };
            match out.iter_mut().find(|(list, _)| *list == key.list()) {
                Some((_, Value::List(items))) => items.push(Value::Branch(fields)),
                _ => out.push((key.list(), Value::List(vec![Value::Branch(fields)]))),
            }
        }
        out
    }
}

/// Why a key service could not help. The text names keys and places, nothing secret.
pub type KeyError = String;

/// Something that holds private keys, or can reach them.
pub trait KeyService: Sync {
    /// The data key, or the share of it, that a master key holds.
    fn decrypt(&self, key: &MasterKey) -> Result<DataKey, KeyError>;

    /// Whether the private key of a master key is surely here: what it can't open is damaged.
    fn holds(&self, _key: &MasterKey) -> bool {
        false
    }

    /// Encrypts for the recipient of a master key.
    fn encrypt(&self, key: &MasterKey, plain: &[u8]) -> Result<String, KeyError>;
}

/// Asks one service after the other.
#[derive(Default)]
pub struct Services<'a>(pub Vec<&'a dyn KeyService>);

impl Services<'_> {
    /// The data key of a document.
    ///
    /// # Errors
    /// Exit code 128 with sops's report: what was tried with each key of each group.
    pub fn data_key(&self, metadata: &Metadata) -> Result<DataKey, Error> {
        let results: Vec<Result<DataKey, String>> = metadata.groups.iter().map(|g| self.group(g)).collect();
        let parts: Vec<DataKey> = results.iter().filter_map(|r| r.as_ref().ok().cloned()).collect();
        let failed = || Error::new(codes::NO_DATA_KEY, wrap::no_data_key(&results, metadata.threshold));
        if metadata.groups.len() <= 1 {
            return parts.into_iter().next().ok_or_else(failed);
        }
        if parts.len() < metadata.threshold {
            return Err(failed());
        }
        shamir::combine(&parts)
            .map_err(|e| Error::new(codes::NO_DATA_KEY, format!("could not get data key from shamir parts: {e}")))
    }

    /// What one group opens, age keys first, then PGP.
    fn group(&self, group: &KeyGroup) -> Result<DataKey, String> {
        let mut order: Vec<&MasterKey> = group.iter().collect();
        order.sort_by_key(|key| match key {
            MasterKey::Age { .. } => 0,
            MasterKey::Pgp { .. } => 1,
            MasterKey::Service { .. } => 2,
        });
        let mut failures = Vec::new();
        for key in order {
            let mut errors = Vec::new();
            for service in &self.0 {
                match service.decrypt(key) {
                    Ok(part) => return Ok(part),
                    Err(e) => errors.push(e),
                }
            }
            failures.push(wrap::key_failed(&key.name(), &errors));
        }
        Err(failures.join("\n\n"))
    }

    /// Encrypts a data key for all recipients of a document.
    pub fn seal(
        &self,
        metadata: &mut Metadata,
        key: &DataKey,
        now: &str,
        random: Random<'_>,
    ) -> Result<(), Vec<String>> {
        if metadata.groups.is_empty() {
            return Err(vec!["no key groups provided".into()]);
        }
        let parts = if metadata.groups.len() == 1 {
            vec![key.clone()]
        } else {
            if metadata.threshold == 0 {
                metadata.threshold = metadata.groups.len();
            }
            shamir::split(key, metadata.groups.len(), metadata.threshold, random)
                .map_err(|e| vec![format!("could not split data key into parts for Shamir: {e}")])?
        };
        let mut errors = Vec::new();
        for (group, part) in metadata.groups.iter_mut().zip(parts) {
            if group.is_empty() {
                return Err(vec!["empty key group provided".into()]);
            }
            for key in group {
                let mut failed = Vec::new();
                let mut sealed = None;
                for service in &self.0 {
                    match service.encrypt(key, &part) {
                        Ok(enc) => {
                            sealed = Some(enc);
                            break;
                        }
                        Err(e) => {
                            let name = crate::golang::strconv::quote(key.name().as_bytes());
                            failed.push(format!("failed to encrypt new data key with master key {name}: {e}"));
                        }
                    }
                }
                match sealed {
                    Some(enc) => key.set_enc(enc, now),
                    None => errors.extend(failed),
                }
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// A new data key, encrypted for all recipients.
    pub fn new_data_key(&self, metadata: &mut Metadata, now: &str, random: Random<'_>) -> Result<DataKey, Error> {
        let mut key: DataKey = Zeroizing::new(vec![0; 32]);
        if !random(&mut key) {
            return Err(Error::new(codes::FAILED, "Could not generate random key"));
        }
        self.seal(metadata, &key, now, random).map_err(|errors| {
            Error::new(codes::FAILED, format!("Could not generate data key: [{}]", errors.join(" ")))
        })?;
        Ok(key)
    }
}
