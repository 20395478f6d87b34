//! What is left out of an artifact: `.sourceignore` files and `spec.ignore`, in the syntax of `.gitignore` as Flux reads it.
//!
//! Later patterns win. Git's own files are always left out; pictures, archives and CI files only while nobody gives patterns.
//! Source: fluxcd/pkg `sourceignore`, with the gitignore of go-git that it keeps.

use crate::golang::path::path_match;

/// The file with patterns, in any folder.
pub const FILE: &str = ".sourceignore";

const VCS: [&str; 4] = [".git/", ".gitignore", ".gitmodules", ".gitattributes"];
const DEFAULTS: [&str; 20] = [
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];

/// One pattern, with the folder that it holds for.
#[derive(Clone, Debug)]
struct Pattern {
    domain: Vec<String>,
    parts: Vec<String>,
    inclusion: bool,
    directories: bool,
}

/// Patterns in order.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Pattern>);

impl Rules {
    /// Of a tree: what its `.sourceignore` files say (folder and text, in the order of a walk), then the spec.
    pub fn of_tree<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, spec: Option<&str>) -> Self {
        let mut given = Self::default();
        for (folder, text) in files {
            given.read(text, folder);
        }
        given.read(spec.unwrap_or_default(), "");
        let mut rules = Self::default();
        rules.read(&VCS.join("\n"), "");
        if given.0.is_empty() {
            rules.read(&DEFAULTS.join("\n"), "");
        }
        rules.0.append(&mut given.0);
        rules
    }

    /// Of a bucket: its one `.sourceignore`, then the spec, and nothing else.
    pub fn of_bucket(file: Option<&str>, spec: Option<&str>) -> Self {
        let mut rules = Self::default();
        rules.read(file.unwrap_or_default(), "");
        rules.read(spec.unwrap_or_default(), "");
        rules
    }

    fn read(&mut self, text: &str, folder: &str) {
        let lines = text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l));
        let lines = lines.filter(|l| !l.starts_with('#') && !l.trim().is_empty());
        self.0.extend(lines.map(|l| Pattern::new(l, folder)));
    }

    /// Whether a path, relative to the root, is left out. A folder that is left out takes what lies in it with it only as far as the patterns
    /// say so for each file.
    pub fn ignores(&self, path: &str, directory: bool) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        self.0.iter().rev().find(|p| p.matches(&parts, directory)).is_some_and(|p| !p.inclusion)
    }
}

/// Go's `filepath.Match`; `None` for a pattern that is none.
fn fits(pattern: &str, name: &str) -> Option<bool> {
    path_match(pattern.as_bytes(), name.as_bytes()).ok()
}

impl Pattern {
    fn new(line: &str, folder: &str) -> Self {
        let (inclusion, line) = line.strip_prefix('!').map_or((false, line), |l| (true, l));
        let line = if line.ends_with("\\ ") { line } else { line.trim_end_matches(' ') };
        let (directories, line) = line.strip_suffix('/').map_or((false, line), |l| (true, l));
        Self {
            domain: folder.split('/').filter(|p| !p.is_empty()).map(String::from).collect(),
            parts: line.split('/').map(String::from).collect(),
            inclusion,
            directories,
        }
    }

    fn matches(&self, path: &[&str], directory: bool) -> bool {
        let Some((head, rest)) = path.split_at_checked(self.domain.len()).filter(|(_, rest)| !rest.is_empty()) else {
            return false;
        };
        head.iter().zip(&self.domain).all(|(a, b)| a == b)
            && match self.parts.as_slice() {
                [name] => self.by_name(name, rest, directory),
                _ => self.by_path(rest, directory).unwrap_or(false),
            }
    }

    /// A pattern without a slash holds for every part of a path.
    fn by_name(&self, name: &str, path: &[&str], directory: bool) -> bool {
        for (i, part) in path.iter().enumerate() {
            match fits(name, part) {
                None => return false,
                Some(false) => {}
                Some(true) => return !(self.directories && !directory && i + 1 == path.len()),
            }
        }
        false
    }

    fn by_path(&self, path: &[&str], directory: bool) -> Option<bool> {
        let mut path = path;
        let (mut matched, mut leap) = (false, false);
        for (i, pattern) in self.parts.iter().enumerate() {
            match pattern.as_str() {
                "" => leap = false,
                "**" if i + 1 == self.parts.len() => break,
                "**" => leap = true,
                p if p.contains("**") => return None,
                p if leap => {
                    leap = false;
                    path.first()?;
                    while let Some((part, rest)) = path.split_first() {
                        path = rest;
                        if fits(p, part)? {
                            matched = true;
                            break;
                        }
                        if rest.is_empty() {
                            matched = false;
                        }
                    }
                }
                p => {
                    let (part, rest) = path.split_first()?;
                    if !fits(p, part)? {
                        return None;
                    }
                    matched = true;
                    path = rest;
                }
            }
        }
        Some(matched && !(self.directories && !directory && path.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_hold_as_in_gitignore() {
        for (patterns, path, directory, want) in [
            ("", "a.png", false, true),
            ("", "x/.sops.yaml", false, true),
            ("", ".git", true, true),
            ("", ".git/config", false, true),
            ("", "sub/.github/x.yml", false, true),
            ("", "a.yaml", false, false),
            // Own patterns stand in the place of the defaults, but not of Git's files.
            ("b", "a.png", false, false),
            ("b", ".gitignore", false, true),
            ("# b", "b", false, false),
            ("*.md", "docs/a.md", false, true),
            ("docs/", "docs", true, true),
            ("docs/", "docs", false, false),
            ("docs/", "docs/a", false, true),
            ("/docs/", "x/docs", true, false),
            ("/docs/*.md", "docs/a.md", false, true),
            ("/docs/*.md", "docs/x/a.md", false, false),
            ("**/x.yaml", "a/b/x.yaml", false, true),
            ("a/**", "a/b/c", false, true),
            ("a/**/c", "a/b/d/c", false, true),
            ("/*\n!/deploy", "deploy", true, false),
            ("/*\n!/deploy", "deploy/a.yaml", false, false),
            ("/*\n!/deploy", "src/a.yaml", false, true),
            ("*\n!*.yaml", "a/b.yaml", false, false),
            ("a [", "a [", false, false),
            ("x \r\n", "x", false, true),
        ] {
            let rules = Rules::of_tree([], Some(patterns));
            assert_eq!(rules.ignores(path, directory), want, "{patterns:?} {path}");
        }
    }

    #[test]
    fn a_file_holds_for_its_folder() {
        let rules = Rules::of_tree([("", "a"), ("sub/x", "/b\nc")], Some("!sub/x/c"));
        for (path, want) in
            [("a", true), ("sub/a", true), ("b", false), ("sub/x/b", true), ("sub/x/y/c", true), ("sub/x/c", false)]
        {
            assert_eq!(rules.ignores(path, false), want, "{path}");
        }
        let bucket = Rules::of_bucket(None, None);
        assert!(!bucket.ignores(".git/config", false) && !bucket.ignores("a.png", false));
    }
}
