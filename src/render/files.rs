//! `.Files`: the chart's other files, as Helm's `pkg/engine/files.go` offers them.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;

use crate::chart::Contents;
use crate::golang::{glob, path};
use crate::value::{Heap, Kind, Object, Str, Value};
use crate::yaml;

/// `engine.files`: path → content, in byte order of the paths.
#[derive(Debug, Clone, Default)]
pub struct Files(pub Arc<BTreeMap<String, Contents>>);

impl Files {
    fn get(&self, name: &Str) -> Option<&Contents> {
        std::str::from_utf8(name.as_bytes()).ok().and_then(|n| self.0.get(n))
    }

    /// The files that match a gobwas glob with `/` as separator; a pattern that does not compile matches all, as in Helm.
    fn glob(&self, pattern: &Str) -> Self {
        let all = |_: &str| true;
        let compiled = glob::Glob::new(&pattern.to_text(), &['/']);
        let keep: Box<dyn Fn(&str) -> bool> = match &compiled {
            Ok(g) => Box::new(move |n| g.matches(n)),
            Err(_) => Box::new(all),
        };
        Self(Arc::new(self.0.iter().filter(|(k, _)| keep(k)).map(|(k, v)| (k.clone(), v.clone())).collect()))
    }

    /// Base names to text, as YAML. Where base names collide Helm keeps a random one; here the last path in byte order wins.
    fn flatten(&self, heap: &mut Heap, text: impl Fn(&[u8]) -> Value) -> Value {
        let entries: Vec<(Str, Value)> =
            self.0.iter().map(|(k, v)| (Str::new(path::base(k.as_bytes())), text(v))).collect();
        let map = heap.map_of(entries);
        Value::str(yaml::to_yaml_or_empty(heap, &Value::Map(map)))
    }

    fn lines(&self, heap: &mut Heap, name: &Str) -> Value {
        let Some(text) = self.get(name).filter(|t| !t.is_empty()) else {
            return Value::List(heap.strings(Vec::<Str>::new()));
        };
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        Value::List(heap.strings(text.split(|b| *b == b'\n').map(Str::new)))
    }
}

impl Object for Files {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn go_type(&self) -> Cow<'static, str> {
        "engine.files".into()
    }
    fn kind(&self) -> Kind {
        Kind::Map
    }
    fn truth(&self) -> bool {
        !self.0.is_empty()
    }
    /// A key of the map; a missing one is an empty `[]byte`.
    fn field(&self, _heap: &mut Heap, name: &str) -> Option<Value> {
        Some(Value::Bytes(self.0.get(name).map_or_else(Arc::default, |data| data.shared().clone())))
    }
    fn method(&self, heap: &mut Heap, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        let arity = match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => 1,
            "AsConfig" | "AsSecrets" => 0,
            _ => return None,
        };
        if args.len() != arity {
            return Some(Err(format!("wrong number of args for {name}: want {arity} got {}", args.len())));
        }
        let text = match args.first() {
            None => Str::default(),
            Some(Value::Str(s)) => s.clone(),
            Some(other) => {
                return Some(Err(format!("wrong type for value; expected string; got {}", other.go_type(heap))));
            }
        };
        Some(Ok(match name {
            "Get" => self.get(&text).map_or_else(|| Value::str(""), Value::str),
            "GetBytes" => Value::Bytes(self.get(&text).map_or_else(Arc::default, |data| data.shared().clone())),
            "Glob" => Value::object(self.glob(&text)),
            "Lines" => self.lines(heap, &text),
            "AsConfig" => self.flatten(heap, |b| Value::str(b)),
            _ => self.flatten(heap, |b| Value::str(base64::engine::general_purpose::STANDARD.encode(b))),
        }))
    }
    fn method_params(&self, name: &str) -> Option<&'static [&'static str]> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(&["string"]),
            "AsConfig" | "AsSecrets" => Some(&[]),
            _ => None,
        }
    }
    fn json(&self, heap: &mut Heap) -> Value {
        Value::Map(heap.map_of(self.0.iter().map(|(k, v)| (k.as_str(), Value::Bytes(v.shared().clone())))))
    }
    fn elements(&self, _heap: &mut Heap) -> Option<Vec<(Value, Value)>> {
        Some(self.0.iter().map(|(k, v)| (Value::str(k), Value::Bytes(v.shared().clone()))).collect())
    }
}
