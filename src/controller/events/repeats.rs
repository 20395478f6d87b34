//! What was told already: Events that are counted up, floods that are cut off, alerts that say nothing new.
//!
//! Source of the numbers: client-go `tools/record/events_cache.go`. The memory is bounded; what falls out is told as new.

use std::collections::{BTreeMap, HashMap};

use super::{Event, Severity};

/// Objects that are remembered.
const OBJECTS: usize = 8192;
/// Different Events that are remembered of one object.
const NOTES: usize = 32;
/// Events that an object may have at once.
const BURST: f64 = 25.0;
/// And one more in so many seconds.
const REFILL: f64 = 300.0;

/// What is done about a failure.
const REMEDIES: [&str; 3] = ["RollbackSucceeded", "UninstallSucceeded", "PendingRelease"];

/// What is to be done with an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    New { name: String },
    Again { name: String, count: i64 },
    Dropped,
}

#[derive(PartialEq, Eq, Hash, Clone)]
struct Words {
    severity: Severity,
    reason: String,
    message: String,
    metadata: BTreeMap<String, String>,
}

struct Told {
    tokens: f64,
    at: i64,
    notes: Vec<(Words, String, i64)>,
    /// The last alert of a failure that nothing but remedies have followed.
    failure: Option<Words>,
    /// It was told more than once.
    again: bool,
}

/// The memory of one controller.
#[derive(Default)]
pub(super) struct Repeats {
    objects: HashMap<String, Told>,
    names: u64,
}

impl Repeats {
    /// An Event at a time in seconds.
    pub fn seen(&mut self, event: &Event, now: i64) -> Seen {
        self.names += 1;
        let serial = self.names;
        let told = self.told(event, now);
        #[allow(clippy::cast_precision_loss)] // Seconds between two events.
        let refilled = (now - told.at).max(0) as f64 / REFILL;
        told.tokens = (told.tokens + refilled).min(BURST);
        told.at = now;
        if told.tokens < 1.0 {
            return Seen::Dropped;
        }
        told.tokens -= 1.0;
        let words = Words::of(event);
        if let Some((_, name, count)) = told.notes.iter_mut().find(|(w, _, _)| *w == words) {
            *count += 1;
            return Seen::Again { name: name.clone(), count: *count };
        }
        let object = event.object.name.as_deref().unwrap_or("object");
        // By chance: a program that was started anew in the same second must not find its names taken.
        let mut chance = [0; 8];
        let _ = getrandom::fill(&mut chance);
        let name = format!("{object}.{:016x}", u64::from_le_bytes(chance).wrapping_add(serial));
        if told.notes.len() >= NOTES {
            told.notes.remove(0);
        }
        told.notes.push((words, name.clone(), 1));
        Seen::New { name }
    }

    /// Whether an alert repeats the object's last one. Only failures repeat, and the remedies that follow them: that a failed revision was
    /// rolled back ends nothing, while anything else said in between makes a failure new.
    pub fn is_old_alert(&mut self, event: &Event) -> bool {
        let words = Words::of(event);
        let at = self.objects.get(&key(event)).map_or(0, |t| t.at);
        let told = self.told(event, at);
        if event.severity != Severity::Error && REMEDIES.contains(&event.reason.as_str()) && told.failure.is_some() {
            return told.again;
        }
        told.again = told.failure.as_ref() == Some(&words);
        told.failure = (event.severity == Severity::Error).then_some(words);
        told.again
    }

    pub fn forget(&mut self, uid: &str) {
        self.objects.remove(uid);
    }

    fn told(&mut self, event: &Event, now: i64) -> &mut Told {
        if self.objects.len() >= OBJECTS && !self.objects.contains_key(&key(event)) {
            let oldest = self.objects.iter().min_by_key(|(_, t)| t.at).map(|(k, _)| k.clone());
            oldest.map(|k| self.objects.remove(&k));
        }
        self.objects.entry(key(event)).or_insert_with(|| Told {
            tokens: BURST,
            at: now,
            notes: Vec::new(),
            failure: None,
            again: false,
        })
    }
}

fn key(event: &Event) -> String {
    event.object.uid.clone().unwrap_or_else(|| {
        let part = |p: &Option<String>| p.clone().unwrap_or_default();
        format!("{}/{}/{}", part(&event.object.kind), part(&event.object.namespace), part(&event.object.name))
    })
}

impl Words {
    fn of(event: &Event) -> Self {
        let Event { severity, reason, message, metadata, .. } = event;
        Self { severity: *severity, reason: reason.clone(), message: message.clone(), metadata: metadata.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{HelmRelease, HelmReleaseSpec};

    fn event(name: &str, severity: Severity, message: &str) -> Event {
        Event::new(&HelmRelease::new("shop", name, HelmReleaseSpec::default()), severity, "Reason", message)
    }

    #[test]
    fn the_same_is_counted_and_floods_are_cut_off() {
        let mut repeats = Repeats::default();
        let Seen::New { name } = repeats.seen(&event("web", Severity::Info, "a"), 0) else { panic!("new") };
        assert_eq!(repeats.seen(&event("web", Severity::Info, "a"), 1), Seen::Again { name, count: 2 });
        assert!(matches!(repeats.seen(&event("web", Severity::Info, "b"), 1), Seen::New { .. }));
        let kept = (0..100)
            .filter(|i| repeats.seen(&event("web", Severity::Info, &i.to_string()), 2) != Seen::Dropped)
            .count();
        assert_eq!(kept, 22, "25 at once, three of them used");
        assert!(
            matches!(repeats.seen(&event("db", Severity::Info, "a"), 2), Seen::New { .. }),
            "another object is not held back"
        );
        assert!(matches!(repeats.seen(&event("web", Severity::Info, "later"), 302), Seen::New { .. }));
        assert_eq!(repeats.seen(&event("web", Severity::Info, "later still"), 303), Seen::Dropped);
    }

    #[test]
    fn the_same_failure_is_one_alert() {
        let mut repeats = Repeats::default();
        let mut old = |name: &str, severity, message: &str| repeats.is_old_alert(&event(name, severity, message));
        assert!(!old("web", Severity::Error, "timed out"));
        assert!(old("web", Severity::Error, "timed out"));
        assert!(!old("db", Severity::Error, "timed out"), "of another object");
        assert!(!old("web", Severity::Error, "no image"), "for another cause");
        assert!(!old("web", Severity::Info, "upgrade succeeded"));
        assert!(!old("web", Severity::Info, "upgrade succeeded"), "good news is not held back");
        assert!(!old("web", Severity::Error, "no image"), "after something else");
        // Failed and rolled back, again and again.
        let mut old = |reason: &str, severity, message: &str| {
            repeats.is_old_alert(&Event { reason: reason.into(), ..event("db", severity, message) })
        };
        assert!(!old("UpgradeFailed", Severity::Error, "no image"));
        assert!(!old("RollbackSucceeded", Severity::Info, "to v1"));
        assert!(old("UpgradeFailed", Severity::Error, "no image"));
        assert!(old("RollbackSucceeded", Severity::Info, "to v3"));
        assert!(!old("UpgradeFailed", Severity::Error, "timed out"), "for another cause");
        assert!(!old("RollbackSucceeded", Severity::Info, "to v5"));
        assert!(!old("UpgradeSucceeded", Severity::Info, "at last"));
        assert!(!old("UpgradeFailed", Severity::Error, "timed out"), "after a success");
    }
}
