//! Reads a record's JSON as Helm 4.3 reads it: the types of `pkg/release/v1` and `pkg/chart/v2`, field by field.
//!
//! Two of the types read themselves (`Info`, `HookExecution`): through a map and back to JSON, in which empty times become null. So their
//! names come sorted, and their numbers have been floats.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chart::{DEPENDENCY_FIELDS, Data, Dependency, METADATA_FIELDS, Maintainer, Metadata, Table};
use crate::golang::json::Token;
use crate::golang::json::structs::{Decoder, Error, Step, decode, mismatch, text};
use crate::golang::strconv::parse_float;

use super::{HookRecord, HookRun, Info, Record, Status, StoredChart, StoredFile, StoredLock, Summary, encode, time};

/// How deep values may be nested; Go reads 10 000, and nobody writes the half of this.
const MAX_DEPTH: usize = crate::chart::data::MAX_DEPTH;

const ANY_MAP: &str = "map[string]interface {}";

/// How much of a record is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    /// What lists show.
    Head,
}

/// Reads a record.
///
/// # Errors
/// Go's text.
pub fn record(json: &[u8]) -> Result<Record, String> {
    read(json, Part::All)
}

/// Reads of a record what lists show; the rest is looked at only as text.
///
/// # Errors
/// Go's text.
pub fn summary(json: &[u8]) -> Result<Summary, String> {
    let r = read(json, Part::Head)?;
    let metadata = r.chart.and_then(|c| c.metadata);
    Ok(Summary { name: r.name, namespace: r.namespace, version: r.version, info: r.info, metadata, labels: r.labels })
}

fn read(json: &[u8], part: Part) -> Result<Record, String> {
    let mut record = Record::default();
    // A record without `info` has Go's zero in it: no status at all.
    record.info.foreign_status = Some(String::new());
    decode(json, |d, token| release(d, &token, &mut record, part)).map_err(|e| e.to_string())?;
    Ok(record)
}

/// A container of plain values being read.
enum Open {
    List(Vec<Data>),
    /// With the name whose value is read.
    Table(Table, crate::value::Str),
}

/// `interface {}`. It keeps its own stack, so that no depth exhausts the thread's.
fn any<'a>(d: &mut Decoder<'a>, token: Token<'a>, depth: usize) -> Step<Data> {
    let mut open: Vec<Open> = Vec::new();
    let mut token = token;
    loop {
        if depth + open.len() > MAX_DEPTH {
            return Err(Error::Text(format!("values are nested more than {MAX_DEPTH} deep")));
        }
        let value = match token {
            Token::BeginArray => {
                open.push(Open::List(Vec::new()));
                token = d.token()?;
                continue;
            }
            Token::BeginObject => {
                open.push(Open::Table(Table::new(), crate::value::Str::default()));
                token = d.token()?;
                continue;
            }
            Token::Key(key) => {
                if let Some(Open::Table(_, name)) = open.last_mut() {
                    *name = key.into();
                }
                token = d.token()?;
                continue;
            }
            Token::EndArray | Token::EndObject => match open.pop() {
                Some(Open::List(items)) => Data::List(items),
                Some(Open::Table(table, _)) => Data::Table(table),
                None => Data::Nil,
            },
            Token::Null | Token::End => Data::Nil,
            Token::Bool(b) => Data::Bool(b),
            Token::Str(s) => Data::Str(s.into()),
            Token::Number(n) => match parse_float(n) {
                Ok(f) => Data::Float(f),
                Err(_) => {
                    d.save(mismatch(&format!("number {n}"), "float64"));
                    Data::Nil
                }
            },
        };
        match open.last_mut() {
            None => return Ok(value),
            Some(Open::List(items)) => items.push(value),
            Some(Open::Table(table, name)) => {
                table.insert(std::mem::take(name), value);
            }
        }
        token = d.token()?;
    }
}

/// `map[string]interface {}`.
fn any_map<'a>(d: &mut Decoder<'a>, token: &Token<'a>, out: &mut Option<Table>) -> Step {
    d.map(token, ANY_MAP, out, |d, key, token, map| {
        let value = any(d, token, 1)?;
        map.insert(key.into(), value);
        Ok(())
    })
}

