//! Executes parsed templates: a port of Go 1.26 `text/template/exec.go` that walks the tree.
//!
//! Go evaluates to `reflect.Value`s, and charts see the difference between a value that came out of an `interface {}` (an
//! element of a map or list) and one of a known type: `nil pointer evaluating interface {}.x` and `<nil>` arguments depend on
//! it. So the executor computes with a `Val`: a value, and whether Go would hold it in an `interface {}`.
//!
//! Where Go's `state.at` remembers a node for the error's place, so does this one, at the same moments; a text is only made of it
//! when an error is reported.
//!
//! Templates nest natively: one level costs a few stack frames. Go allows 100,000 levels of `template`, so a render should run
//! inside [`with_large_stack`], on a thread of [`STACK_SIZE`] bytes (reserved address space, not memory). On any thread the executor
//! measures how much of the stack templates use, and ends with an error before there is too little left.

mod call;
mod eval;
mod field;
mod range;
#[cfg(test)]
mod tests;
mod traced;
mod walk;

use std::cell::Cell;
use std::sync::Arc;

use super::apart::{apart, let_go};
use super::ast::{Command, Expr, Node, Pipe, Template};
use super::set::TemplateSet;
use super::{CallError, ExecCause, ExecError, FuncTable, Printed, Rest, State, line_col, pure};
use crate::golang::strconv;
use crate::value::Value;

/// The stack that a thread needs so that templates can nest as deep as Go lets them.
pub const STACK_SIZE: usize = 1 << 30;

/// What of [`STACK_SIZE`] templates may use; the rest is for the functions that they call and for the thread itself.
const LARGE_BUDGET: usize = STACK_SIZE - (128 << 20);

/// What templates may use on a thread that nobody made for them: Rust's threads have 2 MiB.
const SMALL_BUDGET: usize = 1 << 20;

thread_local! {
    static BUDGET: Cell<usize> = const { Cell::new(SMALL_BUDGET) };
}

/// Runs work on a thread on which templates can nest as deep as in Go, and waits for it. A panic of the work goes on here.
///
/// # Errors
/// The system's, if it has no such thread to give.
pub fn with_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = spawn_here(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// How many cores there are for this process. To ask reads a dozen files of the system: it is asked once.
pub fn cores() -> usize {
    static CORES: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Starts such a thread in a scope, on another core if there is one, for whoever has several things to do at a time.
///
/// # Errors
/// The system's, if it has no such thread to give.
pub fn spawn_large<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> std::io::Result<std::thread::ScopedJoinHandle<'scope, T>> {
    let thread = spawn_here(scope, apart(work));
    let_go();
    thread
}

fn spawn_here<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> std::io::Result<std::thread::ScopedJoinHandle<'scope, T>> {
    let marked = || {
        BUDGET.set(LARGE_BUDGET);
        work()
    };
    std::thread::Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, marked)
}

/// Starts such a thread that nobody waits for, on another core if there is one.
///
/// # Errors
/// The system's, if it has no such thread to give.
pub fn start_large(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let work = apart(work);
    let marked = || {
        BUDGET.set(LARGE_BUDGET);
        work();
    };
    let started = std::thread::Builder::new().stack_size(STACK_SIZE).spawn(marked).map(drop);
    let_go();
    started
}

/// Whether this thread is one of [`with_large_stack`]'s.
pub fn on_large_stack() -> bool {
    BUDGET.get() == LARGE_BUDGET
}

/// Go's `maxExecDepth`: how deep `template` may nest.
const MAX_EXEC_DEPTH: u32 = 100_000;

/// A value with what Go's static type of it would be.
#[derive(Clone, Debug, Default)]
struct Val {
    v: Value,
    /// Go holds it in an `interface {}`. Nil that is not in an interface is Go's invalid `reflect.Value`.
    iface: bool,
}

impl Val {
    const fn plain(v: Value) -> Self {
        Self { v, iface: false }
    }

    /// Go's zero `reflect.Value`.
    const INVALID: Self = Self::plain(Value::Nil);
}

/// Why execution stops. Boxed, because it is rare and results are passed on at every node.
#[derive(Debug)]
enum Stop {
    Exec(ExecError),
    Limit(String),
}

