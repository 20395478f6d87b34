//! How an environment is opened: from its directory to all objects that Flux would apply.
//!
//! An environment is a directory, `k8s/gitops/ENV` in the layout of this project or `clusters/ENV` in Flux's own examples, or any other that is
//! named by its path. Its kustomization is built, or one that names everything below where there is none. Flux `Kustomization` objects in
//! it are followed as kustomize-controller follows them: what they depend on first, then their directory with their fields merged in,
//! decrypted, variables expanded, metadata set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use crate::golang::path::confined;
use crate::kustomize::given::Given;
use crate::kustomize::{self, Build, LoadRestrictions, Options, flux};
use crate::sops::{self, Format, Services, Store};

use super::artifact::{self, Artifact, Fetched, Generator, Output};
use super::document::{self, Document, Node};
use super::files::Checkout;
use super::flux_kustomization::FluxKustomization;
use super::generated::{self, Generated};
use super::helm_release::HelmRelease;
use super::mask::Masker;
use super::objects::{Built, Environment, SourceObject, ValuesObject};
use super::problem::{Cause, Fault, Name, Place, Problem};
use super::roots;
use super::sops_tree::{self, Decrypting};

/// Where environments lie in the layout of this project.
pub const ENVIRONMENTS: &str = "k8s/gitops";

/// Where else directories of environments are looked for.
const ROOTS: [&str; 5] = [ENVIRONMENTS, "clusters", "kubernetes/clusters", "k8s/clusters", "environments"];

/// So many Flux Kustomizations are followed.
const MAX_KUSTOMIZATIONS: usize = 10_000;

/// The kinds of objects that charts come from.
const SOURCES: [&str; 6] =
    ["GitRepository", "HelmRepository", "OCIRepository", "HelmChart", "Bucket", "ExternalArtifact"];

