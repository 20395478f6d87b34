//! `pintle create NAME`: a chart to begin with.
//!
//! The files are our own (`create/`), with the value names that charts made by Helm have, so that people and tools find their way. A chart
//! that is there is not written over, which Helm does. Source of the checks: Helm 4.3 `pkg/cmd/create.go`, `pkg/chart/v2/util/create.go`.

mod starter;

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
    /// The name or absolute path to Helm starter scaffold
    #[arg(short = 'p', long, default_value = "", hide_default_value = true, value_name = "NAME|PATH")]
    pub starter: String,
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
    if !args.starter.is_empty() {
        return starter::create(given, &name, &args.starter, io);
    }
    check(&name)?;
    let parent = std::path::absolute(Path::new(given))?.parent().map(PathBuf::from).unwrap_or_default();
    let shown = parent.display().to_string();
    let there = std::fs::metadata(&parent).map_err(|e| errno::path_error("stat", &shown, &e))?;
    if !there.is_dir() {
        return Err(format!("no such directory {shown}").into());
    }
    let dir = parent.join(&name);
    let files = FILES.map(|(file, text)| (file.to_owned(), text.replace(NAME, &name).into_bytes()));
    write(&dir, &files)?;
    make(&dir.join("charts"))
}

fn make(dir: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).map_err(|e| {
        // Go names the part of the path that is in the way.
        let at = dir.ancestors().find(|p| p.is_file()).unwrap_or(dir);
        errno::path_error("mkdir", &at.display().to_string(), &e).into()
    })
}

/// Writes a chart's files, if none of them is there.
fn write(dir: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    let shown = dir.display();
    if dir.exists() && !dir.is_dir() {
        return Err(format!("file {shown} already exists and is not a directory").into());
    }
    if let Some((file, _)) = files.iter().find(|(file, _)| dir.join(file).exists()) {
        return Err(
            format!("{shown} has a {file} already: nothing was written; remove it, or choose another name").into()
        );
    }
    for (file, text) in files {
        let file = dir.join(file);
        file.parent().map_or(Ok(()), make)?;
        std::fs::write(&file, text).map_err(|e| errno::path_error("open", &file.display().to_string(), &e))?;
    }
    Ok(())
}

/// Refuses the names that Helm refuses, with its words, and those of which Helm makes a chart that it then refuses.
fn check(name: &str) -> Result<(), Failure> {
    check_place(name)?;
    if name.is_empty() || name.len() > LONGEST {
        return Err(format!("chart name must be between 1 and {LONGEST} characters").into());
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(r#"chart name must match the regular expression "^[a-zA-Z0-9._-]+$""#.to_owned().into());
    }
    Ok(())
}

fn check_place(name: &str) -> Result<(), Failure> {
    if matches!(name, "." | ".." | "/") {
        return Err(format!("chart.metadata.name {name:?} is not allowed").into());
    }
    Ok(())
}