/// A text of JSON as a map; null is none.
fn raw_map(json: &[u8]) -> Step<Option<Table>> {
    let mut map = None;
    decode(json, |d, token| any_map(d, &token, &mut map))?;
    Ok(map)
}

fn strings<'a>(d: &mut Decoder<'a>, list: &str, item: &str, out: &mut Vec<String>) -> Step {
    let token = d.token()?;
    let mut some = Some(std::mem::take(out));
    d.list(&token, list, &mut some, |d, token, slot| d.string(token, item, slot))?;
    *out = some.unwrap_or_default();
    Ok(())
}

fn string(d: &mut Decoder<'_>, go_type: &str, out: &mut String) -> Step {
    let token = d.token()?;
    d.string(token, go_type, out)
}

/// `time.Time`, of which Go looks at the text between the quotes as it is written.
fn raw_time(d: &mut Decoder<'_>) -> Step<Option<Vec<u8>>> {
    let raw = d.raw()?;
    match raw {
        b"null" => Ok(None),
        [b'"', inner @ .., b'"'] => Ok(Some(inner.to_vec())),
        _ => Err(Error::Text("Time.UnmarshalJSON: input is not a JSON string".into())),
    }
}

fn time_or_empty(d: &mut Decoder<'_>, out: &mut String) -> Step {
    if let Some(raw) = raw_time(d)? {
        *out = time::canonical(&raw).map_err(Error::Text)?;
    }
    Ok(())
}

fn time_or_zero(d: &mut Decoder<'_>, out: &mut String) -> Step {
    if let Some(raw) = raw_time(d)? {
        *out = time::canonical_or_zero(&raw).map_err(Error::Text)?;
    }
    Ok(())
}

fn release<'a>(d: &mut Decoder<'a>, token: &Token<'a>, out: &mut Record, part: Part) -> Step {
    const NAMES: &[&str] =
        &["name", "info", "chart", "config", "manifest", "hooks", "version", "namespace", "apply_method"];
    d.structure(token, ("Release", "v1.Release"), NAMES, |d, field| {
        match field {
            "name" => string(d, "string", &mut out.name)?,
            "info" => info_pointer(d, &mut out.info)?,
            "chart" => match d.token()? {
                Token::Null => out.chart = None,
                token => chart(d, &token, &mut out.chart, part)?,
            },
            "version" => {
                let token = d.token()?;
                d.int(&token, &mut out.version)?;
            }
            "namespace" => string(d, "string", &mut out.namespace)?,
            _ if part == Part::Head => {
                d.raw()?;
            }
            "config" => {
                let token = d.token()?;
                any_map(d, &token, &mut out.config)?;
            }
            "manifest" => string(d, "string", &mut out.manifest)?,
            "hooks" => hooks(d, &mut out.hooks)?,
            _ => string(d, "string", &mut out.apply_method)?,
        }
        Ok(())
    })?;
    Ok(())
}

/// A null sets the pointer to nil; everything else goes to the type's own reader.
fn info_pointer(d: &mut Decoder<'_>, out: &mut Info) -> Step {
    let raw = d.raw()?;
    if raw == b"null" {
        *out = Info { foreign_status: Some(String::new()), ..Info::default() };
        return Ok(());
    }
    info(raw, out)
}

/// The map of a type that reads itself, with its empty times made null, as JSON again.
fn cleaned(json: &[u8], times: &[&str]) -> Step<Vec<u8>> {
    let Some(mut map) = raw_map(json)? else { return Ok(b"null".to_vec()) };
    for field in times {
        if let Some(value) = map.get_mut(field.as_bytes())
            && value.as_str().is_some_and(|s| s.is_empty())
        {
            *value = Data::Nil;
        }
    }
    encode::table(&map).map_err(Error::Text)
}

