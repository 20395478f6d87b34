//! Tells people what becomes of a HelmRelease: what the state machine has to say goes to the sink of events.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ObjectReference;

use crate::api::{HELM_API, annotation};

use super::events::{self, Sink};
use super::record::{Event, Severity};
use super::subject::Subject;

/// Hands events on.
#[derive(Clone)]
pub struct Announcer {
    sink: Sink,
}

impl Announcer {
    pub const fn new(sink: Sink) -> Self {
        Self { sink }
    }

    /// Tells of an event. Annotations of the object that begin with `event.toolkit.fluxcd.io/` go along.
    pub fn tell(&self, subject: &Subject, event: Event) {
        tracing::info!(release = subject.key(), reason = event.reason, "{}", event.message);
        let own = subject.annotations.iter().filter(|(k, _)| k.starts_with(annotation::EVENT_PREFIX));
        let mut metadata: BTreeMap<String, String> = own.map(|(k, v)| (k.clone(), v.clone())).collect();
        metadata.extend(event.metadata);
        let object = ObjectReference {
            api_version: Some(HELM_API.into()),
            kind: Some("HelmRelease".into()),
            name: Some(subject.name.clone()),
            namespace: Some(subject.namespace.clone()),
            uid: Some(subject.uid.clone()),
            ..ObjectReference::default()
        };
        let severity = match event.severity {
            Severity::Normal => events::Severity::Info,
            Severity::Warning => events::Severity::Error,
            Severity::Trace => events::Severity::Trace,
        };
        self.sink.record(events::Event { object, severity, reason: event.reason, message: event.message, metadata });
    }

    /// The object is gone.
    pub fn forget(&self, uid: &str) {
        self.sink.forget(uid);
    }

    /// Waits until all has been told.
    pub async fn flush(&self) {
        self.sink.flush().await;
    }
}
