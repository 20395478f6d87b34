//! Writes a record's JSON as Helm 4.3 writes it: the order of the fields, what is left out when it is empty, Go's escapes and floats.

use crate::chart::{Data, Dependency, Maintainer, Metadata, Table};
use crate::golang::{base64, json};

use super::{HookRecord, HookRun, Info, Record, StoredChart, StoredFile, StoredLock, time};

/// Writes a record.
///
/// # Errors
/// Go's text; only for what no render makes (a number that is none, a time zone of a day and more).
pub fn record(r: &Record) -> Result<Vec<u8>, String> {
    record_with(r, None)
}

/// As [`record`], with the live objects as `info.resources`, JSON already: what `helm status` prints.
///
/// # Errors
/// As [`record`].
pub fn record_with(r: &Record, resources: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let mut o = Object::default();
    o.text("name", &r.name);
    o.value("info", |out| {
        info(&r.info, out).map_err(|e| marshal_error("*v1.Info", &e))?;
        if let Some(resources) = resources {
            out.pop();
            let sep: &[u8] = if out.last() == Some(&b'{') { b"" } else { b"," };
            for part in [sep, b"\"resources\":", resources, b"}"] {
                out.extend_from_slice(part);
            }
        }
        Ok::<_, String>(())
    })?;
    if let Some(c) = &r.chart {
        o.value("chart", |out| chart(c, out))?;
    }
    if let Some(config) = r.config.as_ref().filter(|c| !c.is_empty()) {
        o.value("config", |out| push_table(config, out))?;
    }
    o.text("manifest", &r.manifest);
    o.list("hooks", &r.hooks, hook)?;
    o.number("version", r.version);
    o.text("namespace", &r.namespace);
    o.text("apply_method", &r.apply_method);
    Ok(o.end())
}

/// Writes a map of plain values.
///
/// # Errors
/// Go's text for a number that is none.
pub fn table(table: &Table) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    push_table(table, &mut out)?;
    Ok(out)
}

/// Writes one plain value.
///
/// # Errors
/// As [`table`].
pub fn push_data(value: &Data, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Data::Nil => out.extend_from_slice(b"null"),
        Data::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Data::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Data::Uint(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Data::Float(f) if f.is_finite() => out.extend_from_slice(json::float(*f).as_bytes()),
        Data::Float(f) => {
            return Err(format!("json: unsupported value: {}", crate::golang::strconv::format_float(*f, b'g', -1, 64)));
        }
        Data::Str(s) => json::escape_string(s, true, out),
        Data::List(items) => array(items, out, push_data)?,
        Data::Table(t) => push_table(t, out)?,
        Data::Strings(t) => members(t.iter(), out, |s, out| {
            json::escape_string(s.as_bytes(), true, out);
            Ok(())
        })?,
    }
    Ok(())
}

fn push_table(table: &Table, out: &mut Vec<u8>) -> Result<(), String> {
    members(table.iter(), out, push_data)
}

fn members<'t, K: AsRef<[u8]> + 't, V: 't>(
    entries: impl Iterator<Item = (&'t K, &'t V)>,
    out: &mut Vec<u8>,
    each: impl Fn(&V, &mut Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    out.push(b'{');
    for (i, (key, value)) in entries.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        json::escape_string(key.as_ref(), true, out);
        out.push(b':');
        each(value, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn array<T>(
    items: &[T],
    out: &mut Vec<u8>,
    mut each: impl FnMut(&T, &mut Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        each(item, out)?;
    }
    out.push(b']');
    Ok(())
}

fn marshal_error(go_type: &str, e: &str) -> String {
    format!("json: error calling MarshalJSON for type {go_type}: {e}")
}

/// A struct being written.
struct Object<'o> {
    out: Buffer<'o>,
    first: bool,
}

enum Buffer<'o> {
    Own(Vec<u8>),
    Of(&'o mut Vec<u8>),
}

impl Default for Object<'_> {
    fn default() -> Self {
        Self { out: Buffer::Own(vec![b'{']), first: true }
    }
}

