//! Opening environments of a deployment repository: what `build`, `diff`, `values` and `explain` have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::diagnostic::Diagnostic;
use crate::render::{Capabilities, Compat, KubeVersion};
use crate::repo::{Checkout, Environment, HelmRelease, Settings};
use crate::sops::Services;
use crate::source::Context;

use super::args::Global;
use super::chart_path::AccessArgs;
use super::config::ConfigArgs;
use super::keys::{KeyArgs, Keys};
use super::output::Streams;
use super::{Failure, runtime};

/// `--output` of what people read, or programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Terminal,
    Json,
}

/// How an environment is rendered.
#[derive(Args, Debug, Clone)]
pub struct DeploymentArgs {
    /// Kubernetes version used for Capabilities.KubeVersion
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// Kubernetes API versions used for Capabilities.APIVersions
    #[arg(short = 'a', long, value_name = "VERSION", value_parser = super::flags::list)]
    pub api_versions: Vec<super::flags::List>,
    #[command(flatten)]
    pub keys: KeyArgs,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// What a command opens environments with.
pub struct Opener<'a> {
    args: &'a DeploymentArgs,
    config: ConfigArgs,
    keys: Keys,
    pub settings: Settings,
}

impl<'a> Opener<'a> {
    /// # Errors
    /// A flag that can't be understood, a key file that can't be read.
    pub fn new(args: &'a DeploymentArgs, global: &Global) -> Result<Self, Failure> {
        let kube_version = match args.kube_version.as_deref() {
            Some(v) => Some(KubeVersion::parse(v).map_err(|e| format!("invalid kube version '{v}': {e}"))?),
            None => None,
        };
        let settings = Settings {
            capabilities: Arc::new(Capabilities::offline(
                Compat::default(),
                kube_version,
                &super::flags::all(&args.api_versions),
            )),
            limits: global.limits.limits(),
        };
        Ok(Self { args, config: global.config.clone(), keys: Keys::open(&args.keys)?, settings })
    }

    /// The keys at hand, if there are any.
    pub fn services(&self) -> Option<Services<'_>> {
        (!self.keys.is_empty()).then(|| self.keys.services())
    }

    /// Opens an environment, and fetches the charts that the wanted releases need from elsewhere.
    ///
    /// # Errors
    /// There is no such environment. What is wrong in it is in its `problems`.
    pub fn open(
        &self,
        checkout: &Checkout,
        name: &str,
        wanted: impl Fn(&HelmRelease) -> bool,
        io: &mut Streams<'_>,
    ) -> Result<Environment, Failure> {
        let environment = self.open_parts(checkout, name, None, wanted)?;
        // kustomize's say nothing of where: one for each kustomization that has the same fault.
        let mut told = BTreeSet::new();
        for warning in environment.warnings.iter().filter(|w| told.insert(*w)) {
            io.warn(&Diagnostic::warning(warning.clone()));
        }
        Ok(environment)
    }

    /// As [`Opener::open`], if wanted with only these resources of its kustomization; warnings are left to the caller.
    ///
    /// # Errors
    /// As [`Opener::open`].
    pub fn open_parts(
        &self,
        checkout: &Checkout,
        name: &str,
        parts: Option<&[String]>,
        wanted: impl Fn(&HelmRelease) -> bool,
    ) -> Result<Environment, Failure> {
        let services = self.services();
        let mut environment = Environment::open_parts(checkout, name, services.as_ref(), parts)?;
        if environment.needs_charts(checkout, &wanted) {
            let context = Context::new(self.args.access.options(&self.config)?);
            runtime::block_on(async {
                environment.fetch_charts(checkout, &context, &wanted).await;
                Ok(())
            })?;
        }
        Ok(environment)
    }
}

/// The one release that a service's name means.
///
/// # Errors
/// There is none, or there are several; the message lists them.
pub fn release<'e>(environment: &'e Environment, service: &str) -> Result<&'e HelmRelease, Failure> {
    let exact = environment.releases.iter().filter(|hr| hr.name == service);
    let all: Vec<&HelmRelease> = environment.releases.iter().filter(|hr| hr.belongs_to(service)).collect();
    let exact: Vec<&HelmRelease> = exact.collect();
    match (&exact[..], &all[..]) {
        ([one], _) | (_, [one]) => Ok(one),
        (_, []) => Err(Failure::new(no_service(environment, service))),
        _ => {
            let names: Vec<String> = all.iter().map(|hr| format!("{} ({})", hr.name, hr.place)).collect();
            Err(Failure::new(format!("service {service} has several releases: name one of {}", names.join(", "))))
        }
    }
}

/// What is said where a service is not found: the problems that may be the reason, else the names that there are.
pub fn no_service(environment: &Environment, service: &str) -> String {
    let names: Vec<&str> = environment.releases.iter().map(|r| r.name.as_str()).collect();
    if names.is_empty() {
        return format!("no service {service} in environment {}: no HelmRelease is in it", environment.name);
    }
    format!("no service {service} in environment {}: there are {}", environment.name, names.join(", "))
}
