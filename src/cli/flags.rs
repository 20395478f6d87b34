//! What Helm's flags take and clap's do not: `--flag=false`, and lists in the form of CSV.
//!
//! Source: `github.com/spf13/pflag` 1.0.10 (`bool.go`, `string_slice.go`) and Go's `encoding/csv`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::{ContextKind, ErrorKind};

use crate::golang::strconv;

use super::arity;

/// One occurrence of a flag that takes a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

/// The parser of such a flag.
///
/// # Errors
/// Those of Go's CSV reader.
pub fn list(text: &str) -> Result<List, String> {
    if text.is_empty() { Ok(List::default()) } else { csv(text).map(List) }
}

/// One occurrence of a flag that takes pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

/// The parser of such a flag: `key=value`, or a list of those in the form of CSV (pflag's `string_to_string.go`).
///
/// # Errors
/// pflag's.
pub fn pairs(text: &str) -> Result<Pairs, String> {
    let parts = match text.matches('=').count() {
        0 => return Err(format!("{text} must be formatted as key=value")),
        1 => vec![text.trim_matches('"').to_owned()],
        _ => csv(text)?,
    };
    let pair = |part: &String| {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("{part} must be formatted as key=value"))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    parts.iter().map(pair).collect::<Result<_, String>>().map(Pairs)
}

/// What all occurrences name.
pub fn all(lists: &[List]) -> Vec<String> {
    lists.iter().flat_map(|list| &list.0).cloned().collect()
}

/// A duration as Go writes it.
///
/// # Errors
/// Go's.
pub fn duration(text: &str) -> Result<String, String> {
    crate::golang::duration::parse(text.as_bytes()).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

/// A truth value as Go reads it.
///
/// # Errors
/// Go's.
pub fn truth(text: &str) -> Result<String, String> {
    parse_bool(text).map(|_| text.to_owned())
}

/// A number without a sign as Go reads it.
///
/// # Errors
/// Go's.
pub fn unsigned(text: &str) -> Result<usize, String> {
    let n = strconv::parse_uint(text, 0, 64).map_err(|e| e.to_string())?;
    Ok(usize::try_from(n).unwrap_or(usize::MAX))
}

/// A whole number as Go reads it.
///
/// # Errors
/// Go's.
pub fn integer(text: &str) -> Result<i64, String> {
    strconv::parse_int(text, 0, 64).map_err(|e| e.to_string())
}

/// A number as Go reads it.
///
/// # Errors
/// Go's.
pub fn number(text: &str) -> Result<f64, String> {
    crate::golang::float::parse_float(text).map_err(|e| e.to_string())
}

/// The parser of a path, which may be empty: scripts pass the variable that nobody set, and Helm takes it for no path.
pub fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A strategy of `--wait`.
///
/// # Errors
/// Helm's.
pub fn wait(text: &str) -> Result<String, String> {
    match text {
        "watcher" | "hookOnly" | "legacy" | "true" | "false" => Ok(text.to_owned()),
        other => Err(format!("invalid wait input {other:?}. Valid inputs are watcher, hookOnly, and legacy")),
    }
}

fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", strconv::quote(other.as_bytes()))),
    }
}

/// Whether a variable holds a truth value, as Go reads it, that is true.
pub fn set_in_environment(name: &str) -> bool {
    std::env::var(name).is_ok_and(|text| parse_bool(&text) == Ok(true))
}

