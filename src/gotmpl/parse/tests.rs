use super::*;
use crate::gotmpl::{Int, pure};

fn table() -> FuncTable {
    let mut t = FuncTable::new();
    for name in ["print", "len", "upper", "and"] {
        t.add(pure(name, || Int(0)));
    }
    t
}

/// Every tree as `NAME=[TEXT]`, or the error.
fn show(text: &[u8]) -> String {
    match parse("t.yaml", text, &table()) {
        Err(e) => e.to_string(),
        Ok(mut trees) => {
            trees.sort_by(|a, b| a.name.cmp(&b.name));
            trees.iter().map(|t| format!("{}=[{}]", t.name, t.root.text(&t.source))).collect()
        }
    }
}

#[test]
fn errors_are_go_s() {
    for (text, want) in ERRORS {
        assert_eq!(show(text.as_bytes()), format!("template: t.yaml:{want}"), "{text:?}");
    }
}

#[test]
fn trees_print_as_go_s() {
    for (text, want) in TREES {
        assert_eq!(show(text.as_bytes()), *want, "{text:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let parens = |n: usize| format!("{{{{ {}print{} }}}}", "(".repeat(n), ")".repeat(n));
    assert!(parse("t", parens(10_000).as_bytes(), &table()).is_ok());
    assert_eq!(show(parens(10_001).as_bytes()), "template: t.yaml:1: max expression depth exceeded");
    let ifs = |n: usize| format!("{}{}", "{{ if . }}".repeat(n), "{{ end }}".repeat(n));
    assert!(parse("t", ifs(10_000).as_bytes(), &table()).is_ok());
    assert_eq!(show(ifs(10_001).as_bytes()), "template: t.yaml:1: max nesting of control structures exceeded");
}

#[test]
fn bad_utf8_is_kept_in_text_and_raw_strings() {
    let trees = parse("t", b"\xff{{ print `\xfe` \"\xfd\" }}", &table()).unwrap();
    let mut out = Vec::new();
    trees[0].root.write_to(&trees[0].source, &mut out);
    assert_eq!(out, b"\xff{{print `\xfe` \"\xfd\"}}");
    assert_eq!(show(b"{{ \xff }}"), "template: t.yaml:1: unrecognized character in action: U+FFFD '\u{fffd}'");
}

#[test]
fn context_of_a_node() {
    let text = b"a\n b {{ .x.y }}";
    let trees = parse("c/t.yaml", text, &table()).unwrap();
    let Node::Action(pipe) = &trees[0].root.nodes[1] else { panic!("an action") };
    let (place, node) = crate::gotmpl::error_context("c/t.yaml", text, &pipe.cmds[0].args[0]);
    assert_eq!((place.as_str(), node.as_str()), ("c/t.yaml:2:8", ".x.y"));
}

/// Text, and what follows `template: t.yaml:`.
const ERRORS: &[(&str, &str)] = &[
    ("{{", "1: unclosed action"),
    ("{{ print", "1: unclosed action"),
    ("{{ \"a", "1: unterminated quoted string"),
    ("{{ `a", "1: unterminated raw quoted string"),
    ("{{ 'a", "1: unterminated character constant"),
    ("{{ \"a\\", "1: unterminated quoted string"),
    ("{{/* x", "1: unclosed comment"),
    ("{{/* x */", "1: comment ends before closing delimiter"),
    ("{{/* x */ }}", "1: comment ends before closing delimiter"),
    ("{{ (print }}", "1: unclosed left paren"),
    ("{{ print) }}", "1: unexpected right paren"),
    ("{{ ((print) }}", "1: unclosed left paren"),
    ("{{ () }}", "1: missing value for parenthesized pipeline"),
    ("{{ | print }}", "1: unexpected \"|\" in command"),
    ("{{ print || len }}", "1: unexpected \"|\" in command"),
    ("{{ print | 3 }}", "1: non executable command in pipeline stage 2"),
    ("{{ print | \"s\" }}", "1: non executable command in pipeline stage 2"),
    ("{{ print | . }}", "1: non executable command in pipeline stage 2"),
    ("{{ print | nil }}", "1: non executable command in pipeline stage 2"),
    ("{{ print | true }}", "1: non executable command in pipeline stage 2"),
    ("{{ 3.x }}", "1: bad number syntax: \"3.x\""),
    ("{{ \"a\".b }}", "1: unexpected . after term \"\\\"a\\\"\""),
    ("{{ nil.x }}", "1: unexpected . after term \"nil\""),
    ("{{ true.x }}", "1: unexpected . after term \"true\""),
    ("{{ ..x }}", "1: unexpected . after term \".\""),
    ("{{ .x..y }}", "1: unexpected <.> in operand"),
    ("{{ $x }}", "1: undefined variable \"$x\""),
    ("{{ $x, $y := 1 }}", "1: too many declarations in command"),
    ("{{ range $x, $y := . }}{{ $x }}{{ end }}{{ $x }}", "1: undefined variable \"$x\""),
    ("{{ range $x, $y, $z := . }}{{ end }}", "1: too many declarations in range"),
    ("{{ range $x, 3 := . }}{{ end }}", "1: range can only initialize variables"),
    ("{{ range $x, }}{{ end }}", "1: missing value for range"),
    ("{{ range $x }}{{ end }}", "1: undefined variable \"$x\""),
    ("{{ range }}{{ end }}", "1: missing value for range"),
    ("{{ if }}{{ end }}", "1: missing value for if"),
    ("{{ with }}{{ end }}", "1: missing value for with"),
    ("{{ if . }}", "1: unexpected EOF"),
    ("{{ if . }}{{ else }}", "1: unexpected EOF"),
    ("{{ if . }}{{ else }}{{ else }}{{ end }}", "1: expected end; found {{else}}"),
    ("{{ if . }}a{{ else if .x }}b{{ else with .y }}c{{ end }}", "1: unexpected <with> in input"),
    ("{{ with . }}a{{ else if .x }}b{{ end }}{{ end }}", "1: unexpected <if> in input"),
    ("{{ range . }}a{{ else if .x }}b{{ end }}{{ end }}", "1: unexpected <if> in input"),
    ("{{ range . }}a{{ else range .x }}b{{ end }}{{ end }}", "1: unexpected <range> in else"),
    ("{{ end }}", "1: unexpected {{end}}"),
    ("{{ else }}", "1: unexpected {{else}}"),
    ("{{ else if }}", "1: unexpected {{else}}"),
    ("{{ end x }}", "1: unexpected \"x\" in end"),
    ("{{ else x }}", "1: unexpected \"x\" in else"),
    ("{{ break }}", "1: {{break}} outside {{range}}"),
    ("{{ continue }}", "1: {{continue}} outside {{range}}"),
    ("{{ range . }}{{ break 3 }}{{ end }}", "1: unexpected \"3\" in {{break}}"),
    ("{{ range . }}{{ else }}{{ break }}{{ end }}", "1: {{break}} outside {{range}}"),
    ("{{ range . }}{{ define \"x\" }}{{ end }}{{ end }}", "1: unexpected <define> in command"),
    ("{{ define \"x\" }}a{{ else }}b{{ end }}", "1: unexpected {{else}} in define clause"),
    ("{{ define \"x\" }}", "1: unexpected EOF"),
    ("{{ define x }}{{ end }}", "1: unexpected \"x\" in define clause"),
    ("{{ define \"x\" . }}{{ end }}", "1: unexpected <.> in define clause"),
    ("{{ define }}{{ end }}", "1: unexpected \"}}\" in define clause"),
    ("{{ define \"a\" }}x{{ end }}{{ define \"a\" }}y{{ end }}", "1: template: multiple definition of template \"a\""),
    ("{{ define \"t.yaml\" }}x{{ end }}y", "1: template: multiple definition of template \"t.yaml\""),
    ("{{ define \"a\\q\" }}{{ end }}", "1: invalid syntax"),
    ("{{ template a }}", "1: unexpected \"a\" in template clause"),
    ("{{ template }}", "1: unexpected \"}}\" in template clause"),
    ("{{ block \"b\" }}x{{ end }}", "1: missing value for block clause"),
    ("{{ block \"b\" . }}x", "1: unexpected EOF"),
    ("{{ block \"b\" . }}x{{ else }}{{ end }}", "1: unexpected {{else}} in block clause"),
    (
        "\n{{ block \"b\"\n. }}\n{{ if .a }}\n{{ else }}{{ end }}\n{{ else }}{{ end }}",
        "3: unexpected {{else}} in block clause",
    ),
    ("\n{{ define \"b\" }}\n\n{{ else }}{{ end }}", "4: unexpected {{else}} in define clause"),
    ("{{ block \"b\" . }}{{ break }}{{ end }}", "1: {{break}} outside {{range}}"),
    ("{{ range . }}{{ block \"b\" . }}{{ break }}{{ end }}{{ end }}", "1: {{break}} outside {{range}}"),
    ("{{ foo }}", "1: function \"foo\" not defined"),
    ("{{ foo.bar }}", "1: function \"foo\" not defined"),
    ("{{ print foo }}", "1: function \"foo\" not defined"),
    ("{{ .x foo }}", "1: function \"foo\" not defined"),
    ("{{ print,len }}", "1: unexpected \",\" in operand"),
    ("{{ print , len }}", "1: unexpected \",\" in operand"),
    ("{{ print; }}", "1: bad character U+003B ';'"),
    ("{{ print @ }}", "1: unexpected \"@\" in operand"),
    ("{{ print # }}", "1: unexpected \"#\" in operand"),
    ("{{ print é }}", "1: function \"é\" not defined"),
    ("{{ é }}", "1: function \"é\" not defined"),
    ("{{ $é }}", "1: undefined variable \"$é\""),
    ("{{ print ☃ }}", "1: unrecognized character in action: U+2603 '☃'"),
    ("{{ printé☃ }}", "1: bad character U+2603 '☃'"),
    ("{{ .x☃ }}", "1: bad character U+2603 '☃'"),
    ("{{ .x+1 }}", "1: bad character U+002B '+'"),
    ("{{ print+1 }}", "1: bad character U+002B '+'"),
    ("{{ .x-1 }}", "1: bad character U+002D '-'"),
    ("{{ 1x }}", "1: bad number syntax: \"1x\""),
    ("{{ 0x }}", "1: illegal number syntax: \"0x\""),
    ("{{ 0xg }}", "1: bad number syntax: \"0xg\""),
    ("{{ 1__0 }}", "1: illegal number syntax: \"1__0\""),
    ("{{ 0b102 }}", "1: bad number syntax: \"0b102\""),
    ("{{ 089 }}", "1: integer overflow: \"089\""),
    ("{{ 1e }}", "1: illegal number syntax: \"1e\""),
    ("{{ 1e-5.5 }}", "1: unexpected \".5\" in operand"),
    ("{{ - }}", "1: illegal number syntax: \"-\""),
    ("{{ + }}", "1: illegal number syntax: \"+\""),
    ("{{ --5 }}", "1: bad number syntax: \"--5\""),
    ("{{ 1+2 }}", "1: bad number syntax: \"1+2\""),
    ("{{ 1+i }}", "1: syntax error scanning complex number"),
    ("{{ 0b1+1i }}", "1: syntax error scanning complex number"),
    ("{{ 1i+1i }}", "1: syntax error scanning complex number"),
    ("{{ 1e999 }}", "1: illegal number syntax: \"1e999\""),
    ("{{ 1e999+1i }}", "1: strconv.ParseFloat: parsing \"1e999\": value out of range"),
    ("{{ -9223372036854775809 }}", "1: integer overflow: \"-9223372036854775809\""),
    ("{{ 18446744073709551616 }}", "1: integer overflow: \"18446744073709551616\""),
    ("{{ 'ab' }}", "1: malformed character constant: 'ab'"),
    ("{{ '' }}", "1: invalid syntax"),
    ("{{ '\\\"' }}", "1: invalid syntax"),
    ("{{ '\\400' }}", "1: invalid syntax"),
    ("{{ \"\\z\" }}", "1: invalid syntax"),
    ("{{ \"\\ud800\" }}", "1: invalid syntax"),
    ("{{ : }}", "1: expected :="),
    ("{{ := }}", "1: unexpected \":=\" in command"),
    ("{{ = }}", "1: unexpected \"=\" in command"),
    ("{{ :x }}", "1: expected :="),
    ("{{ $x : = 1 }}", "1: undefined variable \"$x\""),
    ("{{ $x := }}", "1: missing value for command"),
    ("{{ print $x := 1 }}", "1: undefined variable \"$x\""),
    ("{{ if $x := 1 }}{{ $x }}{{ end }}{{ $x }}", "1: undefined variable \"$x\""),
    ("{{ (len .)x }}", "1: unexpected \"x\" in operand"),
    ("{{ (len .)(len .) }}", "1: unexpected \"(\" in operand"),
    ("{{ print(len .) }}", "1: unexpected \"(\" in operand"),
    ("{{ print\"a\" }}", "1: bad character U+0022 '\"'"),
    ("{{ \"a\"\"b\" }}", "1: unexpected \"\\\"b\\\"\" in operand"),
    ("{{ .x.y(1) }}", "1: unexpected \"(\" in operand"),
    ("{{3-}}", "1: bad number syntax: \"3-\""),
    ("{{-}}", "1: illegal number syntax: \"-\""),
    ("{{- -}}", "1: illegal number syntax: \"-\""),
    ("{{- }}", "1: missing value for command"),
    ("{{ -}}", "1: missing value for command"),
    ("{{--}}", "1: bad number syntax: \"--\""),
    ("{{}}", "1: missing value for command"),
    ("{{{{", "1: unexpected \"{\" in command"),
    ("{{ {{ }}", "1: unexpected \"{\" in command"),
    ("{{ } }}", "1: unexpected \"}\" in command"),
    ("{{ print } }}", "1: unexpected \"}\" in operand"),
    ("{{ define \"a\" }}{{ define \"b\" }}{{ end }}{{ end }}", "1: unexpected <define> in command"),
    ("{{ if .x }}{{ define \"b\" }}{{ end }}{{ end }}", "1: unexpected <define> in command"),
    ("{{ if }}", "1: missing value for if"),
    ("{{ print if }}", "1: unexpected <if> in operand"),
    ("{{ if if }}{{ end }}", "1: unexpected <if> in if"),
    ("{{ end end }}", "1: unexpected <end> in end"),
    ("{{ range range }}", "1: unexpected <range> in range"),
    ("{{ print range }}", "1: unexpected <range> in operand"),
    ("{{ with template }}", "1: unexpected <template> in with"),
    ("{{ \"abcdefghijklmnop\" }}{{ end }}", "1: unexpected {{end}}"),
    ("{{ print define }}", "1: unexpected <define> in operand"),
    ("{{ if . }}{{ \"abcdefghijklmnop\" \"a }}", "1: unterminated quoted string"),
    ("a\n{{ print\n | len\n }}\n{{ end }}", "5: unexpected {{end}}"),
    ("a\n{{ print\n\n\"x }}", "4: unterminated quoted string in action started at t.yaml:2"),
    ("a\n{{ print\n\n", "4: unclosed action started at t.yaml:2"),
    ("a\n{{ (print\n\n }}", "4: unclosed left paren in action started at t.yaml:2"),
    ("{{ print\n  ) }}", "2: unexpected right paren in action started at t.yaml:1"),
    ("{{ if . }}\n\n{{ foo }}\n{{ end }}", "3: function \"foo\" not defined"),
    ("{{ if . }}\n\n\n", "4: unexpected EOF"),
    ("{{/*\n\n*/}}{{ foo }}", "3: function \"foo\" not defined"),
    ("{{- /*\n\n*/ -}}\n\n{{ foo }}", "5: function \"foo\" not defined"),
    ("{{ `\n\n` }}{{ foo }}", "3: function \"foo\" not defined"),
    ("{{ \"a\nb\" }}", "1: unterminated quoted string"),
    ("{{ 'a\n' }}", "1: unterminated character constant"),
    ("{{ print\r\n}}\r\n{{ foo }}", "3: function \"foo\" not defined"),
    ("{{ print\x0b}}", "1: bad character U+000B"),
    ("{{ print\x00}}", "1: bad character U+0000"),
    ("{{ print \x7f }}", "1: unrecognized character in action: U+007F"),
    ("{{ print\u{a0}}}", "1: bad character U+00A0"),
    ("{{ print '\\\n' }}", "1: unterminated character constant"),
    ("{{ range . }}\n{{ if . }}\n{{ else }}\n{{ end }}\n{{ else }}\n{{ else }}", "6: expected end; found {{else}}"),
    ("{{ define \"a\n\" }}{{ end }}", "1: unterminated quoted string"),
    ("{{ print\n\n-}}  x{{ foo }}", "3: function \"foo\" not defined"),
];

/// Text, and its trees as printed.
const TREES: &[(&str, &str)] = &[
    ("{{- /* x */ -}}  y", "t.yaml=[y]"),
    ("a {{- /* x */}} b", "t.yaml=[a b]"),
    ("{{ print | }}", "t.yaml=[{{print}}]"),
    ("{{ print | .x }}", "t.yaml=[{{print | .x}}]"),
    ("{{ print | (len) }}", "t.yaml=[{{print | (len)}}]"),
    ("{{ .x.y.z }}", "t.yaml=[{{.x.y.z}}]"),
    ("{{ (print).x.y }}", "t.yaml=[{{(print).x.y}}]"),
    ("{{ $.x.y }}", "t.yaml=[{{$.x.y}}]"),
    ("{{ $x := 1 }}{{ $x }}", "t.yaml=[{{$x := 1}}{{$x}}]"),
    ("{{ $x := 1 }}{{ $x.a.b }}", "t.yaml=[{{$x := 1}}{{$x.a.b}}]"),
    ("{{ $x = 1 }}", "t.yaml=[{{$x = 1}}]"),
    ("{{ if . }}a{{ else if .x }}b{{ else }}c{{ end }}", "t.yaml=[{{if .}}a{{else}}{{if .x}}b{{else}}c{{end}}{{end}}]"),
    (
        "{{ with . }}a{{ else with .x }}b{{ else }}c{{ end }}",
        "t.yaml=[{{with .}}a{{else}}{{with .x}}b{{else}}c{{end}}{{end}}]",
    ),
    ("{{ range . }}{{ break }}{{ continue }}{{ end }}", "t.yaml=[{{range .}}{{break}}{{continue}}{{end}}]"),
    ("{{ define \"x\" }}a{{ end }}b", "t.yaml=[b]x=[a]"),
    ("{{ define \"a\" }} {{ end }}{{ define \"a\" }}y{{ end }}", "a=[y]t.yaml=[]"),
    ("{{ define \"a\" }}x{{ end }}{{ define \"a\" }} {{ end }}", "a=[x]t.yaml=[]"),
    ("{{ define \"t.yaml\" }}x{{ end }}", "t.yaml=[x]"),
    ("{{ template \"a\" }}", "t.yaml=[{{template \"a\"}}]"),
    ("{{ template \"a\" . }}", "t.yaml=[{{template \"a\" .}}]"),
    ("{{ template \"a\" .x | len }}", "t.yaml=[{{template \"a\" .x | len}}]"),
    ("{{ template \"a\" . . }}", "t.yaml=[{{template \"a\" . .}}]"),
    ("{{ template \"a\" 3 }}", "t.yaml=[{{template \"a\" 3}}]"),
    ("{{ block \"b\" . }}x{{ end }}", "b=[x]t.yaml=[{{template \"b\" .}}]"),
    ("{{ 1 2 }}", "t.yaml=[{{1 2}}]"),
    ("{{ .é.ü }}", "t.yaml=[{{.é.ü}}]"),
    ("{{ 1_000 }}", "t.yaml=[{{1_000}}]"),
    ("{{ 0o17 }}", "t.yaml=[{{0o17}}]"),
    ("{{ 017 }}", "t.yaml=[{{017}}]"),
    ("{{ 1e5 }}", "t.yaml=[{{1e5}}]"),
    ("{{ . }}", "t.yaml=[{{.}}]"),
    ("{{ .5 }}", "t.yaml=[{{.5}}]"),
    ("{{ 5. }}", "t.yaml=[{{5.}}]"),
    ("{{ +5 }}", "t.yaml=[{{+5}}]"),
    ("{{ -0x10 }}", "t.yaml=[{{-0x10}}]"),
    ("{{ 0x1p4 }}", "t.yaml=[{{0x1p4}}]"),
    ("{{ 0x1.8p1 }}", "t.yaml=[{{0x1.8p1}}]"),
    ("{{ 0x1e5 }}", "t.yaml=[{{0x1e5}}]"),
    ("{{ 1i }}", "t.yaml=[{{1i}}]"),
    ("{{ 1+2i }}", "t.yaml=[{{1+2i}}]"),
    ("{{ 9223372036854775807 }}", "t.yaml=[{{9223372036854775807}}]"),
    ("{{ 9223372036854775808 }}", "t.yaml=[{{9223372036854775808}}]"),
    ("{{ 18446744073709551615 }}", "t.yaml=[{{18446744073709551615}}]"),
    ("{{ 'a' }}", "t.yaml=[{{'a'}}]"),
    ("{{ '\\'' }}", "t.yaml=[{{'\\''}}]"),
    ("{{ '\\x41' }}", "t.yaml=[{{'\\x41'}}]"),
    ("{{ '\\u00e9' }}", "t.yaml=[{{'\\u00e9'}}]"),
    ("{{ '☃' }}", "t.yaml=[{{'☃'}}]"),
    ("{{ \"a\\tb\\\"\" }}", "t.yaml=[{{\"a\\tb\\\"\"}}]"),
    ("{{ `a\\n` }}", "t.yaml=[{{`a\\n`}}]"),
    ("{{ $x:=1 }}{{$x}}", "t.yaml=[{{$x := 1}}{{$x}}]"),
    ("{{ $x :=1|print }}", "t.yaml=[{{$x := 1 | print}}]"),
    ("{{ ($x := 1) }}", "t.yaml=[{{($x := 1)}}]"),
    ("{{ with $x := 1 }}{{ else }}{{ $x }}{{ end }}", "t.yaml=[{{with $x := 1}}{{else}}{{$x}}{{end}}]"),
    ("{{ print (len .) (len .).x }}", "t.yaml=[{{print (len .) (len .).x}}]"),
    ("{{ (len .) }}", "t.yaml=[{{(len .)}}]"),
    ("{{ \"a\" \"b\" }}", "t.yaml=[{{\"a\" \"b\"}}]"),
    ("{{3 -}} x", "t.yaml=[{{3}}x]"),
    ("{{-3}}", "t.yaml=[{{-3}}]"),
    ("{{- 3}}", "t.yaml=[{{3}}]"),
    ("}}", "t.yaml=[}}]"),
    ("{{ nil }}", "t.yaml=[{{nil}}]"),
    ("{{ print nil }}", "t.yaml=[{{print nil}}]"),
    ("{{ nil | print }}", "t.yaml=[{{nil | print}}]"),
    ("{{ true }}", "t.yaml=[{{true}}]"),
    ("{{ .true }}", "t.yaml=[{{.true}}]"),
    ("{{ .end }}", "t.yaml=[{{.end}}]"),
    ("{{ .if.range }}", "t.yaml=[{{.if.range}}]"),
    ("{{ print . | len . | upper .x }}", "t.yaml=[{{print . | len . | upper .x}}]"),
    ("{{ .x | len }}", "t.yaml=[{{.x | len}}]"),
    ("{{ (((((print))))) }}", "t.yaml=[{{(((((print)))))}}]"),
    ("{{ (\"a\").b }}", "t.yaml=[{{(\"a\").b}}]"),
    ("{{ (1).b }}", "t.yaml=[{{(1).b}}]"),
    ("{{ print .x.y $.z \"q\" 'c' 1.5 nil true }}", "t.yaml=[{{print .x.y $.z \"q\" 'c' 1.5 nil true}}]"),
    (
        "{{if .a}}x{{else}}y{{end}}{{with .b}}z{{end}}{{range $i, $e := .c}}w{{break}}{{end}}",
        "t.yaml=[{{if .a}}x{{else}}y{{end}}{{with .b}}z{{end}}{{range $i, $e := .c}}w{{break}}{{end}}]",
    ),
    ("x {{-\n print \n-}}\n y", "t.yaml=[x{{print}}y]"),
    ("{{ print }} \n\t {{- print -}} \n z", "t.yaml=[{{print}}{{print}}z]"),
    ("{{\nprint\n.x\n}}", "t.yaml=[{{print .x}}]"),
    ("{{ print\t}}", "t.yaml=[{{print}}]"),
    ("\u{feff}{{ print }}", "t.yaml=[\u{feff}{{print}}]"),
    ("(((((", "t.yaml=[(((((]"),
];
