//! The door of the room: a directory in, objects and text out.

use super::error::{Error, Result};
use super::fieldspec::FieldSpec;
use super::given::Given;
use super::go_syntax;
use super::ids::Gvk;
use super::kustomization::{Kustomization, SortOptions};
use super::node::Node;
use super::openapi::Shared;
use super::parallel;
use super::resmap::ResMap;
use super::resource::{self, ORIGIN, Pairs, Resource, Source, TRANSFORMATIONS};
use super::sort;
use super::target::{self, Target};
use super::transform::Entries;
use super::tree::{LoadRestrictions, Loader, Tree};

/// The version of kustomize that is followed.
const VERSION: &str = "v5.8.1";

/// How to build.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub load_restrictions: LoadRestrictions,
    pub reorder: Reorder,
    /// As `buildMetadata: [managedByLabel]`, whatever the kustomization file says.
    pub managed_by_label: bool,
}

/// The order of the output where the kustomization file does not say it (`--reorder`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reorder {
    /// By kind, as in `Legacy`.
    #[default]
    Unspecified,
    Legacy,
    None,
}

/// A finished object.
#[derive(Clone, Debug)]
pub struct Object {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
    /// Its kind is known to have no namespace.
    pub cluster_scoped: bool,
    /// Where it was read, or the kustomization file that generated it.
    pub source: Source,
    /// Who else gave it something, in order.
    pub given: Vec<Given>,
    /// YAML, without a separator.
    pub text: String,
}

impl Object {
    pub(super) fn of(r: &Resource) -> Result<Self> {
        let text = r.yaml().map_err(|e| of_object(e, &r.node))?;
        let gvk = resource::gvk(&r.node);
        Ok(Self {
            cluster_scoped: gvk.is_cluster_scoped(),
            api_version: gvk.api_version(),
            kind: gvk.kind,
            name: resource::name(&r.node).to_owned(),
            namespace: resource::namespace(&r.node).to_owned(),
            source: r.source.clone(),
            given: r.given.clone(),
            text,
        })
    }
}

/// The error of an object that can't be written, which begins with the object, or with nothing if it can't be decoded. Lines are those of the
/// object as it is printed first.
fn of_object(e: Error, node: &Node) -> Error {
    if !e.message.starts_with("yaml: unmarshal errors:") {
        let undecoded = ["yaml: cannot decode ", "yaml: invalid map key: ", "yaml: !!binary "];
        let decoded = !undecoded.iter().any(|text| e.message.starts_with(text));
        return e.wrap(if decoded { go_syntax::object(node) } else { go_syntax::NIL.to_owned() });
    }
    let printed = super::read::parse(super::print::node(node).as_bytes()).ok().flatten();
    let message = printed.and_then(|node| super::emit::object(&node).err()).unwrap_or_else(|| e.message.clone());
    Error { message, ..e }.wrap(go_syntax::NIL)
}

/// What came of a build.
#[derive(Clone, Debug, Default)]
pub struct Build {
    pub objects: Vec<Object>,
    /// kustomize's warnings about deprecated fields, in the order in which it prints them.
    pub warnings: Vec<String>,
}

impl Build {
    /// The output of `kustomize build`.
    pub fn text(&self) -> String {
        let size = self.objects.iter().map(|o| o.text.len() + 4).sum();
        let mut out = String::with_capacity(size);
        for (i, object) in self.objects.iter().enumerate() {
            if i > 0 {
                out.push_str("---\n");
            }
            out.push_str(&object.text);
        }
        out
    }
}

/// Builds the kustomization in a directory of the tree.
///
/// `dir` is absolute and clean.
pub fn build(tree: &dyn Tree, dir: &str, options: &Options) -> Result<Build> {
    let loader = Loader::at_target(tree, dir, options.load_restrictions)?;
    let (kustomization, file_name) = target::read_file(&loader)?;
    finish(kustomization, file_name, loader, options)
}

/// Builds a kustomization that was read already.
pub(super) fn finish(
    kustomization: Kustomization,
    file_name: &'static str,
    loader: Loader<'_>,
    options: &Options,
) -> Result<Build> {
    let build = |shared: &Shared, loader: Loader<'_>| {
        let mut target = Target::of(kustomization.clone(), file_name, loader, shared);
        let objects = objects(&mut target, options).map_err(|e| e.after(&target.warnings))?;
        Ok(Build { objects, warnings: target.warnings })
    };
    let shared = Shared::new(false);
    let built = build(&shared, loader.clone());
    if shared.is_doubtful() { build(&Shared::new(true), loader) } else { built }
}

fn objects(target: &mut Target<'_, '_>, options: &Options) -> Result<Vec<Object>> {
    target.set_schema(false)?;
    let mut map = target.build()?;
    if target.kustomization.sort_options.is_some() && options.reorder != Reorder::Unspecified {
        let warning = "Warning: Sorting order is set both in 'kustomization.yaml' ('sortOptions') and in a CLI flag ('--reorder'). Using the \
                       kustomization file over the CLI flag.";
        target.warnings.push(warning.into());
    }
    match (&target.kustomization.sort_options, options.reorder) {
        (Some(order), _) => sort::sort(&mut map, order)?,
        (None, Reorder::None) => {}
        (None, _) => sort::sort(&mut map, &SortOptions { order: "legacy".into(), legacy: None })?,
    }
    let metadata = &target.kustomization.build_metadata;
    let wants = |option: &str| metadata.iter().any(|m| m == option);
    if options.managed_by_label || wants("managedByLabel") {
        let pairs = Pairs::from([("app.kubernetes.io/managed-by".to_owned(), format!("kustomize-{VERSION}"))]);
        let specs = vec![FieldSpec::new(Gvk::default(), "metadata/labels", true)];
        Entries { pairs, specs }.apply(&mut map)?;
    }
    let (origins, transformations) = (wants("originAnnotations"), wants("transformerAnnotations"));
    print(map, origins, transformations)
}

/// Takes kustomize's notes off and prints.
pub(super) fn print(map: ResMap, origins: bool, transformations: bool) -> Result<Vec<Object>> {
    let finish = |mut r: Resource| -> Result<Object> {
        r.remove_notes()?;
        if !origins {
            r.remove_annotation(ORIGIN)?;
        }
        if !transformations {
            r.remove_annotation(TRANSFORMATIONS)?;
        }
        Object::of(&r)
    };
    parallel::map(map.into_items(), 64, finish).into_iter().collect()
}
