//! One kustomization with all below it: objects read and generated, transformed in kustomize's order, and at the top names with
//! hashes, references, vars and order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::config::{self, Config};
use super::configs::Configs;
use super::emit;
use super::error::{Error, Result};
use super::fieldspec::{FieldSpec, merge_all, merge_one};
use super::generator::{generate, merge_options};
use super::ids::Gvk;
use super::image::ImageTransformer;
use super::json::Json;
use super::kustomization::{COMPONENT, FILE_NAMES, Kustomization};
use super::nameref;
use super::objects;
use super::openapi::Shared;
use super::origin::Origin;
use super::parallel;
use super::patch::{Json6902, PatchTransformer, StrategicMerge, config_text, name_file, selector_json};
use super::plugin::{Reader, Transformer, add_hashes};
use super::resmap::ResMap;
use super::resource::{self, LOCAL_CONFIG, ORIGIN, Pairs, Resource, Source};
use super::transform::{Affix, Entries, Namespace, Subjects};
use super::tree::{self, Loader};
use super::vars::{self, VarSet};

/// What a kustomization gave so far.
#[derive(Default)]
pub struct Accumulator {
    pub map: ResMap,
    /// `None`: nothing but the defaults, or nothing at all.
    config: Option<Arc<Config>>,
    vars: VarSet,
}

impl Accumulator {
    fn merge_config(&mut self, other: &Arc<Config>, configs: &Configs) -> Result<()> {
        self.config = Some(configs.merged(self.config.as_ref(), other)?);
        Ok(())
    }

    fn config(&self) -> Arc<Config> {
        self.config.clone().unwrap_or_default()
    }

    fn merge(&mut self, other: Self, configs: &Configs) -> Result<()> {
        self.map.append_all(other.map.into_items())?;
        if let Some(config) = &other.config {
            self.merge_config(config, configs)?;
        }
        other.vars.values().try_for_each(|var| vars::insert(&mut self.vars, var))
    }
}

/// A kustomization file, read, and its place.
pub struct Target<'s, 't> {
    pub kustomization: Kustomization,
    file_name: &'static str,
    loader: Loader<'t>,
    shared: &'s Shared,
    origin: Option<Origin>,
    /// The namespace that charts get from a kustomization above.
    helm_namespace: String,
    pub warnings: Vec<String>,
}

/// What an entry of `resources` is.
enum Piece {
    File(Vec<Resource>),
    /// A directory, with what kustomize said when it tried it as a file.
    Directory(Box<(Accumulator, Vec<String>)>, String),
}

/// The kustomization file at the loader's root, and its name.
pub fn read_file(loader: &Loader<'_>) -> Result<(Kustomization, &'static str)> {
    let mut found = None;
    for name in FILE_NAMES {
        // Most are not there, which is soon seen.
        if loader.has(name)
            && let Ok(content) = loader.load(name)
            && found.replace((name, content)).is_some()
        {
            let e = format!("Found multiple kustomization files under: {}\n", loader.root);
            return Err(Error::new(e).at(&loader.root, 0));
        }
    }
    let Some((file_name, content)) = found else {
        return Err(Error::new(format!(
            "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
            loader.root
        ))
        .at(&loader.root, 0));
    };
    let kustomization = Kustomization::parse(&content, &loader.root).map_err(|e| e.at(&loader.path(file_name), 1))?;
    Ok((kustomization, file_name))
}

impl<'s, 't> Target<'s, 't> {
    /// Reads the kustomization file at the loader's root.
    pub fn load(loader: Loader<'t>, shared: &'s Shared) -> Result<Self> {
        let (kustomization, file_name) = read_file(&loader)?;
        Ok(Self::of(kustomization, file_name, loader, shared))
    }

    pub fn of(kustomization: Kustomization, file_name: &'static str, loader: Loader<'t>, shared: &'s Shared) -> Self {
        let warnings = kustomization.warnings.iter().map(|w| (*w).to_owned()).collect();
        let origin = (!kustomization.build_metadata.is_empty()).then(Origin::default);
        Self { kustomization, file_name, loader, shared, origin, helm_namespace: String::new(), warnings }
    }

    fn file(&self) -> Arc<str> {
        Arc::from(self.loader.path(self.file_name))
    }

    /// An error that is about an entry of the kustomization file itself: the line is where the entry is written.
    fn at_entry(&self, mut e: Error, entry: &str) -> Error {
        let text = self.loader.load(self.file_name).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().position(|line| !line.trim_start().starts_with('#') && line.contains(entry));
        e.file = None;
        e.at(&self.file(), line.and_then(|i| u32::try_from(i + 1).ok()).unwrap_or(0))
    }

