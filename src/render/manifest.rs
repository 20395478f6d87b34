//! From rendered files to an ordered list of manifests and hooks.
//!
//! Helm's `pkg/release/v1/util`: split at lines that begin with `---`, read each document's head, take hooks out, and sort stably by
//! kind. The bytes of a document are never changed, only cut.

use std::collections::{BTreeMap, HashMap};

use super::parallel;
use crate::yaml;

/// The head of a document: what sorting and hooks need.
pub use crate::yaml::Head;

/// One rendered document that is not a hook.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The template's path: `chart/templates/x.yaml`.
    pub name: String,
    pub content: Vec<u8>,
    pub head: Head,
}

/// One rendered hook.
#[derive(Clone, Debug)]
pub struct Hook {
    pub name: String,
    pub kind: String,
    pub path: String,
    pub manifest: Vec<u8>,
    /// `pre-install`, `test` …, in the order of the annotation.
    pub events: Vec<String>,
    pub weight: i64,
    pub delete_policies: Vec<String>,
    pub output_log_policies: Vec<String>,
}

impl Hook {
    pub fn is_test(&self) -> bool {
        self.events.iter().any(|e| e == "test")
    }
}

/// In which order kinds are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    Install,
    Uninstall,
}

/// What [`sort_manifests`] found.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    pub hooks: Vec<Hook>,
    pub manifests: Vec<Manifest>,
    /// Documents dropped because of an unknown hook event: (path, the annotation's text).
    pub dropped: Vec<(String, String)>,
}

const HOOK_EVENTS: [&str; 9] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
];

/// Splits a text into its documents, as Helm 4.3's `SplitManifests`: at every line start `---` with the blanks behind it; each
/// document loses its leading white space and keeps what follows; blank documents vanish.
pub fn split(text: &[u8]) -> Vec<&[u8]> {
    let text = trim_start(text);
    let mut docs = Vec::new();
    let push = |doc: &'_ [u8]| -> Option<(usize, usize)> {
        let t = trim_start(doc);
        (!t.is_empty()).then(|| (doc.len() - t.len(), doc.len()))
    };
    let mut start = 0;
    let mut at = 0;
    loop {
        // `at` stands at a line start.
        if text[at..].starts_with(b"---") {
            if let Some((a, b)) = push(&text[start..at]) {
                docs.push(&text[start + a..start + b]);
            }
            at += 3;
            while at < text.len() && matches!(text[at], b' ' | b'\t') {
                at += 1;
            }
            start = at;
        }
        match memchr::memchr(b'\n', &text[at..]) {
            Some(i) => at += i + 1,
            None => break,
        }
    }
    if let Some((a, b)) = push(&text[start..]) {
        docs.push(&text[start + a..start + b]);
    }
    docs
}

/// Go's `strings.TrimLeftFunc(s, unicode.IsSpace)`.
fn trim_start(s: &[u8]) -> &[u8] {
    let mut rest = s;
    loop {
        match rest.first() {
            Some(b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r') => rest = &rest[1..],
            Some(b) if *b >= 0x80 => match space_rune(rest) {
                Some(n) => rest = &rest[n..],
                None => return rest,
            },
            _ => return rest,
        }
    }
}

/// The length of a non-ASCII white space character at the start, if there is one.
fn space_rune(s: &[u8]) -> Option<usize> {
    const SPACES: [&str; 19] = [
        "\u{85}", "\u{a0}", "\u{1680}", "\u{2000}", "\u{2001}", "\u{2002}", "\u{2003}", "\u{2004}", "\u{2005}",
        "\u{2006}", "\u{2007}", "\u{2008}", "\u{2009}", "\u{200a}", "\u{2028}", "\u{2029}", "\u{202f}", "\u{205f}",
        "\u{3000}",
    ];
    SPACES.iter().find(|sp| s.starts_with(sp.as_bytes())).map(|sp| sp.len())
}

/// True if Go's `strings.TrimSpace` leaves nothing.
pub fn is_blank(s: &[u8]) -> bool {
    trim_start(s).is_empty()
}

/// `strings.TrimSpace`.
pub fn trim_space(s: &[u8]) -> &[u8] {
    let s = trim_start(s);
    let mut end = s.len();
    'outer: while end > 0 {
        if matches!(s[end - 1], b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r') {
            end -= 1;
            continue;
        }
        if s[end - 1] >= 0x80 {
            for n in [2, 3] {
                if end >= n && space_rune(&s[end - n..end]) == Some(n) {
                    end -= n;
                    continue 'outer;
                }
            }
        }
        break;
    }
    &s[..end]
}

/// The documents of a file, each with its head or what is wrong with it.
pub type Documents = Vec<(Vec<u8>, Result<Head, String>)>;

