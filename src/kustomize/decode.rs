//! Configuration as Go's `encoding/json` decodes it into structs: names in any case, the first error in the order of the text,
//! and Go's words for it.
//!
//! kustomize's messages about a wrong kustomization file are those words, so the struct and field names in them are Go's.

use super::json::Json;
use super::resource::Pairs;
use crate::golang::strconv::format_float;

pub struct Decoder {
    /// A field that the struct does not have is an error.
    strict: bool,
    /// A number or truth value where a text is wanted becomes one (`yaml.Unmarshal` of sigs.k8s.io/yaml).
    lenient: bool,
    path: Vec<String>,
    /// Where in the JSON the decoder is: the place among the entries, level by level.
    at: Vec<u32>,
    /// The earliest error.
    error: Option<(Vec<u32>, String)>,
}

/// The fields of a JSON object while a struct is filled from them.
pub struct Fields<'j, 'd> {
    entries: &'j [(String, Json)],
    used: Vec<bool>,
    strukt: &'static str,
    decoder: &'d mut Decoder,
}

impl Decoder {
    pub fn new(strict: bool, lenient: bool) -> Self {
        Self { strict, lenient, path: Vec::new(), at: Vec::new(), error: None }
    }

    /// Fills a struct of this name (package included in errors) from the whole document.
    pub fn root(&mut self, json: &Json, name: &'static str, fill: &mut dyn FnMut(&mut Fields<'_, '_>)) {
        match json {
            Json::Map(entries) => self.object(entries, name, fill),
            Json::Null => self.object(&[], name, fill),
            other => {
                let package = if name == "TransformerConfig" { "builtinconfig" } else { "types" };
                self.fail(format!("json: cannot unmarshal {} into Go value of type {package}.{name}", other.kind()));
                self.object(&[], name, fill);
            }
        }
    }

    pub fn finish(self) -> Result<(), String> {
        self.error.map_or(Ok(()), |(_, text)| Err(text))
    }

    fn fail(&mut self, text: String) {
        if self.error.as_ref().is_none_or(|(at, _)| self.at < *at) {
            self.error = Some((self.at.clone(), text));
        }
    }

    fn mismatch(&mut self, strukt: &str, value: &str, wanted: &str) {
        let field = self.path.join(".");
        self.fail(format!("json: cannot unmarshal {value} into Go struct field {strukt}.{field} of type {wanted}"));
    }

    fn object(&mut self, entries: &[(String, Json)], strukt: &'static str, fill: &mut dyn FnMut(&mut Fields<'_, '_>)) {
        let mut fields = Fields { entries, used: vec![false; entries.len()], strukt, decoder: self };
        fill(&mut fields);
        let Fields { used, .. } = fields;
        if self.strict {
            for (i, (key, _)) in entries.iter().enumerate().filter(|(i, _)| !used[*i]) {
                self.at.push(i as u32);
                self.fail(format!("json: unknown field {}", crate::golang::strconv::quote(key.as_bytes())));
                self.at.pop();
            }
        }
    }

    fn text(&mut self, strukt: &str, value: &Json) -> String {
        match value {
            Json::Str(s) => s.clone(),
            Json::Null => String::new(),
            Json::Int(n) if self.lenient => n.to_string(),
            Json::Uint(n) if self.lenient => n.to_string(),
            Json::Float(f) if self.lenient => format_float(*f, b'g', -1, 64),
            Json::Bool(b) if self.lenient => b.to_string(),
            other => {
                self.mismatch(strukt, other.kind(), "string");
                String::new()
            }
        }
    }
}

