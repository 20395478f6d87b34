//! The two files that Helm keeps for all its commands: who we are to registries, and which chart repositories were added.
//!
//! A flag names them for one command line; without it the environment does. What they are goes to the sources with the other options of a
//! fetch, so that nobody reads a variable of the process who was told a file.

use std::path::PathBuf;

use clap::Args;

use super::flags;
use crate::source::{oci, repositories};

#[derive(Args, Debug, Clone, Default)]
pub struct ConfigArgs {
    /// Path to the registry config file
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true, value_parser = flags::path())]
    pub registry_config: Option<PathBuf>,
    /// Path to the file containing repository names and URLs
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true, value_parser = flags::path())]
    pub repository_config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The registry configuration; `None` where there is no place for it.
    pub fn registries(&self) -> Option<PathBuf> {
        self.registry_config.clone().or_else(oci::auth::helm_config)
    }

    /// `repositories.yaml`.
    pub fn repositories(&self) -> PathBuf {
        self.repository_config.clone().unwrap_or_else(repositories::default_file)
    }
}
