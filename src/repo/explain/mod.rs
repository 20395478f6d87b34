//! Why a field of a rendered object is what it is: the line of the template that printed it, the includes and blocks around that line, the values
//! that were read there with the layers that set them, and the post-renderers that changed it afterwards.
//!
//! The release is rendered once more with a [`Trace`]; the field's bytes in the rendered text lead to the actions that printed them.

mod changed;
pub mod field;
mod narrowed;
pub mod object;
mod printed;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chart::Chart;
use crate::gotmpl::trace::{Around, Frame, Path, Place, Read, Trace};
use crate::gotmpl::{State, SystemHost};
use crate::kustomize::flux::{PostRenderer, Strategy};
use crate::render::control::strip_no_value;
use crate::value::{Heap, Str, Value};

use super::files::Checkout;
use super::helm_release::HelmRelease;
use super::layer::Origin;
use super::layers::Layers;
use super::objects::Environment;
use super::post_render::{self, StepLines};
use super::problem::Problem;
use super::render::Settings;

pub use changed::Change;
pub use field::Held;
use object::{Object, Wanted};

/// What Helm calls the templates that `tpl` evaluates.
const TPL: &str = "gotpl";

/// A rendered release with what is known of it.
pub struct Traced {
    pub trace: Box<Trace>,
    pub heap: Heap,
    pub chart: Chart,
    /// Files that no template engine of Go's printed, and CRDs: path → text.
    pub others: BTreeMap<String, Vec<u8>>,
    pub layers: Layers,
    pub steps: Vec<PostRenderer>,
    pub step_lines: Vec<StepLines>,
    pub strategy: Strategy,
    /// The file of the HelmRelease with its line; empty for a chart alone.
    pub place: String,
    /// The release's name and namespace.
    pub release: (String, String),
    /// Where the chart's files lie, with a slash behind; `None` if they are not on disk.
    pub dir: Option<String>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub path: String,
    pub line: usize,
}

/// A line of a template that printed a part of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    pub at: Line,
    /// The `define` that the line stands in; nothing for a file's own text.
    pub template: Option<String>,
    pub text: String,
    /// The line is one of a text that `tpl` evaluates: it came out of values, and no file has it (`at` has no path then).
    pub of_values: bool,
    /// What the line belongs to was included from here: name and place, the innermost first.
    pub includes: Vec<(String, Line)>,
}

/// An `if`, `with` or `range` around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub head: String,
    pub is_else: bool,
    pub at: Line,
    pub keys: Vec<String>,
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// `image.tag`; other things that templates see begin with a dot: `.Chart.AppVersion`.
    pub key: String,
    /// Nothing where it is not set, is a secret, or has no short form.
    pub value: Option<String>,
    pub is_set: bool,
    pub secret: bool,
    /// The layers that set it, the winner last.
    pub layers: Vec<Origin>,
    /// Read only for a block around.
    pub condition: bool,
}

/// What is to be said of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `deployment/web`
    pub object: String,
    pub field: String,
    pub held: Held,
    /// The value is, or was made of, a secret.
    pub secret: bool,
    /// Empty if a post-renderer added the field.
    pub printed: Vec<Printed>,
    pub blocks: Vec<Block>,
    pub used: Vec<Used>,
    pub changes: Vec<Change>,
    /// The file prints it as it stands (CRDs), or with an engine that is not followed.
    pub note: Option<String>,
    /// Some of what was read may have gone into other parts of the text.
    pub blurred: bool,
}

impl Environment {
    /// Renders a release so that its fields can be explained.
    ///
    /// # Errors
    /// Where and why it can't be rendered.
    pub fn traced(&self, checkout: &Checkout, hr: &HelmRelease, settings: &Settings) -> Result<Traced, Problem> {
        let mut st = State::new(Arc::new(SystemHost { enable_dns: false }), settings.limits);
        st.trace = Some(Box::default());
        let rendered = self.render_in(&mut st, checkout, hr, settings, None)?;
        let mut steps = hr.post_renderers.clone();
        if self.origin_labels {
            steps.push(post_render::origin(hr.namespace.as_deref().unwrap_or("default"), &hr.name));
        }
        let (location, _) = self.locate(checkout, hr)?;
        let dir = self.chart_directory(checkout, &location);
        Ok(Traced {
            layers: self.layers(checkout, hr)?,
            steps,
            step_lines: hr.post_renderer_lines.clone(),
            strategy: hr.post_render_strategy,
            place: hr.place.to_string(),
            release: (rendered.name, rendered.namespace),
            dir,
            ..Traced::of(st, rendered.release)
        })
    }
}

