//! Whether a record fits into an object of the cluster, and what to cut if it does not.

use crate::release::record::{Record, StoredFile, codec};

use super::StorageError;

/// `corev1.MaxSecretSize`: the data of a Secret or ConfigMap, as the API server counts it.
pub const MAX: usize = 1 << 20;

/// What one part of a record takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSize {
    /// `chart templates`, `manifest` …
    pub name: &'static str,
    /// As text in the record.
    pub text: usize,
    /// What is left of it in the stored form, if it stood alone.
    pub stored: usize,
    pub advice: &'static str,
}

/// Refuses a record that does not fit, before anything is written.
///
/// # Errors
/// [`StorageError::TooLarge`], with the parts' sizes, the largest first, and what to cut.
pub fn check(record: &Record, stored: &str) -> Result<(), StorageError> {
    if stored.len() <= MAX {
        return Ok(());
    }
    let mut text = format!(
        "the record of release {:?} revision {} does not fit: it takes {}, and {} are allowed. Its parts, as they would be stored:",
        record.name,
        record.version,
        size(stored.len()),
        size(MAX)
    );
    let parts = parts(record);
    for part in parts.iter().filter(|p| p.text > 0) {
        text.push_str(&format!("\n  {:<16} {:>10}  (text: {})", part.name, size(part.stored), size(part.text)));
    }
    for file in largest_files(record) {
        text.push_str(&format!("\n    {:>10}  {}", size(file.1), file.0));
    }
    if let Some(part) = parts.first() {
        text.push_str(&format!("\nWhat helps: {}", part.advice));
    }
    Err(StorageError::TooLarge(text))
}

/// The parts of a record, the largest first.
pub fn parts(record: &Record) -> Vec<PartSize> {
    let chart = record.chart.as_ref();
    let files = |list: Option<&Vec<StoredFile>>| -> Vec<u8> {
        let mut out = Vec::new();
        for f in list.into_iter().flatten() {
            out.extend_from_slice(f.name.as_bytes());
            out.extend_from_slice(crate::golang::base64::encode(f.data.as_deref().unwrap_or_default()).as_bytes());
        }
        out
    };
    let table = |t: Option<&crate::chart::Table>| {
        t.map(|t| super::super::record::encode::table(t).unwrap_or_default()).unwrap_or_default()
    };
    let mut hooks = Vec::new();
    for h in &record.hooks {
        hooks.extend_from_slice(h.manifest.as_bytes());
    }
    let (crds, other): (Vec<StoredFile>, Vec<StoredFile>) =
        chart.and_then(|c| c.files.clone()).unwrap_or_default().into_iter().partition(|f| f.name.starts_with("crds/"));
    let texts = [
        (
            "manifest",
            record.manifest.clone().into_bytes(),
            "render less: switch parts of the chart off by its values, or split the release into several.",
        ),
        (
            "chart templates",
            files(chart.and_then(|c| c.templates.as_ref())),
            "remove templates that are not used, or split the chart.",
        ),
        (
            "chart files",
            files(Some(&other)),
            "keep files that templates do not read out of the chart with .helmignore (docs, tests, examples).",
        ),
        (
            "chart CRDs",
            files(Some(&crds)),
            "move the CRDs into a chart of their own, or apply them apart from the release.",
        ),
        ("chart values", table(chart.and_then(|c| c.values.as_deref())), "shorten the defaults in values.yaml."),
        (
            "values schema",
            chart
                .and_then(|c| c.schema.as_ref())
                .map(|s| crate::golang::base64::encode(s).into_bytes())
                .unwrap_or_default(),
            "shorten values.schema.json, or keep it out of the chart with .helmignore.",
        ),
        ("values", table(record.config.as_ref()), "move large texts out of the values, into ConfigMaps of their own."),
        ("hooks", hooks, "shorten the hooks, or split the release."),
        ("notes", record.info.notes.clone().into_bytes(), "shorten NOTES.txt."),
    ];
    let mut parts: Vec<PartSize> = texts
        .into_iter()
        .map(|(name, text, advice)| PartSize { name, text: text.len(), stored: codec::pack(&text).len(), advice })
        .collect();
    parts.sort_by_key(|p| std::cmp::Reverse(p.stored));
    parts
}

/// The five largest files of the chart.
fn largest_files(record: &Record) -> Vec<(String, usize)> {
    let chart = record.chart.as_ref();
    let lists = [chart.and_then(|c| c.templates.as_ref()), chart.and_then(|c| c.files.as_ref())];
    let mut files: Vec<(String, usize)> = lists
        .into_iter()
        .flatten()
        .flatten()
        .map(|f| (f.name.clone(), f.data.as_deref().unwrap_or_default().len()))
        .collect();
    files.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    files.truncate(5);
    files
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.2} MiB", bytes as f64 / 1_048_576.0),
    }
}
