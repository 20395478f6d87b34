//! Tells people: Kubernetes events about a HelmRelease.
//!
//! Source: fluxcd/pkg `runtime/events/recorder.go`: annotations of the object that begin with `event.toolkit.fluxcd.io/` go along.

use serde_json::json;

use crate::api::{HELM_API, annotation};
use crate::cluster::kube::Kube;
use crate::cluster::{Cluster, FieldValidation, WriteOptions};

use super::perform::MANAGER;
use super::record::{Event, Severity};
use super::subject::Subject;

/// The longest message that an event takes, in bytes.
const LONGEST: usize = 39_000;

/// Writes events.
#[derive(Clone)]
pub struct Announcer {
    kube: Kube,
    instance: String,
}

impl Announcer {
    /// `instance` is this process's name.
    pub fn new(kube: Kube, instance: &str) -> Self {
        Self { kube, instance: instance.into() }
    }

    /// Tells of an event. That it could not be told is no reason to fail.
    pub async fn tell(&self, subject: &Subject, event: Event) {
        tracing::info!(release = subject.key(), reason = event.reason, "{}", event.message);
        let mut annotations = event.metadata;
        let own = subject.annotations.iter().filter(|(k, _)| k.starts_with(annotation::EVENT_PREFIX));
        annotations.extend(own.map(|(k, v)| (k.clone(), v.clone())));
        let mut message = event.message;
        if message.len() > LONGEST {
            let cut = (0..=LONGEST).rev().find(|at| message.is_char_boundary(*at)).unwrap_or_default();
            message.truncate(cut);
        }
        let now = jiff::Timestamp::now();
        let time = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        let mut unique = [0_u8; 8];
        let _ = getrandom::fill(&mut unique);
        let object = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": format!("{}.{:016x}", subject.name, u64::from_le_bytes(unique)),
                "namespace": subject.namespace,
                "annotations": annotations,
            },
            "involvedObject": {
                "apiVersion": HELM_API,
                "kind": "HelmRelease",
                "name": subject.name,
                "namespace": subject.namespace,
                "uid": subject.uid,
            },
            "reason": event.reason,
            "message": message,
            "type": if event.severity == Severity::Warning { "Warning" } else { "Normal" },
            "source": {"component": MANAGER},
            "reportingComponent": MANAGER,
            "reportingInstance": self.instance,
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        });
        let options =
            WriteOptions { field_manager: MANAGER.into(), dry_run: false, validation: FieldValidation::Ignore };
        if let Err(error) = self.kube.create(&object, &options).await {
            tracing::debug!(release = subject.key(), %error, "an event could not be written");
        }
    }
}
