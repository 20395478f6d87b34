//! What a chart's templates asked of the cluster at their render (`lookup`, `.Capabilities`), with a mark of each answer.
//!
//! The mark of an object is its `uid` and `resourceVersion`, so that metadata alone tell whether an answer would be another one. The whole is kept as
//! an annotation of the stored revision: it comes with the record that every reconciliation reads anyway, and a controller that was started
//! anew knows by it what has changed meanwhile. Helm and Flux know nothing of the annotation and drop it when they write the record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::chart::Chart;
use crate::cluster::Json;
use crate::gotmpl::State;
use crate::release::action::Witness;
use crate::render::control::Lookup;
use crate::render::{Asked, Capabilities};
use crate::value::{Heap, Value};

/// The annotation of a stored revision.
pub const ANNOTATION: &str = "pintle.dev/answers";

/// The most questions that are kept of one render; a chart that asks more is followed in these.
const MOST: usize = 256;

/// What `lookup` was asked for; without a name the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    pub api_version: String,
    pub kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        match (namespace.is_empty(), name.is_empty()) {
            (true, true) => write!(f, "the list of {kind}"),
            (false, true) => write!(f, "the list of {kind} in {namespace}"),
            (true, false) => write!(f, "{kind} {name}"),
            (false, false) => write!(f, "{kind} {namespace}/{name}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Looked {
    #[serde(flatten)]
    question: Question,
    answer: String,
}

/// What was asked, and marks of the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    #[serde(default, with = "list", skip_serializing_if = "BTreeMap::is_empty")]
    pub lookups: BTreeMap<Question, String>,
    /// Of `.Capabilities.KubeVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<String>,
    /// Of `.Capabilities.APIVersions.Has`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub has: BTreeMap<String, bool>,
    /// The digest of all API versions, if a template went through them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_versions: Option<String>,
}

/// JSON has no keys but texts.
mod list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Looked, Question};

    pub fn serialize<S: Serializer>(map: &BTreeMap<Question, String>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(map.iter().map(|(q, a)| Looked { question: q.clone(), answer: a.clone() }))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(d: D) -> Result<BTreeMap<Question, String>, D::Error> {
        Ok(Vec::<Looked>::deserialize(d)?.into_iter().map(|l| (l.question, l.answer)).collect())
    }
}

impl Answers {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `.Capabilities` were asked.
    pub fn asks_capabilities(&self) -> bool {
        self.kube_version.is_some() || !self.has.is_empty() || self.api_versions.is_some()
    }

    /// As they were kept with a revision; `None` if nothing was, or nothing that can be read.
    pub fn kept(annotations: &BTreeMap<String, String>) -> Option<Self> {
        serde_json::from_str(annotations.get(ANNOTATION)?).ok()
    }

    /// What capabilities answer now to the same questions.
    pub fn of_capabilities(&self, now: &Capabilities) -> Self {
        Self {
            lookups: self.lookups.clone(),
            kube_version: self.kube_version.as_ref().map(|_| now.kube_version.version.clone()),
            has: self.has.keys().map(|k| (k.clone(), now.api_versions.contains(k))).collect(),
            api_versions: self.api_versions.as_ref().map(|_| all_versions(now)),
        }
    }

    /// What is answered otherwise, for people.
    pub fn changed(&self, now: &Self) -> BTreeSet<String> {
        let mut out: BTreeSet<String> = self
            .lookups
            .iter()
            .filter(|(q, a)| now.lookups.get(q).is_some_and(|n| n != *a))
            .map(|(q, _)| q.to_string())
            .collect();
        if let (Some(old), Some(new)) = (&self.kube_version, &now.kube_version)
            && old != new
        {
            out.insert(format!("the Kubernetes version ({old} → {new})"));
        }
        out.extend(
            self.has
                .iter()
                .filter(|(k, had)| now.has.get(*k).is_some_and(|has| has != *had))
                .map(|(name, had)| format!("API {name} ({})", if *had { "not served any more" } else { "served now" })),
        );
        if self.api_versions != now.api_versions {
            out.insert("the list of API versions".into());
        }
        out
    }
}

