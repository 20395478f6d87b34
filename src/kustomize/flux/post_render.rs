//! Post-renderers of HelmReleases: overlays over what a chart rendered, and the labels that go on everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::overlay;
use super::substitute::Substitution;
use crate::kustomize::build::{self, Build, Object, Options, Reorder};
use crate::kustomize::error::{Error, Result};
use crate::kustomize::fieldspec::FieldSpec;
use crate::kustomize::ids::Gvk;
use crate::kustomize::json::Json;
use crate::kustomize::kustomization::Kustomization;
use crate::kustomize::node::Node;
use crate::kustomize::objects;
use crate::kustomize::resmap::ResMap;
use crate::kustomize::resource::{self, Pairs, Resource};
use crate::kustomize::transform::Entries;
use crate::kustomize::tree::{LoadRestrictions, Loader, MemoryTree};
use crate::kustomize::{parallel, print, read};
use crate::render::manifest::{self, Ordering};

/// The name that the rendered text has in messages.
const INPUT: &str = "helm-output.yaml";

/// One step over rendered objects.
#[derive(Clone, Debug)]
pub enum PostRenderer {
    /// `postRenderers[].kustomize`, as YAML or JSON: `patches` and `images`.
    Kustomize(Vec<u8>),
    /// Labels and annotations for `metadata` of every object: `commonMetadata`, and the labels that name the release.
    Metadata { labels: Pairs, annotations: Pairs },
}

/// Applies the steps in order. Objects come out as kustomize writes them, their places are lines of the last step's input.
pub fn post_render(rendered: &[u8], steps: &[PostRenderer]) -> Result<Build> {
    let mut built: Option<Build> = None;
    for step in steps {
        let text = built.take().map(|b| b.text().into_bytes());
        let text = text.as_deref().unwrap_or(rendered);
        built = Some(match step {
            PostRenderer::Kustomize(fields) => kustomize(text, fields)?,
            PostRenderer::Metadata { labels, annotations } => metadata(text, labels, annotations)?,
        });
    }
    match built {
        Some(built) => Ok(built),
        None => metadata(rendered, &Pairs::new(), &Pairs::new()),
    }
}

fn kustomize(text: &[u8], fields: &[u8]) -> Result<Build> {
    let fields = read::to_json(fields)?;
    let each = |field: &str, f: fn(&Json) -> Result<Json>| -> Result<(String, Json)> {
        Ok((field.to_owned(), Json::List(overlay::list(&fields, field).iter().map(f).collect::<Result<_>>()?)))
    };
    let resources = ("resources".to_owned(), Json::List(vec![Json::str(INPUT)]));
    let json = Json::map(vec![resources, each("patches", overlay::patch)?, each("images", overlay::image)?]);
    let mut tree = MemoryTree::default();
    tree.insert(INPUT, text);
    let loader = Loader::at_target(&tree, "/", LoadRestrictions::None)?;
    let kustomization = Kustomization::from_json(&json, "/", false)?;
    // Flux leaves the order unsaid, which is not what kustomize's command line does: objects stay as they come.
    let options = Options { load_restrictions: LoadRestrictions::None, reorder: Reorder::None, ..Options::default() };
    build::finish(kustomization, "kustomization.yaml", loader, &options)
}

/// Which of a release's documents go through the steps (`postRenderStrategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Hooks and manifests as one stream.
    #[default]
    Combined,
    /// Hooks stay as they are.
    NoHooks,
    /// Hooks and manifests as a stream each: one object may be in both.
    Separate,
}

impl Strategy {
    /// From a HelmRelease's `spec.postRenderStrategy`; nothing is `combined`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "combined" => Some(Self::Combined),
            "nohooks" => Some(Self::NoHooks),
            "separate" => Some(Self::Separate),
            _ => None,
        }
    }
}

/// Rendered files: path → text.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Where a document came from, while it is in the stream.
const FILE_NAME: &str = "postrenderer.helm.sh/postrender-filename";

