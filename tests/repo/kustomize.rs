//! Overlays against goldens that the real kustomize printed (`tests/fixtures/kustomize/regenerate.py`).

use std::path::Path;

use pintle::kustomize::{LoadRestrictions, MemoryTree, Options, build};

use super::support::{Folder, pintle};

/// The files of a case and what kustomize says of it.
#[derive(Default)]
struct Case {
    tree: MemoryTree,
    options: Options,
    golden: Option<String>,
    warnings: String,
    error: Option<String>,
}

fn read(path: &Path) -> Case {
    let text = std::fs::read_to_string(path).unwrap();
    let mut case = Case::default();
    for part in text.split("=== ").skip(1) {
        let (name, content) = part.split_once('\n').unwrap();
        match name {
            // The tree of a test begins at `/`.
            "golden" => case.golden = Some(content.to_owned()),
            "warnings" => case.warnings = content.to_owned(),
            "error" => case.error = Some(content.replace("$ROOT", "")),
            "args" => {
                assert_eq!(content.trim(), "--load-restrictor LoadRestrictionsNone", "{}", path.display());
                case.options.load_restrictions = LoadRestrictions::None;
            }
            file => case.tree.insert(file, content),
        }
    }
    case
}

fn cases() -> Vec<std::path::PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kustomize");
    let mut out: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    out.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    out.sort();
    assert!(out.len() >= 45, "the cases were not found");
    out
}

