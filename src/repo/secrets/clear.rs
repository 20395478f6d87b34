//! What stands in clear where it should not: values of Kubernetes Secrets, and values that a creation rule of `.sops.yaml` would encrypt.
//!
//! A rule's pattern tells which files `sops encrypt` may be used on, not that all of them are secret: many repositories have one rule that fits every
//! YAML file. So a rule accuses a file only if its name or directory was meant, and only if it holds a value that the rule would hide.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::golang::regexp::Regexp;
use crate::repo::generated::NAMES;
use crate::repo::mask::MASK;
use crate::sops::config::Rule;
use crate::sops::{Branch, Comment, Format, Key, Metadata, Selection, Value};
use crate::yaml::edit::Text;

/// A name that nobody gives a file or directory: a pattern that fits it chooses by something else.
const NOBODYS: &str = "xq0zj7kw";

/// The ends of templates' names.
const TEMPLATES: [&str; 7] = [".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".gotmpl", ".tftpl"];

/// The fields that hold a Secret's values.
const SECRET_FIELDS: [&[u8]; 2] = [b"data", b"stringData"];

/// True if a rule wants a file encrypted and the file holds something that it would encrypt. `path` is relative to the `.sops.yaml`.
pub(super) fn is_wanted(rule: &Rule, path: &str, text: &[u8]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let end = end_of(name);
    // A template is no file that sops could read: what is made of it is encrypted.
    if rule.path_regex.is_empty() || NAMES.contains(&name) || TEMPLATES.contains(&end) {
        return false;
    }
    let fits = |path: &str| Regexp::cached(rule.path_regex.as_bytes()).is_ok_and(|r| r.is_match(path.as_bytes()));
    // It fits every file of this form, or all YAML, and so chooses none; Secrets in clear are found all the same.
    if [end, ".yaml", ".yml"].iter().any(|end| fits(&format!("{NOBODYS}/{NOBODYS}{end}"))) {
        return false;
    }
    let any_name = fits_any_name(rule, path);
    if any_name && name.starts_with('.') && !name.starts_with(".env") {
        return false;
    }
    // What sops can't read it can't encrypt either.
    let branches = super::store(path).load_plain(text).unwrap_or_default();
    let elsewhere = tagged(path, text);
    branches.iter().any(|branch| would_encrypt(&rule.selection, branch, any_name, &elsewhere))
}

/// The values that a tag of another program tells it to look up (`!secret wifi_password`, `!env_var API_KEY`).
fn tagged(path: &str, text: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut out = BTreeSet::new();
    if Format::of_path(path) != Format::Yaml || !text.contains(&b'!') {
        return out;
    }
    let documents = Text::parse(text).map_or_else(|_| Vec::new(), |yaml| yaml.documents);
    for node in documents.into_iter().flat_map(|d| d.nodes) {
        let name = node.tag.strip_prefix('!').filter(|name| node.children.is_empty() && !name.starts_with('!'));
        if name.is_some_and(|name| !name.is_empty()) {
            out.insert(node.value);
        }
    }
    out
}

/// A name's end with its dot.
fn end_of(name: &str) -> &str {
    name.rfind('.').filter(|at| *at > 0).and_then(|at| name.get(at..)).unwrap_or_default()
}

/// True if a rule would fit a file of any other name in the same directory: it chooses the directory.
pub(super) fn fits_any_name(rule: &Rule, path: &str) -> bool {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let any = format!("{dir}/{NOBODYS}{}", end_of(name));
    Regexp::cached(rule.path_regex.as_bytes()).is_ok_and(|r| r.is_match(any.as_bytes()))
}

/// True if a rule would encrypt some value of a document, those that lie `elsewhere` aside.
fn would_encrypt(selection: &Selection, branch: &Branch, any_name: bool, elsewhere: &BTreeSet<Vec<u8>>) -> bool {
    let metadata = Metadata::new(Vec::new(), selection.clone());
    let is_text = |key: &str, want: Option<&[u8]>| {
        branch.iter().any(|item| match (&item.key, &item.value) {
            (Key::Text(k), Value::Text(t)) => k == key.as_bytes() && want.is_none_or(|w| w == t.as_bytes()),
            _ => false,
        })
    };
    let is_object = is_text("apiVersion", None) && is_text("kind", None);
    // A rule that names `data` means Secrets: other kinds have a field of that name too (ConfigMaps, ExternalSecrets).
    let passed = any_name && is_object && !is_text("kind", Some(b"Secret"));
    let mut selects = |path: &[Vec<u8>], comment: Option<&Comment>| {
        let meant = path.iter().filter(|key| !passed || !SECRET_FIELDS.contains(&key.as_slice()));
        let path: Vec<Vec<u8>> = meant.cloned().collect();
        let comments: Vec<Vec<Vec<u8>>> = comment.map(|c| vec![vec![c.text.as_bytes().to_vec()]]).unwrap_or_default();
        metadata.selector().selects(&path, &comments, false)
    };
    let by_comment = !selection.encrypted_comment_regex.is_empty();
    walk(branch, &mut Vec::new(), (by_comment, elsewhere), &mut selects)
}

/// Whether a value below these keys, or what a comment stands above, is to be encrypted.
type Selects<'s> = dyn FnMut(&[Vec<u8>], Option<&Comment>) -> bool + 's;

/// Whether some value (where comments select values: some comment) is selected.
fn walk(branch: &Branch, path: &mut Vec<Vec<u8>>, how: (bool, &BTreeSet<Vec<u8>>), selects: &mut Selects<'_>) -> bool {
    fn value(v: &Value, path: &mut Vec<Vec<u8>>, how: (bool, &BTreeSet<Vec<u8>>), selects: &mut Selects<'_>) -> bool {
        let (by_comment, elsewhere) = how;
        match v {
            Value::Branch(branch) => walk(branch, path, how, selects),
            Value::List(list) => list.iter().any(|v| value(v, path, how, selects)),
            Value::Comment(comment) => by_comment && selects(path, Some(comment)),
            // A switch gives nothing away.
            Value::Null | Value::Bool(_) => false,
            Value::Text(text)
                if text.as_bytes().is_empty()
                    || elsewhere.contains(text.as_bytes())
                    || is_reference(&String::from_utf8_lossy(text.as_bytes())) =>
            {
                false
            }
            _ => !by_comment && selects(path, None),
        }
    }
    let (by_comment, _) = how;
    branch.iter().any(|item| match &item.key {
        Key::Comment(comment) => by_comment && selects(path, Some(comment)),
        Key::Text(key) => {
            path.push(key.clone());
            let found = value(&item.value, path, how, selects);
            path.pop();
            found
        }
        Key::Other { .. } => value(&item.value, path, how, selects),
    })
}

/// True for a file of Kubernetes objects, none of which is a Secret, and for what is no document at all (templates, scripts).
pub(super) fn is_other(path: &str, text: &[u8]) -> bool {
    match Format::of_path(path) {
        Format::Yaml => {}
        Format::Binary => return true,
        _ => return false,
    }
    let Ok(yaml) = Text::parse(text) else { return false };
    let all = (0..yaml.documents.len()).filter_map(|d| yaml.root(d).map(|root| (d, root)));
    let mut kinds = all.map(|(d, root)| {
        let field = |name: &str| yaml.get(d, root, name).and_then(|n| yaml.text(d, n));
        field("apiVersion").and(field("kind"))
    });
    kinds.all(|kind| kind.is_some_and(|kind| kind != "Secret"))
}

/// The fields of Kubernetes Secrets in a file that hold values in clear, each with its line.
pub(super) fn plain_secrets(path: &str, text: &[u8]) -> Vec<(String, u32)> {
    let mut out = Vec::new();
    if Format::of_path(path) != Format::Yaml || memchr::memmem::find(text, b"Secret").is_none() {
        return out;
    }
    let Ok(yaml) = Text::parse(text) else { return out };
    for d in 0..yaml.documents.len() {
        let Some(root) = yaml.root(d) else { continue };
        let field = |name: &str| yaml.get(d, root, name).and_then(|n| yaml.text(d, n));
        if field("kind").as_deref() != Some("Secret") || field("apiVersion").as_deref() != Some("v1") {
            continue;
        }
        let Some(doc) = yaml.documents.get(d) else { continue };
        let pairs = doc.target(root).map(|n| n.children.clone()).unwrap_or_default();
        for pair in pairs.chunks(2) {
            let [key, value] = pair else { continue };
            let (Some(key), Some(value)) = (doc.nodes.get(*key), doc.target(*value)) else { continue };
            let entries: Vec<_> = value
                .children
                .chunks(2)
                .filter_map(|pair| Some((doc.nodes.get(*pair.first()?)?, doc.target(*pair.get(1)?)?)))
                .collect();
            // Who writes variables for what is secret has the rest beside them on purpose. (`data` is base64, which has none.)
            let of_parts = key.value == b"stringData" && entries.iter().any(|(_, v)| has_variable(&v.value));
            let harmless = entries.iter().all(|(key, v)| {
                !v.children.is_empty() || is_harmless(&v.value) || of_parts && is_setting(&key.value, &v.value)
            });
            if !harmless && SECRET_FIELDS.contains(&key.value.as_slice()) {
                out.push((String::from_utf8_lossy(&key.value).into_owned(), key.line));
            }
        }
    }
    out
}

/// A Secret's value that gives nothing away: none at all, the mask of a stored render, a template, a reference to where the value lies.
fn is_harmless(value: &[u8]) -> bool {
    // Stored renders have Secrets without their values, templates mostly with what makes them.
    value.is_empty()
        || value == MASK.as_bytes()
        || memchr::memmem::find(value, b"{{").is_some()
        || is_reference(&String::from_utf8_lossy(value))
}

/// What a key is called that holds a secret.
static SECRETIVE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)pass|pwd|secret|token|key|cred|auth|priv|cert|salt|seed|dsn|cookie|sign").ok());
/// An address with a password that is no variable.
static PASSWORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"://[^/\s@]*:[^$/\s@][^/\s@]*@").ok());

