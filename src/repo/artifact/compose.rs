//! An artifact put together: which file lies where in it, and what was merged or unpacked on the way.
//!
//! Source: source-watcher 2.2 `internal/builder`: `cp`'s rules for a file or a directory, Go's `fs.Glob` (in which `**` is `*`, and a directory that
//! matches comes with all that is in it) or doublestar for archives, doublestar for `exclude`; YAML files merged as Helm merges values files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use crate::chart::{Chart, Data, load, tree, values_file};
use crate::diagnostic::LogLine;
use crate::golang::doublestar;
use crate::kustomize::given::{Given, Patch};
use crate::kustomize::{self, Build, Entry, Tree};
use crate::repo::files::Checkout;
use crate::repo::problem::Place;
use crate::value::Heap;

use super::origin::{Fetched, From, Origin, first_in, is_directory, names};
use super::{Copy, Generator, Output, Source, alias_of, base, is_pattern, join};

/// More files than this in one artifact are refused.
const MOST_FILES: usize = 100_000;
/// Directories within directories.
const DEEPEST: usize = 100;
/// The most bytes of an archive that is unpacked.
const MOST_UNPACKED: u64 = 100 << 20;

/// The files of an artifact.
pub struct Artifact<'c> {
    checkout: &'c Checkout,
    files: BTreeMap<String, Piece>,
    /// The generator's place, for what no file of the checkout stands for.
    place: Place,
}

/// One file of an artifact.
#[derive(Clone)]
enum Piece {
    /// A file of the checkout.
    Here(String),
    /// Merged, unpacked or fetched; of the file of the checkout that it came from. `merged`: what it was made of, the lowest first.
    Made { data: Arc<[u8]>, home: Option<String>, merged: Vec<Part> },
}

/// A text that was merged with others: the file of the checkout that it stands in, unless it was fetched.
pub type Part = (Option<String>, Arc<[u8]>);

impl Piece {
    fn home(&self) -> Option<&String> {
        match self {
            Self::Here(path) => Some(path),
            Self::Made { home, .. } => home.as_ref(),
        }
    }
}

/// How a copy treats what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strategy {
    Overwrite,
    Merge,
    Extract,
}

/// What a copy asks for, understood.
struct Asked<'a> {
    source: &'a Source,
    /// A path in the source, or a pattern.
    pattern: String,
    to: &'a str,
    /// What is copied goes into the directory of that name.
    is_dir: bool,
    exclude: Vec<String>,
    strategy: Strategy,
    optional: bool,
}

impl<'a> Asked<'a> {
    fn of(generator: &'a Generator, copy: &'a Copy) -> Result<Self, String> {
        if !copy.from.starts_with('@') {
            return Err("source must start with '@'".into());
        }
        let Some((alias, pattern)) = alias_of(&copy.from) else {
            return Err("source format must be '@alias/pattern'".into());
        };
        let Some(source) = generator.sources.iter().find(|s| s.alias == alias) else {
            return Err(format!("source alias '{alias}' not found"));
        };
        let Some(to) = copy.to.strip_prefix("@artifact/") else {
            return Err("destination must start with '@artifact/'".into());
        };
        if to.split('/').any(|part| part == "..") {
            return Err("destination path must stay within the artifact root".into());
        }
        let strategy = match copy.strategy.as_str() {
            "" | "Overwrite" => Strategy::Overwrite,
            "Merge" => Strategy::Merge,
            "Extract" => Strategy::Extract,
            other => return Err(format!("strategy {other} is not known: there are Overwrite, Merge and Extract")),
        };
        Ok(Self {
            source,
            pattern: Checkout::relative(pattern)?,
            to: to.trim_matches('/'),
            is_dir: to.is_empty() || to.ends_with('/'),
            exclude: copy.exclude.iter().flat_map(|p| doublestar::alternatives(p)).collect(),
            strategy,
            optional: copy.optional,
        })
    }
}

fn is_tarball(path: &str) -> bool {
    let path = path.to_lowercase();
    path.ends_with(".tar.gz") || path.ends_with(".tgz")
}

