//! `healthCheckExprs`: when objects of custom kinds are ready, in CEL over their fields.
//!
//! Source: fluxcd/pkg `runtime/cel`: an object is in progress, failed or current by the first expression that is true, in this order, and in
//! progress otherwise. Only the group of `apiVersion` is compared, and rules for a kind stand before those for a whole group.

use std::sync::Arc;

use kube::core::cel::cel;

use crate::api::post_render::HealthCheckExpression;
use crate::cluster::status::{State, Status};
use crate::cluster::wait::Health;
use crate::cluster::{Gvk, Json};

use super::dependencies;

struct Rule {
    group: String,
    kind: String,
    in_progress: Option<(String, cel::Program)>,
    failed: Option<(String, cel::Program)>,
    current: Option<(String, cel::Program)>,
}

/// The judge of these rules; `None` without rules. What does not compile was refused before.
pub fn judge(rules: &[HealthCheckExpression]) -> Option<Health> {
    let compiled = |text: &str| Some((text.to_owned(), dependencies::compile(text).ok().filter(|_| !text.is_empty())?));
    let rules: Vec<Rule> = rules
        .iter()
        .map(|r| Rule {
            group: Gvk::parse(&r.api_version, "").group,
            kind: r.kind.clone(),
            in_progress: compiled(&r.in_progress),
            failed: compiled(&r.failed),
            current: compiled(&r.current),
        })
        .collect();
    (!rules.is_empty()).then(|| Health(Arc::new(move |object| status(&rules, object))))
}

fn status(rules: &[Rule], object: &Json) -> Option<Status> {
    let gvk = Gvk::of(object);
    let of_group = || rules.iter().filter(|r| r.group == gvk.group);
    let rule = of_group().find(|r| r.kind == gvk.kind).or_else(|| of_group().find(|r| r.kind.is_empty()))?;
    let fields: Vec<(&str, &Json)> = object.as_object()?.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let holds = |expression: &Option<(String, cel::Program)>| {
        // A field that is not there yet has no answer, which is no yes.
        expression.as_ref().is_some_and(|(text, program)| dependencies::run(program, text, &fields).unwrap_or(false))
    };
    let said =
        |expression: &Option<(String, cel::Program)>| expression.as_ref().map_or("", |(text, _)| text).to_owned();
    Some(if holds(&rule.in_progress) {
        Status::new(State::InProgress, format!("'{}' holds", said(&rule.in_progress)))
    } else if holds(&rule.failed) {
        Status::stalled("HealthCheckFailed", format!("'{}' holds", said(&rule.failed)))
    } else if holds(&rule.current) {
        Status::new(State::Current, "Resource is current")
    } else {
        Status::new(State::InProgress, format!("'{}' does not hold yet", said(&rule.current)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_judge() {
        let rules: Vec<HealthCheckExpression> = serde_json::from_value(json!([
            {"apiVersion": "db.example/v1", "current": "status.phase == 'Any'"},
            {"apiVersion": "db.example/v1beta1", "kind": "Db", "inProgress": "status.phase == 'Starting'",
                "failed": "status.phase == 'Broken'", "current": "status.phase == 'Up' && metadata.generation == status.seen"},
        ]))
        .unwrap();
        let judge = judge(&rules).unwrap();
        let of = |kind: &str, status: Json| {
            let object =
                json!({"apiVersion": "db.example/v2", "kind": kind, "metadata": {"generation": 2}, "status": status});
            (judge.0)(&object).map(|s| s.state)
        };
        assert_eq!(of("Db", json!({"phase": "Up", "seen": 2})), Some(State::Current));
        assert_eq!(of("Db", json!({"phase": "Up", "seen": 1})), Some(State::InProgress));
        assert_eq!(of("Db", json!({"phase": "Broken"})), Some(State::Failed));
        assert_eq!(of("Db", json!({"phase": "Starting"})), Some(State::InProgress));
        assert_eq!(of("Db", json!({})), Some(State::InProgress));
        assert_eq!(of("Other", json!({"phase": "Any"})), Some(State::Current));
        assert_eq!((judge.0)(&json!({"apiVersion": "v1", "kind": "Db"})), None);
        assert!(super::judge(&[]).is_none());
    }
}
