//! Go's `text/template`, the language only: text → tokens → tree → execution against a [`crate::value::Heap`].
//!
//! Nothing here knows Helm. What a template can call comes in as a [`FuncTable`]; what differs from run to run (clock, chance,
//! name service) comes through a [`Host`]. The reference is Go 1.26 `text/template` and `text/template/parse`.

mod apart;
pub mod ast;
pub mod builtins;
mod error;
pub mod exec;
mod func;
mod host;
mod lex;
mod number;
mod parse;
mod print;
mod set;
mod state;
pub mod trace;
mod unquote;
mod watch;

pub use apart::{apart, let_go};
pub use ast::Template;
pub use error::{ExecCause, ExecError};
pub use exec::{cores, execute, no_template, on_large_stack, spawn_large, start_large, with_large_stack};
pub use func::{Arg, CallError, Func, FuncTable, Int, Rest, Ret, Ty, func, pure};
pub use host::{FixedHost, Host, SystemHost};
pub use number::Complex;
pub use parse::{ParseError, is_empty_tree, parse, parse_shared};
pub use print::{Printed, error_context, line_col};
pub use set::{Parsed, TemplateSet};
pub use state::{Limits, State};
pub use watch::Watch;

/// What is found by names and texts of templates, which are hashed all the time. Each map has a seed by chance, as those of the standard
/// library: texts come from strangers.
pub type Names<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
