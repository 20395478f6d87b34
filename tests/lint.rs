//! `pintle lint` beside what the real `helm lint` printed: every case of tests/fixtures/lint, which tells its own format.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use pintle::cli::{Streams, run};

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("pintle-lint-test-{}-{n}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir.canonicalize().unwrap())
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn pack(&self, name: &str, folder: &str) {
        let gz =
            flate2::write::GzEncoder::new(fs::File::create(self.0.join(name)).unwrap(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gz);
        let mut open = vec![self.0.join(folder)];
        let mut files = Vec::new();
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            } else {
                files.push(path);
            }
        }
        files.sort();
        for path in files {
            tar.append_path_with_name(&path, path.strip_prefix(&self.0).unwrap()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The words of a command line; single and double quotes hold a word together, a backslash within double ones is dropped.
fn words(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quote, mut started) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"') | None, '\\') => word.extend(chars.next()),
            (None, '\'' | '"') => (quote, started) = (Some(c), true),
            (None, ' ') => {
                if started || !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                started = false;
            }
            _ => word.push(c),
        }
    }
    if started || !word.is_empty() {
        out.push(word);
    }
    out
}

fn lint(args: Vec<String>) -> (u8, String, String) {
    let argv = ["pintle".to_string(), "lint".to_string()].into_iter().chain(args).map(Into::into).collect::<Vec<_>>();
    pintle::gotmpl::with_large_stack(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(argv, &mut Streams { out: &mut out, err: &mut err, terminal: false, last: false });
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    })
    .unwrap()
}

/// What differs from one run to the next: where the files lie, and where an archive was unpacked.
fn plain(text: &str, scratch: &Scratch) -> String {
    let text = text.replace(scratch.text(), "$DIR");
    let mark = std::env::temp_dir().join("helm-lint").display().to_string();
    let mut parts = text.split(&mark);
    let first = parts.next().unwrap().to_string();
    parts.fold(first, |out, part| out + "$TMP" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn case(text: &str) -> (String, String) {
    let (given, said) = text.split_at(text.find("\n=== exit ").unwrap() + 1);
    let scratch = Scratch::new();
    let mut args = Vec::new();
    for section in format!("\n{given}").split("\n=== ").skip(1) {
        let (head, body) = section.split_once('\n').unwrap_or((section, ""));
        // What was taken with the separator, or the last one's.
        let body = if body.is_empty() || body.ends_with('\n') { body.to_string() } else { format!("{body}\n") };
        if let Some(line) = head.strip_prefix("$ ") {
            args = words(line).into_iter().map(|w| w.replace("$DIR", scratch.text())).collect();
        } else if let Some(rest) = head.strip_prefix("pack ") {
            let (name, folder) = rest.split_once(' ').unwrap();
            scratch.pack(name, folder);
        } else if head.ends_with('/') {
            fs::create_dir_all(scratch.0.join(head)).unwrap();
        } else if let Some(name) = head.strip_suffix(" (cut)") {
            scratch.write(name, body.strip_suffix('\n').unwrap());
        } else {
            scratch.write(head, &body);
        }
    }
    let (code, out, err) = lint(args);
    let got = format!("=== exit {code}\n=== stdout\n{}=== stderr\n{}", plain(&out, &scratch), plain(&err, &scratch));
    (said.to_string(), got)
}

#[test]
fn every_case_is_as_helm_has_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lint");
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    assert!(paths.len() > 200, "the cases were not found");
    let mut wrong = Vec::new();
    for path in paths {
        let (want, got) = case(&fs::read_to_string(&path).unwrap());
        if want != got {
            wrong.push(format!("{}\nwant:\n{want}\ngot:\n{got}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ\n{}", wrong.len(), wrong.join("\n"));
}

/// Helm refuses these files; here they are a chart's templates like others, and what they print is judged.
#[test]
fn templates_of_the_second_engine_are_linted() {
    let scratch = Scratch::new();
    scratch.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\nicon: https://x.example/i.png\n");
    scratch.write("c/values.yaml", "a: B_\n");
    scratch.write("c/templates/x.yaml.tera", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ Values.a }}\n");
    let (code, out, err) = lint(vec![format!("{}/c", scratch.text())]);
    assert_eq!((code, err.as_str()), (0, ""));
    let want =
        "[WARNING] templates/x.yaml.tera: object name does not conform to Kubernetes naming requirements: \"B_\"";
    assert!(out.contains(want) && out.ends_with("1 chart(s) linted, 0 chart(s) failed\n"), "{out}");
}
