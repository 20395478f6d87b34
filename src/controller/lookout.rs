//! One loop that asks again, for all releases, what their templates asked at their render, and wakes a release when an answer is another one.
//!
//! It asks as the release does, with the same rights (`get` of an object, `list` of a list), for metadata alone, each question once however many
//! releases have it. A release whose templates ask nothing is not here, and while there is none that asks, nothing is sent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cluster::kube::Kube;
use crate::cluster::{Cluster, ClusterError, Gvk, Json, ObjectId};
use crate::render::Capabilities;

use super::answers::{Answers, Question, mark};
use super::index::Key;

/// Requests at a time.
const PARALLEL: usize = 4;
/// From so many objects of a kind and namespace on, their list is asked for.
const LISTED: usize = 8;
/// Between upgrades that only answers were the cause of, from the second one in a row on; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Which revision of which object's release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct At {
    pub uid: String,
    pub version: i64,
}

/// What is known of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing yet.
    No,
    /// Its answers are as they were.
    Same,
    /// These answers have changed, and it is time to look.
    Changed(BTreeSet<String>),
}

/// A release to be followed.
pub struct Follow {
    pub at: At,
    pub kube: Kube,
    /// On another cluster than the controller's.
    pub remote: bool,
    pub answers: Answers,
    /// What the release itself consists of.
    pub own: HashSet<Question>,
}

struct Followed {
    follow: Follow,
    changed: BTreeSet<String>,
    /// An API was gone at the last look: once more, and it counts.
    lost: bool,
    row: Row,
    /// The revision after this one is made for an answer's sake: what its own objects have become by it is no news.
    settles: Option<i64>,
}

/// Upgrades for answers' sake, one after the other.
#[derive(Clone, Copy, Default)]
struct Row {
    length: u32,
    last: Option<Instant>,
}

impl Row {
    fn pause(self) -> Duration {
        match self.length {
            0 | 1 => Duration::ZERO,
            n => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow((n - 2).min(16))).min(LONGEST_PAUSE),
        }
    }

    fn may(self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.duration_since(last) >= self.pause())
    }

    /// One more; a long quiet ends a row.
    fn longer(self, now: Instant) -> Self {
        let quiet = self.last.is_none_or(|last| now.duration_since(last) >= LONGEST_PAUSE.max(self.pause() * 2));
        Self { length: if quiet { 1 } else { self.length.saturating_add(1) }, last: Some(now) }
    }
}

/// See the module.
#[derive(Default)]
pub struct Lookout {
    followed: Mutex<HashMap<Key, Followed>>,
    begun: Notify,
}

impl Lookout {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn known(&self, release: &Key, at: &At) -> Known {
        match self.all().get(release).filter(|f| f.follow.at == *at) {
            None => Known::No,
            Some(f) if f.changed.is_empty() || !f.row.may(Instant::now()) => Known::Same,
            Some(f) => Known::Changed(f.changed.clone()),
        }
    }

    /// The answers that a revision was made of, as far as they are known.
    pub fn answers(&self, release: &Key, at: &At) -> Answers {
        self.all().get(release).filter(|f| f.follow.at == *at).map(|f| f.follow.answers.clone()).unwrap_or_default()
    }

    /// Follows a release from now on, with these answers.
    pub fn follow(&self, release: &Key, follow: Follow) {
        let mut all = self.all();
        let before = all.get(release).filter(|f| f.follow.at.uid == follow.at.uid);
        let row = before.map(|f| f.row).unwrap_or_default();
        let settles = before.and_then(|f| f.settles);
        let asks = !follow.answers.is_empty();
        all.insert(release.clone(), Followed { follow, changed: BTreeSet::new(), lost: false, row, settles });
        drop(all);
        if asks {
            self.begun.notify_one();
        }
    }

    /// A release is upgraded because of its answers.
    pub fn upgraded(&self, release: &Key) {
        if let Some(f) = self.all().get_mut(release) {
            f.row = f.row.longer(Instant::now());
            f.settles = Some(f.follow.at.version);
        }
    }

    pub fn forget(&self, release: &Key) {
        self.all().remove(release);
    }

    /// Asks again and again; `wake` is told who should look. `own` is the controller's own cluster.
    pub async fn run(&self, own: &Kube, interval: Duration, wake: impl AsyncFn(Key)) {
        loop {
            let asked: Vec<Asked> = self
                .all()
                .iter()
                .filter(|(_, f)| !f.follow.answers.is_empty())
                .map(|(key, f)| Asked {
                    key: key.clone(),
                    at: f.follow.at.clone(),
                    kube: f.follow.kube.clone(),
                    // Impersonation changes nothing of what is served.
                    capabilities: if f.follow.remote { f.follow.kube.clone() } else { own.clone() },
                    answers: f.follow.answers.clone(),
                })
                .collect();
            if asked.is_empty() {
                self.begun.notified().await;
            }
            tokio::time::sleep(interval).await;
            let now = answers(&asked).await;
            for (asked, now) in asked.iter().zip(now) {
                if self.heard(asked, now) {
                    wake(asked.key.clone()).await;
                }
            }
        }
    }

