//! The state machine by tables: rows of Flux's own tests, written anew from their behaviour.

mod actions;
mod claims;
mod dependencies;
mod loops;
mod records;
mod snapshots;
mod states;

use serde_json::{Value as Json, json};

use crate::api::{Snapshot, Time};
use crate::chart::{Metadata, data};
use crate::cluster::patch::json_merge::apply;
use crate::release::record::{HookRecord, HookRun, StoredChart};
use crate::release::{Record, Status};
use crate::value::Heap;
use crate::values::compose::inline_values;
use crate::values::digest::{Algorithm, encoded};

use super::history;
use super::reconcile::subject;
use super::subject::Subject;
use super::verify::Wanted;

/// A HelmRelease `ns/web` of generation 1 with these parts of spec and status.
fn release(spec: Json, status: Json) -> Subject {
    let mut whole = json!({"interval": "1m", "chartRef": {"kind": "HelmChart", "name": "c"}});
    apply(&mut whole, &spec);
    let object = json!({
        "metadata": {"name": "web", "namespace": "ns", "generation": 1},
        "spec": whole, "status": status,
    });
    subject(&object).unwrap()
}

fn now() -> Time {
    Time(jiff::Timestamp::from_second(1_790_000_000).unwrap())
}

/// A stored revision of chart `chart@VERSION` with these values.
fn record(version: i64, status: Status, chart_version: &str, values: &str) -> Record {
    let mut heap = Heap::new();
    let map = inline_values(&mut heap, values.as_bytes());
    let metadata = Metadata { name: "chart".into(), version: chart_version.into(), ..Metadata::default() };
    let mut record = Record {
        name: "web".into(),
        namespace: "ns".into(),
        version,
        chart: Some(StoredChart { metadata: Some(metadata), ..StoredChart::default() }),
        config: Some(data::map_to_table(&heap, map).unwrap()),
        manifest: format!("manifest of {version}"),
        ..Record::default()
    };
    record.info.status = status;
    record.info.first_deployed = "2026-01-01T00:00:00Z".into();
    record.info.last_deployed = "2026-01-01T00:00:00Z".into();
    record
}

/// The same with a test hook that ended so; empty: that did not run.
fn with_test(mut record: Record, phase: &str) -> Record {
    record.hooks.push(HookRecord {
        name: "probe".into(),
        kind: "Pod".into(),
        events: vec!["test".into()],
        last_run: HookRun { phase: phase.into(), ..HookRun::default() },
        ..HookRecord::default()
    });
    record
}

fn snapshot(record: &Record, action: &str) -> Snapshot {
    history::observe(record, action, "", Algorithm::Sha256).unwrap()
}

/// A snapshot whose tests ended as the record tells.
fn tested(record: &Record, action: &str) -> Snapshot {
    Snapshot { test_hooks: Some(history::test_hooks(record, &[])), ..snapshot(record, action) }
}

fn wanted(chart_version: &str, values: &str) -> Wanted {
    let mut heap = Heap::new();
    let map = inline_values(&mut heap, values.as_bytes());
    Wanted {
        chart_name: "chart".into(),
        chart_version: chart_version.into(),
        values: encoded(&mut heap, Some(map)).unwrap(),
        merged: false,
    }
}