impl Environment {
    /// The directory that holds the environments.
    ///
    /// # Errors
    /// There is none.
    fn root(checkout: &Checkout) -> Result<&'static str, String> {
        ROOTS.into_iter().find(|root| checkout.is_dir(root)).ok_or_else(|| {
            format!(
                "{}: no directory {ENVIRONMENTS} in it, nor one of {}: name the directory that a cluster applies with --env PATH",
                checkout.root().display(),
                ROOTS[1..].join(", ")
            )
        })
    }

    /// The directories that environments are looked for in, for a sentence.
    pub fn looked_for() -> String {
        format!("{} or {}", ROOTS[..ROOTS.len() - 1].join(", "), ROOTS[ROOTS.len() - 1])
    }

    /// The names of a repository's environments, or their paths where they lie deeper; without a directory of environments the paths of those
    /// that Flux's Kustomizations tell of.
    ///
    /// # Errors
    /// There are none to be found.
    pub fn names(checkout: &Checkout) -> Result<Vec<String>, String> {
        let root = match Self::root(checkout) {
            Ok(root) => root,
            Err(e) => return Some(roots::found(checkout)).filter(|found| !found.is_empty()).ok_or(e),
        };
        let names = checkout.list(root)?;
        let names = names.iter().filter_map(|n| n.strip_suffix('/'));
        Ok(roots::environments(checkout, root, names.filter(|n| !n.starts_with('.')).map(String::from).collect()))
    }

    /// The directory of an environment: by its name, or any path with a slash in it.
    ///
    /// # Errors
    /// There is none; the message lists those that there are.
    pub fn directory(checkout: &Checkout, name: &str) -> Result<String, String> {
        if name.is_empty() {
            return Err(format!("no environment is named: give one with --env: {}", Self::names(checkout)?.join(", ")));
        }
        if name.contains('/') {
            let path = Checkout::relative(name)?;
            if checkout.is_dir(&path) {
                return Ok(path);
            }
        }
        let root = match Self::root(checkout) {
            Ok(root) => root,
            Err(e) => {
                let known = Some(roots::found(checkout)).filter(|found| !found.is_empty()).ok_or(e)?;
                // The last part of a path is enough where no other ends so.
                let mut so_named = known.iter().filter(|path| path.rsplit('/').next() == Some(name));
                return match (so_named.next(), so_named.next()) {
                    (Some(path), None) => Ok(path.clone()),
                    _ => Err(format!("no environment {name}: there are {}", known.join(", "))),
                };
            }
        };
        let dir = format!("{root}/{name}");
        if name.contains(['/', '\\']) || name.starts_with('.') || !checkout.is_dir(&dir) {
            let known = Self::names(checkout)?;
            return Err(format!("no environment {name} under {root}: there are {}", known.join(", ")));
        }
        // The one that the directory holds, where it is none itself.
        Ok(<[String; 1]>::try_from(roots::members(checkout, &dir)).map_or(dir, |[only]| only))
    }

    /// Builds an environment. Without `keys` that fit, encrypted values become placeholders.
    ///
    /// # Errors
    /// There is no such environment; the message lists those that there are.
    pub fn open(checkout: &Checkout, name: &str, keys: Option<&Services<'_>>) -> Result<Self, String> {
        Self::open_parts(checkout, name, keys, None)
    }

    /// As [`Environment::open`], with only these resources of the environment's kustomization, paths from its directory.
    ///
    /// # Errors
    /// There is no such environment; the message lists those that there are.
    pub fn open_parts(
        checkout: &Checkout,
        name: &str,
        keys: Option<&Services<'_>>,
        parts: Option<&[String]>,
    ) -> Result<Self, String> {
        let dir = Self::directory(checkout, name)?;
        let mut env = Self { name: name.into(), dir: dir.clone(), ..Self::default() };
        // kustomize refuses a kustomization without resources.
        if parts.is_some_and(<[String]>::is_empty) {
            return Ok(env);
        }
        let root = format!("/{dir}");
        let generated = match parts {
            Some(parts) => Some(Generated::of(checkout, &root, parts)),
            None => generated::kustomization(checkout, &root).is_none().then(|| Generated::new(checkout, &root)),
        };
        let tree: &dyn kustomize::Tree = match &generated {
            Some(tree) => tree,
            None => checkout,
        };
        env.open_tree(checkout, tree, keys);
        Ok(env)
    }

    /// Builds the environment's directory from a tree that may differ from the checkout in its kustomizations.
    pub(super) fn open_tree(&mut self, checkout: &Checkout, tree: &dyn kustomize::Tree, keys: Option<&Services<'_>>) {
        let options = Options { load_restrictions: LoadRestrictions::None, ..Options::default() };
        let root = format!("/{}", self.dir);
        let mut opening = Opening::new(self, checkout, keys);
        let built = opening.decrypting(tree, |tree| kustomize::build(tree, &root, &options));
        opening.take_own(tree, built, &root);
        opening.follow();
        opening.find_here();
    }
}

pub(super) struct Opening<'o> {
    pub(super) env: &'o mut Environment,
    checkout: &'o Checkout,
    keys: Option<&'o Services<'o>>,
    /// Source documents, each file parsed once.
    sources: BTreeMap<String, Vec<Document>>,
    /// Flux Kustomizations that were found and not built yet.
    waiting: Vec<FluxKustomization>,
    /// Where all of them, built or not, take their directories from: kind, name and namespace of the source.
    applied: Vec<(SourceId, String)>,
    /// The Kustomization by whose fields the environment's own directory was built.
    pub(super) own: Option<String>,
}

/// Kind, namespace and name of a source.
type SourceId = (String, String, String);

fn source_id(k: &FluxKustomization) -> SourceId {
    let namespace = k.source.namespace.as_deref().or(k.namespace.as_deref()).unwrap_or("default");
    (k.source.kind.clone(), namespace.into(), k.source.name.clone())
}

