//! `--post-renderer`: a program of the user's that the rendered objects go through.
//!
//! In Helm 4 this names an installed plugin of the type `postrenderer/v1`, not a program as in Helm 3. Plugins that are programs are run here as Helm
//! runs them; WebAssembly ones are refused. Source: Helm 4.3 `pkg/postrenderer`, `internal/plugin`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::Args;

use crate::diagnostic::LogLine;
use crate::release::action::PostRender;
use crate::render::post;
use crate::value::{Heap, Map, Value};

use super::Failure;
use super::output::Streams;

/// So much of what a failed program said is shown.
const SHOWN_LINES: usize = 20;

#[derive(Args, Debug, Clone, Default)]
pub struct PostRendererArgs {
    /// The name of a postrenderer type plugin to be used for post rendering. If it exists, the plugin will be used
    #[arg(long, value_name = "PLUGIN")]
    pub post_renderer: Vec<String>,
    /// An argument to the post-renderer (can specify multiple)
    #[arg(long, value_name = "ARG")]
    pub post_renderer_args: Vec<String>,
}

impl PostRendererArgs {
    /// What the rendered files go through, if a plugin is named.
    ///
    /// # Errors
    /// In Helm's words: there is no such plugin.
    pub fn find(&self, io: &mut Streams<'_>) -> Result<Option<PostRender>, Failure> {
        let mut names = self.post_renderer.iter().filter(|n| !n.is_empty());
        let Some(name) = names.next() else { return Ok(None) };
        let refused = |value: &str, why: String| {
            Failure::new(format!("invalid argument {value:?} for \"--post-renderer\" flag: {why}"))
        };
        if let Some(second) = names.next() {
            return Err(refused(second, "cannot specify --post-renderer flag more than once".into()));
        }
        let directories = plugin_directories();
        let plugin = find(&directories, name, io).map_err(|e| refused(name, e))?.ok_or_else(|| {
            let shown: Vec<String> = directories.iter().map(|d| d.display().to_string()).collect();
            let hint = format!(
                "since Helm 4 this names a plugin; it must lie in {} with `type: postrenderer/v1` in its plugin.yaml",
                shown.join(", ")
            );
            refused(name, format!("plugin: {{Name:{name} Type:postrenderer/v1}} not found\nhint: {hint}"))
        })?;
        let arguments = self.post_renderer_args.clone();
        Ok(Some(Arc::new(move |files| post::through(&files, &|manifests| plugin.run(&arguments, manifests)))))
    }
}

/// `HELM_PLUGINS`, or `plugins` in Helm's data directory.
fn plugin_directories() -> Vec<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    if let Some(list) = set("HELM_PLUGINS") {
        return std::env::split_paths(&list).collect();
    }
    vec![PathBuf::from(super::helm_env::data_home()).join("plugins")]
}

/// An installed plugin that is a program.
struct Plugin {
    name: String,
    directory: PathBuf,
    commands: Vec<PlatformCommand>,
}

#[derive(Default)]
struct PlatformCommand {
    os: String,
    arch: String,
    command: String,
    args: Vec<String>,
}

/// The first plugin of this name that is a post-renderer. What cannot be read is passed over with a warning.
fn find(directories: &[PathBuf], name: &str, io: &mut Streams<'_>) -> Result<Option<Plugin>, String> {
    let mut found = None;
    for directory in directories {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        let mut folders: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        folders.sort();
        for folder in folders {
            let file = folder.join("plugin.yaml");
            let Ok(text) = std::fs::read(&file) else { continue };
            match read(&text, &folder, name) {
                Ok(plugin) => found = found.or(plugin),
                Err(e) => io.log(
                    &LogLine::warn("failed to load plugin (ignoring)")
                        .with("plugin_yaml", file.display().to_string())
                        .with("error", format!("failed to load plugin {:?}: {e}", folder.display().to_string())),
                ),
            }
        }
    }
    found.transpose()
}

