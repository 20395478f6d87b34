//! `pintle dependency list`: `helm dependency list`, byte for byte.

use std::path::Path;

use super::Failure;
use super::args::{Dependency, DependencyCommand};
use super::output::Streams;
use crate::chart::{directory, listing};
use crate::golang::path::clean;

pub fn run(args: &Dependency, io: &mut Streams<'_>) -> Result<(), Failure> {
    let DependencyCommand::List { chart, max_col_width } = &args.command;
    let path = String::from_utf8_lossy(&clean(chart.to_string_lossy().as_bytes())).into_owned();
    let mut log = Vec::new();
    let loaded = directory::load_unchecked(Path::new(&path), &mut log);
    log.iter().for_each(|line| io.log(line));
    let loaded = loaded.map_err(|e| e.message)?;
    let found = directory::vendored(Path::new(&path));
    write!(io.out, "{}", listing::dependencies(&loaded, &path, &found, *max_col_width))?;
    Ok(())
}
