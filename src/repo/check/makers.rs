//! What builds a file of the repository that no environment holds: Flux Kustomizations, and kustomizations that no other one names.
//!
//! A Flux Kustomization counts as whoever builds it leaves it: clusters patch theirs, and give them the patches for what they apply.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::environments::Built;
use super::objects::node_of;
use super::reached::Graph;
use super::scan::{Scan, text};
use crate::golang::path::confined;
use crate::kustomize::flux::Overlay;
use crate::kustomize::{Build, LoadRestrictions, Options, build};
use crate::repo::document::{self, Node};
use crate::repo::files::Checkout;
use crate::repo::flux_kustomization;

/// So many directories are built to see what becomes of files that no environment holds.
const MOST_BUILDS: usize = 1_000;

/// What builds a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Maker {
    /// A Flux Kustomization, as it is applied, and one of its directories.
    Flux(Rc<[u8]>, String),
    /// The directory's own kustomization.
    Directory(String),
}

/// What is built of one file.
pub struct Reach {
    pub builds: Vec<Rc<Build>>,
    /// Something on the way may change the file's objects.
    pub changes: bool,
}

/// A Flux Kustomization.
struct Flux {
    file: String,
    line: usize,
    /// As written: `./apps/${ENVIRONMENT}`.
    path: String,
    text: Vec<u8>,
    /// What becomes of it, once that was looked for (an environment knows); nothing if what builds it fails and may change it.
    forms: Option<Rc<Vec<Form>>>,
}

/// A Flux Kustomization as it is applied somewhere.
struct Form {
    text: Rc<[u8]>,
    changes: bool,
}

/// All that builds something.
pub struct Makers<'m> {
    scan: &'m Scan,
    checkout: &'m Checkout,
    graph: Graph,
    flux: Vec<Flux>,
    built: BTreeMap<Maker, Option<Rc<Build>>>,
}

/// The spec of a Flux Kustomization.
fn spec(root: &Node) -> Option<&Node> {
    let is_flux = text(root, "apiVersion").starts_with(flux_kustomization::API);
    root.get("spec").filter(|_| is_flux && text(root, "kind") == "Kustomization")
}

fn form(text: &[u8]) -> Option<Form> {
    let document = document::parse(text).ok()?.pop()?;
    Some(Form { changes: super::reached::changes(spec(&document.root)?), text: text.into() })
}

impl<'m> Makers<'m> {
    /// `builts`: environments that are what their clusters apply.
    pub fn read<'b>(scan: &'m Scan, checkout: &'m Checkout, builts: impl Iterator<Item = &'b Built>) -> Self {
        let graph = Graph::read(scan, checkout);
        let mut makers = Self { scan, checkout, graph, flux: Vec::new(), built: BTreeMap::new() };
        let mut known = BTreeSet::new();
        for object in builts.flat_map(|b| &b.environment.built).filter(|o| o.kind == "Kustomization") {
            let place = &object.place;
            let line = scan.object(&place.path, place.line).map_or(place.line, Node::line);
            let document = document::parse(object.text.as_bytes()).ok().and_then(|mut d| d.pop());
            let Some(document) = document.filter(|d| spec(&d.root).is_some()) else { continue };
            known.insert((place.path.clone(), line));
            makers.add(&place.path, line, &document.root, object.text.as_bytes());
            if let Some(last) = makers.flux.last_mut() {
                last.forms = Some(Rc::new(form(object.text.as_bytes()).into_iter().collect()));
            }
        }
        for file in scan.files.values() {
            for document in &file.documents {
                let line = document.root.line();
                if spec(&document.root).is_some() && !known.contains(&(file.path.clone(), line)) {
                    makers.add(&file.path, line, &document.root, &document.text);
                }
            }
        }
        makers
    }

    fn add(&mut self, file: &str, line: usize, root: &Node, written: &[u8]) {
        let path = confined(spec(root).map_or("", |spec| text(spec, "path")));
        self.flux.push(Flux { file: file.into(), line, path, text: written.to_vec(), forms: None });
    }

    /// What is built of a file.
    pub fn of(&mut self, file: &str) -> Reach {
        let (makers, changes) = self.makers(file);
        Reach { builds: makers.into_iter().filter_map(|maker| self.build(maker)).collect(), changes }
    }

    /// What builds a file, and whether something on the way may change its objects.
    fn makers(&mut self, file: &str) -> (Vec<Maker>, bool) {
        let above = self.graph.above(file);
        let mut changes = self.graph.changes(&above);
        let (mut makers, mut is_flux) = (Vec::new(), false);
        for i in 0..self.flux.len() {
            // The root is a directory of every repository, mostly of another one.
            let path = self.flux.get(i).map(|flux| flux.path.clone()).filter(|path| !path.is_empty());
            let Some(path) = path else { continue };
            let dirs = self.graph.applied(file, &above, &path);
            if dirs.is_empty() {
                continue;
            }
            is_flux = true;
            let forms = self.forms(i);
            changes |= forms.is_empty();
            for form in forms.iter() {
                changes |= form.changes;
                makers.extend(dirs.iter().map(|dir| Maker::Flux(form.text.clone(), dir.clone())));
            }
        }
        if !is_flux {
            makers.extend(self.graph.outermost(&above).map(Maker::Directory));
        }
        (makers, changes)
    }

    /// What becomes of a Flux Kustomization: what those that build its file make of it, or what is written where nobody builds it.
    fn forms(&mut self, i: usize) -> Rc<Vec<Form>> {
        let Some(flux) = self.flux.get_mut(i) else { return Rc::default() };
        if let Some(forms) = &flux.forms {
            return forms.clone();
        }
        let (file, line, written) = (flux.file.clone(), flux.line, flux.text.clone());
        // One that lies in its own directory patches itself.
        flux.forms = Some(Rc::new(form(&written).into_iter().collect()));
        let mut texts: BTreeSet<Vec<u8>> = BTreeSet::new();
        let reach = self.of(&file);
        let is_unknown = reach.builds.is_empty() && reach.changes;
        for build in reach.builds {
            for object in build.objects.iter().filter(|o| o.source.file.trim_start_matches('/') == file) {
                let node = node_of(self.scan, &object.text, &file, object.source.line as usize);
                if node.is_some_and(|node| node.line() == line) {
                    texts.insert(object.text.clone().into_bytes());
                }
            }
        }
        if let Some(flux) = self.flux.get_mut(i).filter(|_| is_unknown || !texts.is_empty()) {
            flux.forms = Some(Rc::new(texts.iter().filter_map(|text| form(text)).collect()));
        }
        self.flux.get(i).and_then(|flux| flux.forms.clone()).unwrap_or_default()
    }

    /// Builds; nothing if it fails.
    fn build(&mut self, maker: Maker) -> Option<Rc<Build>> {
        if let Some(built) = self.built.get(&maker) {
            return built.clone();
        }
        let made = if self.built.len() < MOST_BUILDS { self.make(&maker).map(Rc::new) } else { None };
        self.built.insert(maker, made.clone());
        made
    }

    fn make(&self, maker: &Maker) -> Option<Build> {
        match maker {
            Maker::Flux(text, dir) => {
                let overlay = Overlay::parse(text).ok()?;
                overlay.build(self.checkout, &format!("/{dir}")).ok()
            }
            Maker::Directory(dir) => {
                let options = Options { load_restrictions: LoadRestrictions::None, ..Options::default() };
                build(self.checkout, &format!("/{dir}"), &options).ok()
            }
        }
    }
}
