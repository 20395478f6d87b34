//! No secret in any output: one deployment repository with a canary in every place that a secret can stand in, every command in every form over it,
//! with keys and without, at trace level, what fails included; and each canary looked for in every form in which it could slip out.
//!
//! What functions of a chart make of a secret (hashes for checksums, parts, other cases) counts as the secret: whoever can guess it can try.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine as _;

use crate::forms::{base64, forms_of, quoted};
use crate::sops::{Ring, age_key, encrypt, recipient};
use crate::support::{Folder, git, pintle};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/canaries");

/// Where canaries stand. The first ones are encrypted in the repository, the others lie there in clear, in Secrets.
const ORIGINS: [&str; 12] = [
    "sopssecret",
    "sopsconfig",
    "genyaml",
    "genjson",
    "genini",
    "genbin",
    "genenv",
    "inline",
    "substfrom",
    "literal",
    "plaindata",
    "plainstring",
];
const ENCRYPTED: usize = 9;

/// What canaries look like.
const KINDS: [&str; 8] = ["short", "long", "lines", "quotes", "number", "base64", "url", "dashes"];

/// Ways to fail over a secret, of the chart `broken`.
const FAILURES: [&str; 20] = [
    "fail",
    "fail-derived",
    "required",
    "call",
    "field",
    "include",
    "tpl",
    "time",
    "regex",
    "semver",
    "base64",
    "json",
    "url",
    "decrypt",
    "cert",
    "fromYaml",
    "yaml",
    "object",
    "schema",
    "none",
];

/// A canary of the older (0) or newer (1) state.
fn canary(origin: &str, kind: &str, state: usize) -> String {
    let n = 10 + 40 * state + ORIGINS.iter().position(|o| *o == origin).unwrap();
    match kind {
        "short" => format!("q{n}Zk7"),
        "long" => format!("{n}Osprey{}", "-grey-wing-and-white-tail".repeat(4)),
        "lines" => format!("{n}Kestrel one\n  {n}Kestrel two\n\n{n}Kestrel: three\n"),
        "quotes" => format!("{n}Her\"on'\\é☃<&>$"),
        "number" => format!("{n}48151623421"),
        "base64" => base64::engine::general_purpose::STANDARD.encode(format!("Finch{n}-0001")),
        "url" => format!("{n}p@ss/Wren+x %2"),
        "dashes" => format!("{n}-wagtail-in-kebab_case"),
        _ => unreachable!(),
    }
}

/// Two origins have canaries of all kinds, the others some, each its own.
fn kinds(origin: &str) -> Vec<&'static str> {
    let n = ORIGINS.iter().position(|o| *o == origin).unwrap();
    let all = ["sopssecret", "genyaml"].contains(&origin);
    // dotenv and INI have a value in a line.
    let line = ["genini", "genenv", "substfrom", "literal"].contains(&origin);
    let some = |i: &usize| all || *i == 0 || *i == n % KINDS.len() || *i == (n + 3) % KINDS.len();
    let kinds = (0..KINDS.len()).filter(some).map(|i| KINDS[i]);
    kinds.filter(|k| !(line && *k == "lines")).collect()
}

/// The canaries of an origin as `name: value`, JSON's escapes being YAML's.
fn values(origin: &str, state: usize) -> BTreeMap<String, String> {
    let kinds = kinds(origin).into_iter();
    kinds.map(|k| (format!("{origin}-{k}"), canary(origin, k, state))).collect()
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|l| format!("{}{l}\n", " ".repeat(by))).collect()
}

/// A values file that sets `secrets`.
fn values_file(origin: &str, state: usize) -> String {
    let lines: String = values(origin, state).iter().map(|(k, v)| format!("  {k}: {}\n", quoted(v))).collect();
    format!("secrets:\n{lines}")
}

/// `name=value` lines; what has line ends or what dotenv reads otherwise is left out.
fn env_file(origin: &str, state: usize) -> String {
    values(origin, state).iter().map(|(k, v)| format!("{}={v}\n", k.replace('-', "_"))).collect()
}

fn sops(name: &str, text: &str) -> Vec<u8> {
    let config = format!("creation_rules:\n- age: {}\n", recipient("age-1"));
    encrypt(&config, name, text.as_bytes(), &Ring::of(&[1], false))
}

