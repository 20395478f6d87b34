//! Where a command writes: two streams, so that tests and runners can catch them.

use std::io::{self, Write};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, LogLine, Severity};
use crate::golang::slog;

/// The streams of one command.
pub struct Streams<'a> {
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
    /// Standard error is a terminal: explanations may be drawn.
    pub terminal: bool,
    /// The process ends after this command: what a render made need not be taken apart, which costs as much as parsing it.
    pub last: bool,
}

impl Streams<'_> {
    /// Helm's error line.
    pub fn error(&mut self, message: &str) {
        let _ = writeln!(self.err, "Error: {message}");
    }

    /// A line of Helm's own log.
    pub fn log(&mut self, line: &LogLine) {
        let _ = writeln!(self.err, "{}", slog::text(line.level, &line.message, &line.attrs));
    }

    /// A warning that Helm does not give.
    pub fn warn(&mut self, warning: &Diagnostic) {
        if self.terminal && !warning.labels.is_empty() {
            self.explain(warning);
            return;
        }
        let _ = writeln!(self.err, "warning: {}", warning.message);
        for hint in &warning.hints {
            let _ = writeln!(self.err, "  hint: {hint}");
        }
    }

    /// A finding with the excerpts it points into.
    pub fn explain(&mut self, d: &Diagnostic) {
        let level = match d.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(d.message.as_str()));
        for l in &d.labels {
            let kind = if l.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let end = l.span.end.min(l.source.text.len());
            let start = l.span.start.min(end);
            group = group.element(
                Snippet::source(l.source.text.as_ref())
                    .path(l.source.name.as_str())
                    .annotation(kind.span(start..end).label(l.text.as_str())),
            );
        }
        for hint in &d.hints {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        let renderer = if self.terminal { Renderer::styled() } else { Renderer::plain() };
        let _ = writeln!(self.err, "{}", renderer.render(&[group]));
    }
}

/// A stream whose reader may go away (`| head`): that is no error of ours, and stops nothing that has begun. What comes later goes nowhere.
pub struct Pipe<W> {
    to: W,
    gone: bool,
}

impl<W: Write> Pipe<W> {
    pub fn new(to: W) -> Self {
        Self { to, gone: false }
    }

    /// Writes what is left; whether all that was written had a reader.
    pub fn end(&mut self) -> bool {
        let _ = self.flush();
        !self.gone
    }

    fn or_gone<T>(&mut self, done: io::Result<T>, otherwise: T) -> io::Result<T> {
        match done {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(otherwise)
            }
            done => done,
        }
    }
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone {
            return Ok(bytes.len());
        }
        let done = self.to.write(bytes);
        self.or_gone(done, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(());
        }
        let done = self.to.flush();
        self.or_gone(done, ())
    }
}
