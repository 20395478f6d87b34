//! `pintle values` and `pintle explain`: the values that a release gets, and which file each of them comes from.

use std::path::PathBuf;

use clap::Args;

use crate::repo::mask::MASK;
use crate::repo::{Checkout, Environment, HelmRelease, Layers, keys};

use super::Failure;
use super::args::Global;
use super::deployment::{DeploymentArgs, Opener, release};
use super::explain_field::layer;
use super::output::Streams;

/// One release of one environment.
#[derive(Args, Debug, Clone)]
pub struct ReleaseArgs {
    /// The deployment repository
    #[arg(long, default_value = ".", value_name = "PATH")]
    pub repo: PathBuf,
    /// The environment
    #[arg(short = 'e', long, value_name = "ENV")]
    pub env: String,
    /// The service: its directory's name, or its HelmRelease's
    #[arg(long, visible_alias = "release", value_name = "SERVICE")]
    pub service: String,
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

#[derive(Args, Debug, Clone)]
pub struct ValuesArgs {
    #[command(flatten)]
    pub release: ReleaseArgs,
}

/// A release with its values.
struct Opened {
    environment: Environment,
    layers: Layers,
    values: serde_json::Value,
}

fn open(args: &ReleaseArgs, global: &Global, io: &mut Streams<'_>) -> Result<Opened, Failure> {
    let opener = Opener::new(&args.deployment, global)?;
    let checkout = Checkout::new(&args.repo)?;
    let wanted = |hr: &HelmRelease| hr.belongs_to(&args.service);
    let environment = opener.open(&checkout, &args.env, wanted, io)?;
    let hr = release(&environment, &args.service)?;
    let fail = |p: crate::repo::Problem| {
        let text = environment.masker.apply(p.to_string().as_bytes());
        Failure::new(String::from_utf8_lossy(&text).into_owned())
    };
    let layers = environment.layers(&checkout, hr).map_err(fail)?;
    let json = environment.merged(&checkout, hr, &opener.settings).map_err(fail)?;
    let values = serde_json::from_slice(&json).map_err(|e| format!("the values can't be written: {e}"))?;
    Ok(Opened { environment, layers, values })
}

pub fn run(args: &ValuesArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let opened = open(&args.release, global, io)?;
    let mut out = String::new();
    print(&opened, &opened.values, &mut Vec::new(), &mut out);
    io.out.write_all(&opened.environment.masker.apply(out.as_bytes()))?;
    Ok(())
}

/// Block style, a comment behind each value that says where it comes from.
fn print(opened: &Opened, value: &serde_json::Value, path: &mut Vec<String>, out: &mut String) {
    use serde_json::Value as Json;
    let indent = "  ".repeat(path.len());
    let mut item = |head: String, key: String, value: &Json, path: &mut Vec<String>| {
        path.push(key);
        match value {
            Json::Object(m) if !m.is_empty() => {
                out.push_str(&format!("{indent}{head}\n"));
                print(opened, value, path, out);
            }
            Json::Array(a) if !a.is_empty() => {
                out.push_str(&format!("{indent}{head}\n"));
                print(opened, value, path, out);
            }
            leaf => {
                let origin = opened.layers.origins(path).pop();
                let secret = origin.as_ref().is_some_and(|o| o.secret);
                let text = if secret { MASK.to_owned() } else { scalar(leaf) };
                let place = origin.map_or_else(|| "a subchart".to_owned(), |o| o.place);
                out.push_str(&format!("{indent}{head} {text}  # {place}\n"));
            }
        }
        path.pop();
    };
    match value {
        Json::Object(map) => {
            map.iter().for_each(|(k, v)| item(format!("{}:", scalar(&Json::from(k.as_str()))), k.clone(), v, path))
        }
        Json::Array(items) => items.iter().enumerate().for_each(|(i, v)| item("-".to_owned(), i.to_string(), v, path)),
        _ => {}
    }
}

/// JSON's form of a scalar is YAML's too; plain words go without quotes.
fn scalar(value: &serde_json::Value) -> String {
    let plain = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
            && s.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
            && !matches!(
                s.to_ascii_lowercase().as_str(),
                "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
            )
    };
    match value {
        serde_json::Value::String(s) if plain(s) => s.clone(),
        other => other.to_string(),
    }
}

/// `pintle explain KEY`: which layers set a value, and who wins.
pub fn explain(key: &str, release: &ReleaseArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let opened = open(release, global, io)?;
    let path = keys(key.trim_start_matches(".Values."));
    let mut at = Some(&opened.values);
    for key in &path {
        at = at.and_then(|v| v.get(key).or_else(|| v.get(key.parse::<usize>().ok()?)));
    }
    let found = opened.layers.origins(&path);
    if found.is_empty() {
        let known = opened.values.as_object().map(|m| m.keys().cloned().collect::<Vec<_>>().join(", "));
        return Err(format!("no layer sets {}: the top keys are {}", key, known.unwrap_or_default()).into());
    }
    let secret = found.last().is_some_and(|o| o.secret);
    let shown = match at {
        _ if secret => MASK.to_owned(),
        Some(v) if v.is_object() => "a map, merged from all that set it".to_owned(),
        Some(v) => scalar(v),
        None => "nothing: a layer removed it with null".to_owned(),
    };
    let mut out = format!("{key}: {shown}\n");
    for (i, o) in found.iter().enumerate() {
        let mark = if i + 1 == found.len() { "wins" } else { "    " };
        out.push_str(&format!("  {mark}  {}\n", layer(o)));
    }
    io.out.write_all(&opened.environment.masker.apply(out.as_bytes()))?;
    Ok(())
}
