//! `.sops.yaml`: which file is encrypted for whom.

use super::age::check_recipient;
use super::error::{Error, codes};
use super::keys::{KeyGroup, MasterKey};
use super::metadata::{Selection, sorted};
use super::store::{Format, Store};
use super::value::{Branch, Value};
use crate::golang::regexp::Regexp;

/// A creation rule.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Empty: fits every file.
    pub path_regex: String,
    pub groups: Vec<KeyGroup>,
    pub threshold: usize,
    pub selection: Selection,
    pub mac_only_encrypted: bool,
}

/// A configuration file.
#[derive(Clone, Debug)]
pub struct Config {
    /// `None` if the file has no `creation_rules`.
    rules: Option<Vec<Branch>>,
    stores: Store,
}

fn failed(text: impl Into<String>) -> Error {
    Error::new(codes::FAILED, text)
}

fn get<'a>(branch: &'a Branch, name: &str) -> Option<&'a Value> {
    branch.iter().rev().find(|i| i.key.is(name.as_bytes())).map(|i| &i.value).filter(|v| !matches!(v, Value::Null))
}

fn text(branch: &Branch, name: &str) -> String {
    let bytes = get(branch, name).and_then(Value::to_bytes).unwrap_or_default();
    String::from_utf8_lossy(bytes.as_bytes()).into_owned()
}

fn number(branch: &Branch, name: &str) -> Option<i64> {
    match get(branch, name) {
        Some(Value::Int(n)) => Some(*n),
        _ => None,
    }
}