fn info(json: &[u8], out: &mut Info) -> Step {
    const NAMES: &[&str] = &[
        "first_deployed",
        "last_deployed",
        "deleted",
        "description",
        "status",
        "rollback_revision",
        "notes",
        "resources",
    ];
    let text = cleaned(json, &["first_deployed", "last_deployed", "deleted"])?;
    let mut new = Info::default();
    let mut status = String::new();
    let mut times: [Option<String>; 3] = Default::default();
    decode(&text, |d, token| {
        d.structure(&token, ("infoJSON", "v1.infoJSON"), NAMES, |d, field| {
            let at = match field {
                "first_deployed" => 0,
                "last_deployed" => 1,
                "deleted" => 2,
                "description" => return string(d, "string", &mut new.description),
                "status" => return string(d, "common.Status", &mut status),
                "rollback_revision" => {
                    let token = d.token()?;
                    return d.int(&token, &mut new.rollback_revision);
                }
                "notes" => return string(d, "string", &mut new.notes),
                _ => return resources(d, &mut new.resources),
            };
            if let Some(slot) = times.get_mut(at) {
                *slot = match raw_time(d)? {
                    Some(raw) => Some(time::canonical(&raw).map_err(Error::Text)?),
                    None => None,
                };
            }
            Ok(())
        })?;
        Ok(())
    })?;
    let [first, last, deleted] = times;
    new.first_deployed = first.unwrap_or_else(|| std::mem::take(&mut out.first_deployed));
    new.last_deployed = last.unwrap_or_else(|| std::mem::take(&mut out.last_deployed));
    new.deleted = deleted.unwrap_or_else(|| std::mem::take(&mut out.deleted));
    (new.status, new.foreign_status) = match Status::parse(&status) {
        Some(status) => (status, None),
        None => (Status::Unknown, Some(status)),
    };
    *out = new;
    Ok(())
}

/// `map[string][]runtime.Object`: of an interface nothing but null can be read.
fn resources(d: &mut Decoder<'_>, out: &mut Option<BTreeMap<String, Option<usize>>>) -> Step {
    let token = d.token()?;
    d.map(&token, "map[string][]runtime.Object", out, |d, key, token, map| {
        let mut list: Option<Vec<()>> = None;
        d.list(&token, "[]runtime.Object", &mut list, |d, token, ()| d.mismatch(&token, "runtime.Object"))?;
        map.insert(text(key), list.map(|l| l.len()));
        Ok(())
    })
}

fn hooks(d: &mut Decoder<'_>, out: &mut Vec<HookRecord>) -> Step {
    let token = d.token()?;
    let mut some = Some(std::mem::take(out));
    d.list(&token, "[]*v1.Hook", &mut some, |d, token, slot| {
        if token == Token::Null {
            *slot = HookRecord { absent: true, ..HookRecord::default() };
            return Ok(());
        }
        slot.absent = false;
        hook(d, &token, slot)
    })?;
    *out = some.unwrap_or_default();
    Ok(())
}

fn hook<'a>(d: &mut Decoder<'a>, token: &Token<'a>, h: &mut HookRecord) -> Step {
    const NAMES: &[&str] =
        &["name", "kind", "path", "manifest", "events", "last_run", "weight", "delete_policies", "output_log_policies"];
    d.structure(token, ("Hook", "v1.Hook"), NAMES, |d, field| match field {
        "name" => string(d, "string", &mut h.name),
        "kind" => string(d, "string", &mut h.kind),
        "path" => string(d, "string", &mut h.path),
        "manifest" => string(d, "string", &mut h.manifest),
        "events" => strings(d, "[]v1.HookEvent", "v1.HookEvent", &mut h.events),
        "last_run" => {
            let raw = d.raw()?;
            last_run(raw, &mut h.last_run)
        }
        "weight" => {
            let token = d.token()?;
            d.int(&token, &mut h.weight)
        }
        "delete_policies" => strings(d, "[]v1.HookDeletePolicy", "v1.HookDeletePolicy", &mut h.delete_policies),
        _ => strings(d, "[]v1.HookOutputLogPolicy", "v1.HookOutputLogPolicy", &mut h.output_log_policies),
    })?;
    Ok(())
}

