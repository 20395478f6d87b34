//! `include`, `tpl`, `required`, `fail`, `lookup`, and the methods of `.Values`.
//!
//! The source is Helm 4.3 `pkg/engine/engine.go` (`includeFun`, `tplFun`, `initFunMap`), `lookup_func.go` and
//! `pkg/chart/common/values.go`.

use std::sync::Arc;

use crate::diagnostic::LogLine;
use crate::golang::strconv;
use crate::gotmpl::{CallError, Func, FuncTable, State, Ty, execute, func, no_template};
use crate::value::{MapId, Str, Value};
use crate::yaml::{self, MarshalError};

use super::errors::warn_wrap;
use super::lint;

/// How deep a template may include itself (Helm's `recursionMaxNums`).
const RECURSION_MAX: u32 = 1000;

/// What text/template prints for a missing value; Helm removes every occurrence from a file's and from `tpl`'s output.
const NO_VALUE: &[u8] = b"<no value>";

/// An error text beyond this is not quoted again: each `tpl` around it could double it.
const MAX_QUOTED: usize = 16 << 20;

/// Where `lookup` finds live objects. A render without one (Helm's `template`) gives empty maps.
pub trait Lookup: Send + Sync {
    /// The object, or with an empty name the list of them; an empty map if there is none.
    ///
    /// # Errors
    /// The text of what the cluster said.
    fn lookup(
        &self,
        st: &mut State,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String>;
}

/// Puts a cluster into the state of a render, for `lookup`.
pub fn set_lookup(st: &mut State, lookup: Arc<dyn Lookup>) {
    st.extension = Some(Arc::new(Cluster(lookup)));
}

struct Cluster(Arc<dyn Lookup>);

/// Adds Helm's control functions and the methods of `.Values`.
pub fn register(table: &mut FuncTable) {
    table.add(func("include", include));
    table.add(func("tpl", tpl));
    table.add(func("required", required));
    table.add(func("fail", fail));
    table.add(func("lookup", lookup));
    table.add_values_method(func("AsMap", as_map));
    table.add_values_method(func("YAML", to_yaml));
    table.add_values_method(func("Table", values_table));
    table.add_values_method(func("PathValue", path_value));
    table.add_values_method(encode());
}

/// Removes every `<no value>` from a template's output, as Helm does.
pub fn strip_no_value(out: &mut Vec<u8>) {
    // `<` is rare enough in manifests that a scan for it costs nothing.
    let find = |text: &[u8], from: usize| memchr::memmem::find(&text[from..], NO_VALUE).map(|i| from + i);
    let Some(first) = find(out, 0) else { return };
    let mut write = first;
    let mut read = first + NO_VALUE.len();
    loop {
        let next = find(out, read).unwrap_or(out.len());
        out.copy_within(read..next, write);
        write += next - read;
        if next == out.len() {
            break;
        }
        read = next + NO_VALUE.len();
    }
    out.truncate(write);
}

fn include(st: &mut State, name: Str, data: Value) -> Result<Str, CallError> {
    let set = current_set(st)?;
    // Such a name is no template's, and the error quotes its bytes.
    let Ok(text) = std::str::from_utf8(&name) else { return Err(no_template(&set, &name)) };
    let count = st.nesting.entry(name.clone()).or_insert(0);
    if *count > RECURSION_MAX {
        return Err(CallError::Msg(format!(
            "rendering template has a nested reference name: {name}: unable to execute template"
        )));
    }
    *count += 1;
    let mut out = st.take_buffer();
    let result = execute(&set, st, text, &data, &mut out);
    if let Some(count) = st.nesting.get_mut(&name) {
        *count -= 1;
    }
    let text = result.map(|()| Str::new(&out));
    st.give_buffer(out);
    text
}

fn tpl(st: &mut State, text: Str, data: Value) -> Result<Str, CallError> {
    let outer = current_set(st)?;
    let wrap = |what: &str, e: CallError| match e {
        CallError::Limit(_) => e,
        e => {
            let inner = e.to_string();
            if inner.len() + text.len() > MAX_QUOTED {
                return CallError::Limit("the text of an error inside nested tpl calls exceeds 16 MiB".into());
            }
            CallError::Msg(format!("{what} {}: {inner}", strconv::quote(&text)))
        }
    };
    let set = outer.with_text(st, &text).map_err(|e| wrap("cannot parse template", e))?;
    let mut out = st.take_buffer();
    let result = execute(&set, st, set.root(), &data, &mut out);
    let text = result.map_err(|e| wrap("error during tpl function execution for", e)).map(|()| {
        strip_no_value(&mut out);
        Str::new(&out)
    });
    st.give_buffer(out);
    text
}

fn current_set(st: &State) -> Result<Arc<crate::gotmpl::TemplateSet>, CallError> {
    st.set.clone().ok_or_else(|| CallError::msg("no template is being executed"))
}

fn warn(msg: &Str) -> CallError {
    CallError::Msg(warn_wrap(&msg.to_text()))
}

fn required(st: &mut State, msg: Str, value: Value) -> Result<Value, CallError> {
    let logged = match &value {
        Value::Nil => "missing required value",
        Value::Str(s) if s.is_empty() => "missing required values",
        _ => return Ok(value),
    };
    if lint::logged(st, || LogLine::warn(logged).with("message", msg.to_text())) {
        return Ok(Value::str(""));
    }
    Err(warn(&msg))
}

fn fail(st: &mut State, msg: Str) -> Result<Str, CallError> {
    if lint::logged(st, || LogLine::info("funcMap fail").with("message", msg.to_text())) {
        return Ok(Str::new(""));
    }
    Err(warn(&msg))
}

fn lookup(st: &mut State, api_version: Str, kind: Str, namespace: Str, name: Str) -> Result<MapId, CallError> {
    let cluster = st.extension.as_ref().and_then(|e| e.downcast_ref::<Cluster>()).map(|c| c.0.clone());
    let Some(cluster) = cluster else {
        return Ok(st.heap.new_map());
    };
    match cluster.lookup(st, &api_version.to_text(), &kind.to_text(), &namespace.to_text(), &name.to_text()) {
        Ok(Value::Map(m)) => Ok(m),
        Ok(_) => Ok(st.heap.new_map()),
        Err(msg) => Err(CallError::Msg(msg)),
    }
}

// The methods of common.Values. The receiver comes as a plain map.

fn as_map(st: &mut State, values: MapId) -> MapId {
    if st.heap.map(values).is_empty() { st.heap.new_map() } else { values }
}

fn to_yaml(st: &mut State, values: MapId) -> Result<Vec<u8>, CallError> {
    let left = st.limits.output.saturating_sub(st.charged);
    match yaml::marshal_within(&mut st.heap, &Value::Map(values), left) {
        Ok(text) => st.charge(text.len() as u64).map(|()| text),
        Err(MarshalError::TooLong) => st.charge(left.saturating_add(1)).map(|()| Vec::new()),
        Err(MarshalError::Unsupported(msg)) => Err(CallError::Msg(msg)),
    }
}

fn values_table(st: &mut State, values: MapId, path: Str) -> Result<MapId, CallError> {
    let mut at = values;
    for part in path.split(|b| *b == b'.') {
        at = sub_table(st, at, part)
            .ok_or_else(|| CallError::Msg(format!("{} is not a table", strconv::quote(part))))?;
    }
    Ok(at.as_values())
}

/// Only untyped string maps count as tables, whatever they are seen as.
fn sub_table(st: &State, at: MapId, key: &[u8]) -> Option<MapId> {
    match st.heap.map(at).get(key) {
        Some(Value::Map(m)) if st.heap.map(*m).ty == crate::value::MapType::Any => Some(*m),
        _ => None,
    }
}

fn path_value(st: &mut State, values: MapId, path: Str) -> Result<Value, CallError> {
    if path.is_empty() {
        return Err(CallError::msg("YAML path cannot be empty"));
    }
    let parts: Vec<&[u8]> = path.split(|b| *b == b'.').collect();
    let (key, tables) = parts.split_last().map_or((&b""[..], &[][..]), |(k, t)| (*k, t));
    let no_value = || CallError::Msg(format!("{} is not a value", strconv::quote(key)));
    let mut at = values;
    for part in tables {
        at = sub_table(st, at, part).ok_or_else(no_value)?;
    }
    match st.heap.map(at).get(key) {
        // `common.Values` is no `map[string]interface {}` to Go's type assertion.
        Some(Value::Map(m)) if !m.is_values() && st.heap.map(*m).ty == crate::value::MapType::Any => Err(no_value()),
        Some(v) => Ok(v.clone()),
        None => Err(no_value()),
    }
}

/// `Encode` wants an `io.Writer`, which no template has: nil is all that it ever gets.
fn encode() -> Func {
    Func {
        name: "Encode",
        params: &[Ty::Map, Ty::Object("io.Writer")],
        variadic: false,
        ret: Ty::Any,
        call: Box::new(|_, _| Err(CallError::msg("runtime error: invalid memory address or nil pointer dereference"))),
        prints: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_removed_wherever_it_stands() {
        for (text, want) in [
            ("", ""),
            ("a", "a"),
            ("<no value>", ""),
            ("a<no value>b<<no value>c<no value", "ab<c<no value"),
            ("<no value><no value>x<no value>", "x"),
            // Only one pass, as strings.ReplaceAll.
            ("<no <no value>value>", "<no value>"),
        ] {
            let mut out = text.as_bytes().to_vec();
            strip_no_value(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{text}");
        }
    }
}
