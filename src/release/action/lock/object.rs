//! Marks in a cluster: an object of the kind that holds the records too, so that who may write records may write marks.
//!
//! It has none of Helm's labels and none of its name's form, so that `helm` never sees it. Taking a dead owner's mark over is to delete the
//! object as it was read and to create a new one: of several takers one wins, and a dead owner that wakes up finds its object gone.
//!
//! Helm asks for no right to delete records until it purges them. Without that right a mark is given back by writing [`FREE`] into it, and
//! taken over by writing into the object as it was read, which again only one of several can.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::{Held, LEASE, LockError, Locks, Lost, Mark, Owner, RENEW};
use crate::cluster::{Cluster, ClusterError, FieldValidation, Gvk, Json, ObjectId, Reason, WriteOptions};

const ANNOTATION: &str = "pintle.dev/owner";

/// The owner of a mark that was given back and may not be deleted.
const FREE: &str = "nobody";

/// Marks beside the records of a namespace.
#[derive(Clone)]
pub struct ObjectLocks {
    cluster: Arc<dyn Cluster>,
    namespace: String,
    kind: &'static str,
}

fn options() -> WriteOptions {
    WriteOptions { field_manager: "pintle".into(), dry_run: false, validation: FieldValidation::Warn }
}

/// The owner that a mark names; `None` if it is free.
fn owner(object: &Json) -> Option<Owner> {
    let text = object.get("metadata").and_then(|m| m.get("annotations")).and_then(|a| a.get(ANNOTATION));
    let text = text.and_then(Json::as_str).unwrap_or_default();
    (text != FREE).then(|| Owner::parse(text))
}

impl ObjectLocks {
    /// `kind`: `Secret` or `ConfigMap`, as the records have it.
    pub fn new(cluster: Arc<dyn Cluster>, namespace: &str, kind: &'static str) -> Self {
        Self { cluster, namespace: namespace.into(), kind }
    }

    fn id(&self, release: &str) -> ObjectId {
        ObjectId::new(Gvk::new("", "v1", self.kind), Some(&self.namespace), &format!("sh.pintle.lock.v1.{release}"))
    }

    fn object(&self, release: &str, owner: &str) -> Json {
        let id = self.id(release);
        let mut object = json!({
            "apiVersion": "v1",
            "kind": self.kind,
            "metadata": {
                "name": id.name,
                "namespace": self.namespace,
                "labels": {"app.kubernetes.io/managed-by": "pintle"},
                "annotations": {ANNOTATION: owner},
            },
        });
        if self.kind == "Secret"
            && let Some(fields) = object.as_object_mut()
        {
            fields.insert("type".into(), json!("pintle.dev/lock.v1"));
        }
        object
    }

    /// Writes another owner into a mark, if it is still as it was read.
    async fn rewrite(&self, release: &str, owner: &str, seen: &Json) -> Result<Json, ClusterError> {
        let mut next = self.object(release, owner);
        for key in ["resourceVersion", "uid"] {
            if let (Some(metadata), Some(value)) =
                (next.get_mut("metadata").and_then(Json::as_object_mut), seen.pointer(&format!("/metadata/{key}")))
            {
                metadata.insert(key.into(), value.clone());
            }
        }
        self.cluster.replace(&next, &options()).await
    }

    /// A mark that this process holds from now on.
    fn held(&self, release: &str, me: Owner, made: Json, dead: Option<Owner>) -> Held {
        let lost = Lost::default();
        let mark = Marked::start(self.clone(), release.to_owned(), me, made, lost.clone());
        Held { dead, lost, mark: Box::new(mark) }
    }

