//! A Go template of the user's over what a command has to show: text/template with its own functions and no others.

use std::sync::Arc;

use crate::gotmpl::{FuncTable, Limits, State, SystemHost, TemplateSet, builtins, execute};
use crate::value::{Heap, Value};

use super::Failure;
use super::output::Streams;

/// Prints what the template makes of a value; what came before an error is printed, too.
///
/// # Errors
/// What is wrong with the template, in Go's words.
pub fn print(template: &str, dot: impl FnOnce(&mut Heap) -> Value, io: &mut Streams<'_>) -> Result<(), Failure> {
    let mut funcs = FuncTable::new();
    builtins::register(&mut funcs);
    let mut set = TemplateSet::new("_", Arc::new(funcs));
    set.parse("_", template.as_bytes()).map_err(|e| Failure::new(e.to_string()))?;
    let mut state = State::new(Arc::new(SystemHost::default()), Limits::default());
    let dot = dot(&mut state.heap);
    let mut out = Vec::new();
    let result = execute(&Arc::new(set), &mut state, "_", &dot, &mut out);
    io.out.write_all(&out)?;
    result.map_err(|e| Failure::new(e.to_string()))
}
