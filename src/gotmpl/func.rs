//! Template functions from plain Rust functions.
//!
//! A function says with its argument types what Go's reflection knows of the original's signature, and the executor checks and
//! converts arguments as text/template does before it calls (so `wrong type for value; expected string; got float64` is said in
//! one place). The function then gets what it declared and never checks again:
//!
//! ```text
//! fn trunc(n: Int, s: Str) -> Str { … }
//! fn repeat(st: &mut State, n: Int, s: Str) -> Result<Str, CallError> { … }
//! table.add(pure("trunc", trunc));
//! table.add(func("repeat", repeat));
//! ```

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::State;
use crate::value::{Kind, ListId, MapId, Str, Value};

/// Why a call failed.
#[derive(Debug)]
pub enum CallError {
    /// The error the function returned, or the text of its Go panic: printed after `error calling NAME: `.
    Msg(String),
    /// An execution error inside (from `include`, `tpl`, `template`), with its own place.
    Exec(Box<super::ExecError>),
    /// A limit of the render was reached: ends everything.
    Limit(String),
}

impl CallError {
    pub fn msg(s: impl Into<String>) -> Self {
        Self::Msg(s.into())
    }
}

/// The Go type of a parameter or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// `interface {}`
    Any,
    Str,
    Int,
    Int64,
    /// `uint32`: the counter of `derivePassword`
    Uint32,
    Float,
    Bool,
    /// `[]interface {}`
    List,
    /// `map[string]interface {}`
    Map,
    /// An object type by its Go name, for example `time.Time`, `sprig.certificate`.
    Object(&'static str),
}

impl Ty {
    pub const fn go_type(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::List => "[]interface {}",
            Self::Map => "map[string]interface {}",
            Self::Object(n) => n,
        }
    }
}

/// The closure behind a [`Func`].
type Call = Box<dyn Fn(&mut State, &mut [Value]) -> Result<Value, CallError> + Send + Sync>;

/// A function that templates can call.
pub struct Func {
    pub name: &'static str,
    /// The fixed parameters, then, if `variadic`, the element type of the rest.
    pub params: &'static [Ty],
    pub variadic: bool,
    pub ret: Ty,
    /// The arguments have been checked and converted to `params` already; the function takes what it wants of them.
    pub call: Call,
    /// For a function that makes a text of a text and asks nothing else: the same, appended to what is there. So what is printed need not be
    /// kept first.
    pub prints: Option<Prints>,
}

/// Appends what is made of a text.
pub type Prints = fn(&[u8], &mut Vec<u8>);

impl Func {
    /// The same function, with what it makes of one text alone.
    pub fn printing(self, prints: Prints) -> Self {
        Self { prints: Some(prints), ..self }
    }
}

/// About how many functions Helm has.
const USUAL: usize = 256;

/// A quick hash for the names of functions: every action looks up some, and nobody but this program chooses what is in the table.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn finish(&self) -> u64 {
        // The table looks at the high bits and at the low ones.
        self.0 ^ (self.0 >> 32)
    }
}

/// All functions of an engine, by name.
pub struct FuncTable {
    funcs: Vec<Func>,
    by_name: HashMap<&'static str, usize, BuildHasherDefault<NameHasher>>,
    values_methods: Vec<Func>,
}

impl Default for FuncTable {
    fn default() -> Self {
        Self::new()
    }
}

impl FuncTable {
    pub fn new() -> Self {
        Self {
            funcs: Vec::with_capacity(USUAL),
            by_name: HashMap::with_capacity_and_hasher(USUAL, BuildHasherDefault::default()),
            values_methods: Vec::new(),
        }
    }

    /// Adds a function; a later one of the same name replaces the earlier, as Go's `Funcs` does.
    pub fn add(&mut self, f: Func) {
        if let Some(&i) = self.by_name.get(f.name) {
            self.funcs[i] = f;
        } else {
            self.by_name.insert(f.name, self.funcs.len());
            self.funcs.push(f);
        }
    }

