//! What is said while an action works: on a terminal a line for each object that is waited for, else a plain line for each change of state.

use std::collections::HashMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cluster::ObjectId;
use crate::cluster::status::State;
use crate::cluster::wait::Progress;
use crate::diagnostic::LogLine;

use super::driving::Said;
use super::output::Streams;

/// The view of one action.
pub struct View {
    quiet: bool,
    lines: Option<MultiProgress>,
    bars: HashMap<ObjectId, ProgressBar>,
    /// What was last said of each object: the same is not said twice.
    last: HashMap<ObjectId, (State, String)>,
}

impl View {
    pub fn new(quiet: bool, terminal: bool) -> Self {
        let lines = (terminal && !quiet).then(MultiProgress::new);
        Self { quiet, lines, bars: HashMap::new(), last: HashMap::new() }
    }

    pub fn show(&mut self, said: Said, io: &mut Streams<'_>) {
        match said {
            Said::Log(line) => self.aside(|io| io.log(&line), io),
            Said::Note(text) => self.aside(|io| drop(writeln!(io.err, "note: {text}")), io),
            // Helm hands hooks' output to its logger, a piece at a time.
            Said::HookLog(text) => {
                let line = LogLine::info(text.strip_suffix('\n').unwrap_or(&text));
                self.aside(|io| io.log(&line), io);
            }
            Said::Progress(p) => self.progress(p, io),
        }
    }

    /// Prints without disturbing the lines.
    fn aside(&self, print: impl FnOnce(&mut Streams<'_>), io: &mut Streams<'_>) {
        match &self.lines {
            Some(lines) => lines.suspend(|| print(io)),
            None => print(io),
        }
    }

    fn progress(&mut self, p: Progress, io: &mut Streams<'_>) {
        if self.quiet || self.last.get(&p.id).is_some_and(|(s, m)| *s == p.state && *m == p.message) {
            return;
        }
        let first = self.last.insert(p.id.clone(), (p.state, p.message.clone())).is_none();
        // Of what is ready (or gone) when it is first seen there is nothing to say.
        if first && matches!(p.state, State::Current | State::NotFound) {
            return;
        }
        let state = if p.message.is_empty() {
            p.state.as_str().to_string()
        } else {
            format!("{}: {}", p.state.as_str(), p.message)
        };
        let Some(lines) = &self.lines else {
            let _ = writeln!(io.err, "{}: {state}", p.id);
            return;
        };
        let bar = self.bars.entry(p.id.clone()).or_insert_with(|| {
            let bar = lines.add(ProgressBar::new_spinner());
            // The template is fixed: it always parses.
            let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✓"));
            bar.set_prefix(p.id.to_string());
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
            bar
        });
        bar.set_message(state.clone());
        if matches!(p.state, State::Current | State::Failed | State::NotFound) {
            bar.finish_with_message(state);
        }
    }

    /// Leaves the lines as they stand, and what follows begins below them.
    pub fn end(&mut self, io: &mut Streams<'_>) {
        for bar in self.bars.values().filter(|b| !b.is_finished()) {
            bar.abandon();
        }
        if !self.bars.is_empty() {
            let _ = writeln!(io.err);
        }
    }
}
