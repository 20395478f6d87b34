//! Flux's `ArtifactGenerator`: Kustomizations whose directories are composed of this repository's files.

use super::support::{Folder, build, git, run};

const GENERATOR: &str = "\
apiVersion: source.extensions.fluxcd.io/v1beta1
kind: ArtifactGenerator
metadata:
  name: repo
  namespace: flux-system
spec:
  sources:
  - alias: repo
    kind: GitRepository
    name: flux-system
  artifacts:
  - name: apps
    copy:
    - from: '@repo/apps/base/**'
      to: '@artifact/base/'
      exclude: ['*.md', 'old/**']
    - from: '@repo/apps/prod/**'
      to: '@artifact/prod/'
    - from: '@repo/shared/labels.yaml'
      to: '@artifact/prod/'
    - from: '@repo/shared/region-prod.yaml'
      to: '@artifact/prod/region.yaml'
    - from: '@repo/components'
      to: '@artifact/'
";

/// The apps of a cluster, as Flux's own example has them: bases and overlays put together in an artifact.
fn composed() -> Folder {
    let f = Folder::new();
    f.write("clusters/prod/generator.yaml", GENERATOR);
    f.write(
        "clusters/prod/apps.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\n  namespace: flux-system\nspec:\n  interval: 1h\n  \
         path: ./prod\n  prune: true\n  sourceRef:\n    kind: ExternalArtifact\n    name: apps\n",
    );
    f.write("apps/base/kustomization.yaml", "resources: [app]\n");
    f.write("apps/base/README.md", "# Bases\n");
    f.write("apps/base/old/kustomization.yaml", "resources: [gone.yaml]\n");
    f.write("apps/base/app/kustomization.yaml", "resources: [config.yaml]\n");
    f.write(
        "apps/base/app/config.yaml",
        "# The app.\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\n  namespace: shop\ndata:\n  level: info\n",
    );
    f.write(
        "apps/prod/kustomization.yaml",
        "resources: [../base, region.yaml]\npatches: [{path: level.yaml}]\ntransformers: [labels.yaml]\ncomponents: [../components/tier]\n",
    );
    f.write(
        "apps/prod/level.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\n  namespace: shop\ndata:\n  level: warn\n",
    );
    f.write(
        "shared/labels.yaml",
        "apiVersion: builtin\nkind: LabelTransformer\nmetadata:\n  name: labels\nlabels:\n  team: shop\nfieldSpecs:\n- path: metadata/labels\n  create: true\n",
    );
    f.write(
        "shared/region-prod.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: region\n  namespace: shop\ndata:\n  region: eu-1\n",
    );
    f.write(
        "components/tier/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: t1-\n",
    );
    f
}

#[test]
fn directories_are_built_as_the_generator_puts_them_together() {
    let f = composed();
    let (code, out, err) = build(&f);
    assert_eq!(code, Some(0), "{err}");
    // The same files, laid down as the generator would lay them.
    let copy = Folder::new();
    for (from, to) in [
        ("apps/base/kustomization.yaml", "base/kustomization.yaml"),
        ("apps/base/app/kustomization.yaml", "base/app/kustomization.yaml"),
        ("apps/base/app/config.yaml", "base/app/config.yaml"),
        ("apps/prod/kustomization.yaml", "prod/kustomization.yaml"),
        ("apps/prod/level.yaml", "prod/level.yaml"),
        ("shared/labels.yaml", "prod/labels.yaml"),
        ("shared/region-prod.yaml", "prod/region.yaml"),
        ("components/tier/kustomization.yaml", "components/tier/kustomization.yaml"),
    ] {
        copy.write(to, f.read(from));
    }
    let (code, plain, err) = run(&copy, &["kustomize", "build", "prod"]);
    assert_eq!(code, Some(0), "{err}");
    for object in plain.split("---\n") {
        assert!(out.contains(object), "{object}\n{out}");
    }
    assert!(plain.contains("t1-app") && plain.contains("level: warn") && plain.contains("region: eu-1"), "{plain}");
}

#[test]
fn what_is_wrong_is_told_by_the_files_of_the_repository() {
    let f = composed();
    f.write("apps/prod/level.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: none\n");
    let (code, _, err) = build(&f);
    assert!(code == Some(1) && err.contains("apps/prod/level.yaml:1: no resource matches"), "{err}");
    let f = composed();
    f.write("shared/region-prod.yaml", "apiVersion: v1\nkind: ConfigMap\n  name: region\n");
    let (code, _, err) = build(&f);
    assert!(code == Some(1) && err.contains("shared/region-prod.yaml"), "{err}");
    // A finding of what is fine, too.
    let f = composed();
    let config = f.read("apps/base/app/config.yaml").replace("  level: info\n", "  level: 5\n  other: 5\n");
    f.write("apps/base/app/config.yaml", config);
    let (_, out, _) = run(&f, &["check"]);
    assert!(out.contains("apps/base/app/config.yaml:9: error"), "{out}");
    // The level is another one in what is applied.
    assert!(!out.contains("config.yaml:8: "), "{out}");
}