    /// Takes what the file says in `openapi`. A file that it names is read in any case.
    pub fn set_schema(&self, is_base: bool) -> Result<()> {
        let Some(openapi) = &self.kustomization.openapi else { return Ok(()) };
        let document = match openapi.get("path") {
            Some(path) => Some((self.loader.load(path)?.into_owned(), self.loader.path(path))),
            None => None,
        };
        self.shared.choose(openapi, document, is_base)
    }

    /// The finished objects of the kustomization that is built.
    pub fn build(&mut self) -> Result<ResMap> {
        let mut ra = self.accumulated(Accumulator::default())?;
        add_hashes(&mut ra.map)?;
        nameref::fix(&ra.config().name_reference, &mut ra.map).map_err(|e| nameref::with_details(e, &ra.map))?;
        let unused = vars::resolve(&ra.vars, &ra.config().var_reference, &mut ra.map)?;
        if !unused.is_empty() {
            self.warnings.push(format!("well-defined vars that were never replaced: {}", unused.join(",")));
        }
        drop_local(&mut ra.map)?;
        Ok(ra.map)
    }

    /// All but the last steps. A component adds to what its parent has so far.
    pub fn accumulate(&mut self, ra: Accumulator) -> Result<Accumulator> {
        let found = self.accumulated(ra);
        found.map_err(|e| e.after(&self.warnings))
    }

    fn accumulated(&mut self, mut ra: Accumulator) -> Result<Accumulator> {
        let k = self.kustomization.clone();
        let here = self.file();
        let at = |e: Error| e.at(&here, 0);
        self.resources(&mut ra, &k.resources).map_err(|e| at(e).wrap("accumulating resources"))?;
        let configs = &self.shared.configs;
        let mut own = Config::default_merged();
        let mut added: Option<Arc<Config>> = None;
        for path in &k.configurations {
            let text = self.loader.load(path).map_err(at)?;
            let parsed = configs.parsed(&text).map_err(|e| e.at(&self.loader.path(path), 1))?;
            added = Some(configs.merged(added.as_ref(), &parsed)?);
        }
        if let Some(added) = &added {
            own = configs.merged(Some(&own), added)?;
        }
        ra.merge_config(&own, configs).map_err(at)?;
        for path in &k.crds {
            let loading = |e: Error| e.wrap(format!("loading CRDs [{}]", k.crds.join(" ")));
            let text = self.loader.load(path).map_err(|e| loading(at(e)))?;
            let crds = config::from_crds(&text).map_err(|e| {
                loading(e.wrap(format!("unable to parse open API definition from '{path}'")))
                    .at(&self.loader.path(path), 0)
            })?;
            ra.config = Some(Arc::new(ra.config().merged(&crds)?));
        }
        self.generators(&mut ra, &k).map_err(at)?;
        for path in &k.components {
            ra = self.component(ra, path).map_err(|e| at(e).wrap("accumulating components"))?;
        }
        self.transformers(&mut ra, &k).map_err(at)?;
        self.validators(&mut ra, &k.validators).map_err(at)?;
        vars::merge(&k.vars, &mut ra.vars, &mut ra.map).map_err(at)?;
        Ok(ra)
    }

    fn resources(&mut self, ra: &mut Accumulator, paths: &[String]) -> Result<()> {
        // Two or three are mostly built in the time that it takes to start a thread.
        let ahead = (!self.shared.one_by_one)
            .then(|| parallel::map(paths.iter().collect(), 4, |path: &String| self.piece(path)));
        let mut ahead = ahead.map(Vec::into_iter);
        for path in paths {
            let piece = match ahead.as_mut() {
                Some(pieces) => pieces.next().unwrap_or_else(|| self.piece(path)),
                None => self.piece(path),
            };
            match piece? {
                Piece::File(resources) => {
                    if let Err(e) = ra.map.append_all(resources) {
                        let e = e.wrap(format!("merging resources from '{path}'"));
                        return Err(self.not_a_file(path, e));
                    }
                }
                Piece::Directory(found, as_file) => {
                    let (sub, warnings) = *found;
                    self.warnings.extend(warnings);
                    let root = self.loader.path(path);
                    ra.merge(sub, &self.shared.configs).map_err(|e| {
                        e.wrap(format!("recursed merging from path '{root}'"))
                            .wrap(format!("accumulation err='{as_file}'"))
                    })?;
                }
            }
        }
        Ok(())
    }

