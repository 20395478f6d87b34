//! `get all --template`: the record as Go's templates see Helm's structs.

use crate::chart::{Metadata, data};
use crate::release::Record;
use crate::release::record::{HookRecord, StoredFile};
use crate::value::{Heap, Value};

use super::super::output::Streams;
use super::super::{Failure, go_template};

/// Prints the record by a template.
///
/// # Errors
/// What is wrong with the template, in Go's words.
pub fn print(record: &Record, template: &str, io: &mut Streams<'_>) -> Result<(), Failure> {
    let dot = |heap: &mut Heap| {
        let release = release(heap, record);
        Value::Map(heap.map_of([("Release", release)]))
    };
    go_template::print(template, dot, io)
}

fn time(text: &str) -> Value {
    Value::object(if text.is_empty() {
        crate::golang::time::Time::zero()
    } else {
        super::super::reading::stored_time(text)
    })
}

fn texts(heap: &mut Heap, texts: &[String]) -> Value {
    let items = texts.iter().map(Value::str).collect();
    Value::List(heap.list_of(items))
}

fn release(heap: &mut Heap, r: &Record) -> Value {
    let info = [
        ("FirstDeployed", time(&r.info.first_deployed)),
        ("LastDeployed", time(&r.info.last_deployed)),
        ("Deleted", time(&r.info.deleted)),
        ("Description", Value::str(&r.info.description)),
        ("Status", Value::str(r.info.status_text())),
        ("RollbackRevision", Value::Int(r.info.rollback_revision)),
        ("Notes", Value::str(&r.info.notes)),
    ];
    let info = Value::Map(heap.map_of(info));
    let chart = match &r.chart {
        None => Value::Nil,
        Some(c) => {
            let metadata = c.metadata.as_ref().map_or(Value::Nil, |m| metadata(heap, m));
            let values = c.values.as_ref().map_or(Value::Nil, |v| Value::Map(data::table_to_map(heap, v)));
            let templates = files(heap, c.templates.as_deref());
            let files = files(heap, c.files.as_deref());
            let fields = [("Metadata", metadata), ("Values", values), ("Templates", templates), ("Files", files)];
            Value::Map(heap.map_of(fields))
        }
    };
    let config = r.config.as_ref().map_or(Value::Nil, |c| Value::Map(data::table_to_map(heap, c)));
    let hooks: Vec<Value> = r.hooks.iter().map(|h| hook(heap, h)).collect();
    let hooks = Value::List(heap.list_of(hooks));
    let labels = Value::Map(heap.map_of(r.labels.iter().map(|(k, v)| (k.as_str(), Value::str(v)))));
    let fields = [
        ("Name", Value::str(&r.name)),
        ("Info", info),
        ("Chart", chart),
        ("Config", config),
        ("Manifest", Value::str(&r.manifest)),
        ("Hooks", hooks),
        ("Version", Value::Int(r.version)),
        ("Namespace", Value::str(&r.namespace)),
        ("Labels", labels),
        ("ApplyMethod", Value::str(&r.apply_method)),
    ];
    Value::Map(heap.map_of(fields))
}

fn metadata(heap: &mut Heap, m: &Metadata) -> Value {
    let annotations = m.annotations.clone().unwrap_or_default();
    let annotations = Value::Map(heap.map_of(annotations.iter().map(|(k, v)| (k.as_str(), Value::str(v)))));
    let fields = [
        ("Name", Value::str(&m.name)),
        ("Home", Value::str(&m.home)),
        ("Sources", texts(heap, &m.sources)),
        ("Version", Value::str(&m.version)),
        ("Description", Value::str(&m.description)),
        ("Keywords", texts(heap, &m.keywords)),
        ("Icon", Value::str(&m.icon)),
        ("APIVersion", Value::str(&m.api_version)),
        ("Condition", Value::str(&m.condition)),
        ("Tags", Value::str(&m.tags)),
        ("AppVersion", Value::str(&m.app_version)),
        ("Deprecated", Value::Bool(m.deprecated)),
        ("Annotations", annotations),
        ("KubeVersion", Value::str(&m.kube_version)),
        ("Type", Value::str(&m.chart_type)),
    ];
    Value::Map(heap.map_of(fields))
}

fn files(heap: &mut Heap, files: Option<&[StoredFile]>) -> Value {
    let items: Vec<Value> = files
        .into_iter()
        .flatten()
        .map(|f| {
            let fields = [("Name", Value::str(&f.name)), ("Data", Value::Bytes(f.data.clone().unwrap_or_default()))];
            Value::Map(heap.map_of(fields))
        })
        .collect();
    Value::List(heap.list_of(items))
}

fn hook(heap: &mut Heap, h: &HookRecord) -> Value {
    let run = [
        ("StartedAt", time(&h.last_run.started_at)),
        ("CompletedAt", time(&h.last_run.completed_at)),
        ("Phase", Value::str(&h.last_run.phase)),
    ];
    let run = Value::Map(heap.map_of(run));
    let fields = [
        ("Name", Value::str(&h.name)),
        ("Kind", Value::str(&h.kind)),
        ("Path", Value::str(&h.path)),
        ("Manifest", Value::str(&h.manifest)),
        ("Events", texts(heap, &h.events)),
        ("LastRun", run),
        ("Weight", Value::Int(h.weight)),
        ("DeletePolicies", texts(heap, &h.delete_policies)),
        ("OutputLogPolicies", texts(heap, &h.output_log_policies)),
    ];
    Value::Map(heap.map_of(fields))
}
