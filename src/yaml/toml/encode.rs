//! Values to TOML: BurntSushi/toml's `encode.go`, with an indentation of two spaces per table.

use std::collections::HashMap;

use super::{MAX_DEPTH, TomlError, key_part, key_text, quote};
use crate::golang::strconv::format_float;
use crate::golang::time::{Location, RFC3339_NANO, Time};
use crate::value::{Elem, Heap, Kind, List, MapId, Str, Value};

/// The types that the encoder tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Nil,
    Scalar,
    Array,
    Hash,
    ArrayOfHashes,
}

/// `toml.Marshal`, for a text of at most `limit` bytes.
pub fn encode(heap: &mut Heap, value: &Value, limit: u64) -> Result<Vec<u8>, TomlError> {
    if value.is_nil() {
        return Err(TomlError::Panic("reflect: call of reflect.Value.Type on zero Value".into()));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut e = Encoder { heap, out: Vec::new(), limit, depth: 0, structs: HashMap::new() };
    let value = e.plain(value);
    e.encode(&[], &value)?;
    Ok(e.out)
}

struct Encoder<'h> {
    heap: &'h mut Heap,
    out: Vec<u8>,
    limit: usize,
    depth: usize,
    /// Maps that stand for structs, with the names of all fields in order, hidden ones too.
    structs: HashMap<MapId, Vec<&'static str>>,
}

type Done = Result<(), TomlError>;

fn error<T>(text: &str) -> Result<T, TomlError> {
    Err(TomlError::Error(text.into()))
}

