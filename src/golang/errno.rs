//! What Go says of errors of the operating system.

use std::io;

/// The text of `syscall.Errno`: lower case, without a number.
pub fn text(e: &io::Error) -> String {
    if e.raw_os_error().is_none() {
        return match e.kind() {
            io::ErrorKind::UnexpectedEof => "unexpected EOF".into(),
            _ => e.to_string(),
        };
    }
    let shown = e.to_string();
    let shown = shown.split(" (os error").next().unwrap_or(&shown);
    let mut chars = shown.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

/// The text of `fs.PathError`: `open x: no such file or directory`.
pub fn path_error(op: &str, path: &str, e: &io::Error) -> String {
    format!("{op} {path}: {}", text(e))
}

/// The text of what `os.ReadFile` fails with: a directory can be opened, but not read.
pub fn read_error(path: &str, e: &io::Error) -> String {
    path_error(if e.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" }, path, e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_in_go() {
        for (code, want) in [
            (2, "open x: no such file or directory"),
            (13, "open x: permission denied"),
            (20, "open x: not a directory"),
            (40, "open x: too many levels of symbolic links"),
        ] {
            assert_eq!(path_error("open", "x", &io::Error::from_raw_os_error(code)), want);
        }
    }
}
