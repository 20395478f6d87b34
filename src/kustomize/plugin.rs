//! Transformers and generators: those of a kustomization's fields, and the same given as objects in files of their own.

use std::sync::Arc;

use super::config::field_spec;
use super::decode::{Decoder, Fields};
use super::emit;
use super::error::{Error, Result};
use super::fieldspec::FieldSpec;
use super::generator;
use super::ids::Gvk;
use super::image::ImageTransformer;
use super::json::Json;
use super::kustomization::{
    GeneratorArgs, Replacement, Replica, generator_args, image, opt_selector, patch, replacement, replacements, replica,
};
use super::lookup;
use super::node::{Kind, Node, expect};
use super::openapi::Shared;
use super::parallel;
use super::patch::{Json6902, PatchTransformer, StrategicMerge};
use super::read;
use super::replacement;
use super::resmap::ResMap;
use super::resource::{Resource, Source};
use super::selector::Selector;
use super::transform::{Affix, Entries, Namespace, Subjects, replicas};
use super::tree::{Loader, clean};

/// A step that changes objects, with all it needs read.
pub enum Transformer {
    StrategicMerge(StrategicMerge),
    Patch(Box<PatchTransformer>),
    Namespace(Namespace),
    Affix(Affix),
    Entries(Entries),
    Json6902(Box<Json6902>),
    Replicas(Replica, Vec<FieldSpec>),
    Image(Box<ImageTransformer>),
    Replacements(Vec<Replacement>),
    Hash,
    ValueAdd(String, Vec<ValueTarget>),
    All(Vec<Self>),
}

/// Where `ValueAddTransformer` puts its value.
pub struct ValueTarget {
    selector: Option<Selector>,
    field_path: String,
    file_path_position: i64,
}

impl Transformer {
    pub fn apply(&self, map: &mut ResMap, shared: &Shared) -> Result<()> {
        match self {
            Self::StrategicMerge(t) => t.apply(map, shared),
            Self::Patch(t) => t.apply(map, shared),
            Self::Namespace(t) => t.apply(map),
            Self::Affix(t) => t.apply(map),
            Self::Entries(t) => t.apply(map),
            Self::Json6902(t) => t.apply(map),
            Self::Replicas(replica, specs) => replicas(replica, specs, map),
            Self::Image(t) => t.apply(map),
            Self::Replacements(list) => replacement::apply(list, map),
            Self::Hash => add_hashes(map),
            Self::ValueAdd(value, targets) => targets.iter().try_for_each(|t| t.apply(value, map)),
            Self::All(list) => list.iter().try_for_each(|t| t.apply(map, shared)),
        }
    }
}

/// Appends the hash of its content to the name of each object that wants one.
pub fn add_hashes(map: &mut ResMap) -> Result<()> {
    let wanting = map.items_mut().iter_mut().filter(|r| r.is_enabled(super::resource::NEEDS_HASH));
    let add = |r: &mut Resource| {
        let hash = generator::hash(&r.node).map_err(|e| e.at(&r.source.file, r.source.line))?;
        r.store_previous_id()?;
        let name = format!("{}-{hash}", super::resource::name(&r.node));
        r.set_name(&name)
    };
    parallel::map(wanting.collect(), 64, add).into_iter().collect()
}

impl ValueTarget {
    fn apply(&self, value: &str, map: &mut ResMap) -> Result<()> {
        let places = match &self.selector {
            None => (0..map.len()).collect(),
            Some(selector) => map.select(selector)?,
        };
        for at in places {
            let Some(r) = map.items_mut().get_mut(at) else { continue };
            if self.field_path == "metadata/namespace" {
                Namespace { namespace: value.to_owned(), ..Namespace::default() }.apply_to(&mut r.node)?;
                continue;
            }
            let mut parts: Vec<String> = Vec::new();
            for part in self.field_path.split('/') {
                match parts.last_mut() {
                    Some(last) if last.ends_with('\\') => {
                        last.pop();
                        last.push('/');
                        last.push_str(part);
                    }
                    _ => parts.push(part.to_owned()),
                }
            }
            let Some(field) = lookup::get_or_create(&mut r.node, &parts, Kind::Scalar)? else { continue };
            expect(field, Kind::Scalar)?;
            let text = match usize::try_from(self.file_path_position).ok().filter(|n| *n > 0) {
                Some(n) => insert_path_part(&field.value, n - 1, value),
                None => value.to_owned(),
            };
            field.set_scalar(Node::scalar(text))?;
        }
        Ok(())
    }
}

