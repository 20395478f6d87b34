//! What Flux's kustomize-controller adds around a build: a kustomization file where there is none, fields of the Flux
//! `Kustomization` merged into it, variables substituted afterwards.

mod overlay;
mod pattern;
mod post_render;
mod substitute;

pub use overlay::Overlay;
pub use post_render::{
    Files, PostRenderer, Strategy, add_metadata, metadata, post_render, post_render_files, substitute,
};
pub use substitute::{Substitution, expand};
