//! Where an object came from and what changed it, as annotations (`buildMetadata`).

use super::emit;
use super::error::Result;
use super::ids::Gvk;
use super::json::Json;
use super::node::Kind;
use super::print;
use super::resmap::ResMap;
use super::resource::{self, ORIGIN, Resource, TRANSFORMATIONS};
use super::tree::{clean, join};

/// The file that an object or a transformer stands in, as seen from the directory that is built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    pub path: String,
    pub configured_in: String,
    /// apiVersion, kind, name, namespace.
    pub configured_by: [String; 4],
}

impl Origin {
    /// With a path behind its own.
    pub fn append(&self, path: &str) -> Self {
        let path = if self.path.is_empty() { clean(path) } else { join(&self.path, path) };
        Self { path, ..Self::default() }
    }

    /// Of a built-in generator or transformer of the kustomization file at this place.
    pub fn of_builtin(&self, file: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: join(&self.path, file),
            configured_by: ["builtin".into(), kind.into(), String::new(), String::new()],
        }
    }

    /// Of a transformer or generator that is an object itself.
    pub fn of_plugin(config: &Resource) -> Option<Self> {
        let text = resource::annotation(&config.node, ORIGIN)?;
        let path = text.lines().find_map(|line| line.strip_prefix("path: ")).unwrap_or_default().to_owned();
        let Gvk { kind, .. } = resource::gvk(&config.node);
        let name = |s: &str| s.to_owned();
        Some(Self {
            path: String::new(),
            configured_in: path,
            configured_by: [
                resource::gvk(&config.node).api_version(),
                kind,
                name(resource::name(&config.node)),
                name(resource::namespace(&config.node)),
            ],
        })
    }

    fn write(&self, first: &str, indent: &str) -> String {
        let scalar = |text: &str| print::trimmed(&emit::from_json(&Json::str(text)));
        let mut lines = Vec::new();
        if !self.path.is_empty() {
            lines.push(format!("path: {}", scalar(&self.path)));
        }
        if !self.configured_in.is_empty() {
            lines.push(format!("configuredIn: {}", scalar(&self.configured_in)));
        }
        if self.configured_by.iter().any(|s| !s.is_empty()) {
            lines.push("configuredBy:".to_owned());
            for (key, value) in ["apiVersion", "kind", "name", "namespace"].iter().zip(&self.configured_by) {
                if !value.is_empty() {
                    lines.push(format!("  {key}: {}", scalar(value)));
                }
            }
        }
        let mut out = String::new();
        for (i, line) in lines.iter().enumerate() {
            out.push_str(if i == 0 { first } else { indent });
            out.push_str(line);
            out.push('\n');
        }
        if out.is_empty() { "{}\n".to_owned() } else { out }
    }

    pub fn text(&self) -> String {
        self.write("", "")
    }

    /// Notes the origin of objects that have none yet.
    pub fn set_missing(&self, resource: &mut Resource) -> Result<()> {
        if resource::annotation(&resource.node, ORIGIN).is_some() {
            return Ok(());
        }
        resource.set_note(ORIGIN, &self.text())
    }

    /// Notes that this transformer went over all objects. One that it deleted holds no notes.
    pub fn add_transformation(&self, map: &mut ResMap) -> Result<()> {
        for r in map.contents_mut().iter_mut().filter(|r| r.node.kind != Kind::Zero) {
            if resource::annotation(&r.node, ORIGIN).is_none() {
                r.set_note(ORIGIN, &self.text())?;
                continue;
            }
            let mut all = resource::annotation(&r.node, TRANSFORMATIONS).unwrap_or_default().to_owned();
            all.push_str(&self.write("- ", "  "));
            r.set_note(TRANSFORMATIONS, &all)?;
        }
        Ok(())
    }
}
