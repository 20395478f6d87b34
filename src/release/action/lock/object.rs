//! Marks in a cluster: an object of the kind that holds the records too, so that who may write records may write marks.
//!
//! It has none of Helm's labels and none of its name's form, so that `helm` never sees it. Taking a dead owner's mark over is to delete that
//! very object (by its uid) and to create a new one: of several takers one wins, and a dead owner that wakes up finds its object gone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::{Held, LEASE, LockError, Locks, Lost, Mark, Owner, RENEW};
use crate::cluster::{Cluster, ClusterError, FieldValidation, Gvk, Json, ObjectId, Propagation, WriteOptions};

const ANNOTATION: &str = "pintle.dev/owner";

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

/// The owner that a mark names.
fn owner(object: &Json) -> Owner {
    let text = object.get("metadata").and_then(|m| m.get("annotations")).and_then(|a| a.get(ANNOTATION));
    Owner::parse(text.and_then(Json::as_str).unwrap_or_default())
}

fn uid(object: &Json) -> Option<&str> {
    object.pointer("/metadata/uid").and_then(Json::as_str)
}

impl ObjectLocks {
    /// `kind`: `Secret` or `ConfigMap`, as the records have it.
    pub fn new(cluster: Arc<dyn Cluster>, namespace: &str, kind: &'static str) -> Self {
        Self { cluster, namespace: namespace.into(), kind }
    }

    fn id(&self, release: &str) -> ObjectId {
        ObjectId::new(Gvk::new("", "v1", self.kind), Some(&self.namespace), &format!("sh.pintle.lock.v1.{release}"))
    }

    fn object(&self, release: &str, owner: &Owner) -> Json {
        let id = self.id(release);
        let mut object = json!({
            "apiVersion": "v1",
            "kind": self.kind,
            "metadata": {
                "name": id.name,
                "namespace": self.namespace,
                "labels": {"app.kubernetes.io/managed-by": "pintle"},
                "annotations": {ANNOTATION: owner.to_json()},
            },
        });
        if self.kind == "Secret"
            && let Some(fields) = object.as_object_mut()
        {
            fields.insert("type".into(), json!("pintle.dev/lock.v1"));
        }
        object
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
                Some(now) => {
                    let now = owner(&now);
                    if now != *seen {
                        return Err(LockError::Held(Box::new(now)));
                    }
                }
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
            match self.cluster.create(&self.object(release, &me), &options()).await {
                Ok(made) => {
                    let lost = Lost::default();
                    let mark = Marked::start(self.clone(), release.to_owned(), me, made, lost.clone());
                    return Ok(Held { dead, lost, mark: Box::new(mark) });
                }
                Err(e) if e.is_already_exists() => {}
                Err(e) => return Err(e.into()),
            }
            let Some(found) = self.cluster.get(&id).await? else { continue };
            let other = owner(&found);
            match other.lives() {
                Some(true) => return Err(LockError::Held(Box::new(other))),
                Some(false) => {}
                None => {
                    waiting(&other);
                    self.watch(&id, &other).await?;
                }
            }
            match self.cluster.delete(&id, Propagation::Background, uid(&found)).await {
                Ok(true) => dead = Some(other),
                // Somebody else was faster: see who.
                Ok(false) => {}
                Err(e) if e.is_conflict() || e.is_not_found() => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    async fn look(&self, release: &str) -> Result<Option<Owner>, LockError> {
        Ok(self.cluster.get(&self.id(release)).await?.map(|o| owner(&o)))
    }
}

/// A held mark, with the task that renews it.
struct Marked {
    locks: ObjectLocks,
    id: ObjectId,
    uid: Option<String>,
    renewing: tokio::task::JoinHandle<()>,
}

impl Marked {
    fn start(locks: ObjectLocks, release: String, me: Owner, made: Json, lost: Lost) -> Self {
        let (id, uid) = (locks.id(&release), uid(&made).map(str::to_owned));
        let renewing = tokio::spawn(renew(locks.clone(), release, me, made, lost));
        Self { locks, id, uid, renewing }
    }
}

/// Renews a mark until it is lost. A server that does not answer is asked again.
async fn renew(locks: ObjectLocks, release: String, mut me: Owner, mut at: Json, lost: Lost) {
    loop {
        tokio::time::sleep(RENEW).await;
        me.renewals += 1;
        let mut next = locks.object(&release, &me);
        for key in ["resourceVersion", "uid"] {
            if let (Some(metadata), Some(value)) =
                (next.get_mut("metadata").and_then(Json::as_object_mut), at.pointer(&format!("/metadata/{key}")))
            {
                metadata.insert(key.into(), value.clone());
            }
        }
        match locks.cluster.replace(&next, &options()).await {
            Ok(written) => at = written,
            Err(e) if gone(&e) => {
                // A write whose answer got lost looks like another's: only another owner in the mark counts.
                match locks.cluster.get(&locks.id(&release)).await {
                    Ok(Some(now)) if owner(&now).id == me.id => at = now,
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
        let _ = self.locks.cluster.delete(&self.id, Propagation::Background, self.uid.as_deref()).await;
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}
