//! `pintle explain`: why a value of a release, or a field of one of its objects, is what it is.
//!
//! With a key alone the layers that set it are told; with an object and a field also the template's line that printed it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::gotmpl::{State, SystemHost};
use crate::render::{self, Capabilities, Compat, KubeVersion, ReleaseOptions, Request};
use crate::repo::explain::object::Wanted;
use crate::repo::explain::{Answer, Held, Traced, field};
use crate::repo::mask::{MASK, Masker};
use crate::repo::{Checkout, HelmRelease, Layer, Layers, Origin};
use crate::value::Value;

use super::args::{Global, ValueArgs};
use super::chart_path::ChartPathArgs;
use super::deployment::{DeploymentArgs, Opener, Output, release};
use super::output::Streams;
use super::values::{self, ReleaseArgs};
use super::{Failure, template};

#[derive(Args, Debug, Clone)]
pub struct ExplainArgs {
    /// The key of a value: image.tag, hosts.0.name; a dot in a key is written \. Or an object: deployment/web
    #[arg(value_name = "KEY | OBJECT")]
    pub what: String,
    /// A field of the object: spec.template.spec.containers[0].image
    #[arg(value_name = "FIELD")]
    pub field: Option<String>,
    /// The deployment repository
    #[arg(long, default_value = ".", value_name = "PATH")]
    pub repo: PathBuf,
    /// The environment
    #[arg(short = 'e', long, value_name = "ENV", required_unless_present = "chart")]
    pub env: Option<String>,
    /// The service: its directory's name, or its HelmRelease's
    #[arg(long, visible_alias = "release", value_name = "SERVICE", required_unless_present = "chart")]
    pub service: Option<String>,
    /// A chart alone, with the values of -f and --set, instead of a release of a repository
    #[arg(long, value_name = "CHART", conflicts_with = "env")]
    pub chart: Option<String>,
    #[command(flatten)]
    pub values: ValueArgs,
    /// How a field's explanation is printed
    #[arg(short = 'o', long, default_value = "terminal", value_name = "FORMAT")]
    pub output: Output,
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

pub fn run(args: &ExplainArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let Some(path) = &args.field else {
        return match (&args.env, &args.service) {
            (Some(env), Some(service)) if args.output == Output::Terminal => {
                let release = ReleaseArgs {
                    repo: args.repo.clone(),
                    env: env.clone(),
                    service: service.clone(),
                    deployment: args.deployment.clone(),
                };
                values::explain(&args.what, &release, global, io)
            }
            (Some(_), Some(_)) => {
                let text = "-o json is for a field: give an object and a field of it (deployment/web spec.replicas), or leave -o out";
                Err(text.to_owned().into())
            }
            _ => Err("which field? Give an object and a field of it: deployment/web spec.replicas".to_owned().into()),
        };
    };
    let path = field::parse(path)?;
    let wanted = Wanted::parse(&args.what)?.within(global.namespace.as_deref().filter(|n| !n.is_empty()));
    let (answer, masker) = match (&args.chart, &args.env, &args.service) {
        (Some(chart), ..) => (of_chart(args, chart, global, io)?.explain(&wanted, &path)?, Masker::default()),
        (None, Some(env), Some(service)) => of_release(args, env, service, &wanted, &path, global, io)?,
        _ => return Err("--env and --service name a release, or --chart a chart".to_owned().into()),
    };
    let text = match args.output {
        Output::Terminal => masker.apply_text(&terminal(&answer)),
        Output::Json => format!("{}\n", masker.apply_json(as_json(&answer))),
    };
    io.out.write_all(text.as_bytes())?;
    Ok(())
}

fn of_release(
    args: &ExplainArgs,
    env: &str,
    service: &str,
    wanted: &Wanted,
    path: &[field::Step],
    global: &Global,
    io: &mut Streams<'_>,
) -> Result<(Answer, Masker), Failure> {
    let opener = Opener::new(&args.deployment, global)?;
    let checkout = Checkout::new(&args.repo)?;
    let belongs = |hr: &HelmRelease| hr.belongs_to(service);
    let mut environment = opener.open(&checkout, env, belongs, io)?;
    let hr = release(&environment, service)?;
    let hide = |masker: &Masker, text: String| masker.apply_text(&text);
    let traced = environment.traced(&checkout, hr, &opener.settings);
    let mut traced = traced.map_err(|p| hide(&environment.masker, p.to_string()))?;
    let name = hr.name.clone();
    // Whatever functions made of a secret, it is not to be read.
    traced.layers.hide_in(&mut environment.masker);
    let answer = traced.explain(wanted, path).map_err(|e| {
        let others = environment.built.iter().find(|o| wanted.is(&o.kind, &o.name));
        let other = others.map(|o| format!("; {} is an object of its own", o.place)).unwrap_or_default();
        hide(&environment.masker, format!("{name} in {}: {e}{other}", environment.name))
    })?;
    Ok((answer, environment.masker))
}

/// A chart with values, rendered as `pintle template` does.
fn of_chart(args: &ExplainArgs, chart: &str, global: &Global, io: &mut Streams<'_>) -> Result<Traced, Failure> {
    let source = ChartPathArgs { access: args.deployment.access.clone(), ..ChartPathArgs::default() };
    let mut st = State::new(Arc::new(SystemHost { enable_dns: false }), global.limits.limits());
    st.trace = Some(Box::default());
    let located = source.locate(chart, &global.config, io)?;
    let values = template::merge_values(&mut st, &args.values, &source, &global.config)?;
    let mut log = Vec::new();
    let loaded = located.load(&mut log).map_err(|e| Failure::new(e.to_string()))?;
    let on_disk = std::path::Path::new(chart).is_dir();
    let dir = on_disk.then(|| format!("{}/", chart.trim_end_matches('/')));
    let is_file = |path: &str| std::path::Path::new(path).is_file();
    let mut layers = Layer::of_chart(&loaded, dir.as_deref(), true, &is_file);
    for (name, text) in template::user_files(&args.values) {
        layers.extend(Layer::file("values file", name, &text));
    }
    let flags = ValueArgs { values: Vec::new(), ..args.values.clone() };
    let set = template::merge_values(&mut st, &flags, &source, &global.config)?;
    if !st.heap.map(set).is_empty() {
        let text = crate::value::json::encode(&mut st.heap, &Value::Map(set), false, None)?;
        layers.extend(Layer::file("--set", "", &text));
    }
    let kube_version = match args.deployment.kube_version.as_deref() {
        Some(v) => Some(KubeVersion::parse(v).map_err(|e| format!("invalid kube version '{v}': {e}"))?),
        None => None,
    };
    let request = Request {
        release: ReleaseOptions {
            name: args.service.clone().unwrap_or_else(|| "release-name".into()),
            namespace: super::target::namespace(global),
            revision: 1,
            is_install: true,
            is_upgrade: false,
        },
        capabilities: Arc::new(Capabilities::offline(
            Compat::default(),
            kube_version,
            &super::flags::all(&args.deployment.api_versions),
        )),
        skip_schema_validation: false,
    };
    let layers = Layers::of_chart(&loaded, layers);
    let rendered = render::release(&mut st, loaded, values, &request, &mut log);
    log.iter().for_each(|line| io.log(line));
    let rendered = rendered.map_err(|f| Failure::new(f.message))?;
    let release = (request.release.name, request.release.namespace);
    Ok(Traced { layers, dir, release, ..Traced::of(st, rendered) })
}

/// What a field holds, in a line.
fn shown(held: &Held, secret: bool) -> String {
    match held {
        _ if secret => MASK.to_owned(),
        Held::Scalar(text) if text.is_empty() => "\"\"".to_owned(),
        Held::Scalar(text) if text.contains('\n') => {
            format!("a text of {} lines: {} …", text.lines().count(), text.lines().next().unwrap_or_default())
        }
        Held::Scalar(text) => text.clone(),
        Held::Map(keys) => format!("a map of {}", keys.join(", ")),
        Held::List(1) => "a list of one item".to_owned(),
        Held::List(n) => format!("a list of {n} items"),
    }
}

fn terminal(a: &Answer) -> String {
    let mut out = format!("{} {}: {}\n", a.object, a.field, shown(&a.held, a.secret));
    let mut add = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    if let Some(note) = &a.note {
        add(format!("\n{note}"));
    }
    for c in a.changes.iter().rev() {
        let before = c.before.as_ref().map_or_else(|| "not there".to_owned(), |h| shown(h, a.secret));
        let after = c.after.as_ref().map_or_else(|| "not there".to_owned(), |h| shown(h, a.secret));
        let place = if c.place.is_empty() { String::new() } else { format!("  {}", c.place) };
        add(format!("\nchanged by {}{place}\n  from {before} to {after}", c.name));
    }
    if !a.printed.is_empty() {
        add(String::new());
    }
    for p in &a.printed {
        let define = p.template.as_ref().map(|t| format!("  (define {t:?})")).unwrap_or_default();
        if p.at.path.is_empty() {
            add(format!("printed by line {} of a text out of the values", p.at.line));
        } else {
            add(format!("printed by {}:{}{define}", p.at.path, p.at.line));
        }
        let hidden = a.secret && p.of_values;
        if !p.text.is_empty() && !hidden {
            add(format!("  {}", p.text));
        }
        for (name, line) in &p.includes {
            let how = match name.as_str() {
                "" => "printed again by".to_owned(),
                "tpl" => "evaluated by tpl at".to_owned(),
                name => format!("{name:?} included from"),
            };
            add(format!("  {how} {}:{}", line.path, line.line));
        }
    }
    for b in &a.blocks {
        let how = if b.is_else { "in the else of" } else { "inside" };
        add(format!("  {how} {{{{ {} }}}}  {}:{}", b.head, b.at.path, b.at.line));
    }
    if a.blurred {
        add("\nvalues that were read to make the text of that line; some may be in other parts of it".to_owned());
    }
    for u in &a.used {
        let shown = match &u.value {
            _ if u.secret => MASK.to_owned(),
            Some(value) if value.is_empty() => "\"\"".to_owned(),
            Some(value) => value.lines().next().unwrap_or_default().to_owned(),
            None if !u.is_set && u.key.starts_with('.') => "of the release".to_owned(),
            None if !u.is_set => "not set".to_owned(),
            None => "a map or list, merged from all that set it".to_owned(),
        };
        let why = if u.condition { "  (for the block only)" } else { "" };
        add(format!("\n{}: {shown}{why}", u.key));
        for (i, o) in u.layers.iter().enumerate() {
            let mark = if i + 1 == u.layers.len() { "wins" } else { "    " };
            add(format!("  {mark}  {}", layer(o)));
        }
    }
    out
}

/// A layer in a line: where, what it says, what it is.
pub(super) fn layer(o: &Origin) -> String {
    let value = match o.value.as_deref() {
        _ if o.secret => MASK,
        Some("") => "\"\"",
        Some(value) => value.lines().next().unwrap_or_default(),
        None => "…",
    };
    format!("{}  {value}  ({})", o.place, o.what)
}

fn as_json(a: &Answer) -> serde_json::Value {
    let held = |h: &Held| match h {
        Held::Scalar(_) if a.secret => json!(MASK),
        Held::Scalar(text) => json!(text),
        Held::Map(keys) => json!({"keys": keys}),
        Held::List(n) => json!({"items": n}),
    };
    let line = |l: &crate::repo::explain::Line| json!({"path": l.path, "line": l.line});
    let origin = |o: &Origin, wins: bool| {
        let value = if o.secret { Some(MASK) } else { o.value.as_deref() };
        json!({"place": o.place, "what": o.what, "value": value, "secret": o.secret, "wins": wins})
    };
    let printed = |p: &crate::repo::explain::Printed| {
        let text = if a.secret && p.of_values { "" } else { &p.text };
        json!({
            "path": p.at.path,
            "line": p.at.line,
            "define": p.template,
            "text": text,
            "ofValues": p.of_values,
            "includes": p.includes.iter().map(|(name, l)| json!({"name": name, "path": l.path, "line": l.line})).collect::<Vec<_>>(),
        })
    };
    json!({
        "object": a.object,
        "field": a.field,
        "value": held(&a.held),
        "secret": a.secret,
        "note": a.note,
        "printed": a.printed.iter().map(printed).collect::<Vec<_>>(),
        "blocks": a.blocks.iter().map(|b| json!({"text": b.head, "else": b.is_else, "at": line(&b.at), "keys": b.keys})).collect::<Vec<_>>(),
        "values": a.used.iter().map(|u| {
            let last = u.layers.len().saturating_sub(1);
            json!({
                "key": u.key,
                "value": if u.secret { Some(MASK) } else { u.value.as_deref() },
                "set": u.is_set,
                "secret": u.secret,
                "blockOnly": u.condition,
                "layers": u.layers.iter().enumerate().map(|(i, o)| origin(o, i == last)).collect::<Vec<_>>(),
            })
        }).collect::<Vec<_>>(),
        "approximate": a.blurred,
        "changes": a.changes.iter().map(|c| json!({
            "by": c.name,
            "place": c.place,
            "before": c.before.as_ref().map(held),
            "after": c.after.as_ref().map(held),
        })).collect::<Vec<_>>(),
    })
}
