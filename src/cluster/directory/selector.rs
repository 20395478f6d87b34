//! Label and field selectors as `kubectl` writes them, as far as releases need them: equality and presence.

use crate::cluster::Json;

enum Test {
    Equal(String, String),
    Unequal(String, String),
    Present(String),
    Absent(String),
}

/// What a list is narrowed to.
pub struct Selector {
    labels: Vec<Test>,
    fields: Vec<Test>,
}

impl Selector {
    /// # Errors
    /// Names the term that is not understood.
    pub fn parse(labels: &str, fields: &str) -> Result<Self, String> {
        Ok(Self { labels: terms(labels)?, fields: terms(fields)? })
    }

    pub fn matches(&self, object: &Json) -> bool {
        let label = |key: &str| object.get("metadata")?.get("labels")?.get(key)?.as_str();
        let field = |path: &str| path.split('.').try_fold(object, |at, key| at.get(key))?.as_str();
        self.labels.iter().all(|t| t.holds(label)) && self.fields.iter().all(|t| t.holds(field))
    }
}

impl Test {
    fn holds<'o>(&self, value: impl Fn(&str) -> Option<&'o str>) -> bool {
        match self {
            Self::Equal(key, want) => value(key) == Some(want),
            Self::Unequal(key, want) => value(key) != Some(want),
            Self::Present(key) => value(key).is_some(),
            Self::Absent(key) => value(key).is_none(),
        }
    }
}

fn terms(text: &str) -> Result<Vec<Test>, String> {
    text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(term).collect()
}

fn term(text: &str) -> Result<Test, String> {
    let own = |s: &str| s.trim().to_string();
    if text.contains(['(', ')']) {
        return Err(format!("selector {text:?}: sets are not supported in a directory"));
    }
    Ok(if let Some((key, value)) = text.split_once("!=") {
        Test::Unequal(own(key), own(value))
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        Test::Equal(own(key), own(value))
    } else if let Some(key) = text.strip_prefix('!') {
        Test::Absent(own(key))
    } else {
        Test::Present(own(text))
    })
}
