//! Helm's functions as Tera filters.
//!
//! Most are Helm's own code: a table says which function a filter calls, how Tera's named arguments are ordered, and where the
//! filtered value stands among them. What Tera has itself (`default`, `upper`, `indent`, `join`, …) is left alone.

use std::sync::{Arc, LazyLock};

use ::tera::{Error, Kwargs, State as TeraState, Tera, TeraResult, Value as TeraValue};

use super::convert::{empty, from_tera, to_tera};
use crate::golang::glob::Glob;
use crate::gotmpl::{CallError, FixedHost, Func, FuncTable, Limits, State, Ty};
use crate::value::{Value, json};
use crate::yaml;

/// Where the filtered value stands among the arguments.
const IT: &str = "";

/// Filter, Helm's function, and its arguments by their names in Tera.
pub const FILTERS: &[(&str, &str, &[&str])] = &[
    ("to_yaml_pretty", "toYamlPretty", &[IT]),
    ("nindent", "nindent", &["width", IT]),
    ("quote", "quote", &[IT]),
    ("squote", "squote", &[IT]),
    ("b64enc", "b64enc", &[IT]),
    ("b64dec", "b64dec", &[IT]),
    ("b32enc", "b32enc", &[IT]),
    ("b32dec", "b32dec", &[IT]),
    ("sha1sum", "sha1sum", &[IT]),
    ("sha256sum", "sha256sum", &[IT]),
    ("sha512sum", "sha512sum", &[IT]),
    ("adler32sum", "adler32sum", &[IT]),
    ("trunc", "trunc", &["length", IT]),
    ("trim_suffix", "trimSuffix", &["suffix", IT]),
    ("trim_prefix", "trimPrefix", &["prefix", IT]),
    ("trim_all", "trimAll", &["chars", IT]),
    ("snakecase", "snakecase", &[IT]),
    ("camelcase", "camelcase", &[IT]),
    ("kebabcase", "kebabcase", &[IT]),
    ("swapcase", "swapcase", &[IT]),
    ("untitle", "untitle", &[IT]),
    ("nospace", "nospace", &[IT]),
    ("initials", "initials", &[IT]),
    ("repeat", "repeat", &["count", IT]),
    ("abbrev", "abbrev", &["width", IT]),
    ("wrap", "wrap", &["width", IT]),
    ("wrap_with", "wrapWith", &["width", "sep", IT]),
    ("substr", "substr", &["start", "end", IT]),
    ("sort_alpha", "sortAlpha", &[IT]),
    ("merge", "mustMerge", &[IT, "with"]),
    ("merge_overwrite", "mustMergeOverwrite", &[IT, "with"]),
    ("regex_match", "mustRegexMatch", &["pattern", IT]),
    ("regex_find", "mustRegexFind", &["pattern", IT]),
    ("regex_replace", "mustRegexReplaceAll", &["pattern", IT, "with"]),
    ("semver_compare", "semverCompare", &["constraint", IT]),
    ("base", "base", &[IT]),
    ("dir", "dir", &[IT]),
    ("ext", "ext", &[IT]),
    ("clean", "clean", &[IT]),
    ("url_parse", "urlParse", &[IT]),
];

/// Helm's functions that the table names; pure ones only, so one table serves every render.
static HELM: LazyLock<FuncTable> = LazyLock::new(|| {
    let mut table = FuncTable::new();
    crate::sprig::register(&mut table);
    crate::render::encode_funcs::register(&mut table);
    table
});

