//! Errors of templates as Helm 4.3 prints them: shorter for parse errors, a trace for execution errors.
//!
//! A port of `cleanupParseError` and `reformatExecErrorMsg` of Helm 4.3 `pkg/engine/engine.go`. They work on the texts of Go's
//! errors, so their results depend on colons and quotes in these texts; that is kept.

use crate::gotmpl::{CallError, ExecCause, ExecError};

/// Put around the messages of `required` and `fail`, so that they can be found inside a longer error.
pub const WARN_START: &str = "HELM_ERR_START";
/// See [`WARN_START`].
pub const WARN_END: &str = "HELM_ERR_END";

/// A message of `required` or `fail` with its marks (Helm's `warnWrap`).
pub fn warn_wrap(message: &str) -> String {
    format!("{WARN_START}{message}{WARN_END}")
}

/// `template: FILE:LINE: a: b` → `parse error at (FILE:LINE): b`.
pub fn cleanup_parse_error(filename: &str, error: &str) -> String {
    let mut tokens = error.split(": ").skip(1);
    let Some(location) = tokens.next() else {
        return format!("parse error in ({filename}): {error}");
    };
    let message = tokens.last().unwrap_or(location);
    format!("parse error at ({location}): {message}")
}

/// The error that ended the execution of a file, as Helm prints it: the bare message of `required` and `fail`; else the places
/// it came through, one block each; else, if not every link of the chain is an error of text/template, Go's own one line.
pub fn reformat_exec_error(filename: &str, error: &ExecError) -> String {
    let texts = chain(error);
    let text = &texts[0];
    let mut tokens = text.splitn(3, ": ").skip(1);
    let (Some(location), Some(rest)) = (tokens.next(), tokens.next()) else {
        return format!("execution error in ({filename}): {text}");
    };
    if let Some(message) = warning(rest) {
        return format!("execution error at ({location}): {message}");
    }
    let mut trace: Vec<Place> = Vec::new();
    for link in &texts {
        let Some(place) = Place::parse(link) else {
            return text.clone();
        };
        if trace.last() != Some(&place) {
            trace.push(place);
        }
    }
    trace.iter().map(Place::print).collect::<String>().trim().to_owned()
}

/// The error's text and the texts of the errors inside, as `errors.Unwrap` gives them; never empty.
fn chain(error: &ExecError) -> Vec<String> {
    let mut texts = Vec::new();
    let mut current = error;
    loop {
        texts.push(current.to_string());
        match &current.cause {
            ExecCause::Call { error: CallError::Exec(inner), .. } => current = inner,
            ExecCause::Call { error: CallError::Msg(m) | CallError::Limit(m), .. } => {
                texts.push(m.clone());
                return texts;
            }
            ExecCause::Msg(_) => return texts,
        }
    }
}

/// What stands between the first start mark and the last end mark.
fn warning(text: &str) -> Option<&str> {
    let (_, after) = text.split_once(WARN_START)?;
    after.rfind(WARN_END).map(|end| &after[..end])
}

/// One block of the trace (Helm's `TraceableError`).
#[derive(Debug, PartialEq, Eq)]
struct Place {
    location: String,
    function: String,
    message: String,
}

impl Place {
    fn parse(error: &str) -> Option<Self> {
        let rest = error.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Self { location: String::new(), function: String::new(), message: error.into() });
        }
        Self::parse_executing(rest).or_else(|| Self::parse_simple(rest))
    }

    /// `NAME:LINE:COL: executing "FUNCTION" at <NODE>: MESSAGE`.
    fn parse_executing(rest: &str) -> Option<Self> {
        let (location, after) = rest.split_once(": executing ")?;
        let (function, after) = after.strip_prefix('"')?.split_once('"')?;
        let (node, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
        Some(Self {
            location: location.into(),
            function: format!("executing \"{function}\" at <{node}>:"),
            message: cut_chained(message).into(),
        })
    }

    /// `NAME: MESSAGE`, cut at the last colon.
    fn parse_simple(rest: &str) -> Option<Self> {
        let (location, message) = rest.rsplit_once(": ")?;
        Some(Self { location: location.into(), function: String::new(), message: cut_chained(message).into() })
    }

    fn print(&self) -> String {
        let mut out = String::new();
        for (text, after) in [(&self.location, "\n  "), (&self.function, "\n    "), (&self.message, "\n")] {
            if !text.is_empty() {
                out.push_str(text);
                out.push_str(after);
            }
        }
        out
    }
}

/// The message without the next error of the chain.
fn cut_chained(message: &str) -> &str {
    message.split_once(" template:").map_or(message, |(own, _)| own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(template: &str, line: usize, node: &str, cause: ExecCause) -> ExecError {
        ExecError { parse_name: template.into(), line, col: 3, template: template.into(), node: node.into(), cause }
    }

    fn call(func: &str, error: CallError) -> ExecCause {
        ExecCause::Call { func: func.into(), error }
    }

    #[test]
    fn parse_errors_keep_place_and_last_part() {
        let cases = [
            ("template: c/a.yaml:3: unclosed action", "parse error at (c/a.yaml:3): unclosed action"),
            ("template: c/a.yaml:3: bad number syntax: \"3-\"", "parse error at (c/a.yaml:3): \"3-\""),
            ("template: c/a.yaml", "parse error at (c/a.yaml): c/a.yaml"),
            ("odd", "parse error in (f): odd"),
        ];
        for (text, want) in cases {
            assert_eq!(cleanup_parse_error("f", text), want);
        }
    }

    #[test]
    fn execution_errors() {
        let msg = |s: &str| ExecCause::Msg(s.into());
        let inner = error("t", 2, ".x.y", msg("nil pointer evaluating interface {}.y"));
        let cases = [
            (
                error("c/a.yaml", 1, ".x.y", msg("nil pointer evaluating interface {}.y")),
                "c/a.yaml:1:3\n  executing \"c/a.yaml\" at <.x.y>:\n    nil pointer evaluating interface {}.y",
            ),
            (
                error("c/a.yaml", 1, "include \"t\" .", call("include", CallError::Exec(Box::new(inner)))),
                "c/a.yaml:1:3\n  executing \"c/a.yaml\" at <include \"t\" .>:\n    error calling include:\n\
                 t:2:3\n  executing \"t\" at <.x.y>:\n    nil pointer evaluating interface {}.y",
            ),
            (
                error("c/a.yaml", 1, "fail", call("fail", CallError::msg(warn_wrap("so: \nnot")))),
                "execution error at (c/a.yaml:1:3): so: \nnot",
            ),
            (
                error("c/a.yaml", 1, "index", call("index", CallError::msg("index out of range: 10"))),
                "template: c/a.yaml:1:3: executing \"c/a.yaml\" at <index>: error calling index: index out of range: 10",
            ),
            (
                error(
                    "c/a.yaml",
                    1,
                    "include \"u\"",
                    call("include", CallError::msg("template: no template \"u\" associated with template \"gotpl\"")),
                ),
                "c/a.yaml:1:3\n  executing \"c/a.yaml\" at <include \"u\">:\n    error calling include:\n\
                 template: no template \"u\" associated with template \"gotpl\"",
            ),
        ];
        for (e, want) in cases {
            assert_eq!(reformat_exec_error("c/a.yaml", &e), want);
        }
    }
}