impl<'o> Opening<'o> {
    fn new(env: &'o mut Environment, checkout: &'o Checkout, keys: Option<&'o Services<'o>>) -> Self {
        let (sources, waiting, applied) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { env, checkout, keys, sources, waiting, applied, own: None }
    }

    /// Takes back what was taken over and followed, but for what is known of secrets. `before`: how many problems and warnings there were.
    pub(super) fn forget(&mut self, (problems, warnings): (usize, usize)) {
        let env = &mut *self.env;
        env.releases.clear();
        env.objects.clear();
        env.sources.clear();
        env.generators.clear();
        env.built.clear();
        env.elsewhere.clear();
        env.problems.truncate(problems);
        env.warnings.truncate(warnings);
        env.unbuilt.clear();
        (env.of_unbuilt, env.unchanged) = (0, false);
        self.waiting.clear();
        self.applied.clear();
    }

    /// Builds from a tree in which generators' files are decrypted.
    pub(super) fn decrypting(
        &mut self,
        tree: &dyn kustomize::Tree,
        build: impl FnOnce(&dyn kustomize::Tree) -> kustomize::Result<Build>,
    ) -> kustomize::Result<Build> {
        let Some(keys) = self.keys else { return build(tree) };
        let tree = Decrypting::new(tree, keys);
        let built = build(&tree);
        for text in tree.into_plain() {
            self.env.masker.learn_text(&text);
        }
        built
    }

    pub(super) fn problem(&mut self, place: Place, fault: impl Into<Fault>) {
        self.env.problems.push(fault.into().at(&place));
    }

    /// Builds the Kustomizations that were found, each after those it depends on.
    pub(super) fn follow(&mut self) {
        let mut done: BTreeSet<String> = BTreeSet::new();
        while !self.waiting.is_empty() {
            let ids: BTreeSet<String> = self.waiting.iter().map(FluxKustomization::id).collect();
            let free = |k: &FluxKustomization| {
                let id = k.id();
                k.dependencies().iter().all(|d| *d == id || !ids.contains(d))
            };
            // A source or variables may come with any of the others: Flux tries again until they are there.
            let sourced = |k: &FluxKustomization| free(k) && !self.lacks_source(k);
            let ready = |k: &FluxKustomization| sourced(k) && !self.lacks_variables(k);
            let position = |of: &dyn Fn(&FluxKustomization) -> bool| self.waiting.iter().position(of);
            let next = position(&ready).or_else(|| position(&sourced)).or_else(|| position(&free));
            if next.is_none() {
                let names: Vec<String> = ids.into_iter().collect();
                let place = self.waiting[0].place.clone();
                self.problem(
                    place,
                    format!("dependsOn: these Kustomizations wait for each other: {}", names.join(", ")),
                );
            }
            let next = self.waiting.remove(next.unwrap_or(0));
            if !done.insert(next.id()) {
                continue;
            }
            if done.len() > MAX_KUSTOMIZATIONS {
                self.problem(next.place, format!("more than {MAX_KUSTOMIZATIONS} Flux Kustomizations"));
                return;
            }
            let before = self.env.problems.len();
            self.build(&next);
            let more = self.env.problems.len() - before;
            if more > 0 {
                self.env.of_unbuilt += more;
                self.env.unbuilt.insert(next.id());
            }
        }
    }

    /// Whether neither a Kustomization's directory is here nor the source that it may be of.
    fn lacks_source(&self, k: &FluxKustomization) -> bool {
        let namespace = k.source.namespace.as_deref().or(k.namespace.as_deref());
        let here = |path: String| path == self.env.dir || self.checkout.is_dir(&path);
        !here(confined(&k.path)) && self.env.source(&k.source.kind, &k.source.name, namespace).is_none()
    }

    /// Whether an object that variables come from is not built yet.
    fn lacks_variables(&self, k: &FluxKustomization) -> bool {
        let lacks = |kind: &str, name: &str| self.env.find(kind, name, k.namespace.as_deref()).is_none();
        k.substitute_from.iter().any(|from| lacks(&from.kind, &from.name))
    }

