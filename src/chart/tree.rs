//! Charts in a tree of files that is not on disk: a directory of a Git commit, as a tar.

use std::io::Read;

use crate::diagnostic::LogLine;

use super::ignore::Rules;
use super::limits::{MAX_CHART_SIZE, MAX_FILES};
use super::load::{self, LoadError};
use super::{Chart, File, tarball};

/// The files of a plain tar, in its order.
///
/// # Errors
/// It is no tar, or has more than a chart may have.
pub fn files(tar: &[u8]) -> Result<Vec<File>, String> {
    let mut reader = tarball::Reader::new(tar);
    let mut files = Vec::new();
    let mut left = MAX_CHART_SIZE;
    while let Some(header) = reader.next_entry().map_err(|e| e.to_string())? {
        if header.is_dir() || matches!(header.kind, b'g' | b'x') {
            continue;
        }
        let name = String::from_utf8(header.name).map_err(|_| "a file's name is not UTF-8")?;
        let name = name.strip_prefix("./").map_or(name.clone(), String::from);
        if name.is_empty() || name.starts_with('/') || name.split('/').any(|p| matches!(p, "" | "." | "..")) {
            return Err(format!("the tree has a file {name:?}, which is not inside it"));
        }
        left = left.checked_sub(header.size).ok_or("chart exceeds maximum decompressed size")?;
        if files.len() >= MAX_FILES {
            return Err(format!("chart has more than {MAX_FILES} files"));
        }
        let mut data = Vec::new();
        (&mut reader).take(header.size).read_to_end(&mut data).map_err(|e| e.to_string())?;
        let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data).into();
        files.push(File { name, data, modified: jiff::Timestamp::new(header.modified.0, 0).ok() });
    }
    Ok(files)
}

/// Loads the chart in a tree as from a directory: `.helmignore` counts.
///
/// # Errors
/// Helm's text.
pub fn load(tar: &[u8], log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
    let mut files = files(tar)?;
    let Some(chart_yaml) = files.iter().find(|f| f.name == "Chart.yaml") else {
        return Err("Chart.yaml file is missing".into());
    };
    load::check_api_version(&chart_yaml.data)?;
    let mut rules = match files.iter().find(|f| f.name == ".helmignore") {
        Some(f) => Rules::parse(&f.data)?,
        None => Rules::default(),
    };
    rules.add_defaults();
    files.retain(|f| {
        let directories = f.name.match_indices('/').filter_map(|(i, _)| f.name.get(..i));
        !directories.clone().any(|d| rules.ignores(d, true, log)) && !rules.ignores(&f.name, false, log)
    });
    Ok(load::files(files, log)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_loaded_as_a_directory() {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, text) in [
            ("Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n"),
            (".helmignore", "docs/\n*.bak\n"),
            ("docs/a.md", "a"),
            ("templates/a.yaml", "a: b"),
            ("templates/b.bak", "b"),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        let chart = load(&tar.into_inner().unwrap(), &mut Vec::new()).unwrap();
        assert_eq!(chart.name(), "x");
        assert_eq!(chart.templates.len(), 1);
        assert!(chart.files.iter().all(|f| f.name != "docs/a.md"));
        assert!(load(b"", &mut Vec::new()).is_err());
        assert!(load(&[7; 5000], &mut Vec::new()).is_err());
    }
}
