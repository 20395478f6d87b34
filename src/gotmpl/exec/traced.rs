//! What the executor tells a [`Trace`](crate::gotmpl::trace::Trace), if there is one.

use super::super::Printed;
use super::super::ast::{Branch, Fields, Name, Node};
use super::{At, Exec, Flow, Res, Val};
use crate::value::Str;

impl<'t> Exec<'t, '_> {
    #[inline]
    pub(super) const fn traced(&self) -> bool {
        self.st.trace.is_some()
    }

    #[cold]
    pub(super) fn walk_traced(&mut self, dot: &Val, node: &'t Node) -> Res<Flow> {
        let template = self.tmpl;
        let pos = match node {
            Node::Text { pos, .. } => *pos,
            other => other.position(self.text),
        };
        let saved = self.st.trace.as_mut().map(|trace| trace.enter(template, pos, self.out.len()));
        let flow = self.walk_node(dot, node)?;
        let printed = match node {
            Node::Text { .. } => Some(true),
            Node::Action(_) => Some(false),
            _ => None,
        };
        if let (Some(trace), Some(saved)) = (&mut self.st.trace, saved) {
            trace.leave(saved, template, pos, printed, self.out.len());
        }
        Ok(flow)
    }

    #[cold]
    pub(super) fn trace_block(&mut self, branch: &Branch, with: bool, val: &Val) {
        let holds = val.v.truth(&self.st.heap);
        let head = format!("{} {}", if with { "with" } else { "if" }, self.shown(&branch.pipe));
        if let Some(trace) = &mut self.st.trace {
            trace.block(self.tmpl, branch.pos, head, !holds, with && holds);
        }
    }

    #[cold]
    pub(super) fn trace_range(&mut self, branch: &Branch) {
        let head = format!("range {}", self.shown(&branch.pipe));
        if let Some(trace) = &mut self.st.trace {
            // An `else` part would have the outer dot; nothing is lost by taking the range's for it.
            trace.block(self.tmpl, branch.pos, head, false, true);
        }
    }

    /// Before the variable is there.
    #[cold]
    pub(super) fn trace_declaration(&mut self, variable: Name, is_assign: bool) {
        let known = || {
            let name = variable.of(self.text);
            let at = self.vars[self.vars_base..].iter().rposition(|var| var.name == name);
            at.map(|i| i + self.vars_base)
        };
        let at = if is_assign { known() } else { Some(self.vars.len()) };
        if let (Some(at), Some(trace)) = (at, &mut self.st.trace) {
            trace.set_variable(at, is_assign);
        }
    }

    #[inline]
    pub(super) fn trace_dot(&mut self, dot: &Val, keys: Fields) {
        let text = self.text;
        if let Some(trace) = &mut self.st.trace {
            trace.dot(&self.st.heap, &dot.v, &texts(keys, text));
        }
    }

    #[inline]
    pub(super) fn trace_call(&mut self) {
        if let Some(trace) = &mut self.st.trace {
            trace.call();
        }
    }

    #[cold]
    pub(super) fn trace_runs(&mut self, func: &str, at: At<'t>) {
        let pos = at.node().map_or(0, |node| node.position(self.text));
        if let Some(trace) = &mut self.st.trace {
            trace.call_runs(self.tmpl, pos, func);
        }
    }
}

/// The names as a trace keeps them.
#[cold]
pub(super) fn texts(fields: Fields, source: &[u8]) -> Vec<Str> {
    fields.names(source).map(|name| Str::new(name.of(source))).collect()
}
