//! One value under one verb: which layout a kind takes, methods that print, and the walk into maps, lists and structs.

use std::collections::HashSet;

use super::Unprintable;
use crate::golang::fmt::{Digits, Spec};
use crate::golang::unicode::push_rune;
use crate::value::{Heap, Kind, ListId, MapId, Object, ObjectRef, Value};

/// Cycles are looked for only below this many nested containers.
const CYCLES_FROM: usize = 1000;

type Printed = Result<(), Unprintable>;

/// Go's `pp`: where the text goes, and how the current verb wants it.
pub(super) struct Walker<'a> {
    pub heap: &'a mut Heap,
    pub out: &'a mut Vec<u8>,
    pub spec: Spec,
    limit: usize,
    /// Inside a `%!verb(type=value)`: methods are not called.
    erroring: bool,
}

/// A container whose elements are being printed.
struct Open {
    what: Container,
    /// The next element.
    next: usize,
    close: u8,
    /// Reached through an unexported field: methods are not called.
    hidden: bool,
}

enum Container {
    Map(MapId),
    List(ListId),
    /// Elements of an object of map kind.
    Pairs(Vec<(Value, Value)>),
    /// Elements of an object of slice kind.
    Items(Vec<Value>),
    Fields(Vec<(&'static str, Value)>),
}

impl<'a> Walker<'a> {
    pub fn new(heap: &'a mut Heap, out: &'a mut Vec<u8>, limit: usize) -> Self {
        Self { heap, out, spec: Spec::default(), limit, erroring: false }
    }

    /// Fails once the text is too long.
    pub fn check(&self) -> Printed {
        if self.out.len() > self.limit { Err(Unprintable::TooLong) } else { Ok(()) }
    }

    fn push(&mut self, s: &str) {
        self.out.extend_from_slice(s.as_bytes());
    }

    /// An argument of the call: Go's `printArg`.
    pub fn argument(&mut self, v: &Value, verb: char) -> Printed {
        match (v, verb) {
            (Value::Nil, 'v' | 'T') => self.spec.pad(self.out, b"<nil>"),
            (Value::Nil, _) => return self.bad_verb(verb, v, true),
            (_, 'T') => {
                let ty = v.go_type(self.heap);
                self.spec.string(self.out, ty.as_bytes());
            }
            (_, 'p') => return self.pointer(v, verb, true),
            // An error to wrap is only known to `Errorf`.
            (Value::Map(_) | Value::List(_) | Value::Object(_), 'w') if !self.erroring => {
                return self.bad_verb(verb, v, true);
            }
            (Value::Bytes(b), 'v' | 'd') if self.spec.sharp_v => self.go_bytes(b),
            _ => self.walk(v, verb, true)?,
        }
        self.check()
    }

    /// What an action of a template prints: `%v` of what a pointer points to.
    pub fn action(&mut self, v: &Value) -> Printed {
        match v {
            Value::Object(o) if o.kind() == Kind::Ptr && o.string().is_none() => {
                let mut text = Vec::new();
                std::mem::swap(self.out, &mut text);
                let printed = self.argument(v, 'v');
                std::mem::swap(self.out, &mut text);
                self.out.extend_from_slice(text.strip_prefix(b"&").unwrap_or(&text));
                printed.and_then(|()| self.check())
            }
            _ => self.argument(v, 'v'),
        }
    }

    /// `%!verb(type=value)`. `argument`: the value is an argument of the call, not an element of one.
    fn bad_verb(&mut self, verb: char, v: &Value, argument: bool) -> Printed {
        self.push("%!");
        push_rune(self.out, verb);
        let ty = v.go_type(self.heap);
        self.push("(");
        self.push(&ty);
        if !v.is_nil() {
            self.push("=");
            let before = std::mem::replace(&mut self.erroring, true);
            let printed = if argument { self.argument(v, 'v') } else { self.walk(v, 'v', true) };
            self.erroring = before;
            printed?;
        }
        self.push(")");
        self.check()
    }

    /// The value and all inside it. `top`: as an argument and not as an element.
    fn walk(&mut self, v: &Value, verb: char, top: bool) -> Printed {
        let mut open = Vec::new();
        let mut path = HashSet::new();
        self.enter(v, verb, top, false, &mut open)?;
        while let Some(last) = open.last_mut() {
            let hidden = last.hidden;
            let separate = last.next > 0;
            let mut name = None;
            let mut key = None;
            let element = match &last.what {
                Container::Map(m) => self.heap.map(*m).entry_at(last.next).map(|(k, v)| {
                    key = Some(Value::Str(k.clone()));
                    v.clone()
                }),
                Container::List(l) => self.heap.list(*l).items.get(last.next).cloned(),
                Container::Items(items) => items.get(last.next).cloned(),
                Container::Pairs(pairs) => pairs.get(last.next).map(|(k, v)| {
                    key = Some(k.clone());
                    v.clone()
                }),
                Container::Fields(fields) => fields.get(last.next).map(|(n, v)| {
                    name = Some(*n);
                    v.clone()
                }),
            };
            let Some(element) = element else {
                self.out.push(last.close);
                if let Some(id) = identity(&last.what) {
                    path.remove(&id);
                }
                open.pop();
                continue;
            };
            last.next += 1;
            if separate {
                self.push(if self.spec.sharp_v { ", " } else { " " });
            }
            if let Some(key) = key {
                self.enter(&key, verb, false, hidden, &mut open)?;
                self.push(":");
            }
            let mut hidden = hidden;
            if let Some(name) = name {
                hidden |= !name.starts_with(|c: char| c.is_ascii_uppercase());
                if self.spec.sharp_v || self.spec.plus_v {
                    self.push(name);
                    self.push(":");
                }
            }
            let before = open.len();
            self.enter(&element, verb, false, hidden, &mut open)?;
            if open.len() > before.max(CYCLES_FROM)
                && let Some(id) = open.last().and_then(|o| identity(&o.what))
                && !path.insert(id)
            {
                return Err(Unprintable::Cycle);
            }
            self.check()?;
        }
        Ok(())
    }

    /// Prints a scalar, or opens a container.
    fn enter(&mut self, v: &Value, verb: char, top: bool, hidden: bool, open: &mut Vec<Open>) -> Printed {
        let spec = self.spec;
        match v {
            Value::Nil => self.push(if spec.sharp_v { "interface {}(nil)" } else { "<nil>" }),
            Value::Bool(b) if matches!(verb, 't' | 'v') => spec.boolean(self.out, *b),
            Value::Int(n) | Value::Int64(n) => return self.integer(v, *n as u64, true, verb, top),
            Value::OtherInt(kind, n) => return self.integer(v, n.get(*kind) as u64, !kind.is_uint(), verb, top),
            Value::Float(f) => {
                if !self.float(*f, verb) {
                    return self.bad_verb(verb, v, top);
                }
            }
            Value::Str(s) => {
                if !self.string(s, verb) {
                    return self.bad_verb(verb, v, top);
                }
            }
            Value::Bytes(b) => return self.bytes(b, verb),
            Value::Map(m) => {
                let (m, nil) = (*m, self.heap.map(*m).nil);
                if self.open_bracket(v, "map[", nil) {
                    self.opened(Container::Map(m), hidden, open);
                }
            }
            Value::List(l) => {
                let (l, nil) = (*l, self.heap.list(*l).nil);
                if self.open_bracket(v, "[", nil) {
                    self.opened(Container::List(l), hidden, open);
                }
            }
            Value::Object(o) => return self.object(v, o, verb, top, hidden, open),
            Value::Bool(_) => return self.bad_verb(verb, v, top),
        }
        Ok(())
    }

    /// `[`, `map[` or, in Go syntax, the type and a brace. False if that was all, for a nil.
    fn open_bracket(&mut self, v: &Value, plain: &str, nil: bool) -> bool {
        if self.spec.sharp_v {
            let ty = v.go_type(self.heap);
            self.push(&ty);
            self.push(if nil { "(nil)" } else { "{" });
            return !nil;
        }
        self.push(plain);
        true
    }

    fn opened(&self, what: Container, hidden: bool, open: &mut Vec<Open>) {
        let braces = self.spec.sharp_v || matches!(what, Container::Fields(_));
        open.push(Open { what, next: 0, close: if braces { b'}' } else { b']' }, hidden });
    }

    fn integer(&mut self, v: &Value, bits: u64, signed: bool, verb: char, top: bool) -> Printed {
        let spec = self.spec;
        let (base, digits) = match verb {
            'v' if spec.sharp_v && !signed => {
                spec.hex0x(self.out, bits, true);
                return Ok(());
            }
            'v' | 'd' => (10, Digits::Lower),
            'b' => (2, Digits::Lower),
            'o' | 'O' => (8, Digits::Lower),
            'x' => (16, Digits::Lower),
            'X' => (16, Digits::Upper),
            'c' => {
                spec.character(self.out, bits);
                return Ok(());
            }
            'q' => {
                spec.quoted_character(self.out, bits);
                return Ok(());
            }
            'U' => {
                spec.unicode(self.out, bits);
                return Ok(());
            }
            _ => return self.bad_verb(verb, v, top),
        };
        spec.integer(self.out, bits, base, signed, verb, digits);
        Ok(())
    }

    /// False if the verb is not one for floats.
    fn float(&mut self, f: f64, verb: char) -> bool {
        let (letter, precision) = match verb {
            'v' => (b'g', -1),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb as u8, -1),
            'f' | 'e' | 'E' => (verb as u8, 6),
            'F' => (b'f', 6),
            _ => return false,
        };
        self.spec.float(self.out, f, 64, letter, precision);
        true
    }

    /// False if the verb is not one for strings.
    fn string(&mut self, s: &[u8], verb: char) -> bool {
        let spec = self.spec;
        match verb {
            'v' if spec.sharp_v => spec.quoted(self.out, s),
            'v' | 's' => spec.string(self.out, s),
            'x' => spec.hex_bytes(self.out, s, Digits::Lower),
            'X' => spec.hex_bytes(self.out, s, Digits::Upper),
            'q' => spec.quoted(self.out, s),
            _ => return false,
        }
        true
    }

    /// Go syntax of an argument: elements of other containers are `[]uint8`.
    fn go_bytes(&mut self, bytes: &[u8]) {
        self.push("[]byte{");
        for (i, &b) in bytes.iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.spec.hex0x(self.out, b.into(), true);
        }
        self.push("}");
    }