impl<'c> Artifact<'c> {
    /// `above`: directories that an OCI artifact may have been made of, besides the root. `fetched`: the files of sources that are not here.
    ///
    /// # Errors
    /// The line of the copy, and why it can't be made.
    pub fn new(
        checkout: &'c Checkout,
        generator: &Generator,
        output: &Output,
        above: &[&str],
        fetched: &Fetched,
    ) -> Result<Self, (usize, String)> {
        let mut out = Self { checkout, files: BTreeMap::new(), place: generator.place.clone() };
        for copy in &output.copies {
            out.copy(generator, copy, above, fetched).map_err(|why| {
                (copy.line, format!("artifact {}: copy from '{}' to '{}': {why}", output.name, copy.from, copy.to))
            })?;
        }
        Ok(out)
    }

    fn copy(&mut self, generator: &Generator, copy: &Copy, above: &[&str], fetched: &Fetched) -> Result<(), String> {
        let asked = Asked::of(generator, copy)?;
        let base = base(&asked.pattern);
        let checkout = self.checkout;
        let origin = match fetched.get(&asked.source.alias) {
            Some(files) => Origin::Fetched(files),
            None => {
                let others = above.iter().filter(|_| asked.source.kind == "OCIRepository");
                let root = std::iter::once(&"").chain(others).find(|root| checkout.kind(&join(root, &base)).is_some());
                Origin::Here { checkout, root: root.copied().unwrap_or_default() }
            }
        };
        let from = From { origin, base: &base, exclude: &asked.exclude };
        if is_pattern(&asked.pattern) { self.all_like(&from, &asked) } else { self.one(&from, &asked) }
    }

    /// A file or a directory by its name.
    fn one(&mut self, from: &From<'_>, asked: &Asked<'_>) -> Result<(), String> {
        let (path, to) = (&asked.pattern, asked.to);
        let name = path.rsplit('/').next().unwrap_or_default();
        let extract = asked.strategy == Strategy::Extract;
        match from.kind(path) {
            None if asked.optional => Ok(()),
            None => Err(format!("source '{path}' does not exist")),
            Some(Entry::Directory) if extract => {
                Err(format!("extract strategy is not supported for directories, got '{path}'"))
            }
            Some(Entry::Directory) => self.tree(from, path, &join(to, name), 0),
            Some(Entry::File) if from.excludes(path) => Ok(()),
            Some(Entry::File) if extract && !is_tarball(path) => {
                Err(format!("extract strategy requires tarball file (.tar.gz or .tgz), got '{path}'"))
            }
            Some(Entry::File) if extract => self.unpack(from, path, to),
            Some(Entry::File) => {
                let into_it = asked.is_dir || is_directory(&self.files, to);
                self.file(from, path, if into_it { join(to, name) } else { to.to_owned() }, asked.strategy)
            }
        }
    }

    /// All that fits a pattern.
    fn all_like(&mut self, from: &From<'_>, asked: &Asked<'_>) -> Result<(), String> {
        let (pattern, alias) = (&asked.pattern, &asked.source.alias);
        let matches = match asked.strategy {
            Strategy::Extract => from.files_like(pattern)?,
            Strategy::Overwrite | Strategy::Merge => from.glob(pattern)?,
        };
        if matches.is_empty() && !asked.optional {
            return Err(format!("no files match pattern '{pattern}' in source '{alias}'"));
        }
        let kept: Vec<String> = matches.into_iter().filter(|m| !from.excludes(m)).collect();
        if kept.is_empty() && !asked.optional {
            return Err(format!("all files matching pattern '{pattern}' in source '{alias}' were excluded"));
        }
        let prefix = pattern.strip_suffix("/**").map(|dir| format!("{dir}/"));
        for found in kept {
            let rest = prefix.as_ref().and_then(|p| found.strip_prefix(p)).unwrap_or(&found);
            match from.kind(&found) {
                Some(Entry::File) if asked.strategy == Strategy::Extract => {
                    // What is no archive is passed over.
                    if is_tarball(&found) {
                        self.unpack(from, &found, asked.to)?;
                    }
                }
                Some(Entry::File) => self.file(from, &found, join(asked.to, rest), asked.strategy)?,
                _ => self.tree(from, &found, &join(asked.to, rest), 0)?,
            }
        }
        Ok(())
    }