fn last_run(json: &[u8], out: &mut HookRun) -> Step {
    let text = cleaned(json, &["started_at", "completed_at"])?;
    let (mut started, mut completed, mut phase) = (None, None, String::new());
    decode(&text, |d, token| {
        let names = &["started_at", "completed_at", "phase"];
        d.structure(&token, ("hookExecutionJSON", "v1.hookExecutionJSON"), names, |d, field| {
            let slot = match field {
                "started_at" => &mut started,
                "completed_at" => &mut completed,
                _ => return string(d, "v1.HookPhase", &mut phase),
            };
            *slot = match raw_time(d)? {
                Some(raw) => Some(time::canonical(&raw).map_err(Error::Text)?),
                None => None,
            };
            Ok(())
        })?;
        Ok(())
    })?;
    if let Some(at) = started {
        out.started_at = at;
    }
    if let Some(at) = completed {
        out.completed_at = at;
    }
    out.phase = phase;
    Ok(())
}

fn chart<'a>(d: &mut Decoder<'a>, token: &Token<'a>, out: &mut Option<StoredChart>, part: Part) -> Step {
    const NAMES: &[&str] = &["metadata", "lock", "templates", "values", "schema", "schemamodtime", "files", "modtime"];
    let c = out.get_or_insert_default();
    d.structure(token, ("Chart", "v2.Chart"), NAMES, |d, field| {
        match field {
            "metadata" => match d.token()? {
                Token::Null => c.metadata = None,
                token => metadata(d, &token, c)?,
            },
            _ if part == Part::Head => {
                d.raw()?;
            }
            "lock" => match d.token()? {
                Token::Null => c.lock = None,
                token => lock(d, &token, c)?,
            },
            "templates" => files(d, &mut c.templates)?,
            "values" => {
                let token = d.token()?;
                let mut values = c.values.take().map(Arc::unwrap_or_clone);
                any_map(d, &token, &mut values)?;
                c.values = values.map(Arc::new);
            }
            "schema" => {
                let token = d.token()?;
                let mut schema = c.schema.take().map(|s| s.to_vec());
                d.bytes(&token, &mut schema)?;
                c.schema = schema.map(Into::into);
            }
            "schemamodtime" => time_or_zero(d, &mut c.schema_modified)?,
            "files" => files(d, &mut c.files)?,
            _ => time_or_empty(d, &mut c.modified)?,
        }
        Ok(())
    })?;
    Ok(())
}

fn files(d: &mut Decoder<'_>, out: &mut Option<Vec<StoredFile>>) -> Step {
    let token = d.token()?;
    d.list(&token, "[]*common.File", out, |d, token, slot| {
        if token == Token::Null {
            *slot = StoredFile { absent: true, ..StoredFile::default() };
            return Ok(());
        }
        slot.absent = false;
        d.structure(&token, ("File", "common.File"), &["name", "data", "modtime"], |d, field| match field {
            "name" => string(d, "string", &mut slot.name),
            "data" => {
                let token = d.token()?;
                let mut data = slot.data.take().map(|s| s.to_vec());
                d.bytes(&token, &mut data)?;
                slot.data = data.map(Into::into);
                Ok(())
            }
            _ => time_or_empty(d, &mut slot.modified),
        })?;
        Ok(())
    })
}

