//! Charts on disk that need each other.

use std::path::{Path, PathBuf};

use crate::chart::{Chart, directory};
use crate::source::SourceError;

const DEEPEST: usize = 64;

/// Refuses a chart that, by `file://`, needs itself.
pub fn check(dir: &Path, chart: &Chart) -> Result<(), SourceError> {
    let Ok(dir) = dir.canonicalize() else { return Ok(()) };
    let mut trail = vec![(dir, chart.name().to_string())];
    walk(&mut trail, chart)
}

fn walk(trail: &mut Vec<(PathBuf, String)>, chart: &Chart) -> Result<(), SourceError> {
    let Some((dir, _)) = trail.last().cloned() else { return Ok(()) };
    for d in chart.metadata.dependencies.iter() {
        let Some(path) = d.repository.strip_prefix("file://") else { continue };
        let Ok(path) = dir.join(path).canonicalize() else { continue };
        if let Some(at) = trail.iter().position(|(seen, _)| *seen == path) {
            let names = trail.iter().skip(at).map(|(_, n)| n.as_str()).chain([d.name.as_str()]);
            let names = names.collect::<Vec<_>>().join(" → ");
            return Err(SourceError::refused(format!("dependency cycle: {names}"))
                .hint("a chart can't be packed into itself: take one of these dependencies out"));
        }
        if trail.len() > DEEPEST {
            return Err(SourceError::refused(format!("dependencies are nested more than {DEEPEST} deep")));
        }
        let Ok(sub) = directory::load_unchecked(&path, &mut Vec::new()) else { continue };
        trail.push((path, d.name.clone()));
        walk(trail, &sub)?;
        trail.pop();
    }
    Ok(())
}