/// `filesys.InsertPathPart`
fn insert_path_part(path: &str, at: usize, part: &str) -> String {
    let inner = path.trim_matches('/');
    let mut parts: Vec<&str> = if inner.is_empty() { Vec::new() } else { inner.split('/').collect() };
    parts.insert(at.min(parts.len()), part);
    let joined = clean(&parts.join("/"));
    if path.starts_with('/') { format!("/{joined}") } else { joined }
}

/// What configuration objects are read with.
pub struct Reader<'l, 't> {
    pub loader: &'l Loader<'t>,
    /// The kustomization file.
    pub file: Arc<str>,
}

fn is_builtin(config: &Resource) -> bool {
    let gvk = config.id().gvk;
    gvk.group.is_empty() && gvk.version == "builtin"
}

fn specs(f: &mut Fields<'_, '_>) -> Vec<FieldSpec> {
    let mut out = Vec::new();
    f.list("fieldSpecs", "[]types.FieldSpec", "FieldSpec", &mut |f| out.push(field_spec(f)));
    out
}

const GENERATORS: [&str; 4] =
    ["ConfigMapGenerator", "SecretGenerator", "IAMPolicyGenerator", "HelmChartInflationGenerator"];
/// Each with the name of its struct, which stands in errors.
const TRANSFORMERS: [(&str, &str); 14] = [
    ("AnnotationsTransformer", "AnnotationsTransformerPlugin"),
    ("HashTransformer", "HashTransformerPlugin"),
    ("ImageTagTransformer", "ImageTagTransformerPlugin"),
    ("LabelTransformer", "LabelTransformerPlugin"),
    ("NamespaceTransformer", "NamespaceTransformerPlugin"),
    ("PatchJson6902Transformer", "PatchJson6902TransformerPlugin"),
    ("PatchStrategicMergeTransformer", "PatchStrategicMergeTransformerPlugin"),
    ("PatchTransformer", "PatchTransformerPlugin"),
    ("PrefixSuffixTransformer", "PrefixSuffixTransformerPlugin"),
    ("PrefixTransformer", "PrefixTransformerPlugin"),
    ("SuffixTransformer", "SuffixTransformerPlugin"),
    ("ReplacementTransformer", "ReplacementTransformerPlugin"),
    ("ReplicaCountTransformer", "ReplicaCountTransformerPlugin"),
    ("ValueAddTransformer", "ValueAddTransformerPlugin"),
];

/// A built-in kind with its configuration, or what is wrong with it. `kinds` are those that are wanted here.
fn configuration(config: &Resource) -> Result<(String, Json)> {
    if !is_builtin(config) {
        let kind = config.original_id()?.gvk.kind;
        return Err(Error::new(format!("external plugins disabled; unable to load external plugin '{kind}'")));
    }
    let gvk = config.id().gvk;
    if !GENERATORS.contains(&gvk.kind.as_str()) && !TRANSFORMERS.iter().any(|(kind, _)| *kind == gvk.kind) {
        return Err(Error::new(format!("unable to load builtin {gvk}")));
    }
    let json = emit::to_json(&config.node, true)
        .map_err(|e| Error::new(e).wrap(format!("marshalling yaml from res {}", config.id())))?;
    Ok((gvk.kind, json))
}

fn fails(config: &Resource) -> impl Fn(Error) -> Error + '_ {
    |e| e.wrap(format!("plugin {} fails configuration", config.id())).at(&config.source.file, config.source.line)
}

impl Reader<'_, '_> {
    /// A transformer from its object.
    pub fn transformer(&self, config: &Resource) -> Result<Transformer> {
        let at = |e: Error| e.at(&config.source.file, config.source.line);
        let (kind, json) = configuration(config).map_err(at)?;
        let out = self.configure(&kind, &json).map_err(fails(config))?;
        match out {
            Some(transformer) => Ok(transformer),
            None => Err(at(Error::new(format!("plugin {} not a transformer", config.original_id()?)))),
        }
    }