#[test]
fn copies_that_can_not_be_made_are_named() {
    let cases = [
        (
            "@repo/apps/base/**",
            "@repo/none/**",
            "14: artifact apps: copy from '@repo/none/**' to '@artifact/base/': no files match pattern 'none/**' in source 'repo'",
        ),
        (
            "@repo/apps/base/**",
            "@other/apps/base/**",
            "14: artifact apps: copy from '@other/apps/base/**' to '@artifact/base/': source alias 'other' not found",
        ),
        (
            "@repo/components",
            "@repo/nothing",
            "23: artifact apps: copy from '@repo/nothing' to '@artifact/': source 'nothing' does not exist",
        ),
        (
            "@artifact/base/'",
            "@artifact/../base/'",
            "14: artifact apps: copy from '@repo/apps/base/**' to '@artifact/../base/': destination path must stay within the artifact root",
        ),
        (
            "'old/**']",
            "'**']",
            "14: artifact apps: copy from '@repo/apps/base/**' to '@artifact/base/': all files matching pattern 'apps/base/**' in source 'repo' were excluded",
        ),
    ];
    for (from, to, want) in cases {
        let f = composed();
        f.write("clusters/prod/generator.yaml", GENERATOR.replacen(from, to, 1));
        let (code, _, err) = build(&f);
        let want = format!("clusters/prod/generator.yaml:{want}");
        assert!(code == Some(1) && err.contains(&want), "{want}\n{err}");
    }
    // What is optional may be missing.
    let f = composed();
    f.write(
        "clusters/prod/generator.yaml",
        format!("{GENERATOR}    - from: '@repo/none/*'\n      to: '@artifact/'\n      optional: true\n"),
    );
    assert_eq!(build(&f).0, Some(0));
    // A directory that the artifact does not have.
    let apps = f.read("clusters/prod/apps.yaml").replace("./prod", "./test");
    f.write("clusters/prod/apps.yaml", apps);
    let (code, _, err) = build(&f);
    assert!(code == Some(1) && err.contains("path: ./test is not a directory of artifact apps"), "{err}");
}

/// An OCI artifact that was made of one directory of the repository: paths of copies count from there.
#[test]
fn sources_may_hold_one_directory_of_the_repository() {
    let f = Folder::new();
    let generator = GENERATOR.split("    - from: '@repo/apps/prod").next().unwrap();
    let generator = generator.replace("GitRepository", "OCIRepository").replace("**'", "app/'");
    f.write("k8s/clusters/prod/generator.yaml", generator);
    let apps = composed().read("clusters/prod/apps.yaml").replace("./prod", "./base/app");
    f.write("k8s/clusters/prod/apps.yaml", apps);
    // A directory is copied into the one that is named; without a kustomization there, all below it is applied.
    let config = composed().read("apps/base/app/config.yaml");
    f.write("k8s/apps/base/app/config.yaml", config);
    f.write("k8s/apps/base/app/README.md", "# The app\n");
    let (code, out, err) = build(&f);
    assert!(code == Some(0) && out.contains("  level: info\n"), "{out}{err}");
    let (_, out, _) = run(&f, &["build", "--no-keys", "--env", "prod", "-o", "json"]);
    assert!(out.contains("k8s/apps/base/app/config.yaml"), "{out}");
}

#[test]
fn artifacts_of_other_repositories_are_passed_over_with_a_warning() {
    let f = composed();
    f.write(
        "clusters/prod/source.yaml",
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: flux-system\n  namespace: flux-system\nspec:\n  interval: 1m\n  \
         url: https://git.example/other.git\n",
    );
    let (code, _, err) = build(&f);
    assert_eq!(code, Some(0), "{err}");
    let want = "clusters/prod/generator.yaml:8: Kustomization apps is not built: its artifact apps is made of GitRepository flux-system, which is not this checkout";
    assert!(err.contains(want), "{err}");
}

#[test]
fn a_diff_sees_what_a_file_of_an_artifact_changes() {
    let f = composed();
    git(f.path(), &["init", "-q", "-b", "main"]);
    git(f.path(), &["add", "-A"]);
    git(f.path(), &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "one"]);
    f.write("shared/region-prod.yaml", f.read("shared/region-prod.yaml").replace("eu-1", "eu-2"));
    let (code, out, err) = run(&f, &["diff", "HEAD", "--env", "prod"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("ConfigMap shop/t1-region (v1) changed") && out.contains("+  region: eu-2"), "{out}");
}