/// The documents of a rendered file: none of a partial.
pub fn split_file<'t>(path: &str, text: &'t [u8]) -> Vec<&'t [u8]> {
    let base = path.rsplit('/').next().unwrap_or(path);
    if base.starts_with('_') { Vec::new() } else { split(text) }
}

/// Splits, classifies and sorts the rendered files. On an error, what was found until then is returned beside it, unsorted.
pub fn sort_manifests(files: &BTreeMap<String, Vec<u8>>, ordering: Ordering) -> (Sorted, Option<String>) {
    sort_read(files, HashMap::new(), ordering)
}

/// As [`sort_manifests`]; the documents of some files were read already.
pub fn sort_read(
    files: &BTreeMap<String, Vec<u8>>,
    mut read: HashMap<String, Documents>,
    ordering: Ordering,
) -> (Sorted, Option<String>) {
    let mut out = Sorted::default();
    let mut rest = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !read.contains_key(*path)) {
        rest.extend(split_file(path, text).into_iter().map(|doc| (path, doc)));
    }
    let bytes = rest.iter().map(|(_, doc)| doc.len()).sum();
    let heads = parallel::map(&rest, bytes, |(_, doc)| yaml::head(doc));
    for ((path, doc), head) in rest.into_iter().zip(heads) {
        read.entry(path.clone()).or_default().push((doc.to_vec(), head));
    }
    for path in files.keys() {
        for (doc, head) in read.remove(path).unwrap_or_default() {
            match head {
                Ok(head) => classify(path, doc, head, &mut out),
                Err(e) => return (out, Some(format!("YAML parse error on {path}: {e}"))),
            }
        }
    }
    let rank = |kind: &str| kind_rank(kind, ordering);
    out.manifests.sort_by(|a, b| compare_kinds(&a.head.kind, &b.head.kind, rank));
    out.hooks.sort_by(|a, b| compare_kinds(&a.kind, &b.kind, rank));
    (out, None)
}

fn classify(path: &str, doc: Vec<u8>, head: Head, out: &mut Sorted) {
    let Some(types) = head.annotations.get("helm.sh/hook") else {
        out.manifests.push(Manifest { name: path.to_string(), content: doc, head });
        return;
    };
    let mut events = Vec::new();
    for t in types.split(',') {
        let t = t.trim().to_lowercase();
        let t = if t == "test-success" { "test" } else { &t };
        match HOOK_EVENTS.iter().find(|e| **e == t) {
            Some(e) => events.push((*e).to_string()),
            None => {
                out.dropped.push((path.to_string(), types.clone()));
                return;
            }
        }
    }
    let list = |key: &str| -> Vec<String> {
        head.annotations.get(key).map_or_else(Vec::new, |v| v.split(',').map(|p| p.trim().to_lowercase()).collect())
    };
    let weight = head.annotations.get("helm.sh/hook-weight").map_or(0, |w| atoi(w));
    out.hooks.push(Hook {
        delete_policies: list("helm.sh/hook-delete-policy"),
        output_log_policies: list("helm.sh/hook-output-log-policy"),
        name: head.name,
        kind: head.kind,
        path: path.to_string(),
        manifest: doc,
        events,
        weight,
    });
}

/// Go's `strconv.Atoi`, 0 on any error.
fn atoi(s: &str) -> i64 {
    s.parse().unwrap_or(0)
}

fn compare_kinds(a: &str, b: &str, rank: impl Fn(&str) -> Option<usize>) -> std::cmp::Ordering {
    match (rank(a), rank(b)) {
        (Some(x), Some(y)) => x.cmp(&y),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// The place of a kind in Helm's order; unknown kinds come last, by name.
pub fn kind_rank(kind: &str, ordering: Ordering) -> Option<usize> {
    let list: &[&str] = match ordering {
        Ordering::Install => &INSTALL_ORDER,
        Ordering::Uninstall => &UNINSTALL_ORDER,
    };
    list.iter().position(|k| *k == kind)
}

const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

const UNINSTALL_ORDER: [&str; 38] = [
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_trailing_newlines() {
        for (text, want) in [
            ("a: 1\n", vec!["a: 1\n"]),
            ("---\na: 1\n---\nb: 2\n\n", vec!["a: 1\n", "b: 2\n\n"]),
            ("\n\n--- \t\n# only\n---\n  \n---x: 1", vec!["# only\n", "x: 1"]),
            ("a: |\n  ---\n", vec!["a: |\n  ---\n"]),
            ("", vec![]),
            ("----\n", vec!["-\n"]),
        ] {
            let got: Vec<String> =
                split(text.as_bytes()).iter().map(|d| String::from_utf8_lossy(d).into_owned()).collect();
            assert_eq!(got, want, "{text:?}");
        }
    }
}
