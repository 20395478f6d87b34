//! `pintle kustomize build`: an overlay as `kustomize build` prints it, natively.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Failure;
use super::output::Streams;
use crate::kustomize::{self, Build, LoadRestrictions, Options, Reorder};
use crate::repo::DiskTree;

/// Flags as kustomize 5.8 has them.
#[derive(Args, Debug, Clone)]
pub struct KustomizeArgs {
    #[command(subcommand)]
    pub command: KustomizeCommand,
}

#[derive(Subcommand, Debug, Clone)]
pub enum KustomizeCommand {
    /// Build a kustomization target from a directory
    Build(KustomizeBuildArgs),
}

#[derive(Args, Debug, Clone)]
pub struct KustomizeBuildArgs {
    /// The directory that holds the kustomization file
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: Vec<String>,
    /// If specified, write output to this path: a file, or a directory that gets a file for each object
    #[arg(short = 'o', long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Whether files outside the kustomization's directory may be loaded
    /// (`LoadRestrictionsRootOnly`, `LoadRestrictionsNone`)
    #[arg(long, default_value = ROOT_ONLY, value_name = "POLICY")]
    pub load_restrictor: String,
    /// Reorder the resources just before output: `legacy` sorts by kind, `none` keeps the order
    #[arg(long)]
    pub reorder: Option<String>,
    /// Label each object as managed by kustomize (deprecated: `buildMetadata` in the kustomization file)
    #[arg(long)]
    pub enable_managedby_label: bool,
    /// Not supported: charts are rendered by HelmReleases, or by `pintle template`
    #[arg(long)]
    pub enable_helm: bool,
    /// For containers of plugins, which are not run: without effect
    #[arg(short = 'e', long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// As `--env`
    #[arg(long)]
    pub as_current_user: bool,
    /// As `--env`
    #[arg(long)]
    pub network: bool,
    /// As `--env`
    #[arg(long, value_name = "NAME")]
    pub network_name: Option<String>,
    /// As `--env`
    #[arg(long, value_name = "MOUNT")]
    pub mount: Vec<String>,
    /// For plugins that are programs, which are refused: without effect
    #[arg(long)]
    pub enable_alpha_plugins: bool,
    /// As `--enable-alpha-plugins`
    #[arg(long)]
    pub enable_exec: bool,
    /// For `--enable-helm`: without effect
    #[arg(long, value_name = "PATH")]
    pub helm_command: Option<String>,
    /// As `--helm-command`
    #[arg(long, value_name = "VERSION")]
    pub helm_api_versions: Vec<String>,
    /// As `--helm-command`
    #[arg(long, value_name = "VERSION")]
    pub helm_kube_version: Option<String>,
    /// As `--helm-command`
    #[arg(long)]
    pub helm_debug: bool,
}

const ROOT_ONLY: &str = "LoadRestrictionsRootOnly";

/// kustomize's words for a value that a flag can't have.
fn illegal(flag: &str, value: &str, legal: &str) -> Failure {
    format!("illegal flag value --{flag} {value}; legal values: [{legal}]").into()
}

pub fn run(args: &KustomizeArgs, io: &mut Streams<'_>) -> Result<(), Failure> {
    let KustomizeCommand::Build(args) = &args.command;
    if args.enable_helm {
        return Err(
            "--enable-helm is not supported: render the chart with `pintle template`, or describe it by a HelmRelease"
                .to_owned()
                .into(),
        );
    }
    // These come before anything that may be wrong.
    if args.reorder.is_some() {
        let hint = "use the new 'sortOptions' field in kustomization.yaml instead.";
        writeln!(io.err, "Flag --reorder has been deprecated, {hint}")?;
    }
    if args.enable_managedby_label {
        let hint = "Use the `managedByLabel` option in the `buildMetadata` field instead.";
        writeln!(
            io.err,
            "Flag --enable-managedby-label has been deprecated, The flag `enable-managedby-label` has been deprecated. {hint}"
        )?;
    }
    let [given] = &args.dir[..] else { return Err("specify one path to kustomization.yaml".to_owned().into()) };
    let options = Options {
        load_restrictions: match args.load_restrictor.as_str() {
            "LoadRestrictionsNone" => LoadRestrictions::None,
            "" | ROOT_ONLY => LoadRestrictions::RootOnly,
            other => return Err(illegal("load-restrictor", other, "LoadRestrictionsRootOnly LoadRestrictionsNone")),
        },
        reorder: match args.reorder.as_deref() {
            None => Reorder::Unspecified,
            Some("none") => Reorder::None,
            Some("legacy") => Reorder::Legacy,
            Some(other) => return Err(illegal("reorder", other, "legacy none")),
        },
        managed_by_label: args.enable_managedby_label,
    };
    if let Some(e) = kustomize::remote_target(given) {
        return Err(e.message.into());
    }
    if given.is_empty() {
        return Err("must build at directory: directory path cannot be empty".to_owned().into());
    }
    let dir = std::path::absolute(given)?;
    let Some(dir) = dir.to_str() else { return Err("the directory's name is not UTF-8".to_owned().into()) };
    let dir = String::from_utf8_lossy(&crate::golang::path::clean(dir.as_bytes())).into_owned();
    let built = kustomize::build(&DiskTree::default(), &dir, &options);
    let warnings = match &built {
        Ok(build) => &build.warnings,
        Err(e) => &e.warnings,
    };
    for warning in warnings {
        writeln!(io.err, "{warning}")?;
    }
    let built = built.map_err(|e| {
        // The target is called as it was given.
        let quoted = |path: &str| format!("'{path}'");
        let mut failure = Failure::new(match e.message.strip_prefix("must build at directory: ") {
            Some(rest) if e.file.is_none() => {
                format!("must build at directory: {}", rest.replacen(&quoted(&dir), &quoted(given), 1))
            }
            _ => e.message.clone(),
        });
        if let Some(file) = &e.file {
            let place = if e.line > 0 { format!("{file}:{}", e.line) } else { file.clone() };
            failure.explanation = Some(crate::diagnostic::Diagnostic::error(format!("the build ends at {place}")));
        }
        failure
    })?;
    match &args.output {
        None => io.out.write_all(built.text().as_bytes())?,
        Some(path) if path.is_dir() => write_files(&built, path)?,
        Some(path) => std::fs::write(path, built.text())
            .map_err(|e| Failure::from(crate::golang::errno::path_error("open", &path.display().to_string(), &e)))?,
    }
    Ok(())
}

/// A file for each object; the namespace is in the name where there are several.
fn write_files(built: &Build, dir: &Path) -> Result<(), Failure> {
    let namespace = |o: &kustomize::Object| match o.namespace.as_str() {
        _ if o.cluster_scoped => None,
        "" => Some("default".to_owned()),
        ns => Some(ns.to_owned()),
    };
    let namespaces: std::collections::BTreeSet<_> = built.objects.iter().filter_map(namespace).collect();
    for object in &built.objects {
        let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
        let parts: Vec<&str> =
            [group, version, &object.kind, &object.name].into_iter().filter(|s| !s.is_empty()).collect();
        let mut name = format!("{}.yaml", parts.join("_")).to_lowercase();
        if namespaces.len() > 1
            && let Some(ns) = namespace(object)
        {
            name = format!("{}_{name}", ns.to_lowercase());
        }
        std::fs::write(dir.join(name), &object.text)?;
    }
    Ok(())
}
