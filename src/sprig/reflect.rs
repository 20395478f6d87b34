//! Types and kinds as Go's reflection names them (Sprig `reflect.go`).

use crate::gotmpl::{FuncTable, State, func, pure};
use crate::value::{Str, Value};

pub fn register(table: &mut FuncTable) {
    table.add(func("typeOf", |st: &mut State, v: Value| v.go_type(&st.heap)));
    table.add(func("typeIs", |st: &mut State, target: Str, v: Value| target == *v.go_type(&st.heap)));
    table.add(func("typeIsLike", type_is_like));
    table.add(pure("kindOf", |v: Value| v.kind().name()));
    table.add(pure("kindIs", |target: Str, v: Value| target == *v.kind().name()));
}

/// `typeIsLike`: the type itself, or a pointer to it.
fn type_is_like(st: &mut State, target: Str, v: Value) -> bool {
    let ty = v.go_type(&st.heap);
    target == *ty || ty.strip_prefix('*').is_some_and(|t| target == *t)
}
