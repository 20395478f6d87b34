//! What a build knows of kinds, and since when.
//!
//! kustomize keeps one set of definitions for the whole process, which it fills when it first looks into it: with the built-in ones, or with the
//! document of the first kustomization that names one (`openapi.path`), outermost first. A document that comes after the built-in ones were read
//! is laid over them; one that comes before keeps them out, unless an object of a kind that is not built in was met earlier still. So it counts
//! in which order bases are built, and where a base names a document they are built one by one.
//!
//! Source: kyaml 0.21 `openapi/openapi.go`: `SetSchema`, `initSchema`, `IsNamespaceScoped`.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::configs::Configs;
use super::error::{Error, Result};
use super::resource::{self, Pairs, Resource};
use super::schema::Schemas;

/// The one version that is built in.
const BUILT_IN: &str = "v1.21.2";

/// What all kustomizations of one build share.
pub struct Shared {
    /// Bases are built one after the other.
    pub one_by_one: bool,
    /// A base names a document or a version, and bases are built side by side.
    doubtful: AtomicBool,
    state: Mutex<State>,
    pub configs: Configs,
}

#[derive(Default)]
struct State {
    /// A version or a document was chosen; who comes later is not heard.
    chosen: bool,
    document: Option<Document>,
    /// What was chosen has been read.
    read: bool,
    builtin: Builtin,
    /// What was read, if that is not the built-in definitions alone.
    own: Option<Arc<Schemas>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Builtin {
    #[default]
    NotRead,
    /// To be read with what is read next.
    Wanted,
    Read,
}

/// A document of the build's own.
struct Document {
    text: Vec<u8>,
    file: String,
}

/// Definitions, as they are known at a time.
pub enum Known {
    Builtin,
    Own(Arc<Schemas>),
}

impl Deref for Known {
    type Target = Schemas;

    fn deref(&self) -> &Schemas {
        match self {
            Self::Builtin => Schemas::builtin(),
            Self::Own(own) => own,
        }
    }
}

impl Shared {
    pub fn new(one_by_one: bool) -> Self {
        Self { one_by_one, doubtful: AtomicBool::new(false), state: Mutex::default(), configs: Configs::default() }
    }

    /// Whether the build has to be done again, one by one.
    pub fn is_doubtful(&self) -> bool {
        !self.one_by_one && self.doubtful.load(Ordering::Relaxed)
    }

    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what a kustomization says in `openapi`, with the text and the place of the file that it names.
    pub fn choose(&self, openapi: &Pairs, document: Option<(Vec<u8>, String)>, is_base: bool) -> Result<()> {
        self.with(|state| {
            if state.chosen && is_base {
                return Ok(());
            }
            if is_base && (document.is_some() || openapi.get("version").is_some_and(|v| !v.is_empty())) {
                self.doubtful.store(true, Ordering::Relaxed);
            }
            let version = openapi.get("version");
            if let Some((text, file)) = document {
                if version.is_some() {
                    return Err("builtin version and custom schema provided, cannot use both".into());
                }
                (state.chosen, state.read, state.document) = (true, false, Some(Document { text, file }));
                return Ok(());
            }
            match version.map(String::as_str) {
                None | Some("") => Ok(()),
                Some(BUILT_IN) => {
                    (state.chosen, state.read) = (true, false);
                    Ok(())
                }
                Some(_) => Err("the specified OpenAPI version is not built in".into()),
            }
        })
    }

    /// Takes note of objects that were read: those of kinds that are not built in have them looked for.
    pub fn meet(&self, resources: &[Resource]) -> Result<()> {
        if !self.one_by_one {
            return Ok(());
        }
        let is_strange = |r: &Resource| {
            let gvk = resource::gvk(&r.node);
            Schemas::builtin().of_kind(&gvk.api_version(), &gvk.kind).is_none()
        };
        if !resources.iter().any(is_strange) {
            return Ok(());
        }
        self.with(|state| {
            if state.read {
                return Ok(());
            }
            if state.document.is_some() {
                return state.look();
            }
            if state.builtin == Builtin::NotRead {
                state.builtin = Builtin::Wanted;
            }
            Ok(())
        })
    }

    /// The definitions, for what does not look into them without need.
    pub fn known(&self) -> Result<Known> {
        self.with(|state| {
            state.look()?;
            Ok(state.own.clone().map_or(Known::Builtin, Known::Own))
        })
    }
}

impl State {
    /// Reads what was chosen, and the built-in definitions where they are wanted.
    fn look(&mut self) -> Result<()> {
        if self.read {
            return Ok(());
        }
        self.read = true;
        if let Some(Document { text, file }) = &self.document {
            let at = |e: String| Error::new(format!("invalid schema file: {e}")).at(file, 0);
            let own = Schemas::from_document(&super::read::to_json(text).map_err(at)?);
            let below = match (&self.own, self.builtin) {
                (Some(own), _) => Some(&**own),
                (None, Builtin::Read) => Some(Schemas::builtin()),
                (None, _) => None,
            };
            self.own = Some(Arc::new(below.map_or_else(|| own.clone(), |below| below.under(&own))));
        } else {
            self.builtin = Builtin::Read;
            self.own = self.own.as_ref().map(|own| Arc::new(own.under(Schemas::builtin())));
        }
        if self.builtin == Builtin::Wanted {
            self.builtin = Builtin::Read;
            self.own = self.own.as_ref().map(|own| Arc::new(own.under(Schemas::builtin())));
        }
        Ok(())
    }
}
