//! Calls: counting and converting arguments, `and` and `or`, and what comes back.

use super::super::ast::Expr;
use super::super::{CallError, Func, Ty};
use super::{At, Exec, Res, Val};
use crate::value::Value;

impl<'t> Exec<'t, '_> {
    /// A function by its id. `node` is what an error of the call names.
    pub(super) fn eval_function(
        &mut self,
        dot: &Val,
        id: usize,
        node: At<'t>,
        args: &'t [Expr],
        fin: Option<Val>,
    ) -> Res<Val> {
        let func = self.funcs.get(id);
        self.check_count(func, 0, args.len(), fin.is_some())?;
        let special = self.set.special;
        if id == special.and || id == special.or {
            return self.eval_and_or(dot, id == special.or, args, fin);
        }
        self.step()?;
        self.trace_call();
        let base = self.args.len();
        let mut last = Val::INVALID;
        let only_len = id == special.len;
        let in_place = !only_len && !self.traced();
        for (i, expr) in args.iter().enumerate() {
            if in_place && self.push_in_place(dot, param(func, i), expr) {
                continue;
            }
            let arg = self.eval_arg(dot, param(func, i), expr)?;
            if only_len {
                last = arg.clone();
            }
            self.push_arg(arg.v);
        }
        if let Some(fin) = fin {
            let arg = self.validate(fin, param(func, args.len()))?;
            if only_len {
                last = arg.clone();
            }
            self.push_arg(arg.v);
        }
        if only_len && last.v.is_nil() {
            // What Go's reflection says of the two kinds of nil.
            let msg =
                if last.iface { "len of nil pointer" } else { "reflect: call of reflect.Value.Type on zero Value" };
            self.at = node;
            return Err(self.call_failed(func.name, CallError::msg(msg)));
        }
        if id == special.call {
            let msg = self.call_of_value(args.first(), base);
            self.at = node;
            return Err(self.call_failed(func.name, CallError::Msg(msg)));
        }
        self.finish(func, base, node)
    }

    /// A method of `common.Values`: a function whose first parameter is the receiver.
    pub(super) fn call_method(
        &mut self,
        dot: &Val,
        method: &'t Func,
        receiver: Value,
        node: At<'t>,
        args: &'t [Expr],
        fin: Option<Val>,
    ) -> Res<Val> {
        self.check_count(method, 1, args.len(), fin.is_some())?;
        self.step()?;
        self.trace_call();
        let base = self.args.len();
        self.push_arg(receiver);
        for (i, expr) in args.iter().enumerate() {
            let arg = self.eval_arg(dot, param(method, i + 1), expr)?;
            self.push_arg(arg.v);
        }
        if let Some(fin) = fin {
            let arg = self.validate(fin, param(method, args.len() + 1))?;
            self.push_arg(arg.v);
        }
        self.finish(method, base, node)
    }

    #[inline]
    fn push_arg(&mut self, arg: Value) {
        self.args.push(arg);
        if let Some(trace) = &mut self.st.trace {
            trace.arg(self.args.len());
        }
    }

    fn finish(&mut self, func: &'t Func, base: usize, node: At<'t>) -> Res<Val> {
        if self.traced() {
            self.trace_runs(func.name, node);
        }
        // The function takes its arguments; who looks on wants to see them afterwards.
        let shown = if self.traced() || self.st.watch.is_some() { self.args[base..].to_vec() } else { Vec::new() };
        let result = (func.call)(self.st, &mut self.args[base..]);
        if let (Some(trace), Ok(value)) = (&mut self.st.trace, &result) {
            trace.call_end(&self.st.heap, func.name, base, &shown, value);
        }
        if let (Some(watch), Ok(value)) = (&self.st.watch, &result) {
            watch.call(&self.st.heap, func.name, &shown, value);
        }
        self.args.truncate(base);
        match result {
            Ok(v) => Ok(Val { v, iface: func.ret == Ty::Any }),
            Err(error) => {
                self.at = node;
                Err(self.call_failed(func.name, error))
            }
        }
    }

    /// `bound` parameters are filled already (a method's receiver).
    fn check_count(&self, func: &Func, bound: usize, args: usize, fin: bool) -> Res<()> {
        let given = args + usize::from(fin);
        let want = func.params.len().saturating_sub(bound);
        let name = func.name;
        if func.variadic {
            if given + 1 < want {
                let at_least = want - 1;
                return Err(
                    self.errorf(format!("wrong number of args for {name}: want at least {at_least} got {args}"))
                );
            }
        } else if given != want {
            return Err(self.errorf(format!("wrong number of args for {name}: want {want} got {given}")));
        }
        Ok(())
    }

    /// `and` and `or` evaluate only as many arguments as they need.
    fn eval_and_or(&mut self, dot: &Val, is_or: bool, args: &'t [Expr], fin: Option<Val>) -> Res<Val> {
        let mut val = Val::INVALID;
        for (i, expr) in args.iter().enumerate() {
            // Their parameters are `reflect.Value`s: nothing is copied on the way.
            self.at = At::Expr(expr);
            if !self.traced()
                && let Some((v, iface)) = self.peek_operand(dot, expr)
            {
                // Only what comes out is taken hold of.
                let is_last = i + 1 == args.len() && fin.is_none();
                if is_last || v.truth(&self.st.heap) == is_or {
                    return Ok(Val { v: v.clone(), iface });
                }
                continue;
            }
            val = self.eval_operand(dot, expr)?;
            if val.v.truth(&self.st.heap) == is_or {
                return Ok(val);
            }
        }
        Ok(fin.unwrap_or(val))
    }

    /// `call`: no value of a template is ever a function.
    fn call_of_value(&self, first: Option<&Expr>, base: usize) -> String {
        let Some(value) = self.args.get(base).filter(|v| !v.is_nil()) else {
            return "call of nil".into();
        };
        let ty = value.go_type(&self.st.heap);
        let name = match (first, value) {
            (Some(expr), _) => self.shown(expr),
            // Go's `reflect.Value.String`.
            (None, Value::Str(s)) => s.to_string(),
            (None, _) => format!("<{ty} Value>"),
        };
        format!("non-function {name} of type {ty}")
    }
}

/// The type of the i-th parameter; a variadic one goes on for ever.
fn param(func: &Func, i: usize) -> Ty {
    match func.params.get(i) {
        Some(ty) => *ty,
        None => func.params.last().copied().unwrap_or(Ty::Any),
    }
}
