//! What lives as long as one render: the heap, the host, the limits and what was used of them.

use std::any::Any;
use std::sync::Arc;

use super::set::{Parsed, TemplateSet};
use super::trace::Trace;
use super::{CallError, Host, Names, Watch};
use crate::value::{Heap, Str, Value};

/// Bounds of a render. A template that reaches one ends with an error that names it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of text produced by actions and functions, all files together. Default 1 GiB.
    pub output: u64,
    /// Nodes executed, range iterations included. Default 1,000,000,000.
    pub steps: u64,
    /// Maps and lists made. Default 5,000,000.
    pub heap: usize,
    /// Nesting of `include` and `tpl` together (`template` has Go's own limit); the stack may end it earlier. Default 100,000.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { output: 1 << 30, steps: 1_000_000_000, heap: 5_000_000, depth: 100_000 }
    }
}

/// The state of one render, handed to every function.
pub struct State {
    pub heap: Heap,
    pub host: Arc<dyn Host>,
    pub limits: Limits,
    /// Bytes charged so far against [`Limits::output`].
    pub charged: u64,
    /// Nodes executed so far, against [`Limits::steps`].
    pub steps: u64,
    /// The templates that functions such as Helm's `include` see: those of the template that is being executed.
    pub set: Option<Arc<TemplateSet>>,
    /// Whatever the embedder's functions need of this render (Helm's `lookup`: the cluster).
    pub extension: Option<Arc<dyn Any + Send + Sync>>,
    /// Per template name, how many executions of it by `include` are under way.
    pub nesting: Names<Str, u32>,
    /// Texts parsed while rendering (`tpl`): each text once.
    pub(super) parsed: Names<Str, Arc<Parsed>>,
    /// How many executions (not counting `template`) are nested now.
    pub(super) depth: u32,
    /// Where the native stack stood when the outermost execution began; 0 outside.
    pub(super) stack_base: usize,
    /// How many bytes of the stack may be used from there on.
    pub(super) stack_budget: usize,
    /// True once a limit's message tells its place.
    pub(super) limit_placed: bool,
    /// Emptied buffers, to be used again.
    pub(super) arg_pool: Vec<Vec<Value>>,
    pub(super) buffer_pool: Vec<Vec<u8>>,
    /// Where output comes from, if somebody wants to know.
    pub trace: Option<Box<Trace>>,
    /// What is made of secrets, if somebody has to hide them.
    pub watch: Option<Arc<Watch>>,
}

impl State {
    pub fn new(host: Arc<dyn Host>, limits: Limits) -> Self {
        Self {
            heap: Heap::new(),
            host,
            limits,
            charged: 0,
            steps: 0,
            set: None,
            extension: None,
            nesting: Names::default(),
            parsed: Names::default(),
            depth: 0,
            stack_base: 0,
            stack_budget: 0,
            limit_placed: false,
            arg_pool: Vec::new(),
            buffer_pool: Vec::new(),
            trace: None,
            watch: None,
        }
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

    /// To be called **before** a function does work that takes about as long as `steps` nodes of a template.
    pub fn charge_steps(&mut self, steps: u64) -> Result<(), CallError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps {
            return Err(CallError::Limit(format!(
                "the render would take more than {} steps (limit: steps)",
                self.limits.steps
            )));
        }
        Ok(())
    }

    /// An empty buffer, from the pool if there is one.
    pub fn take_buffer(&mut self) -> Vec<u8> {
        self.buffer_pool.pop().unwrap_or_default()
    }

    /// Gives a buffer back for later use.
    pub fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        if self.buffer_pool.len() < 64 && buffer.capacity() <= 1 << 20 {
            buffer.clear();
            self.buffer_pool.push(buffer);
        }
    }
}
