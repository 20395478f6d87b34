//! Values of Secrets stay out of what is said: conditions, events and logs are read by more people than Secrets are.
//!
//! A chart may name a value as it fails, and so may the API server as it refuses an object. What a release takes from Secrets (`valuesFrom`) is
//! kept while it is reconciled, and taken out of what is told of a failure: as it is, in base64, hex, as URLs and JSON escape it. Names that
//! messages need (the release's and its namespaces') stay, whatever Secrets say. Flux prints all of it.

use std::sync::Arc;

use crate::repo::mask::Masker;
use crate::values::compose::ObjectData;

use super::subject::Subject;

/// What a reconciliation has read of Secrets.
#[derive(Clone, Default)]
pub struct Secrets {
    texts: Vec<Arc<str>>,
    /// Words that are no secrets.
    plain: Vec<String>,
}

impl Secrets {
    pub fn of(subject: &Subject) -> Self {
        let words = [&subject.name, &subject.namespace, &subject.release_name()].map(String::clone);
        let more = [subject.release_namespace().to_owned(), subject.storage_namespace().to_owned()];
        Self { texts: Vec::new(), plain: words.into_iter().chain(more).collect() }
    }

    /// A Secret was read.
    pub fn note(&mut self, data: &ObjectData) {
        let texts = data.values().filter_map(|bytes| std::str::from_utf8(bytes).ok());
        self.texts.extend(texts.filter(|text| !text.is_empty()).map(Arc::from));
    }

    /// A text without what was read.
    pub fn hide(&self, text: &str) -> String {
        if self.texts.is_empty() {
            return text.to_owned();
        }
        let mut masker = Masker::default();
        self.texts.iter().for_each(|secret| masker.learn_text(secret));
        self.plain.iter().for_each(|word| masker.forget(word));
        masker.apply_text(text)
    }
}