/// As Kubernetes objects are encrypted: their values only.
fn sops_object(regex: &str, text: &str) -> Vec<u8> {
    let config = format!("creation_rules:\n- encrypted_regex: {regex}\n  age: {}\n", recipient("age-1"));
    encrypt(&config, "x.yaml", text.as_bytes(), &Ring::of(&[1], false))
}

/// The repository: an environment in which everything works, and one for each failure.
struct World {
    folder: Folder,
    /// What must not be seen → what it is.
    forms: BTreeMap<String, String>,
    finder: Option<AhoCorasick>,
    leaks: BTreeSet<String>,
    commands: usize,
}

const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: NAME\nspec:\n  interval: 10m\n  chart:\n    spec:\n      chart: ./k8s/helm-charts/CHART\n      sourceRef: {kind: GitRepository, name: shop, namespace: flux-system}\n";

fn release(name: &str, chart: &str) -> String {
    RELEASE.replace("NAME", name).replace("CHART", chart)
}

fn repository(folder: &Folder) {
    for chart in ["app", "broken"] {
        for file in files(&Path::new(FIXTURES).join(chart)) {
            let inside = file.strip_prefix(FIXTURES).unwrap().to_str().unwrap().to_owned();
            folder.write(&format!("repo/k8s/helm-charts/{inside}"), std::fs::read(&file).unwrap());
        }
    }
    for env in ["prod", "dev"] {
        environment(folder, env, 0);
    }
    for how in FAILURES {
        failing(folder, how);
    }
}