    /// The error of an entry that was a file but could not be used.
    fn not_a_file(&self, path: &str, e: Error) -> Error {
        match self.loader.at(path) {
            Ok(_) => e,
            Err(_) if e.is_malformed_yaml() => e,
            Err(dir) => Error { message: format!("accumulation err='{}': {}", e.message, dir.message), ..e },
        }
    }

    fn piece(&self, path: &str) -> Result<Piece> {
        let e = match self.read_file(path) {
            Ok(resources) => return Ok(Piece::File(resources)),
            Err(e) => e.wrap(format!("accumulating resources from '{path}'")),
        };
        if let Some(remote) = tree::refused(path) {
            return Err(self.at_entry(remote, path));
        }
        let e = if self.loader.has(path) { e } else { self.at_entry(e, path) };
        let as_file = e.message.clone();
        let loader = match self.loader.at(path) {
            Ok(loader) => loader,
            Err(_) if e.is_malformed_yaml() => return Err(e),
            Err(dir) => return Err(Error { message: format!("accumulation err='{as_file}': {}", dir.message), ..e }),
        };
        let wrap = |e: Error| e.wrap(format!("accumulation err='{as_file}'"));
        let mut sub = self.child(loader, path).map_err(wrap)?;
        if sub.kustomization.kind == COMPONENT {
            let root = &sub.loader.root;
            let e = Error::new(format!("expected kind != '{COMPONENT}' for path '{root}'"));
            return Err(wrap(e).at(&sub.file(), 1).after(&sub.warnings));
        }
        let root = sub.loader.root.clone();
        let found = sub
            .accumulate(Accumulator::default())
            .map_err(|e| wrap(e.wrap(format!("recursed accumulation of path '{root}'"))))?;
        Ok(Piece::Directory(Box::new((found, sub.warnings)), as_file))
    }

    fn child(&self, loader: Loader<'t>, path: &str) -> Result<Self> {
        let root = loader.root.clone();
        let mut sub =
            Self::load(loader, self.shared).map_err(|e| e.wrap(format!("couldn't make target for path '{root}'")))?;
        sub.kustomization.build_metadata = self.kustomization.build_metadata.clone();
        sub.origin = self.origin.as_ref().map(|o| o.append(path));
        sub.helm_namespace = if self.kustomization.namespace.is_empty() {
            self.helm_namespace.clone()
        } else {
            self.kustomization.namespace.clone()
        };
        sub.set_schema(true).map_err(|e| e.after(&sub.warnings))?;
        Ok(sub)
    }

    fn read_file(&self, path: &str) -> Result<Vec<Resource>> {
        let text = self.loader.load(path)?;
        let file: Arc<str> = Arc::from(self.loader.path(path));
        let mut resources = objects::from_text(&text, &file).map_err(|e| name_file(e, path).at(&file, 0))?;
        unique(&resources)?;
        self.shared.meet(&resources)?;
        if let Some(origin) = &self.origin {
            let pairs = Pairs::from([(ORIGIN.to_owned(), origin.append(path).text())]);
            let specs = vec![FieldSpec::new(Gvk::default(), "metadata/annotations", true)];
            let entries = Entries { pairs, specs };
            resources.iter_mut().try_for_each(|r| entries.apply_to(&mut r.node))?;
        }
        Ok(resources)
    }

    fn component(&mut self, ra: Accumulator, path: &str) -> Result<Accumulator> {
        let shown = |e: Error, what: &str| {
            let text = crate::golang::strconv::quote(e.message.as_bytes());
            Error { message: format!("{what}{text}"), ..e }
        };
        let loader = self.loader.at(path).map_err(|e| shown(self.at_entry(e, path), "loader.New "))?;
        let build = |this: &Self| -> Result<(Accumulator, Vec<String>)> {
            let mut sub = this.child(loader, path)?;
            let root = sub.loader.root.clone();
            if sub.kustomization.kind != COMPONENT {
                let kind = &sub.kustomization.kind;
                let e = format!("expected kind '{COMPONENT}' for path '{root}' but got '{kind}'");
                return Err(Error::new(e).at(&sub.file(), 1).after(&sub.warnings));
            }
            let found = sub.accumulate(ra).map_err(|e| e.wrap(format!("recursed accumulation of path '{root}'")))?;
            let mut merged = Accumulator::default();
            let failed = |e: Error| e.wrap(format!("recursed merging from path '{root}'")).after(&sub.warnings);
            merged.merge(found, &this.shared.configs).map_err(failed)?;
            Ok((merged, sub.warnings))
        };
        let (found, warnings) = build(self).map_err(|e| shown(e, "accumulateDirectory: "))?;
        self.warnings.extend(warnings);
        Ok(found)
    }

