//! Tables whose answers Go gave.

use super::*;

#[test]
fn errors() {
    for (expr, want) in [
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("[a", "missing closing ]: `[a`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*?+", "invalid nested repetition operator: `*?+`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|{2}", "missing argument to repetition operator: `{2}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\pX", r"invalid character class range: `\pX`"),
        (r"\p{Foo", r"invalid character class range: `\p{Foo`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        ("\\", "trailing backslash at end of expression: ``"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?<a b>x)", "invalid named capture: `(?<a b>`"),
    ] {
        assert_eq!(Regexp::new(expr).unwrap_err(), format!("error parsing regexp: {want}"), "{expr}");
    }
    let deep = format!("{}a{}", "(".repeat(1001), ")".repeat(1001));
    assert!(Regexp::new(deep).unwrap_err().starts_with("error parsing regexp: expression nests too deeply: `(((("));
    assert_eq!(Regexp::new(b"a\xff").unwrap_err(), "error parsing regexp: invalid UTF-8: `\u{FFFD}`");
}

#[test]
fn deep_nesting_compiles() {
    let deep = format!("{}a{}", "(".repeat(998), ")".repeat(998));
    assert!(Regexp::new(deep).unwrap().is_match(b"a"));
}

#[test]
fn find_all() {
    for (expr, text, want) in [
        (r"\d+", "a1b22", &["1", "22"][..]),
        (r"\d", "١", &[]),
        ("a*", "baac", &["", "aa", ""]),
        (r"\bx\B", "xé x", &[]),
        (r"(?i)k", "kK\u{212A}", &["k", "K", "\u{212A}"]),
        (r"(?i)\w", "\u{212A}\u{17F}", &["\u{212A}", "\u{17F}"]),
        (r"\Q.*\E", "a.*b", &[".*"]),
        (r"[[a]+", "x[a[", &["[a["]),
        (r"[a&&b]+", "a&&b", &["a&&b"]),
        (r"\101\x{42}", "AB", &["AB"]),
        (r"(?U)a+", "aa", &["a", "a"]),
        (r"(?U)a+?", "aa", &["aa"]),
        (r"(?s).", "\n", &["\n"]),
        (r".", "\n", &[]),
        (r"b$", "ab\n", &[]),
        (r"(?m)b$", "ab\n", &["b"]),
        (r"[^\D]", "a1", &["1"]),
        (r"\pN", "a½", &["½"]),
        (r"\p{^Greek}", "αb", &["b"]),
        (r"x{,2}", "x{,2}", &["x{,2}"]),
        (r"a|", "ba", &["", "a"]),
        (r"[\x{D800}]", "a", &[]),
    ] {
        let re = Regexp::new(expr).unwrap_or_else(|e| panic!("{expr}: {e}"));
        let got: Vec<&str> = re.find_all(text.as_bytes(), -1).into_iter().map(|r| &text[r]).collect();
        assert_eq!(got, want, "{expr}");
    }
}

#[test]
fn stray_bytes() {
    let re = Regexp::new(".").unwrap();
    assert_eq!(re.find_all(b"\xE2\x82a", -1), [0..1, 1..2, 2..3]);
    let re = Regexp::new("\u{FFFD}").unwrap();
    assert_eq!(re.replace_all(b"a\xffb", b"<$0>"), b"a<\xff>b");
}

#[test]
fn replace() {
    for (expr, text, replacement, want) in [
        ("a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-"),
        ("a(x*)b", "-ab-axxb-", "$1W", "---"),
        ("a(?P<n>x*)b", "-ab-axxb-", "$n$$", "-$-xx$-"),
        ("a*", "baac", "X", "XbXcX"),
        ("", "ab", "-", "-a-b-"),
        ("a", "a", "$", "$"),
        ("a", "a", "${", "${"),
        ("(a)", "a", "$01$2", ""),
        ("b", "aé", "x", "aé"),
    ] {
        let re = Regexp::new(expr).unwrap();
        assert_eq!(re.replace_all(text.as_bytes(), replacement.as_bytes()), want.as_bytes(), "{expr} {replacement}");
    }
}

#[test]
fn split() {
    for (expr, text, n, want) in [
        ("a", "banana", -1, Some(&["b", "n", "n", ""][..])),
        ("a", "banana", 2, Some(&["b", "nana"])),
        ("a", "banana", 0, None),
        ("", "abc", -1, Some(&["a", "b", "c"])),
        ("z", "", -1, Some(&[""])),
        ("", "", -1, Some(&[])),
        ("a*", "baac", -1, Some(&["b", "c"])),
    ] {
        let re = Regexp::new(expr).unwrap();
        let got = re.split(text.as_bytes(), n).map(|(parts, _)| parts);
        let want = want.map(|w| w.iter().map(|s| s.as_bytes()).collect::<Vec<_>>());
        assert_eq!(got, want, "{expr} {n}");
    }
}

#[test]
fn unicode_is_that_of_go() {
    for (expr, text, want) in [
        // Unassigned in Unicode 15.0, and a noncharacter.
        (r"\p{Cn}", "\u{A7CB}", true),
        (r"\p{Assigned}", "\u{FDD0}", false),
        (r"\p{C}", "\u{378}", true),
        (r"(?i)\x{264}", "\u{A7CB}", false),
        (r"(?i)\p{LC}", "\u{345}", false),
        (r"(?i)\p{Ll}", "\u{345}", true),
        (r"\p{Mn}", "\u{1171E}", true),
        // The characters beside the surrogates.
        (r"\P{C}", "\u{D7FF}", false),
        (r"(?i)\P{C}", "\u{E000}", false),
        (r"[^\x{D7FF}\x{E000}]", "\u{E000}", false),
    ] {
        assert_eq!(Regexp::new(expr).unwrap().is_match(text.as_bytes()), want, "{expr} {}", text.escape_unicode());
    }
}

#[test]
fn hostile_patterns_end_with_an_error() {
    for expr in
        [r"\pL".repeat(20_000), r"(\pL{1000}|x)".repeat(50), "(?i:[^a])".repeat(200_000), "x{1000}".repeat(5000)]
    {
        let err = Regexp::new(&expr).unwrap_err();
        assert!(err.starts_with("error parsing regexp: expression too large: `"), "{}", &err[..60]);
    }
    // Nested empty repetitions are small.
    assert!(Regexp::new("((a{0,100}){0,10})*").is_ok());
}
