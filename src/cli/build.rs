//! `pintle build`: what an environment of a deployment repository would apply, release by release.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::render::manifest::trim_space;
use crate::repo::mask::{self, Masker};
use crate::repo::{Built, Checkout, Environment, HelmRelease, Problem, Rendered};
use crate::value::Heap;

use super::Failure;
use super::args::Global;
use super::deployment::{DeploymentArgs, Opener, no_service};
use super::output::Streams;
use super::reading::{Fields, list};

#[derive(Args, Debug, Clone)]
pub struct BuildArgs {
    /// The deployment repository
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// The environment: a directory under k8s/gitops or clusters, or the path of any directory that a cluster applies
    #[arg(short = 'e', long, value_name = "ENV")]
    pub env: Option<String>,
    /// Only this service's release
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// How it is printed
    #[arg(short = 'o', long, default_value = "yaml", value_name = "FORMAT")]
    pub output: Output,
    /// Write files under this directory instead: NAMESPACE/RELEASE/… for releases, objects/ for the rest
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Put helm-controller's labels on rendered objects, which name their HelmRelease
    #[arg(long)]
    pub origin_labels: bool,
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

/// `--output`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Yaml,
    Json,
    /// Files, under --output-dir
    Dir,
}

pub fn run(args: &BuildArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let dir = match (args.output, &args.output_dir) {
        (Output::Dir, None) => return Err("-o dir needs --output-dir: where are the files to go?".to_owned().into()),
        (Output::Json, Some(_)) => {
            return Err("-o json is written to standard output: leave out --output-dir".to_owned().into());
        }
        (_, dir) => dir.as_deref(),
    };
    let opener = Opener::new(&args.deployment, global)?;
    let checkout = Checkout::new(&args.path)?;
    let wanted = |hr: &HelmRelease| args.service.as_ref().is_none_or(|s| hr.belongs_to(s));
    let name = args.env.as_deref().unwrap_or_default();
    let mut environment = opener.open(&checkout, name, wanted, io)?;
    environment.origin_labels = args.origin_labels;
    let chosen: Vec<&HelmRelease> = environment.releases.iter().filter(|hr| wanted(hr)).collect();
    let of_others = |path: &str| {
        // Deeper than the environment's own files, and not in the service's directory.
        let below = path.strip_prefix(environment.dir.as_str()).and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|rest| rest.contains('/'))
    };
    let concerns =
        |path: &str| args.service.as_ref().is_none_or(|s| path.contains(&format!("/{s}/")) || !of_others(path));
    let hide = |text: &str| environment.masker.apply_text(text);
    let problems = environment.problems.iter().filter(|p| concerns(&p.place.path));
    // A place is a file of the checkout as it is called there.
    let told = |p: &Problem| format!("{}: {}", p.place, hide(&p.message));
    let mut problems: Vec<String> = problems.map(told).collect();
    if chosen.is_empty() && problems.is_empty() {
        match &args.service {
            Some(s) => return Err(no_service(&environment, s).into()),
            // Flux applies an environment without releases, too.
            None if environment.built.is_empty() => {
                let dir = &environment.dir;
                return Err(
                    format!("no object in environment {}: nothing is applied by {dir}", environment.name).into()
                );
            }
            None => {}
        }
    }
    let rendered = environment.render_all(&checkout, &chosen, &opener.settings);
    let mut good = Vec::with_capacity(rendered.len());
    for (hr, result) in chosen.into_iter().zip(rendered) {
        match result {
            Ok(rendered) => {
                rendered.log.iter().for_each(|line| io.log(line));
                good.push((hr, rendered));
            }
            Err(problem) => problems.push(told(&problem)),
        }
    }
    let of_service = |o: &&Built| args.service.as_ref().is_none_or(|s| o.place.path.contains(&format!("/{s}/")));
    let rest: Vec<&Built> = environment.built.iter().filter(of_service).collect();
    match (args.output, dir) {
        // Half an environment in a form for programs would be taken for the whole.
        _ if !problems.is_empty() && (args.output == Output::Json || dir.is_some()) => {}
        (Output::Json, _) => json(&environment, &good, &rest, io)?,
        (_, Some(dir)) => files(dir, &environment, &good, &rest, io)?,
        _ => {
            for (hr, rendered) in &good {
                print(hr, rendered, &environment.masker, io)?;
            }
            if problems.is_empty() {
                print_rest(&environment, &rest, io)?;
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let count = problems.len();
    Err(format!(
        "{}\n\n{count} problem{} in environment {}",
        problems.join("\n"),
        if count == 1 { "" } else { "s" },
        environment.name
    )
    .into())
}

/// One document of a release: what it is, its file, its text.
type Part<'r> = (&'static str, &'r str, &'r [u8]);

/// In the order in which they are applied: CRDs, manifests, hooks.
fn parts(r: &Rendered) -> impl Iterator<Item = Part<'_>> {
    let crds = r.release.crds.iter().map(|c| ("crd", c.path.as_str(), &c.data[..]));
    let manifests = r.release.manifests.iter().map(|m| ("manifest", m.name.as_str(), &m.content[..]));
    let hooks = r.release.hooks.iter().map(|h| ("hook", h.path.as_str(), &h.manifest[..]));
    crds.chain(manifests).chain(hooks)
}

