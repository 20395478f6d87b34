//! A Flux `Kustomization` around a directory: what its fields add to the kustomization file, and the file that is made up where
//! there is none.

use crate::kustomize::build::{self, Build, Options, Reorder};
use crate::kustomize::error::{Error, Result};
use crate::kustomize::json::Json;
use crate::kustomize::kustomization::{FILE_NAMES, Kustomization};
use crate::kustomize::objects;
use crate::kustomize::read;
use crate::kustomize::tree::{Entry, LoadRestrictions, Loader, Tree, join};

/// The fields of a Flux `Kustomization` that take part in a build.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    spec: Json,
}

impl Overlay {
    /// Of YAML or JSON: the whole object, or its `spec`.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let mut json = read::to_json(text)?;
        let whole = json.get("apiVersion").is_some();
        Ok(Self { spec: if whole { json.remove("spec").unwrap_or_default() } else { json } })
    }

    /// Builds a directory as Flux does: files may be anywhere in the tree, which is to hold no more than the source's artifact.
    pub fn build(&self, tree: &dyn Tree, dir: &str) -> Result<Build> {
        let loader = Loader::at_target(tree, dir, LoadRestrictions::None)?;
        let (file_name, json) = match own_file(&loader) {
            Some((name, text)) => {
                let at = |e: Error| e.at(&loader.path(name), 1);
                let mut json = read::to_json(&text).map_err(|e| at(Error::new(e)))?;
                if json == Json::Null {
                    json = Json::Map(Vec::new());
                }
                if list(&json, "resources").is_empty() {
                    // Keeps kustomize from finding the file empty.
                    json.insert("buildMetadata".into(), Json::List(vec![Json::str("originAnnotations")]));
                }
                (name, json)
            }
            None => (FILE_NAMES[0], made_up(tree, &loader.root)?),
        };
        let at = |e: Error| e.at(&loader.path(file_name), 0);
        let json = self.merged(json, &loader).map_err(at)?;
        let kustomization = Kustomization::from_json(&json, &loader.root, false).map_err(at)?;
        // Flux leaves the order unsaid, which is not what kustomize's command line does: objects stay as they come.
        let options =
            Options { load_restrictions: LoadRestrictions::None, reorder: Reorder::None, ..Options::default() };
        build::finish(kustomization, file_name, loader, &options)
    }

    fn merged(&self, mut file: Json, loader: &Loader<'_>) -> Result<Json> {
        let spec = &self.spec;
        for (from, to) in [("targetNamespace", "namespace"), ("namePrefix", "namePrefix"), ("nameSuffix", "nameSuffix")]
        {
            match spec.get(from) {
                None => {}
                Some(Json::Str(s)) => file.insert(to.to_owned(), Json::str(s.as_str())),
                Some(other) => return Err(wrong(from, other, "a string")),
            }
        }
        let patches = list(spec, "patches").iter().map(patch).collect::<Result<_>>()?;
        extend(&mut file, "patches", patches);
        let ignore_missing = spec.get("ignoreMissingComponents") == Some(&Json::Bool(true));
        let mut components = Vec::new();
        for component in list(spec, "components") {
            let Some(path) = component.as_str() else { return Err(wrong("components", component, "a string")) };
            if !is_local(path) {
                return Err(Error::new(format!("component path '{path}' must be local and relative")));
            }
            if !ignore_missing || loader.has(path) {
                components.push(component.clone());
            }
        }
        extend(&mut file, "components", components);
        let merges = list(spec, "patchesStrategicMerge").iter().map(|p| Json::Str(p.encode())).collect();
        extend(&mut file, "patchesStrategicMerge", merges);
        let json_patches = list(spec, "patchesJson6902").iter().map(json_patch).collect::<Result<_>>()?;
        extend(&mut file, "patchesJson6902", json_patches);
        images(&mut file, list(spec, "images"))?;
        let metadata = list(spec, "buildMetadata");
        if !metadata.is_empty() {
            file.insert("buildMetadata".into(), Json::List(metadata.to_vec()));
        }
        Ok(file)
    }
}

fn own_file<'t>(loader: &Loader<'t>) -> Option<(&'static str, std::borrow::Cow<'t, [u8]>)> {
    FILE_NAMES.into_iter().find_map(|name| Some((name, loader.load(name).ok()?)))
}

/// The kustomization file of a directory without one: every YAML file below it, and every directory below it that has its own.
fn made_up(tree: &dyn Tree, dir: &str) -> Result<Json> {
    let mut found = Vec::new();
    scan(tree, dir, ".", 0, &mut found)?;
    let entry = match found.is_empty() {
        // Keeps kustomize from finding the file empty.
        true => ("namespace".to_owned(), Json::str("_placeholder")),
        false => ("resources".to_owned(), Json::List(found)),
    };
    Ok(Json::map(vec![entry]))
}

