//! Images whose tag may be another image tomorrow.

use super::environments::Built;
use super::rules;
use super::workloads::containers;
use crate::report::Finding;

pub fn check(built: &Built, out: &mut Vec<Finding>) {
    for object in &built.objects {
        for (steps, container) in containers(object) {
            let Some(image) = container.get("image") else { continue };
            let text = image.as_str().unwrap_or_default();
            if text.is_empty() || text.contains('@') {
                continue;
            }
            let tag = text.rsplit('/').next().unwrap_or_default().split_once(':').map(|(_, t)| t);
            if !matches!(tag, None | Some("" | "latest")) {
                continue;
            }
            let mut steps = steps;
            steps.push("image".into());
            let (path, line) = object.place(&steps, image.line());
            let message = format!("{} {}: the image {text} has no fixed tag", object.kind, object.name);
            let finding = Finding::new(&rules::IMAGE_UNPINNED, path, line, message);
            out.push(finding.with_fix("write a version's tag or a digest").in_environment(&built.name));
        }
    }
}
