//! What must be ready before a release is touched: other HelmReleases, and (an addition of ours) objects of any kind.
//!
//! Source: helm-controller 1.6 `internal/controller/helmrelease_controller.go`, `checkDependencies`. Rings, which there are waited on for ever, are
//! told here.

use kube::core::cel::{KubeCelExt, cel};

use crate::api::condition::{self, READY, TRUE};
use crate::api::reference::DependencyReference;
use crate::cluster::{Gvk, Json, ObjectId};

use super::index::{Index, Key};
use super::sources::conditions;
use super::subject::Subject;

/// Why a release has to wait.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// To be looked at again.
    #[error("{0}")]
    Wait(String),
    /// Nothing but another spec helps.
    #[error("{0}")]
    Never(String),
}

/// The object that a dependency names.
pub fn key(subject: &Subject, reference: &DependencyReference) -> Key {
    let namespace = if reference.namespace.is_empty() { &subject.namespace } else { &reference.namespace };
    let kind = if reference.is_helm_release() { "HelmRelease" } else { &reference.kind };
    Key::new(kind, namespace, &reference.name)
}

/// The object's full name for the API server.
pub fn id(subject: &Subject, reference: &DependencyReference) -> ObjectId {
    let key = key(subject, reference);
    let api = if reference.is_helm_release() { crate::api::HELM_API } else { &reference.api_version };
    ObjectId::new(Gvk::parse(api, &key.kind), Some(&key.namespace), &key.name)
}

/// Whether a dependency is ready. `own` is the HelmRelease itself, for expressions.
///
/// # Errors
/// See [`NotReady`].
pub fn check(
    subject: &Subject,
    own: &Json,
    reference: &DependencyReference,
    dependency: Option<&Json>,
    additive: bool,
) -> Result<(), NotReady> {
    let Key { kind, namespace, name } = key(subject, reference);
    let Some(object) = dependency else {
        let resource =
            if reference.is_helm_release() { "helmreleases.helm.toolkit.fluxcd.io".to_owned() } else { kind };
        return Err(NotReady::Wait(format!(
            "unable to get '{namespace}/{name}' dependency: {resource} {name:?} not found"
        )));
    };
    if !reference.ready_expr.is_empty() {
        let ready = evaluate(&reference.ready_expr, &[("self", own), ("dep", object)]).map_err(|e| match e {
            Expression::Compile(e) => NotReady::Never(format!("failed to evaluate dependency {name}: {e}")),
            Expression::Run(e) => NotReady::Wait(format!("failed to evaluate dependency {name}: {e}")),
        })?;
        if !ready {
            return Err(NotReady::Wait(format!(
                "dependency '{namespace}/{name}' is not ready according to readyExpr eval"
            )));
        }
        if !additive {
            return Ok(());
        }
    }
    let number = |at: &str| object.pointer(at).and_then(Json::as_i64);
    // Of other kinds not all tell what generation they have seen.
    let observed = match number("/status/observedGeneration") {
        None if !reference.is_helm_release() => true,
        observed => observed.unwrap_or_default() == number("/metadata/generation").unwrap_or_default(),
    };
    if observed && condition::is(&conditions(object), READY, TRUE) {
        return Ok(());
    }
    Err(NotReady::Wait(format!("dependency '{namespace}/{name}' is not ready")))
}

/// Why an expression has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    Compile(String),
    Run(String),
}

/// Evaluates a CEL expression to a truth value.
///
/// # Errors
/// It does not compile, uses other variables, or its value is none.
pub fn evaluate(expression: &str, variables: &[(&str, &Json)]) -> Result<bool, Expression> {
    run(&compile(expression)?, expression, variables)
}

/// As [`evaluate`], of a program that was compiled before.
///
/// # Errors
/// As there.
pub fn run(program: &cel::Program, expression: &str, variables: &[(&str, &Json)]) -> Result<bool, Expression> {
    let mut context = cel::Context::default().with_all();
    for (name, value) in variables {
        context
            .add_variable(*name, *value)
            .map_err(|e| Expression::Run(format!("failed to convert {name} object to map: {e}")))?;
    }
    match program.execute(&context) {
        Ok(cel::Value::Bool(answer)) => Ok(answer),
        Ok(other) => Err(Expression::Run(format!(
            "failed to evaluate the CEL expression '{expression}': its value is {}, not a boolean",
            other.type_of()
        ))),
        // Told only when it is met.
        Err(cel::ExecutionError::UndeclaredReference(name)) => Err(Expression::Compile(format!(
            "failed to parse the CEL expression '{expression}': undeclared reference to '{name}'"
        ))),
        Err(e) => Err(Expression::Run(format!("failed to evaluate the CEL expression '{expression}': {e}"))),
    }
}

/// # Errors
/// As [`evaluate`].
pub fn compile(expression: &str) -> Result<cel::Program, Expression> {
    cel::Program::compile(expression)
        .map_err(|e| Expression::Compile(format!("failed to parse the CEL expression '{expression}': {e}")))
}

/// The releases of a ring of dependencies that a release is part of, as they are met; empty if there is none.
pub fn ring(start: &Key, index: &Index) -> Vec<Key> {
    let next = |key: &Key| -> Vec<Key> {
        let Some(object) = index.get(key) else { return Vec::new() };
        let list = object.pointer("/spec/dependsOn").cloned().unwrap_or_default();
        let references: Vec<DependencyReference> = serde_json::from_value(list).unwrap_or_default();
        let own = Subject { namespace: key.namespace.clone(), ..Subject::default() };
        references.iter().filter(|r| r.is_helm_release()).map(|r| self::key(&own, r)).collect()
    };
    // Each is entered once: what leads nowhere needs no second look.
    let mut seen = vec![start.clone()];
    let mut path: Vec<(Key, Vec<Key>)> = vec![(start.clone(), next(start))];
    while let Some((_, rest)) = path.last_mut() {
        let Some(candidate) = rest.pop() else {
            path.pop();
            continue;
        };
        if candidate == *start {
            return path.into_iter().map(|(key, _)| key).collect();
        }
        if !seen.contains(&candidate) {
            seen.push(candidate.clone());
            let following = next(&candidate);
            path.push((candidate, following));
        }
    }
    Vec::new()
}
