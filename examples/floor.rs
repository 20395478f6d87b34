//! The floor of a render: reads a chart (an archive, inflated, or a directory) and writes the bytes of a given text. No renderer that
//! is a process of its own can be faster.
//!
//! `floor CHART TEXT`

use std::io::{Read, Write};
use std::path::Path;

fn read_all(path: &Path, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            read_all(&entry?.path(), buffer)?;
        }
        return Ok(());
    }
    let file = std::fs::File::open(path)?;
    if path.extension().is_some_and(|e| e == "tgz") {
        flate2::read::GzDecoder::new(file).read_to_end(buffer)?;
    } else {
        std::io::BufReader::new(file).read_to_end(buffer)?;
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, chart, text] = args.as_slice() else {
        eprintln!("usage: floor CHART TEXT");
        std::process::exit(2);
    };
    let mut buffer = Vec::new();
    read_all(Path::new(chart), &mut buffer)?;
    std::io::stdout().write_all(&std::fs::read(text)?)
}