    fn configure(&self, kind: &str, json: &Json) -> Result<Option<Transformer>> {
        if kind == "HelmChartInflationGenerator" {
            return Err("must specify --enable-helm".into());
        }
        if GENERATORS.contains(&kind) {
            return Ok(None);
        }
        if matches!(kind, "PrefixTransformer" | "SuffixTransformer") {
            return Ok(Some(Transformer::Affix(affix_of(json, kind == "SuffixTransformer")?)));
        }
        let mut decoder = Decoder::new(false, true);
        let mut built: Option<Result<Transformer>> = None;
        let plugin = TRANSFORMERS.iter().find(|(known, _)| *known == kind).map_or("Plugin", |(_, plugin)| *plugin);
        decoder.root(json, plugin, &mut |f| built = Some(self.fields(kind, f)));
        decoder.finish().map_err(|e| {
            let e = Error::new(format!("error unmarshaling JSON: while decoding JSON: {e}"));
            if kind == "NamespaceTransformer" { e.wrap("unmarshalling NamespaceTransformer config") } else { e }
        })?;
        built.transpose().map_err(|mut e| {
            // A patch's errors show what it was read from, which here is the whole object.
            if kind == "PatchTransformer"
                && let Some((text, _)) = e.message.split_once('\n')
                && (text.starts_with("must specify one of") || text.starts_with("patch and path can't"))
            {
                e.message = format!("{text}\n{}", emit::json(json).unwrap_or_default());
            }
            e
        })
    }

    fn fields(&self, kind: &str, f: &mut Fields<'_, '_>) -> Result<Transformer> {
        Ok(match kind {
            "AnnotationsTransformer" => {
                Transformer::Entries(Entries { pairs: f.pairs("annotations").unwrap_or_default(), specs: specs(f) })
            }
            "LabelTransformer" => {
                Transformer::Entries(Entries { pairs: f.pairs("labels").unwrap_or_default(), specs: specs(f) })
            }
            "NamespaceTransformer" => {
                let mut namespace = String::new();
                f.object("metadata", "ObjectMeta", &mut |f| namespace = f.string("namespace"));
                Transformer::Namespace(Namespace {
                    namespace,
                    specs: specs(f),
                    unset_only: f.bool("unsetOnly"),
                    subjects: Subjects::parse(&f.string("setRoleBindingSubjects"))?,
                })
            }
            "PrefixSuffixTransformer" => {
                Transformer::All(vec![Transformer::Affix(affix(f, false)?), Transformer::Affix(affix(f, true)?)])
            }
            "PatchJson6902Transformer" => {
                let target = opt_selector(f, "target");
                let (path, inline) = (f.string("path"), f.string("jsonOp"));
                Transformer::Json6902(Box::new(Json6902::new(
                    target.as_ref(),
                    &path,
                    &inline,
                    self.loader,
                    &self.file,
                )?))
            }
            "PatchStrategicMergeTransformer" => {
                let paths = f.strings("paths", "[]types.PatchStrategicMerge", "types.PatchStrategicMerge");
                Transformer::StrategicMerge(StrategicMerge::new(&paths, &f.string("patches"), self.loader, &self.file)?)
            }
            "PatchTransformer" => {
                Transformer::Patch(Box::new(PatchTransformer::new(&patch(f), self.loader, &self.file)?))
            }
            "ReplicaCountTransformer" => {
                let mut wanted = Replica::default();
                f.object("replica", "Replica", &mut |f| wanted = replica(f));
                Transformer::Replicas(wanted, specs(f))
            }
            "ImageTagTransformer" => {
                let mut wanted = super::kustomization::Image::default();
                f.object("imageTag", "Image", &mut |f| wanted = image(f));
                Transformer::Image(Box::new(ImageTransformer::new(wanted, specs(f))))
            }
            "ReplacementTransformer" => {
                let mut list = Vec::new();
                replacements(f, "replacements", &mut list);
                Transformer::Replacements(self.replacements(list)?)
            }
            "HashTransformer" => Transformer::Hash,
            "ValueAddTransformer" => self.value_add(f)?,
            other => return Err(Error::new(format!("unable to load builtin {other}"))),
        })
    }

    /// Replacements with those from files put in their place.
    pub fn replacements(&self, list: Vec<super::kustomization::ReplacementField>) -> Result<Vec<Replacement>> {
        let mut out = Vec::new();
        for field in list {
            if field.path.is_empty() {
                out.push(field.replacement);
                continue;
            }
            let inline = &field.replacement;
            if inline.source.is_some() || inline.targets.as_ref().is_some_and(|t| !t.is_empty()) {
                return Err("cannot specify both path and inline replacement".into());
            }
            let text = self.loader.load(&field.path)?;
            let path = self.loader.path(&field.path);
            let converted = |e: String| Error::new(format!("error converting YAML to JSON: {e}")).at(&path, 0);
            let json = read::to_json(&text).map_err(converted)?;
            let items = match &json {
                Json::List(items) => items.iter().collect(),
                map @ Json::Map(_) => vec![map],
                other => {
                    let kind = match other {
                        Json::Null => "invalid",
                        Json::Bool(_) => "bool",
                        Json::Str(_) => "string",
                        _ => "float64",
                    };
                    return Err(Error::new(format!(
                        "unsupported replacement type encountered within replacement path: {kind}"
                    ))
                    .at(&path, 0));
                }
            };
            for item in items {
                let mut decoder = Decoder::new(false, true);
                decoder.root(item, "Replacement", &mut |f| out.push(replacement(f)));
                let finish = decoder.finish();
                finish.map_err(|e| {
                    Error::new(format!("error unmarshaling JSON: while decoding JSON: {e}")).at(&path, 0)
                })?;
            }
        }
        Ok(out)
    }

