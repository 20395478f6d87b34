//! A place that fits an intent, with what is to stand there.

use crate::yaml::edit::{Kind, Place, Text};

/// What a scalar is of what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A whole image reference.
    Reference,
    /// An image's tag, or a chart's version.
    Version,
    /// A repository or registry.
    Name,
    Digest,
    /// A value by its path.
    Value,
}

/// One scalar, and what is to stand there.
#[derive(Clone, Debug)]
pub(super) struct Splice {
    pub place: Place,
    pub new: String,
    pub part: Part,
}

impl Splice {
    pub(super) fn new(place: Place, new: impl Into<String>, part: Part) -> Self {
        Self { place, new: new.into(), part }
    }

    /// The digest behind a tag or a reference, where nothing would take its place.
    pub(super) fn lost_digest(&self) -> Option<&str> {
        let (_, digest) = self.place.value.split_once('@')?;
        let holds_one = matches!(self.part, Part::Reference | Part::Version);
        (holds_one && !self.new.contains('@')).then_some(digest)
    }

    pub(super) const fn kind(&self) -> Kind {
        match self.part {
            Part::Value => Kind::AsBefore,
            _ => Kind::String,
        }
    }
}

/// Why a place that fits cannot take the value.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// By this digest.
    Pinned(String),
    /// This field is not there.
    Missing(&'static str),
    /// The path leads through an alias: the value is that of another place too.
    Alias,
}

/// A place with what is to stand there: an image's fields belong together.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Index of the file.
    pub file: usize,
    /// Depth in the document: of an `image` map near the root and one deep inside, the first is meant.
    pub depth: usize,
    /// It has exactly the repository that was asked for.
    pub exact: bool,
    /// In an object that is called as the service.
    pub named: bool,
    /// `namespace:policy` of the marker that it was found by.
    pub policy: Option<String>,
    pub line: u32,
    /// What stands there, for messages.
    pub shown: String,
    pub edits: Vec<Splice>,
    pub refusal: Option<Refusal>,
}

impl Candidate {
    /// At the first of some scalars.
    pub(super) fn at(depth: usize, edits: Vec<Splice>) -> Self {
        let (line, shown) = edits.first().map_or((0, String::new()), |e| (e.place.line, e.place.value.clone()));
        Self { file: 0, depth, exact: false, named: false, policy: None, line, shown, edits, refusal: None }
    }

    pub(super) fn refused(self, refusal: Option<Refusal>) -> Self {
        Self { refusal: refusal.or(self.refusal), ..self }
    }
}

/// A file that is looked into.
pub(super) struct File<'a> {
    pub path: &'a str,
    pub text: Text<'a>,
}