    fn reader(&self) -> Reader<'_, 't> {
        Reader { loader: &self.loader, file: self.file() }
    }

    fn generators(&mut self, ra: &mut Accumulator, k: &Kustomization) -> Result<()> {
        if let Some(chart) = k.helm_charts.first() {
            return Err(self.refuse_chart(chart));
        }
        let configs =
            self.configurations(&k.generators, "generator").map_err(|e| e.wrap("loading generator plugins"))?;
        for config in &configs {
            let check = self.check_generator(config);
            check.map_err(|e| e.wrap("failed to load generator").wrap("loading generator plugins"))?;
        }
        if configs.is_empty() && k.config_map_generator.is_empty() && k.secret_generator.is_empty() {
            return Ok(());
        }
        let source = || Source { file: self.file(), line: 0 };
        let mut index = ra.map.any_index()?;
        let mut absorb = |resources: Vec<Resource>, origin: Option<Origin>, what: &str| -> Result<()> {
            for mut r in resources {
                if let Some(origin) = &origin {
                    origin.set_missing(&mut r)?;
                }
                ra.map.absorb(r, &mut index).map_err(|e| e.wrap(format!("merging from generator {what}")))?;
            }
            Ok(())
        };
        for (list, secret, kind) in
            [(&k.config_map_generator, false, "ConfigMapGenerator"), (&k.secret_generator, true, "SecretGenerator")]
        {
            for args in list {
                let mut args = args.clone();
                args.options = merge_options(args.options.as_ref(), k.generator_options.as_ref());
                let made = generate(&args, secret, &self.loader, source())?;
                let origin = self.origin.as_ref().map(|o| o.of_builtin(self.file_name, kind));
                absorb(vec![made], origin, &format!("{kind} '{}'", args.name))?;
            }
        }
        for config in &configs {
            let made = self.reader().generate(config)?;
            absorb(made, Origin::of_plugin(config), &config.id().to_string())?;
        }
        Ok(())
    }

    fn check_generator(&self, config: &Resource) -> Result<()> {
        match self.reader().generate(config) {
            // What goes wrong while generating is said later, in its turn.
            Err(e) if is_configuration_error(&e) => Err(e),
            _ => Ok(()),
        }
    }

    fn refuse_chart(&self, chart: &Json) -> Error {
        let mut shown = chart.clone();
        if shown.get("namespace").is_none() {
            let own = &self.kustomization.namespace;
            let namespace = if own.is_empty() { &self.helm_namespace } else { own };
            if !namespace.is_empty() {
                shown.insert("namespace".into(), Json::str(namespace.as_str()));
            }
        }
        for (key, value) in &self.kustomization.helm_globals {
            shown.insert(key.clone(), Json::str(value.as_str()));
        }
        trouble("HelmChartInflationGenerator", &shown)(Error::new("must specify --enable-helm"))
    }

    /// Objects that configure generators, transformers or validators: inline, in files or in directories.
    fn configurations(&mut self, entries: &[String], what: &str) -> Result<Vec<Resource>> {
        let mut inline = Accumulator::default();
        let mut paths = Vec::new();
        let file = self.file();
        for entry in entries {
            let Ok(mut found) = objects::from_text(entry.as_bytes(), &file) else {
                paths.push(entry.clone());
                continue;
            };
            if let Some(origin) = &self.origin {
                let text = origin.append(self.file_name).text();
                found.iter_mut().try_for_each(|r| r.set_note(ORIGIN, &text))?;
            }
            inline.map.append_all(found).map_err(|e| e.wrap(format!("configuring external {what}")))?;
        }
        self.resources(&mut inline, &paths)?;
        Ok(inline.map.into_items())
    }