const SOURCE: &str = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: shop, namespace: flux-system}\nspec: {interval: 1m, url: https://git.example/shop.git, ref: {branch: main}}\n";
const REFERENCES: &str = "nameReference:\n- {kind: ConfigMap, version: v1, fieldSpecs: [{kind: HelmRelease, path: spec/valuesFrom/name}]}\n- {kind: Secret, version: v1, fieldSpecs: [{kind: HelmRelease, path: spec/valuesFrom/name}]}\n";

fn environment(folder: &Folder, env: &str, state: usize) {
    let write = |path: &str, text: &[u8]| drop(folder.write(&format!("repo/k8s/gitops/{env}/{path}"), text));
    write("kustomization.yaml", b"resources: [source.yaml, app, subst.yaml]\nconfigurations: [kustomizeconfig.yaml]\n");
    write("kustomizeconfig.yaml", REFERENCES.as_bytes());
    write("source.yaml", SOURCE.as_bytes());
    let literals: String =
        values("literal", state).iter().map(|(k, v)| format!("  - {}\n", quoted(&format!("{k}={v}")))).collect();
    let kustomization = format!(
        "namespace: shop\nresources: [secrets.yaml, configmap.yaml, plain.yaml, release.yaml, workload.yaml]\nsecretGenerator:\n- name: gen\n  files: [values.yaml=gen.yaml, gen.json, gen.ini, gen.bin]\n- name: gen-env\n  envs: [gen.env]\n- name: literals\n  literals:\n{literals}"
    );
    write("app/kustomization.yaml", kustomization.as_bytes());
    let one = |origin: &str, kind: &str| quoted(&canary(origin, kind, state));
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: sops-secret\nstringData:\n  values.yaml: |\n{}  short: {}\n  number: {}\ndata:\n  quotes: {}\n",
        indented(&values_file("sopssecret", state), 4),
        one("sopssecret", "short"),
        one("sopssecret", "number"),
        base64(&canary("sopssecret", "quotes", state)),
    );
    write("app/secrets.yaml", &sops_object("^(data|stringData)$", &secret));
    let config = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: sops-config\ndata:\n  values.yaml: |\n{}",
        indented(&values_file("sopsconfig", state), 4)
    );
    write("app/configmap.yaml", &sops_object("^data$", &config));
    let data: String = values("plaindata", state).iter().map(|(k, v)| format!("  {k}: {}\n", base64(v))).collect();
    let plain = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: plain-data\ndata:\n  values.yaml: {}\n{data}---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: plain-string\nstringData:\n  values.yaml: |\n{}",
        base64(&values_file("plaindata", state)),
        indented(&values_file("plainstring", state), 4),
    );
    write("app/plain.yaml", plain.as_bytes());
    write("app/gen.yaml", &sops("gen.yaml", &values_file("genyaml", state)));
    write("app/gen.json", &sops("gen.json", &serde_json::to_string_pretty(&values("genjson", state)).unwrap()));
    write("app/gen.ini", &sops("gen.ini", &format!("[one]\n{}", env_file("genini", state))));
    write(
        "app/gen.bin",
        &sops("gen.bin", &values("genbin", state).values().map(|v| format!("{v}\n")).collect::<String>()),
    );
    write("app/gen.env", &sops("gen.env", &env_file("genenv", state)));
    let inline: String = values("inline", state).iter().map(|(k, v)| format!("      {k}: {}\n", quoted(v))).collect();
    let from = |kind: &str, name: &str, rest: &str| format!("  - {{kind: {kind}, name: {name}{rest}}}\n");
    let release = [
        release("app", "app"),
        "  valuesFrom:\n".into(),
        from("Secret", "sops-secret", ""),
        from("ConfigMap", "sops-config", ""),
        from("Secret", "gen", ""),
        from("Secret", "plain-data", ""),
        from("Secret", "plain-string", ""),
        from("Secret", "sops-secret", ", valuesKey: short, targetPath: secrets.target"),
        from("Secret", "literals", ", valuesKey: literal-short, targetPath: secrets.literal"),
        from("Secret", "gen-env", ", valuesKey: genenv_short, targetPath: secrets.env"),
        format!("  values:\n    secrets:\n{inline}"),
    ];
    write("app/release.yaml", &sops_object("^secrets$", &release.concat()));
    write("app/workload.yaml", WORKLOAD.as_bytes());
    // Variables of a Flux Kustomization.
    let variables: String =
        values("substfrom", state).iter().map(|(k, v)| format!("  {}: {}\n", k.replace('-', "_"), quoted(v))).collect();
    let variables = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: variables, namespace: flux-system}}\nstringData:\n{variables}"
    );
    write("variables.yaml", &sops_object("^(data|stringData)$", &variables));
    let subst = format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: subst, namespace: flux-system}}\nspec:\n  interval: 1m\n  prune: true\n  path: ./k8s/subst\n  sourceRef: {{kind: GitRepository, name: shop}}\n  decryption: {{provider: sops}}\n  postBuild:\n    substitute: {{env: {env}}}\n    substituteFrom: [{{kind: Secret, name: variables}}]\n"
    );
    write("subst.yaml", subst.as_bytes());
    write(
        "kustomization.yaml",
        b"resources: [source.yaml, app, variables.yaml, subst.yaml]\nconfigurations: [kustomizeconfig.yaml]\n",
    );
    let mut texts = String::new();
    for kind in kinds("substfrom").into_iter().filter(|k| *k != "quotes") {
        let name = format!("substfrom_{kind}");
        for (what, form) in [
            ("raw", format!("${{{name}}}")),
            ("up", format!("${{{name}^^}}")),
            ("start", format!("${{{name}:0:5}}")),
            ("rest", format!("${{{name}#??}}")),
            ("swap", format!("${{{name}//a/_}}")),
            ("or", format!("${{{name}:-none}}")),
        ] {
            texts.push_str(&format!("  {kind}-{what}: \"={form}=\"\n"));
        }
    }
    folder.write(
        "repo/k8s/subst/configmap.yaml",
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: subst, namespace: shop}}\ndata:\n  env: ${{env}}\n{texts}"),
    );
}

/// Names generated Secrets, so that their hashes are printed.
const WORKLOAD: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: own}\nspec:\n  selector: {matchLabels: {app: own}}\n  template:\n    metadata: {labels: {app: own}}\n    spec:\n      containers:\n      - name: own\n        image: own:1\n        envFrom:\n        - secretRef: {name: gen}\n        - secretRef: {name: gen-env}\n        - secretRef: {name: literals}\n";