    /// New answers have come; tells whether the release should look.
    fn heard(&self, asked: &Asked, now: Answers) -> bool {
        let mut all = self.all();
        // Answers that the release itself has learnt meanwhile are newer.
        let Some(f) = all.get_mut(&asked.key).filter(|f| f.follow.at == asked.at && f.follow.answers == asked.answers)
        else {
            return false;
        };
        if f.settles.is_some_and(|left| f.follow.at.version > left) {
            f.settles = None;
            for (question, answer) in &mut f.follow.answers.lookups {
                if f.follow.own.contains(question)
                    && let Some(now) = now.lookups.get(question)
                {
                    answer.clone_from(now);
                }
            }
        }
        let lost = f.follow.answers.has.iter().any(|(name, had)| *had && now.has.get(name) == Some(&false));
        if lost && !std::mem::replace(&mut f.lost, lost) {
            // An API that is gone for a moment is no reason to take away what needs it.
            return false;
        }
        f.lost = lost;
        f.changed = f.follow.answers.changed(&now);
        !f.changed.is_empty() && f.row.may(Instant::now())
    }
}

struct Asked {
    key: Key,
    at: At,
    kube: Kube,
    capabilities: Kube,
    answers: Answers,
}

/// Objects of one kind and namespace, or their list, asked for over one connection.
type Place = (usize, String, String, String);

/// What is answered now. What cannot be asked is as it was.
async fn answers(asked: &[Asked]) -> Vec<Answers> {
    let mut places: BTreeMap<Place, (Kube, BTreeSet<String>)> = BTreeMap::new();
    let mut clusters: BTreeMap<usize, Kube> = BTreeMap::new();
    for a in asked {
        for q in a.answers.lookups.keys() {
            let place = (a.kube.identity(), q.api_version.clone(), q.kind.clone(), q.namespace.clone());
            places.entry(place).or_insert_with(|| (a.kube.clone(), BTreeSet::new())).1.insert(q.name.clone());
        }
        if a.answers.asks_capabilities() {
            clusters.insert(a.capabilities.identity(), a.capabilities.clone());
        }
    }
    let capabilities: HashMap<usize, Arc<Capabilities>> = futures::stream::iter(clusters)
        .map(|(id, kube)| async move { (id, kube.look_again().await.inspect_err(silent).ok()) })
        .buffer_unordered(PARALLEL)
        .filter_map(|(id, found)| async move { Some((id, found?)) })
        .collect()
        .await;
    let marks: HashMap<(Place, String), String> = futures::stream::iter(places)
        .map(|(place, (kube, names))| async move {
            ask(&kube, &place, names).await.into_iter().map(move |(n, m)| ((place.clone(), n), m)).collect::<Vec<_>>()
        })
        .buffer_unordered(PARALLEL)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    asked
        .iter()
        .map(|a| {
            let mut now = match capabilities.get(&a.capabilities.identity()) {
                Some(found) => a.answers.of_capabilities(found),
                None => a.answers.clone(),
            };
            for (q, answer) in &mut now.lookups {
                let place = (a.kube.identity(), q.api_version.clone(), q.kind.clone(), q.namespace.clone());
                if let Some(mark) = marks.get(&(place, q.name.clone())) {
                    answer.clone_from(mark);
                }
            }
            now
        })
        .collect()
}

fn silent(e: &ClusterError) {
    tracing::debug!("what templates asked cannot be asked again: {e}");
}

/// The marks of some names, the empty one being the list.
async fn ask(kube: &Kube, (_, api, kind, namespace): &Place, names: BTreeSet<String>) -> Vec<(String, String)> {
    let gvk = Gvk::parse(api, kind);
    let namespace = Some(namespace.as_str()).filter(|n| !n.is_empty());
    let mut out = Vec::new();
    let single = names.iter().filter(|n| !n.is_empty()).count();
    // A list of all namespaces is no list of what one object was asked for.
    let listable = single >= LISTED && namespace.is_some();
    if (listable || names.contains(""))
        && let Ok(items) = none_if_unknown(kube.list_metadata(&gvk, namespace, "").await).inspect_err(silent)
    {
        if names.contains("") {
            // What a kind that is not served answers is no list.
            out.push((
                String::new(),
                items.as_ref().map_or_else(|| mark::list(Vec::new()), |items| mark::metadata(items)),
            ));
        }
        let items = items.unwrap_or_default();
        if namespace.is_some() || single == 0 {
            let by_name: HashMap<&str, &Json> =
                items.iter().filter_map(|o| Some((o.pointer("/metadata/name").and_then(Json::as_str)?, o))).collect();
            let of = |n: &String| (n.clone(), mark::object(by_name.get(n.as_str()).copied()));
            out.extend(names.iter().filter(|n| !n.is_empty()).map(of));
            return out;
        }
    }
    for name in names.into_iter().filter(|n| !n.is_empty()) {
        let found = kube.get_metadata(&ObjectId::new(gvk.clone(), namespace, &name)).await;
        if let Ok(found) = none_if_unknown(found).inspect_err(silent) {
            out.push((name, mark::object(found.flatten().as_ref())));
        }
    }
    out
}

/// A kind that is not served has no objects.
fn none_if_unknown<T>(answer: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.code == 404 => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrades_for_answers_sake_come_slower_and_slower_in_a_row() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut row = Row::default();
        assert!(row.may(at(0)));
        row = row.longer(at(0));
        assert!(row.may(at(1)), "one more look is free");
        row = row.longer(at(1));
        assert!(!row.may(at(60)) && row.may(at(61)));
        row = row.longer(at(61));
        assert!(!row.may(at(180)) && row.may(at(181)));
        for _ in 0..20 {
            row = row.longer(at(200));
        }
        assert_eq!(row.pause(), LONGEST_PAUSE);
        assert_eq!(row.longer(at(200 + 7200)).length, 1, "after a long quiet");
    }
}