fn all_versions(capabilities: &Capabilities) -> String {
    hex(capabilities.api_versions.join("\n").as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let digest = sha2::Sha256::digest(bytes);
    data_encoding::HEXLOWER.encode(digest.get(..16).unwrap_or_default())
}

/// The marks of the answers to lookups.
pub mod mark {
    use std::fmt::Write as _;

    use super::{Json, hex};

    /// Bookkeeping is in every list of Secrets, and changes with every release: Helm's records, our locks.
    const BOOKKEEPING: [&str; 2] = ["sh.helm.release.v1.", "sh.pintle.lock.v1."];

    /// What `uid` and `resourceVersion` say of an object; nothing of what is not there.
    pub fn object(found: Option<&Json>) -> String {
        let text = |at: &str| found.and_then(|o| o.pointer(at)).and_then(Json::as_str).unwrap_or_default();
        one(text("/metadata/uid"), text("/metadata/resourceVersion"))
    }

    pub fn one(uid: &str, version: &str) -> String {
        if uid.is_empty() && version.is_empty() { String::new() } else { format!("{uid}/{version}") }
    }

    /// Of a list: namespace, name and mark of each item.
    pub fn list(mut items: Vec<(String, String, String)>) -> String {
        items.retain(|(_, name, _)| !BOOKKEEPING.iter().any(|prefix| name.starts_with(prefix)));
        items.sort();
        let mut text = String::new();
        for (namespace, name, mark) in &items {
            let _ = writeln!(text, "{namespace}/{name} {mark}");
        }
        format!("{}:{}", items.len(), hex(text.as_bytes()))
    }

    /// Of the metadata that a list has.
    pub fn metadata(items: &[Json]) -> String {
        let text = |o: &Json, at: &str| o.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
        let of = |o: &Json| (text(o, "/metadata/namespace"), text(o, "/metadata/name"), object(Some(o)));
        list(items.iter().map(of).collect())
    }
}

/// Sees what the renders of one release ask.
pub struct Seen {
    inner: Arc<dyn Lookup>,
    lookups: Mutex<BTreeMap<Question, String>>,
    capabilities: Mutex<Option<(Arc<Asked>, Arc<Capabilities>)>>,
    /// What else is kept with the revision.
    notes: Mutex<BTreeMap<String, String>>,
}

impl Seen {
    /// Lookups are answered by another, and noted here.
    pub fn new(inner: Arc<dyn Lookup>) -> Arc<Self> {
        Arc::new(Self { inner, lookups: Mutex::default(), capabilities: Mutex::default(), notes: Mutex::default() })
    }

    /// Keeps another annotation with what is rendered.
    pub fn note(&self, (key, text): (String, String)) {
        lock(&self.notes).insert(key, text);
    }

    /// What the last render asked.
    pub fn answers(&self) -> Answers {
        let mut answers = Answers { lookups: lock(&self.lookups).clone(), ..Answers::default() };
        if let Some((asked, capabilities)) = &*lock(&self.capabilities) {
            let questions = asked.questions();
            answers.kube_version = questions.kube_version.then(|| capabilities.kube_version.version.clone());
            answers.has = questions
                .has
                .into_iter()
                .take(MOST)
                .map(|name| {
                    let has = capabilities.api_versions.contains(&name);
                    (name, has)
                })
                .collect();
            answers.api_versions = questions.list.then(|| all_versions(capabilities));
        }
        answers
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Witness for Seen {
    fn capabilities(&self, capabilities: Arc<Capabilities>) -> Arc<Capabilities> {
        lock(&self.lookups).clear();
        let asked = Arc::new(Asked::default());
        *lock(&self.capabilities) = Some((asked.clone(), capabilities.clone()));
        Arc::new(Capabilities { asked: Some(asked), ..Capabilities::clone(&capabilities) })
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        let answers = self.answers();
        let text = (!answers.is_empty()).then(|| serde_json::to_string(&answers).ok()).flatten();
        let mut all = lock(&self.notes).clone();
        all.extend(text.map(|text| (ANNOTATION.to_owned(), text)));
        all
    }
}

impl Lookup for Seen {
    fn lookup(
        &self,
        st: &mut State,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        let found = self.inner.lookup(st, api_version, kind, namespace, name)?;
        let question = Question {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        let mark = if name.is_empty() { list_mark(&st.heap, &found) } else { object_mark(&st.heap, &found) };
        let mut lookups = lock(&self.lookups);
        if lookups.len() < MOST {
            // Of two answers to one question the first counts: what came between is news.
            lookups.entry(question).or_insert(mark);
        }
        Ok(found)
    }
}

fn get(heap: &Heap, value: &Value, key: &str) -> Option<Value> {
    match value {
        Value::Map(map) => heap.map(*map).get(key).cloned(),
        _ => None,
    }
}

fn text(heap: &Heap, value: &Value, path: [&str; 2]) -> String {
    let found = path.iter().try_fold(value.clone(), |at, key| get(heap, &at, key));
    match found {
        Some(Value::Str(text)) => text.to_text().into_owned(),
        _ => String::new(),
    }
}

fn object_mark(heap: &Heap, value: &Value) -> String {
    mark::one(&text(heap, value, ["metadata", "uid"]), &text(heap, value, ["metadata", "resourceVersion"]))
}

fn list_mark(heap: &Heap, value: &Value) -> String {
    let items = match get(heap, value, "items") {
        Some(Value::List(list)) => heap.list(list).items.clone(),
        _ => Vec::new(),
    };
    let of = |o: &Value| {
        let field = |name| text(heap, o, ["metadata", name]);
        (field("namespace"), field("name"), object_mark(heap, o))
    };
    mark::list(items.iter().map(of).collect())
}

/// Whether a chart's templates may ask anything: of a revision that nothing was kept with, this decides whether it is worth a render.
pub fn may_ask(chart: &Chart) -> bool {
    let asks =
        |text: &[u8]| ["lookup", "Capabilities"].iter().any(|w| memchr::memmem::find(text, w.as_bytes()).is_some());
    chart.templates.iter().any(|t| asks(&t.data)) || chart.dependencies.iter().any(may_ask)
}