    fn build(&mut self, k: &FluxKustomization) {
        let at = Place { path: k.place.path.clone(), line: k.path_line };
        let path = confined(&k.path);
        match self.generator(k) {
            Ok(Some((generator, output))) => return self.compose(k, &path, &generator, &output),
            Ok(None) => {}
            Err(problem) => return self.env.problems.push(problem),
        }
        if matches!(k.source.kind.as_str(), "Bucket" | "ExternalArtifact") {
            // It may be made of this repository, so nothing can be said of what changes in it.
            let place = Place { path: k.place.path.clone(), line: k.source.line };
            let message = format!(
                "sourceRef: directories of {} are not supported: only those of a GitRepository or OCIRepository that is this repository",
                k.source.with_article()
            );
            return self.problem(place, Fault::unsupported(message));
        }
        if let Some(message) = self.elsewhere(k) {
            let place = Place { path: k.place.path.clone(), line: k.source.line };
            self.env.warnings.push(format!("{place}: {message}"));
            return self.env.elsewhere.push(Fault::unsupported(message).at(&place));
        }
        let path = self.in_checkout(k, path);
        if path == self.env.dir {
            // The object that applies this very directory, as `flux bootstrap` makes it.
            if !k.plain && self.own.as_ref() != Some(&k.id()) {
                self.env.unchanged = true;
                let message = format!(
                    "Kustomization {} applies this environment's own directory with changes: that is not followed",
                    k.name
                );
                self.problem(at, Fault::unsupported(message));
            }
            return;
        }
        if !self.checkout.is_dir(&path) {
            let message = format!(
                "path: {} is not a directory of this repository, and no {} {} of another one is in the environment",
                k.path,
                if k.source.kind.is_empty() { "source" } else { &k.source.kind },
                k.source.name
            );
            let name = Name::new(&k.source.kind, &k.source.name);
            return self.problem(at, Fault::new(Cause::NoSource(name), message));
        }
        self.apply(k, self.checkout, &path, None);
    }

    /// The path in the checkout. An OCIRepository may hold a directory of the repository alone (`flux push artifact --path=deploy`): what is not
    /// at the root is looked for beside what the environment lies in.
    fn in_checkout(&self, k: &FluxKustomization, path: String) -> String {
        if k.source.kind != "OCIRepository" || self.checkout.is_dir(&path) {
            return path;
        }
        let there = |dir: &str| if path.is_empty() { dir.to_owned() } else { format!("{dir}/{path}") };
        self.env.above().into_iter().map(there).find(|there| self.checkout.is_dir(there)).unwrap_or(path)
    }

    /// Builds a directory that a Kustomization names, of the checkout or of an artifact.
    fn apply(
        &mut self,
        k: &FluxKustomization,
        tree: &dyn kustomize::Tree,
        path: &str,
        artifact: Option<&Artifact<'_>>,
    ) {
        let Some((variables, secret)) = self.variables(k) else { return };
        if k.suspended {
            self.env
                .warnings
                .push(format!("{}: Kustomization {} is suspended: Flux applies no change of it", k.place, k.name));
        }
        let root = format!("/{path}");
        let built = self.decrypting(tree, |tree| k.overlay.build(tree, &root));
        let built = match artifact {
            Some(artifact) => artifact.told(built),
            None => built,
        };
        let substitution = flux::Substitution { variables, secret, always: k.always, ..flux::Substitution::default() };
        self.take(built, &root, Some((k, substitution)), k.id());
    }

    /// The generator of the artifact that a Kustomization takes its directory from, and the artifact.
    fn generator(&mut self, k: &FluxKustomization) -> Result<Option<(Generator, Output)>, Problem> {
        if k.source.kind != "ExternalArtifact" {
            return Ok(None);
        }
        self.find_here();
        let (_, namespace, name) = source_id(k);
        self.env.artifact(self.checkout, &namespace, &name)
    }

