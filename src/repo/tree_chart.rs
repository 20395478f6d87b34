//! A chart read from a commit: the files that a checkout of it would have, in the order in which Helm walks a directory.

use crate::chart::ignore::Rules;
use crate::chart::limits::{MAX_CHART_SIZE, MAX_FILES};
use crate::chart::{Chart, File, LoadError, load};
use crate::diagnostic::LogLine;
use crate::kustomize::Entry;

use super::files::Checkout;

/// Loads the chart at a path of a commit: a directory, or an archive.
pub fn load(checkout: &Checkout, path: &str, log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
    let missing = || format!("stat {path}: no such file or directory");
    match checkout.kind(path).ok_or_else(missing)? {
        Entry::File => load::archive_file(path, &checkout.read(path)?, log),
        Entry::Directory => {
            let mut rules = Rules::default();
            let ignore_file = format!("{path}/.helmignore");
            if checkout.is_file(&ignore_file) {
                rules = Rules::parse(&checkout.read(&ignore_file)?)?;
            }
            rules.add_defaults();
            let text = checkout
                .read(&format!("{path}/Chart.yaml"))
                .map_err(|e| format!("unable to detect chart at {path}/Chart.yaml: {e}"))?;
            load::check_api_version(&text)?;
            let mut walk = Walk { checkout, top: path, rules, files: Vec::new(), left: MAX_CHART_SIZE, log };
            walk.visit("", 0)?;
            let files = walk.files;
            Ok(load::files(files, log)?)
        }
    }
}

struct Walk<'w> {
    checkout: &'w Checkout,
    top: &'w str,
    rules: Rules,
    files: Vec<File>,
    /// Bytes that may still be read.
    left: u64,
    log: &'w mut Vec<LogLine>,
}

/// Links may lead around in circles.
const MAX_DEPTH: usize = 100;

impl Walk<'_> {
    fn visit(&mut self, below: &str, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("chart has directories nested too deeply: {}/{below}", self.top));
        }
        for name in self.checkout.list(&format!("{}/{below}", self.top))? {
            let (name, is_dir) = name.strip_suffix('/').map_or((name.as_str(), false), |n| (n, true));
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            if self.rules.ignores(&path, is_dir, self.log) {
                continue;
            }
            if is_dir {
                self.visit(&path, depth + 1)?;
                continue;
            }
            if self.files.len() >= MAX_FILES {
                return Err(format!("chart has more than {MAX_FILES} files: {path}"));
            }
            let data = self.checkout.read(&format!("{}/{path}", self.top))?;
            let too_large = || format!("chart exceeds maximum decompressed size of {MAX_CHART_SIZE} bytes");
            self.left = self.left.checked_sub(data.len() as u64).ok_or_else(too_large)?;
            let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data).into();
            self.files.push(File { name: path, data, modified: None });
        }
        Ok(())
    }
}