#[test]
fn overlays_are_kustomizes_bytes() {
    let mut wrong = Vec::new();
    for path in cases() {
        let case = read(&path);
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (out, err) = match build(&case.tree, "/app", &case.options) {
            Ok(built) => {
                let warnings: String = built.warnings.iter().map(|w| format!("{w}\n")).collect();
                if warnings != case.warnings {
                    wrong.push(format!("{name}: warnings {warnings:?}, wanted {:?}", case.warnings));
                }
                (Some(built.text()), None)
            }
            Err(e) => {
                let warnings: String = e.warnings.iter().map(|w| format!("{w}\n")).collect();
                (None, Some(format!("{warnings}Error: {e}\n")))
            }
        };
        if out != case.golden {
            let text = |t: &Option<String>| t.clone().unwrap_or_else(|| format!("no output: {err:?}"));
            let diff = similar::TextDiff::from_lines(text(&case.golden), text(&out)).unified_diff().to_string();
            wrong.push(format!("{name}:\n{diff}"));
        }
        if case.error.is_some() && err != case.error {
            wrong.push(format!("{name}: error {err:?}\n  wanted {:?}", case.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A failed build names the file to look at, so that a message can point into the repository.
#[test]
fn errors_name_the_file() {
    for (name, file, line) in [
        ("not-yaml", "/app/s.yaml", 0),
        ("chart-refused", "/app/kustomization.yaml", 0),
        ("unknown-field", "/app/kustomization.yaml", 1),
        ("same-twice", "/app/t.yaml", 1),
        ("transformer-unknown", "/app/kustomization.yaml", 1),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/kustomize/{name}.txt"));
        let case = read(&path);
        let e = build(&case.tree, "/app", &case.options).unwrap_err();
        assert_eq!((e.file.as_deref(), e.line), (Some(file), line), "{name}: {e}");
    }
}

/// Every finished object knows where it was read.
#[test]
fn objects_know_their_source() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kustomize/overlay-of-bases.txt");
    let case = read(&path);
    let built = build(&case.tree, "/app", &case.options).unwrap();
    let source = |kind: &str, name: &str| {
        let o = built.objects.iter().find(|o| o.kind == kind && o.name.contains(name)).unwrap();
        (o.source.file.to_string(), o.source.line)
    };
    assert_eq!(source("ClusterRole", "reader"), ("/base/bindings.yaml".to_owned(), 9));
    assert_eq!(source("Deployment", "web"), ("/base/deployment.yaml".to_owned(), 1));
    assert_eq!(source("Secret", "keys"), ("/base/kustomization.yaml".to_owned(), 0));
}

#[test]
fn remote_resources_are_refused_by_name() {
    for resource in ["https://example.com/a.yaml", "github.com/org/repo//path?ref=v1", "git@example.com:org/repo.git"] {
        let mut tree = MemoryTree::default();
        tree.insert("app/kustomization.yaml", format!("# Far away\nresources: [\"{resource}\"]\n"));
        let e = build(&tree, "/app", &Options::default()).unwrap_err();
        assert!(e.message.contains(resource) && e.message.contains("remote"), "{e}");
        assert_eq!((e.file.as_deref(), e.line), (Some("/app/kustomization.yaml"), 2));
    }
}

/// A var that fits several objects is told with the kind it was looked for by.
#[test]
fn ambiguous_vars_are_told_with_their_kind() {
    let mut tree = MemoryTree::default();
    let object = |namespace: &str| {
        format!("apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: a, namespace: {namespace}}}\n---\n")
    };
    tree.insert("app/a.yaml", object("x") + &object("y"));
    let var = "{name: A, objref: {apiVersion: apps/v1, kind: DaemonSet, name: a}}";
    tree.insert("app/kustomization.yaml", format!("resources: [a.yaml]\nvars: [{var}]\n"));
    let e = build(&tree, "/app", &Options::default()).unwrap_err();
    assert_eq!(
        e.message,
        "merging vars [{A DaemonSet.[noVer].[noGrp] {}}]: found 2 resId matches for var {A DaemonSet.v1.apps {}} (unable to disambiguate)"
    );
}

/// Nothing that a file may hold stops the program itself.
#[test]
fn hostile_files_end_with_an_error() {
    let deep = format!("kind: A\nmetadata: {{name: x}}\nspec: {}1{}\n", "[".repeat(5000), "]".repeat(5000));
    let mut bomb = String::from("kind: A\nmetadata: {name: x}\na0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let list = vec![format!("*a{}", i - 1); 9].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{list}]\n"));
    }
    let own = "kind: A\nmetadata: {name: x}\nspec: &s {inner: *s}\n".to_owned();
    for text in [deep, bomb, own] {
        let mut tree = MemoryTree::default();
        tree.insert("app/kustomization.yaml", "resources: [a.yaml]\n");
        tree.insert("app/a.yaml", text);
        assert!(build(&tree, "/app", &Options::default()).is_err());
    }
}

/// Every flag of `kustomize build` is taken; what is wrong with one is told in kustomize's words.
#[test]
fn flags_are_kustomizes() {
    let f = Folder::new();
    f.write("app/kustomization.yaml", "resources: [a.yaml]\n");
    f.write("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let run = |args: &[&str]| {
        let out = pintle().current_dir(f.path()).args(["kustomize", "build"]).args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.success(), text(&out.stdout), text(&out.stderr))
    };
    let plain = run(&["app"]);
    assert!(plain.0, "{}", plain.2);
    for flags in [
        &["--enable-alpha-plugins", "--enable-exec"][..],
        &["--network", "--network-name", "n", "--mount", "type=bind,src=/a,dst=/b", "-e", "A=b", "--as-current-user"],
        &["--helm-command", "h", "--helm-api-versions", "v1", "--helm-kube-version", "1.34", "--helm-debug"],
        &["--load-restrictor="],
    ] {
        assert_eq!(run(&[&["app"][..], flags].concat()), plain, "{flags:?}");
    }
    let (ok, out, err) = run(&["app", "--enable-managedby-label"]);
    assert!(ok && out.contains("  labels:\n    app.kubernetes.io/managed-by: kustomize-v5.8.1\n"), "{out}{err}");
    assert_eq!(
        err,
        "Flag --enable-managedby-label has been deprecated, The flag `enable-managedby-label` has been deprecated. \
         Use the `managedByLabel` option in the `buildMetadata` field instead.\n"
    );
    let reorder = "Flag --reorder has been deprecated, use the new 'sortOptions' field in kustomization.yaml instead.";
    let restrictions = "LoadRestrictionsRootOnly LoadRestrictionsNone";
    for (args, want) in [
        (
            &["app", "--reorder", "x"][..],
            format!("{reorder}\nError: illegal flag value --reorder x; legal values: [legacy none]\n"),
        ),
        (
            &["app", "--load-restrictor", "none"][..],
            format!("Error: illegal flag value --load-restrictor none; legal values: [{restrictions}]\n"),
        ),
        (&[""][..], "Error: must build at directory: directory path cannot be empty\n".to_owned()),
        (&["app", "-o", "no/x.yaml"][..], "Error: open no/x.yaml: no such file or directory\n".to_owned()),
    ] {
        let (ok, out, err) = run(args);
        assert!(!ok && out.is_empty(), "{args:?}: {out}");
        assert_eq!(err, want, "{args:?}");
    }
}
