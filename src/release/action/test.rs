//! `test`. Source: Helm 4.3 `pkg/action/release_testing.go`.

use crate::cluster::{Gvk, ObjectId, Reason};
use crate::release::Record;
use crate::release::record::HookRecord;

use super::hooks::{self, Ran, containers};
use super::work::{Foreign, Task, Work};
use super::{ActionError, Context, Options, history};

/// What a test run is told.
#[derive(Clone, Debug, Default)]
pub struct Test {
    pub name: String,
    pub options: Options,
    /// Only these tests (`--filter name=…`); empty: all.
    pub include: Vec<String>,
    /// Not these (`--filter '!name=…'`).
    pub exclude: Vec<String>,
}

/// A test run whose pods are still there: their logs can be read until [`Tested::finish`].
pub struct Tested {
    pub record: Record,
    /// The first test that failed.
    pub error: Option<ActionError>,
    ran: Ran,
    options: Options,
    work: Work,
}

/// Runs the tests of a release's newest revision.
///
/// # Errors
/// No such release, or somebody else works on it. A failed test is in [`Tested::error`].
pub async fn test(ctx: &Context, test: &Test) -> Result<Tested, ActionError> {
    if !super::is_name(&test.name) {
        return Err(ActionError::new(format!("releaseTest: Release name is invalid: {}", test.name)));
    }
    let entries = history::entries(ctx.storage.as_ref(), &test.name).await.map_err(super::first_word)?;
    let Some(last) = entries.last() else {
        return Err(ActionError { not_found: true, ..ActionError::new("release: not found") });
    };
    let task = Task {
        name: &test.name,
        operation: "test",
        revision: last.version,
        may_roll_back: false,
        foreign: Foreign::Leave,
    };
    let version = last.version;
    let work = Work::begin(ctx, &task, entries, &test.options).await?;
    let mut record = match work.ctx.storage.get(&test.name, version).await {
        Ok(record) => record,
        Err(e) => {
            work.end("test").await;
            return Err(e.into());
        }
    };
    let (mut skipped, chosen): (Vec<HookRecord>, Vec<HookRecord>) =
        std::mem::take(&mut record.hooks).into_iter().partition(|h| !runs(test, h));
    record.hooks = chosen;
    let server_side = record.apply_method == "ssa";
    let (ran, result) = hooks::start(&work.ctx, &mut record, "test", &test.options, server_side).await;
    // Only the chosen ones ran; the record has all of them, the skipped first, as Helm leaves it.
    let places = skipped.len();
    skipped.append(&mut record.hooks);
    record.hooks = skipped;
    let ran = ran.shifted(places);
    let stored = work.ctx.storage.update(&record).await;
    let error = result.err().or_else(|| stored.err().map(Into::into));
    Ok(Tested { record, error, ran, options: test.options.clone(), work })
}

fn runs(test: &Test, hook: &HookRecord) -> bool {
    !test.exclude.contains(&hook.name) && (test.include.is_empty() || test.include.contains(&hook.name))
}

impl Tested {
    /// What the test pods wrote, in the form of `helm test --logs`, with what could not be read as errors.
    pub async fn logs(&self, test: &Test) -> (String, Vec<String>) {
        let mut hooks: Vec<&HookRecord> = self.record.hooks.iter().filter(|h| !h.absent).collect();
        hooks.sort_by_key(|h| (h.weight, h.name.clone()));
        let (mut out, mut errors) = (String::new(), Vec::new());
        for hook in hooks {
            if hook.kind != "Pod" || !hook.events.iter().any(|e| e == "test") || !runs(test, hook) {
                continue;
            }
            if let Err(e) = self.pod_logs(&hook.name, &mut out, &mut errors).await {
                errors.push(e);
                break;
            }
        }
        (out, errors)
    }

    async fn pod_logs(&self, pod: &str, out: &mut String, errors: &mut Vec<String>) -> Result<(), String> {
        let ctx = &self.work.ctx;
        let id = ObjectId::new(Gvk::new("", "v1", "Pod"), Some(&ctx.namespace), pod);
        let found = ctx.cluster.get(&id).await.map_err(|e| format!("unable to get pod {pod}: {e}"))?;
        let Some(object) = found else { return Err(format!("unable to get pod {pod}: pods {pod:?} not found")) };
        for container in ["initContainers", "containers"].iter().flat_map(|which| containers(&object, which)) {
            match ctx.cluster.logs(&ctx.namespace, pod, Some(&container), None).await {
                Ok(text) => {
                    out.push_str(&format!("POD LOGS: {pod} ({container})\n{text}\n"));
                }
                Err(e) if e.reason == Reason::NotFound => {}
                Err(e) => {
                    errors.push(format!("unable to get logs for pod {pod}, container {container}: {e}"));
                }
            }
        }
        Ok(())
    }

    /// Deletes the tests' objects as their policies say, and gives the release's mark back.
    ///
    /// # Errors
    /// What could not be deleted.
    pub async fn finish(self) -> Result<(), ActionError> {
        let ended = hooks::finish(&self.work.ctx, &self.record, &self.ran, &self.options).await;
        let subject = format!("test {} revision {}", self.record.name, self.record.version);
        self.work.end(&subject).await;
        ended
    }
}
