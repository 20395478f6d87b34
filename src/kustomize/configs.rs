//! Field specs that were put together before.
//!
//! Each kustomization with `configurations` lays them over some hundred defaults, and whoever lists it lays the outcome over its own. All services
//! of an environment mostly have the same file for that: what comes of two configurations is kept for those who ask for the same again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::config::Config;
use super::error::Result;

/// The configurations of one build.
#[derive(Default)]
pub struct Configs {
    parsed: Mutex<HashMap<Vec<u8>, Arc<Config>>>,
    merged: Mutex<HashMap<(usize, usize), Merged>>,
}

/// What two configurations came to. They are kept with it: as long as they are here, no others can stand where they do.
struct Merged {
    outcome: Arc<Config>,
    _own: Option<Arc<Config>>,
    _other: Arc<Config>,
}

/// Where a configuration stands; nothing stands at 0.
fn place(config: Option<&Arc<Config>>) -> usize {
    config.map_or(0, |config| Arc::as_ptr(config) as usize)
}

impl Configs {
    /// That of a file.
    ///
    /// # Errors
    /// Those of [`Config::parse`].
    pub fn parsed(&self, text: &[u8]) -> Result<Arc<Config>> {
        let lock = || self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(text) {
            return Ok(known.clone());
        }
        let parsed = Arc::new(Config::parse(text)?);
        // Who came first is kept, so that all have the same.
        Ok(lock().entry(text.to_vec()).or_insert(parsed).clone())
    }

    /// One with another one added; `None` is that of a kustomization that has none yet.
    ///
    /// # Errors
    /// Those of [`Config::merged`].
    pub fn merged(&self, own: Option<&Arc<Config>>, other: &Arc<Config>) -> Result<Arc<Config>> {
        match own {
            // The defaults are as they come out of this.
            None if Arc::ptr_eq(other, &Config::default_merged()) => return Ok(other.clone()),
            Some(own) if Arc::ptr_eq(own, other) => return Ok(own.clone()),
            _ => {}
        }
        let lock = || self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        let places = (place(own), place(Some(other)));
        if let Some(known) = lock().get(&places) {
            return Ok(known.outcome.clone());
        }
        let outcome = match own {
            // Also into nothing they are merged one by one: a spec can stand for one that comes behind it, or contradict it.
            None => Arc::new(Config::default().merged(other)?),
            // The same field specs again add nothing.
            Some(own) if own.covers(other)? => own.clone(),
            Some(own) => Arc::new(own.merged(other)?),
        };
        let merged = Merged { outcome, _own: own.cloned(), _other: other.clone() };
        Ok(lock().entry(places).or_insert(merged).outcome.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_together_is_what_would_be_now() {
        let configs = Configs::default();
        let text = b"images: [{path: spec/image, kind: Foo}]";
        let defaults = Config::default_merged();
        let own = configs.parsed(text).unwrap();
        assert!(Arc::ptr_eq(&own, &configs.parsed(text).unwrap()));
        let both = configs.merged(Some(&defaults), &own).unwrap();
        assert_eq!(*both, defaults.merged(&own).unwrap());
        assert!(Arc::ptr_eq(&both, &configs.merged(Some(&defaults), &own).unwrap()));
        assert_eq!(*configs.merged(None, &both).unwrap(), Config::default().merged(&both).unwrap());
        let covered = configs.merged(Some(&both), &own).unwrap();
        assert!(Arc::ptr_eq(&both, &covered), "nothing is added");
        // The other way round there is much to add.
        assert_eq!(*configs.merged(Some(&own), &defaults).unwrap(), own.merged(&defaults).unwrap());
    }

    #[test]
    fn contradictions_are_told_each_time() {
        let configs = Configs::default();
        let text = b"commonAnnotations: [{path: metadata/annotations, create: false}]";
        let own = configs.parsed(text).unwrap();
        for _ in 0..2 {
            let e = configs.merged(Some(&Config::default_merged()), &own).map(drop).unwrap_err();
            assert!(e.to_string().contains("conflicting fieldspecs"), "{e}");
            assert!(configs.parsed(b"images: 1").is_err());
        }
    }
}