    pub fn id(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub fn get(&self, id: usize) -> &Func {
        &self.funcs[id]
    }

    /// Adds a method of maps seen as `common.Values`: a function whose first parameter is the receiver.
    pub fn add_values_method(&mut self, f: Func) {
        self.values_methods.push(f);
    }

    /// The method of `common.Values` with this name. Go looks for methods before it looks for keys.
    #[inline]
    pub fn values_method(&self, name: &[u8]) -> Option<&Func> {
        // Methods are exported: most keys are ruled out by their first letter.
        if !name.first().is_some_and(u8::is_ascii_uppercase) {
            return None;
        }
        self.values_methods.iter().find(|f| f.name.as_bytes() == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.funcs.iter().map(|f| f.name)
    }
}

/// A Rust type that stands for a Go parameter type.
pub trait Arg: Sized {
    const TY: Ty;
    const VARIADIC: bool = false;
    /// Takes what the executor has checked. `rest` is only used by [`Rest`].
    fn take(args: &mut std::slice::IterMut<'_, Value>) -> Result<Self, CallError>;
}

/// A Rust type that stands for a Go result type.
pub trait Ret {
    const TY: Ty;
    fn give(self) -> Result<Value, CallError>;
}

/// Go `int` (plain `i64` is Go `int64`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int(pub i64);

/// A variadic last parameter: `...interface{}` is `Rest<Value>`.
#[derive(Clone, Debug)]
pub struct Rest<T>(pub Vec<T>);

fn mismatch(ty: Ty, got: Option<&Value>) -> CallError {
    // The executor converts before it calls; this is said only if a table is called around it.
    CallError::Msg(format!(
        "wrong type for value; expected {}; got {}",
        ty.go_type(),
        got.map_or("nothing", |v| v.kind().name())
    ))
}

macro_rules! arg {
    ($t:ty, $ty:expr, $pat:pat => $out:expr) => {
        impl Arg for $t {
            const TY: Ty = $ty;
            fn take(args: &mut std::slice::IterMut<'_, Value>) -> Result<Self, CallError> {
                match args.next() {
                    Some($pat) => Ok($out),
                    other => Err(mismatch($ty, other.as_deref())),
                }
            }
        }
    };
}
arg!(Value, Ty::Any, v => std::mem::take(v));
arg!(Str, Ty::Str, Value::Str(s) => std::mem::take(s));
arg!(Int, Ty::Int, Value::Int(n) => Self(*n));
arg!(i64, Ty::Int64, Value::Int64(n) => *n);
arg!(u32, Ty::Uint32, Value::OtherInt(Kind::Uint32, n) => n.get(Kind::Uint32) as Self);
arg!(f64, Ty::Float, Value::Float(f) => *f);
arg!(bool, Ty::Bool, Value::Bool(b) => *b);
// `common.Values` is assignable to `map[string]interface {}`, and inside the function it is that.
arg!(MapId, Ty::Map, Value::Map(m) => m.plain());
arg!(ListId, Ty::List, Value::List(l) => *l);

impl<T: Arg> Arg for Rest<T> {
    const TY: Ty = T::TY;
    const VARIADIC: bool = true;
    fn take(args: &mut std::slice::IterMut<'_, Value>) -> Result<Self, CallError> {
        let mut all = Vec::with_capacity(args.len());
        while args.len() > 0 {
            all.push(T::take(args)?);
        }
        Ok(Self(all))
    }
}

macro_rules! ret {
    ($t:ty, $ty:expr, $v:ident => $out:expr) => {
        impl Ret for $t {
            const TY: Ty = $ty;
            fn give(self) -> Result<Value, CallError> {
                let $v = self;
                Ok($out)
            }
        }
    };
}
ret!(Value, Ty::Any, v => v);
ret!(Str, Ty::Str, v => Value::Str(v));
ret!(String, Ty::Str, v => Value::str(v));
ret!(&'static str, Ty::Str, v => Value::str(v));
ret!(Vec<u8>, Ty::Str, v => Value::str(v));
ret!(Int, Ty::Int, v => Value::Int(v.0));
ret!(i64, Ty::Int64, v => Value::Int64(v));
ret!(f64, Ty::Float, v => Value::Float(v));
ret!(bool, Ty::Bool, v => Value::Bool(v));
ret!(MapId, Ty::Map, v => Value::Map(v));
ret!(ListId, Ty::List, v => Value::List(v));

impl<R: Ret> Ret for Result<R, CallError> {
    const TY: Ty = R::TY;
    fn give(self) -> Result<Value, CallError> {
        self.and_then(Ret::give)
    }
}

/// A Rust function that can become a [`Func`]; `M` only tells the shapes apart.
pub trait IntoFunc<M>: Send + Sync + 'static {
    fn params() -> (&'static [Ty], bool);
    const RET: Ty;
    fn invoke(&self, st: &mut State, args: &mut [Value]) -> Result<Value, CallError>;
}

/// Marks functions that take the [`State`] first.
pub struct WithState<T>(std::marker::PhantomData<T>);

macro_rules! into_func {
    ($($a:ident),*) => {
        impl<F, R, $($a),*> IntoFunc<(R, $($a,)*)> for F
        where F: Fn($($a),*) -> R + Send + Sync + 'static, R: Ret, $($a: Arg),* {
            const RET: Ty = R::TY;
            fn params() -> (&'static [Ty], bool) { (const { &[$($a::TY),*] }, false $(|| $a::VARIADIC)*) }
            #[allow(non_snake_case, unused_mut, unused_variables)]
            fn invoke(&self, _st: &mut State, args: &mut [Value]) -> Result<Value, CallError> {
                let mut it = args.iter_mut();
                $(let $a = $a::take(&mut it)?;)*
                self($($a),*).give()
            }
        }
        impl<F, R, $($a),*> IntoFunc<WithState<(R, $($a,)*)>> for F
        where F: Fn(&mut State, $($a),*) -> R + Send + Sync + 'static, R: Ret, $($a: Arg),* {
            const RET: Ty = R::TY;
            fn params() -> (&'static [Ty], bool) { (const { &[$($a::TY),*] }, false $(|| $a::VARIADIC)*) }
            #[allow(non_snake_case, unused_mut, unused_variables)]
            fn invoke(&self, st: &mut State, args: &mut [Value]) -> Result<Value, CallError> {
                let mut it = args.iter_mut();
                $(let $a = $a::take(&mut it)?;)*
                self(st, $($a),*).give()
            }
        }
    };
}
into_func!();
into_func!(A);
into_func!(A, B);
into_func!(A, B, C);
into_func!(A, B, C, D);
into_func!(A, B, C, D, E);
into_func!(A, B, C, D, E, G);

fn build<M, F: IntoFunc<M>>(name: &'static str, f: F) -> Func {
    let (params, variadic) = F::params();
    Func { name, params, variadic, ret: F::RET, call: Box::new(move |st, args| f.invoke(st, args)), prints: None }
}

/// A function that works on its arguments alone.
pub fn pure<R, F: IntoFunc<R>>(name: &'static str, f: F) -> Func {
    build(name, f)
}

/// A function that takes the render's [`State`] first.
pub fn func<R, F: IntoFunc<WithState<R>>>(name: &'static str, f: F) -> Func {
    build(name, f)
}