const MAX_DEPTH: usize = 200;

fn scan(tree: &dyn Tree, dir: &str, shown: &str, depth: usize, found: &mut Vec<Json>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::new(format!("directories are nested too deeply at '{dir}'")));
    }
    let mut entries = tree.list(dir);
    entries.sort();
    for (name, entry) in entries {
        let (path, shown) = (join(dir, &name), format!("{shown}/{name}"));
        if entry == Entry::Directory {
            // A link is not followed.
            if tree.resolve(&path).is_none_or(|(real, _)| real != path) {
                continue;
            }
            let has = |name: &&str| matches!(tree.resolve(&join(&path, name)), Some((_, Entry::File)));
            if FILE_NAMES.iter().any(has) {
                found.push(Json::Str(shown));
            } else {
                scan(tree, &path, &shown, depth + 1, found)?;
            }
            continue;
        }
        if !name.ends_with(".yaml") && !name.ends_with(".yml") {
            continue;
        }
        let text = tree.read(&path).map_err(|e| Error::new(format!("open {path}: {e}")).at(&path, 0))?;
        objects::from_text(&text, &path.as_str().into())
            .map_err(|e| e.wrap(format!("failed to decode Kubernetes YAML from {path}")).at(&path, 0))?;
        found.push(Json::Str(shown));
    }
    Ok(())
}

pub(super) fn list<'j>(json: &'j Json, field: &str) -> &'j [Json] {
    match json.get(field) {
        Some(Json::List(items)) => items,
        _ => &[],
    }
}

fn extend(file: &mut Json, field: &str, more: Vec<Json>) {
    if !more.is_empty() {
        let mut all = list(file, field).to_vec();
        all.extend(more);
        file.insert(field.to_owned(), Json::List(all));
    }
}

fn wrong(field: &str, value: &Json, wanted: &str) -> Error {
    Error::new(format!("{field}: {} where {wanted} is expected", value.kind()))
}

/// The fields of a map that are named, if they are texts.
fn texts(json: &Json, what: &str, fields: &[&str]) -> Result<Vec<(String, Json)>> {
    if !matches!(json, Json::Map(_)) {
        return Err(wrong(what, json, "an object"));
    }
    let mut out = Vec::new();
    for field in fields {
        match json.get(field) {
            None | Some(Json::Null) => {}
            Some(Json::Str(s)) => out.push(((*field).to_owned(), Json::str(s.as_str()))),
            Some(other) => return Err(wrong(&format!("{what}.{field}"), other, "a string")),
        }
    }
    Ok(out)
}

const SELECTOR: [&str; 7] = ["group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"];

fn target(patch: &Json) -> Result<Option<(String, Json)>> {
    match patch.get("target") {
        None | Some(Json::Null) => Ok(None),
        Some(target) => Ok(Some(("target".to_owned(), Json::map(texts(target, "patches.target", &SELECTOR)?)))),
    }
}

/// An entry of `patches` as Flux has it: inline, without options.
pub(super) fn patch(json: &Json) -> Result<Json> {
    let mut out = texts(json, "patches", &["patch"])?;
    out.extend(target(json)?);
    Ok(Json::map(out))
}

fn json_patch(json: &Json) -> Result<Json> {
    let operations = json.get("patch").unwrap_or(&Json::Null).encode();
    let mut out = vec![("patch".to_owned(), Json::Str(operations))];
    out.extend(target(json)?);
    Ok(Json::map(out))
}

pub(super) fn image(json: &Json) -> Result<Json> {
    Ok(Json::map(texts(json, "images", &["name", "newName", "newTag", "digest"])?))
}

/// An image that the file has too is changed field by field; tag and digest go together.
fn images(file: &mut Json, more: &[Json]) -> Result<()> {
    if more.is_empty() {
        return Ok(());
    }
    let mut all = list(file, "images").to_vec();
    for entry in more {
        let entry = image(entry)?;
        let text = |field: &str| entry.get(field).and_then(Json::as_str).unwrap_or_default();
        let name = text("name");
        let Some(own) = all.iter_mut().find(|i| i.get("name").and_then(Json::as_str).unwrap_or_default() == name)
        else {
            all.push(entry);
            continue;
        };
        if !text("newName").is_empty() {
            own.insert("newName".into(), Json::str(text("newName")));
        }
        if !text("newTag").is_empty() || !text("digest").is_empty() {
            own.insert("newTag".into(), Json::str(text("newTag")));
            own.insert("digest".into(), Json::str(text("digest")));
        }
    }
    file.insert("images".into(), Json::List(all));
    Ok(())
}

