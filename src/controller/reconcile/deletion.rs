//! The end of a HelmRelease.

use crate::api::FINALIZER;
use crate::api::condition::STALLED;
use crate::cluster::Json;

use super::{Outcome, Stop, Turn};
use crate::controller::access::AccessError;
use crate::controller::record::About;

impl Turn<'_> {
    /// The object is being deleted: uninstall, delete the HelmChart, let it go.
    pub(super) async fn delete(&mut self) -> Result<Outcome, Stop> {
        let list = self.object.pointer("/metadata/finalizers").and_then(Json::as_array).cloned().unwrap_or_default();
        if !list.iter().any(|f| f == FINALIZER) {
            return Ok(Outcome::Gone);
        }
        if !self.subject.spec.suspend {
            self.uninstall_for_deletion().await?;
            if !self.subject.status.helm_chart.is_empty() {
                self.delete_helm_chart().await?;
            }
        }
        let rest = list.into_iter().filter(|f| f != FINALIZER).collect();
        self.patch_metadata(rest).await?;
        Ok(Outcome::Gone)
    }

    pub(super) async fn uninstall_for_deletion(&mut self) -> Result<(), Stop> {
        if self.subject.status.storage_namespace.is_empty() {
            return Ok(());
        }
        let kube = match self.world.access.cluster(&self.subject, &self.reads).await {
            Ok(kube) => kube,
            Err(AccessError::NoSecret(..)) => {
                tracing::warn!(release = self.subject.key(), "not uninstalled: its kubeconfig is gone");
                return Ok(());
            }
            Err(e) => {
                let text = format!("failed to build REST client getter to uninstall release: {e}");
                self.not_ready("UninstallFailed", text.as_str());
                return Err(Outcome::Failed(text));
            }
        };
        match self.world.access.account_exists(&self.subject).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(release = self.subject.key(), "not uninstalled: its service account is gone");
                return Ok(());
            }
            Err(e) => {
                self.not_ready("UninstallFailed", e.as_str());
                return Err(Outcome::Failed(e));
            }
        }
        let about = About { algorithm: self.world.options.snapshot_digest, ..About::default() };
        let (result, event) = self.uninstall(&kube, &about).await;
        if let Some(event) = event {
            self.tell(event).await;
        }
        result.map_err(Outcome::Failed)?;
        self.subject.status.history.clear();
        self.subject.status.storage_namespace.clear();
        self.subject.unmark(STALLED);
        Ok(())
    }
}