/// One release that fails over each canary of a Secret.
fn failing(folder: &Folder, how: &str) {
    let write = |path: &str, text: &[u8]| drop(folder.write(&format!("repo/k8s/gitops/bad-{how}/{path}"), text));
    write("source.yaml", SOURCE.as_bytes());
    for (i, kind) in KINDS.iter().enumerate() {
        let value = quoted(&canary("sopssecret", kind, 0));
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s{i}, namespace: shop}}\nstringData:\n  values.yaml: |\n    secrets: {{x: {value}}}\n"
        );
        write(&format!("secret-{i}.yaml"), &sops_object("^(data|stringData)$", &secret));
        let release = format!(
            "{}  values: {{how: {how}}}\n  valuesFrom:\n  - {{kind: Secret, name: s{i}}}\n",
            release(&format!("x{i}"), "broken")
        );
        write(
            &format!("release-{i}.yaml"),
            release.replace("metadata:\n", "metadata:\n  namespace: shop\n").as_bytes(),
        );
    }
    if how != "none" {
        return;
    }
    // A chart that is fine over inputs that are not.
    let odd = |name: &str, data: &str, from: &str| {
        let secret = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: shop}}\n{data}");
        write(&format!("secret-{name}.yaml"), &sops_object("^(data|stringData)$", &secret));
        let release = format!("{}  valuesFrom:\n  - {{kind: Secret, name: {name}{from}}}\n", release(name, "broken"));
        write(
            &format!("release-{name}.yaml"),
            release.replace("metadata:\n", "metadata:\n  namespace: shop\n").as_bytes(),
        );
    };
    let (long, quotes) = (canary("sopssecret", "long", 0), canary("sopssecret", "quotes", 0));
    odd("bad-base64", &format!("data:\n  values.yaml: {}\n", quoted(&quotes)), "");
    odd("bad-yaml", &format!("stringData:\n  values.yaml: |\n    a: b: {long}\n    [{long}\n"), "");
    odd("twice", &format!("stringData:\n  values.yaml: |\n    {long}: 1\n    {long}: 2\n"), "");
    odd("scalar", &format!("stringData:\n  values.yaml: {}\n", quoted(&long)), "");
    odd("tabs", &format!("stringData:\n  values.yaml: |\n    a:\n    \t- {long}\n    b: *{long}\n"), "");
    odd("no-key", &format!("stringData:\n  other: {}\n", quoted(&long)), "");
    odd("bad-path", &format!("stringData:\n  values.yaml: {}\n", quoted(&quotes)), ", targetPath: how.much");
    odd("list", &format!("stringData:\n  values.yaml: |\n    secrets: [{long}]\n    how: {{x: {long}}}\n"), "");
    odd(
        "key",
        &format!("stringData:\n  values.yaml: |\n    how: {long}\n    {long}: x\n    secrets: {{{long}: {long}}}\n"),
        "",
    );
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    entries.flat_map(|p| if p.is_dir() { files(&p) } else { vec![p] }).collect()
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        repository(&folder);
        let mut world = Self { folder, forms: BTreeMap::new(), finder: None, leaks: BTreeSet::new(), commands: 0 };
        for origin in ORIGINS {
            for kind in kinds(origin) {
                for state in [0, 1] {
                    for (form, text) in forms_of(&canary(origin, kind, state)) {
                        world.forms.entry(text).or_insert_with(|| format!("{origin}-{kind} ({form})"));
                    }
                }
            }
        }
        world
    }

    fn look(&mut self, what: &str, text: &[u8], only_encrypted: bool) {
        let finder = self.finder.get_or_insert_with(|| AhoCorasick::new(self.forms.keys()).unwrap());
        let names: Vec<&String> = self.forms.values().collect();
        let mut found = BTreeSet::new();
        for at in finder.find_overlapping_iter(text) {
            let name = names[at.pattern().as_usize()];
            if only_encrypted
                && (name.ends_with("(derived)") || ORIGINS[ENCRYPTED..].iter().any(|o| name.starts_with(o)))
            {
                continue;
            }
            if found.insert(name) {
                let start = text[..at.start()].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
                let end = text[at.start()..].iter().position(|b| *b == b'\n').map_or(text.len(), |i| at.start() + i);
                let line = String::from_utf8_lossy(&text[start..end.min(start + 200)]).into_owned();
                self.leaks.insert(format!("{what}: {name}: {line}"));
            }
        }
    }

    /// Runs in the repository at trace level, and looks through what it says. `None` for the code: any.
    fn run(&mut self, keys: bool, args: &[&str], code: Option<i32>) -> Vec<u8> {
        let mut command = pintle();
        command
            .args(args)
            .current_dir(self.folder.join("repo"))
            .env("PINTLE_LOG", "trace")
            .env_remove("PINTLE_LOG_FILE");
        for (name, dir) in
            [("HOME", "home"), ("XDG_CACHE_HOME", "cache"), ("XDG_CONFIG_HOME", "config"), ("TMPDIR", "tmp")]
        {
            let dir = self.folder.join(dir);
            std::fs::create_dir_all(&dir).unwrap();
            command.env(name, dir);
        }
        if keys {
            command.env("SOPS_AGE_KEY", age_key(1));
        }
        let out = command.output().unwrap();
        self.commands += 1;
        let what = format!("{} {}", if keys { "key" } else { "no key" }, args.join(" "));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(code.is_none_or(|c| out.status.code() == Some(c)), "{what}: {:?}: {said}", out.status);
        assert!(!said.contains("panicked"), "{what}: {said}");
        // This prints what kustomize prints.
        let only_encrypted = args.first() == Some(&"kustomize");
        self.look(&what, &out.stdout, only_encrypted);
        self.look(&what, &out.stderr, only_encrypted);
        [out.stdout, out.stderr].concat()
    }

    fn look_through_files(&mut self, dir: &str) {
        for file in files(&self.folder.join(dir)) {
            let name = file.strip_prefix(self.folder.path()).unwrap().display().to_string();
            self.look(&name.clone(), name.as_bytes(), false);
            self.look(&name, &std::fs::read(&file).unwrap(), false);
        }
    }

    fn end(self) {
        let all: Vec<&str> = self.leaks.iter().map(String::as_str).collect();
        // All of them, for whoever mends them.
        if let Ok(file) = std::env::var("PINTLE_TEST_LEAKS") {
            std::fs::write(file, all.join("\n")).unwrap();
        }
        let some = all.iter().take(40).copied().collect::<Vec<_>>().join("\n");
        assert!(all.is_empty(), "{} leaks in {} commands:\n{some}", all.len(), self.commands);
    }

    /// Learns what the chart makes of the secrets, by a render of it with them in clear.
    fn learn_derived(&mut self) {
        for state in [0, 1] {
            self.learn_derived_of(state);
        }
    }

    fn learn_derived_of(&mut self, state: usize) {
        let all = ORIGINS.iter().flat_map(|o| values(o, state));
        let lines: String = all.map(|(k, v)| format!("  {k}: {}\n", quoted(&v))).collect();
        let file = self.folder.write("plain/values.yaml", format!("secrets:\n{lines}"));
        let chart = self.folder.join("repo/k8s/helm-charts/app");
        let out = pintle().args(["template", "app"]).arg(chart).arg("-f").arg(&file).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        let derived = text.split("\n---").find(|d| d.contains("name: app-derived")).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&pintle_json(derived)).unwrap();
        let data = value["data"].as_object().unwrap();
        assert!(data.len() > 300);
        for (key, made) in data {
            let made = made.as_str().unwrap_or_default().to_owned();
            for line in made.lines().map(str::trim).filter(|l| l.len() > 4 && l.contains(char::is_alphanumeric)) {
                self.forms.entry(line.to_owned()).or_insert_with(|| format!("{key} (derived)"));
            }
        }
    }
}

