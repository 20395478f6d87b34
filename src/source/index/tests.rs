//! Indexes, honest and not.

use super::*;

const INDEX: &str = "apiVersion: v1
entries:
  other:
  - name: other
    version: 9.9.9
    description: |
      app:
      - name: app
    urls: [x]
  app:
  - apiVersion: v2
    name: app
    version: 1.2.3
    annotations:
      a: |
        multi

        # line
    urls:
    - https://h/app-1.2.3.tgz
    digest: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  # a comment
  - name: app
    version: 2.0.0-rc.1
    urls: [app-2.0.0-rc.1.tgz]
  - name: app
    version: not-a-version
  - name: app
    version: 1.10.0
    urls:
    - app-1.10.0.tgz
generated: \"2026-01-01T00:00:00Z\"
";

fn versions(text: &str) -> Vec<String> {
    read(text.as_bytes(), Charts::Named(&["app"]))
        .unwrap()
        .remove("app")
        .unwrap()
        .into_iter()
        .map(|v| v.version)
        .collect()
}

#[test]
fn one_chart_is_cut_out_and_sorted() {
    assert_eq!(versions(INDEX), ["2.0.0-rc.1", "1.10.0", "1.2.3"]);
    let deeper =
        |l: &str| if l.starts_with("  - ") || l.starts_with("    ") { format!("  {l}\n") } else { format!("{l}\n") };
    let indented: String = INDEX.lines().map(deeper).collect();
    assert_eq!(versions(&indented), ["2.0.0-rc.1", "1.10.0", "1.2.3"], "{indented}");
    assert_eq!(versions(&INDEX.replace('\n', "\r\n")), ["2.0.0-rc.1", "1.10.0", "1.2.3"]);
    assert!(read(INDEX.as_bytes(), Charts::Named(&["none"])).unwrap().is_empty());
}

#[test]
fn pieces_make_no_difference() {
    for size in 1..40 {
        let mut scanner = scan::Scanner::new(Charts::Named(&["app"]));
        for piece in INDEX.as_bytes().chunks(size) {
            scanner.feed(piece).unwrap();
        }
        assert_eq!(scanner.finish().unwrap()["app"].len(), 3);
    }
}

#[test]
fn other_forms_are_parsed_whole() {
    for text in [
        "apiVersion: v1\nentries: {app: [{name: app, version: 1.0.0, urls: [a]}]}\n",
        "{\"apiVersion\": \"v1\", \"entries\": {\"x\": [1], \"app\": [{\"name\": \"app\", \"version\": \"1.0.0\", \"urls\": [\"a\"], \"description\": \"\\ud83d\\ude00\\/\"}]}}",
        "{apiVersion: v1, entries: {app: [{name: app, version: 1.0.0}]}}",
        "apiVersion: v1\nx: &a {name: app, version: 1.0.0}\nentries:\n  app:\n  - *a\n",
        "apiVersion: v1\nentries:\n  ? app\n  : - name: app\n      version: 1.0.0\n",
        "--- # index\napiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.0.0\n",
    ] {
        assert_eq!(versions(text), ["1.0.0"], "{text}");
    }
}

#[test]
fn what_is_no_index_is_refused_in_helms_words() {
    for (text, want) in [
        ("", "empty index.yaml file"),
        ("entries: {}\n", "no API version specified"),
        ("apiVersion: v1\nentries: 1\n", "entries is no mapping"),
    ] {
        assert_eq!(read(text.as_bytes(), Charts::Named(&["app"])).unwrap_err().to_string(), want, "{text}");
    }
    assert!(read(b"<html>\n", Charts::Named(&["app"])).is_err());
    assert!(read(&b"[".repeat(100_000), Charts::Named(&["app"])).is_err());
    assert!(read(b"\xff\xfe\x00", Charts::Named(&["app"])).is_err());
}

#[test]
fn urls_are_resolved_as_helm_does() {
    let of = |base: &str, url: &str| Repository { url: base.into(), ..Repository::default() }.resolve(url);
    for (base, url, want) in [
        ("https://h/charts", "a.tgz", "https://h/charts/a.tgz"),
        ("https://h/charts/", "/a.tgz", "https://h/a.tgz"),
        ("https://h/charts?token=1", "a.tgz", "https://h/charts/a.tgz?token=1"),
        ("https://h/a%2Fb", "c.tgz", "https://h/a%2Fb/c.tgz"),
        ("https://h", "../a.tgz", "https://h/a.tgz"),
        ("https://h/charts", "https://other/a.tgz", "https://other/a.tgz"),
    ] {
        assert_eq!(of(base, url).unwrap(), want);
    }
    for url in ["file:///etc/passwd", "ftp://h/x", "FILE:///x"] {
        assert!(of("https://h", url).unwrap_err().to_string().contains("neither http"), "{url}");
    }
}
