//! `pintle completion` and `pintle man`: both written from the flag definitions.

use clap::CommandFactory;

use super::Failure;
use super::args::{Cli, Completion, Man};
use super::output::Streams;

pub fn completion(args: &Completion, io: &mut Streams<'_>) -> Result<(), Failure> {
    // Not straight to the reader: the generator panics over one that went away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pintle", &mut script);
    Ok(io.out.write_all(&script)?)
}

pub fn man(args: &Man, io: &mut Streams<'_>) -> Result<(), Failure> {
    let place = |e: std::io::Error| Failure::new(format!("{}: {e}", args.dir.display()));
    std::fs::create_dir_all(&args.dir).map_err(place)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(place)?;
    writeln!(io.out, "wrote man pages to {}", args.dir.display())?;
    Ok(())
}