    /// Builds a directory of an artifact that is made of this repository.
    fn compose(&mut self, k: &FluxKustomization, path: &str, generator: &Generator, output: &Output) {
        let at = |line: usize| Place { path: generator.place.path.clone(), line };
        for source in generator.sources_of(output) {
            if !source.here {
                let place = at(source.line);
                let message = format!(
                    "Kustomization {} is not built: its artifact {} is made of {} {}, which is not this checkout",
                    k.name, output.name, source.kind, source.name
                );
                self.env.warnings.push(format!("{place}: {message}"));
                return self.env.elsewhere.push(Fault::unsupported(message).at(&place));
            }
        }
        match Artifact::new(self.checkout, generator, output, &self.env.above(), &Fetched::new()) {
            Ok(artifact) => {
                let found = kustomize::Tree::resolve(&artifact, &format!("/{path}"));
                if !matches!(found, Some((_, kustomize::Entry::Directory))) {
                    let place = Place { path: k.place.path.clone(), line: k.path_line };
                    return self
                        .problem(place, format!("path: {} is not a directory of artifact {}", k.path, output.name));
                }
                self.apply(k, &artifact, path, Some(&artifact));
            }
            Err((line, why)) => self.problem(at(line), why),
        }
    }

    /// Notes which sources of the generators are this repository.
    fn find_here(&mut self) {
        let here = self.applied.iter().filter(|(id, path)| self.is_here(path) && !self.is_another(id));
        self.env.here = here.map(|(id, _)| id.clone()).collect();
        let here: Vec<Vec<bool>> =
            self.env.generators.iter().map(|g| g.sources.iter().map(|s| self.is_this(s)).collect()).collect();
        for (generator, here) in self.env.generators.iter_mut().zip(here) {
            for (source, here) in generator.sources.iter_mut().zip(here) {
                source.here = here;
            }
        }
    }

    /// Whether a generator's source is this repository: one that is not among the environment's objects (Flux was installed with it), has the
    /// checkout's own address, or is one that directories here are taken from.
    fn is_this(&self, source: &artifact::Source) -> bool {
        let Some(object) = self.env.source(&source.kind, &source.name, Some(&source.namespace)) else { return true };
        let id = (source.kind.clone(), source.namespace.clone(), source.name.clone());
        source.kind == "GitRepository" && super::charts::is_remote_of(object, self.checkout)
            || !self.is_another(&id) && self.applied.iter().any(|(of, path)| *of == id && self.is_here(path))
    }

    /// Whether a source is another repository though directories of its paths are here: the environment's own directory is taken from a
    /// GitRepository of another name. (A cluster may be laid out alike in two repositories, a public and a private one.)
    fn is_another(&self, id: &SourceId) -> bool {
        let object = |(kind, namespace, name): &SourceId| self.env.source(kind, name, Some(namespace));
        let mut own = self.applied.iter().filter(|(_, path)| *path == self.env.dir).map(|(of, _)| of).peekable();
        let Some(one) = object(id).filter(|_| id.0 == "GitRepository" && own.peek().is_some()) else { return false };
        let differs = |of: &SourceId| {
            of != id && of.0 == "GitRepository" && object(of).is_some_and(|of| super::charts::have_other_names(of, one))
        };
        own.all(differs) && !super::charts::is_remote_of(one, self.checkout)
    }

    /// Whether a path that is applied is a directory of this checkout. The root is a directory of every repository.
    fn is_here(&self, path: &str) -> bool {
        path == self.env.dir || !path.is_empty() && self.checkout.is_dir(path)
    }