type Res<T> = Result<T, Box<Stop>>;

/// How a list of nodes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// The node that an error would name.
#[derive(Clone, Copy)]
enum At<'t> {
    Node(&'t Node),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Expr(&'t Expr),
    Start,
}

impl<'t> At<'t> {
    fn node(self) -> Option<&'t dyn Printed> {
        match self {
            At::Node(n) => Some(n),
            At::Pipe(p) => Some(p),
            At::Command(c) => Some(c),
            At::Expr(e) => Some(e),
            At::Start => None,
        }
    }
}

struct Var<'t> {
    name: &'t [u8],
    val: Val,
}

/// One execution: Go's `state`.
struct Exec<'t, 's> {
    set: &'t TemplateSet,
    funcs: &'t FuncTable,
    tmpl: &'t Template,
    /// What `tmpl` was parsed from.
    text: &'t [u8],
    st: &'s mut State,
    out: &'s mut Vec<u8>,
    /// `$` of the template being executed.
    root: Val,
    /// Variables of the templates being executed; those of `tmpl` begin at `vars_base`.
    vars: Vec<Var<'t>>,
    vars_base: usize,
    /// Arguments of the calls being prepared.
    args: Vec<Value>,
    at: At<'t>,
    /// Nesting of `template` in this execution.
    depth: u32,
}

/// Adds `and`, `or` and `call`: the executor evaluates them itself, the table only knows that they exist.
pub fn register(table: &mut FuncTable) {
    table.add(pure("and", |first: Value, _: Rest<Value>| first));
    table.add(pure("or", |first: Value, _: Rest<Value>| first));
    table.add(pure("call", |function: Value, _: Rest<Value>| function));
}

/// What Go's `ExecuteTemplate` says of a name that no template has.
pub fn no_template(set: &TemplateSet, name: &[u8]) -> CallError {
    CallError::Msg(format!(
        "template: no template {} associated with template {}",
        strconv::quote(name),
        strconv::quote(set.root().as_bytes())
    ))
}

/// Executes the template `name` of a set with `dot`, as Go's `ExecuteTemplate`, and appends its output.
///
/// # Errors
/// [`CallError::Msg`] if there is no such template, [`CallError::Exec`] if a node fails, [`CallError::Limit`] if a limit of the render
/// is reached. Output made until then stays in `out`.
pub fn execute(
    set: &Arc<TemplateSet>,
    st: &mut State,
    name: &str,
    dot: &Value,
    out: &mut Vec<u8>,
) -> Result<(), CallError> {
    let Some(template) = set.lookup(name) else {
        return Err(no_template(set, name.as_bytes()));
    };
    st.steps += u64::from(set.layers());
    let outermost = st.stack_base == 0;
    if outermost {
        st.stack_base = stack_here();
        st.stack_budget = BUDGET.get();
    }
    // Functions find their surroundings in the state.
    let other_set = match &st.set {
        Some(current) if Arc::ptr_eq(current, set) => None,
        _ => Some(st.set.replace(set.clone())),
    };
    st.depth += 1;
    let args = st.arg_pool.pop().unwrap_or_default();
    let root = Val::plain(copied(dot.clone()));
    let outer = st.trace.as_mut().map(|trace| trace.begin(name));
    let mut exec = Exec {
        set,
        funcs: set.funcs(),
        tmpl: template,
        text: &template.source,
        st,
        out,
        root: root.clone(),
        vars: Vec::new(),
        vars_base: 0,
        args,
        at: At::Start,
        depth: 0,
    };
    let result = exec.check_depth().and_then(|()| exec.walk_list(&root, &template.root));
    let mut args = std::mem::take(&mut exec.args);
    if let (Some(trace), Some(outer)) = (&mut exec.st.trace, outer) {
        trace.end(outer, exec.out);
    }
    args.clear();
    st.arg_pool.push(args);
    st.depth -= 1;
    if let Some(other) = other_set {
        st.set = other;
    }
    if outermost {
        st.stack_base = 0;
    }
    match result {
        Ok(_) => Ok(()),
        Err(stop) => Err(match *stop {
            Stop::Exec(e) => CallError::Exec(Box::new(e)),
            Stop::Limit(msg) => CallError::Limit(msg),
        }),
    }
}