    fn bytes(&mut self, bytes: &[u8], verb: char) -> Printed {
        if matches!(verb, 's' | 'x' | 'X' | 'q') {
            self.string(bytes, verb);
            return Ok(());
        }
        let (first, between, last) = if self.spec.sharp_v { ("[]uint8{", ", ", "}") } else { ("[", " ", "]") };
        self.push(first);
        for (i, &b) in bytes.iter().enumerate() {
            if i > 0 {
                self.push(between);
            }
            let element = Value::OtherInt(Kind::Uint8, b.into());
            self.integer(&element, b.into(), false, verb, false)?;
            self.check()?;
        }
        self.push(last);
        Ok(())
    }

    /// `GoString`, `Error` or `String`, where the verb is one for them.
    fn by_method(&mut self, o: &dyn Object, verb: char) -> bool {
        if self.erroring {
            return false;
        }
        if self.spec.sharp_v {
            let Some(Ok(Value::Str(s))) = o.method(self.heap, "GoString", &[]) else { return false };
            self.spec.string(self.out, &s);
            return true;
        }
        if !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') || o.complex().is_some() {
            return false;
        }
        match o.string() {
            Some(s) => self.string(s.as_bytes(), verb),
            None => false,
        }
    }

    fn object(
        &mut self,
        v: &Value,
        o: &ObjectRef,
        verb: char,
        top: bool,
        hidden: bool,
        open: &mut Vec<Open>,
    ) -> Printed {
        if !hidden && self.by_method(&**o, verb) {
            return Ok(());
        }
        match o.kind() {
            kind if kind.is_int() || kind.is_uint() => {
                let n = o.int().unwrap_or(0);
                return self.integer(v, n as u64, kind.is_int(), verb, top);
            }
            Kind::Complex128 => return self.complex(v, o.complex().unwrap_or((0.0, 0.0)), verb, top),
            Kind::String => {
                if !self.string(o.string().unwrap_or_default().as_bytes(), verb) {
                    return self.bad_verb(verb, v, top);
                }
            }
            Kind::Struct => {
                if self.spec.sharp_v {
                    self.push(&o.go_type());
                }
                self.push("{");
                let fields = o.fields(self.heap);
                self.opened(Container::Fields(fields), hidden, open);
            }
            // A pointer to a struct is followed at the top only, and not if it is nil.
            Kind::Ptr if top && o.int().is_none() => {
                self.push("&");
                if self.spec.sharp_v {
                    self.push(o.go_type().trim_start_matches('*'));
                }
                self.push("{");
                let fields = o.fields(self.heap);
                self.opened(Container::Fields(fields), hidden, open);
            }
            Kind::Map => {
                let pairs = o.elements(self.heap).unwrap_or_default();
                if self.open_bracket(v, "map[", false) {
                    self.opened(Container::Pairs(pairs), hidden, open);
                }
            }
            Kind::Slice => {
                let items = o.elements(self.heap).unwrap_or_default().into_iter().map(|(_, v)| v).collect();
                if self.open_bracket(v, "[", false) {
                    self.opened(Container::Items(items), hidden, open);
                }
            }
            _ => return self.pointer(v, verb, top),
        }
        Ok(())
    }

    fn complex(&mut self, v: &Value, (re, im): (f64, f64), verb: char, top: bool) -> Printed {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(verb, v, top);
        }
        let before = self.spec;
        self.push("(");
        self.float(re, verb);
        // The imaginary part always has its sign.
        self.spec.plus = true;
        self.float(im, verb);
        self.push("i)");
        self.spec = before;
        Ok(())
    }

    /// An address. Go's differ from run to run; these are only unique in a render.
    fn pointer(&mut self, v: &Value, verb: char, top: bool) -> Printed {
        const FIRST: u64 = 0xc0_0000_0000;
        let address = match v {
            Value::Map(m) if self.heap.map(*m).nil => 0,
            Value::Map(m) => FIRST + m.number() * 48,
            Value::List(l) if self.heap.list(*l).nil => 0,
            Value::List(l) => FIRST * 2 + l.number() * 24,
            Value::Bytes(_) => FIRST * 3,
            Value::Object(o) if matches!(o.kind(), Kind::Ptr | Kind::Map | Kind::Slice | Kind::Func) => {
                o.int().map_or(FIRST * 3, |n| n as u64)
            }
            _ => return self.bad_verb(verb, v, top),
        };
        let spec = self.spec;
        match verb {
            'v' if spec.sharp_v => {
                let ty = v.go_type(self.heap);
                self.push(&format!("({ty})("));
                if address == 0 {
                    self.push("nil");
                } else {
                    spec.hex0x(self.out, address, true);
                }
                self.push(")");
            }
            'v' if address == 0 => spec.pad(self.out, b"<nil>"),
            'v' | 'p' => spec.hex0x(self.out, address, !spec.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => return self.integer(v, address, false, verb, top),
            _ => return self.bad_verb(verb, v, top),
        }
        Ok(())
    }
}

/// What tells one container from another.
fn identity(what: &Container) -> Option<(bool, u64)> {
    match what {
        Container::Map(m) => Some((true, m.number())),
        Container::List(l) => Some((false, l.number())),
        _ => None,
    }
}
