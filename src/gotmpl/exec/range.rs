//! `range`: over lists, maps in key order, and numbers.

use super::super::ast::{Branch, Decl};
use super::{Exec, Flow, Res, Val};
use crate::golang::unicode;
use crate::value::{Elem, Kind, MapType, Value, print};

impl<'t> Exec<'t, '_> {
    pub(super) fn walk_range(&mut self, dot: &Val, branch: &'t Branch) -> Res<Flow> {
        self.check_depth()?;
        let mark = self.vars.len();
        let val = self.eval_pipeline(dot, &branch.pipe)?.v;
        if self.traced() {
            self.trace_range(branch);
        }
        // What the pipeline declared stays for all iterations; what the body declares goes after each.
        let body_mark = self.vars.len();
        let flow = self.range_value(dot, branch, &val, body_mark)?;
        self.vars.truncate(mark);
        // Go catches a break around the whole, the `else` list included.
        Ok(if flow == Flow::Break { Flow::Next } else { flow })
    }

    fn range_value(&mut self, dot: &Val, branch: &'t Branch, val: &Value, mark: usize) -> Res<Flow> {
        let ran = match val {
            Value::Int(n) | Value::Int64(n) => {
                let make = if matches!(val, Value::Int(_)) { Value::Int } else { Value::Int64 };
                self.range_int(branch, val, i128::from(*n), mark, |i| make(i as i64))?
            }
            Value::OtherInt(kind, n) => {
                let kind = *kind;
                self.range_int(branch, val, n.get(kind), mark, |i| Value::OtherInt(kind, i.into()))?
            }
            Value::List(l) => {
                let list = self.st.heap.list(*l);
                let iface = list.elem == Elem::Any;
                let len = list.items.len();
                for i in 0..len {
                    // The body may change elements, so each is read when its turn comes.
                    let elem = self.st.heap.list(*l).items.get(i).cloned().unwrap_or_default();
                    if let Some(trace) = &mut self.st.trace {
                        trace.element(&self.st.heap, val, &Value::Int(i as i64));
                    }
                    if !self.one_iteration(branch, mark, || Value::Int(i as i64), Val { v: elem, iface })? {
                        break;
                    }
                }
                len > 0
            }
            Value::Map(m) => {
                // Go sorts keys and values into a list of their own first.
                let map = self.st.heap.map(*m);
                let iface = map.ty == MapType::Any;
                let entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                let any = !entries.is_empty();
                for (key, v) in entries {
                    if let Some(trace) = &mut self.st.trace {
                        trace.element(&self.st.heap, val, &Value::Str(key.clone()));
                    }
                    if !self.one_iteration(branch, mark, || Value::Str(key), Val { v, iface })? {
                        break;
                    }
                }
                any
            }
            Value::Bytes(bytes) => {
                for (i, b) in bytes.iter().enumerate() {
                    let elem = Val::plain(Value::OtherInt(Kind::Uint8, (*b).into()));
                    if !self.one_iteration(branch, mark, || Value::Int(i as i64), elem)? {
                        break;
                    }
                }
                !bytes.is_empty()
            }
            Value::Nil => false,
            Value::Object(o) => {
                if let Some(elements) = o.elements(&mut self.st.heap) {
                    let any = !elements.is_empty();
                    for (key, v) in elements {
                        if !self.one_iteration(branch, mark, || key, Val::plain(v))? {
                            break;
                        }
                    }
                    any
                } else if let Some(n) = o.int() {
                    let o = o.clone();
                    self.range_int(branch, val, n, mark, |i| {
                        o.with_int(i).unwrap_or(Value::OtherInt(o.kind(), i.into()))
                    })?
                } else {
                    return Err(self.cannot_range("range can't iterate over ", val, ""));
                }
            }
            Value::Bool(_) | Value::Float(_) | Value::Str(_) => {
                return Err(self.cannot_range("range can't iterate over ", val, ""));
            }
        };
        if ran {
            return Ok(Flow::Next);
        }
        match &branch.else_list {
            Some(list) => self.walk_list(dot, list),
            None => Ok(Flow::Next),
        }
    }

    /// True if there was an iteration.
    fn range_int(
        &mut self,
        branch: &'t Branch,
        val: &Value,
        n: i128,
        mark: usize,
        make: impl Fn(i128) -> Value,
    ) -> Res<bool> {
        if branch.pipe.decl.as_ref().is_some_and(|decl| decl.second.is_some()) {
            return Err(self.cannot_range("can't use ", val, " to iterate over more than one variable"));
        }
        let mut i = 0;
        while i < n {
            if !self.one_iteration(branch, mark, || Value::Nil, Val::plain(make(i)))? {
                break;
            }
            i += 1;
        }
        Ok(n > 0)
    }

    /// One turn with its variables set; false after a break.
    #[inline]
    fn one_iteration(
        &mut self,
        branch: &'t Branch,
        mark: usize,
        index: impl FnOnce() -> Value,
        elem: Val,
    ) -> Res<bool> {
        self.step()?;
        match branch.pipe.decl.as_deref() {
            None => {}
            Some(Decl { is_assign: true, first, second: None }) => self.set_var(*first, elem.clone())?,
            Some(Decl { is_assign: true, first, second: Some(second) }) => {
                self.set_var(*first, Val::plain(index()))?;
                self.set_var(*second, elem.clone())?;
            }
            Some(Decl { second, .. }) => {
                self.set_top_var(1, elem.clone());
                if second.is_some() {
                    self.set_top_var(2, Val::plain(index()));
                }
            }
        }
        if let Some(trace) = &mut self.st.trace {
            let count = match branch.pipe.decl.as_deref() {
                Some(Decl { is_assign: true, .. }) => None,
                decl => Some(decl.map_or(0, |decl| decl.names().count())),
            };
            if let Some(count) = count {
                trace.element_vars(self.vars.len().saturating_sub(count), count);
            }
        }
        let flow = self.walk_list(&elem, &branch.list)?;
        self.vars.truncate(mark);
        Ok(flow != Flow::Break)
    }

    /// Go's `setTopVar`: the n-th variable from the top.
    fn set_top_var(&mut self, n: usize, val: Val) {
        if let Some(var) = self.vars.len().checked_sub(n).and_then(|i| self.vars.get_mut(i)) {
            var.val = val;
        }
    }

    fn cannot_range(&mut self, before: &str, val: &Value, after: &str) -> Box<super::Stop> {
        let mut text = Vec::new();
        // An error's text need not be complete.
        let _ = print::action_within(&mut self.st.heap, val, &mut text, 1 << 20);
        self.errorf(format!("{before}{}{after}", unicode::to_text(&text)))
    }
}
