//! Replacements: a value copied from one object, or given, into fields of others, also into YAML or JSON inside a text.

use super::emit;
use super::error::{Error, Result};
use super::ids::Id;
use super::json::Json;
use super::kustomization::{FieldOptions, Replacement, Source, Target};
use super::lookup::{self, split_path_smart};
use super::node::{Kind, Node};
use super::print;
use super::read;
use super::resmap::ResMap;
use super::resource;
use super::selector::SelectorRegex;
use super::shared;

const DEFAULT_PATH: &str = "metadata.name";

/// All replacements, one after the other.
pub fn apply(replacements: &[Replacement], map: &mut ResMap) -> Result<()> {
    for replacement in replacements {
        let (Some(targets), true) =
            (&replacement.targets, replacement.source.is_some() || replacement.source_value.is_some())
        else {
            return Err("replacements must specify a source and at least one target".into());
        };
        let value = source_value(replacement, map)?;
        for target in targets {
            apply_to_target(&value, target, map)?;
        }
    }
    map.items_mut();
    map.drop_empty();
    Ok(())
}

/// All ids of an object, the current one first (`MakeResIds`).
fn all_ids(node: &Node) -> Result<Vec<Id>> {
    let mut ids = vec![Id { cluster: false, ..resource::current_id(node) }];
    ids.extend(resource::previous_ids(node)?);
    Ok(ids)
}

fn describe(source: &Source) -> String {
    let mut parts = vec![source.id.to_string()];
    if !source.field_path.is_empty() {
        parts.push(source.field_path.clone());
    }
    if let Some(o) = source.options.as_ref().filter(|o| !o.delimiter.is_empty() || o.create) {
        parts.push(format!("{}({}), create={}", o.delimiter, o.index, o.create));
    }
    parts.join(":")
}

fn source_value(replacement: &Replacement, map: &ResMap) -> Result<Node> {
    let source = match (&replacement.source, &replacement.source_value) {
        (Some(_), Some(_)) => return Err("value and resource selectors are mutually exclusive".into()),
        (None, value) => return Ok(Node::scalar(value.clone().unwrap_or_default())),
        (Some(source), None) => source,
    };
    let mut found: Option<&Node> = None;
    for r in map.items() {
        let ids = all_ids(&r.node).map_err(|e| e.wrap("error getting node IDs"))?;
        if ids.iter().any(|id| id.is_selected_by(&source.id)) && found.replace(&r.node).is_some() {
            return Err(Error::new(format!("multiple matches for selector {}", describe(source))));
        }
    }
    let Some(node) = found else {
        return Err(Error::new(format!("nothing selected by {}", describe(source))));
    };
    let path = if source.field_path.is_empty() { DEFAULT_PATH } else { &source.field_path };
    let value = lookup::get(node, &split_path_smart(path, '.'))
        .map_err(|e| e.wrap("error looking up replacement source"))?
        .filter(|n| !n.is_empty());
    let Some(value) = value else {
        return Err(Error::new(format!("fieldPath `{path}` is missing for replacement source {}", source.id)));
    };
    let value = &shared::detached(value);
    let Some(options) = source.options.as_ref().filter(|o| !o.delimiter.is_empty()) else { return Ok(value.clone()) };
    if value.kind != Kind::Scalar {
        return Err("delimiter option can only be used with scalar nodes".into());
    }
    let part = usize::try_from(options.index).ok().and_then(|i| value.text().split(options.delimiter.as_str()).nth(i));
    match part {
        Some(part) => Ok(Node { value: part.to_owned(), ..value.clone() }),
        None => Err(Error::new(format!("options.index {} is out of bounds for value {}", options.index, value.text()))),
    }
}