    /// Why a Kustomization can't be built from this checkout: its directory lies in an artifact that is made of something else.
    ///
    /// A source that is not among the environment's objects is the one that Flux was installed with, which is the repository itself; one that
    /// is there is, too, where its address is the checkout's own, or where some directory that is taken from it is here.
    fn elsewhere(&self, k: &FluxKustomization) -> Option<String> {
        let name = &k.name;
        let source = &k.source;
        let namespace = source.namespace.as_deref().or(k.namespace.as_deref());
        let object = self.env.source(&source.kind, &source.name, namespace)?;
        let id = source_id(k);
        if !self.is_another(&id) && self.applied.iter().any(|(of, path)| *of == id && self.is_here(path)) {
            return None;
        }
        // Another branch of this repository is not this checkout either.
        let is_own = || source.kind == "GitRepository" && super::charts::is_remote_of(object, self.checkout);
        if !self.applied.iter().any(|(of, path)| *of != id && self.is_here(path)) && is_own() {
            return None;
        }
        let url = object.node.get("spec").and_then(|s| s.get("url")).and_then(Node::as_str).unwrap_or("no address");
        let what = match confined(&k.path).is_empty() {
            false => format!("path {} is", k.path),
            true => "it applies the root".into(),
        };
        Some(format!(
            "Kustomization {name} is not built: {what} of {} {} ({}), which is not this checkout: build it from there",
            source.kind,
            source.name,
            self.env.masker.apply_text(&crate::source::redacted(url))
        ))
    }

    /// The variables of a Kustomization: from objects in their order, then its own; and which of them hold secrets.
    pub(super) fn variables(&mut self, k: &FluxKustomization) -> Option<(BTreeMap<String, String>, BTreeSet<String>)> {
        let mut out = BTreeMap::new();
        let mut secret = BTreeSet::new();
        let mut complete = true;
        for from in &k.substitute_from {
            let found = self.env.find(&from.kind, &from.name, k.namespace.as_deref());
            let data = found.map(|object| super::render::object_data(&from.kind, &object.node));
            let fault = match data {
                Some(Ok(data)) => {
                    for (key, value) in data {
                        let is_secret = from.kind == "Secret" || !self.env.masker.is_clean(&value);
                        if is_secret {
                            secret.insert(key.clone())
                        } else {
                            secret.remove(&key)
                        };
                        out.insert(key, String::from_utf8_lossy(&value).replace('\n', ""));
                    }
                    continue;
                }
                Some(Err(e)) => Fault::from(format!("substituteFrom: {} {}: {e}", from.kind, from.name)),
                None if from.optional => continue,
                None => match self.env.maker(&from.kind, &from.name, k.namespace.as_deref()) {
                    Some(maker) => Fault::unsupported(format!(
                        "substituteFrom: {} {} is made in the cluster by {maker}: its values are not known here, so Kustomization {} is not built",
                        from.kind, from.name, k.name
                    )),
                    None => Fault::new(
                        Cause::NoVariables(Name::new(&from.kind, &from.name)),
                        format!(
                            "substituteFrom: {} {} is not in what was built before this Kustomization: add it to the repository, order it with dependsOn, or set optional: true",
                            from.kind, from.name
                        ),
                    ),
                },
            };
            complete = false;
            let place = Place { path: k.place.path.clone(), line: from.line };
            self.problem(place, fault);
        }
        k.substitute.keys().for_each(|key| {
            secret.remove(key);
        });
        out.extend(k.substitute.clone());
        complete.then_some((out, secret))
    }