fn print(hr: &HelmRelease, r: &Rendered, masker: &Masker, io: &mut Streams<'_>) -> Result<(), Failure> {
    let suspended = if hr.suspended { ", suspended" } else { "" };
    writeln!(io.out, "# Release: {}/{} ({}{suspended})", r.namespace, r.name, hr.place)?;
    for (_, path, text) in parts(r) {
        writeln!(io.out, "---\n# Source: {path}")?;
        io.out.write_all(trim_space(&masker.apply_yaml(text)))?;
        writeln!(io.out)?;
    }
    writeln!(io.out, "---")?;
    Ok(())
}

/// What the environment applies beside the objects of its releases, the HelmReleases themselves included, by the Flux Kustomization that
/// applies it. Values of Secrets are not shown.
fn print_rest(environment: &Environment, built: &[&Built], io: &mut Streams<'_>) -> Result<(), Failure> {
    let mut group = None;
    for object in built {
        if group != Some(&object.owner) {
            if group.is_some() {
                writeln!(io.out, "---")?;
            }
            match object.owner.as_str() {
                "" => writeln!(io.out, "# Environment: {} ({})", environment.name, environment.dir)?,
                owner => writeln!(io.out, "# Kustomization: {owner}")?,
            }
            group = Some(&object.owner);
        }
        writeln!(io.out, "---\n# Source: {}", object.place)?;
        io.out.write_all(&shown(object, &environment.masker))?;
    }
    if group.is_some() {
        writeln!(io.out, "---")?;
    }
    Ok(())
}

/// An object's text as it may be printed.
fn shown(object: &Built, masker: &Masker) -> Vec<u8> {
    let text = if object.kind == "Secret" { mask::secret(&object.text) } else { object.text.clone() };
    masker.apply_yaml(text.as_bytes())
}

/// One JSON object for all.
fn json(
    environment: &Environment,
    releases: &[(&HelmRelease, Rendered)],
    rest: &[&Built],
    io: &mut Streams<'_>,
) -> Result<(), Failure> {
    let object_of = |text: &[u8]| -> Result<Vec<u8>, Failure> {
        let mut heap = Heap::new();
        let value = crate::yaml::to_value(&mut heap, text)?;
        Ok(crate::value::json::encode(&mut heap, &value, false, None)?)
    };
    let mut all = Vec::with_capacity(releases.len());
    for (hr, r) in releases {
        let mut o = Fields::default();
        o.text("name", &r.name);
        o.text("namespace", &r.namespace);
        o.text("helmRelease", &hr.name);
        o.text("path", &hr.place.path);
        o.number("line", i64::try_from(hr.place.line).unwrap_or_default());
        o.raw("suspended", if hr.suspended { b"true" } else { b"false" });
        o.text("chart", r.release.chart.name());
        o.text("chartVersion", &r.release.chart.metadata.version);
        let mut objects = Vec::new();
        for (what, path, text) in parts(r) {
            let text = environment.masker.apply_yaml(text);
            // A CRD's file may hold several documents.
            for document in crate::render::manifest::split(&text) {
                let object = object_of(document)?;
                if object == b"null" {
                    continue;
                }
                let mut part = Fields::default();
                part.text("part", what);
                part.text("source", path);
                part.raw("object", &object);
                objects.push(part.end());
            }
        }
        o.raw("objects", &list(objects));
        all.push(o.end());
    }
    let mut others = Vec::with_capacity(rest.len());
    for built in rest {
        let mut o = Fields::default();
        o.text("path", &built.place.path);
        o.number("line", i64::try_from(built.place.line).unwrap_or_default());
        o.text("kustomization", &built.owner);
        o.raw("object", &object_of(&shown(built, &environment.masker))?);
        others.push(o.end());
    }
    let mut o = Fields::default();
    o.text("environment", &environment.name);
    o.text("directory", &environment.dir);
    o.raw("releases", &list(all));
    o.raw("objects", &list(others));
    io.out.write_all(&o.end())?;
    writeln!(io.out)?;
    Ok(())
}

/// A file for every file of a chart, and one for each other object.
fn files(
    dir: &Path,
    environment: &Environment,
    releases: &[(&HelmRelease, Rendered)],
    rest: &[&Built],
    io: &mut Streams<'_>,
) -> Result<(), Failure> {
    let mut all: std::collections::BTreeMap<PathBuf, Vec<u8>> = std::collections::BTreeMap::new();
    let mut add = |path: PathBuf, source: &str, text: &[u8]| {
        let file = all.entry(path).or_default();
        file.extend_from_slice(format!("---\n# Source: {source}\n").as_bytes());
        file.extend_from_slice(trim_space(text));
        file.push(b'\n');
    };
    for (_, r) in releases {
        for (_, path, text) in parts(r) {
            let inside = Checkout::relative(path)?;
            add(dir.join(&r.namespace).join(&r.name).join(inside), path, &environment.masker.apply_yaml(text));
        }
    }
    for built in rest {
        let clean = |text: &str| {
            environment.masker.apply_text(text).replace(mask::MASK, "masked").replace(['/', '\\', ':'], "_")
        };
        let group = built.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let kind = if group.is_empty() { built.kind.clone() } else { format!("{}.{group}", built.kind) };
        let namespace = if built.namespace.is_empty() { "_cluster" } else { &built.namespace };
        let name = format!("{}-{}.yaml", clean(&kind).to_lowercase(), clean(&built.name));
        let path = dir.join("objects").join(clean(namespace)).join(name);
        add(path, &built.place.to_string(), &shown(built, &environment.masker));
    }
    for (path, text) in &all {
        let failed = |e: std::io::Error| format!("{}: {e}", path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::write(path, text).map_err(failed)?;
        writeln!(io.out, "wrote {}", path.display())?;
    }
    Ok(())
}