    fn transformers(&mut self, ra: &mut Accumulator, k: &Kustomization) -> Result<()> {
        let config = ra.config();
        let mut all: Vec<(Transformer, &'static str)> = Vec::new();
        self.builtin(&config, k, &mut all)?;
        let origin = self.origin.clone();
        let mut steps: Vec<(Transformer, Option<Origin>)> =
            all.into_iter().map(|(t, kind)| (t, origin.as_ref().map(|o| o.of_builtin(self.file_name, kind)))).collect();
        for config in self.configurations(&k.transformers, "transformer")? {
            steps.push((self.reader().transformer(&config)?, Origin::of_plugin(&config)));
        }
        for (transformer, origin) in &steps {
            transformer.apply(&mut ra.map, self.shared)?;
            if let Some(origin) = origin {
                origin.add_transformation(&mut ra.map)?;
            }
            ra.map.drop_empty();
        }
        Ok(())
    }

    /// The transformers that the file's own fields ask for, in kustomize's order.
    fn builtin(&self, config: &Config, k: &Kustomization, out: &mut Vec<(Transformer, &'static str)>) -> Result<()> {
        let (loader, file) = (&self.loader, self.file());
        if !k.patches_strategic_merge.is_empty() {
            let kind = "PatchStrategicMergeTransformer";
            let paths = &k.patches_strategic_merge;
            let shown = || Json::List(paths.iter().map(|p| Json::str(p.as_str())).collect());
            let made = StrategicMerge::new(paths, "", loader, &file)
                .map_err(|e| trouble(kind, &Json::map(vec![("paths".into(), shown())]))(e))?;
            out.push((Transformer::StrategicMerge(made), kind));
        }
        for patch in &k.patches {
            let kind = "PatchTransformer";
            let made =
                PatchTransformer::new(patch, loader, &file).map_err(|e| trouble_text(kind, &config_text(patch))(e))?;
            out.push((Transformer::Patch(Box::new(made)), kind));
        }
        if !k.namespace.is_empty() {
            let made = Namespace {
                namespace: k.namespace.clone(),
                specs: config.namespace.clone(),
                unset_only: false,
                subjects: Subjects::DefaultOnly,
            };
            out.push((Transformer::Namespace(made), "NamespaceTransformer"));
        }
        for (text, suffix, kind) in
            [(&k.name_prefix, false, "PrefixTransformer"), (&k.name_suffix, true, "SuffixTransformer")]
        {
            if !text.is_empty() {
                let specs = if suffix { &config.name_suffix } else { &config.name_prefix };
                let made = Affix { text: text.clone(), suffix, specs: specs.clone() };
                out.push((Transformer::Affix(made), kind));
            }
        }
        if !k.labels.is_empty() || k.common_labels.as_ref().is_some_and(|l| !l.is_empty()) {
            for label in &k.labels {
                let made = Entries { pairs: label.pairs.clone(), specs: label_specs(label, config)? };
                out.push((Transformer::Entries(made), "LabelTransformer"));
            }
            let pairs = k.common_labels.clone().unwrap_or_default();
            let made = Entries { pairs, specs: config.common_labels.clone() };
            out.push((Transformer::Entries(made), "LabelTransformer"));
        }
        if let Some(pairs) = k.common_annotations.clone().filter(|pairs| !pairs.is_empty()) {
            let made = Entries { pairs, specs: config.common_annotations.clone() };
            out.push((Transformer::Entries(made), "AnnotationsTransformer"));
        }
        for patch in &k.patches_json6902 {
            let kind = "PatchJson6902Transformer";
            let made = Json6902::new(patch.target.as_ref(), &patch.path, &patch.patch, loader, &file).map_err(|e| {
                let mut shown = Vec::new();
                if let Some(target) = &patch.target {
                    shown.push(("target".to_owned(), selector_json(target)));
                }
                for (key, value) in [("path", &patch.path), ("jsonOp", &patch.patch)] {
                    if !value.is_empty() {
                        shown.push((key.to_owned(), Json::str(value.as_str())));
                    }
                }
                trouble(kind, &Json::map(shown))(e)
            })?;
            out.push((Transformer::Json6902(Box::new(made)), kind));
        }
        for replica in &k.replicas {
            out.push((Transformer::Replicas(replica.clone(), config.replicas.clone()), "ReplicaCountTransformer"));
        }
        for image in &k.images {
            let made = ImageTransformer::new(image.clone(), config.images.clone());
            out.push((Transformer::Image(Box::new(made)), "ImageTagTransformer"));
        }
        if !k.replacements.is_empty() {
            let kind = "ReplacementTransformer";
            let mut list = k.replacements.clone();
            // Empty lists get lost where kustomize hands its fields on.
            for field in &mut list {
                if field.replacement.targets.as_ref().is_some_and(Vec::is_empty) {
                    field.replacement.targets = None;
                }
            }
            let made = self.reader().replacements(list).map_err(|e| {
                let list = k.replacements.iter().map(|r| r.json.clone()).collect();
                trouble(kind, &Json::map(vec![("Replacements".into(), Json::List(list))]))(e)
            })?;
            out.push((Transformer::Replacements(made), kind));
        }
        Ok(())
    }

    /// Validators are transformers that must change nothing but may leave a label.
    fn validators(&mut self, ra: &mut Accumulator, entries: &[String]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let configs = self.configurations(entries, "transformer")?;
        let validators: Vec<_> = configs.iter().map(|c| self.reader().transformer(c)).collect::<Result<_>>()?;
        for validator in &validators {
            let before = ra.map.clone();
            validator.apply(&mut ra.map, self.shared)?;
            let mut after = ra.map.clone();
            for r in after.contents_mut() {
                let mut labels = resource::pairs(&r.node, "labels");
                if labels.remove("validated-by").is_some() {
                    resource::set_pairs(&mut r.node, "labels", &labels)?;
                }
            }
            unchanged(&before, &after).map_err(|e| e.wrap("validator shouldn't modify the resource map"))?;
        }
        Ok(())
    }
}

/// Each object is still there under its name, and as it was (`ErrorIfNotEqualSets`).
fn unchanged(before: &ResMap, after: &ResMap) -> Result<()> {
    if before.len() != after.len() {
        return Err("lists have different number of entries".into());
    }
    let mut by_id: HashMap<_, Vec<&Resource>> = HashMap::new();
    for r in after.items() {
        by_id.entry(r.id().key()).or_default().push(r);
    }
    for a in before.items() {
        let id = a.id();
        match by_id.get(&id.key()).map_or(&[][..], Vec::as_slice) {
            [] => return Err(Error::new(format!("id in self missing from other; id: {id}"))),
            [b] if a.node == b.node => {}
            [b] => return Err(Error::new(format!("nodes unequal: \n -- {},\n -- {}\n", a.json(), b.json()))),
            several => return Err(Error::new(format!("id in self matches {} in other; id: {id}", several.len()))),
        }
    }
    Ok(())
}

fn is_configuration_error(e: &Error) -> bool {
    ["external plugins disabled", "unable to load builtin", "fails configuration", "not a generator"]
        .iter()
        .any(|text| e.message.contains(text))
}

fn unique(resources: &[Resource]) -> Result<()> {
    let mut seen = HashSet::with_capacity(resources.len());
    for r in resources {
        let id = r.id();
        if !seen.insert(id.key()) {
            let e = format!("may not add resource with an already registered id: {id}");
            return Err(Error::new(e).at(&r.source.file, r.source.line));
        }
    }
    Ok(())
}

fn label_specs(label: &super::kustomization::Label, config: &Config) -> Result<Vec<FieldSpec>> {
    let failed = |e: Error| e.wrap("failed to merge labels");
    let mut specs = label.fields.clone();
    merge_all(&mut specs, &config.labels).map_err(failed)?;
    if label.include_selectors {
        merge_all(&mut specs, &config.common_labels).map_err(failed)?;
        return Ok(specs);
    }
    if label.include_templates {
        merge_all(&mut specs, &config.template_labels).map_err(|e| e.wrap("failed to merge template fieldSpec"))?;
    }
    merge_one(&mut specs, &FieldSpec::new(Gvk::default(), "metadata/labels", true)).map_err(failed)?;
    Ok(specs)
}

fn trouble(kind: &str, config: &Json) -> impl Fn(Error) -> Error + use<> {
    trouble_text(kind, &emit::json(config).unwrap_or_default())
}

fn trouble_text(kind: &str, config: &str) -> impl Fn(Error) -> Error + use<> {
    let prefix = format!("trouble configuring builtin {kind} with config: `\n{config}`");
    move |e| e.wrap(&prefix)
}

/// Takes out objects that are for kustomize only.
fn drop_local(map: &mut ResMap) -> Result<()> {
    for r in map.items().iter().filter(|r| !r.is_empty()) {
        objects::validate(&r.node).map_err(|e| e.at(&r.source.file, r.source.line))?;
    }
    let local =
        |r: &Resource| r.is_empty() || resource::annotation(&r.node, LOCAL_CONFIG).is_some_and(|v| v != "false");
    if map.items().iter().any(local) {
        let items = std::mem::take(map).into_items();
        map.set(items.into_iter().filter(|r| !local(r)).collect());
    }
    Ok(())
}