impl<'o> Object<'o> {
    fn within(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out: Buffer::Of(out), first: true }
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        match &mut self.out {
            Buffer::Own(out) => out,
            Buffer::Of(out) => out,
        }
    }

    fn value<E>(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let first = std::mem::replace(&mut self.first, false);
        let out = self.buffer();
        if !first {
            out.push(b',');
        }
        json::escape_string(key.as_bytes(), true, out);
        out.push(b':');
        write(out)
    }

    fn text_always(&mut self, key: &str, text: &str) {
        let Ok(()) = self.value::<std::convert::Infallible>(key, |out| {
            json::escape_string(text.as_bytes(), true, out);
            Ok(())
        });
    }

    fn raw(&mut self, key: &str, raw: &str) {
        let Ok(()) = self.value::<std::convert::Infallible>(key, |out| {
            out.extend_from_slice(raw.as_bytes());
            Ok(())
        });
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.text_always(key, text);
        }
    }

    fn number(&mut self, key: &str, n: i64) {
        if n != 0 {
            self.raw(key, &n.to_string());
        }
    }

    fn texts(&mut self, key: &str, texts: &[String]) -> Result<(), String> {
        self.list(key, texts, |s, out| {
            json::escape_string(s.as_bytes(), true, out);
            Ok(())
        })
    }

    /// A list that is left out when it is empty.
    fn list<T>(
        &mut self,
        key: &str,
        items: &[T],
        each: impl FnMut(&T, &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        if items.is_empty() { Ok(()) } else { self.value(key, |out| array(items, out, each)) }
    }

    /// A list that is null when it is nil.
    fn list_or_null<T>(
        &mut self,
        key: &str,
        items: Option<&[T]>,
        each: impl FnMut(&T, &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        match items {
            Some(items) => self.value(key, |out| array(items, out, each)),
            None => {
                self.raw(key, "null");
                Ok(())
            }
        }
    }

    /// A time that is left out when it is zero.
    fn time(&mut self, key: &str, text: &str, go_type: &str) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        time::check(text).map_err(|e| marshal_error(go_type, &e))?;
        self.text_always(key, text);
        Ok(())
    }

    fn time_or_zero(&mut self, key: &str, text: &str) -> Result<(), String> {
        let text = if text.is_empty() { crate::golang::time::ZERO } else { text };
        self.time(key, text, "time.Time")
    }

    fn bytes(&mut self, key: &str, bytes: Option<&[u8]>) {
        match bytes {
            None => self.raw(key, "null"),
            Some(bytes) => {
                let Ok(()) = self.value::<std::convert::Infallible>(key, |out| {
                    out.push(b'"');
                    out.extend_from_slice(base64::encode(bytes).as_bytes());
                    out.push(b'"');
                    Ok(())
                });
            }
        }
    }

    fn close(&mut self) {
        self.buffer().push(b'}');
    }

    fn end(mut self) -> Vec<u8> {
        self.close();
        match self.out {
            Buffer::Own(out) => out,
            Buffer::Of(_) => Vec::new(),
        }
    }
}

/// `info`, as the record and `helm status -o json` have it.
///
/// # Errors
/// As [`record`].
pub fn info(i: &Info, out: &mut Vec<u8>) -> Result<(), String> {
    let mut o = Object::within(out);
    o.time("first_deployed", &i.first_deployed, "*time.Time")?;
    o.time("last_deployed", &i.last_deployed, "*time.Time")?;
    o.time("deleted", &i.deleted, "*time.Time")?;
    o.text("description", &i.description);
    o.text("status", i.status_text());
    o.number("rollback_revision", i.rollback_revision);
    o.text("notes", &i.notes);
    if let Some(resources) = i.resources.as_ref().filter(|r| !r.is_empty()) {
        o.value("resources", |out| {
            members(resources.iter(), out, |n, out| {
                match n {
                    None => out.extend_from_slice(b"null"),
                    Some(n) => out.extend_from_slice(format!("[{}]", vec!["null"; *n].join(",")).as_bytes()),
                }
                Ok::<_, String>(())
            })
        })?;
    }
    o.close();
    Ok(())
}