impl Encoder<'_> {
    /// An object as what the encoder takes it for; anything else as it is.
    fn plain(&mut self, value: &Value) -> Value {
        let Value::Object(o) = value else { return value.clone() };
        // A number that TOML has no word for: an error where it is met.
        if o.kind() == Kind::Complex128 {
            return value.clone();
        }
        if let Some(elements) = o.elements(self.heap) {
            if o.kind() == Kind::Map {
                let entries: Vec<(Str, Value)> =
                    elements.into_iter().filter_map(|(k, v)| Some((k.as_str()?.clone(), v))).collect();
                return Value::Map(self.heap.map_of(entries));
            }
            let items = elements.into_iter().map(|(_, v)| v).collect();
            return Value::List(self.heap.list_of(items));
        }
        match o.json(self.heap) {
            // Times stand bare, other texts in quotes; `scalar` tells them apart by the object.
            Value::Str(_) => value.clone(),
            // Durations are texts, months and weekdays numbers.
            Value::Int(_) | Value::Int64(_) | Value::OtherInt(..) if o.go_type() == "time.Duration" => {
                o.string().map_or_else(|| value.clone(), Value::from)
            }
            json @ (Value::Int(_) | Value::Int64(_) | Value::OtherInt(..)) => json,
            json => {
                let mut fields: Vec<(&'static str, Value)> = o.fields(self.heap);
                let order = fields.iter().map(|(name, _)| *name).collect();
                fields.retain(|(name, _)| name.starts_with(|c: char| c.is_ascii_uppercase()));
                if fields.is_empty() {
                    return json;
                }
                let id = self.heap.map_of(fields);
                self.structs.insert(id, order);
                Value::Map(id)
            }
        }
    }

    fn is_nil(&self, value: &Value) -> bool {
        match value {
            Value::Nil => true,
            Value::Map(m) => self.heap.map(*m).nil,
            Value::List(l) => self.heap.list(*l).nil,
            _ => false,
        }
    }

    /// `tomlTypeOfGo`: looks into arrays as deep as they go.
    fn type_of(&mut self, value: &Value, depth: usize) -> Result<Type, TomlError> {
        if depth > MAX_DEPTH {
            return error("toml: nested too deeply");
        }
        let value = self.plain(value);
        if self.is_nil(&value) {
            return Ok(Type::Nil);
        }
        Ok(match &value {
            Value::Map(_) => Type::Hash,
            Value::List(l) => {
                let n = self.heap.list(*l).items.len();
                let mut hashes = n > 0;
                for i in 0..n {
                    let item = self.heap.list(*l).items.get(i).cloned().unwrap_or_default();
                    match self.type_of(&item, depth + 1)? {
                        Type::Nil => return error("toml: cannot encode array with nil element"),
                        Type::Hash => {}
                        _ => hashes = false,
                    }
                }
                if hashes { Type::ArrayOfHashes } else { Type::Array }
            }
            Value::Bytes(_) => Type::Array,
            Value::Object(o) if o.kind() == Kind::Complex128 => return error("unsupported type: complex128"),
            _ => Type::Scalar,
        })
    }

    fn encode(&mut self, key: &[Str], value: &Value) -> Done {
        if self.out.len() > self.limit {
            return Err(TomlError::TooLong);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return error("toml: nested too deeply");
        }
        match value {
            // A nil slice is an empty array where nobody has asked before; in a table it was left out.
            Value::Nil | Value::Map(_) if self.is_nil(value) => {}
            Value::Map(_) => self.table(key, value)?,
            Value::Object(o) if o.kind() == Kind::Complex128 => {
                return error("unsupported type for key '': complex128");
            }
            Value::List(_) if self.type_of(value, 0)? == Type::ArrayOfHashes => self.array_of_tables(key, value)?,
            _ => self.key_value(key, value, false)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn indent(&mut self, key: &[Str]) {
        let n = key.len().saturating_sub(1) * 2;
        self.out.resize(self.out.len() + n, b' ');
    }

    fn array_of_tables(&mut self, key: &[Str], value: &Value) -> Done {
        if key.is_empty() {
            return error("toml: top-level values must be Go maps or structs");
        }
        let Value::List(l) = value else { return Ok(()) };
        for i in 0..self.heap.list(*l).items.len() {
            let item = self.heap.list(*l).items.get(i).cloned().unwrap_or_default();
            let item = self.plain(&item);
            if self.is_nil(&item) {
                continue;
            }
            self.newline();
            self.indent(key);
            self.out.extend_from_slice(b"[[");
            self.out.extend(key_text(key));
            self.out.extend_from_slice(b"]]");
            self.newline();
            self.map(key, &item, false)?;
        }
        Ok(())
    }

    fn table(&mut self, key: &[Str], value: &Value) -> Done {
        if key.len() == 1 {
            self.newline();
        }
        if !key.is_empty() {
            self.indent(key);
            self.out.push(b'[');
            self.out.extend(key_text(key));
            self.out.push(b']');
            self.newline();
        }
        self.map(key, value, false)
    }

    fn map(&mut self, key: &[Str], value: &Value, inline: bool) -> Done {
        let Value::Map(m) = value else { return Ok(()) };
        let mut entries: Vec<(Str, Value)> = self.heap.map(*m).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let order = self.structs.get(m).cloned();
        let index = |order: &[&'static str], k: &Str| order.iter().position(|name| *k == **name);
        if let Some(order) = &order {
            entries.sort_by_key(|(k, _)| index(order, k));
        }
        let total = entries.len();
        let (mut direct, mut sub) = (Vec::new(), Vec::new());
        for (k, v) in entries {
            match self.type_of(&v, 0)? {
                Type::Hash | Type::ArrayOfHashes => sub.push((k, v)),
                _ => direct.push((k, v)),
            }
        }
        if inline {
            self.out.push(b'{');
        }
        // In a struct, the field without a comma behind it is the one whose index is one less than the number of fields that
        // are written: not the last one, if a hidden field stands before it.
        let comma = |k: &Str, follows: bool| match &order {
            Some(order) => index(order, k) != total.checked_sub(1),
            None => follows,
        };
        let more = !sub.is_empty();
        self.entries(key, direct, inline, |k, last| comma(k, more || !last))?;
        self.entries(key, sub, inline, |k, last| comma(k, !last))?;
        if inline {
            self.out.push(b'}');
        }
        Ok(())
    }

    /// `comma`: whether one goes behind a key's value, told the key and whether it is the last.
    fn entries(
        &mut self,
        key: &[Str],
        entries: Vec<(Str, Value)>,
        inline: bool,
        comma: impl Fn(&Str, bool) -> bool,
    ) -> Done {
        let n = entries.len();
        for (i, (k, v)) in entries.into_iter().enumerate() {
            let v = self.plain(&v);
            if self.is_nil(&v) {
                continue;
            }
            if inline {
                let comma = comma(&k, i + 1 == n);
                self.key_value(&[k], &v, true)?;
                if comma {
                    self.out.extend_from_slice(b", ");
                }
            } else {
                let mut path = key.to_vec();
                path.push(k);
                self.encode(&path, &v)?;
            }
        }
        Ok(())
    }

    fn key_value(&mut self, key: &[Str], value: &Value, inline: bool) -> Done {
        let Some(last) = key.last() else { return self.element(value) };
        self.indent(key);
        key_part(last, &mut self.out);
        self.out.extend_from_slice(b" = ");
        self.element(value)?;
        if !inline {
            self.newline();
        }
        Ok(())
    }

    fn element(&mut self, value: &Value) -> Done {
        if self.out.len() > self.limit {
            return Err(TomlError::TooLong);
        }
        match value {
            Value::Str(s) => quote(s, &mut self.out),
            Value::Bool(b) => self.out.extend_from_slice(b.to_string().as_bytes()),
            Value::Int(n) | Value::Int64(n) => self.out.extend_from_slice(n.to_string().as_bytes()),
            Value::OtherInt(k, n) => self.out.extend_from_slice(n.get(*k).to_string().as_bytes()),
            Value::Float(f) => self.out.extend_from_slice(float(*f).as_bytes()),
            Value::Bytes(b) => {
                let items = b.iter().map(|b| Value::Int(i64::from(*b))).collect();
                let l = self.heap.add_list(List { elem: Elem::Int, items, ..List::default() });
                return self.element(&Value::List(l));
            }
            Value::List(l) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return error("toml: nested too deeply");
                }
                self.out.push(b'[');
                let n = self.heap.list(*l).items.len();
                for i in 0..n {
                    let item = self.heap.list(*l).items.get(i).cloned().unwrap_or_default();
                    let item = self.plain(&item);
                    self.element(&item)?;
                    if i + 1 != n {
                        self.out.extend_from_slice(b", ");
                    }
                }
                self.out.push(b']');
                self.depth -= 1;
            }
            Value::Map(_) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return error("toml: nested too deeply");
                }
                self.map(&[], value, true)?;
                self.depth -= 1;
            }
            Value::Object(o) => {
                if let Some(time) = o.as_any().downcast_ref::<Time>() {
                    self.out.extend(time_text(time));
                    return Ok(());
                }
                let text = o.json(self.heap);
                quote(text.as_str().map_or(&b""[..], |s| s.as_bytes()), &mut self.out);
            }
            Value::Nil => {
                return Err(TomlError::Panic("reflect: call of reflect.Value.Interface on zero Value".into()));
            }
        }
        Ok(())
    }
}

/// A float that TOML takes for one.
fn float(f: f64) -> String {
    if f.is_nan() {
        return if f.is_sign_negative() { "-nan".into() } else { "nan".into() };
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let text = format_float(f, b'g', -1, 64);
    if text.contains(['e', '.']) { text } else { format!("{text}.0") }
}

/// A time in RFC 3339; what was read from TOML without an offset goes out without one.
fn time_text(time: &Time) -> Vec<u8> {
    let layout: &[u8] = match time.location().name() {
        "datetime-local" => b"2006-01-02T15:04:05.999999999",
        "date-local" => b"2006-01-02",
        "time-local" => b"15:04:05.999999999",
        _ => return time.format(RFC3339_NANO),
    };
    time.in_location(Location::utc()).format(layout)
}
