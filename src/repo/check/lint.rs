//! What `helm lint` warns of, in the charts of the checkout. Its errors are found by other themes, more exactly and with the values of releases.

use super::rules;
use super::scan::{Scan, join};
use crate::gotmpl::State;
use crate::lint::{self, Severity};
use crate::repo::Settings;
use crate::repo::files::Checkout;
use crate::report::Finding;

pub fn check(scan: &Scan, checkout: &Checkout, settings: &Settings, out: &mut Vec<Finding>) {
    for dir in &scan.charts {
        let mut st = State::new(super::suites::host(), settings.limits);
        let values = st.heap.new_map();
        let options = lint::Options {
            namespace: "default".into(),
            kube_version: Some(settings.capabilities.kube_version.clone()),
            skip_schema_validation: true,
        };
        let path = checkout.root().join(dir).display().to_string();
        // What is no chart is found elsewhere.
        let messages = lint::chart(&mut st, &path, values, &options, &mut Vec::new()).unwrap_or_default();
        for message in messages.into_iter().filter(|m| m.severity == Severity::Warning) {
            let named = join(dir, &message.path);
            let file = if checkout.is_file(&named) { named } else { join(dir, "Chart.yaml") };
            let line = line_of(checkout, &file, &message.text);
            let fix = "pintle lint CHART (as helm lint) says the same";
            out.push(Finding::new(&rules::CHART_LINT, file, line, message.text).with_fix(fix));
        }
    }
}

/// The line of the field that a message begins with, `version '1' is not…`; else the first.
fn line_of(checkout: &Checkout, file: &str, message: &str) -> usize {
    let Some(field) = message.split([' ', ':']).next().filter(|f| !f.is_empty()) else { return 1 };
    let text = checkout.read(file).unwrap_or_default();
    let key = format!("{field}:");
    String::from_utf8_lossy(&text).lines().position(|l| l.starts_with(&key)).map_or(1, |i| i + 1)
}