/// A YAML document as JSON, read as Helm reads it.
fn pintle_json(text: &str) -> Vec<u8> {
    let mut heap = pintle::value::Heap::new();
    let value = pintle::yaml::to_value(&mut heap, text.as_bytes()).unwrap();
    pintle::value::json::encode(&mut heap, &value, false, None).unwrap()
}

fn committed() -> World {
    let world = World::new();
    let dir = world.folder.join("repo");
    git(&dir, &["init", "--quiet", "--initial-branch=main"]);
    git(&dir, &["add", "--all"]);
    git(&dir, &["commit", "--quiet", "--message=start"]);
    world
}

/// The forms of a check.
const FORMS: [&str; 7] = ["terminal", "json", "junit", "sarif", "github", "gitlab", "markdown"];

#[test]
fn nothing_is_seen_of_a_secret_in_what_is_built() {
    let mut w = committed();
    w.learn_derived();
    for keys in [true, false] {
        // Whole values files are encrypted: nothing can be rendered without a key.
        let code = Some(i32::from(!keys));
        w.run(keys, &["build", "--env", "prod"], code);
        w.run(keys, &["build", "--env", "prod", "--origin-labels", "--debug"], code);
        w.run(keys, &["build", "--env", "prod", "-o", "json"], code);
        w.run(keys, &["build", "--env", "prod", "--output-dir", "../out"], code);
        w.run(keys, &["values", "--env", "prod", "--service", "app"], None);
        for key in
            ["secrets", "secrets.inline-short", "secrets.sopssecret-short", "secrets.target", "secrets.plaindata-short"]
        {
            w.run(keys, &["explain", key, "--env", "prod", "--service", "app"], None);
        }
        for form in ["terminal", "json"] {
            w.run(keys, &["env", "diff", "prod", "dev", "-o", form], None);
            w.run(keys, &["env", "diff", "prod", "bad-none", "-o", form], None);
        }
        // Encrypted files as they are: only what lies there in clear is printed, as kustomize does.
        w.run(keys, &["kustomize", "build", "k8s/gitops/prod"], Some(0));
    }
    let fields = [
        ("configmap/app-raw", "data.sopssecret-lines"),
        ("configmap/app-raw", "data.genyaml-quotes-json"),
        ("configmap/app-raw", "data.all\\.yaml"),
        ("configmap/app-raw", "data.genyaml-long-block"),
        ("configmap/app-derived", "data.sopssecret-short-sha256"),
        ("configmap/app-derived", "data.sopssecret-long-upper"),
        ("configmap/app-derived", "data.genyaml-url-first"),
        ("configmap/app-derived", "data.genyaml-quotes-odd"),
        ("configmap/app-derived", "data.genyaml-number-chars"),
        ("configmap/app-derived", "data.config-sum"),
        ("secret/app-secret", "data.sopssecret-long"),
        ("secret/app-secret", "stringData"),
        ("secret/app-secret", "data"),
        ("deployment/app", "spec.template.metadata.annotations.checksum/secret"),
        ("deployment/app", "metadata.annotations"),
        ("deployment/app", "spec.template.spec.containers[0].env[3].value"),
        ("deployment/app", "spec.template.spec.containers[0].args[2]"),
        ("secret/app-hook", "stringData.url"),
        ("configmap/app-raw", "data.none"),
        ("configmap/none", "data"),
    ];
    for (object, field) in fields {
        for form in ["terminal", "json"] {
            let code = Some(i32::from(field.ends_with("none") || object.ends_with("none")));
            w.run(true, &["explain", object, field, "--env", "prod", "--service", "app", "-o", form], code);
        }
    }
    w.look_through_files("out");
    w.end();
}

