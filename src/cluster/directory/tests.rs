use super::*;
use crate::cluster::FieldValidation;
use crate::render::Compat;
use serde_json::json;

fn directory(name: &str) -> Directory {
    let root = std::env::temp_dir().join(format!("pintle-directory-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    Directory::new(root, Arc::new(Capabilities::offline(Compat::default(), None, &[])))
}

fn options() -> WriteOptions {
    WriteOptions { field_manager: "helm".into(), dry_run: false, validation: FieldValidation::Strict }
}

fn object(kind: &str, name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "prod", "labels": {"app": name}}, "n": 1_000_000})
}

#[tokio::test]
async fn an_object_is_a_file_with_a_stable_name() {
    let d = directory("file");
    let o = object("ConfigMap", "web");
    let id = ObjectId::of(&o);
    d.create(&o, &options()).await.unwrap();
    let path = d.root().join("prod/configmap_web.yaml");
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels:\n    app: web\n  name: web\n  namespace: prod\n\"n\": 1000000\n"
    );
    assert_eq!(d.get(&id).await.unwrap(), Some(o.clone()));
    assert!(d.create(&o, &options()).await.unwrap_err().is_already_exists());
    let mut changed = o.clone();
    changed["n"] = json!(2);
    let dry = WriteOptions { dry_run: true, ..options() };
    d.patch(&id, PatchType::Apply { force: false }, &changed, &dry).await.unwrap();
    assert_eq!(d.get(&id).await.unwrap(), Some(o));
    d.patch(&id, PatchType::Merge, &json!({"n": null, "m": {"a": 1}}), &options()).await.unwrap();
    assert_eq!(d.get(&id).await.unwrap().unwrap().get("m"), Some(&json!({"a": 1})));
    assert!(d.delete(&id, Propagation::Background, None).await.unwrap());
    assert!(!d.delete(&id, Propagation::Background, None).await.unwrap());
    assert!(!d.root().join("prod").exists(), "an empty directory stays behind");
    let _ = std::fs::remove_dir_all(d.root());
}

#[tokio::test]
async fn kinds_with_one_name_do_not_meet() {
    let d = directory("kinds");
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "services.x.dev"},
        "spec": {"group": "x.dev", "names": {"kind": "Service"}, "scope": "Cluster"}});
    d.create(&crd, &options()).await.unwrap();
    assert!(!d.resource(&Gvk::new("x.dev", "v1", "Service")).await.unwrap().namespaced);
    assert!(d.resource(&Gvk::new("", "v1", "Service")).await.unwrap().namespaced);
    for o in [object("Service", "b"), object("Service", "a")] {
        d.create(&o, &options()).await.unwrap();
    }
    let services = d.list(&Gvk::new("", "v1", "Service"), Some("prod"), "", "").await.unwrap();
    let names: Vec<_> = services.iter().map(|o| ObjectId::of(o).name).collect();
    assert_eq!(names, ["a", "b"]);
    for (labels, fields, want) in [
        ("app=a", "", vec!["a"]),
        ("app!=a,app", "", vec!["b"]),
        ("!app", "", vec![]),
        ("", "metadata.name=b", vec!["b"]),
    ] {
        let found = d.list(&Gvk::new("", "v1", "Service"), None, labels, fields).await.unwrap();
        let names: Vec<_> = found.iter().map(|o| ObjectId::of(o).name).collect();
        assert_eq!(names, want, "{labels} {fields}");
    }
    assert_eq!(
        Directory::path_of(&ObjectId::new(
            Gvk::new("rbac.authorization.k8s.io", "v1", "ClusterRole"),
            None,
            "system:../x"
        )),
        Path::new("_cluster/clusterrole_system%3A..%2Fx.yaml")
    );
    let _ = std::fs::remove_dir_all(d.root());
}
