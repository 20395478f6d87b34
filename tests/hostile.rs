//! Broken and hostile input: each case ends soon, with Helm's exit code and an error that says something. None of it may panic,
//! hang, overflow the stack or fill the memory.
//!
//! Charts are made in a directory of each test's own, and rendered through the command line's function with explanations on, so
//! that the code that explains errors sees the same input.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pintle::cli::{Streams, run};

/// Far more than any case takes, also in a debug build on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// Bounds that keep debug builds fast.
const LIMITS: [&str; 6] = ["--limit-output", "20000000", "--limit-steps", "1000000", "--limit-heap", "100000"];

/// How deep deep input nests.
const DEEP: usize = 100_000;

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";

/// A directory for charts that is gone afterwards.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
struct Got {
    code: u8,
    out: String,
    err: String,
}

/// Runs on a thread with the stack that rendering needs, with a directory to work in.
fn on_place(name: &str, work: impl FnOnce(&Place) + Send) {
    let dir = std::env::temp_dir().join(format!("pintle-hostile-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let place = Place(dir);
    pintle::gotmpl::with_large_stack(|| work(&place)).unwrap();
}

impl Place {
    /// A chart's directory with these files besides (or instead of) a proper `Chart.yaml`.
    fn chart(&self, files: &[(&str, &[u8])]) -> PathBuf {
        let dir = self.0.join("c");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("templates")).unwrap();
        std::fs::write(dir.join("Chart.yaml"), CHART).unwrap();
        for (name, text) in files {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs a command on a chart or archive, and checks what holds for every case.
    fn run(&self, case: &str, command: &[&str], chart: &Path, args: &[&str]) -> Got {
        let mut argv: Vec<OsString> = vec!["pintle".into()];
        argv.extend(command.iter().map(Into::into));
        argv.push(chart.into());
        argv.extend(args.iter().chain(&LIMITS).chain(&["--explain-errors"]).map(Into::into));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let start = Instant::now();
        let code = run(argv, &mut Streams { out: &mut out, err: &mut err, terminal: false, last: false });
        let took = start.elapsed();
        let text = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
        let got = Got { code, out: text(out), err: text(err) };
        assert!(took < SOON, "{case}: took {took:?}");
        let says = got.err.lines().any(|l| l.strip_prefix("Error: ").is_some_and(|l| !l.trim().is_empty()));
        assert!(code == 0 || code == 1 && says, "{case}: {got:.2000?}");
        got
    }

    fn template(&self, case: &str, files: &[(&str, &[u8])], args: &[&str]) -> Got {
        self.run(case, &["template", "r"], &self.chart(files), args)
    }

    /// Renders a chart with this one template.
    fn text(&self, case: &str, text: impl AsRef<[u8]>) -> Got {
        self.template(case, &[("templates/a.yaml", text.as_ref())], &[])
    }
}

/// That the case failed with an error that has this in it; nothing is asked of a success that `want` calls so (`""`: anything).
fn failed(case: &str, got: &Got, want: &str) {
    assert!(got.code == 1 && got.err.contains(want), "{case}: wanted {want:?}: {:.1500}", format!("{got:?}"));
}

fn nest(open: &str, inner: &str, close: &str, n: usize) -> String {
    [&open.repeat(n), inner, &close.repeat(n)].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

/// A tar header whose size and name nobody checks.
fn header(name: &str, kind: u8, size: u64) -> [u8; 512] {
    let mut h = tar::Header::new_ustar();
    h.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    h.set_entry_type(tar::EntryType::new(kind));
    h.set_size(size);
    h.set_mode(0o644);
    h.set_mtime(0);
    h.set_cksum();
    *h.as_bytes()
}

fn entry(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, kind, data.len() as u64).to_vec();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// The archive of a chart with these entries besides its `Chart.yaml`.
fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    gzip(&[entry("c/Chart.yaml", b'0', CHART.as_bytes()), entries.concat(), vec![0; 1024]].concat())
}

#[test]
fn archives() {
    on_place("archives", |p| {
        let render = |case: &str, bytes: &[u8]| p.run(case, &["template", "r"], &p.file("c.tgz", bytes), &[]);
        let show = |case: &str, bytes: &[u8]| p.run(case, &["show", "all"], &p.file("c.tgz", bytes), &[]);
        let good = archive(&[entry("c/templates/a.yaml", b'0', b"a: b\n")]);
        assert!(render("good", &good).out.contains("a: b"));
        for (name, kind, want) in [
            ("c//etc/x", b'0', "absolute paths"),
            ("/etc/x", b'0', ""),
            ("c/../../x", b'0', "references parent directory"),
            ("../c/x", b'0', ""),
            ("c/templates/a.yaml", b'1', ""),
            ("c/templates/a.yaml", b'2', ""),
            ("c/templates/a.yaml", b'3', ""),
            ("c/templates/a.yaml", b'6', ""),
        ] {
            let bytes = archive(&[entry(name, kind, b"")]);
            let got = render(name, &bytes);
            assert_eq!(got.code, u8::from(!want.is_empty()), "{name}: {got:?}");
            // `template` says no more than that the archive cannot be loaded.
            let shown = show(name, &bytes);
            assert!(shown.err.contains(want), "{name}: {shown:?}");
        }
        failed("empty", &render("empty", b""), "gzipped archive");
        failed("garbage", &render("garbage", &[0x5a; 3000]), "gzipped archive");
        failed("no deflate", &render("no deflate", &[&b"\x1f\x8b\x08"[..], &[0x5a; 3000]].concat()), "");
        failed("empty gzip", &show("empty gzip", &gzip(b"")), "no files");
        for cut in (3..good.len() / 2).step_by(7) {
            failed("truncated", &render("truncated", &good[..cut]), "");
        }
        for at in 10..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << (at % 8);
            render("flipped", &flipped);
        }
        let too_large = "larger than the maximum size";
        for (case, bytes, want) in [
            ("zeros", gzip(&vec![0; 150 << 20]), "no files"),
            ("huge entry", archive(&[header("c/x", b'0', 1 << 32).to_vec()]), too_large),
            ("long entry", archive(&[header("c/x", b'0', 101 << 20).to_vec(), vec![0; 101 << 20]]), too_large),
            ("long extension", archive(&[header("c/x", b'x', 64 << 20).to_vec(), vec![0; 64 << 20]]), "too long"),
            ("long skipped", archive(&[header("c/x", b'g', 401 << 20).to_vec(), vec![0; 401 << 20]]), ""),
            ("many files", archive(&[header("c/x", b'0', 0).repeat(200_001)]), too_large),
        ] {
            failed(case, &show(case, &bytes), want);
        }
        render("endless extensions", &archive(&[header("c/x", b'x', 0).repeat(100_000)]));
        let mut nested = good;
        for _ in 0..10 {
            nested = archive(&[entry("c/charts/c.tgz", b'0', &nested)]);
        }
        assert_eq!(render("ten deep", &nested).code, 0);
        for _ in 0..100 {
            nested = archive(&[entry("c/charts/c.tgz", b'0', &nested)]);
        }
        failed("very deep", &render("very deep", &nested), "");
        let big = archive(&[entry("c/x", b'0', &vec![0; 90 << 20])]);
        let wide: Vec<_> = (0..6).map(|i| entry(&format!("c/charts/c{i}.tgz"), b'0', &big)).collect();
        failed("many large ones inside", &render("many large ones inside", &archive(&wide)), "");
    });
}

#[test]
fn directories() {
    use std::os::unix::fs::symlink;
    on_place("directories", |p| {
        let links = |case: &str, links: &[(&str, &str)]| {
            let dir = p.chart(&[("templates/x.yaml", b"a: b\n")]);
            for (target, name) in links {
                let _ = std::fs::remove_file(dir.join(name));
                std::fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
                symlink(target, dir.join(name)).unwrap();
            }
            p.run(case, &["show", "all"], &dir, &[]);
            p.run(case, &["dependency", "list"], &dir, &[]);
            p.run(case, &["template", "r"], &dir, &[])
        };
        failed("itself", &links("itself", &[("..", "charts/c")]), "");
        failed("loop", &links("loop", &[("b", "templates/a"), ("a", "templates/b")]), "too many links");
        failed("broken", &links("broken", &[("nope", "templates/a")]), "no such file");
        failed("device", &links("device", &[("/dev/zero", "templates/a")]), "irregular file");
        failed("chart from a device", &links("chart", &[("/dev/zero", "Chart.yaml")]), "irregular file");
        failed("rules from a device", &links("rules", &[("/dev/zero", ".helmignore")]), "irregular file");
        let got = p.run("device as chart", &["template", "r"], Path::new("/dev/zero"), &[]);
        failed("device as chart", &got, "/dev/zero");
        failed("values from a device", &p.template("values", &[], &["-f", "/dev/zero"]), "bytes");

        let dir = p.chart(&[("templates/a\nb.yaml", b"a: b\n")]);
        let bad: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\xfe.yaml");
        if std::fs::write(dir.join("templates").join(bad), "a: b\n").is_ok() {
            p.run("names that are not UTF-8", &["template", "r"], &dir, &[]);
        }
        for rules in [
            &b"**"[..],
            b"[",
            b"\\",
            b"!",
            b"!\n/!\n!!a\n/\n//\n",
            b"[z-a]",
            b"\xff\xfe",
            b"\0",
            b"\xef\xbb\xbf*\n",
            &b"*".repeat(DEEP),
            &b"[".repeat(DEEP),
            &b"!".repeat(DEEP),
            &b"a*b*c*d*e\n".repeat(5000),
        ] {
            let long = format!("x/{}", "a".repeat(200));
            p.template("rules", &[(".helmignore", rules), (&long, b"")], &[]);
        }
    });
}

/// Texts that are hard for readers of YAML and JSON.
fn hard_texts() -> Vec<(&'static str, Vec<u8>)> {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_string();
    let mut merges = "a0: &a0 {x: 1}\n".to_string();
    for i in 1..10 {
        let alias = format!("*a{}", i - 1);
        bomb += &format!("a{i}: &a{i} [{}]\n", [&*alias; 10].join(","));
        merges += &format!("a{i}: &a{i} {{<<: [{}], k{i}: 1}}\n", [&*alias; 10].join(", "));
    }
    let indents: String = (0..2000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let mixed_keys = |n: usize| (0..n).map(move |i| i * 7919 % n);
    let keys: Vec<String> = mixed_keys(30_000).map(|i| format!("\"k{i}\":{i}")).collect();
    let text = |s: &str| s.as_bytes().to_vec();
    vec![
        ("bomb", bomb.into()),
        ("merge bomb", merges.into()),
        ("own alias", text("a: &a [*a]\n")),
        ("own merge", text("a: &a {<<: *a}\n")),
        ("flow", nest("[", "", "]", DEEP).into()),
        ("open flow", "[".repeat(DEEP).into()),
        ("flow maps", nest("{\"a\":", "1", "}", DEEP).into()),
        ("open flow maps", "{\"a\":".repeat(DEEP).into()),
        ("indents", indents.into()),
        ("dashes", ["a:\n", &"- ".repeat(DEEP), "x\n"].concat().into()),
        ("questions", ["? ".repeat(DEEP), "a\n".into()].concat().into()),
        ("colons", ["a", &": ".repeat(DEEP)].concat().into()),
        ("anchors", ["a: ", &"&a ".repeat(DEEP)].concat().into()),
        ("tags", ["a: ", &"!t ".repeat(DEEP)].concat().into()),
        ("documents", "---\n".repeat(DEEP).into()),
        ("keys", format!("{{{}}}", keys.join(",")).into()),
        ("digits", ["a: ", &"9".repeat(DEEP)].concat().into()),
        ("escapes", ["a: \"", &"\\".repeat(DEEP)].concat().into()),
        ("NUL", text("a: \0")),
        ("bytes", b"a: \xff\xfe".to_vec()),
        ("UTF-16", b"\xff\xfea\0:\0 \0b\0".to_vec()),
        ("half UTF-16", b"\xfe\xffa".to_vec()),
        ("BOMs", "\u{feff}\u{feff}a: b\n".into()),
        ("surrogate", text("a: \"\\ud800\"")),
        ("no character", text("a: \"\\UFFFFFFFF\"")),
        ("list", text("- a\n- b")),
        ("null", text("null")),
        ("number", text("1e999")),
        ("complex key", text("? {a: b}\n: b")),
        ("nothing", Vec::new()),
    ]
}

#[test]
fn yaml_and_json_texts() {
    on_place("texts", |p| {
        let read = b"{{ $t := .Files.Get \"t\" }}{{ range list (fromYaml $t) (fromYamlArray $t) (fromJson $t) (fromJsonArray $t) \
            (fromToml $t) }}# {{ toJson . | len }} {{ toYaml . | len }}\n{{ end }}";
        for (case, text) in hard_texts() {
            let t = text.as_slice();
            let plain: &[u8] = b"a: b\n";
            p.template(case, &[("t", t), ("templates/a.yaml", read)], &[]);
            p.template(case, &[("values.yaml", t), ("templates/a.yaml", b"# {{ toYaml .Values | len }}")], &[]);
            let file = p.file("values", t);
            let file = file.to_str().unwrap();
            p.template(case, &[("templates/a.yaml", plain)], &["-f", file]);
            p.template(case, &[("templates/a.yaml", plain)], &["--set-file", &format!("a={file}")]);
            p.template(case, &[("templates/a.yaml", b"{{ .Files.Get \"t\" }}"), ("t", t)], &[]);
            let chart = p.template(case, &[("Chart.yaml", t), ("templates/a.yaml", plain)], &[]);
            failed(case, &chart, "");
            p.run(case, &["show", "chart"], &p.0.join("c"), &[]);
            p.template(case, &[("Chart.lock", t), ("values.schema.json", t), ("templates/a.yaml", plain)], &[]);
        }
    });
}

#[test]
fn chart_files_of_odd_shapes() {
    on_place("shapes", |p| {
        for rest in [
            "dependencies: [null, null]",
            "dependencies: 5",
            "dependencies: [a]",
            "dependencies: [{}]",
            "maintainers: [null, {}]",
            "keywords: 5",
            "annotations: {a: {b: c}}",
            "annotations: [a]",
            "type: zzz",
            "type: [a]",
            "name: ../../x",
            "name: null",
            "version: {a: b}",
            "apiVersion: [v2]",
            "apiVersion: v9",
            "apiVersion: null",
            "icon: [1]",
            "dependencies: [{name: d, version: 1.0.0, import-values: [{child: ., parent: .}, data, 5, null, [a]]}]",
            "dependencies: [{name: d, version: 1.0.0, condition: [a], tags: x}]",
        ] {
            let key = rest.split(':').next().unwrap();
            let base: String = CHART.lines().filter(|l| !l.starts_with(key)).map(|l| format!("{l}\n")).collect();
            let chart = format!("{base}{rest}\n");
            let sub = CHART.replace("name: c", "name: d");
            p.template(rest, &[("Chart.yaml", chart.as_bytes()), ("charts/d/Chart.yaml", sub.as_bytes())], &[]);
            for command in [&["show", "all"][..], &["dependency", "list"]] {
                p.run(rest, command, &p.0.join("c"), &[]);
            }
        }
        let long = [
            format!("kubeVersion: \"{}\"", ">= 1.0.0 ".repeat(5000)),
            format!("kubeVersion: \"{}\"", "9".repeat(DEEP)),
            format!("dependencies: [{{name: d, version: \"{}1\"}}]", ">=1.0.0 || ".repeat(20_000)),
            format!("dependencies: [{{name: d, version: 1.0.0, condition: \"{}a\"}}]", "a.".repeat(20_000)),
        ];
        for rest in &long {
            p.template("long", &[("Chart.yaml", format!("{CHART}{rest}\n").as_bytes())], &[]);
        }
    });
}

/// One dependency under many names, level by level: `width` to the power of `depth` charts.
#[test]
fn dependencies_that_multiply() {
    on_place("dependencies", |p| {
        let aliases: String = (0..10).map(|i| format!("- {{name: e, version: 1.0.0, alias: e{i}}}\n")).collect();
        let mut files = Vec::new();
        for depth in 0..8 {
            let name = if depth == 0 { "c" } else { "e" };
            let text = CHART.replace("name: c", &format!("name: {name}"));
            let text = if depth == 7 { text } else { format!("{text}dependencies:\n{aliases}") };
            files.push((format!("{}Chart.yaml", "charts/e/".repeat(depth)), text));
        }
        let files: Vec<(&str, &[u8])> = files.iter().map(|(n, t)| (n.as_str(), t.as_bytes())).collect();
        failed("aliases", &p.template("aliases", &files, &[]), "");
    });
}

#[test]
fn values_that_contain_themselves_or_share() {
    on_place("cycles", |p| {
        let own = "{{ $d := dict }}{{ $_ := set $d \"x\" $d }}";
        for (call, want) in [
            ("print $d", "limit: cycle"),
            ("printf \"%#v\" $d", "limit: cycle"),
            ("deepCopy $d", "limit: cycle"),
            ("merge $d $d", "limit: depth"),
            ("mustToJson $d", "encountered a cycle"),
            ("toString $d | sha256sum", "limit: cycle"),
        ] {
            failed(call, &p.text(call, format!("{own}{{{{ {call} }}}}")), want);
        }
        for call in [
            "toYaml $d",
            "toJson $d",
            "toPrettyJson $d",
            "toYamlPretty $d",
            "toToml $d",
            "eq $d $d",
            "uniq (list $d $d)",
        ] {
            p.text(call, format!("{own}{{{{ {call} }}}}"));
        }
        let twins = "{{ $d := dict }}{{ $_ := set $d \"x\" $d }}{{ $e := dict }}{{ $_ := set $e \"x\" $e }}";
        let got = p.text("deepEqual", format!("{twins}# {{{{ deepEqual $d $e }}}}"));
        assert!(got.out.contains("# true"), "{got:?}");
        p.text("Values", "{{ $_ := set .Values \"x\" .Values }}{{ tpl \"{{ .Values.x.x | toJson }}\" . }}");

        // Forty levels, each with the one below it twice.
        let shared = "{{ $d := dict \"a\" 1 }}{{ $e := dict \"a\" 1 }}{{ range until 40 }}{{ $d = dict \"x\" $d \"y\" $d }}\
            {{ $e = dict \"x\" $e \"y\" $e }}{{ end }}";
        for (call, want) in [
            ("toYaml $d", "limit: output"),
            ("toJson $d", "limit: output"),
            ("print $d", "limit: output"),
            ("deepCopy $d", "limit: "),
            ("merge $d $e", "limit: steps"),
            ("mergeOverwrite $d $e", "limit: steps"),
        ] {
            failed(call, &p.text(call, format!("{shared}{{{{ {call} | toString | len }}}}")), want);
        }
        let got = p.text("shared", format!("{shared}# {{{{ deepEqual $d $e }}}}"));
        assert!(got.out.contains("# true"), "{got:?}");

        let deep = "{{ $d := dict \"a\" 1 }}{{ $e := dict \"a\" 2 }}{{ range until 45000 }}{{ $d = dict \"x\" $d }}\
            {{ $e = dict \"x\" $e }}{{ end }}";
        for call in [
            "toYaml $d",
            "toJson $d",
            "toToml $d",
            "print $d",
            "deepEqual $d $e",
            "mergeOverwrite $d $e",
            "deepCopy $d",
        ] {
            p.text(call, format!("{deep}{{{{ {call} | toString | len }}}}"));
        }
    });
}

#[test]
fn templates_that_call_themselves() {
    on_place("recursion", |p| {
        for (text, want) in [
            ("{{ include \"a\" . }}{{ define \"a\" }}{{ include \"a\" . }}{{ end }}", "nested reference name"),
            (
                "{{ include \"a\" . }}{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"b\" }}{{ include \"a\" . }}{{ end }}",
                "nested",
            ),
            (
                "{{ template \"a\" . }}{{ define \"a\" }}{{ template \"a\" . }}{{ end }}",
                "exceeded maximum template depth",
            ),
            (
                "{{ template \"a\" . }}{{ define \"a\" }}{{ template \"b\" . }}{{ end }}{{ define \"b\" }}{{ template \"a\" . }}{{ end }}",
                "depth",
            ),
            ("{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t \"Template\" .Template) }}", "limit: depth"),
            ("{{ include \"a\" . }}{{ define \"a\" }}{{ tpl \"{{ include \\\"a\\\" . }}\" . }}{{ end }}", ""),
            (
                "{{ template \"a\" . }}{{ define \"a\" }}{{ tpl \"{{ template \\\"a\\\" . }}\" . }}{{ end }}",
                "limit: depth",
            ),
            (
                "{{ include \"a\" 0 }}{{ define \"a\" }}{{ if lt (int .) 500 }}{{ include \"a\" (add1 .) }}{{ include \"a\" (add1 .) }}\
                 {{ end }}{{ end }}",
                "limit: steps",
            ),
        ] {
            failed(text, &p.text(text, text), want);
        }
        // Texts that define a name of their own at each level.
        let text = "{{ $n := add1 .n }}{{ $t := printf \"{{ define \\\"x%d\\\" }}%d{{ end }}\" $n $n }}\
            {{ tpl (print $t .t) (dict \"n\" $n \"t\" .t \"Template\" .Template) }}";
        let start = "{{ tpl (.Files.Get \"t\") (dict \"n\" 0 \"t\" (.Files.Get \"t\") \"Template\" .Template) }}";
        failed(
            "names",
            &p.template("names", &[("t", text.as_bytes()), ("templates/a.yaml", start.as_bytes())], &[]),
            "limit: ",
        );
    });
}

#[test]
fn texts_and_lists_that_grow() {
    on_place("growth", |p| {
        let max = i64::MAX;
        for call in [
            "repeat 1000000000 \"abcd\"".into(),
            format!("repeat {max} \"abcd\""),
            "indent 2000000000 \"a\"".into(),
            format!("nindent {max} \"a\""),
            "indent 10000 (repeat 100000 \"\\n\")".into(),
            "until 1000000000".into(),
            "until -1000000000".into(),
            format!("untilStep 0 {max} 1"),
            format!("untilStep 0 -{max} -1"),
            "seq 1 1000000000".into(),
            "randAlphaNum 1000000000".into(),
            "randBytes 1000000000".into(),
            "wrapWith 1 (repeat 10000 \"x\") (repeat 10000 \"a \")".into(),
            "splitList \"\" (repeat 10000000 \"a\")".into(),
        ] {
            failed(&call, &p.text(&call, format!("{{{{ {call} | len }}}}")), "");
        }
        for call in [
            "printf \"%1000000000d\" 1".into(),
            "printf \"%.1000000000f\" 1.0".into(),
            "printf \"%*d\" 1000000000 1".into(),
            "untilStep 0 100 0".into(),
            format!("untilStep {} {max} 5", max - 7),
            format!("seq -{max} {max} {max}"),
            format!("trunc -{max} \"a\""),
            format!("substr -{max} {max} \"a\""),
            "substr 1 0 \"abc\"".into(),
            format!("abbrev {max} \"a\""),
            "slice (list 1 2) 1 0".into(),
            "chunk 0 (list 1 2)".into(),
            "chunk -1 (list 1)".into(),
            "div 1 0".into(),
            "mod 1 0".into(),
            format!("div (sub -{max} 1) -1"),
            format!("mul {max} 9"),
            "divf 1 0".into(),
            "round 1.5 2147483647".into(),
            "addf \"1e1000000000\" 1".into(),
            "mulf \"1e-1000000000\" \"1e1000000000\" 3".into(),
            "1e999999999999".into(),
            "0x1p999999999".into(),
            format!("duration {max}"),
            format!("date \"2006\" {max}"),
            "dateInZone \"2006\" now \"../../../etc/passwd\"".into(),
            "b64dec \"!!\"".into(),
            "decryptAES \"k\" \"AAAA\"".into(),
            "genPrivateKey \"x\"".into(),
            "buildCustomCert \"x\" \"y\"".into(),
            "semverCompare (repeat 20000 \">=1 || \") \"1\"".into(),
            "semver (print \"1.2.3-\" (repeat 50000 \"0.\") \"1\")".into(),
        ] {
            p.text(&call, format!("# {{{{ {call} }}}}"));
        }
        let grow = |start: &str, step: &str| {
            format!("{{{{ $x := {start} }}}}{{{{ range 1000000 }}}}{{{{ $x = {step} }}}}{{{{ end }}}}{{{{ len $x }}}}")
        };
        for (start, step, want) in [
            ("\"a\"", "print $x $x", "limit: output"),
            ("\"a\"", "printf \"%s%s\" $x $x", "limit: output"),
            ("\"a\"", "cat $x $x", "limit: output"),
            ("\"a\"", "replace \"a\" \"aaaa\" $x", "limit: output"),
            ("\"a\"", "regexReplaceAll \"a\" $x \"aaaa\"", "limit: output"),
            ("\"a\"", "regexReplaceAll \"(.*)\" $x \"$1$1$1\"", "limit: output"),
            ("\"a\"", "join $x (list $x $x)", "limit: output"),
            ("\"a\"", "tpl \"{{.}}{{.}}\" $x", "limit: output"),
            ("\"\\\"\"", "quote $x", "limit: output"),
            ("\"\\\"\"", "toJson $x", "limit: output"),
            ("\"<\"", "js (print $x $x)", "limit: output"),
            ("\"<\"", "b64enc $x", "limit: output"),
            ("\"a\\n\"", "indent 1000 (print $x $x)", "limit: output"),
            ("list", "append $x 1", "limit: "),
            ("list", "prepend $x 1", "limit: "),
            ("list 1", "concat $x $x", "limit: "),
            ("dict", "set $x (randAlphaNum 8) 1", "limit: "),
            ("dict", "dict \"x\" $x", "limit: "),
            ("dict", "set $x (bcrypt \"x\") 1", "limit: steps"),
            ("dict", "set $x (derivePassword 1 \"long\" \"p\" \"u\" \"s\") 1", "limit: steps"),
            ("dict", "set $x \"k\" (genPrivateKey \"ecdsa\")", "limit: steps"),
        ] {
            failed(step, &p.text(step, grow(start, step)), want);
        }
        failed("range", &p.text("range", "{{ range 1000000000 }}{{ end }}"), "limit: steps");
        failed(
            "text",
            &p.text("text", "{{ range 1000000000 }}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{ end }}"),
            "limit: ",
        );
    });
}

#[test]
fn patterns() {
    on_place("patterns", |p| {
        for (pattern, text) in [
            ("(a+)+$".to_string(), "a".repeat(20_000) + "b"),
            ("(a|a)*b".into(), "a".repeat(20_000)),
            ("(.*)(.*)(.*)(.*)(.*)x".into(), "a".repeat(3000)),
            ("(((a{100}){100}){100})".into(), "a".into()),
            ("a{1001}".into(), "a".into()),
            (format!("[{}]", "a-z".repeat(DEEP)), "a".into()),
            ("(\\pL|\\pN|\\pS|\\PM){100}x".into(), "é".repeat(1000)),
            ("(?i)[\\pL\\pN]{1000}".into(), "é".repeat(1000)),
            (nest("(", "a", ")", 900), "a".into()),
            (nest("(", "a", ")", DEEP), "a".into()),
            ("(".repeat(DEEP), "a".into()),
            ("*".repeat(DEEP), "a".into()),
            (vec!["a"; DEEP].join("|"), "b".into()),
            ("a".repeat(500_000), "a".repeat(1000)),
            ("(|a)*".into(), "a".repeat(5000)),
            ("\\xff".into(), "a".into()),
        ] {
            let text = format!("{text}\n");
            for call in [
                "regexMatch $p $t",
                "regexFindAll $p $t -1 | len",
                "regexReplaceAll $p $t \"${1}\" | len",
                "regexSplit $p $t -1 | len",
            ] {
                let template =
                    format!("{{{{ $p := .Files.Get \"p\" }}}}{{{{ $t := .Files.Get \"t\" }}}}# {{{{ {call} }}}}");
                let files =
                    [("p", pattern.as_bytes()), ("t", text.as_bytes()), ("templates/a.yaml", template.as_bytes())];
                p.template(&format!("{call}: {pattern:.40}"), &files, &[]);
            }
        }
        for pattern in [
            "repeat 10000 \"*\"",
            "repeat 3000 \"{a,\"",
            "print (repeat 20000 \"{\") (repeat 20000 \"}\")",
            "\"[\"",
            "\"{\"",
            "\"[z-a]\"",
        ] {
            let template = format!("# {{{{ .Files.Glob ({pattern}) | len }}}}");
            p.template(
                pattern,
                &[(&format!("x/{}", "a".repeat(200)), b""), ("templates/a.yaml", template.as_bytes())],
                &[],
            );
        }
        p.text(
            "many patterns",
            "{{ range until 1000 }}{{ $_ := regexMatch (printf \"(a{100}){9}%d\" .) \"a\" }}{{ end }}",
        );
    });
}

#[test]
fn templates_of_odd_texts() {
    on_place("templates", |p| {
        let mut texts: Vec<Vec<u8>> = [
            format!("{{{{ {} }}}}", nest("(", "1", ")", DEEP)),
            format!("{{{{ {} }}}}", nest("(print ", "1", ")", DEEP)),
            format!("{{{{ {}", "(".repeat(DEEP)),
            format!("{{{{ 1 {} }}}}", "| print ".repeat(DEEP)),
            nest("{{ if 1 }}", "", "{{ end }}", DEEP),
            "{{ if 1 }}".repeat(DEEP),
            nest("{{ range 1 }}", "", "{{ end }}", DEEP),
            nest("{{ block \"a\" . }}", "", "{{ end }}", DEEP),
            "{{ define \"a\" }}".repeat(DEEP),
            format!("{{{{ if 0 }}}}{}{{{{ end }}}}", "{{ else if 0 }}".repeat(DEEP)),
            format!("{{{{ (.a){} }}}}", ".a".repeat(DEEP)),
            format!("{{{{ ${} }}}}", ".a".repeat(DEEP)),
            format!("{{{{ print{} }}}}", " 1".repeat(DEEP)),
            format!("{{{{ {} }}}}", "a".repeat(DEEP)),
            format!("{{{{ {} }}}}", "9".repeat(DEEP)),
            format!("{{{{ .Values.{} }}}}", "a".repeat(DEEP)),
            "{{".repeat(DEEP),
            " {{- 1 -}} ".repeat(DEEP),
            format!("{{{{/* {}", "x".repeat(DEEP)),
            format!("{{{{ \"{}", "\\".repeat(DEEP)),
            format!("{{{{ {} }}}}", ". ".repeat(DEEP)),
            "{{ '' }}".into(),
            "{{ \"a\n\" }}".into(),
            "a: \0{{ 1 }}".into(),
            "{{ \0 }}".into(),
            "\u{feff}a: b\n".into(),
            "a: b\n\u{feff}".into(),
            String::new(),
        ]
        .into_iter()
        .map(String::into_bytes)
        .collect();
        texts.extend([&b"{{ \"\xff\" }}\xff\xfe"[..], b"{{ \xff }}", b"{{ .\xc3 }}"].map(<[u8]>::to_vec));
        for text in &texts {
            let case = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
            p.text(&case, text);
            p.template(&case, &[("t", text), ("templates/a.yaml", b"# {{ tpl (.Files.Get \"t\") . | len }}")], &[]);
        }
    });
}

#[test]
fn settings() {
    on_place("settings", |p| {
        let chart = p.chart(&[("templates/a.yaml", b"# {{ toYaml .Values | len }}")]);
        let many = |sep: &str, of: &dyn Fn(usize) -> String| (0..3000).map(of).collect::<Vec<_>>().join(sep);
        for flag in ["--set", "--set-string", "--set-json", "--set-literal", "--set-file"] {
            for text in [
                "a[999999999]=1",
                "a[65537]=1",
                "a[-1]=1",
                "a[99999999999999999999]=1",
                "a[=1",
                "a.b=1,a[0]=1",
                "a[0]=1,a.b=1",
                "=",
                ".=1",
                "",
                &format!("a{}=1", ".a".repeat(20_000)),
                &format!("a{}=1", "[0]".repeat(20_000)),
                &format!("a{}=1", "[60000]".repeat(20)),
                &format!("a={}", "{".repeat(20_000)),
                &format!("a={}", "[".repeat(DEEP)),
                &"a[".repeat(20_000),
                &",".repeat(20_000),
                &"\\".repeat(20_001),
                &many(",", &|i| format!("a[{i}]=1")),
                &many(",", &|i| format!("a[{}]=1", 3000 - i)),
            ] {
                p.run(&format!("{flag} {text:.40}"), &["template", "r"], &chart, &[flag, text]);
            }
        }
        failed(
            "index",
            &p.run("index", &["template", "r"], &chart, &["--set", "a[999999999]=1"]),
            "greater than maximum supported index",
        );
    });
}

#[test]
fn schemas() {
    on_place("schemas", |p| {
        let chain = |each: &str, last: &str| {
            let defs: String =
                (0..40).map(|i| each.replace("NEXT", &(i + 1).to_string()).replace("THIS", &i.to_string())).collect();
            format!("{{\"$ref\":\"#/definitions/d0\",\"definitions\":{{{defs}\"d40\":{last}}}}}")
        };
        for schema in [
            "{\"$ref\":\"#\"}",
            "{\"allOf\":[{\"$ref\":\"#\"}]}",
            "{\"not\":{\"$ref\":\"#\"}}",
            "{\"$ref\":\"#/definitions/a\",\"definitions\":{\"a\":{\"$ref\":\"#/definitions/b\"},\"b\":{\"$ref\":\"#/definitions/a\"}}}",
            "{\"additionalProperties\":{\"$ref\":\"#\"}}",
            "{\"$ref\":\"#/a/b/~5\"}",
            "{\"$ref\":\"file:///dev/zero\"}",
            "[1]",
            "null",
            "false",
            "{\"properties\":5,\"allOf\":{},\"type\":{},\"required\":5,\"enum\":5,\"$ref\":5,\"$id\":5,\"$schema\":5}",
            "{\"properties\":{\"a\":{\"multipleOf\":1e-300,\"minimum\":1e999999999,\"minLength\":1e99999,\"pattern\":\"(a+)+$\"}}}",
            &nest("{\"not\":", "{}", "}", 2000),
            &nest("{\"not\":", "{}", "}", DEEP),
            &nest("{\"properties\":{\"a\":", "{}", "}}", DEEP),
            &format!("{{\"enum\":[{}]}}", nest("[", "", "]", 9000)),
            &format!("{{\"$ref\":\"#{}\"}}", "/a".repeat(DEEP)),
            &chain("\"dTHIS\":{\"$ref\":\"#/definitions/dNEXT\"},", "{}"),
            &chain(
                "\"dTHIS\":{\"allOf\":[{\"$ref\":\"#/definitions/dNEXT\"},{\"$ref\":\"#/definitions/dNEXT\"}]},",
                "{}",
            ),
        ] {
            for values in ["a: b\n", &nest("{\"a\":", "1", "}", 2000), &nest("{\"a\":", "1", "}", 9000)] {
                let files = [("values.schema.json", schema.as_bytes()), ("values.yaml", values.as_bytes())];
                p.template(&format!("{schema:.60}"), &files, &[]);
            }
        }
        failed("own", &p.template("own", &[("values.schema.json", b"{\"allOf\":[{\"$ref\":\"#\"}]}")], &[]), "");
    });
}
