//! Fields, map keys, methods and variables: `.a.b`, `$x.a`, `(expr).a`.

use super::super::ast::{Chain, Expr, Fields, Name, Variable};
use super::super::{CallError, Ty};
use super::traced::texts;
use super::{At, Exec, Res, Stop, Val};
use crate::value::{Kind, MapType, ObjectRef, Str, Value};

static NIL: Value = Value::Nil;

impl<'t> Exec<'t, '_> {
    pub(super) fn eval_variable(
        &mut self,
        dot: &Val,
        variable: Variable,
        expr: &'t Expr,
        args: &'t [Expr],
        fin: Option<Val>,
    ) -> Res<Val> {
        self.at = At::Expr(expr);
        let (name, fields) = (variable.name.of(self.text), variable.fields());
        // As in Go, the variables are a stack that is searched from its top: a declaration inside an argument that was not
        // evaluated must not be seen, so places cannot be fixed beforehand.
        let found = self.vars[self.vars_base..].iter().rev().find(|var| var.name == name);
        let val = match found {
            Some(var) => &var.val,
            None if name == b"$" => &self.root,
            None => return Err(self.errorf(format!("undefined variable: {}", String::from_utf8_lossy(name)))),
        };
        if let Some(trace) = &mut self.st.trace {
            let at = self.vars[self.vars_base..].iter().rposition(|var| var.name == name);
            trace.variable(&self.st.heap, at.map(|i| i + self.vars_base), &val.v, &texts(fields, self.text));
        }
        if fields.is_empty() {
            let val = val.clone();
            self.not_a_function(expr, args, fin.as_ref())?;
            return Ok(val);
        }
        let val = val.clone();
        self.eval_field_chain(dot, &val, expr, fields, args, fin)
    }

    pub(super) fn eval_chain(
        &mut self,
        dot: &Val,
        expr: &'t Expr,
        chain: &'t Chain,
        args: &'t [Expr],
        fin: Option<Val>,
    ) -> Res<Val> {
        let Chain { node, fields, .. } = chain;
        let fields = *fields;
        self.at = At::Expr(expr);
        if matches!(node, Expr::Nil { .. }) {
            return Err(self.errorf(format!("indirection through explicit nil in {}", self.shown(expr))));
        }
        self.at = At::Expr(node);
        let mark = self.st.trace.as_ref().map(|trace| trace.mark());
        let receiver = self.eval_operand(dot, node)?;
        if let (Some(trace), Some(mark)) = (&mut self.st.trace, mark) {
            trace.chain(&self.st.heap, &receiver.v, &texts(fields, self.text), mark);
        }
        self.eval_field_chain(dot, &receiver, expr, fields, args, fin)
    }

    /// The fields one after the other; the last gets the arguments, should it be a method.
    pub(super) fn eval_field_chain(
        &mut self,
        dot: &Val,
        receiver: &Val,
        node: &'t Expr,
        fields: Fields,
        args: &'t [Expr],
        fin: Option<Val>,
    ) -> Res<Val> {
        let has_args = !args.is_empty() || fin.is_some();
        // Most chains go through maps only: follow them by reference.
        let mut at = &receiver.v;
        let mut iface = receiver.iface;
        let mut rest = fields;
        while let Some((ident, behind)) = rest.split_first(self.text) {
            let name = ident.of(self.text);
            match at {
                Value::Map(m) if !m.is_values() || self.funcs.values_method(name).is_none() => {
                    if has_args && behind.is_empty() {
                        return Err(
                            self.errorf(format!("{} is not a method but has arguments", String::from_utf8_lossy(name)))
                        );
                    }
                    let map = self.st.heap.map(*m);
                    match map.get(name) {
                        Some(v) => {
                            at = v;
                            iface = map.ty == MapType::Any;
                        }
                        None if map.ty == MapType::Any => {
                            at = &NIL;
                            iface = true;
                        }
                        None => return self.zero_string(dot, node, behind, args, fin),
                    }
                }
                Value::Nil if !iface => return Ok(Val::INVALID),
                Value::Nil => return Err(self.nil_pointer(ident)),
                _ => {
                    let owned = Val { v: at.clone(), iface };
                    return self.eval_fields(dot, owned, node, rest, args, fin);
                }
            }
            rest = behind;
        }
        Ok(Val { v: at.clone(), iface })
    }

    /// The missing key of a `map[string]string` is an empty string.
    fn zero_string(
        &mut self,
        dot: &Val,
        node: &'t Expr,
        behind: Fields,
        args: &'t [Expr],
        fin: Option<Val>,
    ) -> Res<Val> {
        let empty = Val::plain(Value::Str(Str::default()));
        self.eval_fields(dot, empty, node, behind, args, fin)
    }

    /// As [`Self::eval_field_chain`], for everything that is not a map.
    fn eval_fields(
        &mut self,
        dot: &Val,
        mut receiver: Val,
        node: &'t Expr,
        fields: Fields,
        args: &'t [Expr],
        mut fin: Option<Val>,
    ) -> Res<Val> {
        let mut rest = fields;
        while let Some((name, behind)) = rest.split_first(self.text) {
            if matches!(&receiver.v, Value::Map(m) if !m.is_values()) {
                return self.eval_field_chain(dot, &receiver, node, rest, args, fin);
            }
            receiver = if behind.is_empty() {
                self.eval_field(dot, name, node, args, fin.take(), &receiver)?
            } else {
                self.eval_field(dot, name, node, &[], None, &receiver)?
            };
            rest = behind;
        }
        Ok(receiver)
    }

    /// Go's `evalField`.
    fn eval_field(
        &mut self,
        dot: &Val,
        ident: Name,
        node: &'t Expr,
        args: &'t [Expr],
        fin: Option<Val>,
        receiver: &Val,
    ) -> Res<Val> {
        match &receiver.v {
            Value::Nil if !receiver.iface => Ok(Val::INVALID),
            Value::Nil => Err(self.nil_pointer(ident)),
            Value::Map(m) => {
                let funcs = self.funcs;
                if m.is_values()
                    && let Some(method) = funcs.values_method(ident.of(self.text))
                {
                    return self.call_method(dot, method, receiver.v.clone(), At::Expr(node), args, fin);
                }
                // `eval_fields` gives the plain maps back, and those come out with one field only.
                let one = Val { v: Value::Map(*m), iface: receiver.iface };
                self.eval_field_chain(dot, &one, node, ident.into(), args, fin)
            }
            Value::Object(o) => self.eval_object(dot, &o.clone(), ident, node, args, fin, receiver.iface),
            _ => Err(self.no_field(ident, receiver)),
        }
    }

    fn no_field(&self, name: Name, receiver: &Val) -> Box<Stop> {
        let name = String::from_utf8_lossy(name.of(self.text));
        let ty = self.static_type(receiver);
        self.errorf(format!("can't evaluate field {name} in type {ty}"))
    }

    fn nil_pointer(&self, name: Name) -> Box<Stop> {
        let name = String::from_utf8_lossy(name.of(self.text));
        self.errorf(format!("nil pointer evaluating interface {{}}.{name}"))
    }

    fn static_type(&self, val: &Val) -> String {
        if val.iface { "interface {}".into() } else { val.v.go_type(&self.st.heap) }
    }

    #[allow(clippy::too_many_arguments)] // The arguments of Go's `evalField`.
    fn eval_object(
        &mut self,
        dot: &Val,
        object: &ObjectRef,
        name: Name,
        node: &'t Expr,
        args: &'t [Expr],
        fin: Option<Val>,
        iface: bool,
    ) -> Res<Val> {
        let field = String::from_utf8_lossy(name.of(self.text));
        let has_args = !args.is_empty() || fin.is_some();
        let base = self.args.len();
        let result = if let Some(params) = object.method_params(&field) {
            let given = args.len() + usize::from(fin.is_some());
            if given != params.len() {
                return Err(self.errorf(format!("wrong number of args for {field}: want {} got {given}", params.len())));
            }
            for (expr, param) in args.iter().zip(params) {
                let arg = self.eval_arg(dot, param_type(param), expr)?;
                self.args.push(arg.v);
            }
            if let (Some(fin), Some(last)) = (fin, params.last()) {
                let arg = self.validate(fin, param_type(last))?;
                self.args.push(arg.v);
            }
            object.method(&mut self.st.heap, &field, &self.args[base..])
        } else if has_args && object.method(&mut self.st.heap, &field, &[]).is_none() {
            // There is no such method: its arguments are not evaluated.
            None
        } else {
            // The object does not tell its methods' types: it checks the arguments itself.
            for expr in args {
                let arg = self.eval_arg(dot, Ty::Any, expr)?;
                self.args.push(arg.v);
            }
            if let Some(fin) = fin {
                let arg = self.validate(fin, Ty::Any)?;
                self.args.push(arg.v);
            }
            object.method(&mut self.st.heap, &field, &self.args[base..])
        };
        self.args.truncate(base);
        match result {
            Some(Ok(v)) => return Ok(Val::plain(v)),
            Some(Err(msg)) => {
                // What text/template says itself, without a call.
                let own =
                    ["wrong number of args for ", "wrong type for value; expected ", "invalid function signature for "];
                if own.iter().any(|text| msg.starts_with(text)) || msg.ends_with(" return values; should be 1 or 2") {
                    return Err(self.errorf(msg));
                }
                self.at = At::Expr(node);
                return Err(self.call_failed(&field, CallError::Msg(msg)));
            }
            None => {}
        }
        let receiver = Val { v: Value::Object(object.clone()), iface };
        if let Some(v) = object.field(&mut self.st.heap, &field) {
            if !has_args {
                let iface = v.is_nil();
                return Ok(Val { v, iface });
            }
            return Err(self.errorf(if object.kind() == Kind::Map {
                format!("{field} is not a method but has arguments")
            } else {
                format!("{field} has arguments but cannot be invoked as function")
            }));
        }
        if matches!(object.kind(), Kind::Struct | Kind::Ptr)
            && object.fields(&mut self.st.heap).iter().any(|(known, _)| *known == field)
        {
            let ty = self.static_type(&receiver);
            return Err(self.errorf(format!("{field} is an unexported field of struct type {ty}")));
        }
        Err(self.no_field(name, &receiver))
    }
}

/// The parameter type behind a Go type's name.
fn param_type(name: &'static str) -> Ty {
    match name {
        "interface {}" => Ty::Any,
        "string" => Ty::Str,
        "int" => Ty::Int,
        "int64" => Ty::Int64,
        "float64" => Ty::Float,
        "bool" => Ty::Bool,
        "[]interface {}" => Ty::List,
        "map[string]interface {}" => Ty::Map,
        other => Ty::Object(other),
    }
}
