//! `pintle create NAME`: a chart to begin with.
//!
//! The files are our own (`create/`), with the value names that charts made by Helm have, so that people and tools find their way. A chart
//! that is there is not written over, which Helm does. Source of the checks: Helm 4.3 `pkg/cmd/create.go`, `pkg/chart/v2/util/create.go`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::output::Streams;
use crate::golang::{errno, path};

#[derive(Args, Debug, Clone)]
pub struct CreateArgs {
    /// The chart's name, or the path of the directory that is made for it
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Stands in the files for the chart's name.
const NAME: &str = "<CHARTNAME>";

/// The longest name of a chart.
const LONGEST: usize = 250;

/// Each file of a new chart, and what is in it.
const FILES: [(&str, &str); 11] = [
    ("Chart.yaml", include_str!("create/Chart.yaml")),
    ("values.yaml", include_str!("create/values.yaml")),
    (".helmignore", include_str!("create/helmignore")),
    ("templates/_helpers.tpl", include_str!("create/templates/_helpers.tpl")),
    ("templates/deployment.yaml", include_str!("create/templates/deployment.yaml")),
    ("templates/service.yaml", include_str!("create/templates/service.yaml")),
    ("templates/serviceaccount.yaml", include_str!("create/templates/serviceaccount.yaml")),
    ("templates/ingress.yaml", include_str!("create/templates/ingress.yaml")),
    ("templates/hpa.yaml", include_str!("create/templates/hpa.yaml")),
    ("templates/NOTES.txt", include_str!("create/templates/NOTES.txt")),
    ("templates/tests/connection.yaml", include_str!("create/templates/tests/connection.yaml")),
];

pub fn run(args: &CreateArgs, io: &mut Streams<'_>) -> Result<(), Failure> {
    let given = &args.name;
    writeln!(io.out, "Creating {given}")?;
    let name = String::from_utf8_lossy(path::base(given.as_bytes())).into_owned();
    check(&name)?;
    let parent = std::path::absolute(Path::new(given))?.parent().map(PathBuf::from).unwrap_or_default();
    let shown = parent.display().to_string();
    let there = std::fs::metadata(&parent).map_err(|e| errno::path_error("stat", &shown, &e))?;
    if !there.is_dir() {
        return Err(format!("no such directory {shown}").into());
    }
    let dir = parent.join(&name);
    let shown = dir.display();
    if dir.exists() && !dir.is_dir() {
        return Err(format!("file {shown} already exists and is not a directory").into());
    }
    if let Some((file, _)) = FILES.iter().find(|(file, _)| dir.join(file).exists()) {
        return Err(
            format!("{shown} has a {file} already: nothing was written; remove it, or choose another name").into()
        );
    }
    for (file, text) in FILES {
        let file = dir.join(file);
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).map_err(|e| errno::path_error("mkdir", &dir.display().to_string(), &e))?;
        }
        std::fs::write(&file, text.replace(NAME, &name))
            .map_err(|e| errno::path_error("open", &file.display().to_string(), &e))?;
    }
    std::fs::create_dir_all(dir.join("charts")).map_err(|e| errno::path_error("mkdir", &shown.to_string(), &e))?;
    Ok(())
}

/// Refuses the names that Helm refuses, with its words, and those of which Helm makes a chart that it then refuses.
fn check(name: &str) -> Result<(), Failure> {
    if matches!(name, "." | "..") {
        return Err(format!("chart.metadata.name {name:?} is not allowed").into());
    }
    if name.is_empty() || name.len() > LONGEST {
        return Err(format!("chart name must be between 1 and {LONGEST} characters").into());
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(r#"chart name must match the regular expression "^[a-zA-Z0-9._-]+$""#.to_owned().into());
    }
    Ok(())
}