/// The first record of a text (Go's `csv.Reader.Read`); what follows is not looked at.
fn csv(text: &str) -> Result<Vec<String>, String> {
    let mut lines = text.split_inclusive('\n').map(|line| match line.strip_suffix("\r\n") {
        Some(line) => format!("{line}\n"),
        None => line.strip_suffix('\r').unwrap_or(line).to_owned(),
    });
    let mut number = 0;
    let first = loop {
        number += 1;
        match lines.next() {
            None => return Err("EOF".into()),
            Some(line) if line == "\n" || line.is_empty() => {}
            Some(line) => break line,
        }
    };
    let start = number;
    let wrong = |line: usize, column: usize, what: &str| {
        let record = if line == start { String::new() } else { format!("record on line {start}; ") };
        Err(format!("{record}parse error on line {line}, column {column}: {what}"))
    };
    let (bare, quote) = ("bare \" in non-quoted-field", "extraneous or missing \" in quoted-field");
    let (mut line, mut at, mut fields) = (first, 0, Vec::new());
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let Some(quoted) = rest.strip_prefix('"') else {
            let (field, more) = match rest.split_once(',') {
                Some((field, _)) => (field, true),
                None => (rest.strip_suffix('\n').unwrap_or(rest), false),
            };
            if let Some(i) = field.find('"') {
                return wrong(number, at + i + 1, bare);
            }
            fields.push(field.to_owned());
            at += field.len() + 1;
            if more {
                continue;
            }
            return Ok(fields);
        };
        let (mut field, mut left) = (String::new(), quoted.to_owned());
        at += 1;
        loop {
            match left.split_once('"') {
                Some((inside, behind)) => {
                    field.push_str(inside);
                    at += inside.len() + 1;
                    if let Some(behind) = behind.strip_prefix('"') {
                        field.push('"');
                        at += 1;
                        left = behind.to_owned();
                    } else if behind.starts_with(',') {
                        at += 1;
                        fields.push(std::mem::take(&mut field));
                        break;
                    } else if behind.is_empty() || behind == "\n" {
                        fields.push(field);
                        return Ok(fields);
                    } else {
                        return wrong(number, at, quote);
                    }
                }
                None => {
                    field.push_str(&left);
                    at += left.len();
                    match lines.next() {
                        None => return wrong(number, at + 1, quote),
                        Some(next) => {
                            (number, at) = (number + 1, 0);
                            left.clone_from(&next);
                            line = next;
                        }
                    }
                }
            }
        }
    }
}

/// The same commands with flags that take the next argument for their value whatever it is, as pflag's do: `--description "- item"`,
/// `--max -1`, even `--filter --`. Those whose value may be left out only take one behind `=`.
pub fn greedy(command: clap::Command) -> clap::Command {
    let wants = |arg: &clap::Arg| {
        let optional = arg.get_num_args().is_some_and(|n| n.min_values() == 0);
        arg.get_action().takes_values() && !arg.is_positional() && !optional
    };
    let command = command.mut_args(|arg| if wants(&arg) { arg.allow_hyphen_values(true) } else { arg });
    command.mut_subcommands(greedy)
}

/// The command line again, where clap stopped at a switch that was given a value (`--debug=false`): with the switch alone, or without it.
/// `None` if this was not the reason.
///
/// # Errors
/// pflag's text for a value that is no truth value.
pub fn switched(args: &[OsString], error: &clap::Error) -> Option<Result<Vec<OsString>, String>> {
    match error.kind() {
        ErrorKind::TooManyValues => {}
        ErrorKind::UnknownArgument => return spelled_out(args, error).map(Ok),
        _ => return None,
    }
    let flag = error.get(ContextKind::InvalidArg)?.to_string();
    let value = error.get(ContextKind::InvalidValue)?.to_string();
    let given = format!("{flag}={value}");
    let at = args.iter().position(|arg| arg.to_str() == Some(&given))?;
    let on = match parse_bool(&value) {
        Ok(on) => on,
        Err(why) => {
            let quoted = strconv::quote(value.as_bytes());
            let named = named(flag.trim_start_matches("--"), &arity::named(args));
            return Some(Err(format!("invalid argument {quoted} for \"{named}\" flag: {why}")));
        }
    };
    // The last one counts.
    let kept = |(i, arg): (usize, &OsString)| match i {
        _ if i == at => on.then(|| OsString::from(&flag)),
        _ if i < at && arg.to_str() == Some(&flag) => None,
        _ => Some(arg.clone()),
    };
    Some(Ok(args.iter().enumerate().filter_map(kept).collect()))
}

/// The command line with a switch's long name, where clap stopped at a value behind its letter: `-qa=false` becomes `-q --all=false`.
fn spelled_out(args: &[OsString], error: &clap::Error) -> Option<Vec<OsString>> {
    if error.get(ContextKind::InvalidArg)?.to_string() != "-=" {
        return None;
    }
    let command = arity::named(args);
    let switch = |letter: char| {
        let flag = seen_from(&command, |arg| arg.get_short() == Some(letter));
        flag.filter(|flag| !flag.get_action().takes_values())?.get_long().map(str::to_owned)
    };
    let (at, (before, long, value)) = args.iter().enumerate().find_map(|(i, arg)| {
        let (letters, value) = arg.to_str()?.strip_prefix('-')?.split_once('=')?;
        let names: Option<Vec<String>> = letters.chars().map(switch).collect();
        let (long, last) = (names?.pop()?, letters.chars().next_back()?);
        (!value.is_empty()).then_some((i, (letters.strip_suffix(last)?, long, value)))
    })?;
    let mut again = args.to_vec();
    let before = (!before.is_empty()).then(|| OsString::from(format!("-{before}")));
    again.splice(at..=at, before.into_iter().chain([OsString::from(format!("--{long}={value}"))]));
    Some(again)
}