    /// Takes over what a build gave, in Flux's order: decrypted, variables expanded, metadata set. `owner`: who applies it, nothing for the
    /// environment itself.
    pub(super) fn take(
        &mut self,
        built: kustomize::Result<Build>,
        dir: &str,
        of: Option<(&FluxKustomization, flux::Substitution)>,
        owner: String,
    ) {
        let failed = |e: kustomize::Error| {
            let path = e.file.as_deref().unwrap_or(dir).trim_start_matches('/').to_owned();
            let cause = if e.unsupported { Cause::Unsupported } else { Cause::Wrong };
            Fault::new(cause, e.message).at(&Place { path, line: (e.line as usize).max(1) })
        };
        let mut build = match built {
            Ok(build) => build,
            Err(e) => return self.env.problems.push(failed(e)),
        };
        self.env.warnings.append(&mut build.warnings);
        let mut encrypted = Vec::with_capacity(build.objects.len());
        let mut good = Vec::with_capacity(build.objects.len());
        for mut object in build.objects {
            let path = object.source.file.trim_start_matches('/').to_owned();
            let place = Place { path, line: (object.source.line as usize).max(1) };
            match decrypted(&object.text, self.keys, &mut self.env.masker) {
                Ok(done) => {
                    if done.text.is_some()
                        && let Some((k, _)) = &of
                        && !k.decrypts
                    {
                        let message = format!(
                            "{place}: encrypted with SOPS, but Kustomization {} has no decryption: Flux would apply the ciphertext",
                            k.name
                        );
                        self.env.warnings.push(message);
                    }
                    encrypted.push((done.text.is_some(), done.opaque));
                    if let Some(text) = done.text {
                        object.text = text;
                    }
                    good.push(object);
                }
                Err(message) => self.problem(place, message),
            }
        }
        build.objects = good;
        if let Some((k, substitution)) = &of {
            let changed = if substitution.variables.is_empty() && !substitution.always {
                Ok(build)
            } else {
                flux::substitute(build, substitution)
            };
            let changed = changed.and_then(|build| {
                if k.labels.is_empty() && k.annotations.is_empty() {
                    return Ok(build);
                }
                flux::add_metadata(build, &k.labels, &k.annotations)
            });
            let made = substitution.made.lock().unwrap_or_else(PoisonError::into_inner);
            self.env.masker.learn_derived(made.iter().cloned());
            drop(made);
            build = match changed {
                Ok(build) => build,
                Err(e) => return self.env.problems.push(failed(e)),
            };
        }
        for (i, object) in build.objects.into_iter().enumerate() {
            // Expansion keeps the number of objects, but for lists in texts, which nobody encrypts.
            let (was, opaque) = encrypted.get(i).copied().unwrap_or_default();
            self.object(object, &owner, was, opaque);
        }
    }

    fn object(&mut self, object: kustomize::Object, owner: &str, encrypted: bool, opaque: bool) {
        let path = object.source.file.trim_start_matches('/').to_owned();
        let place = Place { path, line: (object.source.line as usize).max(1) };
        let kustomize::Object { api_version, kind, name, namespace, text, given, .. } = object;
        let group = api_version.split('/').next().unwrap_or_default();
        let wanted = match kind.as_str() {
            "HelmRelease" => group == "helm.toolkit.fluxcd.io",
            "ConfigMap" | "Secret" => api_version == "v1",
            "Kustomization" => group == "kustomize.toolkit.fluxcd.io",
            "ArtifactGenerator" => group == artifact::GROUP,
            kind => group == "source.toolkit.fluxcd.io" && SOURCES.contains(&kind),
        };
        if wanted {
            self.known((&kind, &name, &namespace), &text, &place, opaque, given);
        }
        let owner = owner.to_owned();
        self.env.built.push(Built { api_version, kind, name, namespace, place, text, owner, encrypted });
    }

