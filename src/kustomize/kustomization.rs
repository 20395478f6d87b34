//! The kustomization file: what it may say, and kustomize's complaints about what it must not.

use super::config::{field_spec, gvk};
use super::decode::{Decoder, Fields};
use super::error::{Error, Result};
use super::fieldspec::FieldSpec;
use super::ids::Id;
use super::json::Json;
use super::read;
use super::resource::Pairs;
use super::selector::Selector;

/// The names a kustomization file may have.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const KIND: &str = "Kustomization";
pub const COMPONENT: &str = "Component";
const VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kustomization {
    pub kind: String,
    pub api_version: String,
    pub openapi: Option<Pairs>,
    pub name_prefix: String,
    pub name_suffix: String,
    pub namespace: String,
    pub common_labels: Option<Pairs>,
    pub labels: Vec<Label>,
    pub common_annotations: Option<Pairs>,
    pub patches_strategic_merge: Vec<String>,
    pub patches_json6902: Vec<Patch>,
    pub patches: Vec<Patch>,
    pub images: Vec<Image>,
    pub replacements: Vec<ReplacementField>,
    pub replicas: Vec<Replica>,
    pub vars: Vec<Var>,
    pub sort_options: Option<SortOptions>,
    pub resources: Vec<String>,
    pub components: Vec<String>,
    pub crds: Vec<String>,
    pub config_map_generator: Vec<GeneratorArgs>,
    pub secret_generator: Vec<GeneratorArgs>,
    /// The charts to inflate, as they are to be shown in the refusal.
    pub helm_charts: Vec<Json>,
    /// What `helmGlobals` says, for that too.
    pub helm_globals: Vec<(String, String)>,
    pub generator_options: Option<GeneratorOptions>,
    pub configurations: Vec<String>,
    pub generators: Vec<String>,
    pub transformers: Vec<String>,
    pub validators: Vec<String>,
    pub build_metadata: Vec<String>,
    /// Something else is said that does not count here but makes the file not empty.
    other: bool,
    /// Warnings about deprecated fields.
    pub warnings: Vec<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    pub pairs: Pairs,
    pub include_selectors: bool,
    pub include_templates: bool,
    pub fields: Vec<FieldSpec>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    pub path: String,
    pub patch: String,
    pub target: Option<Selector>,
    pub options: Option<PatchOptions>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PatchOptions {
    pub allow_name_change: bool,
    pub allow_kind_change: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    pub name: String,
    pub new_name: String,
    pub tag_suffix: String,
    pub new_tag: String,
    pub digest: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replica {
    pub name: String,
    pub count: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratorOptions {
    pub labels: Option<Pairs>,
    pub annotations: Option<Pairs>,
    pub disable_name_suffix_hash: bool,
    pub immutable: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratorArgs {
    pub namespace: String,
    pub name: String,
    pub behavior: String,
    pub literals: Vec<String>,
    pub files: Vec<String>,
    pub envs: Vec<String>,
    /// What `envs` was once.
    pub env: String,
    pub options: Option<GeneratorOptions>,
    /// Of a Secret.
    pub secret_type: String,
}

impl GeneratorArgs {
    /// With `env` among `envs`, as in kustomizations; a generator's own file is read without.
    #[must_use]
    fn with_env(mut self) -> Self {
        if !self.env.is_empty() {
            self.envs.push(std::mem::take(&mut self.env));
        }
        self
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldOptions {
    pub delimiter: String,
    pub index: i64,
    pub encoding: String,
    pub create: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    pub id: Id,
    pub field_path: String,
    pub options: Option<FieldOptions>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    pub select: Option<Selector>,
    pub reject: Vec<Selector>,
    pub field_paths: Vec<String>,
    pub options: Option<FieldOptions>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replacement {
    pub source: Option<Source>,
    /// `None`: the key is absent.
    pub targets: Option<Vec<Target>>,
    pub source_value: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplacementField {
    pub replacement: Replacement,
    pub path: String,
    /// As it was written, for messages.
    pub json: Json,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Var {
    pub name: String,
    pub api_version: String,
    pub gvk: super::ids::Gvk,
    pub object_name: String,
    pub namespace: String,
    pub field_path: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SortOptions {
    pub order: String,
    /// Kinds first and last.
    pub legacy: Option<(Vec<String>, Vec<String>)>,
}

macro_rules! deprecated {
    ($old:literal, $new:literal) => {
        deprecated!($old, $new, "Run 'kustomize edit fix' to update your Kustomization automatically.")
    };
    ($old:literal, $new:literal, $hint:literal) => {
        concat!("# Warning: '", $old, "' is deprecated. Please use '", $new, "' instead. ", $hint)
    };
}

/// Deprecated fields in the order of their warnings.
const DEPRECATED: [(&str, &str); 6] = [
    ("bases", deprecated!("bases", "resources")),
    ("commonLabels", deprecated!("commonLabels", "labels")),
    ("imageTags", deprecated!("imageTags", "images")),
    ("patchesJson6902", deprecated!("patchesJson6902", "patches")),
    ("patchesStrategicMerge", deprecated!("patchesStrategicMerge", "patches")),
    (
        "vars",
        deprecated!(
            "vars",
            "replacements",
            "[EXPERIMENTAL] Run 'kustomize edit fix' to update your Kustomization automatically."
        ),
    ),
];

impl Kustomization {
    /// From a file's text. `dir` is the place named in complaints.
    pub fn parse(text: &[u8], dir: &str) -> Result<Self> {
        let invalid = |e: String| Error::new(format!("invalid Kustomization: {e}"));
        let json = read::to_json(text).map_err(invalid)?;
        Self::from_json(&json, dir, true)
    }

    /// `strict`: a field that is not known is an error, otherwise it is dropped.
    pub fn from_json(json: &Json, dir: &str, strict: bool) -> Result<Self> {
        let mut decoder = Decoder::new(strict, false);
        let mut k = Self::default();
        decoder.root(json, "Kustomization", &mut |f| k.fill(f));
        decoder.finish().map_err(|e| Error::new(format!("invalid Kustomization: {e}")))?;
        if k.kind.is_empty() {
            k.kind = KIND.into();
        }
        if k.api_version.is_empty() {
            k.api_version = if k.kind == COMPONENT { COMPONENT_VERSION } else { VERSION }.into();
        }
        let nothing = Self { kind: k.kind.clone(), api_version: k.api_version.clone(), ..Self::default() };
        if (Self { warnings: Vec::new(), ..k.clone() }) == nothing {
            return Err(Error::from("kustomization.yaml is empty").after(&k.warnings));
        }
        let mut problems = Vec::new();
        if k.kind != KIND && k.kind != COMPONENT {
            problems.push(format!("kind should be {KIND} or {COMPONENT}"));
        }
        let version = if k.kind == COMPONENT { COMPONENT_VERSION } else { VERSION };
        if k.api_version != version {
            problems.push(format!("apiVersion for {} should be {version}", k.kind));
        }
        if !problems.is_empty() {
            let problems = problems.join("\n");
            let e = format!("Failed to read kustomization file under {dir}:\n{problems}");
            return Err(Error::new(e).after(&k.warnings));
        }
        Ok(k)
    }

    fn fill(&mut self, f: &mut Fields<'_, '_>) {
        for (field, warning) in DEPRECATED {
            if f.has(field) {
                self.warnings.push(warning);
            }
        }
        f.embed("TypeMeta", &mut |f| {
            self.kind = f.string("kind");
            self.api_version = f.string("apiVersion");
        });
        self.other = f.object("metadata", "ObjectMeta", &mut |f| {
            f.string("name");
            f.string("namespace");
            f.pairs("labels");
            f.pairs("annotations");
        });
        self.openapi = f.pairs("openapi");
        self.name_prefix = f.string("namePrefix");
        self.name_suffix = f.string("nameSuffix");
        self.namespace = f.string("namespace");
        self.common_labels = f.pairs("commonLabels");
        f.list("labels", "[]types.Label", "Label", &mut |f| {
            let mut label = Label {
                pairs: f.pairs("pairs").unwrap_or_default(),
                include_selectors: f.bool("includeSelectors"),
                include_templates: f.bool("includeTemplates"),
                fields: Vec::new(),
            };
            f.list("fields", "[]types.FieldSpec", "FieldSpec", &mut |f| label.fields.push(field_spec(f)));
            self.labels.push(label);
        });
        self.common_annotations = f.pairs("commonAnnotations");
        self.patches_strategic_merge =
            f.strings("patchesStrategicMerge", "[]types.PatchStrategicMerge", "types.PatchStrategicMerge");
        f.list("patchesJson6902", "[]types.Patch", "Patch", &mut |f| self.patches_json6902.push(patch(f)));
        f.list("patches", "[]types.Patch", "Patch", &mut |f| self.patches.push(patch(f)));
        f.list("images", "[]types.Image", "Image", &mut |f| self.images.push(image(f)));
        f.list("imageTags", "[]types.Image", "Image", &mut |f| self.images.push(image(f)));
        replacements(f, "replacements", &mut self.replacements);
        f.list("replicas", "[]types.Replica", "Replica", &mut |f| self.replicas.push(replica(f)));
        f.list("vars", "[]types.Var", "Var", &mut |f| self.vars.push(var(f)));
        let mut sort = SortOptions::default();
        if f.object("sortOptions", "SortOptions", &mut |f| sort = sort_options(f)) {
            self.sort_options = Some(sort);
        }
        self.resources = f.strings("resources", "[]string", "string");
        self.resources.extend(f.strings("bases", "[]string", "string"));
        self.components = f.strings("components", "[]string", "string");
        self.crds = f.strings("crds", "[]string", "string");
        f.list("configMapGenerator", "[]types.ConfigMapArgs", "ConfigMapArgs", &mut |f| {
            self.config_map_generator.push(generator_args(f, false).with_env());
        });
        f.list("secretGenerator", "[]types.SecretArgs", "SecretArgs", &mut |f| {
            self.secret_generator.push(generator_args(f, true).with_env());
        });
        self.other |= f.object("helmGlobals", "HelmGlobals", &mut |f| {
            for name in ["chartHome", "configHome"] {
                let text = f.string(name);
                if !text.is_empty() {
                    self.helm_globals.push((name.to_owned(), text));
                }
            }
        });
        f.list("helmCharts", "[]types.HelmChart", "HelmChart", &mut |f| self.helm_charts.push(helm_chart(f)));
        f.list("helmChartInflationGenerator", "[]types.HelmChartArgs", "HelmChartArgs", &mut |f| {
            self.helm_charts.push(old_helm_chart(f));
        });
        let mut options = GeneratorOptions::default();
        if f.object("generatorOptions", "GeneratorOptions", &mut |f| options = generator_options(f)) {
            self.generator_options = Some(options);
        }
        self.configurations = f.strings("configurations", "[]string", "string");
        self.generators = f.strings("generators", "[]string", "string");
        self.transformers = f.strings("transformers", "[]string", "string");
        self.validators = f.strings("validators", "[]string", "string");
        self.build_metadata = f.strings("buildMetadata", "[]string", "string");
        // A list that is there but empty makes the file not empty.
        self.other |= f.has("resources") || LISTS.iter().any(|name| f.has(name));
    }
}

/// Lists that count as content even if they are empty.
const LISTS: [&str; 18] = [
    "labels",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "images",
    "replacements",
    "replicas",
    "vars",
    "components",
    "crds",
    "configMapGenerator",
    "secretGenerator",
    "helmCharts",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "buildMetadata",
];

/// `resid.ResId`
pub fn res_id(f: &mut Fields<'_, '_>) -> Id {
    f.embed("ResId", &mut |f| {
        let gvk = gvk(f);
        Id { gvk, name: f.string("name"), namespace: f.string("namespace"), cluster: false }
    })
}

pub fn selector(f: &mut Fields<'_, '_>) -> Selector {
    Selector { id: res_id(f), annotations: f.string("annotationSelector"), labels: f.string("labelSelector") }
}

pub fn opt_selector(f: &mut Fields<'_, '_>, name: &str) -> Option<Selector> {
    let mut out = Selector::default();
    f.object(name, "Selector", &mut |f| out = selector(f)).then_some(out)
}

pub fn patch(f: &mut Fields<'_, '_>) -> Patch {
    let mut options = PatchOptions::default();
    Patch {
        path: f.string("path"),
        patch: f.string("patch"),
        target: opt_selector(f, "target"),
        options: f
            .object("options", "PatchArgs", &mut |f| {
                options = PatchOptions {
                    allow_name_change: f.bool("allowNameChange"),
                    allow_kind_change: f.bool("allowKindChange"),
                };
            })
            .then_some(options),
    }
}

pub fn image(f: &mut Fields<'_, '_>) -> Image {
    Image {
        name: f.string("name"),
        new_name: f.string("newName"),
        tag_suffix: f.string("tagSuffix"),
        new_tag: f.string("newTag"),
        digest: f.string("digest"),
    }
}

pub fn replica(f: &mut Fields<'_, '_>) -> Replica {
    Replica { name: f.string("name"), count: f.int("count", "int64") }
}

fn field_options(f: &mut Fields<'_, '_>) -> Option<FieldOptions> {
    let mut out = FieldOptions::default();
    f.object("options", "FieldOptions", &mut |f| {
        out = FieldOptions {
            delimiter: f.string("delimiter"),
            index: f.int("index", "int"),
            encoding: f.string("encoding"),
            create: f.bool("create"),
        };
    })
    .then_some(out)
}

pub fn replacements(f: &mut Fields<'_, '_>, name: &str, out: &mut Vec<ReplacementField>) {
    let json: Vec<Json> = match f.any(name) {
        Some(Json::List(items)) => items.clone(),
        _ => Vec::new(),
    };
    let mut json = json.into_iter();
    f.list(name, "[]types.ReplacementField", "ReplacementField", &mut |f| {
        let replacement = f.embed("Replacement", &mut replacement);
        let path = f.string("path");
        out.push(ReplacementField { replacement, path, json: json.next().unwrap_or_default() });
    });
}

pub fn replacement(f: &mut Fields<'_, '_>) -> Replacement {
    let mut source = Source::default();
    let has_source = f.object("source", "SourceSelector", &mut |f| {
        source = Source { id: res_id(f), field_path: f.string("fieldPath"), options: field_options(f) };
    });
    let mut targets = Vec::new();
    let has_targets = f.has("targets");
    f.list("targets", "[]*types.TargetSelector", "TargetSelector", &mut |f| {
        let select = opt_selector(f, "select");
        let mut reject = Vec::new();
        f.list("reject", "[]*types.Selector", "Selector", &mut |f| reject.push(selector(f)));
        targets.push(Target {
            select,
            reject,
            field_paths: f.strings("fieldPaths", "[]string", "string"),
            options: field_options(f),
        });
    });
    Replacement {
        source: has_source.then_some(source),
        targets: has_targets.then_some(targets),
        source_value: f.opt_string("sourceValue"),
    }
}

fn var(f: &mut Fields<'_, '_>) -> Var {
    let mut var = Var { name: f.string("name"), ..Var::default() };
    f.object("objref", "Target", &mut |f| {
        var.api_version = f.string("apiVersion");
        var.gvk = gvk(f);
        var.object_name = f.string("name");
        var.namespace = f.string("namespace");
    });
    f.object("fieldref", "FieldSelector", &mut |f| var.field_path = f.string("fieldPath"));
    var
}

fn sort_options(f: &mut Fields<'_, '_>) -> SortOptions {
    let mut legacy = (Vec::new(), Vec::new());
    SortOptions {
        order: f.string_of("order", "types.SortOrder"),
        legacy: f
            .object("legacySortOptions", "LegacySortOptions", &mut |f| {
                legacy = (f.strings("orderFirst", "[]string", "string"), f.strings("orderLast", "[]string", "string"));
            })
            .then_some(legacy),
    }
}

pub fn generator_options(f: &mut Fields<'_, '_>) -> GeneratorOptions {
    GeneratorOptions {
        labels: f.pairs("labels"),
        annotations: f.pairs("annotations"),
        disable_name_suffix_hash: f.bool("disableNameSuffixHash"),
        immutable: f.bool("immutable"),
    }
}

pub fn generator_args(f: &mut Fields<'_, '_>, secret: bool) -> GeneratorArgs {
    let mut args = f.embed("GeneratorArgs", &mut |f| {
        let mut args = GeneratorArgs {
            namespace: f.string("namespace"),
            name: f.string("name"),
            behavior: f.string("behavior"),
            ..GeneratorArgs::default()
        };
        f.embed("KvPairSources", &mut |f| {
            args.literals = f.strings("literals", "[]string", "string");
            args.files = f.strings("files", "[]string", "string");
            args.envs = f.strings("envs", "[]string", "string");
            args.env = f.string("env");
        });
        let mut options = GeneratorOptions::default();
        if f.object("options", "GeneratorOptions", &mut |f| options = generator_options(f)) {
            args.options = Some(options);
        }
        args
    });
    if secret {
        args.secret_type = f.string("type");
    }
    args
}

/// A chart in the order and form of kustomize's struct; only what is set.
fn helm_chart(f: &mut Fields<'_, '_>) -> Json {
    let mut out = Vec::new();
    for name in [
        "name",
        "version",
        "repo",
        "releaseName",
        "namespace",
        "valuesFile",
        "valuesMerge",
        "kubeVersion",
        "nameTemplate",
    ] {
        let text = f.string(name);
        if !text.is_empty() {
            out.push((name.to_owned(), Json::Str(text)));
        }
    }
    for name in ["additionalValuesFiles", "apiVersions"] {
        let items = f.strings(name, "[]string", "string");
        if !items.is_empty() {
            out.push((name.to_owned(), Json::List(items.into_iter().map(Json::Str).collect())));
        }
    }
    for name in ["includeCRDs", "skipHooks", "skipTests", "debug", "devel"] {
        if f.bool(name) {
            out.push((name.to_owned(), Json::Bool(true)));
        }
    }
    if let Some(values @ Json::Map(entries)) = f.any("valuesInline")
        && !entries.is_empty()
    {
        out.push(("valuesInline".to_owned(), values.clone()));
    }
    Json::map(out)
}

fn old_helm_chart(f: &mut Fields<'_, '_>) -> Json {
    let mut out = Vec::new();
    for (old, new) in [
        ("chartName", "name"),
        ("chartVersion", "version"),
        ("chartRepoUrl", "repo"),
        ("values", "valuesFile"),
        ("valuesMerge", "valuesMerge"),
        ("releaseName", "releaseName"),
        ("chartHome", ""),
        ("chartRepoName", ""),
        ("helmBin", ""),
        ("helmHome", ""),
        ("releaseNamespace", ""),
    ] {
        let text = f.string(old);
        if !text.is_empty() && !new.is_empty() {
            out.push((new.to_owned(), Json::Str(text)));
        }
    }
    f.strings("extraArgs", "[]string", "string");
    if let Some(values @ Json::Map(_)) = f.any("valuesLocal") {
        out.push(("valuesInline".to_owned(), values.clone()));
    }
    Json::map(out)
}
