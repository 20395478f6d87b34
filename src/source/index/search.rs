//! Looking for a word in the indexes of several repositories.
//!
//! Each version of a chart is one line: its name, its name with the repository's, its description, its keywords. Where in the line the
//! word stands first tells how good a match is, and so the versions of one chart can stand far apart in the result: an old description may
//! have had the word. Source: Helm 4.3 `pkg/cmd/search/search.go`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::golang::regexp::Regexp;
use crate::golang::semver::Version;
use crate::golang::{path, unicode};

use super::{ChartVersion, Found, Ordered};

/// Stands between the parts of a line; no part has one, as white space in them has become blanks.
const PART: char = '\x0b';
/// Stands between a chart's name and a version.
const VERSION: &str = "$$";

/// The charts of several repositories, one entry for each version.
#[derive(Debug, Default)]
pub struct Catalog {
    /// By `repository/chart$$version`; of two with one name the last counts, as in Helm.
    entries: BTreeMap<String, (String, ChartVersion)>,
}

/// A version that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// `repository/chart`.
    pub name: String,
    /// The part of the line that the word begins in; the smaller the better.
    pub score: usize,
    pub version: ChartVersion,
}

impl Catalog {
    /// Adds what an index has.
    pub fn add(&mut self, repository: &str, found: Found) {
        for (key, versions) in found {
            let name = path::join(&[repository, &key]);
            let name = String::from_utf8_lossy(&name);
            for version in versions {
                let line = line(repository, &version);
                self.entries.insert(format!("{name}{VERSION}{}", version.version), (line, version));
            }
        }
    }

    /// Everything, by name, the highest version first.
    pub fn all(self) -> Vec<Hit> {
        self.hits(|_| Some(0))
    }

    /// The lines that have a text, however it is written, the best first.
    pub fn search(self, text: &str) -> Vec<Hit> {
        let text = unicode::to_lower(text.as_bytes());
        self.hits(|line| {
            let line = unicode::to_lower(line.as_bytes());
            memchr::memmem::find(&line, &text).map(|at| score(&line, at))
        })
    }

    /// The lines that an expression matches, the best first.
    ///
    /// # Errors
    /// Go's words for an expression that is none.
    pub fn search_regexp(self, expression: &str) -> Result<Vec<Hit>, String> {
        let expression = Regexp::new(expression)?;
        Ok(self.hits(|line| expression.find(line.as_bytes()).map(|at| score(line.as_bytes(), at.start))))
    }

    fn hits(self, score: impl Fn(&str) -> Option<usize>) -> Vec<Hit> {
        let hit = |(key, (line, version)): (String, (String, ChartVersion))| {
            let name = key.split(VERSION).next().unwrap_or_default().to_owned();
            Some(Hit { name, score: score(&line)?, version })
        };
        let mut hits: Vec<Hit> = self.entries.into_iter().filter_map(hit).collect();
        // Helm leaves versions that differ in their metadata alone to chance.
        hits.sort_by_cached_key(|h| {
            (h.score, h.name.clone(), Reverse(Version::new(&h.version.version).ok().map(Ordered)))
        });
        hits
    }
}

fn line(repository: &str, v: &ChartVersion) -> String {
    let (name, description, keywords) = (&v.name, &v.description, v.keywords.join(" "));
    format!("{name}{PART}{repository}/{name}{PART}{description}{PART}{keywords}")
}

/// How many parts of the line end before a place.
fn score(line: &[u8], at: usize) -> usize {
    line.iter().take(at).filter(|b| char::from(**b) == PART).count()
}