fn apply_to_target(value: &Node, target: &Target, map: &mut ResMap) -> Result<()> {
    let Some(select) = &target.select else { return Err("target must specify resources to select".into()) };
    let wrap = |e: Error| e.wrap("error creating target selector");
    let regex = SelectorRegex::new(select).map_err(wrap)?;
    let mut rejects = Vec::new();
    for reject in &target.reject {
        rejects.push((reject, SelectorRegex::new(reject).map_err(wrap)?));
    }
    let default = [DEFAULT_PATH.to_owned()];
    let paths: &[String] = if target.field_paths.is_empty() { &default } else { &target.field_paths };
    let fits = |regex: &SelectorRegex, id: &Id| {
        regex.matches_gvk(&id.gvk) && regex.matches_name(&id.name) && regex.matches_namespace(&id.namespace)
    };
    for r in map.contents_mut() {
        let ids = all_ids(&r.node)?;
        if !select.matches_labels(&r.node)? {
            continue;
        }
        let mut rejected = false;
        for (reject, regex) in &rejects {
            let labelled = !reject.annotations.is_empty() || !reject.labels.is_empty();
            rejected |= labelled && reject.matches_labels(&r.node)?;
            rejected |= reject.id != Id::default() && ids.iter().any(|id| fits(regex, id));
        }
        if rejected || !ids.iter().any(|id| fits(&regex, id)) {
            continue;
        }
        for path in paths {
            let at = |e: Error| e.at(&r.source.file, r.source.line);
            shared::step(&mut r.node, |node| set_path(node, value, path, target.options.as_ref())).map_err(at)?;
        }
    }
    Ok(())
}

fn set_path(node: &mut Node, value: &Node, path: &str, options: Option<&FieldOptions>) -> Result<()> {
    let create = options.filter(|o| o.create).map(|_| value.kind);
    let parts = split_path_smart(path, '.');
    match set_in_text(node, value, &parts, create) {
        Ok(true) => return Ok(()),
        Err(e) if e.message.starts_with(COMMENTS) => return Err(e),
        _ => {}
    }
    let problem = || {
        let create = if create.is_some() { " or create" } else { "" };
        let path = crate::golang::strconv::quote(path.as_bytes());
        format!("unable to find{create} field {path} in replacement target")
    };
    let ways = lookup::matches(node, &parts, create).map_err(|e| e.wrap(problem()))?.unwrap_or_default();
    if ways.is_empty() {
        return Err(Error::new(problem()));
    }
    for way in ways {
        if let Some(field) = lookup::follow_mut(node, &way) {
            set_field(field, value, options)?;
        }
    }
    Ok(())
}

fn set_field(field: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<()> {
    let mut value = value.clone();
    if let Some(options) = options.filter(|o| !o.delimiter.is_empty()) {
        if field.kind != Kind::Scalar {
            return Err("delimiter option can only be used with scalar nodes".into());
        }
        let mut parts: Vec<&str> = field.value.split(options.delimiter.as_str()).collect();
        let own = value.text().to_owned();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, &own),
            Ok(i) => match parts.get_mut(i) {
                Some(part) => *part = &own,
                None => parts.push(&own),
            },
        }
        let joined = parts.join(&options.delimiter);
        value.value = joined;
    }
    if field.kind == Kind::Scalar {
        // The field's own type stays.
        field.value = value.value;
        field.stamp = shared::stamp_if(field.share);
    } else {
        field.assign(value);
    }
    Ok(())
}

const COMMENTS: &str = "the YAML text in field";

/// Sets a value inside a YAML or JSON text that a scalar on the way holds. False if there is none.
fn set_in_text(node: &mut Node, value: &Node, parts: &[String], create: Option<Kind>) -> Result<bool> {
    let mut found = None;
    for i in 1..parts.len() {
        if let Ok(Some(scalar)) = lookup::get(node, &parts[..i])
            && scalar.kind == Kind::Scalar
            && let Ok(inner) = read::parse(scalar.value.as_bytes())
        {
            found = Some((i, inner.unwrap_or_default()));
            break;
        }
    }
    let Some((i, mut inner)) = found else { return Ok(false) };
    let ways = lookup::matches(&mut inner, &parts[i..], create)?.unwrap_or_default();
    if ways.is_empty() {
        return Ok(false);
    }
    for way in ways {
        match lookup::follow_mut(&mut inner, &way) {
            Some(field) if field.kind == Kind::Scalar => field.value.clone_from(&value.value),
            Some(field) => *field = value.clone(),
            None => {}
        }
    }
    let Some(scalar) = lookup::get_mut(node, &parts[..i])? else { return Ok(false) };
    let old = scalar.value.as_str();
    let text = if old.trim_start().starts_with(['{', '[']) {
        let json = emit::to_json(&inner, false)?;
        if old.contains('\n') && old.contains("  ") { json.encode_indented() } else { Json::encode(&json) }
    } else {
        if old.lines().any(|line| line.trim_start().starts_with('#') || line.contains(" #")) {
            let path = parts[..i].join(".");
            return Err(Error::new(format!(
                "{COMMENTS} {path} has comments, which a replacement inside it cannot keep; remove the comments"
            )));
        }
        print::node(&inner).trim().to_owned()
    };
    scalar.value = text;
    Ok(true)
}