/// One hook.
///
/// # Errors
/// As [`record`].
pub fn hook(h: &HookRecord, out: &mut Vec<u8>) -> Result<(), String> {
    if h.absent {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let mut o = Object::within(out);
    o.text("name", &h.name);
    o.text("kind", &h.kind);
    o.text("path", &h.path);
    o.text("manifest", &h.manifest);
    o.texts("events", &h.events)?;
    o.value("last_run", |out| last_run(&h.last_run, out).map_err(|e| marshal_error("v1.HookExecution", &e)))?;
    o.number("weight", h.weight);
    o.texts("delete_policies", &h.delete_policies)?;
    o.texts("output_log_policies", &h.output_log_policies)?;
    o.close();
    Ok(())
}

fn last_run(run: &HookRun, out: &mut Vec<u8>) -> Result<(), String> {
    let mut o = Object::within(out);
    o.time("started_at", &run.started_at, "*time.Time")?;
    o.time("completed_at", &run.completed_at, "*time.Time")?;
    o.text_always("phase", &run.phase);
    o.close();
    Ok(())
}

fn chart(c: &StoredChart, out: &mut Vec<u8>) -> Result<(), String> {
    let mut o = Object::within(out);
    match &c.metadata {
        Some(m) => o.value("metadata", |out| metadata(m, c, out))?,
        None => o.raw("metadata", "null"),
    }
    match &c.lock {
        Some(l) => o.value("lock", |out| lock(l, c, out))?,
        None => o.raw("lock", "null"),
    }
    o.list_or_null("templates", c.templates.as_deref(), file)?;
    match &c.values {
        Some(values) => o.value("values", |out| push_table(values, out))?,
        None => o.raw("values", "null"),
    }
    o.bytes("schema", c.schema.as_deref());
    o.time_or_zero("schemamodtime", &c.schema_modified)?;
    o.list_or_null("files", c.files.as_deref(), file)?;
    o.time("modtime", &c.modified, "time.Time")?;
    o.close();
    Ok(())
}

fn file(f: &StoredFile, out: &mut Vec<u8>) -> Result<(), String> {
    if f.absent {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let mut o = Object::within(out);
    o.text_always("name", &f.name);
    o.bytes("data", f.data.as_deref());
    o.time("modtime", &f.modified, "time.Time")?;
    o.close();
    Ok(())
}

/// A list of pointers, of which those at the places in `absent` are nil.
fn pointers<'t, T>(
    absent: &'t [usize],
    each: impl Fn(&T, &mut Vec<u8>) -> Result<(), String> + 't,
) -> impl FnMut(&T, &mut Vec<u8>) -> Result<(), String> + 't {
    let mut at = 0;
    move |item, out| {
        at += 1;
        if absent.contains(&(at - 1)) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        each(item, out)
    }
}

/// Chart.yaml, as the record has it.
///
/// # Errors
/// As [`record`].
pub fn metadata(m: &Metadata, c: &StoredChart, out: &mut Vec<u8>) -> Result<(), String> {
    let mut o = Object::within(out);
    o.text("name", &m.name);
    o.text("home", &m.home);
    o.texts("sources", &m.sources)?;
    o.text("version", &m.version);
    o.text("description", &m.description);
    o.texts("keywords", &m.keywords)?;
    o.list("maintainers", &m.maintainers, pointers(&c.absent.maintainers, maintainer))?;
    o.text("icon", &m.icon);
    o.text("apiVersion", &m.api_version);
    o.text("condition", &m.condition);
    o.text("tags", &m.tags);
    o.text("appVersion", &m.app_version);
    if m.deprecated {
        o.raw("deprecated", "true");
    }
    if let Some(annotations) = m.annotations.as_ref().filter(|a| !a.is_empty()) {
        o.value("annotations", |out| {
            members(annotations.iter(), out, |s, out| {
                json::escape_string(s.as_bytes(), true, out);
                Ok::<_, String>(())
            })
        })?;
    }
    o.text("kubeVersion", &m.kube_version);
    o.list("dependencies", &m.dependencies, pointers(&c.absent.dependencies, dependency))?;
    o.text("type", &m.chart_type);
    o.close();
    Ok(())
}

fn maintainer(m: &Maintainer, out: &mut Vec<u8>) -> Result<(), String> {
    let mut o = Object::within(out);
    o.text("name", &m.name);
    o.text("email", &m.email);
    o.text("url", &m.url);
    o.close();
    Ok(())
}

fn dependency(d: &Dependency, out: &mut Vec<u8>) -> Result<(), String> {
    let mut o = Object::within(out);
    o.text_always("name", &d.name);
    o.text("version", &d.version);
    o.text_always("repository", &d.repository);
    o.text("condition", &d.condition);
    o.texts("tags", &d.tags)?;
    if d.enabled {
        o.raw("enabled", "true");
    }
    o.list("import-values", &d.import_values, push_data)?;
    o.text("alias", &d.alias);
    o.close();
    Ok(())
}

/// A list of dependencies.
///
/// # Errors
/// As [`record`].
pub fn dependencies(list: &[Dependency]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    array(list, &mut out, dependency)?;
    Ok(out)
}

fn lock(l: &StoredLock, c: &StoredChart, out: &mut Vec<u8>) -> Result<(), String> {
    let mut o = Object::within(out);
    o.time_or_zero("generated", &l.generated)?;
    o.text_always("digest", &l.digest);
    o.list_or_null("dependencies", l.dependencies.as_deref(), pointers(&c.absent.lock, dependency))?;
    o.close();
    Ok(())
}
