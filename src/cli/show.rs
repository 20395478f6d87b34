//! `pintle show`: `helm show`, byte for byte.

use super::Failure;
use super::args::{Global, Show, ShowWhat};
use super::output::Streams;
use crate::chart::show::{Part, show, values_by};

pub fn run(args: &Show, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let (part, args, jsonpath) = match &args.what {
        ShowWhat::All(args) => (Part::All, args, ""),
        ShowWhat::Chart(args) => (Part::Chart, args, ""),
        ShowWhat::Values(args) => (Part::Values, &args.show, args.jsonpath.as_str()),
        ShowWhat::Readme(args) => (Part::Readme, args, ""),
        ShowWhat::Crds(args) => (Part::Crds, args, ""),
    };
    let located = args.source.locate(&args.chart, &global.config, io)?;
    let mut log = Vec::new();
    let chart = located.load_unchecked(&mut log);
    log.iter().for_each(|line| io.log(line));
    let chart = chart.map_err(|e| e.message)?;
    let text = if jsonpath.is_empty() { show(&chart, part)? } else { values_by(&chart, jsonpath)? };
    io.out.write_all(&text)?;
    Ok(())
}
