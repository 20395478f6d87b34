//! What happens inside, where `PINTLE_LOG` asks for it (`debug`, `pintle=trace`): on standard error, or behind what stands in the file
//! that `PINTLE_LOG_FILE` names.

use std::fs::File;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// What `PINTLE_LOG` asks for.
pub fn filter() -> Option<EnvFilter> {
    set("PINTLE_LOG").map(EnvFilter::new)
}

/// Where it is written, and whether a person may be looking. A file that can't be opened is told, and standard error is taken.
pub fn writer() -> (BoxMakeWriter, bool) {
    let stderr = || (BoxMakeWriter::new(std::io::stderr), true);
    let Some(path) = set("PINTLE_LOG_FILE") else { return stderr() };
    match File::options().create(true).append(true).open(&path) {
        Ok(file) => (BoxMakeWriter::new(Arc::new(file)), false),
        Err(e) => {
            eprintln!("Warning: PINTLE_LOG_FILE={path}: {e}: what is logged goes to standard error");
            stderr()
        }
    }
}

/// Begins to log, if asked to. The controller has a way of its own, which its flags tell.
pub fn start() {
    let Some(filter) = filter() else { return };
    let (writer, ansi) = writer();
    // A second subscriber, in a test, is no reason to fail.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(writer).try_init();
}