/// The value as a function gets it: Go passes copies, and a copy of a struct has lost the methods that need its address.
fn copied(v: Value) -> Value {
    match &v {
        Value::Object(o) => o.copied().map_or(v, Value::Object),
        _ => v,
    }
}

/// About where the native stack ends now.
fn stack_here() -> usize {
    let here = 0u8;
    std::ptr::from_ref(&here) as usize
}

impl Exec<'_, '_> {
    /// Go's `state.errorf`.
    #[cold]
    fn errorf(&self, msg: impl Into<String>) -> Box<Stop> {
        Box::new(Stop::Exec(self.error_here(ExecCause::Msg(msg.into()))))
    }

    /// What a function or method returned as its error, said at the current place.
    #[cold]
    fn call_failed(&mut self, name: &str, error: CallError) -> Box<Stop> {
        match error {
            CallError::Limit(msg) => self.limit(msg),
            error => Box::new(Stop::Exec(self.error_here(ExecCause::Call { func: name.into(), error }))),
        }
    }

    /// Ends the render. The first to say it adds the place.
    #[cold]
    fn limit(&mut self, msg: String) -> Box<Stop> {
        let msg = if self.st.limit_placed {
            msg
        } else {
            self.st.limit_placed = true;
            let (line, col) = self.line_col();
            format!("{msg}, at {}:{line}:{col}", self.tmpl.parse_name)
        };
        Box::new(Stop::Limit(msg))
    }

    /// Where the current node is: line (from 1) and byte column (from 0).
    fn line_col(&self) -> (usize, usize) {
        line_col(&self.tmpl.source, self.at.node().map_or(0, |node| node.position(&self.tmpl.source)))
    }

    /// A node as errors show it.
    fn shown(&self, node: &dyn Printed) -> String {
        node.text(&self.tmpl.source)
    }

    fn error_here(&self, cause: ExecCause) -> ExecError {
        let (line, col) = self.line_col();
        let node = self.at.node().map_or_else(String::new, |node| self.shown(node));
        ExecError {
            parse_name: self.tmpl.parse_name.to_string(),
            line,
            col,
            template: self.tmpl.name.to_string(),
            node,
            cause,
        }
    }

    /// Counts a step and looks whether a limit is reached.
    #[inline]
    fn step(&mut self) -> Res<()> {
        self.st.steps += 1;
        if self.st.steps > self.st.limits.steps || self.st.heap.len() > self.st.limits.heap {
            return Err(self.step_limit());
        }
        Ok(())
    }

    #[cold]
    fn step_limit(&mut self) -> Box<Stop> {
        let limits = self.st.limits;
        self.limit(if self.st.steps > limits.steps {
            format!("the render would take more than {} steps (limit: steps)", limits.steps)
        } else {
            format!("the render would make more than {} maps and lists (limit: heap)", limits.heap)
        })
    }

    /// To be asked wherever templates or pipelines nest.
    #[inline]
    fn check_depth(&mut self) -> Res<()> {
        let used = self.st.stack_base.abs_diff(stack_here());
        if used > self.st.stack_budget || self.st.depth > self.st.limits.depth {
            return Err(self.limit(format!(
                "templates are nested too deeply: {} levels, {used} bytes of stack (limit: depth)",
                self.st.depth.saturating_add(self.depth)
            )));
        }
        Ok(())
    }

    /// Appends text to the output.
    #[inline]
    fn write(&mut self, text: &[u8]) -> Res<()> {
        self.charge_output(text.len())?;
        self.out.extend_from_slice(text);
        Ok(())
    }

    #[inline]
    fn charge_output(&mut self, bytes: usize) -> Res<()> {
        self.st.charged = self.st.charged.saturating_add(bytes as u64);
        if self.st.charged > self.st.limits.output {
            return Err(self.output_limit());
        }
        Ok(())
    }

    #[cold]
    fn output_limit(&mut self) -> Box<Stop> {
        match self.st.charge(0) {
            Err(CallError::Limit(msg)) => self.limit(msg),
            _ => self.limit("the render's text is too long (limit: output)".into()),
        }
    }
}
