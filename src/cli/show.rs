//! `pintle show`: `helm show`, byte for byte.

use super::Failure;
use super::args::{Global, Show, ShowWhat};
use super::output::Streams;
use crate::chart::show::{Part, show};

pub fn run(args: &Show, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let (part, args) = match &args.what {
        ShowWhat::All(args) => (Part::All, args),
        ShowWhat::Chart(args) => (Part::Chart, args),
        ShowWhat::Values(args) => (Part::Values, args),
        ShowWhat::Readme(args) => (Part::Readme, args),
        ShowWhat::Crds(args) => (Part::Crds, args),
    };
    let located = args.source.locate(&args.chart, &global.config, io)?;
    let mut log = Vec::new();
    let chart = located.load_unchecked(&mut log);
    log.iter().for_each(|line| io.log(line));
    let text = show(&chart.map_err(|e| e.message)?, part)?;
    io.out.write_all(&text)?;
    Ok(())
}