fn has_variable(value: &[u8]) -> bool {
    VARIABLE.as_ref().is_some_and(|variable| variable.is_match(&String::from_utf8_lossy(value)))
}

/// True for a value beside variables that is a setting by its key and its looks.
fn is_setting(key: &[u8], value: &[u8]) -> bool {
    let (Some(secretive), Some(password), Some(variable)) = (SECRETIVE.as_ref(), PASSWORD.as_ref(), VARIABLE.as_ref())
    else {
        return false;
    };
    let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
    // What nobody writes by hand.
    let is_random = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        word.len() >= 16 && digits >= 3 && word.len() - digits >= 3
    };
    let words = value.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '=')));
    // A variable's own default may be the secret.
    let plain = value.matches("${").count() == variable.find_iter(&value).count();
    plain && !secretive.is_match(&key) && !password.is_match(&value) && !words.into_iter().any(is_random)
}

/// References of others than Flux, each the whole value: 1Password, argocd-vault-plugin, vals, bank-vaults, templates.
static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:(?:op://|ref\+|vault:)\S+|<(?:path|secret):[^<>\n]+>|\{\{[^{}\n]*\}\})$").ok());

/// A variable of Flux. A default that is not empty may be the secret itself.
static VARIABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::?[=-])?\}").ok());

