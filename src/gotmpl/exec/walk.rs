//! The nodes that make output and control it: text, actions, `if`, `with`, `template`.

use super::super::ast::{Branch, Command, Expr, Few, List, Node, Pipe, slice};
use super::super::{FuncTable, Ty};
use super::{At, Exec, Flow, MAX_EXEC_DEPTH, Res, Val, Var};
use crate::golang::strconv;
use crate::value::print::{self, Unprintable};
use crate::value::{Heap, MapType, Value};

impl<'t> Exec<'t, '_> {
    pub(super) fn walk_list(&mut self, dot: &Val, list: &'t List) -> Res<Flow> {
        for node in &*list.nodes {
            match self.walk(dot, node)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn walk(&mut self, dot: &Val, node: &'t Node) -> Res<Flow> {
        self.at = At::Node(node);
        self.step()?;
        if self.traced() { self.walk_traced(dot, node) } else { self.walk_node(dot, node) }
    }

    /// Once in `walk`, which every node passes, and once where a trace is kept.
    #[inline(always)]
    pub(super) fn walk_node(&mut self, dot: &Val, node: &'t Node) -> Res<Flow> {
        match node {
            Node::Text { pos, end } => {
                self.write(slice(self.text, *pos, *end))?;
                Ok(Flow::Next)
            }
            Node::Action(pipe) => {
                if !self.traced() && self.print_in_place(dot, pipe)? {
                    return Ok(Flow::Next);
                }
                // Variables stay declared until the surrounding `end`, so nothing is popped here.
                let val = self.eval_pipeline(dot, pipe)?;
                if pipe.decl.is_none() {
                    self.at = At::Node(node);
                    self.print_value(&val.v)?;
                }
                Ok(Flow::Next)
            }
            Node::If(branch) => self.walk_if_or_with(dot, branch, false),
            Node::With(branch) => self.walk_if_or_with(dot, branch, true),
            Node::Range(branch) => self.walk_range(dot, branch),
            Node::Template(call) => {
                self.walk_template(dot, node, &call.name, call.pipe.as_deref())?;
                Ok(Flow::Next)
            }
            Node::Break { .. } => Ok(Flow::Break),
            Node::Continue { .. } => Ok(Flow::Continue),
        }
    }

    fn walk_if_or_with(&mut self, dot: &Val, branch: &'t Branch, with: bool) -> Res<Flow> {
        self.check_depth()?;
        let mark = self.vars.len();
        if !with
            && !self.traced()
            && let Some(v) = self.peek(dot, &branch.pipe)
        {
            let list = if v.truth(&self.st.heap) { Some(&branch.list) } else { branch.else_list.as_ref() };
            let flow = list.map_or(Ok(Flow::Next), |list| self.walk_list(dot, list))?;
            self.vars.truncate(mark);
            return Ok(flow);
        }
        let val = self.eval_pipeline(dot, &branch.pipe)?;
        if self.traced() {
            self.trace_block(branch, with, &val);
        }
        let flow = if val.v.truth(&self.st.heap) {
            self.walk_list(if with { &val } else { dot }, &branch.list)?
        } else if let Some(list) = &branch.else_list {
            self.walk_list(dot, list)?
        } else {
            Flow::Next
        };
        self.vars.truncate(mark);
        Ok(flow)
    }

    fn walk_template(&mut self, dot: &Val, node: &'t Node, name: &str, pipe: Option<&'t Pipe>) -> Res<()> {
        let set = self.set;
        let Some(template) = set.lookup(name) else {
            return Err(self.errorf(format!("template {} not defined", strconv::quote(name.as_bytes()))));
        };
        self.st.steps += u64::from(set.layers());
        if self.depth == MAX_EXEC_DEPTH {
            return Err(self.errorf(format!("exceeded maximum template depth ({MAX_EXEC_DEPTH})")));
        }
        self.check_depth()?;
        // Variables that the pipeline declares stay declared here.
        let dot = match pipe {
            Some(pipe) => self.eval_pipeline(dot, pipe)?,
            None => Val::INVALID,
        };
        if let Some(trace) = &mut self.st.trace {
            trace.template(&template.name);
        }
        let mark = self.vars.len();
        let outer_tmpl = std::mem::replace(&mut self.tmpl, template);
        self.text = &template.source;
        let outer_root = std::mem::replace(&mut self.root, dot.clone());
        let outer_base = std::mem::replace(&mut self.vars_base, mark);
        self.depth += 1;
        // No restoring on an error: nobody looks at the state afterwards.
        self.walk_list(&dot, &template.root)?;
        self.depth -= 1;
        self.vars.truncate(mark);
        self.vars_base = outer_base;
        self.root = outer_root;
        self.tmpl = outer_tmpl;
        self.text = &outer_tmpl.source;
        self.at = At::Node(node);
        Ok(())
    }

    /// Prints what the pipeline names without taking hold of it. False if that needs more than this.
    #[inline]
    fn print_in_place(&mut self, dot: &Val, pipe: &'t Pipe) -> Res<bool> {
        let Some((operand, function)) = printed(pipe) else { return Ok(false) };
        let prints = match function {
            // Who watches calls shall see this one.
            Some(id) => match self.funcs.get(id).prints.filter(|_| self.st.watch.is_none()) {
                None => return Ok(false),
                prints => prints,
            },
            None => None,
        };
        // As `peek`, written out so that the heap is borrowed alone.
        let found = peek(&self.st.heap, self.funcs, self.text, &self.vars[self.vars_base..], &self.root, dot, operand)
            .map(|(v, _)| v);
        let mut digits = [0u8; 20];
        let text: &[u8] = match found {
            Some(Value::Str(text)) => text,
            Some(Value::Int(n) | Value::Int64(n)) => decimal(*n, &mut digits),
            Some(Value::Bool(true)) => b"true",
            Some(Value::Bool(false)) => b"false",
            _ => return Ok(false),
        };
        let charged = self.st.charged.saturating_add(text.len() as u64);
        if charged > self.st.limits.output {
            return Ok(false);
        }
        let Some(prints) = prints else {
            self.st.charged = charged;
            self.out.extend_from_slice(text);
            return Ok(true);
        };
        // The call is a step, and what it makes is charged beside what it gets.
        let start = self.out.len();
        prints(text, self.out);
        let charged = charged.saturating_add((self.out.len() - start) as u64);
        if charged > self.st.limits.output || self.st.steps >= self.st.limits.steps {
            self.out.truncate(start);
            return Ok(false);
        }
        self.st.charged = charged;
        self.st.steps += 1;
        Ok(true)
    }

    /// The value of a pipeline that only names one: `.a.b`, `$x.a`, `.`. `None` if it does more than that, or fails.
    #[inline]
    fn peek<'a>(&'a self, dot: &'a Val, pipe: &'t Pipe) -> Option<&'a Value> {
        self.peek_operand(dot, only_operand(pipe)?).map(|(v, _)| v)
    }

    /// The value that an operand names, and whether Go holds it in an `interface {}`.
    #[inline]
    pub(super) fn peek_operand<'a>(&'a self, dot: &'a Val, operand: &'t Expr) -> Option<(&'a Value, bool)> {
        peek(&self.st.heap, self.funcs, self.text, &self.vars[self.vars_base..], &self.root, dot, operand)
    }

    /// Puts what an operand says to the arguments without taking hold of it before. False if that needs more than this.
    #[inline]
    pub(super) fn push_in_place(&mut self, dot: &Val, ty: Ty, operand: &'t Expr) -> bool {
        let arg = match operand {
            Expr::String { pos, end } if matches!(ty, Ty::Any | Ty::Str) => Value::Str(self.string(*pos, *end)),
            Expr::Field(_) | Expr::Variable(_) | Expr::Dot { .. } => match self.peek_operand(dot, operand) {
                Some((v @ Value::Str(_), _)) if matches!(ty, Ty::Any | Ty::Str) => v.clone(),
                Some((v, _)) if matches!(ty, Ty::Any) && !matches!(v, Value::Object(_)) => v.clone(),
                _ => return false,
            },
            _ => return false,
        };
        // A piped argument that does not fit is said to be here.
        self.at = At::Expr(operand);
        self.args.push(arg);
        true
    }

    /// Go's `printValue`, fast for what is printed most.
    fn print_value(&mut self, v: &Value) -> Res<()> {
        match v {
            Value::Str(s) => self.write(s),
            Value::Nil => self.write(b"<no value>"),
            Value::Bool(true) => self.write(b"true"),
            Value::Bool(false) => self.write(b"false"),
            Value::Int(n) | Value::Int64(n) => {
                let mut digits = [0u8; 20];
                let digits = decimal(*n, &mut digits);
                self.write(digits)
            }
            other => {
                let start = self.out.len();
                let left = usize::try_from(self.st.limits.output.saturating_sub(self.st.charged)).unwrap_or(usize::MAX);
                match print::action_within(&mut self.st.heap, other, self.out, start.saturating_add(left)) {
                    Ok(()) => self.charge_output(self.out.len() - start),
                    // Charging more than there is left says which limit it was.
                    Err(Unprintable::TooLong) => self.charge_output(left.saturating_add(1)),
                    Err(e @ Unprintable::Cycle) => Err(self.limit(e.to_string())),
                }
            }
        }
    }
}