fn is_local(path: &str) -> bool {
    let lower = path.to_lowercase();
    let remote = ["git::", "gh:", "ssh://", "https://", "http://", "git@", "github.com:", "github.com/"];
    let absolute = lower.strip_prefix("file://").unwrap_or(&lower).starts_with('/');
    !absolute && !remote.iter().any(|p| lower.len() > p.len() && lower.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kustomize::MemoryTree;

    const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: nginx\n";

    fn tree(files: &[(&str, &str)]) -> MemoryTree {
        let mut tree = MemoryTree::default();
        for (path, text) in files {
            tree.insert(path, *text);
        }
        tree
    }

    fn names(built: &Build) -> Vec<String> {
        built.objects.iter().map(|o| format!("{}/{}", o.namespace, o.name)).collect()
    }

    #[test]
    fn a_directory_without_a_file_gets_one() {
        let config = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
        let tree = tree(&[
            ("app/web.yaml", WEB),
            ("app/note.txt", "no YAML: ["),
            ("app/deep/er/one.yml", &config("one")),
            ("app/base/kustomization.yaml", "namePrefix: pre-\nresources: [two.yaml]\n"),
            ("app/base/two.yaml", &config("two")),
            ("app/base/unused.yaml", &config("unused")),
        ]);
        let built = Overlay::parse(b"targetNamespace: shop\n").unwrap().build(&tree, "/app").unwrap();
        assert_eq!(names(&built), ["shop/pre-two", "shop/one", "shop/web"]);
        let nothing = Overlay::default().build(&self::tree(&[("app/note.txt", "")]), "/app").unwrap();
        assert!(nothing.objects.is_empty());
    }

    #[test]
    fn what_is_no_object_is_refused_by_name() {
        let e = Overlay::default().build(&tree(&[("app/values.yaml", "replicas: 2\n")]), "/app").unwrap_err();
        assert!(e.message.starts_with("failed to decode Kubernetes YAML from /app/values.yaml: "), "{e}");
        assert_eq!(e.file.as_deref(), Some("/app/values.yaml"));
    }

    #[test]
    fn fields_are_merged_into_the_file() {
        let tree = tree(&[
            (
                "app/kustomization.yaml",
                "resources: [web.yaml]\nimages:\n- name: nginx\n  newName: mirror/nginx\n  digest: sha256:1\n",
            ),
            ("app/web.yaml", WEB),
            (
                "parts/kustomization.yaml",
                "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -part\n",
            ),
        ]);
        let overlay = Overlay::parse(
            b"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x}\nspec:\n  \
            targetNamespace: shop\n  namePrefix: a-\n  components: [../parts, ../gone]\n  ignoreMissingComponents: true\n  \
            images: [{name: nginx, newTag: '2'}]\n  patches:\n  - patch: |\n      - {op: add, path: /spec/replicas, value: 3}\n    \
            target: {kind: Deployment}\n",
        );
        let built = overlay.unwrap().build(&tree, "/app").unwrap();
        assert_eq!(names(&built), ["shop/a-web-part"]);
        let text = built.text();
        assert!(text.contains("image: mirror/nginx:2\n") && text.contains("replicas: 3\n"), "{text}");
    }

    #[test]
    fn what_was_built_is_finished() {
        let tree = tree(&[("app/web.yaml", WEB)]);
        let mut built =
            Overlay::parse(b"images: [{name: nginx, newTag: '${tag}'}]").unwrap().build(&tree, "/app").unwrap();
        let variables = [("tag".to_owned(), "v7".to_owned())].into();
        built =
            super::super::substitute(built, &super::super::Substitution { variables, ..Default::default() }).unwrap();
        built = super::super::add_metadata(built, &[("team".to_owned(), "a".to_owned())].into(), &Default::default())
            .unwrap();
        assert!(
            built.text().contains("image: nginx:v7\n") && built.text().contains("labels:\n    team: a\n"),
            "{}",
            built.text()
        );
        assert_eq!((&*built.objects[0].source.file, built.objects[0].source.line), ("/app/web.yaml", 1));
    }

    #[test]
    fn components_are_local() {
        for (path, local) in [
            ("../a", true),
            ("gh", true),
            ("https://x/y", false),
            ("GitHub.com/a/b", false),
            ("/a", false),
            ("file:///a", false),
        ] {
            assert_eq!(is_local(path), local, "{path}");
        }
        let overlay = Overlay::parse(b"components: [github.com/a/b]").unwrap();
        let e = overlay.build(&tree(&[("app/web.yaml", WEB)]), "/app").unwrap_err();
        assert_eq!(e.message, "component path 'github.com/a/b' must be local and relative");
    }
}
