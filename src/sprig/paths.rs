//! Paths (Go's `path`; on the systems that Helm's charts are tried on, `path/filepath` is the same).

use crate::golang::path;
use crate::gotmpl::{FuncTable, pure};
use crate::value::Str;

pub fn register(table: &mut FuncTable) {
    for name in ["base", "osBase"] {
        table.add(pure(name, |s: Str| Str::new(path::base(&s))));
    }
    for name in ["dir", "osDir"] {
        table.add(pure(name, |s: Str| Str::new(path::dir(&s))));
    }
    for name in ["clean", "osClean"] {
        table.add(pure(name, |s: Str| Str::new(path::clean(&s))));
    }
    for name in ["ext", "osExt"] {
        table.add(pure(name, |s: Str| Str::new(path::ext(&s))));
    }
    for name in ["isAbs", "osIsAbs"] {
        table.add(pure(name, |s: Str| path::is_abs(&s)));
    }
}
