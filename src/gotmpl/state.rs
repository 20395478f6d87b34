//! What lives as long as one render: the heap, the host, the limits and what was used of them.

use std::sync::Arc;

use super::{CallError, Host};
use crate::value::Heap;

/// Bounds of a render. A template that reaches one ends with an error that names it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of text produced by actions and functions, all files together. Default 1 GiB.
    pub output: u64,
    /// Nodes executed, range iterations included. Default 1,000,000,000.
    pub steps: u64,
    /// Maps and lists made. Default 50,000,000.
    pub heap: usize,
    /// Nesting of templates, `include` and `tpl` together. Default 100,000 for `template` (as Go has it).
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { output: 1 << 30, steps: 1_000_000_000, heap: 50_000_000, depth: 100_000 }
    }
}

/// The state of one render, handed to every function.
pub struct State {
    pub heap: Heap,
    pub host: Arc<dyn Host>,
    pub limits: Limits,
    /// Bytes charged so far against [`Limits::output`].
    pub charged: u64,
}

impl State {
    pub fn new(host: Arc<dyn Host>, limits: Limits) -> Self {
        Self { heap: Heap::new(), host, limits, charged: 0 }
    }

    /// To be called **before** a function makes a text or list of about `bytes` bytes: refuses what would go over the limit.
    pub fn charge(&mut self, bytes: u64) -> Result<(), CallError> {
        self.charged = self.charged.saturating_add(bytes);
        if self.charged > self.limits.output {
            return Err(CallError::Limit(format!(
                "the render's text would exceed {} bytes (limit: output)",
                self.limits.output
            )));
        }
        Ok(())
    }
}
