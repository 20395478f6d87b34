use super::*;
use crate::repo::document::{Node, parse};

fn node(text: &str) -> Node {
    parse(text.as_bytes()).unwrap().remove(0).root
}

fn faults(text: &str, minor: Minor) -> Vec<(Fault, usize, String)> {
    let node = node(text);
    let text = |key: &str| node.get(key).and_then(Node::as_str).unwrap();
    let schemas = Schemas::kubernetes();
    let entry = schemas.kind(text("apiVersion"), text("kind")).unwrap();
    schemas.validate(&entry.ty, &node, minor).into_iter().map(|v| (v.fault, v.line, v.path)).collect()
}

#[test]
fn the_table_has_what_people_deploy() {
    let schemas = Schemas::kubernetes();
    for (api, kind) in [
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("batch/v1", "CronJob"),
        ("v1", "Service"),
        ("v1", "ConfigMap"),
        ("networking.k8s.io/v1", "Ingress"),
        ("autoscaling/v2", "HorizontalPodAutoscaler"),
        ("policy/v1", "PodDisruptionBudget"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ] {
        assert!(matches!(schemas.kind(api, kind), Some(KindEntry { ty: Type::Object(_), .. })), "{api} {kind}");
    }
    // Every type that is named is there: a reference to nothing would pass anything.
    let named = include_str!("kubernetes.txt").split([' ', '\n']).filter_map(|w| w.split_once(":")?.1.split_once('#'));
    for (_, name) in named {
        let name = name.split(['!', '@']).next().unwrap();
        assert!(include_str!("kubernetes.txt").contains(&format!("\ntype {name}")), "{name}");
    }
}

#[test]
fn what_does_not_fit_is_told_with_its_line() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\nspec:\n  replica: 1\n  selector: {}\n  template:\n    spec:\n      containers:\n      - image: x\n        ports:\n        - containerPort: \"80\"\n        resources:\n          limits:\n            cpu: 1x\n";
    let want = [
        (Fault::UnknownField, 6, "spec.replica".to_owned()),
        (Fault::WrongType, 13, "spec.template.spec.containers[0].ports[0].containerPort".to_owned()),
        (Fault::WrongType, 16, "spec.template.spec.containers[0].resources.limits.cpu".to_owned()),
        (Fault::MissingField, 11, "spec.template.spec.containers[0].name".to_owned()),
    ];
    assert_eq!(faults(text, 36), want);
}

#[test]
fn a_field_is_judged_by_the_version() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostnameOverride: x\n  containers: [{name: a, image: b}]\n";
    assert_eq!(faults(text, 33).len(), 1);
    assert_eq!(faults(text, 36).len(), 0);
}

#[test]
fn a_definition_gives_its_kinds() {
    let mut schemas = Schemas::default();
    schemas.add_definition(&node("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  group: x.io\n  names: {kind: Thing}\n  versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        type: object\n        required: [spec]\n        properties:\n          spec:\n            type: object\n            required: [size, mode]\n            properties:\n              size: {type: integer}\n              mode: {type: string, enum: [fast, slow], default: fast}\n              any: {type: object, x-kubernetes-preserve-unknown-fields: true}\n"));
    let ty = schemas.kind("x.io/v1", "Thing").unwrap().ty.clone();
    let fault =
        |text: &str| -> Vec<Fault> { schemas.validate(&ty, &node(text), 36).into_iter().map(|v| v.fault).collect() };
    assert_eq!(fault("apiVersion: x.io/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: 1, any: {b: [c]}}\n"), []);
    assert_eq!(
        fault("spec: {size: a, mode: quick, sice: 1}\n"),
        [Fault::WrongType, Fault::InvalidValue, Fault::UnknownField]
    );
    assert_eq!(fault("kind: Thing\n"), [Fault::MissingField]);
    assert_eq!(fault("spec: {}\n"), [Fault::MissingField]);
}

#[test]
fn values_are_held_to_their_bounds_in_the_words_of_the_api_server() {
    let fault = |schema: &str, value: &str| {
        let mut schemas = Schemas::default();
        let text = format!(
            "kind: CustomResourceDefinition\nspec:\n  group: x.io\n  names: {{kind: Thing}}\n  versions:\n  - name: v1\n    schema: {{openAPIV3Schema: {{type: object, properties: {{v: {schema}}}}}}}\n"
        );
        schemas.add_definition(&node(&text));
        let ty = schemas.kind("x.io/v1", "Thing").unwrap().ty.clone();
        let found = schemas.validate(&ty, &node(&format!("kind: Thing\nv: {value}\n")), 36);
        assert!(found.iter().all(|v| v.fault == Fault::InvalidValue && v.line == 2), "{found:?}");
        found.into_iter().map(|v| v.message).collect::<Vec<_>>().join("; ")
    };
    for (schema, value, want) in [
        ("{type: integer, maximum: 5}", "9", "v: Invalid value: 9: v in body should be less than or equal to 5"),
        ("{type: integer, maximum: 5}", "5", ""),
        (
            "{type: integer, maximum: 5, exclusiveMaximum: true}",
            "5",
            "v: Invalid value: 5: v in body should be less than 5",
        ),
        ("{type: integer, minimum: 3}", "1", "v: Invalid value: 1: v in body should be greater than or equal to 3"),
        (
            "{type: number, minimum: 0, exclusiveMinimum: true}",
            "0",
            "v: Invalid value: 0: v in body should be greater than 0",
        ),
        ("{type: integer, multipleOf: 4}", "6", "v: Invalid value: 6: v in body should be a multiple of 4"),
        (
            "{type: string, pattern: ^a+$, maxLength: 3}",
            "bbb",
            "v: Invalid value: \"bbb\": v in body should match '^a+$'",
        ),
        ("{type: string, pattern: ^a+$, maxLength: 3}", "aaaaaa", "v: Too long: may not be more than 3 bytes"),
        ("{type: string, maxLength: 3}", "äöü", ""),
        ("{type: string, minLength: 1}", "''", "v: Invalid value: \"\": v in body should be at least 1 chars long"),
        // Go's syntax: RE2 knows \\z, and nothing that looks ahead; what can't be compiled says nothing.
        (r"{type: string, pattern: '\Aa\z'}", "b", r#"v: Invalid value: "b": v in body should match '\Aa\z'"#),
        ("{type: string, pattern: '(?=a)'}", "b", ""),
        ("{type: array, maxItems: 1, items: {type: string}}", "[a, b]", "v: Too many: 2: must have at most 1 items"),
        ("{type: array, minItems: 1}", "[]", "v: Invalid value: 0: v in body should have at least 1 items"),
        (
            "{type: object, minProperties: 2, additionalProperties: true}",
            "{a: b}",
            "v: Invalid value: 1: v in body should have at least 2 properties",
        ),
        // A bound is for values of its type.
        ("{x-kubernetes-int-or-string: true, pattern: ^a+$, maximum: 5}", "3", ""),
        (
            "{x-kubernetes-int-or-string: true, pattern: ^a+$, maximum: 5}",
            "b",
            "v: Invalid value: \"b\": v in body should match '^a+$'",
        ),
        ("{type: integer, maximum: 5}", "0x09", ""),
    ] {
        assert_eq!(fault(schema, value), want, "{schema} {value}");
    }
}
