//! Images: name, tag and digest of containers, wherever `containers` or `initContainers` stand, and at the field specs.

use std::sync::Arc;

use super::error::Result;
use super::fieldspec::{FieldSpec, Setter, apply};
use super::kustomization::Image;
use super::node::{Kind, Node, expect};
use super::resmap::ResMap;
use super::resource;
use crate::golang::regexp::Regexp;

/// One entry of `images`, ready to be applied.
#[derive(Clone, Debug)]
pub struct ImageTransformer {
    image: Image,
    /// `None`: a name that is no expression; kustomize crashes on it.
    regex: Option<Arc<Regexp>>,
    specs: Vec<FieldSpec>,
}

impl ImageTransformer {
    pub fn new(image: Image, specs: Vec<FieldSpec>) -> Self {
        // The name is taken as an expression: its dots match anything.
        let pattern = format!("^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", image.name);
        let regex = Regexp::cached(pattern.as_bytes()).ok();
        Self { image, regex, specs }
    }

    pub fn apply(&self, map: &mut ResMap) -> Result<()> {
        for pass in 0..2 {
            for r in map.contents_mut() {
                super::shared::step(&mut r.node, |node| self.pass(node, pass))
                    .map_err(|e| e.at(&r.source.file, r.source.line))?;
            }
            map.drop_empty();
        }
        Ok(())
    }

    fn pass(&self, node: &mut Node, pass: u32) -> Result<()> {
        if resource::kind(node) == "CustomResourceDefinition" {
            return Ok(());
        }
        if pass == 0 {
            return self.find(node);
        }
        for spec in &self.specs {
            let mut set = |field: &mut Node| self.set(field);
            apply(node, spec, &mut Setter { set: &mut set, kind: None, tag: super::node::Tag::Empty })?;
        }
        Ok(())
    }

    /// Looks for lists of containers at any depth.
    fn find(&self, node: &mut Node) -> Result<()> {
        match node.kind {
            Kind::Mapping => {
                for i in (1..node.content.len()).step_by(2) {
                    self.find(&mut node.content[i])?;
                    let listed = matches!(node.content[i - 1].value.as_str(), "containers" | "initContainers");
                    let list = &mut node.content[i];
                    if !listed || list.kind != Kind::Sequence {
                        continue;
                    }
                    for item in &mut list.content {
                        if item.is_null() {
                            continue;
                        }
                        expect(item, Kind::Mapping)?;
                        if let Some(image) = item.field_mut("image") {
                            self.set(image)?;
                        }
                    }
                }
                Ok(())
            }
            Kind::Sequence => node.content.iter_mut().try_for_each(|item| self.find(item)),
            _ => Ok(()),
        }
    }

    fn set(&self, field: &mut Node) -> Result<()> {
        expect(field, Kind::Scalar)?;
        let Some(regex) = &self.regex else {
            return Err(format!("the image name '{}' is not a regular expression", self.image.name).into());
        };
        if !regex.is_match(field.value.as_bytes()) {
            return Ok(());
        }
        let (name, tag, digest) = split(&field.value);
        let new = &self.image;
        let name = if new.new_name.is_empty() { name } else { &new.new_name };
        let (tag, digest) = match (new.new_tag.as_str(), new.digest.as_str()) {
            ("", "") if !new.tag_suffix.is_empty() => (format!("{tag}{}", new.tag_suffix), ""),
            ("", "") => (tag.to_owned(), digest),
            (tag, digest) => (tag.to_owned(), digest),
        };
        let mut text = name.to_owned();
        if !tag.is_empty() {
            text.push(':');
            text.push_str(&tag);
        }
        if !digest.is_empty() {
            text.push('@');
            text.push_str(digest);
        }
        Ok(field.set_scalar(Node::scalar(text))?)
    }
}

/// Name, tag and digest of an image (`image.Split`).
fn split(image: &str) -> (&str, &str, &str) {
    let from = image.find('/').filter(|i| *i > 0).unwrap_or(0);
    let at = image[from..].find('@').map(|i| i + from);
    let colon = image[from..].find(':').map(|i| i + from);
    match (at, colon) {
        (None, None) => (image, "", ""),
        (Some(at), colon) if colon.is_none_or(|c| at < c) => (&image[..at], "", &image[at + 1..]),
        (Some(at), Some(colon)) => (&image[..colon], &image[colon + 1..at], &image[at + 1..]),
        (_, Some(colon)) => (&image[..colon], &image[colon + 1..], ""),
        (Some(at), None) => (&image[..at], "", &image[at + 1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_split_as_kustomize_splits_them() {
        for (image, want) in [
            ("nginx", ("nginx", "", "")),
            ("nginx:1.2", ("nginx", "1.2", "")),
            ("host:5000/a/nginx:1.2", ("host:5000/a/nginx", "1.2", "")),
            ("nginx@sha256:aa", ("nginx", "", "sha256:aa")),
            ("nginx:1@sha256:aa", ("nginx", "1", "sha256:aa")),
        ] {
            assert_eq!(split(image), want, "{image}");
        }
    }
}