/// Adds the filters and the function `files` to an engine; `dot` is what its templates see.
pub fn register(engine: &mut Tera, dot: &TeraValue) {
    for (filter, function, args) in FILTERS {
        if let Some(func) = HELM.id(function).map(|id| HELM.get(id)) {
            engine.register_filter(*filter, move |it: TeraValue, kwargs: Kwargs, _: &TeraState| {
                call(filter, func, args, &it, &kwargs)
            });
        }
    }
    engine.register_filter("to_yaml", |it: TeraValue, _: Kwargs, _: &TeraState| {
        let mut st = state();
        let v = from_tera(&mut st.heap, &it);
        let text = yaml::marshal(&mut st.heap, &v).map_err(|e| Error::message(format!("to_yaml: {e}")))?;
        TeraResult::Ok(text_of(text.strip_suffix(b"\n").unwrap_or(&text)))
    });
    engine.register_filter("to_json", |it: TeraValue, kwargs: Kwargs, _: &TeraState| {
        let mut st = state();
        let v = from_tera(&mut st.heap, &it);
        let pretty = kwargs.get::<bool>("pretty")?.unwrap_or_default();
        let text = json::encode(&mut st.heap, &v, true, pretty.then_some("  "))
            .map_err(|e| Error::message(format!("to_json: {e}")))?;
        TeraResult::Ok(text_of(&text))
    });
    engine.register_filter("from_yaml", |it: &str, _: Kwargs, _: &TeraState| {
        let mut st = state();
        let v = yaml::to_value(&mut st.heap, it.as_bytes()).map_err(|e| Error::message(format!("from_yaml: {e}")))?;
        to_tera(&mut st.heap, &v).map_err(Error::message)
    });
    engine.register_filter("from_json", |it: &str, _: Kwargs, _: &TeraState| {
        let mut st = state();
        let v = json::decode(&mut st.heap, it.as_bytes()).map_err(|e| Error::message(format!("from_json: {e}")))?;
        to_tera(&mut st.heap, &v).map_err(Error::message)
    });
    engine.register_filter("required", |it: TeraValue, kwargs: Kwargs, _: &TeraState| {
        let missing = it.is_undefined() || it.is_none() || it.as_str() == Some("");
        if missing { Err(Error::message(kwargs.must_get::<&str>("message")?)) } else { Ok(it) }
    });
    let files = dot.get_from_path("Files").cloned().unwrap_or_else(empty);
    engine.register_function("files", move |kwargs: Kwargs, _: &TeraState| matching(&files, kwargs.must_get("glob")?));
}

/// The chart's files whose path matches, as `.Files.Glob`: a map from path to text.
fn matching(files: &TeraValue, pattern: &str) -> TeraResult<TeraValue> {
    let glob = Glob::new(pattern, &['/']).map_err(|e| Error::message(format!("glob {pattern:?}: {e}")))?;
    let all = files.as_map().into_iter().flatten();
    let kept = all.filter(|(path, _)| path.as_str().is_some_and(|p| glob.matches(p)));
    Ok(kept.map(|(k, v)| (k.clone(), v.clone())).collect::<std::collections::BTreeMap<_, _>>().into())
}

/// A state for one call. No filter asks the clock or draws by chance.
fn state() -> State {
    State::new(Arc::new(FixedHost::new(0, 0)), Limits::default())
}

fn text_of(bytes: &[u8]) -> TeraValue {
    TeraValue::normal_string(&String::from_utf8_lossy(bytes))
}

/// Calls one of Helm's functions with Tera's values.
fn call(filter: &str, func: &Func, names: &[&str], it: &TeraValue, kwargs: &Kwargs) -> TeraResult<TeraValue> {
    let mut st = state();
    let mut args = Vec::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        let given = if *name == IT { it } else { kwargs.must_get::<&TeraValue>(name)? };
        let ty = func.params.get(i).or(func.params.last()).copied().unwrap_or(Ty::Any);
        args.push(argument(&mut st, filter, name, ty, given)?);
    }
    match (func.call)(&mut st, &mut args) {
        Ok(v) => to_tera(&mut st.heap, &v).map_err(|e| Error::message(format!("{filter}: {e}"))),
        Err(CallError::Msg(e) | CallError::Limit(e)) => Err(Error::message(format!("{filter}: {e}"))),
        Err(e @ CallError::Exec(_)) => Err(Error::message(format!("{filter}: {e}"))),
    }
}

/// An argument of the type that the function has there; texts are made of numbers and truth values too.
fn argument(st: &mut State, filter: &str, name: &str, ty: Ty, v: &TeraValue) -> TeraResult<Value> {
    let wrong = |want: &str| {
        let what = if name == IT { "the value".to_owned() } else { format!("`{name}`") };
        Error::message(format!("{filter}: {what} must be {want}, not {}", v.name()))
    };
    match ty {
        Ty::Str if v.as_map().is_some() || v.as_array().is_some() || v.is_none() || v.is_undefined() => {
            Err(wrong("a string"))
        }
        Ty::Str => Ok(v.as_str().map_or_else(|| Value::from(v.to_string()), Value::from)),
        Ty::Int => v.as_i64().map(Value::Int).ok_or_else(|| wrong("an integer")),
        Ty::Int64 => v.as_i64().map(Value::Int64).ok_or_else(|| wrong("an integer")),
        Ty::Float => v.as_f64().map(Value::Float).ok_or_else(|| wrong("a number")),
        Ty::Bool => v.as_bool().map(Value::Bool).ok_or_else(|| wrong("true or false")),
        Ty::Map if v.as_map().is_none() => Err(wrong("a map")),
        Ty::List if v.as_array().is_none() => Err(wrong("a list")),
        _ => Ok(from_tera(&mut st.heap, v)),
    }
}