    /// Watches an owner on another machine: an error once it renews its mark, `Ok` once it has not for [`LEASE`], or is gone.
    async fn watch(&self, id: &ObjectId, seen: &Owner) -> Result<(), LockError> {
        let step = Duration::from_millis(500);
        let mut waited = Duration::ZERO;
        while waited < LEASE {
            tokio::time::sleep(step).await;
            waited += step;
            match self.cluster.get(id).await? {
                None => return Ok(()),
                Some(now) => match owner(&now) {
                    None => return Ok(()),
                    Some(now) if now != *seen => return Err(LockError::Held(Box::new(now))),
                    Some(_) => {}
                },
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Locks for ObjectLocks {
    async fn acquire(
        &self,
        release: &str,
        mut me: Owner,
        waiting: &(dyn for<'o> Fn(&'o Owner) + Send + Sync),
    ) -> Result<Held, LockError> {
        let id = self.id(release);
        let mut dead: Option<Owner> = None;
        loop {
            me.inherit(dead.as_ref());
            match self.cluster.create(&self.object(release, &me.to_json()), &options()).await {
                Ok(made) => return Ok(self.held(release, me, made, dead)),
                Err(e) if e.is_already_exists() => {}
                Err(e) => return Err(e.into()),
            }
            let Some(found) = self.cluster.get(&id).await? else { continue };
            let other = owner(&found);
            match other.as_ref().map(|other| (other, other.lives())) {
                None | Some((_, Some(false))) => {}
                Some((other, Some(true))) => return Err(LockError::Held(Box::new(other.clone()))),
                Some((other, None)) => {
                    waiting(other);
                    self.watch(&id, other).await?;
                }
            }
            match self.cluster.delete_as_read(&found).await {
                Ok(true) => dead = other.or(dead),
                // Somebody else was faster: see who.
                Ok(false) => {}
                Err(e) if gone(&e) => {}
                Err(e) if e.reason == Reason::Forbidden => {
                    me.inherit(other.as_ref());
                    match self.rewrite(release, &me.to_json(), &found).await {
                        Ok(made) => return Ok(self.held(release, me, made, other.or(dead))),
                        Err(e) if gone(&e) => {}
                        Err(e) => return Err(e.into()),
                    }
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    async fn look(&self, release: &str) -> Result<Option<Owner>, LockError> {
        Ok(self.cluster.get(&self.id(release)).await?.and_then(|o| owner(&o)))
    }
}

/// A held mark, with the task that renews it.
struct Marked {
    locks: ObjectLocks,
    release: String,
    me: String,
    /// The mark as it was last written.
    at: Arc<Mutex<Json>>,
    renewing: tokio::task::JoinHandle<()>,
}

impl Marked {
    fn start(locks: ObjectLocks, release: String, me: Owner, made: Json, lost: Lost) -> Self {
        let (id, at) = (me.id.clone(), Arc::new(Mutex::new(made)));
        let renewing = tokio::spawn(renew(locks.clone(), release.clone(), me, at.clone(), lost));
        Self { locks, release, me: id, at, renewing }
    }
}

fn read(at: &Mutex<Json>) -> Json {
    at.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn write(at: &Mutex<Json>, now: Json) {
    *at.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

/// Renews a mark until it is lost. A server that does not answer is asked again.
async fn renew(locks: ObjectLocks, release: String, mut me: Owner, at: Arc<Mutex<Json>>, lost: Lost) {
    loop {
        tokio::time::sleep(RENEW).await;
        me.renewals += 1;
        match locks.rewrite(&release, &me.to_json(), &read(&at)).await {
            Ok(written) => write(&at, written),
            Err(e) if gone(&e) => {
                // A write whose answer got lost looks like another's: only another owner in the mark counts.
                match locks.cluster.get(&locks.id(&release)).await {
                    Ok(Some(now)) if owner(&now).is_some_and(|o| o.id == me.id) => write(&at, now),
                    Ok(_) => return lost.set(),
                    Err(_) => {}
                }
            }
            Err(_) => {}
        }
    }
}

fn gone(e: &ClusterError) -> bool {
    e.is_conflict() || e.is_not_found()
}

#[async_trait]
impl Mark for Marked {
    async fn release(self: Box<Self>) {
        self.renewing.abort();
        let mut seen = read(&self.at);
        // A renewal may have been under way: then the mark is another than the one known here, and still ours.
        for _ in 0..3 {
            let mut done = self.locks.cluster.delete_as_read(&seen).await.map(drop);
            if done.as_ref().is_err_and(|e| e.reason == Reason::Forbidden) {
                done = self.locks.rewrite(&self.release, FREE, &seen).await.map(drop);
            }
            if !done.is_err_and(|e| e.is_conflict()) {
                return;
            }
            match self.locks.cluster.get(&self.locks.id(&self.release)).await {
                Ok(Some(now)) if owner(&now).is_some_and(|o| o.id == self.me) => seen = now,
                _ => return,
            }
        }
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}