/// `None`: another plugin. The inner error: it is the one, but it cannot be run here.
fn read(text: &[u8], folder: &Path, name: &str) -> Result<Option<Result<Plugin, String>>, String> {
    let mut heap = Heap::new();
    let top = crate::yaml::to_map(&mut heap, text).map_err(|e| e.to_string())?;
    let top = heap.map(top);
    match text_of(top, "apiVersion").as_str() {
        // Plugins of Helm 3: commands and downloaders.
        "" => return Ok(None),
        "v1" => {}
        other => return Err(format!("invalid plugin apiVersion: {other:?}")),
    }
    for (key, missing) in [
        ("name", "invalid plugin `name`"),
        ("version", "plugin `version` is required"),
        ("type", "`type` missing"),
        ("runtime", "`runtime` missing"),
    ] {
        if text_of(top, key).is_empty() {
            return Err(missing.into());
        }
    }
    if text_of(top, "name") != name || text_of(top, "type") != "postrenderer/v1" {
        return Ok(None);
    }
    match text_of(top, "runtime").as_str() {
        "subprocess" => {}
        "extism/v1" => {
            return Ok(Some(Err(format!(
                "plugin {name:?} is WebAssembly (runtime extism/v1), which pintle does not run: use a plugin of the runtime subprocess"
            ))));
        }
        other => return Err(format!("unsupported plugin runtime type: {other:?}")),
    }
    let commands = match top.get("runtimeConfig") {
        Some(Value::Map(config)) => match heap.map(*config).get("platformCommand") {
            Some(Value::List(list)) => {
                heap.list(*list).items.iter().filter_map(|c| platform_command(&heap, c)).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    Ok(Some(Ok(Plugin { name: name.to_string(), directory: folder.to_path_buf(), commands })))
}

fn text_of(map: &Map, key: &str) -> String {
    match map.get(key) {
        Some(Value::Str(s)) => s.to_text().into_owned(),
        _ => String::new(),
    }
}

fn platform_command(heap: &Heap, value: &Value) -> Option<PlatformCommand> {
    let Value::Map(id) = value else { return None };
    let map = heap.map(*id);
    let args = match map.get("args") {
        Some(Value::List(list)) => {
            let text = |v: &Value| if let Value::Str(s) = v { Some(s.to_text().into_owned()) } else { None };
            heap.list(*list).items.iter().filter_map(text).collect()
        }
        _ => Vec::new(),
    };
    Some(PlatformCommand { os: text_of(map, "os"), arch: text_of(map, "arch"), command: text_of(map, "command"), args })
}

impl Plugin {
    /// Source: `getPlatformCommand`: system and architecture, then the system alone, then neither.
    fn command(&self) -> Option<&PlatformCommand> {
        let (os, arch) = platform();
        let is =
            |c: &&PlatformCommand, o: &str, a: &str| c.os.eq_ignore_ascii_case(o) && c.arch.eq_ignore_ascii_case(a);
        let pick = |o: &str, a: &str| self.commands.iter().find(|c| is(c, o, a));
        pick(os, arch).or_else(|| pick(os, "")).or_else(|| pick("", ""))
    }

    fn run(&self, arguments: &[String], manifests: &[u8]) -> Result<Vec<u8>, String> {
        let invoked = self.invoke(arguments, manifests);
        let text = invoked.map_err(|e| format!("failed to invoke post-renderer plugin {:?}: {e}", self.name))?;
        if text.trim_ascii().is_empty() {
            return Err(format!("post-renderer {:?} produced empty output", self.name));
        }
        Ok(text)
    }

    fn invoke(&self, arguments: &[String], manifests: &[u8]) -> Result<Vec<u8>, String> {
        let mut env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.to_string_lossy().into_owned())))
            .collect();
        env.insert("HELM_PLUGIN_NAME".into(), self.name.clone());
        env.insert("HELM_PLUGIN_DIR".into(), self.directory.display().to_string());
        let command = self.command().filter(|c| !c.command.is_empty());
        let command = command.ok_or("failed to prepare plugin command: no plugin command is applicable")?;
        let mut words =
            command.command.split(' ').chain(command.args.iter().map(String::as_str)).map(|w| expand(w, &env));
        let program = words.next().unwrap_or_default();
        let mut child = Command::new(&program)
            .args(words)
            .args(arguments)
            .envs(&env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("fork/exec {program}: {}", super::template::go_io_error(&e)))?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            // A program that ends without reading everything breaks the pipe: its exit code tells whether that was right.
            scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(manifests)));
            child.wait_with_output()
        });
        let output = output.map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default();
        let shown: String = shown.iter().map(|l| format!("\n  {l}")).collect();
        Err(format!("plugin {:?} exited with error{shown}", self.name))
    }
}

/// Go's names for where we run.
fn platform() -> (&'static str, &'static str) {
    let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    (os, arch)
}

/// `$NAME` and `${NAME}`, nothing where there is no such variable. Source: Go `os.Expand`.
fn expand(word: &str, env: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let (name, after) = match behind.strip_prefix('{').and_then(|b| b.split_once('}')) {
            Some(parts) => parts,
            None => {
                let end = behind.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(behind.len());
                behind.split_at(end)
            }
        };
        match name {
            "" => out.push('$'),
            name => out.push_str(env.get(name).map_or("", String::as_str)),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_expanded_as_go_does() {
        let env = BTreeMap::from([("A".to_string(), "x y".to_string()), ("B_1".to_string(), "z".to_string())]);
        for (word, want) in [
            ("$A/b", "x y/b"),
            ("${A}b", "x yb"),
            ("$B_1$B_1", "zz"),
            ("${NONE}", ""),
            ("a$", "a$"),
            ("plain", "plain"),
        ] {
            assert_eq!(expand(word, &env), want, "{word}");
        }
    }
}