    fn value_add(&self, f: &mut Fields<'_, '_>) -> Result<Transformer> {
        let mut value = f.string("value").trim().to_owned();
        if value.is_empty() {
            value = self.loader.root.rsplit('/').next().unwrap_or_default().to_owned();
        }
        let mut targets = Vec::new();
        value_targets(f, &mut targets);
        let file = f.string("targetFilePath");
        if !file.is_empty() {
            let text = self.loader.load(&file)?;
            let json = read::to_json(&text).map_err(Error::new)?;
            let mut decoder = Decoder::new(false, true);
            decoder.root(&json, "Targets", &mut |f| value_targets(f, &mut targets));
            decoder.finish().map_err(Error::new)?;
        }
        if targets.is_empty() {
            return Err("must specify at least one target".into());
        }
        for target in &targets {
            if target.field_path.is_empty() {
                return Err("fieldPath cannot be empty".into());
            }
            if target.file_path_position < 0 {
                return Err(Error::new(format!(
                    "value of FilePathPosition ({}) cannot be negative",
                    target.file_path_position
                )));
            }
        }
        Ok(Transformer::ValueAdd(value, targets))
    }

    /// What a generator object makes.
    pub fn generate(&self, config: &Resource) -> Result<Vec<Resource>> {
        let at = |e: Error| e.at(&config.source.file, config.source.line);
        let (kind, json) = configuration(config).map_err(at)?;
        let secret = match kind.as_str() {
            "ConfigMapGenerator" => false,
            "SecretGenerator" => true,
            "IAMPolicyGenerator" => return iam_policy(&json, config).map_err(at),
            "HelmChartInflationGenerator" => {
                return Err(fails(config)(Error::new("must specify --enable-helm")));
            }
            _ => {
                self.configure(&kind, &json).map_err(fails(config))?;
                return Err(at(Error::new(format!("plugin {} not a generator", config.original_id()?))));
            }
        };
        let mut decoder = Decoder::new(false, true);
        let mut args = GeneratorArgs::default();
        let (plugin, embedded) = match secret {
            false => ("ConfigMapGeneratorPlugin", "ConfigMapArgs"),
            true => ("SecretGeneratorPlugin", "SecretArgs"),
        };
        decoder.root(&json, plugin, &mut |f| {
            args = f.embed(embedded, &mut |f| generator_args(f, secret));
            f.object("metadata", "ObjectMeta", &mut |f| {
                let (name, namespace) = (f.string("name"), f.string("namespace"));
                if args.name.is_empty() {
                    args.name = name;
                }
                if args.namespace.is_empty() {
                    args.namespace = namespace;
                }
            });
        });
        decoder
            .finish()
            .map_err(|e| fails(config)(Error::new(format!("error unmarshaling JSON: while decoding JSON: {e}"))))?;
        Ok(vec![generator::generate(&args, secret, self.loader, config.source.clone())?])
    }
}

fn affix(f: &mut Fields<'_, '_>, suffix: bool) -> Result<Affix> {
    if !f.has("fieldSpecs") {
        return Err("fieldSpecs is not expected to be nil".into());
    }
    Ok(Affix { text: f.string(if suffix { "suffix" } else { "prefix" }), suffix, specs: specs(f) })
}

