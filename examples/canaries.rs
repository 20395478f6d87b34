//! Looks for the canaries of all tests, in every form in which a secret could slip out, in files: `canaries FILE…`. `tests/canaries.sh` hands
//! it what the whole suite logged and printed.

#[path = "../tests/support/canaries.rs"]
mod canaries;

use std::fs::File;
use std::io::Read;
use std::process::ExitCode;

use aho_corasick::AhoCorasick;

/// What is read at a time.
const PIECE: usize = 64 << 20;

fn main() -> ExitCode {
    let forms: Vec<(&str, &str, String)> = canaries::ALL
        .iter()
        .flat_map(|canary| canaries::forms_of(canary).into_iter().map(|(form, text)| (*canary, form, text)))
        .collect();
    let longest = forms.iter().map(|(.., text)| text.len()).max().unwrap_or_default();
    let finder = AhoCorasick::new(forms.iter().map(|(.., text)| text)).expect("an automaton of the forms");
    let (mut bytes, mut found) = (0, 0);
    for path in std::env::args_os().skip(1) {
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) => {
                eprintln!("{}: {e}", path.display());
                return ExitCode::FAILURE;
            }
        };
        let mut piece = Vec::new();
        loop {
            // What lies across two pieces is in the second.
            let kept = piece.len().min(longest);
            piece.drain(..piece.len() - kept);
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).expect("the file can be read");
            bytes += read;
            if read == 0 {
                break;
            }
            for at in finder.find_iter(&piece) {
                let (canary, form, _) = &forms[at.pattern().as_usize()];
                let start = piece[..at.start()].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
                let end = piece[at.end()..].iter().position(|b| *b == b'\n').map_or(piece.len(), |i| at.end() + i);
                let line =
                    String::from_utf8_lossy(&piece[start.max(at.start().saturating_sub(300))..end.min(at.end() + 100)]);
                found += 1;
                if found <= 50 {
                    println!("{canary} ({form}) in {}: {line}", path.display());
                }
            }
        }
    }
    println!("{} forms of {} canaries looked for in {} MiB", forms.len(), canaries::ALL.len(), bytes >> 20);
    println!("{found} found");
    if found == 0 && bytes > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