/// What a pipeline is, if it is one operand.
fn only_operand(pipe: &Pipe) -> Option<&Expr> {
    match (&pipe.decl, &pipe.cmds) {
        (None, Few::One(Command { args: Few::One(operand), .. })) => Some(operand),
        _ => None,
    }
}

/// What a pipeline prints, if it is one operand, or one operand and one function that gets it: `.a | quote`, `quote .a`.
#[inline]
fn printed(pipe: &Pipe) -> Option<(&Expr, Option<usize>)> {
    if pipe.decl.is_some() {
        return None;
    }
    match &pipe.cmds {
        Few::One(Command { args: Few::One(operand), .. }) => Some((operand, None)),
        Few::One(Command { args: Few::Many(args), .. }) => match &args[..] {
            [Expr::Function { id, .. }, operand] => Some((operand, Some(*id as usize))),
            _ => None,
        },
        Few::Many(commands) => match &commands[..] {
            [Command { args: Few::One(operand), .. }, Command { args: Few::One(Expr::Function { id, .. }), .. }] => {
                Some((operand, Some(*id as usize)))
            }
            _ => None,
        },
    }
}

fn peek<'a>(
    heap: &'a Heap,
    funcs: &FuncTable,
    text: &[u8],
    vars: &'a [Var<'_>],
    root: &'a Val,
    dot: &'a Val,
    operand: &Expr,
) -> Option<(&'a Value, bool)> {
    let (start, mut rest) = match operand {
        Expr::Field(fields) => (dot, *fields),
        Expr::Variable(variable) => {
            let name = variable.name.of(text);
            let start = match vars.iter().rev().find(|var| var.name == name) {
                Some(var) => &var.val,
                None if name == b"$" => root,
                None => return None,
            };
            (start, variable.fields())
        }
        Expr::Dot { .. } => return Some((&dot.v, dot.iface)),
        _ => return None,
    };
    let (mut at, mut iface) = (&start.v, start.iface);
    while let Some((name, behind)) = rest.split_first(text) {
        let name = name.of(text);
        let map = match at {
            Value::Map(m) if !m.is_values() || funcs.values_method(name).is_none() => heap.map(*m),
            _ => return None,
        };
        (at, iface) = (map.get(name)?, map.ty == MapType::Any);
        rest = behind;
    }
    Some((at, iface))
}

/// The decimal digits of a number, written to the end of the buffer.
fn decimal(n: i64, buf: &mut [u8; 20]) -> &[u8] {
    let mut rest = n.unsigned_abs();
    let mut at = buf.len();
    loop {
        at -= 1;
        buf[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        at -= 1;
        buf[at] = b'-';
    }
    &buf[at..]
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals() {
        for n in [0, 7, -7, 10, 1_234_567_890, i64::MAX, i64::MIN] {
            assert_eq!(decimal(n, &mut [0; 20]), n.to_string().as_bytes());
        }
    }
}