/// Applies the steps to rendered files, as Helm 4.3 does around a post-renderer: the documents become one stream in which an annotation keeps
/// their file, and go back to their files afterwards. Source: Helm 4.3 `pkg/action/action.go`.
///
/// # Errors
/// Helm's text.
pub fn post_render_files(
    files: &Files,
    strategy: Strategy,
    steps: &[PostRenderer],
) -> std::result::Result<Files, String> {
    let run = |files: &Files, group: &str| -> std::result::Result<Files, String> {
        let (on, of) = if group.is_empty() { ("files", String::new()) } else { (group, format!(" for {group}")) };
        let what = if group.is_empty() { "manifests" } else { group };
        let merged = merge(files).map_err(|e| format!("error merging {what}: {e}"))?;
        let built = post_render(merged.as_bytes(), steps)
            .map_err(|e| format!("error while running post render on {on}: {}", e.message))?;
        take_apart(&built, group).map_err(|e| format!("error while parsing post rendered output{of}: {}", e.message))
    };
    if strategy == Strategy::Combined {
        return run(files, "");
    }
    let (sorted, error) = manifest::sort_manifests(files, Ordering::Install);
    if let Some(error) = error {
        return Err(error);
    }
    let (mut hooks, mut manifests) = (Files::new(), Files::new());
    sorted.hooks.iter().for_each(|h| join(&mut hooks, &h.path, &h.manifest));
    sorted.manifests.iter().for_each(|m| join(&mut manifests, &m.name, &m.content));
    let mut out = match strategy {
        Strategy::Separate if !hooks.is_empty() => run(&hooks, "hooks")?,
        _ => hooks,
    };
    if !manifests.is_empty() {
        run(&manifests, "manifests")?.iter().for_each(|(name, text)| join(&mut out, name, text));
    }
    Ok(out)
}

fn join(files: &mut Files, name: &str, text: &[u8]) {
    let file = files.entry(name.to_owned()).or_default();
    if !file.is_empty() {
        file.extend_from_slice(b"\n---\n");
    }
    file.extend_from_slice(text);
}

/// The documents of all files as one stream, each with its file's name. Partials and empty files are left out.
fn merge(files: &Files) -> std::result::Result<String, String> {
    let mut out = String::new();
    for (name, text) in files {
        let base = name.rsplit('/').next().unwrap_or(name);
        if base.starts_with('_') || manifest::is_blank(text) {
            continue;
        }
        for document in manifest::split(text) {
            let nodes = read::objects(document).map_err(|e| format!("parsing {name}: {e}"))?;
            for mut node in nodes {
                resource::set_annotation(&mut node, FILE_NAME, name)
                    .map_err(|e| format!("annotating {name}: {}", e.message))?;
                push(&mut out, &node);
            }
        }
    }
    Ok(out)
}

fn push(out: &mut String, node: &Node) {
    if !out.is_empty() {
        out.push_str("---\n");
    }
    out.push_str(&print::node(node));
}

/// The other way round; what a step added goes to files of its own.
fn take_apart(built: &Build, group: &str) -> Result<Files> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (i, object) in built.objects.iter().enumerate() {
        for mut node in read::objects(object.text.as_bytes())? {
            let mut annotations = resource::pairs(&node, "annotations");
            let name = match annotations.remove(FILE_NAME) {
                Some(name) if !name.is_empty() => name,
                _ if group.is_empty() => format!("generated-by-postrender-{i}.yaml"),
                _ => format!("generated-by-postrender-{group}-{i}.yaml"),
            };
            if let Some(map) = node.field_mut("metadata").and_then(|m| m.field_mut("annotations")) {
                map.clear(FILE_NAME);
            }
            if annotations.is_empty()
                && let Some(metadata) = node.field_mut("metadata")
            {
                metadata.clear("annotations");
            }
            push(files.entry(name).or_default(), &node);
        }
    }
    Ok(files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect())
}

/// Puts labels and annotations on objects, nowhere but in `metadata`.
pub fn metadata(text: &[u8], labels: &Pairs, annotations: &Pairs) -> Result<Build> {
    let mut map = ResMap::default();
    map.append_all(objects::from_text(text, &Arc::from(INPUT))?)?;
    for (pairs, path) in [(labels, "metadata/labels"), (annotations, "metadata/annotations")] {
        Entries { pairs: pairs.clone(), specs: vec![FieldSpec::new(Gvk::default(), path, true)] }.apply(&mut map)?;
    }
    Ok(Build { objects: build::print(map, true, true)?, warnings: Vec::new() })
}

/// The same for what was built, place for place (`commonMetadata` of a Flux Kustomization).
pub fn add_metadata(built: Build, labels: &Pairs, annotations: &Pairs) -> Result<Build> {
    each(built, |text, file| {
        let mut found = objects::from_text(text.as_bytes(), file)?;
        for (pairs, path) in [(labels, "metadata/labels"), (annotations, "metadata/annotations")] {
            let entries = Entries { pairs: pairs.clone(), specs: vec![FieldSpec::new(Gvk::default(), path, true)] };
            found.iter_mut().try_for_each(|r| entries.apply_to(&mut r.node))?;
        }
        Ok(found)
    })
}

/// Expands variables in what was built, object by object (`postBuild`).
pub fn substitute(built: Build, substitution: &Substitution) -> Result<Build> {
    each(built, |text, file| {
        let expanded = substitution.object(text)?;
        objects::from_text(expanded.as_deref().unwrap_or(text).as_bytes(), file)
    })
}

