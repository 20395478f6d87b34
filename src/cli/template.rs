//! `pintle template`: `helm template`, flag for flag and byte for byte.
//!
//! Source: Helm 4.3 `pkg/cmd/template.go`, `pkg/cmd/install.go`, `pkg/action/action.go`.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::chart::directory;
use crate::diagnostic::LogLine;
use crate::golang::errno;
use crate::golang::path::path_match;
use crate::golang::url::Url;
use crate::gotmpl::{State, SystemHost};
use crate::release::action::preview::{Preview, preview};
use crate::release::action::{DryRun, Source, check_labels};
use crate::render::manifest::{Hook, split, trim_space};
use crate::render::{self, Ahead, Capabilities, Compat, KubeVersion, Release, ReleaseOptions, Request};
use crate::value::{Heap, MapId};

use super::args::{Global, Template, ValueArgs};
use super::chart_path::ChartPathArgs;
use super::chart_path::Located;
use super::chart_source::{deprecated, installable};
use super::config::ConfigArgs;
use super::driving::{drive, dry_run_of, labels};
use super::origin::Origins;
use super::output::Streams;
use super::{Failure, arity, explain, target, warnings};

pub fn run(args: &Template, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let kube_version = match args.kube_version.as_deref().filter(|v| !v.is_empty()) {
        Some(v) => Some(KubeVersion::parse(v).map_err(|e| format!("invalid kube version '{v}': {e}"))?),
        None => None,
    };
    let server = on_server(args, io)?;
    let host = SystemHost { enable_dns: args.enable_dns };
    let mut st = State::new(Arc::new(host), global.limits.limits());
    let post_render = args.post_renderer.find(io)?;
    let (name, chart_ref) = name_and_chart(args, &mut st)?;
    let located = args.source.locate(chart_ref, &global.config, io)?;
    let values = merge_values(&mut st, &args.values, &args.source, &global.config)?;
    let mut log = Vec::new();
    let mut ahead = Ahead::default();
    let chart = located.load_to_render(&mut log, &mut ahead).map_err(|e| Failure::new(e.to_string()));
    let update = args.dependency_update.then_some((&args.source, &global.config));
    let outcome = chart.and_then(|chart| installable(chart, &located, update, &mut log, io));
    let chart = flush(outcome, &mut log, io)?;
    if server {
        let what = Preview {
            name,
            is_upgrade: args.is_upgrade,
            include_crds: args.include_crds,
            skip_crds: args.skip_crds,
            take_ownership: args.take_ownership,
        };
        let source = Source {
            state: st,
            values,
            chart,
            skip_schema_validation: args.skip_schema_validation,
            subchart_notes: false,
            hide_secret: false,
            post_render,
        };
        return with_server(args, global, kube_version, &located, what, source, io);
    }
    check_labels(&labels(&args.unused.labels)).map_err(|e| super::driving::failure(e, ""))?;
    let request = Request {
        release: ReleaseOptions {
            name,
            namespace: target::namespace(global),
            revision: 1,
            is_install: !args.is_upgrade,
            is_upgrade: args.is_upgrade,
        },
        capabilities: Arc::new(Capabilities::offline(
            Compat::default(),
            kube_version,
            &super::flags::all(&args.api_versions),
        )),
        skip_schema_validation: args.skip_schema_validation,
    };
    let post_render = post_render.as_deref().map(|f| f as render::PostRender<'_>);
    let rendered = render::release_ahead(&mut st, chart, values, &request, post_render, Some(&mut ahead), &mut log);
    let rendered = flush(rendered, &mut log, io);
    let debug = global.debug;
    let mut output = Output { args, release_name: &request.release.name, io, written: HashSet::new(), debug };
    match rendered {
        Ok(release) => {
            output.release(&release)?;
            for warning in warnings::of(&release, &user_files(&args.values)) {
                output.io.warn(&warning);
            }
            if output.io.last {
                output.io.out.flush()?;
                std::mem::forget((release, st));
            }
            Ok(())
        }
        Err(f) => Err(failed(f, &st.heap, values, &located, global, &mut output)?),
    }
}

/// What is said of a render that failed; `--debug` prints what there is of it.
fn failed(
    f: render::Failure,
    heap: &Heap,
    values: MapId,
    located: &Located,
    global: &Global,
    output: &mut Output<'_, '_>,
) -> Result<Failure, Failure> {
    // Only now is the chart needed again: success pays nothing for explanations.
    let shown = located.load(&mut Vec::new()).ok();
    let texts = shown.as_ref().map(explain::Texts::of).unwrap_or_default();
    let origins = Origins { files: user_files(&output.args.values), chart: shown.as_ref() };
    let explanation = match &f.exec {
        Some(e) => Some(explain::execution(e, &texts, heap, f.values.unwrap_or(values), &origins)),
        None => explain::parse(&f.message, &texts, &render::functions().names().collect::<Vec<_>>()),
    };
    let message = match f.partial {
        None => f.message,
        Some(files) if global.debug => {
            output.partial(&files, &f.hooks)?;
            f.message
        }
        Some(_) => hinted(&f.message),
    };
    Ok(Failure { message, explanation, code: 1 })
}

/// Helm's hint behind what fails once there is something of the release.
fn hinted(message: &str) -> String {
    format!("{message}\n\nUse --debug flag to render out invalid YAML")
}

/// Whether a cluster is asked; and cobra's words for flags that are old or exclude one another.
/// Source: `pkg/cmd/template.go`, `pkg/cmd/helpers.go`, `cmdGetDryRunFlagStrategy`.
fn on_server(args: &Template, io: &mut Streams<'_>) -> Result<bool, Failure> {
    const NO_EFFECT: &str = "this flag has no effect for 'helm template' and will be removed in Helm 5";
    let unused = &args.unused;
    for (flag, given, instead) in [
        ("atomic", unused.atomic, "use --rollback-on-failure instead"),
        ("force", unused.force, "use --force-replace instead"),
        ("hide-notes", unused.hide_notes, NO_EFFECT),
        ("render-subchart-notes", args.render_subchart_notes, NO_EFFECT),
        ("validate", args.validate, "use '--dry-run=server' instead"),
    ] {
        if given {
            deprecated(flag, instead, io);
        }
    }
    if args.validate {
        return match args.dry_run {
            Some(_) => Err(Failure::new(
                "if any flags in the group [validate dry-run] are set none of the others can be; [dry-run validate] were all set",
            )),
            None => Ok(true),
        };
    }
    let text = args.dry_run.as_deref();
    if let Some(off @ ("none" | "0" | "f" | "F" | "false" | "FALSE" | "False")) = text {
        return Err(Failure::new(format!("invalid dry-run value ({off:?}). Must be \"server\" or \"client\"")));
    }
    Ok(dry_run_of(text, DryRun::Client, io)? == DryRun::Server)
}

/// `--dry-run=server`.
fn with_server(
    args: &Template,
    global: &Global,
    kube_version: Option<KubeVersion>,
    located: &Located,
    what: Preview,
    source: Source,
    io: &mut Streams<'_>,
) -> Result<(), Failure> {
    let (name, values) = (what.name.clone(), source.values);
    let apis = super::flags::all(&args.api_versions);
    let open = target::prefixed(target::open_with(global, kube_version, &apis), "cluster reachability check failed: ");
    let previewed = drive(&name, true, io, open, |ctx| async move { Ok(preview(&ctx, &what, source).await) })?;
    let mut output = Output { args, release_name: &name, io, written: HashSet::new(), debug: global.debug };
    match previewed {
        Ok(release) => output.release(&release),
        Err(mut e) => match e.render.take() {
            Some(f) => Err(failed(f.failure, &f.state.heap, values, located, global, &mut output)?),
            None => Err(super::driving::failure(e, "")),
        },
    }
}

/// The `-f` files again, to tell where a value was set; what can't be read was an error before.
pub(super) fn user_files(args: &ValueArgs) -> Vec<(String, Vec<u8>)> {
    // A pipe gives its bytes once; to wait for more would hang.
    let file = |f: &&String| std::fs::metadata(f).is_ok_and(|m| m.is_file());
    let files = super::flags::all(&args.values);
    files.iter().filter(file).filter_map(|f| Some((f.clone(), directory::read_file(f).ok()?))).collect()
}

/// Prints what was logged on the way, whatever came of it.
fn flush<T, E>(result: Result<T, E>, log: &mut Vec<LogLine>, io: &mut Streams<'_>) -> Result<T, E> {
    for line in log.drain(..) {
        io.log(&line);
    }
    result
}

/// The release's name and the chart. Source: `pkg/action/install.go`, `NameAndChart`.
fn name_and_chart<'a>(args: &'a Template, st: &mut State) -> Result<(String, &'a str), Failure> {
    match args.args.as_slice() {
        [] => Err(arity::failure("template")),
        [_, _, rest @ ..] if !rest.is_empty() => {
            Err(Failure::new(format!("expected at most two arguments, unexpected arguments: {}", rest.join(", "))))
        }
        [_, _] if args.generate_name => Err(Failure::new("cannot set --generate-name and also specify a name")),
        [_, _] if args.name_template.as_deref().is_some_and(|t| !t.is_empty()) => {
            Err(Failure::new("cannot set --name-template and also specify a name"))
        }
        [name, chart, ..] => Ok((name.clone(), chart)),
        [chart] => match args.name_template.as_deref() {
            Some(t) if !t.is_empty() => Ok((render::name(st, t, variable)?, chart)),
            // Helm has set a name before it looks at --generate-name, which therefore does nothing here.
            _ => Ok(("release-name".into(), chart)),
        },
    }
}

