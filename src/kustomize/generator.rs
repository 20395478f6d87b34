//! ConfigMaps and Secrets from literals, files and environment files, and the hash of their content.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::emit;
use super::error::{Error, Result};
use super::given::Given;
use super::json::Json;
use super::kustomization::{GeneratorArgs, GeneratorOptions};
use super::lookup;
use super::node::{Kind, Node, Tag};
use super::resource::{self, BEHAVIOR, NEEDS_HASH, Resource, Source};
use super::tree::Loader;
use crate::golang::strconv::quote;

/// The options of one generator over those for all (`MergeGlobalOptionsIntoLocal`).
pub fn merge_options(local: Option<&GeneratorOptions>, global: Option<&GeneratorOptions>) -> Option<GeneratorOptions> {
    let Some(global) = global else { return local.cloned() };
    let mut out = local.cloned().unwrap_or_default();
    for (own, theirs) in [(&mut out.labels, &global.labels), (&mut out.annotations, &global.annotations)] {
        if let Some(theirs) = theirs {
            let own = own.get_or_insert_default();
            for (key, value) in theirs {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    out.disable_name_suffix_hash |= global.disable_name_suffix_hash;
    out.immutable |= global.immutable;
    Some(out)
}

/// Makes a ConfigMap or a Secret.
pub fn generate(args: &GeneratorArgs, secret: bool, loader: &Loader<'_>, source: Source) -> Result<Resource> {
    if args.name.is_empty() {
        return Err("a configmap must have a name".into());
    }
    let mut node = Node { tag: Tag::Map, ..Node::mapping() };
    node.push_field("apiVersion", Node::tagged_scalar("v1", Tag::Str));
    node.push_field("kind", Node::tagged_scalar(if secret { "Secret" } else { "ConfigMap" }, Tag::Str));
    node.set_path(&["metadata", "name"], Node::string(args.name.as_str()))?;
    if !args.namespace.is_empty() {
        node.set_path(&["metadata", "namespace"], Node::string(args.namespace.as_str()))?;
    }
    if secret {
        let ty = if args.secret_type.is_empty() { "Opaque" } else { &args.secret_type };
        node.set_field("type", Node::string(ty))?;
    }
    let mut data: BTreeMap<String, Cow<'_, [u8]>> = BTreeMap::new();
    for (key, value) in pairs(args, loader).map_err(|e| e.wrap("loading KV pairs"))? {
        if data.insert(key.clone(), value).is_some() {
            return Err(Error::new(format!("configmap {} illegally repeats the key `{key}`", args.name)));
        }
    }
    if secret && let Some(map) = lookup::get_or_create(&mut node, &["data"], Kind::Mapping)? {
        for (key, value) in &data {
            resource::load_secret(map, key, value)?;
        }
    } else {
        for (key, value) in &data {
            resource::load_data(&mut node, "data", key, value)?;
        }
    }
    let options = args.options.as_ref();
    for (key, value) in options.and_then(|o| o.labels.as_ref()).into_iter().flatten() {
        resource::set_label(&mut node, key, value)?;
    }
    for (key, value) in options.and_then(|o| o.annotations.as_ref()).into_iter().flatten() {
        resource::set_annotation(&mut node, key, value)?;
    }
    if options.is_some_and(|o| o.immutable) {
        node.set_field("immutable", Node::tagged_scalar("true", Tag::Bool))?;
    }
    let mut out = Resource::new(node, source);
    out.given = args.files.iter().filter_map(|source| given(source, loader)).collect();
    if !options.is_some_and(|o| o.disable_name_suffix_hash) {
        out.enable(NEEDS_HASH)?;
    }
    let behavior = match args.behavior.as_str() {
        b @ ("replace" | "merge" | "create") => b,
        _ => "unspecified",
    };
    out.set_note(BEHAVIOR, behavior)?;
    Ok(out)
}

fn given(source: &str, loader: &Loader<'_>) -> Option<Given> {
    let (key, file) = file_source(source).ok()?;
    Some(Given::File { key, file: loader.path(file).into() })
}

type Pair<'t> = (String, Cow<'t, [u8]>);

/// All pairs: of environment files, literals and files, in that order.
fn pairs<'t>(args: &GeneratorArgs, loader: &Loader<'t>) -> Result<Vec<Pair<'t>>> {
    let mut out = Vec::new();
    let listed = |items: &[String]| format!("[{}]", items.join(" "));
    for file in &args.envs {
        env_file(file, loader, &mut out).map_err(|e| e.wrap(format!("env source files: {}", listed(&args.envs))))?;
    }
    for literal in &args.literals {
        let pair = literal.split_once('=').filter(|(key, _)| !key.is_empty());
        let Some((key, value)) = pair else {
            let e = Error::new(format!("invalid literal source {literal}, expected key=value"));
            return Err(e.wrap(format!("literal sources {}", listed(&args.literals))));
        };
        out.push((key.to_owned(), Cow::Owned(unquoted(value).as_bytes().to_vec())));
    }
    for source in &args.files {
        let load = |source: &str| -> Result<Pair<'t>> {
            let (key, file) = file_source(source)?;
            Ok((key, loader.load(file)?))
        };
        out.push(load(source).map_err(|e| e.wrap(format!("file sources: {}", listed(&args.files))))?);
    }
    Ok(out)
}

