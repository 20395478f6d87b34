//! Renders a chart with the library alone: `cargo run --release --no-default-features --example render -- NAME CHART [VALUES.yaml…]`.
//!
//! What a program of yours needs for it: no command line, no TLS, no async runtime. The documents are those of
//! `pintle template NAME CHART -f VALUES.yaml`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use pintle::chart::directory;
use pintle::gotmpl::{Limits, State, SystemHost, with_large_stack};
use pintle::render::{self, Capabilities, Compat, Release, ReleaseOptions, Request};
use pintle::values::ValueOptions;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(chart)) = (args.next(), args.next()) else {
        eprintln!("usage: render NAME CHART [VALUES.yaml...]");
        return ExitCode::from(2);
    };
    let files = args.collect();
    // Templates that include one another as deep as Helm lets them want more stack than a program begins with.
    let written = with_large_stack(move || {
        let release = release(name, Path::new(&chart), files)?;
        print(&release, &mut std::io::stdout().lock()).map_err(|e| e.to_string())
    });
    match written {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(e)) => {
            eprintln!("Error: {e}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

pub fn release(name: String, chart: &Path, files: Vec<String>) -> Result<Release, String> {
    // What Helm would log, a duplicate key in values.yaml for one.
    let mut log = Vec::new();
    let chart = directory::load(chart, &mut log).map_err(|e| e.to_string())?;
    render::check_installable(&chart, &mut log)?;
    // All values of a render live on its heap; limits bound what a template can take.
    let mut state = State::new(Arc::new(SystemHost { enable_dns: false }), Limits::default());
    let given = ValueOptions { files, ..ValueOptions::default() };
    let mut read = |path: &str| std::fs::read(path).map_err(|e| format!("{path}: {e}"));
    let values = given.merge(&mut state.heap, &mut read)?;
    let request = Request {
        release: ReleaseOptions { name, namespace: "default".into(), revision: 1, is_install: true, is_upgrade: false },
        capabilities: Arc::new(Capabilities::offline(Compat::default(), None, &[])),
        skip_schema_validation: false,
    };
    render::release(&mut state, chart, values, &request, &mut log).map_err(|f| f.message)
}

pub fn print(release: &Release, out: &mut dyn Write) -> std::io::Result<()> {
    let manifests = release.manifests.iter().map(|m| (&m.name, &m.content));
    let hooks = release.hooks.iter().map(|h| (&h.path, &h.manifest));
    for (path, text) in manifests.chain(hooks) {
        writeln!(out, "---\n# Source: {path}")?;
        out.write_all(text)?;
        writeln!(out)?;
    }
    Ok(())
}