    /// Reads an object that has a meaning here.
    fn known(
        &mut self,
        (kind, name, namespace): (&str, &str, &str),
        text: &str,
        place: &Place,
        opaque: bool,
        given: Vec<Given>,
    ) {
        let document = document::parse(text.as_bytes()).map_err(|e| format!("line {}: {}", e.line, e.message));
        let document = document.and_then(|mut d| d.pop().ok_or_else(|| "is empty".to_owned()));
        let mut document = match document {
            Ok(document) => document,
            Err(e) => {
                return self.problem(place.clone(), format!("{kind} {name}: the built object can't be read: {e}"));
            }
        };
        document.root.take_lines(self.source(place), place.line);
        let namespace = Some(namespace.to_owned()).filter(|n| !n.is_empty());
        match kind {
            "HelmRelease" => {
                let release = HelmRelease::read(&document, place.clone(), name, namespace, &mut self.env.problems);
                self.env.releases.extend(release.map(|release| HelmRelease { given, ..release }));
            }
            "ConfigMap" | "Secret" => {
                // A generated Secret may hold a whole encrypted file.
                let opaque = opaque || kind == "Secret" && holds_sops(&document.root);
                if kind == "Secret" && !opaque {
                    self.env.masker.learn_secret(&document.root);
                    // The hash of all the data that kustomize puts behind the name: who guesses the data can try it.
                    let hash =
                        name.rsplit_once('-').and_then(|(_, hash)| kustomize::hash_of(text).filter(|h| h == hash));
                    hash.iter().for_each(|hash| self.env.masker.learn_word(hash));
                }
                self.env.objects.push(ValuesObject {
                    kind: kind.into(),
                    name: name.into(),
                    namespace,
                    place: place.clone(),
                    encrypted: opaque,
                    node: document.root,
                    given,
                });
            }
            "Kustomization" => {
                let text = document.text.clone();
                let problems = &mut self.env.problems;
                let found = FluxKustomization::read(&document.root, &text, place.clone(), name, namespace, problems);
                if let Some(k) = &found {
                    self.applied.push((source_id(k), confined(&k.path)));
                }
                self.waiting.extend(found);
            }
            "ArtifactGenerator" => {
                self.env.generators.push(Generator::read(&document.root, place.clone(), namespace));
            }
            _ => self.env.sources.push(SourceObject {
                kind: kind.into(),
                name: name.into(),
                namespace,
                place: place.clone(),
                node: document.root,
            }),
        }
    }

    /// The document that an object was read from.
    fn source(&mut self, place: &Place) -> Option<&Node> {
        let checkout = self.checkout;
        let documents = self.sources.entry(place.path.clone()).or_insert_with(|| {
            let text = checkout.read(&place.path).unwrap_or_default();
            document::parse(&text).unwrap_or_default()
        });
        document::object_at(documents, place.line)
    }
}

/// What became of an object's ciphertexts.
#[derive(Default)]
struct Decrypted {
    /// The new text; `None` if there is nothing of SOPS in it.
    text: Option<String>,
    /// No key was at hand: values are placeholders.
    opaque: bool,
}

/// An object's text without SOPS: decrypted if a key fits, with placeholders if not.
///
/// The MAC is of the file before the build, which has added a namespace or labels since: it is left to `pintle secrets check`, as Flux leaves it.
fn decrypted(text: &str, keys: Option<&Services<'_>>, masker: &mut Masker) -> Result<Decrypted, String> {
    if !text.contains("\nsops:") {
        return Ok(Decrypted::default());
    }
    let store = Store { yaml_indent: 2, ..Store::from(Format::Yaml) };
    if let Some(keys) = keys
        && let Ok(plain) = sops::decrypt(&store, &store, text.as_bytes(), keys, true)
    {
        let (before, after) = (document::parse(text.as_bytes()), document::parse(&plain));
        for (before, after) in before.iter().flatten().zip(after.iter().flatten()) {
            masker.learn(&before.root, &after.root);
        }
        return Ok(Decrypted { text: Some(String::from_utf8_lossy(&plain).into_owned()), opaque: false });
    }
    let masked = sops::mask::placeholders(&store, text.as_bytes());
    let masked = masked.map_err(|e| format!("encrypted with SOPS, but not readable as such: {e}"))?;
    Ok(Decrypted { text: Some(String::from_utf8_lossy(&masked).into_owned()), opaque: true })
}

/// A Secret one of whose values is an encrypted file.
fn holds_sops(secret: &Node) -> bool {
    use base64::Engine as _;
    let data = secret.get("data").map_or(&[][..], Node::entries);
    data.iter().filter_map(|(_, v)| v.as_str()).any(|text| {
        let compact: String = text.split_whitespace().collect();
        base64::engine::general_purpose::STANDARD.decode(compact).is_ok_and(|bytes| sops_tree::has_marker(&bytes))
    })
}