impl<'j> Fields<'j, '_> {
    /// The value of a field; null counts as absent.
    fn value(&mut self, name: &str) -> Option<(u32, &'j Json)> {
        let mut found = None;
        for (i, (key, value)) in self.entries.iter().enumerate() {
            if key == name || key.eq_ignore_ascii_case(name) {
                self.used[i] = true;
                found = Some((i as u32, value));
            }
        }
        found.filter(|(_, value)| !matches!(value, Json::Null))
    }

    /// Calls `f` with the field's value while the decoder stands there.
    fn enter<R>(&mut self, name: &str, f: impl FnOnce(&mut Decoder, &'static str, &'j Json) -> R) -> Option<R> {
        let (i, value) = self.value(name)?;
        self.decoder.path.push(name.to_owned());
        self.decoder.at.push(i);
        let out = f(self.decoder, self.strukt, value);
        self.decoder.at.pop();
        self.decoder.path.pop();
        Some(out)
    }

    /// True if the field is there and not null.
    pub fn has(&mut self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Fields of an embedded struct, whose name appears in errors. Numbers and truth values are no texts there: sigs.k8s.io/yaml looks at the
    /// embedded struct where it should look at the field.
    pub fn embed<R>(&mut self, name: &str, f: &mut dyn FnMut(&mut Self) -> R) -> R {
        self.decoder.path.push(name.to_owned());
        let lenient = std::mem::replace(&mut self.decoder.lenient, false);
        let out = f(self);
        self.decoder.lenient = lenient;
        self.decoder.path.pop();
        out
    }

    pub fn string(&mut self, name: &str) -> String {
        self.enter(name, |d, strukt, value| d.text(strukt, value)).unwrap_or_default()
    }

    /// A text of a type of its own, which is Go's name for it in errors.
    pub fn string_of(&mut self, name: &str, ty: &str) -> String {
        self.enter(name, |d, strukt, value| match value {
            Json::Str(s) => s.clone(),
            other => {
                d.mismatch(strukt, other.kind(), ty);
                String::new()
            }
        })
        .unwrap_or_default()
    }

    pub fn opt_string(&mut self, name: &str) -> Option<String> {
        self.enter(name, |d, strukt, value| d.text(strukt, value))
    }

    pub fn bool(&mut self, name: &str) -> bool {
        self.enter(name, |d, strukt, value| match value {
            Json::Bool(b) => *b,
            other => {
                d.mismatch(strukt, other.kind(), "bool");
                false
            }
        })
        .unwrap_or_default()
    }

    /// An integer; `ty` is Go's name of its type.
    pub fn int(&mut self, name: &str, ty: &str) -> i64 {
        self.enter(name, |d, strukt, value| match value {
            Json::Int(n) => *n,
            Json::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => *f as i64,
            Json::Float(_) | Json::Uint(_) => {
                d.mismatch(strukt, &format!("number {}", value.encode()), ty);
                0
            }
            other => {
                d.mismatch(strukt, other.kind(), ty);
                0
            }
        })
        .unwrap_or_default()
    }

    /// A list of texts.
    pub fn strings(&mut self, name: &str, ty: &str, item: &str) -> Vec<String> {
        self.enter(name, |d, strukt, value| match value {
            Json::List(items) => items
                .iter()
                .enumerate()
                .map(|(i, value)| {
                    d.at.push(i as u32);
                    let ok = match value {
                        Json::Str(_) | Json::Null => true,
                        Json::List(_) | Json::Map(_) => false,
                        _ => d.lenient,
                    };
                    let text = if ok {
                        d.text(strukt, value)
                    } else {
                        d.mismatch(strukt, value.kind(), item);
                        String::new()
                    };
                    d.at.pop();
                    text
                })
                .collect(),
            other => {
                d.mismatch(strukt, other.kind(), ty);
                Vec::new()
            }
        })
        .unwrap_or_default()
    }

    /// A map of texts; `None` if it is absent.
    pub fn pairs(&mut self, name: &str) -> Option<Pairs> {
        self.enter(name, |d, strukt, value| match value {
            Json::Map(entries) => entries
                .iter()
                .enumerate()
                .map(|(i, (key, value))| {
                    d.at.push(i as u32);
                    let text = d.text(strukt, value);
                    d.at.pop();
                    (key.clone(), text)
                })
                .collect(),
            other => {
                d.mismatch(strukt, other.kind(), "map[string]string");
                Pairs::new()
            }
        })
    }

    /// A list of structs. `ty` is the list's type, `item` the struct's name; its package is that of `ty`'s items.
    pub fn list(&mut self, name: &str, ty: &str, item: &'static str, fill: &mut dyn FnMut(&mut Fields<'_, '_>)) {
        self.enter(name, |d, strukt, value| match value {
            Json::List(items) => {
                for (i, value) in items.iter().enumerate() {
                    d.at.push(i as u32);
                    match value {
                        Json::Map(entries) => d.object(entries, item, fill),
                        Json::Null => d.object(&[], item, fill),
                        other => {
                            let package = match ty {
                                "builtinconfig.nbrSlice" => "builtinconfig",
                                "[]builtins.Target" => "builtins",
                                _ => "types",
                            };
                            d.mismatch(strukt, other.kind(), &format!("{package}.{item}"));
                        }
                    }
                    d.at.pop();
                }
            }
            other => d.mismatch(strukt, other.kind(), ty),
        });
    }

    /// A struct behind a pointer; true if it is there.
    pub fn object(&mut self, name: &str, strukt: &'static str, fill: &mut dyn FnMut(&mut Fields<'_, '_>)) -> bool {
        self.enter(name, |d, outer, value| match value {
            Json::Map(entries) => d.object(entries, strukt, fill),
            other => d.mismatch(outer, other.kind(), &format!("types.{strukt}")),
        })
        .is_some()
    }

    /// Any value at all.
    pub fn any(&mut self, name: &str) -> Option<&'j Json> {
        self.value(name).map(|(_, value)| value)
    }
}
