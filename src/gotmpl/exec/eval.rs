//! Pipelines, commands, and arguments with their types.

use super::super::Ty;
use super::super::ast::{Command, Expr, Fields, Name, Number, Pipe, Pos, slice};
use super::{At, Exec, Res, Val, copied};
use crate::golang::strconv;
use crate::value::{Elem, Kind, List, Map, MapType, Str, Value};

/// Of a dot alone.
const NO_FIELDS: Fields = Fields { pos: 0, end: 0 };

impl<'t> Exec<'t, '_> {
    /// Evaluates a pipeline and declares or sets its variables. The result is never in an `interface {}`.
    pub(super) fn eval_pipeline(&mut self, dot: &Val, pipe: &'t Pipe) -> Res<Val> {
        self.at = At::Pipe(pipe);
        let [first, rest @ ..] = &pipe.cmds[..] else { return Ok(Val::INVALID) };
        if let Some(trace) = &mut self.st.trace {
            trace.pipe();
        }
        let mut value = self.eval_command(dot, first, None)?;
        value.iface = false;
        for command in rest {
            value = self.eval_command(dot, command, Some(value))?;
            value.iface = false;
        }
        if let Some(decl) = &pipe.decl {
            for variable in decl.names() {
                if self.traced() {
                    self.trace_declaration(variable, decl.is_assign);
                }
                if decl.is_assign {
                    self.set_var(variable, value.clone())?;
                } else {
                    self.push_var(variable, value.clone());
                }
            }
        }
        if let Some(trace) = &mut self.st.trace {
            trace.pipe_end();
        }
        Ok(value)
    }

    /// `fin` is the value of the command before in the pipeline, if there is one.
    fn eval_command(&mut self, dot: &Val, command: &'t Command, fin: Option<Val>) -> Res<Val> {
        let [first, args @ ..] = &command.args[..] else {
            return Ok(Val::INVALID);
        };
        match first {
            Expr::Field(fields) => {
                self.at = At::Expr(first);
                self.trace_dot(dot, *fields);
                self.eval_field_chain(dot, dot, first, *fields, args, fin)
            }
            Expr::Chain(chain) => self.eval_chain(dot, first, chain, args, fin),
            Expr::Function { id, .. } => {
                self.at = At::Expr(first);
                self.eval_function(dot, *id as usize, At::Command(command), args, fin)
            }
            Expr::Pipe(pipe) => {
                // The arguments are all inside the parentheses.
                self.not_a_function(first, args, fin.as_ref())?;
                self.check_depth()?;
                self.eval_pipeline(dot, pipe)
            }
            Expr::Variable(variable) => self.eval_variable(dot, *variable, first, args, fin),
            _ => {
                self.at = At::Expr(first);
                self.not_a_function(first, args, fin.as_ref())?;
                match first {
                    Expr::Dot { .. } => {
                        self.trace_dot(dot, NO_FIELDS);
                        Ok(dot.clone())
                    }
                    Expr::Nil { .. } => Err(self.errorf("nil is not a command")),
                    _ => self.literal(first),
                }
            }
        }
    }

    pub(super) fn not_a_function(&self, first: &Expr, args: &[Expr], fin: Option<&Val>) -> Res<()> {
        if args.is_empty() && fin.is_none() {
            return Ok(());
        }
        Err(self.errorf(format!("can't give argument to non-function {}", self.shown(first))))
    }

    /// A constant where any type will do.
    fn literal(&mut self, expr: &'t Expr) -> Res<Val> {
        self.at = At::Expr(expr);
        Ok(Val::plain(match expr {
            Expr::Bool { value, .. } => Value::Bool(*value),
            Expr::String { pos, end } => Value::Str(self.string(*pos, *end)),
            Expr::Text(literal) => Value::Str(literal.text.clone()),
            Expr::Number(number) => match &number.ideal {
                Ok(v) => v.clone(),
                Err(msg) => return Err(self.errorf(msg.as_str())),
            },
            other => {
                return Err(
                    self.errorf(format!("can't evaluate command {}", strconv::quote(self.shown(other).as_bytes())))
                );
            }
        }))
    }

    /// What a short literal means: itself without its quotes.
    pub(super) fn string(&self, pos: Pos, end: Pos) -> Str {
        Str::new(slice(self.text, pos + 1, end.saturating_sub(1)))
    }

    /// Evaluates an argument and makes it a value of the parameter's type.
    pub(super) fn eval_arg(&mut self, dot: &Val, ty: Ty, expr: &'t Expr) -> Res<Val> {
        self.at = At::Expr(expr);
        match expr {
            Expr::Nil { .. } => match self.nil_of(ty) {
                Some(v) => Ok(Val::plain(v)),
                None => Err(self.errorf(format!("cannot assign nil to {}", ty.go_type()))),
            },
            Expr::Bool { .. } | Expr::String { .. } | Expr::Text(_) | Expr::Number(_) => self.eval_constant(ty, expr),
            _ => {
                let val = self.eval_operand(dot, expr)?;
                self.validate(val, ty)
            }
        }
    }

    /// An operand that is neither nil nor a literal, without a type asked for.
    pub(super) fn eval_operand(&mut self, dot: &Val, expr: &'t Expr) -> Res<Val> {
        match expr {
            Expr::Dot { .. } => {
                self.trace_dot(dot, NO_FIELDS);
                Ok(dot.clone())
            }
            Expr::Field(fields) => {
                self.at = At::Expr(expr);
                self.trace_dot(dot, *fields);
                self.eval_field_chain(dot, dot, expr, *fields, &[], None)
            }
            Expr::Variable(variable) => self.eval_variable(dot, *variable, expr, &[], None),
            Expr::Pipe(pipe) => {
                self.check_depth()?;
                self.eval_pipeline(dot, pipe)
            }
            Expr::Function { id, .. } => {
                self.at = At::Expr(expr);
                self.eval_function(dot, *id as usize, At::Expr(expr), &[], None)
            }
            Expr::Chain(chain) => self.eval_chain(dot, expr, chain, &[], None),
            Expr::Nil { .. } => Ok(Val::INVALID),
            Expr::Bool { .. } | Expr::String { .. } | Expr::Text(_) | Expr::Number(_) => self.literal(expr),
        }
    }

    /// A literal for a parameter of a type: what fits is decided by the syntax, not by the value's type.
    fn eval_constant(&mut self, ty: Ty, expr: &'t Expr) -> Res<Val> {
        let v = match (ty, expr) {
            (Ty::Any, _) => return self.literal(expr),
            (Ty::Bool, Expr::Bool { value, .. }) => Value::Bool(*value),
            (Ty::Str, Expr::String { pos, end }) => Value::Str(self.string(*pos, *end)),
            (Ty::Str, Expr::Text(literal)) => Value::Str(literal.text.clone()),
            (Ty::Int, Expr::Number(number)) if let Number { int: Some(n), .. } = **number => Value::Int(n),
            (Ty::Int64, Expr::Number(number)) if let Number { int: Some(n), .. } = **number => Value::Int64(n),
            (Ty::Uint32, Expr::Number(number)) if let Number { uint: Some(n), .. } = **number => {
                // Go's `SetUint` keeps the low bits.
                Value::OtherInt(Kind::Uint32, (n as u32).into())
            }
            (Ty::Float, Expr::Number(number)) if let Number { float: Some(f), .. } = **number => Value::Float(f),
            // Types whose kind is an integer's take integer literals.
            (Ty::Object("time.Duration"), Expr::Number(number)) if let Number { int: Some(n), .. } = **number => {
                Value::Int64(n)
            }
            (Ty::Bool, _) => return Err(self.errorf(format!("expected bool; found {}", self.shown(expr)))),
            (Ty::Str, _) => return Err(self.errorf(format!("expected string; found {}", self.shown(expr)))),
            (Ty::Int | Ty::Int64 | Ty::Object("time.Duration"), _) => {
                return Err(self.errorf(format!("expected integer; found {}", self.shown(expr))));
            }
            (Ty::Uint32, _) => {
                return Err(self.errorf(format!("expected unsigned integer; found {}", self.shown(expr))));
            }
            (Ty::Float, _) => return Err(self.errorf(format!("expected float; found {}", self.shown(expr)))),
            (Ty::List | Ty::Map | Ty::Object(_), _) => {
                return Err(self.errorf(format!("can't handle {} for arg of type {}", self.shown(expr), ty.go_type())));
            }
        };
        Ok(Val::plain(v))
    }

    /// Go's `reflect.Zero` of a type that can be nil.
    fn nil_of(&mut self, ty: Ty) -> Option<Value> {
        match ty {
            Ty::Any => Some(Value::Nil),
            Ty::Map => {
                let mut map = Map::default();
                map.nil = true;
                Some(Value::Map(self.st.heap.add_map(map)))
            }
            Ty::List => {
                let list = List { elem: Elem::Any, nil: true, items: Vec::new() };
                Some(Value::List(self.st.heap.add_list(list)))
            }
            // Pointers, containers, and the one interface with methods that a parameter has.
            Ty::Object(name) if name.starts_with(['*', '[']) || name.starts_with("map[") || name == "io.Writer" => {
                Some(Value::Nil)
            }
            Ty::Object(_) | Ty::Str | Ty::Int | Ty::Int64 | Ty::Uint32 | Ty::Float | Ty::Bool => None,
        }
    }

    /// Go's `validateType`: the value must be assignable to the type.
    pub(super) fn validate(&mut self, val: Val, ty: Ty) -> Res<Val> {
        let fits = match (ty, &val.v) {
            (Ty::Any, Value::Object(_)) => return Ok(Val { v: copied(val.v), iface: val.iface }),
            (Ty::Any, _)
            | (Ty::Str, Value::Str(_))
            | (Ty::Int, Value::Int(_))
            | (Ty::Int64, Value::Int64(_))
            | (Ty::Uint32, Value::OtherInt(Kind::Uint32, _))
            | (Ty::Float, Value::Float(_))
            | (Ty::Bool, Value::Bool(_)) => true,
            (Ty::Map, Value::Map(m)) => self.st.heap.map(*m).ty == MapType::Any,
            (Ty::List, Value::List(l)) => self.st.heap.list(*l).elem == Elem::Any,
            (Ty::Object(name), Value::Object(o)) => o.go_type() == name,
            (Ty::Object("[]uint8"), Value::Bytes(_)) => true,
            _ => false,
        };
        if fits {
            return Ok(val);
        }
        if val.v.is_nil() && !val.iface {
            return match self.nil_of(ty) {
                Some(v) => Ok(Val::plain(v)),
                None => Err(self.errorf(format!("invalid value; expected {}", ty.go_type()))),
            };
        }
        let got = if val.v.is_nil() { "interface {}".into() } else { val.v.go_type(&self.st.heap) };
        Err(self.errorf(format!("wrong type for value; expected {}; got {got}", ty.go_type())))
    }

    pub(super) fn push_var(&mut self, name: Name, val: Val) {
        self.vars.push(super::Var { name: name.of(self.text), val });
    }

    /// Sets the variable of this name that was declared last.
    pub(super) fn set_var(&mut self, name: Name, val: Val) -> Res<()> {
        let name = name.of(self.text);
        if let Some(var) = self.vars[self.vars_base..].iter_mut().rev().find(|var| var.name == name) {
            var.val = val;
        } else if name == b"$" {
            self.root = val;
        } else {
            return Err(self.errorf(format!("undefined variable: {}", String::from_utf8_lossy(name))));
        }
        Ok(())
    }
}
