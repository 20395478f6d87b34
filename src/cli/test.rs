//! `pintle test`: `helm test`. Source: Helm 4.3 `pkg/cmd/release_testing.go`.

use clap::Args;

use crate::release::action::test::{Test, test};
use crate::release::action::{Options, WaitStrategy};

use super::args::Global;
use super::driving::{drive, duration, failure};
use super::output::Streams;
use super::printed::{self, Format, Show};
use super::{Failure, arity, target};

#[derive(Args, Debug, Clone)]
pub struct TestArgs {
    /// The release's name
    #[arg(value_name = "RELEASE")]
    pub names: Vec<String>,
    /// Time to wait for any individual Kubernetes operation (like Jobs for hooks)
    #[arg(long, default_value = "5m0s", value_name = "DURATION")]
    pub timeout: String,
    /// Dump the logs from test pods (after all tests are complete, but before any cleanup)
    #[arg(long)]
    pub logs: bool,
    /// Specify tests by attribute (currently "name") using attribute=value syntax or '!attribute=value' to exclude a test
    #[arg(long, value_name = "FILTER", value_delimiter = ',')]
    pub filter: Vec<String>,
    /// Say nothing of what is waited for
    #[arg(short, long)]
    pub quiet: bool,
}

pub fn run(args: &TestArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let [name] = args.names.as_slice() else {
        return Err(arity::failure("test"));
    };
    let (mut include, mut exclude) = (Vec::new(), Vec::new());
    for filter in &args.filter {
        if let Some(name) = filter.strip_prefix("name=") {
            include.push(name.to_string());
        } else if let Some(name) = filter.strip_prefix("!name=").or_else(|| filter.strip_prefix("! name=")) {
            exclude.push(name.to_string());
        }
    }
    let options =
        Options { timeout: duration("timeout", &args.timeout)?, wait: WaitStrategy::Watcher, ..Options::default() };
    let what = Test { name: name.clone(), options, include, exclude };
    let logs = args.logs;
    let (record, text, error) = drive(name, args.quiet, io, target::open(global), |ctx| async move {
        let mut done = test(&ctx, &what).await.map_err(|e| failure(e, ""))?;
        let mut error = done.error.take().map(|e| failure(e, ""));
        let mut text = String::new();
        if logs {
            let (written, errors) = done.logs(&what).await;
            text = written;
            if !errors.is_empty() {
                let first = error.map(|f| f.message).into_iter();
                error = Some(Failure::new(first.chain(errors).collect::<Vec<_>>().join("\n")));
            }
        }
        let record = done.record.clone();
        let ended = done.finish().await.err().map(|e| failure(e, ""));
        Ok((record, text, error.or(ended)))
    })?;
    printed::release(&record, Format::Table, Show { debug: global.debug, hide_notes: true, ..Show::default() }, io)?;
    if logs {
        writeln!(io.out)?;
        io.out.write_all(text.as_bytes())?;
    }
    error.map_or(Ok(()), Err)
}