#[test]
fn nothing_is_seen_of_a_secret_in_what_fails() {
    let mut w = committed();
    for (keys, form) in FORMS.iter().map(|f| (true, *f)).chain([(false, "terminal"), (false, "json")]) {
        w.run(keys, &["check", "-o", form], Some(1));
    }
    for how in FAILURES {
        let env = format!("bad-{how}");
        // Objects that no API server would take are rendered, and so is what a function says of an error.
        let renders = ["fromYaml", "object"].contains(&how);
        w.run(true, &["build", "--env", &env], (!renders).then_some(1));
    }
    for env in ["bad-fail-derived", "bad-schema", "bad-yaml", "bad-object"] {
        w.run(true, &["explain", "configmap/x", "data.x", "--env", env, "--service", "x1"], None);
        w.run(true, &["values", "--env", env, "--service", "x3"], None);
        w.run(true, &["env", "diff", env, "bad-fail", "-o", "json"], None);
    }
    w.run(true, &["diff", "HEAD", "--env", "bad-fail,bad-yaml,bad-schema,bad-none"], Some(0));
    for name in ["bad-base64", "bad-yaml", "twice", "scalar", "tabs", "no-key", "bad-path", "list", "key"] {
        w.run(true, &["values", "--env", "bad-none", "--service", name], None);
        w.run(true, &["build", "--env", "bad-none", "--service", name, "-o", "json"], None);
    }
    // Files that were spoiled by hand.
    for (path, from, to) in [
        ("secrets.yaml", "data:", "data:\n  - x"),
        ("configmap.yaml", "tag:", "gat:"),
        ("gen.yaml", "mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AAAA"),
        ("gen.json", "\"mac\"", "\"cam\""),
        ("gen.ini", "[one]", "[two]"),
        ("gen.env", "genenv_short=", "genenv_long="),
    ] {
        let file = w.folder.join("repo/k8s/gitops/dev/app").join(path);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{path}: {text}");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        for keys in [true, false] {
            let file = format!("k8s/gitops/dev/app/{path}");
            w.run(keys, &["secrets", "check", "k8s/gitops/dev"], None);
            w.run(keys, &["secrets", "textconv", &file], None);
            w.run(keys, &["secrets", "diff"], None);
        }
        w.run(true, &["diff", "HEAD", "--env", "dev"], None);
        w.run(true, &["check", "--env", "dev", "-o", "json"], None);
    }
    w.end();
}

