//! Which post-renderer changed a field: the steps are taken apart into single patches and images and applied one after the other.

use crate::kustomize::flux::{self, Files, PostRenderer, Strategy};

use super::field::{self, Held, Step};
use super::object::{Object, objects};
use crate::repo::post_render::StepLines;

/// One patch, one image, or one set of common labels.
#[derive(Clone, Debug)]
pub struct Single {
    /// `postRenderers[0] patches[1]`
    pub name: String,
    pub line: usize,
    step: PostRenderer,
}

/// A step that changed the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub name: String,
    /// File and line; empty for what no file has.
    pub place: String,
    /// What the field was before and is after; nothing where there is none.
    pub before: Option<Held>,
    pub after: Option<Held>,
}

/// Takes steps apart.
pub fn singles(steps: &[PostRenderer], lines: &[StepLines]) -> Vec<Single> {
    let mut out = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let known = lines.get(i).cloned().unwrap_or_default();
        let name = if known.name.is_empty() { "helm-controller's labels".to_owned() } else { known.name.clone() };
        let whole = Single { name: name.clone(), line: known.line, step: step.clone() };
        let PostRenderer::Kustomize(fields) = step else {
            out.push(whole);
            continue;
        };
        let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(fields) else {
            out.push(whole);
            continue;
        };
        for (field, lines) in [("patches", &known.patches), ("images", &known.images)] {
            let items = fields.get(field).and_then(serde_json::Value::as_array);
            for (n, item) in items.into_iter().flatten().enumerate() {
                let one = serde_json::json!({ field: [item] });
                out.push(Single {
                    name: format!("{name} {field}[{n}]"),
                    line: lines.get(n).copied().unwrap_or(known.line),
                    step: PostRenderer::Kustomize(one.to_string().into_bytes()),
                });
            }
        }
    }
    out
}

/// Rendered files, after all steps.
///
/// # Errors
/// A step's.
pub fn apply(files: &Files, strategy: Strategy, steps: &[Single]) -> Result<Files, String> {
    let steps: Vec<PostRenderer> = steps.iter().map(|s| s.step.clone()).collect();
    if steps.is_empty() { Ok(files.clone()) } else { flux::post_render_files(files, strategy, &steps) }
}

/// The steps that changed a field of an object.
///
/// # Errors
/// A step's.
pub fn changes(
    files: &Files,
    strategy: Strategy,
    steps: &[Single],
    object: &Object,
    path: &[Step],
    file: &str,
) -> Result<Vec<Change>, String> {
    let mut out = Vec::new();
    let mut files = files.clone();
    let mut before = whole(&files, object, path);
    for step in steps {
        files = flux::post_render_files(&files, strategy, std::slice::from_ref(&step.step))?;
        let after = whole(&files, object, path);
        if before.as_ref().map(|(_, text)| text) != after.as_ref().map(|(_, text)| text) {
            let held = |side: &Option<(Held, String)>| side.as_ref().map(|(held, _)| held.clone());
            let place = if step.line == 0 { String::new() } else { format!("{file}:{}", step.line) };
            out.push(Change { name: step.name.clone(), place, before: held(&before), after: held(&after) });
        }
        before = after;
    }
    Ok(out)
}

/// What the field holds, and everything in it in one form.
fn whole(files: &Files, object: &Object, path: &[Step]) -> Option<(Held, String)> {
    let all = objects(files);
    let object = all.iter().find(|o| o.is(object))?;
    let tree = crate::yaml::tree::parse(&object.text, None).ok()?;
    let found = field::find(&tree, path).ok()?;
    let root = crate::repo::document::parse(&object.text).ok()?.into_iter().next()?.root;
    let node = found.path.iter().try_fold(&root, |at, key| match at.get(key) {
        Some(below) => Some(below),
        None => at.items().get(key.parse::<usize>().ok()?),
    })?;
    Some((found.held, node.plain()))
}
