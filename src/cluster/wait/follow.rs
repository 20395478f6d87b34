//! Follows a set of objects: a watch for each kind and namespace, one state for each object.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{StreamExt, stream};
use tokio::time::Instant;

use crate::cluster::status::{State, Status};
use crate::cluster::{Cluster, ClusterError, Gvk, Json, ObjectId, Reason, WatchEvent};

use super::{Progress, WaitOptions};

/// How often objects are read whose kind may not be watched.
const POLL: Duration = Duration::from_secs(2);

pub(super) struct Entry {
    pub id: ObjectId,
    pub status: Status,
    /// As it was seen last.
    pub object: Option<Json>,
    group: usize,
    /// It has been looked for.
    seen: bool,
}

impl Entry {
    pub(super) fn new(id: ObjectId, group: usize) -> Self {
        Self { id, status: Status::new(State::Unknown, ""), object: None, group, seen: false }
    }
}

pub(super) enum Verdict {
    GoOn,
    Done,
}

pub(super) enum End {
    Done,
    TimedOut,
    /// The objects can be neither watched nor read.
    Broken(ClusterError),
}

struct Group {
    gvk: Gvk,
    namespace: Option<String>,
    /// Not allowed to be watched.
    polled: bool,
}

/// A group's news.
type News = (usize, Result<WatchEvent, ClusterError>);

/// Follows until the verdict is `Done` (asked when every object has been looked for, after each change), or until the time is up.
pub(super) async fn follow(
    cluster: &dyn Cluster,
    ids: Vec<ObjectId>,
    judge: fn(&Json) -> Status,
    options: &WaitOptions,
    verdict: impl Fn(&[Entry]) -> Verdict,
) -> (Vec<Entry>, End) {
    let deadline = Instant::now() + options.timeout();
    let (mut entries, mut groups) = arrange(ids);
    let mut news: SelectAll<BoxStream<'static, News>> = SelectAll::new();
    for (i, group) in groups.iter().enumerate() {
        let fields = selector(&entries, i);
        let watch = cluster.watch(&group.gvk, group.namespace.as_deref(), &fields);
        match tokio::time::timeout_at(deadline, watch).await {
            Ok(Ok(watch)) => news.push(watch.map(move |event| (i, event)).boxed()),
            Ok(Err(e)) => news.push(stream::once(async move { (i, Err(e)) }).boxed()),
            Err(_) => return (entries, End::TimedOut),
        }
    }
    let mut next_poll = Instant::now();
    loop {
        let polled = groups.iter().any(|g| g.polled);
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(deadline) => return (entries, End::TimedOut),
            Some((group, event)) = news.next() => match event {
                Ok(event) => note(&mut entries, group, event, judge, options),
                Err(e) if matches!(e.reason, Reason::Forbidden) || e.code == 405 => {
                    if let Some(group) = groups.get_mut(group) {
                        group.polled = true;
                    }
                }
                Err(e) => return (entries, End::Broken(e)),
            },
            () = tokio::time::sleep_until(next_poll), if polled => {
                for entry in entries.iter_mut().filter(|e| groups.get(e.group).is_some_and(|g| g.polled)) {
                    match cluster.get(&entry.id).await {
                        Ok(Some(object)) => settle(entry, options.judged(&object, judge), Some(object), options),
                        Ok(None) => settle(entry, absent(), None, options),
                        Err(e) if e.reason == Reason::Unreachable => {}
                        Err(e) => return (entries, End::Broken(e)),
                    }
                }
                next_poll = Instant::now() + POLL;
            }
        }
        if entries.iter().all(|e| e.seen) && matches!(verdict(&entries), Verdict::Done) {
            return (entries, End::Done);
        }
    }
}

fn arrange(ids: Vec<ObjectId>) -> (Vec<Entry>, Vec<Group>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut index: BTreeMap<(Gvk, Option<String>), usize> = BTreeMap::new();
    let mut entries: Vec<Entry> = Vec::with_capacity(ids.len());
    for id in ids {
        if entries.iter().any(|e| e.id == id) {
            continue;
        }
        let group = *index.entry((id.gvk.clone(), id.namespace.clone())).or_insert_with(|| {
            groups.push(Group { gvk: id.gvk.clone(), namespace: id.namespace.clone(), polled: false });
            groups.len() - 1
        });
        entries.push(Entry::new(id, group));
    }
    (entries, groups)
}

/// One object alone is watched by its name: a namespace may hold many others.
fn selector(entries: &[Entry], group: usize) -> String {
    let mut of_group = entries.iter().filter(|e| e.group == group);
    match (of_group.next(), of_group.next()) {
        (Some(only), None) => format!("metadata.name={}", only.id.name),
        _ => String::new(),
    }
}

pub(super) fn absent() -> Status {
    Status::new(State::NotFound, "Resource not found")
}

fn note(entries: &mut [Entry], group: usize, event: WatchEvent, judge: fn(&Json) -> Status, options: &WaitOptions) {
    let (object, gone) = match event {
        WatchEvent::Applied(object) => (object, false),
        WatchEvent::Deleted(object) => (object, true),
        WatchEvent::Synced => {
            for entry in entries.iter_mut().filter(|e| e.group == group && !e.seen) {
                settle(entry, absent(), None, options);
            }
            return;
        }
    };
    let name = object.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
    let Some(entry) = entries.iter_mut().find(|e| e.group == group && e.id.name == name) else { return };
    if gone {
        settle(entry, absent(), None, options);
    } else {
        settle(entry, options.judged(&object, judge), Some(object), options);
    }
}

pub(super) fn settle(entry: &mut Entry, status: Status, object: Option<Json>, options: &WaitOptions) {
    let changed = !entry.seen || entry.status != status;
    entry.seen = true;
    entry.status = status;
    entry.object = object;
    if changed && let Some(tell) = &options.progress {
        tell(&Progress { id: entry.id.clone(), state: entry.status.state, message: entry.status.message.clone() });
    }
}