/// pflag's text for a value that a flag does not take, if that is what is wrong.
pub fn invalid(error: &clap::Error, command: &[String]) -> Option<String> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let flag = error.get(ContextKind::InvalidArg)?.to_string();
    let long = flag.split([' ', '=', '[']).next()?.strip_prefix("--")?.to_owned();
    let value = error.get(ContextKind::InvalidValue)?.to_string();
    let why = std::error::Error::source(error)?.to_string();
    let named = named(&long, command);
    Some(format!("invalid argument {} for \"{named}\" flag: {why}", strconv::quote(value.as_bytes())))
}

/// A command's flag as pflag names it: `-o, --output`.
fn named(long: &str, command: &[String]) -> String {
    let flag = seen_from(command, |arg| arg.get_long() == Some(long));
    let short = flag.and_then(|flag| flag.get_short());
    short.map_or_else(|| format!("--{long}"), |short| format!("-{short}, --{long}"))
}

/// A flag of a command, or of all commands.
fn seen_from(command: &[String], wanted: impl Fn(&clap::Arg) -> bool) -> Option<clap::Arg> {
    let root = <super::Cli as clap::CommandFactory>::command();
    let mut at = Some(&root);
    let mut found = None;
    let mut names = command.iter();
    while let Some(here) = at {
        found = here.get_arguments().find(|arg| wanted(arg)).or(found);
        at = names.next().and_then(|name| here.find_subcommand(name));
    }
    found.cloned()
}

/// pflag's words for a letter that is no flag (`what` is `unknown shorthand flag`) or that needs a value: with what stands behind it.
pub fn letter(what: &str, letter: char, args: &[OsString]) -> String {
    let rest = args.iter().rev().filter_map(|arg| arg.to_str()).find_map(|arg| {
        let letters = arg.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
        letters.get(letters.find(letter)?..)
    });
    format!("{what}: {} in -{}", strconv::quote_rune(letter), rest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_as_pflag_reads_them() {
        for (text, want) in [
            ("a=b", Ok(vec![("a", "b")])),
            ("a=b,c", Ok(vec![("a", "b,c")])),
            ("\"a=b\"", Ok(vec![("a", "b")])),
            ("a=b,c=d=e", Ok(vec![("a", "b"), ("c", "d=e")])),
            ("a=\"b,c=d\"", Err("parse error on line 1, column 3: bare \" in non-quoted-field")),
            ("\"a=b,c\",d=", Ok(vec![("a", "b,c"), ("d", "")])),
            ("=", Ok(vec![("", "")])),
            ("a=b,c=d,e", Err("e must be formatted as key=value")),
            ("", Err(" must be formatted as key=value")),
            ("\"a\"", Err("\"a\" must be formatted as key=value")),
        ] {
            let want = want.map(|all| Pairs(all.into_iter().map(|(k, v)| (k.into(), v.into())).collect()));
            assert_eq!(pairs(text), want.map_err(String::from), "{text}");
        }
    }

    #[test]
    fn lists_are_as_go_reads_them() {
        for (text, want) in [
            ("", Ok(vec![])),
            ("a", Ok(vec!["a"])),
            ("a,b", Ok(vec!["a", "b"])),
            ("a, b,", Ok(vec!["a", " b", ""])),
            ("\"a,b\",c", Ok(vec!["a,b", "c"])),
            ("\"a\"\"b\"", Ok(vec!["a\"b"])),
            ("\"\"", Ok(vec![""])),
            ("a\nb", Ok(vec!["a"])),
            ("\r\na\r\nb", Ok(vec!["a"])),
            ("\"a\nb\",c", Ok(vec!["a\nb", "c"])),
            ("\n", Err("EOF")),
            ("v\"x", Err("parse error on line 1, column 2: bare \" in non-quoted-field")),
            ("a,v\"x", Err("parse error on line 1, column 4: bare \" in non-quoted-field")),
            ("\"v", Err("parse error on line 1, column 3: extraneous or missing \" in quoted-field")),
            ("a\r", Ok(vec!["a"])),
            ("\"v\n", Err("parse error on line 1, column 4: extraneous or missing \" in quoted-field")),
            ("\"v\"x", Err("parse error on line 1, column 3: extraneous or missing \" in quoted-field")),
            (
                "\"v\nx",
                Err("record on line 1; parse error on line 2, column 2: extraneous or missing \" in quoted-field"),
            ),
        ] {
            let want = want.map(|fields| List(fields.into_iter().map(String::from).collect())).map_err(String::from);
            assert_eq!(list(text), want, "{text:?}");
        }
    }
}