/// True for a text that is nothing but references.
fn is_reference(text: &str) -> bool {
    let text = text.trim();
    let (Some(reference), Some(variable)) = (REFERENCE.as_ref(), VARIABLE.as_ref()) else { return false };
    reference.is_match(text) || variable.is_match(text) && variable.replace_all(text, "").trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_values() {
        for (text, want) in [
            ("${token}", true),
            ("${user}${password}", true),
            ("${token:=}", true),
            ("${token:-}", true),
            ("op://vault/item/field", true),
            ("<path:secret/data/app#key>", true),
            ("<secret:app#key | base64encode>", true),
            ("ref+vault://secret/app#/key", true),
            ("vault:secret/data/app#KEY", true),
            ("{{ .token }}", true),
            ("hunter2{{ .token }}", false),
            ("${token:=hunter2}", false),
            ("${user}:hunter2", false),
            ("$(token)", false),
            ("op://vault/item hunter2", false),
            ("<path:a> hunter2", false),
            ("hunter2 ref+vault://x", false),
            ("hunter2", false),
            ("", false),
        ] {
            assert_eq!(is_reference(text), want, "{text}");
        }
    }

    #[test]
    fn a_rule_accuses_what_it_would_encrypt() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n";
        let config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n";
        let external = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nspec:\n  data: [{secretKey: a}]\n";
        let fields = "^(data|stringData)$";
        for (pattern, selected, path, text, want) in [
            // Fits all, so it chooses none: a Secret is found as one in clear.
            (".*.yaml", fields, "apps/a.yaml", secret, false),
            (".*", "", "apps/a.yaml", "a: b\n", false),
            (".*.yaml", "", "tests/lint-yaml.sh", "#!/bin/sh\n", false),
            ("\\.ya?ml$", "", ".yamllint.yaml", "rules: {}\n", false),
            // A directory is chosen.
            ("apps/.*", fields, "apps/a.yaml", secret, true),
            ("apps/.*", fields, "apps/a.yaml", config_map, false),
            ("apps/.*", fields, "apps/a.yaml", external, false),
            ("apps/.*", fields, "apps/kustomization.yaml", "resources: [a.yaml]\n", false),
            ("apps/.*", "", "apps/kustomization.yaml", "resources: [a.yaml]\n", false),
            ("apps/.*", fields, "apps/values.yaml", "data: {password: x}\n", true),
            ("apps/.*", fields, "apps/values.yaml", "image: x\n", false),
            ("apps/.*", "^password$", "apps/a.yaml", "kind: A\napiVersion: b/v1\nspec: {password: x}\n", true),
            ("apps/.*", "", "apps/a.yaml", "a: b\n", true),
            ("apps/.*", "", "apps/a.yaml", "a: ''\n# nothing\nb: {}\nc: null\n", false),
            ("apps/.*", "^(secret|key)$", "apps/a.yaml", "secret: false\nkey: !env_var API_KEY\n", false),
            ("apps/.*", "^(secret|key)$", "apps/a.yaml", "secret: false\nkey: !!str hunter2\n", true),
            ("apps/.*", "", "apps/a.sops.yaml.j2", "a: #{ password }#\n", false),
            ("apps/.*", "", "apps/.gitignore", "*.tmp\n", false),
            ("apps/.*", "", "apps/.env", "A=b\n", true),
            ("apps/.*", "", "apps/a.json", "{\"a\": 1}", true),
            // A name is chosen.
            ("secret\\.yaml$", fields, "apps/secret.yaml", "data: {a: '${token}'}\n", false),
            ("secret\\.yaml$", fields, "apps/secret.yaml", config_map, true),
            ("\\.sops\\.yaml$", fields, "apps/a.sops.yaml", config_map, true),
            ("\\.sops\\.yaml$", fields, "apps/a.sops.yaml", "apiVersion: v1\nkind: ServiceAccount\n", false),
            ("\\.sops\\.yaml$", fields, "apps/a.sops.yaml", "data: {a: '{{'\n", false),
        ] {
            let selection = Selection { encrypted_regex: selected.into(), ..Selection::default() };
            let rule = Rule { path_regex: pattern.into(), selection, ..Rule::default() };
            assert_eq!(is_wanted(&rule, path, text.as_bytes()), want, "{pattern} {selected} {path} {text}");
        }
        let selection = Selection { unencrypted_regex: "^(kind|apiVersion|metadata)$".into(), ..Selection::default() };
        let rule = Rule { path_regex: "secret".into(), selection, ..Rule::default() };
        let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n";
        assert!(
            is_wanted(&rule, "secret.yaml", secret.as_bytes()) && !is_wanted(&rule, "secret.yaml", account.as_bytes())
        );
        let selection = Selection { encrypted_comment_regex: "sops:enc".into(), ..Selection::default() };
        let rule = Rule { path_regex: "secret".into(), selection, ..Rule::default() };
        assert!(
            is_wanted(&rule, "secret.yaml", b"# sops:enc\na: b\n")
                && !is_wanted(&rule, "secret.yaml", b"# other\na: b\n")
        );
    }
}