#[test]
fn nothing_is_seen_of_a_secret_in_what_changed() {
    let mut w = committed();
    w.learn_derived();
    environment(&w.folder, "prod", 1);
    for at in ["worktree", "commits"] {
        let range = if at == "worktree" { "HEAD" } else { "HEAD~1..HEAD" };
        for keys in [true, false] {
            for form in ["terminal", "json", "markdown"] {
                w.run(keys, &["diff", range, "--env", "prod", "-o", form], Some(i32::from(!keys)));
            }
            w.run(keys, &["secrets", "diff", range], None);
            w.run(keys, &["secrets", "diff", range, "--json", "--fingerprints"], None);
        }
        if at == "worktree" {
            let dir = w.folder.join("repo");
            git(&dir, &["add", "--all"]);
            git(&dir, &["commit", "--quiet", "--message=changed"]);
        }
    }
    // Git's own programs: a merge of both states, and one that conflicts.
    let app = "k8s/gitops/prod/app";
    w.run(true, &["diff", "HEAD~1..HEAD"], Some(0));
    for file in
        ["secrets.yaml", "configmap.yaml", "gen.yaml", "gen.json", "gen.ini", "gen.env", "gen.bin", "release.yaml"]
    {
        for keys in [true, false] {
            w.run(keys, &["secrets", "textconv", &format!("{app}/{file}")], None);
            let old = git(&w.folder.join("repo"), &["show", &format!("HEAD~1:{app}/{file}")]);
            let dev = std::fs::read(w.folder.join(&format!("repo/k8s/gitops/dev/app/{file}"))).unwrap();
            let new = std::fs::read(w.folder.join(&format!("repo/{app}/{file}"))).unwrap();
            w.folder.write("merge/base", old);
            w.folder.write("merge/ours", new);
            w.folder.write("merge/theirs", dev);
            w.run(keys, &["secrets", "merge", "../merge/base", "../merge/ours", "../merge/theirs", file], None);
            w.look_through_files("merge");
        }
    }
    // A bump beside secrets, and one of an encrypted value.
    let bare = w.folder.join("bare.git").display().to_string();
    git(w.folder.path(), &["clone", "--quiet", "--bare", "repo", "bare.git"]);
    let file = format!("{app}/release.yaml");
    for set in ["spec.interval=11m", "spec.values.secrets.inline-short=x", "metadata.none=1"] {
        let bump = [
            "bump",
            "--repo",
            &bare,
            "--env",
            "prod",
            "--service",
            "app",
            "--file",
            &file,
            "--set",
            set,
            "--branch",
            "main",
        ];
        w.run(true, &bump, None);
        w.run(false, &[&bump[..], &["--json"]].concat(), None);
    }
    let objects = git(Path::new(&bare), &["cat-file", "--batch-all-objects", "--batch", "--unordered"]);
    w.look("Git's objects", objects.as_bytes(), true);
    for dir in ["home", "cache", "config", "tmp"] {
        w.look_through_files(dir);
    }
    w.end();
}