impl Traced {
    /// Of a render without layers and post-renderers.
    pub fn of(mut st: State, release: crate::render::Release) -> Self {
        let trace = st.trace.take().unwrap_or_default();
        let mut others: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let manifests = release.manifests.iter().map(|m| (&m.name, &m.content));
        for (path, text) in manifests.chain(release.hooks.iter().map(|h| (&h.path, &h.manifest))) {
            if !trace.files.contains_key(path) {
                let file = others.entry(path.clone()).or_default();
                file.extend_from_slice(b"---\n");
                file.extend_from_slice(text);
                file.push(b'\n');
            }
        }
        Self {
            trace,
            heap: st.heap,
            chart: release.chart,
            others,
            layers: Layers::default(),
            steps: Vec::new(),
            step_lines: Vec::new(),
            strategy: Strategy::default(),
            place: String::new(),
            release: Default::default(),
            dir: None,
        }
    }

    /// What the templates printed: path → text.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut out = self.others.clone();
        for (path, made) in &self.trace.files {
            let Some(made) = self.trace.made.get(*made).filter(|_| !path.ends_with("NOTES.txt")) else { continue };
            let mut text = made.text.clone();
            strip_no_value(&mut text);
            out.insert(path.clone(), text);
        }
        out
    }

    /// Explains a field.
    ///
    /// # Errors
    /// There is no such object or field: the message says what there is.
    pub fn explain(&mut self, wanted: &Wanted, path: &[field::Step]) -> Result<Answer, String> {
        let files = self.files();
        let steps = changed::singles(&self.steps, &self.step_lines);
        let mut crds = BTreeMap::new();
        for crd in self.chart.crds() {
            crds.insert(crd.path.clone(), crd.file.data.to_vec());
        }
        let last = changed::apply(&files, self.strategy, &steps)?;
        let mut all = object::objects(&last);
        all.extend(object::objects(&crds));
        let object = wanted.find(&all)?.clone();
        let tree = crate::yaml::tree::parse(&object.text, None)?;
        let found = field::find(&tree, path).map_err(|e| format!("{} of the release: {e}", object.reference()))?;
        let file = self.place.rsplit_once(':').map_or("", |(file, _)| file);
        let changes = if steps.is_empty() || crds.contains_key(&object.path) {
            Vec::new()
        } else {
            changed::changes(&files, self.strategy, &steps, &object, &found.stable, file)?
        };
        let mut answer = Answer {
            object: object.reference(),
            field: field::shown(path),
            held: found.held.clone(),
            secret: object.kind == "Secret"
                && matches!(found.path.first().map(String::as_str), Some("data" | "stringData")),
            printed: Vec::new(),
            blocks: Vec::new(),
            used: Vec::new(),
            changes,
            note: None,
            blurred: false,
        };
        if crds.contains_key(&object.path) {
            answer.note = Some(format!("{} is applied as it stands", self.shown_path(&object.path)));
            return Ok(answer);
        }
        let raw = object::objects(&files);
        if let Some(raw) = raw.iter().find(|o| o.is(&object)) {
            self.printed(raw, &found.stable, &mut answer)?;
        }
        Ok(answer)
    }

    fn printed(&mut self, object: &Object, path: &[field::Step], answer: &mut Answer) -> Result<(), String> {
        let tree = crate::yaml::tree::parse(&object.text, None)?;
        let Ok(found) = field::find(&tree, path) else { return Ok(()) };
        let Some(made) = self.trace.files.get(&object.path).copied() else {
            let path = self.shown_path(&object.path);
            answer.note = Some(format!("{path} printed it: the lines of its engine are not followed"));
            return Ok(());
        };
        let raw = self.trace.made.get(made).map_or(&[][..], |m| &m.text[..]);
        let place = |at: usize| unstripped(raw, object.offset + at);
        let is_scalar = matches!(found.held, Held::Scalar(_));
        let range = match &found.key {
            // An empty value was printed by whoever printed its key; a block begins with it.
            Some(key) if found.value.is_empty() || !is_scalar => key.start..found.value.end.max(key.end),
            _ => found.value.clone(),
        };
        let mut leaves =
            printed::leaves(&self.trace, made, place(range.start), place(range.end).max(place(range.start) + 1));
        if is_scalar && leaves.iter().any(|l| !l.is_text) {
            // The quotes and colons between actions say nothing.
            leaves.retain(|l| !l.is_text);
        }
        let mut reads: Vec<(Read, bool)> = Vec::new();
        let add = |read: &Read, condition: bool, reads: &mut Vec<(Read, bool)>| {
            if !reads.iter().any(|(r, _)| r == read) {
                reads.push((read.clone(), condition));
            }
        };
        for leaf in &leaves {
            leaf.reads.iter().for_each(|r| add(r, false, &mut reads));
            answer.blurred |= leaf.blurred;
        }
        let is_tpl = |leaf: &printed::Leaf| {
            let includes = std::iter::successors(leaf.frame.as_deref(), |f| f.outer.as_deref());
            includes.filter(|f| !matches!(f.around, Around::Block { .. })).map(|f| f.around == Around::Tpl).next()
                == Some(true)
        };
        for leaf in &leaves {
            let mut includes = Vec::new();
            let mut at = leaf.frame.as_deref();
            while let Some(frame) = at {
                self.around(frame, &mut includes, answer);
                match frame.around {
                    Around::Block { .. } => frame.reads.iter().for_each(|r| add(r, true, &mut reads)),
                    // The template itself came out of values.
                    Around::Tpl => frame.reads.iter().for_each(|r| add(r, false, &mut reads)),
                    Around::Template(_) => {}
                }
                at = frame.outer.as_deref();
            }
            for outer in leaf.outer.iter().rev() {
                let line = self.line(outer);
                if !includes.iter().any(|(_, l)| *l == line) {
                    includes.push((String::new(), line));
                }
            }
            let source = &leaf.place.source;
            let template = (source.template != source.file).then(|| source.template.to_string());
            let mut at = self.line(&leaf.place);
            let of_values = is_tpl(leaf);
            if of_values && source.file.as_ref() == TPL {
                at.path.clear();
            }
            let text = leaf.place.excerpt();
            let printed = Printed { at, template: template.filter(|_| !of_values), text, of_values, includes };
            if !answer.printed.contains(&printed) {
                answer.printed.push(printed);
            }
        }
        for (read, condition) in reads {
            let Read::Key(key) = read else { continue };
            for key in narrowed::narrowed(&self.trace, &self.heap, key, &tree, &found) {
                if let Some(used) = self.used(&key, condition)
                    && !answer.used.iter().any(|u| u.key == used.key)
                {
                    answer.secret |= used.secret && !condition;
                    answer.used.push(used);
                }
            }
        }
        // A value that no layer sets came out of a merge with the one that has it.
        let set: Vec<_> = answer.used.iter().filter(|u| !u.layers.is_empty()).map(|u| u.value.clone()).collect();
        let is_merged =
            |u: &Used| u.layers.is_empty() && u.value.is_some() && !u.key.starts_with('.') && set.contains(&u.value);
        answer.used.retain(|u| !is_merged(u));
        Ok(())
    }

    fn around(&self, frame: &Frame, includes: &mut Vec<(String, Line)>, answer: &mut Answer) {
        let at = self.line(&frame.place);
        match &frame.around {
            Around::Block { head, is_else } => {
                let values = frame.reads.iter().filter_map(|r| if let Read::Key(k) = r { name(k) } else { None });
                let mut keys: Vec<String> = values.collect();
                keys.dedup();
                let block = Block { head: head.clone(), is_else: *is_else, at, keys };
                if !answer.blocks.contains(&block) {
                    answer.blocks.push(block);
                }
            }
            Around::Template(name) => includes.push((name.to_string(), at)),
            Around::Tpl => includes.push(("tpl".to_owned(), at)),
        }
    }

    fn line(&self, place: &Place) -> Line {
        Line { path: self.shown_path(&place.source.file), line: place.line() }
    }

    /// The file of the repository that Helm names in its own way.
    fn shown_path(&self, path: &str) -> String {
        let inside =
            path.strip_prefix(self.chart.name()).and_then(|p| p.strip_prefix('/')).map(|p| self.layers.file(p));
        match (inside, &self.dir) {
            // A subchart that comes as an archive, or from elsewhere, has no file of its own.
            (Some(inside), Some(dir)) if self.chart.raw.iter().any(|f| f.name == inside) => format!("{dir}{inside}"),
            _ => path.to_owned(),
        }
    }

    fn used(&self, path: &Path, condition: bool) -> Option<Used> {
        let key = name(path)?;
        let texts: Vec<String> = path.iter().map(|k| k.to_text().into_owned()).collect();
        let (root, rest) = texts.split_first()?;
        if root != "Values" {
            let (value, layers) = self.own(&texts);
            let is_set = value.is_some();
            return Some(Used { key, value, is_set, secret: false, layers, condition });
        }
        let layers = self.layers.origins(rest);
        let now = self.trace.value(&self.heap, path).filter(|v| !v.is_nil());
        // Of a map that was read as a whole nobody knows which part went where.
        let whole = matches!(now, Some(Value::Map(_) | Value::List(_)));
        let secret = layers.last().is_some_and(|o| o.secret) || (whole && layers.iter().any(|o| o.secret));
        let value = now.as_ref().and_then(field::text).filter(|_| !secret);
        Some(Used { key, value, is_set: now.is_some(), secret, layers, condition })
    }

    /// What the chart or the release say of themselves.
    fn own(&self, path: &[String]) -> (Option<String>, Vec<Origin>) {
        let origin = |what: &str, place: String, value: Option<String>| Origin {
            what: what.into(),
            place,
            value,
            secret: false,
        };
        match path {
            [root, field] if root == "Chart" => {
                let file = self.chart.raw.iter().find(|f| f.name == "Chart.yaml");
                let documents = file.and_then(|f| super::document::parse(&f.data).ok());
                let root = documents.and_then(|d| d.into_iter().next()).map(|d| d.root);
                let entry = root.as_ref().and_then(|r| {
                    r.entries().iter().find(|(k, _)| k.as_str().is_some_and(|k| k.eq_ignore_ascii_case(field)))
                });
                let Some((k, v)) = entry else { return (None, Vec::new()) };
                let path = self
                    .dir
                    .as_ref()
                    .map_or_else(|| format!("{}/Chart.yaml", self.chart.name()), |d| format!("{d}Chart.yaml"));
                let value = v.as_str().map(String::from);
                (value.clone(), vec![origin("chart", format!("{path}:{}", k.line()), value)])
            }
            [root, field] if root == "Release" => {
                let (name, namespace) = &self.release;
                let value = match field.as_str() {
                    "Name" => Some(name.clone()),
                    "Namespace" => Some(namespace.clone()),
                    _ => None,
                };
                let place = Some(self.place.clone()).filter(|p| !p.is_empty());
                (value.clone(), place.map(|p| origin("HelmRelease", p, value)).into_iter().collect())
            }
            _ => (None, Vec::new()),
        }
    }
}

/// A path as it is shown; nothing for what says nothing.
fn name(path: &Path) -> Option<String> {
    let (root, rest) = path.split_first()?;
    let part = |k: &Str| k.to_text().replace('.', "\\.");
    let rest: Vec<String> = rest.iter().map(part).collect();
    match root.as_bytes() {
        b"Values" if rest.is_empty() => Some(".Values".into()),
        _ if rest.is_empty() => None,
        b"Values" => Some(rest.join(".")),
        b"Template" => None,
        _ => Some(format!(".{}.{}", part(root), rest.join("."))),
    }
}

/// The place in a text that had `<no value>` in it, from the place in what is left when all of those are taken out.
fn unstripped(raw: &[u8], at: usize) -> usize {
    const NO_VALUE: &[u8] = b"<no value>";
    let mut removed = 0;
    for found in memchr::memmem::find_iter(raw, NO_VALUE) {
        if found - removed > at {
            break;
        }
        removed += NO_VALUE.len();
    }
    at + removed
}
