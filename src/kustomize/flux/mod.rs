//! What Flux's kustomize-controller adds around a build: a kustomization file where there is none, fields of the Flux
//! `Kustomization` merged into it, variables substituted afterwards.

mod pattern;
mod substitute;

pub use substitute::{Substitution, expand};