/// A prefix or suffix, whose configuration is read with go-yaml v3: names have one case only, empty entries count for nothing, and all that is wrong
/// is told, by the lines of the object as it is printed.
fn affix_of(config: &Json, suffix: bool) -> Result<Affix> {
    let printed = emit::json(config)?;
    let node = read::parse(printed.as_bytes())?.unwrap_or_default();
    let mut wrong = Vec::new();
    let mut specs: Option<Vec<FieldSpec>> = None;
    match node.field("fieldSpecs") {
        Some(list) if list.kind == Kind::Sequence => {
            let items = list.content.iter().filter(|item| !item.is_null());
            specs = Some(items.map(|item| affix_spec(item, &mut wrong)).collect());
        }
        Some(other) if !other.is_null() => wrong.push(cannot_decode(other, "types.FsSlice")),
        _ => {}
    }
    let text = node.field(if suffix { "suffix" } else { "prefix" }).map(|n| decoded_text(n, &mut wrong));
    if !wrong.is_empty() {
        return Err(Error::new(format!("yaml: unmarshal errors:{}", wrong.concat())));
    }
    match specs {
        Some(specs) => Ok(Affix { text: text.unwrap_or_default(), suffix, specs }),
        None => Err("fieldSpecs is not expected to be nil".into()),
    }
}

fn affix_spec(item: &Node, wrong: &mut Vec<String>) -> FieldSpec {
    let (mut gvk, mut path, mut create) = (Gvk::default(), String::new(), false);
    if item.kind != Kind::Mapping {
        wrong.push(cannot_decode(item, "types.FieldSpec"));
        return FieldSpec::new(gvk, &path, create);
    }
    for (key, value) in item.fields() {
        match key.value.as_str() {
            "group" => gvk.group = decoded_text(value, wrong),
            "version" => gvk.version = decoded_text(value, wrong),
            "kind" => gvk.kind = decoded_text(value, wrong),
            "path" => path = decoded_text(value, wrong),
            "create" => match value.value.as_str() {
                _ if value.is_null() => {}
                "true" => create = true,
                "false" => {}
                _ => wrong.push(cannot_decode(value, "bool")),
            },
            _ => {}
        }
    }
    FieldSpec::new(gvk, &path, create)
}

/// Any scalar is a text where one is wanted.
fn decoded_text(node: &Node, wrong: &mut Vec<String>) -> String {
    match node.kind {
        _ if node.is_null() => String::new(),
        Kind::Scalar => node.value.clone(),
        _ => {
            wrong.push(cannot_decode(node, "string"));
            String::new()
        }
    }
}

/// go-yaml's line of what does not fit a type; long texts are cut.
fn cannot_decode(node: &Node, ty: &str) -> String {
    let shown = match node.kind {
        Kind::Scalar if node.value.len() > 10 => {
            format!(" `{}...`", String::from_utf8_lossy(node.value.as_bytes().get(..7).unwrap_or_default()))
        }
        Kind::Scalar => format!(" `{}`", node.value),
        _ => String::new(),
    };
    format!("\n  line {}: cannot unmarshal {}{shown} into {ty}", node.line, node.tag.short())
}

fn value_targets(f: &mut Fields<'_, '_>, out: &mut Vec<ValueTarget>) {
    f.list("targets", "[]builtins.Target", "Target", &mut |f| {
        out.push(ValueTarget {
            selector: opt_selector(f, "selector"),
            field_path: f.string("fieldPath"),
            file_path_position: f.int("filePathPosition", "int"),
        });
    });
}

/// A service account bound to one of Google's.
fn iam_policy(json: &Json, config: &Resource) -> Result<Vec<Resource>> {
    let mut decoder = Decoder::new(false, true);
    let mut cloud = String::new();
    let (mut service, mut account) = <((String, String), (String, String))>::default();
    decoder.root(json, "IAMPolicyGeneratorPlugin", &mut |f| {
        f.embed("IAMPolicyGeneratorArgs", &mut |f| {
            cloud = f.string_of("cloud", "types.Cloud");
            f.object("kubernetesService", "KubernetesService", &mut |f| {
                service = (f.string("name"), f.string("namespace"));
            });
            f.object("serviceAccount", "ServiceAccount", &mut |f| account = (f.string("name"), f.string("projectId")));
        });
    });
    decoder
        .finish()
        .map_err(|e| fails(config)(Error::new(format!("error unmarshaling JSON: while decoding JSON: {e}"))))?;
    if cloud != "gke" {
        return Err(Error::new(format!("cloud provider {cloud} not supported yet")));
    }
    // Lines as kustomize has them, which errors tell.
    let mut yaml = format!(
        "\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  annotations:\n    iam.gke.io/gcp-service-account: \
         {}@{}.iam.gserviceaccount.com\n  name: {}\n",
        account.0, account.1, service.0
    );
    if !service.1.is_empty() {
        yaml.push_str(&format!("\n  namespace: {}", service.1));
    }
    let node = read::parse(yaml.as_bytes())?.unwrap_or_default();
    let Source { file, line } = config.source.clone();
    Ok(vec![Resource::new(node, Source { file, line })])
}