fn metadata<'a>(d: &mut Decoder<'a>, token: &Token<'a>, chart: &mut StoredChart) -> Step {
    let m = chart.metadata.get_or_insert_with(|| Metadata { dependencies_nil: true, ..Metadata::default() });
    let absent = &mut chart.absent;
    d.structure(token, ("Metadata", "v2.Metadata"), METADATA_FIELDS, |d, field| match field {
        "name" => string(d, "string", &mut m.name),
        "home" => string(d, "string", &mut m.home),
        "sources" => strings(d, "[]string", "string", &mut m.sources),
        "version" => string(d, "string", &mut m.version),
        "description" => string(d, "string", &mut m.description),
        "keywords" => strings(d, "[]string", "string", &mut m.keywords),
        "maintainers" => {
            let token = d.token()?;
            let mut list = Some(std::mem::take(&mut m.maintainers));
            pointers(d, &token, "[]*v2.Maintainer", &mut list, &mut absent.maintainers, maintainer)?;
            m.maintainers = list.unwrap_or_default();
            Ok(())
        }
        "icon" => string(d, "string", &mut m.icon),
        "apiVersion" => string(d, "string", &mut m.api_version),
        "condition" => string(d, "string", &mut m.condition),
        "tags" => string(d, "string", &mut m.tags),
        "appVersion" => string(d, "string", &mut m.app_version),
        "deprecated" => {
            let token = d.token()?;
            d.boolean(&token, &mut m.deprecated)
        }
        "annotations" => {
            let token = d.token()?;
            d.map(&token, "map[string]string", &mut m.annotations, |d, key, token, map| {
                let mut value = String::new();
                d.string(token, "string", &mut value)?;
                map.insert(text(key), value);
                Ok(())
            })
        }
        "kubeVersion" => string(d, "string", &mut m.kube_version),
        "dependencies" => {
            let token = d.token()?;
            let mut list = Some(std::mem::take(&mut m.dependencies));
            pointers(d, &token, "[]*v2.Dependency", &mut list, &mut absent.dependencies, dependency)?;
            m.dependencies_nil = list.is_none();
            m.dependencies = list.unwrap_or_default();
            Ok(())
        }
        _ => string(d, "string", &mut m.chart_type),
    })?;
    Ok(())
}

/// A list of pointers; the places of the nil ones go to `absent`.
fn pointers<'a, T: Default>(
    d: &mut Decoder<'a>,
    token: &Token<'a>,
    go_type: &str,
    out: &mut Option<Vec<T>>,
    absent: &mut Vec<usize>,
    read: impl Fn(&mut Decoder<'a>, &Token<'a>, &mut T) -> Step,
) -> Step {
    if matches!(token, Token::BeginArray | Token::Null) {
        absent.clear();
    }
    let mut at = 0;
    d.list(token, go_type, out, |d, token, slot| {
        if token == Token::Null {
            *slot = T::default();
            absent.push(at);
        } else {
            read(d, &token, slot)?;
        }
        at += 1;
        Ok(())
    })
}

fn maintainer<'a>(d: &mut Decoder<'a>, token: &Token<'a>, m: &mut Maintainer) -> Step {
    d.structure(token, ("Maintainer", "v2.Maintainer"), &["name", "email", "url"], |d, field| match field {
        "name" => string(d, "string", &mut m.name),
        "email" => string(d, "string", &mut m.email),
        _ => string(d, "string", &mut m.url),
    })?;
    Ok(())
}

fn dependency<'a>(d: &mut Decoder<'a>, token: &Token<'a>, out: &mut Dependency) -> Step {
    d.structure(token, ("Dependency", "v2.Dependency"), DEPENDENCY_FIELDS, |d, field| match field {
        "name" => string(d, "string", &mut out.name),
        "version" => string(d, "string", &mut out.version),
        "repository" => string(d, "string", &mut out.repository),
        "condition" => string(d, "string", &mut out.condition),
        "tags" => strings(d, "[]string", "string", &mut out.tags),
        "enabled" => {
            let token = d.token()?;
            d.boolean(&token, &mut out.enabled)
        }
        "import-values" => {
            let token = d.token()?;
            let mut list = Some(std::mem::take(&mut out.import_values));
            d.list(&token, "[]interface {}", &mut list, |d, token, slot| {
                *slot = any(d, token, 1)?;
                Ok(())
            })?;
            out.import_values = list.unwrap_or_default();
            Ok(())
        }
        _ => string(d, "string", &mut out.alias),
    })?;
    Ok(())
}

fn lock<'a>(d: &mut Decoder<'a>, token: &Token<'a>, chart: &mut StoredChart) -> Step {
    let l: &mut StoredLock = chart.lock.get_or_insert_default();
    let absent = &mut chart.absent.lock;
    d.structure(token, ("Lock", "v2.Lock"), &["generated", "digest", "dependencies"], |d, field| match field {
        "generated" => time_or_zero(d, &mut l.generated),
        "digest" => string(d, "string", &mut l.digest),
        _ => {
            let token = d.token()?;
            pointers(d, &token, "[]*v2.Dependency", &mut l.dependencies, absent, dependency)
        }
    })?;
    Ok(())
}