/// One pair of quotes around a value does not count.
fn unquoted(value: &str) -> &str {
    let inner = |q: char| value.strip_prefix(q).and_then(|v| v.strip_suffix(q));
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

/// `key=path`, or a path whose last part is the key.
fn file_source(source: &str) -> Result<(String, &str)> {
    let name = |text: &str| quote(text.as_bytes());
    match source.matches('=').count() {
        0 => {
            let base = crate::golang::path::base(source.as_bytes());
            Ok((String::from_utf8_lossy(base).into_owned(), source))
        }
        1 => match source.split_once('=') {
            Some(("", file)) => {
                Err(Error::new(format!("missing key name for file path {} in source {}", name(file), name(source))))
            }
            Some((key, "")) => {
                Err(Error::new(format!("missing file path for key name {} in source {}", name(key), name(source))))
            }
            Some((key, file)) => Ok((key.to_owned(), file)),
            None => Ok((source.to_owned(), source)),
        },
        _ => Err(Error::new(format!("source {} key name or file path contains '='", name(source)))),
    }
}

/// Go's line scanner gives up, without a word, on a line of this length.
const LONGEST_LINE: usize = 64 * 1024;

fn env_file<'t>(file: &str, loader: &Loader<'t>, out: &mut Vec<Pair<'t>>) -> Result<()> {
    let content = loader.load(file)?;
    for (n, line) in content.split(|b| *b == b'\n').enumerate() {
        if line.len() >= LONGEST_LINE {
            break;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(mut text) = std::str::from_utf8(line) else {
            let bytes: Vec<String> = line.iter().map(u8::to_string).collect();
            let shown = crate::yaml::convert::valid_utf8(line);
            let e = format!("line [{}] has invalid utf8 bytes : {}", bytes.join(" "), String::from_utf8_lossy(&shown));
            return Err(Error::new(e).at(&loader.path(file), n as u32 + 1));
        };
        if n == 0 {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        // Go's unicode.IsSpace.
        let text = text.trim_start_matches(|c: char| c.is_whitespace() && c != '\u{2007}' || c == '\u{85}');
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        if key.is_empty() {
            // A line without a key counts as a blank one.
            continue;
        }
        out.push((key.to_owned(), Cow::Owned(value.as_bytes().to_vec())));
    }
    Ok(())
}

/// The hash that the name of a generated object with this text has, if the text is one object.
pub fn hash_of(text: &str) -> Option<String> {
    let object = super::objects::from_text(text.as_bytes(), &"".into()).ok()?.into_iter().next()?;
    hash(&object.node).ok()
}

/// The hash that is appended to the name of a generated object.
pub fn hash(node: &Node) -> Result<String> {
    let kind = resource::kind(node);
    let (fields, optional): (&[&str], _) = match kind {
        "ConfigMap" => (&["data"], "binaryData"),
        "Secret" => (&["type", "data"], "stringData"),
        other => {
            return Err(Error::new(format!(
                "the name of a {other} cannot be given a hash: only ConfigMaps and Secrets can"
            )));
        }
    };
    // kustomize means to include the name, but looks for it under a wrong path.
    let mut entries = vec![("kind".to_owned(), Json::str(kind)), ("name".to_owned(), Json::str(""))];
    for field in fields {
        entries.push(((*field).to_owned(), hashed(node, field)?));
    }
    if let value @ Json::Map(_) = hashed(node, optional)? {
        entries.push((optional.to_owned(), value));
    }
    let text = Json::map(entries).encode();
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(5).map(|b| format!("{b:02x}")).collect();
    // No vowels, so that no words come about.
    let letter = |c| match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        c => c,
    };
    Ok(hex.chars().map(letter).collect())
}

fn hashed(node: &Node, field: &str) -> Result<Json> {
    match lookup::get(node, &[field])? {
        None => Ok(Json::str("")),
        Some(value) if value.kind == Kind::Scalar => Ok(Json::str(value.value.as_str())),
        Some(value) => match emit::to_json(value, true)? {
            map @ Json::Map(_) => Ok(floats(map)),
            _ => Ok(Json::Null),
        },
    }
}

/// Numbers as they are after a pass through Go's `interface{}`.
fn floats(value: Json) -> Json {
    match value {
        Json::Int(n) => Json::Float(n as f64),
        Json::Uint(n) => Json::Float(n as f64),
        Json::List(items) => Json::List(items.into_iter().map(floats).collect()),
        Json::Map(entries) => Json::Map(entries.into_iter().map(|(k, v)| (k, floats(v))).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kustomize::read;

    #[test]
    fn hashes_are_kustomizes() {
        for (text, want) in [
            ("kind: ConfigMap\ndata: {a: \"<x>&y\"}\n", "275f7b2m56"),
            ("kind: ConfigMap\ndata: {k: v}\n", "bdg947hgcc"),
            ("kind: ConfigMap\ndata: {a: \"1\"}\n", "h29d89cmmt"),
            ("kind: ConfigMap\n", "6ct58987ht"),
            ("kind: Secret\ntype: Opaque\ndata: {p: MQ==}\n", "fcd7kg2454"),
            ("kind: Secret\ntype: Opaque\ndata: {}\n", "46f8b28mk5"),
            ("kind: ConfigMap\nbinaryData: {x.bin: YQD/}\ndata: {k: é☃, z: \"  q \"}\n", "g5mfkc669t"),
        ] {
            let node = read::parse(text.as_bytes()).unwrap().unwrap();
            assert_eq!(hash(&node).unwrap(), want, "{text}");
        }
    }
}
