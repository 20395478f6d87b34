//! What the three runners share: arguments, counting by group, and differences shown as diffs.

#![allow(dead_code, reason = "each runner uses a part")]

use std::path::PathBuf;
use std::process::ExitCode;

use similar::TextDiff;

/// The command line: `--show N`, then paths.
pub struct Args {
    pub show: usize,
    pub paths: Vec<PathBuf>,
}

impl Args {
    pub fn parse(usage: &str) -> Result<Self, ExitCode> {
        let mut out = Self { show: 0, paths: Vec::new() };
        let mut args = std::env::args().skip(1);
        while let Some(a) = args.next() {
            if a == "--show" {
                let Some(n) = args.next().and_then(|n| n.parse().ok()) else {
                    eprintln!("--show needs a number\nusage: {usage}");
                    return Err(ExitCode::from(2));
                };
                out.show = n;
            } else {
                out.paths.push(a.into());
            }
        }
        if out.paths.is_empty() {
            eprintln!("usage: {usage}");
            return Err(ExitCode::from(2));
        }
        Ok(out)
    }
}

/// Counts passes and failures; prints one line for each group and the sum at the end.
#[derive(Default)]
pub struct Report {
    show: usize,
    passed: usize,
    failed: usize,
    group: Option<(String, usize, usize)>,
    notes: Vec<String>,
}

impl Report {
    pub fn new(show: usize) -> Self {
        Self { show, ..Self::default() }
    }

    pub fn begin(&mut self, group: impl Into<String>) {
        self.end_group();
        self.group = Some((group.into(), 0, 0));
    }

    pub fn pass(&mut self) {
        self.passed += 1;
        if let Some(g) = &mut self.group {
            g.1 += 1;
        }
    }

    /// A case that failed; `detail` is only made if it will be shown.
    pub fn fail(&mut self, id: &str, detail: impl FnOnce() -> String) {
        self.failed += 1;
        if let Some(g) = &mut self.group {
            g.2 += 1;
        }
        if self.failed <= self.show {
            println!("--- {id}\n{}", detail());
        }
    }

    /// Passes if both texts are equal, else shows a diff from what is wanted to what came.
    pub fn compare(&mut self, id: &str, want: &str, got: &str) {
        if want == got {
            self.pass();
        } else {
            self.fail(id, || diff(want, got));
        }
    }

    /// A line printed behind the groups' counts (a number that is not a pass or a failure).
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    fn end_group(&mut self) {
        if let Some((name, passed, failed)) = self.group.take() {
            println!("{name}: {passed} passed, {failed} failed");
        }
    }

    pub fn finish(mut self) -> ExitCode {
        self.end_group();
        for n in &self.notes {
            println!("{n}");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        ExitCode::from(u8::from(self.failed > 0 || self.passed == 0))
    }
}

/// A unified diff from `want` to `got`.
pub fn diff(want: &str, got: &str) -> String {
    TextDiff::from_lines(want, got).unified_diff().context_radius(2).header("want", "got").to_string()
}

/// The lines of a JSONL file as JSON objects.
pub fn jsonl(path: &std::path::Path) -> Result<Vec<serde_json::Value>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    text.lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
        .map(|(i, l)| serde_json::from_str(l).map_err(|e| format!("{}:{}: {e}", path.display(), i + 1)))
        .collect()
}

/// Runs the work on a thread with the stack that rendering needs.
pub fn with_stack(work: impl FnOnce() -> ExitCode + Send + 'static) -> ExitCode {
    pintle::gotmpl::with_large_stack(work).unwrap_or(ExitCode::from(101))
}