    /// A directory with all that is in it.
    fn tree(&mut self, from: &From<'_>, path: &str, to: &str, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("{path}: more than {DEEPEST} directories in each other"));
        }
        for name in from.list(path)? {
            let path = join(path, &name);
            if name == ".git" || from.excludes(&path) {
                continue;
            }
            match from.kind(&path) {
                Some(Entry::File) => self.file(from, &path, join(to, &name), Strategy::Overwrite)?,
                Some(Entry::Directory) => self.tree(from, &path, &join(to, &name), depth + 1)?,
                None => {}
            }
        }
        Ok(())
    }

    /// A file, laid over one that is there or merged into it.
    fn file(&mut self, from: &From<'_>, path: &str, to: String, strategy: Strategy) -> Result<(), String> {
        let home = match from.origin {
            Origin::Here { root, .. } => Some(join(root, path)),
            Origin::Fetched(_) => None,
        };
        let merges = strategy == Strategy::Merge && self.files.contains_key(&to);
        let piece = match (merges, home) {
            (true, home) => {
                let above = from.read(path)?;
                let data = merged(&self.read(&to)?, &above)?.into();
                let mut parts = self.parts(&to)?;
                parts.push((home.clone(), above.as_ref().into()));
                let home = home.or_else(|| self.files.get(&to)?.home().cloned());
                Piece::Made { data, home, merged: parts }
            }
            (false, Some(home)) => Piece::Here(home),
            (false, None) => Piece::Made { data: from.read(path)?.as_ref().into(), home: None, merged: Vec::new() },
        };
        self.put(to, piece)
    }

    /// What an archive holds.
    fn unpack(&mut self, from: &From<'_>, path: &str, to: &str) -> Result<(), String> {
        let failed = |e: &dyn std::fmt::Display| format!("failed to extract tarball '{path}' to '{to}': {e}");
        let packed = from.read(path)?;
        let mut tar = Vec::new();
        let unpacked = flate2::bufread::MultiGzDecoder::new(&packed[..]).take(MOST_UNPACKED + 1).read_to_end(&mut tar);
        unpacked.map_err(|e| failed(&e))?;
        if tar.len() as u64 > MOST_UNPACKED {
            return Err(failed(&format!("more than {MOST_UNPACKED} bytes")));
        }
        let home = match from.origin {
            Origin::Here { root, .. } => Some(join(root, path)),
            Origin::Fetched(_) => None,
        };
        for file in tree::files(&tar).map_err(|e| failed(&e))? {
            let data = file.data.as_ref().into();
            self.put(join(to, &file.name), Piece::Made { data, home: home.clone(), merged: Vec::new() })?;
        }
        Ok(())
    }

    fn put(&mut self, to: String, piece: Piece) -> Result<(), String> {
        if self.files.len() >= MOST_FILES {
            return Err(format!("more than {MOST_FILES} files"));
        }
        self.files.insert(to, piece);
        Ok(())
    }

    /// What a file was merged of, or the file itself.
    fn parts(&self, path: &str) -> Result<Vec<Part>, String> {
        Ok(match self.files.get(path) {
            Some(Piece::Made { merged, .. }) if !merged.is_empty() => merged.clone(),
            Some(piece) => vec![(piece.home().cloned(), Tree::read(self, path)?.as_ref().into())],
            None => Vec::new(),
        })
    }

    /// What the chart's own values come from, the lowest first.
    pub fn values(&self) -> Result<Vec<Part>, String> {
        let top = self.files.keys().find_map(|path| path.strip_suffix("/Chart.yaml").filter(|top| !top.contains('/')));
        self.parts(&format!("{}/values.yaml", top.unwrap_or_default()))
    }

    /// The directory of the checkout that all of the chart's templates lie in as they do in the chart.
    pub fn directory(&self) -> Option<String> {
        let (top, home) = self.files.iter().find_map(|(path, piece)| {
            let top = path.strip_suffix("/Chart.yaml").filter(|top| !top.contains('/'))?;
            Some((top, piece.home()?.strip_suffix("/Chart.yaml")?))
        })?;
        let inside = format!("{top}/templates/");
        let mut templates = self.files.range(inside.clone()..).take_while(|(path, _)| path.starts_with(&inside));
        let same = |(path, piece): (&String, &Piece)| {
            let rest = path.strip_prefix(top).unwrap_or_default();
            matches!(piece, Piece::Here(at) if at.strip_prefix(home) == Some(rest))
        };
        templates.all(same).then(|| format!("{home}/"))
    }

    /// The chart that the artifact holds, read from its archive as Flux reads it.
    ///
    /// # Errors
    /// Helm's text.
    pub fn chart(&self, log: &mut Vec<LogLine>) -> Result<Chart, String> {
        let mut files = BTreeMap::new();
        for path in self.files.keys() {
            files.insert(path.clone(), Tree::read(self, path)?.into_owned());
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        let packed = gzip.write_all(&crate::source::tree::pack(&files)).and_then(|()| gzip.finish());
        load::archive_bytes(&packed.map_err(|e| e.to_string())?, log).map_err(|e| e.to_string())
    }

    /// Tells what was built by the paths that the files have in the checkout.
    pub fn told(&self, built: kustomize::Result<Build>) -> kustomize::Result<Build> {
        let mut build = built.map_err(|mut e| {
            e.file = e.file.map(|file| self.home(&file).to_string());
            e
        })?;
        for object in &mut build.objects {
            object.source.file = self.home(&object.source.file);
            for given in &mut object.given {
                match given {
                    Given::File { file, .. } => *file = self.home(file),
                    Given::Patch(patch) => {
                        *patch = Arc::new(Patch { file: self.home(&patch.file), ..Patch::clone(patch) });
                    }
                }
            }
        }
        Ok(build)
    }

    /// Where a file of the artifact lies; a file that a build made up, where its directory's others do.
    fn home(&self, file: &str) -> Arc<str> {
        let file = file.trim_matches('/');
        let (dir, name) = file.rsplit_once('/').unwrap_or(("", file));
        let beside = || {
            let neighbour = first_in(&self.files, dir)?.home()?;
            Some(neighbour.rsplit_once('/').map_or_else(|| name.to_owned(), |(dir, _)| format!("{dir}/{name}")))
        };
        let own = self.files.get(file).and_then(Piece::home).cloned();
        let home = own.or_else(beside).unwrap_or_else(|| self.place.path.clone());
        format!("/{home}").into()
    }
}

impl Tree for Artifact<'_> {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        let clean = Checkout::relative(path).ok()?;
        let entry = if self.files.contains_key(&clean) {
            Entry::File
        } else {
            (clean.is_empty() || is_directory(&self.files, &clean)).then_some(Entry::Directory)?
        };
        Some((format!("/{clean}"), entry))
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        match self.files.get(path.trim_matches('/')) {
            Some(Piece::Here(file)) => self.checkout.read(file).map(Cow::Owned),
            Some(Piece::Made { data, .. }) => Ok(Cow::Borrowed(data)),
            None if is_directory(&self.files, path.trim_matches('/')) => Err("is a directory".into()),
            None => Err("no such file or directory".into()),
        }
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        names(&self.files, path.trim_matches('/'))
    }
}

/// A YAML file with another laid over it: maps are merged, lists replaced, and what is written is sorted by key.
fn merged(below: &[u8], above: &[u8]) -> Result<Vec<u8>, String> {
    let mut table = values_file::read(below)?;
    table.merge(values_file::read(above)?);
    let mut heap = Heap::default();
    let value = Data::Table(table).to_value(&mut heap);
    crate::yaml::marshal(&mut heap, &value)
}
