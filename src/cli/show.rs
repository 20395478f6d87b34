//! `pintle show`: `helm show`, byte for byte.

use super::Failure;
use super::args::{Show, ShowWhat};
use super::output::Streams;
use crate::chart::show::{Part, show};

pub fn run(args: &Show, io: &mut Streams<'_>) -> Result<(), Failure> {
    let located = args.source.locate(&args.chart, io)?;
    let mut log = Vec::new();
    let chart = located.load_unchecked(&mut log);
    log.iter().for_each(|line| io.log(line));
    let part = match args.what {
        ShowWhat::All => Part::All,
        ShowWhat::Chart => Part::Chart,
        ShowWhat::Values => Part::Values,
        ShowWhat::Readme => Part::Readme,
        ShowWhat::Crds => Part::Crds,
    };
    let text = show(&chart.map_err(|e| e.message)?, part)?;
    io.out.write_all(&text)?;
    Ok(())
}