fn branches<'a>(branch: &'a Branch, name: &str) -> Vec<&'a Branch> {
    match get(branch, name) {
        Some(Value::List(items)) => items
            .iter()
            .filter_map(|v| match v {
                Value::Branch(b) => Some(b),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A string with commas, or a list of strings.
fn names(branch: &Branch, name: &str) -> Result<Vec<String>, Error> {
    let wrong = |want: &str, got: &Value| {
        failed(format!(
            "invalid {name} key configuration: invalid {name} key configuration: {want}, got {}",
            got.go_type()
        ))
    };
    match get(branch, name) {
        None => Ok(Vec::new()),
        Some(Value::Text(t)) => {
            let text = String::from_utf8_lossy(t.as_bytes()).into_owned();
            Ok(text.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect())
        }
        Some(Value::List(items)) => {
            let items = items.iter().filter(|v| !matches!(v, Value::Comment(_)));
            items
                .map(|item| match item {
                    Value::Text(t) => Ok(String::from_utf8_lossy(t.as_bytes()).into_owned()),
                    other => Err(wrong("expected string in list", other)),
                })
                .collect()
        }
        Some(other) => Err(wrong("expected string, []string, or nil", other)),
    }
}

fn service(list: &'static str, fields: &[(&str, String)]) -> MasterKey {
    let mut fields: Vec<(String, Value)> =
        fields.iter().map(|(k, v)| ((*k).to_owned(), Value::text(v.clone()))).collect();
    for empty in ["created_at", "enc"] {
        fields.push((empty.to_owned(), Value::text("")));
    }
    MasterKey::Service { list, fields: sorted(fields) }
}

fn age_keys(recipients: &[String]) -> Result<Vec<MasterKey>, Error> {
    let all = recipients.iter().flat_map(|r| r.split(',')).map(str::trim).filter(|r| !r.is_empty());
    all.map(|r| {
        check_recipient(r).map_err(failed)?;
        Ok(MasterKey::age(r))
    })
    .collect()
}

fn dedup(group: KeyGroup) -> KeyGroup {
    let mut out: KeyGroup = Vec::new();
    for key in group {
        if !out.iter().any(|k| k.list() == key.list() && k.name() == key.name()) {
            out.push(key);
        }
    }
    out
}

/// A group under `key_groups`.
fn group(branch: &Branch, depth: usize) -> Result<KeyGroup, Error> {
    if depth > 20 {
        return Err(failed("error loading config: key groups are merged too deeply"));
    }
    let mut out = Vec::new();
    for merged in branches(branch, "merge") {
        out.extend(group(merged, depth + 1)?);
    }
    out.extend(age_keys(&names(branch, "age")?)?);
    out.extend(names(branch, "pgp")?.iter().map(|fp| MasterKey::pgp(fp)));
    for key in branches(branch, "kms") {
        out.push(service("kms", &[("arn", text(key, "arn")), ("aws_profile", text(key, "aws_profile"))]));
    }
    for key in branches(branch, "gcp_kms") {
        out.push(service("gcp_kms", &[("resource_id", text(key, "resource_id"))]));
    }
    for key in branches(branch, "hckms") {
        out.push(service("hckms", &[("key_id", text(key, "key_id"))]));
    }
    for key in branches(branch, "azure_keyvault") {
        let fields =
            [("vault_url", text(key, "vaultUrl")), ("name", text(key, "key")), ("version", text(key, "version"))];
        out.push(service("azure_kv", &fields));
    }
    for uri in names(branch, "hc_vault")? {
        out.push(vault(&uri)?);
    }
    Ok(dedup(out))
}

/// `https://host:8200/v1/transit/keys/name`
fn vault(uri: &str) -> Result<MasterKey, Error> {
    let wrong = || failed(format!("invalid Vault transit URI {uri}"));
    let (address, path) = uri.split_once("/v1/").ok_or_else(wrong)?;
    let (engine, key) = path.split_once("/keys/").ok_or_else(wrong)?;
    let fields =
        [("vault_address", address.to_owned()), ("engine_path", engine.to_owned()), ("key_name", key.to_owned())];
    Ok(service("hc_vault", &fields))
}

/// The keys of a rule without `key_groups`.
fn flat_group(rule: &Branch) -> Result<KeyGroup, Error> {
    let mut out = age_keys(&names(rule, "age")?)?;
    out.extend(names(rule, "pgp")?.iter().map(|fp| MasterKey::pgp(fp)));
    for arn in names(rule, "kms")? {
        out.push(service("kms", &[("arn", arn), ("aws_profile", text(rule, "aws_profile"))]));
    }
    for id in names(rule, "gcp_kms")? {
        out.push(service("gcp_kms", &[("resource_id", id)]));
    }
    for id in names(rule, "hckms")? {
        out.push(service("hckms", &[("key_id", id)]));
    }
    for url in names(rule, "azure_keyvault")? {
        let wrong = || failed(format!("could not parse {url} into a valid Azure Key Vault key"));
        let (vault, rest) = url.split_once("/keys/").ok_or_else(wrong)?;
        let (name, version) = rest.split_once('/').unwrap_or((rest, ""));
        let fields = [("vault_url", vault.to_owned()), ("name", name.to_owned()), ("version", version.to_owned())];
        out.push(service("azure_kv", &fields));
    }
    for uri in names(rule, "hc_vault_transit_uri")? {
        out.push(vault(&uri)?);
    }
    Ok(out)
}

impl Rule {
    fn read(rule: &Branch) -> Result<Self, Error> {
        let selection = Selection {
            unencrypted_suffix: text(rule, "unencrypted_suffix"),
            encrypted_suffix: text(rule, "encrypted_suffix"),
            unencrypted_regex: text(rule, "unencrypted_regex"),
            encrypted_regex: text(rule, "encrypted_regex"),
            unencrypted_comment_regex: text(rule, "unencrypted_comment_regex"),
            encrypted_comment_regex: text(rule, "encrypted_comment_regex"),
        };
        if selection.count() > 1 {
            return Err(failed(
                "error loading config: cannot use more than one of encrypted_suffix, unencrypted_suffix, encrypted_regex, unencrypted_regex, encrypted_comment_regex, or unencrypted_comment_regex for the same rule",
            ));
        }
        let groups = branches(rule, "key_groups");
        let groups = if groups.is_empty() {
            vec![flat_group(rule)?]
        } else {
            groups.into_iter().map(|g| group(g, 0)).collect::<Result<_, _>>()?
        };
        Ok(Self {
            path_regex: text(rule, "path_regex"),
            groups,
            threshold: usize::try_from(number(rule, "shamir_threshold").unwrap_or(0)).unwrap_or(0),
            selection,
            mac_only_encrypted: matches!(get(rule, "mac_only_encrypted"), Some(Value::Bool(true))),
        })
    }
}

impl Config {
    /// Reads a configuration.
    pub fn parse(yaml: &[u8]) -> Result<Self, Error> {
        let loading = |e: Error| e.context("error loading config: Could not unmarshal config file: ");
        let root = Store::from(Format::Yaml).load_plain(yaml).map_err(loading)?.into_iter().next().unwrap_or_default();
        let rules =
            get(&root, "creation_rules").map(|_| branches(&root, "creation_rules").into_iter().cloned().collect());
        let mut stores = Store::from(Format::Yaml);
        if let Some(Value::Branch(settings)) = get(&root, "stores") {
            let indent = |name: &str| match get(settings, name) {
                Some(Value::Branch(b)) => number(b, "indent"),
                _ => None,
            };
            if let Some(n) = indent("yaml") {
                if n < 0 {
                    return Err(failed("YAML Negative indentation not accepted"));
                }
                stores.yaml_indent = usize::try_from(n).unwrap_or(4);
            }
            stores.json_indent = indent("json").and_then(|n| usize::try_from(n).ok());
            stores.binary_indent = indent("json_binary").and_then(|n| usize::try_from(n).ok());
        }
        Ok(Self { rules, stores })
    }

    /// The settings for a kind of document.
    pub const fn store(&self, format: Format) -> Store {
        self.stores.with_format(format)
    }

    /// The first rule that fits a file; `path` is relative to the configuration's directory. `None` if there are no rules at all.
    ///
    /// # Errors
    /// No rule fits, or the one that fits is wrong.
    pub fn rule(&self, path: &str) -> Result<Option<Rule>, Error> {
        let Some(rules) = &self.rules else { return Ok(None) };
        for rule in rules {
            let regex = text(rule, "path_regex");
            let fits = regex.is_empty()
                || Regexp::cached(regex.as_bytes())
                    .map_err(|e| failed(format!("can not compile regexp: {e}")))?
                    .is_match(path.as_bytes());
            if fits {
                return Rule::read(rule).map(Some);
            }
        }
        Err(failed("error loading config: no matching creation rules found"))
    }
}
