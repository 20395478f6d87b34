//! A release in sync by its chart and its values may still be another one now: its templates asked the cluster. When an answer has changed it is
//! rendered anew, as the revision that it is, and upgraded only if that makes a difference which is no work of chance.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use crate::chart::Chart;
use crate::cluster::Json;
use crate::gotmpl::{Host, SystemHost};
use crate::release::Record;
use crate::release::action::again::{self, Again};
use crate::release::action::upgrade::Values;

use super::super::answers::{self, Answers, Question};
use super::super::difference;
use super::super::history;
use super::super::index::Key;
use super::super::lookout::{At, Follow, Known};
use super::super::origin;
use super::super::perform::{Bench, source};
use super::super::record::{About, Severity};
use super::{Stop, Turn};

/// Between the two renders whose differences are chance's: another year, month, day, hour, minute and second.
const LATER: Duration = Duration::from_secs(400 * 86_400 + 3661);

/// The system, at another time.
struct Clock {
    system: SystemHost,
    later: Duration,
}

impl Host for Clock {
    fn now(&self) -> i128 {
        self.system.now() + i128::try_from(self.later.as_nanos()).unwrap_or_default()
    }
    fn random(&self, buf: &mut [u8]) {
        self.system.random(buf);
    }
    fn local_zone(&self) -> crate::golang::time::Location {
        self.system.local_zone()
    }
    fn lookup_host(&self, name: &str) -> Vec<String> {
        self.system.lookup_host(name)
    }
    fn looks_up(&self) -> bool {
        self.system.looks_up()
    }
}

impl Turn<'_> {
    /// Why a release in sync is to be upgraded all the same.
    pub(super) async fn look(
        &mut self,
        bench: &Bench,
        about: &About,
        last: &Record,
        chart: &Chart,
    ) -> Result<Option<String>, Stop> {
        let Some(seen) = bench.seen.as_ref().filter(|_| !self.world.options.lookup_interval.is_zero()) else {
            return Ok(None);
        };
        let world = self.world;
        let key = Key::new("HelmRelease", &self.subject.namespace, &self.subject.name);
        let at = At { uid: self.subject.uid.clone(), version: last.version };
        let remote = self.subject.spec.kube_config.is_some();
        let stored = || again::objects(&last.manifest, &last.hooks).unwrap_or_default();
        let follow = |answers: Answers, objects: &[Json]| {
            let follow = Follow {
                at: at.clone(),
                kube: bench.kube.clone(),
                remote,
                answers,
                own: objects.iter().flat_map(|o| questions(o, &last.namespace)).collect(),
            };
            world.lookout.follow(&key, follow);
        };
        let changed = match world.lookout.known(&key, &at) {
            Known::Same => return Ok(None),
            Known::Changed(changed) => Some(changed),
            Known::No => match Answers::kept(&last.annotations) {
                Some(answers) => {
                    // What has changed since, if anything has, the next look around tells.
                    follow(answers, &stored());
                    return Ok(None);
                }
                // What we have rendered ourselves says all that it asks.
                None if !last.annotations.contains_key(origin::ANNOTATION) && answers::may_ask(chart) => None,
                None => {
                    world.lookout.forget(&key);
                    return Ok(None);
                }
            },
        };
        let before = world.lookout.answers(&key, &at);
        if before.asks_capabilities() {
            let _ = bench.kube.look_again().await;
        }
        let rendered = self.render(bench, about, last, chart, Duration::ZERO).await?;
        let mut answers = seen.answers();
        let objects = stored();
        let Some(changed) = changed else {
            // Nothing was kept with the revision, which somebody else made: from now on it is known what it asks.
            follow(answers, &objects);
            return Ok(None);
        };
        let changed = changed.into_iter().collect::<Vec<_>>().join(", ");
        let once = match rendered {
            Ok(once) => once,
            Err(e) => {
                // What was not asked any more because of the failure is to be asked on.
                for (question, answer) in before.lookups {
                    answers.lookups.entry(question).or_insert(answer);
                }
                follow(answers, &objects);
                let text = format!(
                    "what its templates look up has changed ({changed}), and the chart does not render any more: {e}"
                );
                self.tell(about.wanted(Severity::Warning, "RenderFailed", text)).await;
                return Ok(None);
            }
        };
        if once.is(last) {
            tracing::debug!(release = self.subject.key(), changed, "rendered anew: the same");
            follow(answers, &objects);
            return Ok(None);
        }
        let twice = match self.render(bench, about, last, chart, LATER).await? {
            Ok(twice) => twice,
            Err(_) => return Ok(None),
        };
        let (Ok(once), Ok(twice)) = (once.objects(), twice.objects()) else { return Ok(None) };
        let looked: HashSet<Question> = answers.lookups.keys().cloned().collect();
        // What a chart makes because it isn't there, it would not make now that it is: no reason to take it away.
        let made = |o: &Json| questions(o, &last.namespace).iter().any(|q| looked.contains(q));
        let different = difference::beyond_chance(&objects, &once, &twice, made);
        if different.is_empty() {
            tracing::debug!(release = self.subject.key(), changed, "rendered anew: the same but for chance");
            follow(answers, &objects);
            return Ok(None);
        }
        world.lookout.upgraded(&key);
        Ok(Some(format!("what its templates look up has changed ({changed}), which changes {}", different.join(", "))))
    }

    async fn render(
        &mut self,
        bench: &Bench,
        about: &About,
        last: &Record,
        chart: &Chart,
        later: Duration,
    ) -> Result<Result<Again, String>, Stop> {
        let system = SystemHost { enable_dns: self.world.options.gates.allow_dns_lookups };
        let (state, values, _) = self.values_for(Arc::new(Clock { system, later })).await?;
        let is_install = history::latest(&self.subject.status.history).is_some_and(|s| s.action == "install");
        let upgrade = self.subject.upgrade();
        let mode = if upgrade.preserve_values && !is_install { Values::Reuse } else { Values::Reset };
        let skip = if is_install {
            self.subject.install().disable_schema_validation
        } else {
            upgrade.disable_schema_validation
        };
        let helm3 = self.world.options.gates.use_helm3_defaults;
        let source = source(&self.subject, chart.clone(), (state, values), &about.version, skip, helm3);
        Ok(again::again(&bench.ctx, last, is_install, mode, source).boxed().await.map_err(|e| e.message))
    }
}

/// The questions whose answer an object of the release would be: of no namespace, too, for those that have none.
fn questions(object: &Json, namespace: &str) -> [Question; 2] {
    let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
    let own = text("/metadata/namespace");
    let namespace = if own.is_empty() { namespace.to_owned() } else { own };
    let of = |namespace| Question {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace,
        name: text("/metadata/name"),
    };
    [of(namespace), of(String::new())]
}