/// A variable of the environment; nothing where there is none.
pub(super) fn variable(name: &str) -> String {
    std::env::var_os(name).map(|v| v.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The user's values in Helm's order.
pub(super) fn merge_values(
    st: &mut State,
    args: &ValueArgs,
    from: &ChartPathArgs,
    config: &ConfigArgs,
) -> Result<MapId, Failure> {
    let options = crate::values::ValueOptions {
        files: super::flags::all(&args.values),
        json: args.set_json.clone(),
        set: args.set.clone(),
        set_string: args.set_string.clone(),
        set_file: args.set_file.clone(),
        set_literal: args.set_literal.clone(),
    };
    let mut remote = from.values(config);
    Ok(options.merge(&mut st.heap, &mut |path| {
        url_or_path(path)?;
        remote.read(path.trim()).unwrap_or_else(|| read(path))
    })?)
}

/// Helm takes every name of a file for a URL first, and refuses those that are none (`100%.yaml`) whether the file is there or not. What has
/// one of our own schemes is left alone.
fn url_or_path(name: &str) -> Result<(), String> {
    let scheme = name.split_once("://").map(|(scheme, _)| scheme);
    if name.trim() == "-" || scheme.is_some_and(|s| !matches!(s.trim(), "" | "http" | "https")) {
        return Ok(());
    }
    Url::parse(name.as_bytes()).map(drop)
}

/// Reads a values file; `-` is standard input.
fn read(path: &str) -> Result<Vec<u8>, String> {
    if path.trim() == "-" {
        let mut text = Vec::new();
        return std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut text)
            .map(|_| text)
            .map_err(|e| e.to_string());
    }
    directory::read_file(path).map_err(|e| errno::read_error(path, &e))
}

/// Go's words for the common errors of files.
pub(super) fn go_io_error(e: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match e.kind() {
        ErrorKind::NotFound => "no such file or directory".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "is a directory".into(),
        ErrorKind::NotADirectory => "not a directory".into(),
        _ => e.to_string(),
    }
}

/// Writes a release as `helm template` does.
struct Output<'a, 'i> {
    args: &'a Template,
    release_name: &'a str,
    io: &'a mut Streams<'i>,
    written: HashSet<PathBuf>,
    debug: bool,
}

impl Output<'_, '_> {
    fn release(&mut self, release: &Release) -> Result<(), Failure> {
        let mut docs: Vec<(&str, &[u8])> = Vec::new();
        if self.args.include_crds {
            docs.extend(release.crds.iter().map(|c| (c.path.as_str(), &c.data[..])));
        }
        docs.extend(release.manifests.iter().map(|m| (m.name.as_str(), &m.content[..])));
        let mut hooks = self.shown(&release.hooks);
        if let Some((dir, own)) = self.folders() {
            for (i, (path, text)) in docs.iter().chain(&hooks).enumerate() {
                // Helm puts CRDs beside the release's folder, not into it.
                let is_crd = self.args.include_crds && i < release.crds.len();
                let written = self.file(if is_crd { &dir } else { &own }, path, text);
                // Helm writes hooks when it has rendered all, and the rest while it does.
                let hint = i < docs.len() && !self.debug;
                written.map_err(|f| if hint { Failure { message: hinted(&f.message), ..f } } else { f })?;
            }
            docs.clear();
            hooks.clear();
        }
        if !self.args.show_only.is_empty() {
            let mut text = Vec::new();
            write_frames(&mut text, &docs, &hooks)?;
            return self.show_only(&text);
        }
        Ok(write_frames(self.io.out, &docs, &hooks)?)
    }

    /// The hooks that are wanted.
    fn shown<'r>(&self, hooks: &'r [Hook]) -> Vec<(&'r str, &'r [u8])> {
        let all = if self.args.no_hooks { &[] } else { hooks };
        let shown = all.iter().filter(|h| !(self.args.skip_tests && h.is_test()));
        shown.map(|h| (h.path.as_str(), &h.manifest[..])).collect()
    }

    /// `--output-dir`, and where the release's files go: there, or with `--release-name` into a folder of their own.
    fn folders(&self) -> Option<(String, String)> {
        let dir = self.args.output_dir.clone().filter(|d| !d.is_empty())?;
        let clean = |path: String| String::from_utf8_lossy(&crate::golang::path::clean(path.as_bytes())).into_owned();
        let own = if self.args.release_name { clean(format!("{dir}/{}", self.release_name)) } else { dir.clone() };
        Some((dir, own))
    }

    /// What `--debug` prints of a release that could not be rendered: its files, and the hooks found in them until then once more.
    fn partial(&mut self, files: &BTreeMap<String, Vec<u8>>, hooks: &[Hook]) -> Result<(), Failure> {
        let mut hooks = self.shown(hooks);
        if let Some((_, own)) = self.folders() {
            for (path, text) in hooks.drain(..) {
                self.file(&own, path, text)?;
            }
        }
        let docs: Vec<(&str, &[u8])> = files
            .iter()
            .filter(|(_, text)| !trim_space(text).is_empty())
            .map(|(path, text)| (path.as_str(), text.as_slice()))
            .collect();
        if self.args.show_only.is_empty() {
            return Ok(write_frames(self.io.out, &docs, &hooks)?);
        }
        let mut text = Vec::new();
        write_frames(&mut text, &docs, &hooks)?;
        // What is not there was never rendered: of that the first error tells.
        self.chosen(&text).map_or(Ok(()), |chosen| self.documents(chosen))
    }

    fn show_only(&mut self, text: &[u8]) -> Result<(), Failure> {
        let chosen = self.chosen(text)?;
        self.documents(chosen)
    }

    /// The documents of the templates that were asked for, in the order of the patterns.
    fn chosen<'t>(&self, text: &'t [u8]) -> Result<Vec<&'t [u8]>, Failure> {
        let docs = split(text);
        let mut chosen = Vec::new();
        for pattern in &self.args.show_only {
            let before = chosen.len();
            for doc in &docs {
                if let Some(path) = source_of(doc)
                    && path_match(pattern.as_bytes(), path).unwrap_or(false)
                {
                    chosen.push(*doc);
                }
            }
            if chosen.len() == before {
                return Err(format!("could not find template {pattern} in chart").into());
            }
        }
        Ok(chosen)
    }

    fn documents(&mut self, docs: Vec<&[u8]>) -> Result<(), Failure> {
        for doc in docs {
            self.io.out.write_all(b"---\n")?;
            self.io.out.write_all(doc)?;
            self.io.out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn file(&mut self, dir: &str, name: &str, text: &[u8]) -> Result<(), Failure> {
        let path = PathBuf::from(format!("{dir}/{name}"));
        let fail =
            |what: &str, e: &std::io::Error| Failure::new(errno::path_error(what, &path.display().to_string(), e));
        let above = name.rsplit_once('/').map_or("", |(above, _)| above);
        let above = crate::golang::path::clean(format!("{dir}/{above}").as_bytes());
        make_directory(&String::from_utf8_lossy(&above))?;
        let again = !self.written.insert(path.clone());
        let mut options = std::fs::OpenOptions::new();
        options.create(true).write(true).append(again).truncate(!again);
        let mut file = options.open(&path).map_err(|e| fail("open", &e))?;
        let mut frame = Vec::with_capacity(text.len() + name.len() + 32);
        write_frame(&mut frame, name, text)?;
        file.write_all(&frame).map_err(|e| fail("write", &e))?;
        writeln!(self.io.out, "wrote {}", path.display())?;
        Ok(())
    }
}

/// Makes a directory and those above it. Source: `ensureDirectoryForFile`, `os.MkdirAll`: the error names the one that could not be made.
fn make_directory(dir: &str) -> Result<(), String> {
    let dir = std::path::Path::new(dir);
    let fail =
        |what: &str, at: &std::path::Path, e: &std::io::Error| errno::path_error(what, &at.display().to_string(), e);
    if let Some(e) = std::fs::metadata(dir).err().filter(|e| e.kind() != std::io::ErrorKind::NotFound) {
        return Err(fail("stat", dir, &e));
    }
    let mut missing = Vec::new();
    for at in dir.ancestors().filter(|at| !at.as_os_str().is_empty()) {
        match std::fs::metadata(at) {
            Ok(m) if m.is_dir() => break,
            Ok(_) => return Err(format!("mkdir {}: not a directory", at.display())),
            Err(_) => missing.push(at),
        }
    }
    missing.into_iter().rev().try_for_each(|at| match std::fs::create_dir(at) {
        Err(e) if !at.is_dir() => Err(fail("mkdir", at, &e)),
        _ => Ok(()),
    })
}

/// The path behind `# Source: `, without the chart's name.
fn source_of(doc: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b"# Source: ";
    let mut from = 0;
    while let Some(i) = doc[from..].windows(MARK.len()).position(|w| w == MARK) {
        from += i + MARK.len();
        let rest = &doc[from..];
        if let Some(slash) = rest.iter().position(|b| *b == b'/').filter(|s| *s > 0) {
            let line = rest[slash + 1..].split(|b| *b == b'\n').next().unwrap_or_default();
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
    None
}

fn write_frame(out: &mut dyn Write, path: &str, text: &[u8]) -> std::io::Result<()> {
    out.write_all(b"---\n# Source: ")?;
    out.write_all(path.as_bytes())?;
    out.write_all(b"\n")?;
    out.write_all(text)?;
    out.write_all(b"\n")
}

/// The manifests, trimmed as one text, then the hooks.
fn write_frames(out: &mut dyn Write, docs: &[(&str, &[u8])], hooks: &[(&str, &[u8])]) -> std::io::Result<()> {
    if let Some(((path, text), before)) = docs.split_last() {
        for (path, text) in before {
            write_frame(out, path, text)?;
        }
        // A blank document still has its frame: only what is behind the last text is cut.
        let mut frame = Vec::with_capacity(text.len() + path.len() + 32);
        write_frame(&mut frame, path, text)?;
        out.write_all(trim_space(&frame))?;
    }
    out.write_all(b"\n")?;
    for (path, text) in hooks {
        write_frame(out, path, text)?;
    }
    Ok(())
}