fn each(built: Build, change: impl Fn(&str, &Arc<str>) -> Result<Vec<Resource>> + Sync) -> Result<Build> {
    let objects = parallel::map(built.objects, 64, |object: Object| {
        let source = &object.source;
        let changed = change(&object.text, &source.file).map_err(|e| {
            let e = Error { file: None, ..e.wrap(format!("post build failed for '{}'", object.name)) };
            e.at(&source.file, source.line)
        })?;
        let whole = |r: Resource| {
            Object::of(&Resource { given: object.given.clone(), ..Resource::new(r.node, source.clone()) })
        };
        changed.into_iter().map(whole).collect::<Result<Vec<_>>>()
    });
    let objects = objects.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Build { objects: objects.into_iter().flatten().collect(), warnings: built.warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENDERED: &[u8] = b"---\n# Source: a\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n---\napiVersion: batch/v1\n\
        kind: Job\nmetadata: {name: job, labels: {team: a}}\nspec: {template: {spec: {containers: [{name: c, image: 'busybox'}]}}}\n";

    #[test]
    fn steps_follow_each_other() {
        let fields =
            b"patches:\n- target: {kind: Service}\n  patch: |\n    - {op: add, path: /spec, value: {type: NodePort}}\n\
            images:\n- {name: busybox, newTag: v1}\n";
        let labels = Pairs::from([("team".to_owned(), "b".to_owned())]);
        let steps = [
            PostRenderer::Kustomize(fields.to_vec()),
            PostRenderer::Metadata { labels, annotations: Pairs::from([("on".to_owned(), "1".to_owned())]) },
        ];
        let built = post_render(RENDERED, &steps).unwrap();
        let want = "apiVersion: v1\nkind: Service\nmetadata:\n  annotations:\n    \"on\": \"1\"\n  labels:\n    team: b\n  name: web\nspec:\n  type: NodePort\n\
            ---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  annotations:\n    \"on\": \"1\"\n  labels:\n    team: b\n  name: job\n\
            spec:\n  template:\n    spec:\n      containers:\n      - image: busybox:v1\n        name: c\n";
        assert_eq!(built.text(), want);
    }

    #[test]
    fn documents_find_back_to_their_files() {
        let mut files = Files::new();
        files.insert("c/templates/a.yaml".into(), RENDERED.to_vec());
        let hook = b"# a comment\nkind: Job\napiVersion: batch/v1\nmetadata:\n  name: hook\n  annotations:\n    helm.sh/hook: test\n";
        files.insert("c/templates/hook.yaml".into(), hook.to_vec());
        files.insert("c/templates/_x.tpl".into(), b"not: [yaml".to_vec());
        let label =
            PostRenderer::Metadata { labels: Pairs::from([("a".into(), "b".into())]), annotations: Pairs::new() };
        let out = post_render_files(&files, Strategy::Combined, std::slice::from_ref(&label)).unwrap();
        let text = |files: &Files, name: &str| String::from_utf8(files[name].clone()).unwrap();
        assert_eq!(out.len(), 2);
        let service =
            "apiVersion: v1\nkind: Service\nmetadata:\n  labels:\n    a: b\n  name: web\n---\napiVersion: batch/v1\n";
        assert!(text(&out, "c/templates/a.yaml").starts_with(service), "{}", text(&out, "c/templates/a.yaml"));
        let rendered = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: test\n  labels:\n    a: b\n  name: hook\n";
        assert_eq!(text(&out, "c/templates/hook.yaml"), rendered);
        let out = post_render_files(&files, Strategy::NoHooks, std::slice::from_ref(&label)).unwrap();
        assert_eq!(out["c/templates/hook.yaml"], hook);
        assert!(text(&out, "c/templates/a.yaml").starts_with(service));
        // One object in two streams, but not in one.
        let same = b"kind: Job\napiVersion: batch/v1\nmetadata:\n  name: hook\n";
        files.insert("c/templates/twice.yaml".into(), same.to_vec());
        let e = post_render_files(&files, Strategy::Combined, std::slice::from_ref(&label)).unwrap_err();
        assert!(e.starts_with("error while running post render on files: may not add resource"), "{e}");
        assert!(post_render_files(&files, Strategy::Separate, &[label]).is_ok());
    }

    #[test]
    fn the_same_object_twice_is_refused() {
        let twice = [RENDERED, RENDERED].concat();
        let e = post_render(&twice, &[]).unwrap_err();
        assert!(e.message.contains("may not add resource with an already registered id"), "{e}");
        assert_eq!(e.file.as_deref(), Some(INPUT));
        assert!(post_render(b"", &[]).unwrap().objects.is_empty());
        assert!(post_render(b"", &[PostRenderer::Kustomize(b"{}".to_vec())]).unwrap().objects.is_empty());
    }
}
