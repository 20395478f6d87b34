//! `pintle build`: what an environment of a deployment repository would apply, release by release.

use std::sync::Arc;

use crate::render::manifest::trim_space;
use crate::render::{Capabilities, Compat, KubeVersion};
use crate::repo::mask::{self, Masker};
use crate::repo::{Built, Checkout, ENVIRONMENTS, Environment, HelmRelease, Rendered, Settings};

use super::Failure;
use super::args::{Build, Global};
use super::keys::Keys;
use super::output::Streams;

pub fn run(args: &Build, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let kube_version = match args.kube_version.as_deref() {
        Some(v) => Some(KubeVersion::parse(v).map_err(|e| format!("invalid kube version '{v}': {e}"))?),
        None => None,
    };
    let settings = Settings {
        capabilities: Arc::new(Capabilities::offline(Compat::default(), kube_version, &args.api_versions)),
        limits: global.limits.limits(),
    };
    let checkout = Checkout::new(&args.path)?;
    let keys = Keys::open(&args.keys)?;
    let services = keys.services();
    let environment = Environment::open(&checkout, &args.env, (!keys.is_empty()).then_some(&services))?;
    for warning in &environment.warnings {
        io.warn(&crate::diagnostic::Diagnostic::warning(warning.clone()));
    }
    let wanted = |hr: &&HelmRelease| args.service.as_ref().is_none_or(|s| is_service(hr, s));
    let chosen: Vec<&HelmRelease> = environment.releases.iter().filter(wanted).collect();
    let mut problems: Vec<String> = environment
        .problems
        .iter()
        .filter(|p| {
            args.service.as_ref().is_none_or(|s| p.place.path.contains(&format!("/{s}/")) || !in_service(&p.place.path))
        })
        .map(ToString::to_string)
        .collect();
    if chosen.is_empty() && problems.is_empty() {
        let names: Vec<&str> = environment.releases.iter().map(|r| r.name.as_str()).collect();
        return Err(match &args.service {
            Some(s) => format!("no service {s} in environment {}: there are {}", args.env, names.join(", ")),
            None => format!("no HelmRelease in environment {}", args.env),
        }
        .into());
    }
    for hr in chosen {
        match environment.render(&checkout, hr, &settings) {
            Ok(rendered) => print(hr, &rendered, &environment.masker, io)?,
            Err(problem) => {
                let text = environment.masker.apply(problem.to_string().as_bytes());
                problems.push(String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
    let wanted = |o: &&Built| args.service.as_ref().is_none_or(|s| o.place.path.contains(&format!("/{s}/")));
    let rest: Vec<&Built> = environment.built.iter().filter(wanted).collect();
    if problems.is_empty() {
        return print_rest(&args.env, &rest, &environment.masker, io);
    }
    let count = problems.len();
    Err(format!(
        "{}\n\n{count} problem{} in environment {}",
        problems.join("\n"),
        if count == 1 { "" } else { "s" },
        args.env
    )
    .into())
}

/// A release belongs to the service whose directory it lies in; its own name is taken too.
fn is_service(hr: &HelmRelease, service: &str) -> bool {
    hr.name == service || hr.place.path.contains(&format!("/{service}/"))
}

/// `k8s/gitops/ENV/SERVICE/file`: deeper than the environment's own files.
fn in_service(path: &str) -> bool {
    path.split('/').count() > 4
}

fn print(hr: &HelmRelease, r: &Rendered, masker: &Masker, io: &mut Streams<'_>) -> Result<(), Failure> {
    for line in &r.log {
        io.log(line);
    }
    let suspended = if hr.suspended { ", suspended" } else { "" };
    writeln!(io.out, "# Release: {}/{} ({}{suspended})", r.namespace, r.name, hr.place)?;
    let docs = r.release.crds.iter().map(|c| (&c.path, &c.data[..]));
    let docs = docs.chain(r.release.manifests.iter().map(|m| (&m.name, &m.content[..])));
    let docs = docs.chain(r.release.hooks.iter().map(|h| (&h.path, &h.manifest[..])));
    for (path, text) in docs {
        writeln!(io.out, "---\n# Source: {path}")?;
        io.out.write_all(trim_space(&masker.apply(text)))?;
        writeln!(io.out)?;
    }
    writeln!(io.out, "---")?;
    Ok(())
}

/// What the environment applies beside the objects of its releases, the HelmReleases themselves included. Values of Secrets are not shown.
fn print_rest(env: &str, built: &[&Built], masker: &Masker, io: &mut Streams<'_>) -> Result<(), Failure> {
    if built.is_empty() {
        return Ok(());
    }
    writeln!(io.out, "# Environment: {env} ({ENVIRONMENTS}/{env})")?;
    for object in built {
        writeln!(io.out, "---\n# Source: {}", object.place)?;
        if object.kind == "Secret" {
            io.out.write_all(mask::secret(&object.text).as_bytes())?;
        } else {
            io.out.write_all(&masker.apply(object.text.as_bytes()))?;
        }
    }
    writeln!(io.out, "---")?;
    Ok(())
}
