//! Whole families in templates. The expected texts are Helm 4.3's; of errors, their ends.

use std::sync::Arc;

use crate::gotmpl::{CallError, FixedHost, FuncTable, Limits, State, TemplateSet, builtins, exec};
use crate::value::Value;

fn render(text: &str) -> Result<String, String> {
    let mut table = FuncTable::new();
    builtins::register(&mut table);
    super::register(&mut table);
    let mut set = TemplateSet::new("gotpl", Arc::new(table));
    set.parse("t", text.as_bytes()).map_err(|e| e.to_string())?;
    let mut st =
        State::new(Arc::new(FixedHost::new(0, 1)), Limits { output: 1 << 22, heap: 50_000, ..Limits::default() });
    let dot = Value::Map(st.heap.new_map());
    let mut out = Vec::new();
    match exec::execute(&Arc::new(set), &mut st, "t", &dot, &mut out) {
        // Helm strikes out what a nil prints.
        Ok(()) => Ok(String::from_utf8_lossy(&out).replace("<no value>", "")),
        Err(CallError::Exec(e)) => Err(e.to_string()),
        Err(CallError::Msg(e) | CallError::Limit(e)) => Err(e),
    }
}

fn check(cases: &[(&str, Result<&str, &str>)]) {
    for (text, want) in cases {
        match (render(text), want) {
            (Ok(got), Ok(want)) => assert_eq!(&got, want, "{text}"),
            (Err(got), Err(want)) => assert!(got.ends_with(want), "{text}\n got {got}\nwant {want}"),
            (got, want) => panic!("{text}\n got {got:?}\nwant {want:?}"),
        }
    }
}

#[test]
fn lists() {
    check(&[
        (r#"{{ list 1 "a" nil | toRawJson }}"#, Ok(r#"[1,"a",null]"#)),
        (
            r#"{{ append (list 1) 2 | toRawJson }} {{ push (until 2) "x" | toRawJson }} {{ prepend (list 1) 2 | toRawJson }}"#,
            Ok(r#"[1,2] [0,1,"x"] [2,1]"#),
        ),
        (r#"{{ append "str" 1 }}"#, Err("error calling append: Cannot push on type string")),
        (
            "{{ push nil 1 }}",
            Err("error calling push: runtime error: invalid memory address or nil pointer dereference"),
        ),
        (r#"{{ first (list) }} {{ first (splitList "," "a,b") }} {{ last (until 3) }}"#, Ok(" a 2")),
        ("{{ first 5 }}", Err("error calling first: Cannot find first on type int")),
        (r#"{{ mustLast (dict "a" 1) }}"#, Err("error calling mustLast: Cannot find last on type map")),
        (
            "{{ rest (list) | toRawJson }} {{ rest (list 1 2 3) | toRawJson }} {{ initial (list 1 2 3) | toRawJson }}",
            Ok("null [2,3] [1,2]"),
        ),
        (
            r#"{{ reverse (list 1 2 3) | toRawJson }} {{ compact (list 0 1 "" "a" nil false) | toRawJson }}"#,
            Ok(r#"[3,2,1] [1,"a"]"#),
        ),
        (r#"{{ uniq (list 1 1 "1" 1.0 (list) (list) "a" "a") | toRawJson }}"#, Ok(r#"[1,"1",1,[],"a"]"#)),
        (
            r#"{{ without (list 1 2 3 "2") 2 | toRawJson }} {{ has "a" (list "a") }} {{ has 1 (list 1.0) }} {{ has 1 nil }}"#,
            Ok(r#"[1,3,"2"] true false false"#),
        ),
        (r#"{{ has 1 "abc" }}"#, Err("error calling has: Cannot find has on type string")),
        (
            "{{ slice (list 1 2 3) | toRawJson }} {{ slice (list 1 2 3) 1 | toRawJson }} {{ slice (list 1 2 3) 1 2 | toRawJson }} {{ slice (list) 5 | toRawJson }}",
            Ok("[1,2,3] [2,3] [2] null"),
        ),
        ("{{ slice (list 1 2 3) 0 4 }}", Err("error calling slice: reflect.Value.Slice: slice index out of bounds")),
        (
            r#"{{ slice (mustFromJson "[1,2,3]") 0 4 | toRawJson }} {{ slice (slice (list 1 2 3) 0 1) 0 3 | toRawJson }}"#,
            Ok("[1,2,3,null] [1,2,3]"),
        ),
        (
            "{{ slice (append (list 1 2 3) 4) 0 6 | toRawJson }} {{ slice (until 5) 0 8 | toRawJson }}",
            Ok("[1,2,3,4,null,null] [0,1,2,3,4,0,0,0]"),
        ),
        (r#"{{ slice "abc" 1 }}"#, Err("error calling slice: list should be type of slice or array but string")),
        (
            "{{ chunk 2 (list 1 2 3) | toRawJson }} {{ chunk 2 (list 1 2 3) | typeOf }} {{ chunk 9 (list 1) | toRawJson }} {{ chunk 3 (list) | toRawJson }}",
            Ok("[[1,2],[3]] [][]interface {} [[1]] []"),
        ),
        ("{{ chunk 0 (list 1) }}", Err("error calling chunk: runtime error: makeslice: len out of range")),
        ("{{ chunk -1 (list 1) }}", Err("error calling chunk: runtime error: makeslice: len out of range")),
        (
            r#"{{ concat (list 1) (until 2) (splitList "," "a,b") | toRawJson }} {{ concat | toRawJson }} {{ concat (list) (list) | toRawJson }}"#,
            Ok(r#"[1,0,1,"a","b"] null null"#),
        ),
        ("{{ concat (list 1) 2 }}", Err("error calling concat: Cannot concat type int as list")),
        (
            r#"{{ $l := splitList "," "c,a,b" }}{{ sortAlpha $l | toRawJson }} {{ $l | toRawJson }} {{ sortAlpha (list 10 9 "b") | toRawJson }} {{ sortAlpha 5 | toRawJson }}"#,
            Ok(r#"["a","b","c"] ["a","b","c"] ["10","9","b"] ["5"]"#),
        ),
        (
            r#"{{ toStrings (list 1 nil 2.5 true "x") | toRawJson }} {{ toStrings nil | toRawJson }} {{ toStrings 7 | toRawJson }}"#,
            Ok(r#"["1","2.5","true","x"] [] ["7"]"#),
        ),
        (r#"{{ join "-" (list 1 nil "b") }} {{ join "," "x" }} {{ join "," nil }}"#, Ok("1-b x ")),
    ]);
}

#[test]
fn dictionaries() {
    check(&[
        (r#"{{ dict "a" 1 2 "b" "odd" | toRawJson }}"#, Ok(r#"{"2":"b","a":1,"odd":""}"#)),
        (
            r#"{{ $d := dict "a" 1 }}{{ get $d "a" }} {{ get $d "b" | quote }} {{ hasKey $d "a" }} {{ $e := set $d "b" 2 }}{{ $d | toRawJson }} {{ $_ := unset $e "a" }}{{ $d | toRawJson }}"#,
            Ok(r#"1 "" true {"a":1,"b":2} {"b":2}"#),
        ),
        (
            r#"{{ pluck "a" (dict "a" 1) (dict "b" 2) (dict "a" 3) | toRawJson }} {{ pick (dict "a" 1 "b" 2) "a" "z" | toRawJson }} {{ omit (dict "a" 1 "b" 2) "a" | toRawJson }}"#,
            Ok(r#"[1,3] {"a":1} {"b":2}"#),
        ),
        (
            r#"{{ keys (dict "a" 1) | typeOf }} {{ keys | toRawJson }} {{ values (dict "a" 1) | toRawJson }}"#,
            Ok("[]string [] [1]"),
        ),
        (
            r#"{{ dig "a" "b" "none" (dict "a" (dict "b" 5)) }} {{ dig "a" "b" "none" (dict "a" (dict)) }} {{ dig "x" "none" (dict) }}"#,
            Ok("5 none none"),
        ),
        (
            r#"{{ dig "a" "b" "none" (dict "a" 5) }}"#,
            Err("error calling dig: interface conversion: interface {} is int, not map[string]interface {}"),
        ),
        (r#"{{ dig "a" (dict) }}"#, Err("error calling dig: dig needs at least three arguments")),
        (
            r#"{{ dig 1 "none" (dict) }}"#,
            Err("error calling dig: interface conversion: interface {} is int, not string"),
        ),
        (
            r#"{{ get (split "," "a") "_0" }}"#,
            Err("wrong type for value; expected map[string]interface {}; got map[string]string"),
        ),
        (
            r#"{{ $a := dict "x" (dict "y" 1) "e" "" "z" 0 }}{{ $b := dict "x" (dict "w" 2 "y" 9) "e" "E" "z" 5 "n" nil "q" (list 1) }}{{ merge $a $b | toRawJson }} {{ $b | toRawJson }}"#,
            Ok(r#"{"e":"E","q":[1],"x":{"w":2,"y":1},"z":5} {"e":"E","n":null,"q":[1],"x":{"w":2,"y":9},"z":5}"#),
        ),
        (
            r#"{{ $a := dict "x" (dict "y" 1) "e" "E" "l" (list 1) }}{{ mergeOverwrite $a (dict "x" (dict "y" nil "w" 2) "e" "" "l" (list)) | toRawJson }}"#,
            Ok(r#"{"e":"","l":[],"x":{"w":2,"y":null}}"#),
        ),
        (
            r#"{{ $a := dict }}{{ $b := dict "m" (dict "k" 1) }}{{ $_ := merge $a $b }}{{ $_ := set $a.m "k" 2 }}{{ $b | toRawJson }}"#,
            Ok(r#"{"m":{"k":2}}"#),
        ),
        (
            r#"{{ $a := dict "m" (dict) }}{{ $b := dict "m" (dict "k" 1) }}{{ $_ := merge $a $b }}{{ $_ := set $a.m "k" 2 }}{{ $b | toRawJson }}"#,
            Ok(r#"{"m":{"k":1}}"#),
        ),
        (r#"{{ merge (dict "v" (semver "1")) (dict "v" (dict "a" 1)) | quote }}"#, Ok(r#""""#)),
        (
            r#"{{ mustMerge (dict "v" (semver "1")) (dict "v" (dict "a" 1)) }}"#,
            Err("error calling mustMerge: src and dst must be of same type"),
        ),
        (
            r#"{{ mustMerge (dict "s" (split "," "a")) (dict "s" (dict "k" "v")) }}"#,
            Err(
                "error calling mustMerge: reflect.Value.SetMapIndex: value of type interface {} is not assignable to type string",
            ),
        ),
        (
            r#"{{ mustMerge (dict "s" (split "," "a")) (dict "s" (dict "k" (list 1))) }}"#,
            Err(
                "error calling mustMerge: reflect.Value.SetMapIndex: value of type []interface {} is not assignable to type string",
            ),
        ),
        (
            r#"{{ mustMergeOverwrite (dict "s" (split "," "a")) (dict "s" (split "," "b,c")) | toRawJson }}"#,
            Ok(r#"{"s":{"_0":"b","_1":"c"}}"#),
        ),
    ]);
}

#[test]
fn defaults_and_copies() {
    check(&[
        (
            r#"{{ default "d" "" }} {{ default "d" 0 }} {{ default "d" false }} {{ default "d" (list) }} {{ default "d" "x" }} {{ default "d" }} {{ default "d" "" "x" }}"#,
            Ok("d d d d x d d"),
        ),
        (
            r#"{{ coalesce nil "" 0 "x" 1 }} {{ coalesce nil }} {{ all 1 "a" true }} {{ all }} {{ any 0 "" nil }} {{ any 0 1 }} {{ empty (dict) }} {{ empty 0.0 }} {{ ternary 1 2 true }}"#,
            Ok("x  true true false true true true 1"),
        ),
        (r#"{{ ternary 1 2 "x" }}"#, Err("expected bool; found \"x\"")),
        ("{{ deepCopy nil }}", Err("error calling deepCopy: reflect: call of reflect.Value.Type on zero Value")),
        (
            r#"{{ $a := dict "b" (dict "c" 1) }}{{ $b := deepCopy $a }}{{ $_ := set $b.b "c" 2 }}{{ $a | toRawJson }} {{ deepEqual $a $b }} {{ deepEqual (list 1) (list 1) }} {{ deepEqual 1 1.0 }}"#,
            Ok(r#"{"b":{"c":1}} false true false"#),
        ),
    ]);
}

#[test]
fn numbers() {
    check(&[
        (
            r#"{{ int "0x1F" }} {{ int "08" }} {{ int "8.00" }} {{ int "1_000" }} {{ int 2.9 }} {{ int true }} {{ int nil }} {{ int "x" }} {{ int64 -2.9 }} {{ int 1e30 }} {{ atoi "08" }} {{ atoi "99999999999999999999" }}"#,
            Ok("31 0 8 1000 2 1 0 0 -2 -9223372036854775808 8 9223372036854775807"),
        ),
        (
            r#"{{ float64 "1e3" }} {{ float64 "x" }} {{ toDecimal "0777" }} {{ toDecimal 777 }} {{ toDecimal "8" }}"#,
            Ok("1000 0 511 511 0"),
        ),
        (
            r#"{{ add }} {{ add 1 "2" 3.9 }} {{ add 9223372036854775807 1 }} {{ sub 1 2 }} {{ mul 3 "0b11" }} {{ div 7 2 }} {{ div -7 2 }} {{ mod -7 3 }} {{ add 1 2 | typeOf }}"#,
            Ok("0 6 -9223372036854775808 -1 9 3 -3 -1 int64"),
        ),
        ("{{ div 1 0 }}", Err("error calling div: runtime error: integer divide by zero")),
        (r#"{{ mod 1 "x" }}"#, Err("error calling mod: runtime error: integer divide by zero")),
        (
            r#"{{ addf 0.1 0.2 }} {{ subf 1 0.9 }} {{ mulf 1.1 1.1 }} {{ divf 2 3 }} {{ divf -2 3 }} {{ add1f 0.1 }} {{ add1 "7" }} {{ addf 1e300 1e300 1e-300 }}"#,
            Ok("0.3 0.1 1.21 0.6666666666666667 -0.6666666666666667 1.1 8 2e+300"),
        ),
        ("{{ divf 1 0 }}", Err("error calling divf: decimal division by 0")),
        (r#"{{ addf "inf" 1 }}"#, Err("error calling addf: Cannot create a Decimal from +Inf")),
        (
            r#"{{ max 1 2.9 "3" }} {{ min 5 "x" }} {{ maxf 1.5 "nan" }} {{ minf 1 -2.5 }} {{ floor 1.9 }} {{ ceil -1.9 }} {{ floor "x" }}"#,
            Ok("3 0 NaN -2.5 1 -1 0"),
        ),
        (
            "{{ round 123.555555 3 }} {{ round -1.5 0 }} {{ round 2.5 0 }} {{ round 1.45 1 }} {{ round 1.2 0 0.1 }} {{ round 12345 -2 }} {{ round 1e21 2 }}",
            Ok("123.556 -2 3 1.5 2 12300 9.999999999999999e+20"),
        ),
        (
            "{{ until 3 | toRawJson }} {{ until -2 | toRawJson }} {{ untilStep 0 10 4 | toRawJson }} {{ untilStep 3 0 -2 | toRawJson }} {{ untilStep 0 3 0 | toRawJson }} {{ until 2 | typeOf }}",
            Ok("[0,1,2] [0,-1] [0,4,8] [3,1] [] []int"),
        ),
        (
            "{{ seq }}|{{ seq 3 }}|{{ seq -2 }}|{{ seq 2 5 }}|{{ seq 5 2 }}|{{ seq 0 2 7 }}|{{ seq 7 2 0 }}|{{ seq 7 -3 0 }}|{{ seq 1 2 3 4 }}",
            Ok("|1 2 3|1 0 -1 -2|2 3 4 5|5 4 3 2|0 2 4 6||7 4 1|"),
        ),
    ]);
}

#[test]
fn texts() {
    check(&[
        (
            r#"{{ quote 1 nil "a\"b" true }} {{ squote 1 nil "a'b" (list 1) }} {{ cat "a" nil 1 (list) }}"#,
            Ok(r#""1" "a\"b" "true" '1' 'a'b' '[1]' a 1 []"#),
        ),
        (r#"{{ "a\nb" | indent 2 | quote }} {{ "a\n" | nindent 1 | quote }}"#, Ok(r#""  a\n  b" "\n a\n ""#)),
        (r#"{{ indent -1 "x" }}"#, Err("error calling indent: strings: negative Repeat count")),
        (r#"{{ repeat -1 "x" }}"#, Err("error calling repeat: strings: negative Repeat count")),
        (
            r#"{{ repeat 9223372036854775807 "xy" }}"#,
            Err("error calling repeat: strings: Repeat output length overflow"),
        ),
        (r#"{{ substr 4 2 "abcdef" }}"#, Err("error calling substr: runtime error: slice bounds out of range [4:2]")),
        (
            r#"{{ split "," "a,b" | toRawJson }} {{ splitn "," 2 "a,b,c" | toRawJson }} {{ split "," "a" | typeOf }} {{ splitList "," "" | toRawJson }} {{ splitList "" "" | toRawJson }}"#,
            Ok(r#"{"_0":"a","_1":"b"} {"_0":"a","_1":"b,c"} map[string]string [""] []"#),
        ),
        (
            r#"{{ trunc -3 "abcdef" }} {{ trunc 1 "é" | b64enc }} {{ abbrev 5 "hello world" }} {{ abbrevboth 5 10 "1234 5678 9123" }} {{ nospace "é b" }} {{ plural "one" "many" 1 }}"#,
            Ok("def ww== he... ...5678... Ã©b one"),
        ),
        (
            r#"{{ wrap 5 "Hello World Foo" | quote }} {{ wrapWith 3 "|" "abcdefgh ij" }} {{ wrap 3 "abcdefgh ij" | quote }}"#,
            Ok(r#""Hello\nWorld\nFoo" abc|def|gh|ij "abcdefgh\nij""#),
        ),
        (
            r#"{{ title "hello wORLD" }} {{ untitle "Hello World" }} {{ swapcase "This Is a.Test" }} {{ camelcase "http_server" }} {{ snakecase "HTTP20xOK" }} {{ kebabcase "FirstName" }} {{ initials "First Try" }}"#,
            Ok("Hello WORLD hello world tHIS iS A.tEST HttpServer http_20x_ok first-name FT"),
        ),
        (
            r#"{{ trimAll "$" "$5$" }} {{ trimSuffix "-" "a-" }} {{ trimPrefix "-" "-a" }} {{ contains "b" "abc" }} {{ replace "a" "b" "banana" }} {{ replace "" "-" "ab" }}"#,
            Ok("5 a a true bbnbnb -a-b-"),
        ),
        (
            r#"{{ b64enc "hello" }} {{ b64dec "aGVsbG8" }} {{ b32enc "hello" }} {{ b32dec "nope" }}"#,
            Ok("aGVsbG8= illegal base64 data at input byte 4 NBSWY3DP illegal base32 data at input byte 0"),
        ),
        (r#"{{ trunc "3" "abc" }}"#, Err("expected integer; found \"3\"")),
    ]);
}

#[test]
fn types_paths_and_urls() {
    check(&[
        (
            r#"{{ typeOf (dict) }} {{ typeOf nil }} {{ kindOf nil }} {{ kindOf (list) }} {{ kindIs "int" 1 }} {{ typeIs "int64" (add 1) }} {{ typeIsLike "semver.Version" (semver "1") }} {{ typeOf (semver "1") }}"#,
            Ok("map[string]interface {} <nil> invalid slice true true true *semver.Version"),
        ),
        (
            r#"{{ base "/a/b.txt" }} {{ dir "/a/b.txt" }} {{ ext "a.tar.gz" }} {{ clean "a//b/../c" }} {{ isAbs "/a" }} {{ osBase "" }}"#,
            Ok("b.txt /a .gz a/c true ."),
        ),
        (
            r#"{{ urlParse "https://u:p@h:8/p?q=1#f" | toRawJson }} {{ urlJoin (dict "scheme" "http" "host" "h" "path" "/a b" "userinfo" "u:p") }}"#,
            Ok(
                r#"{"fragment":"f","host":"h:8","hostname":"h","opaque":"","path":"/p","query":"q=1","scheme":"https","userinfo":"u:p"} http://u:p@h/a%20b"#,
            ),
        ),
        (
            r#"{{ urlParse "http://a b/" }}"#,
            Err(
                r#"error calling urlParse: unable to parse url: parse "http://a b/": invalid character " " in host name"#,
            ),
        ),
        (
            r#"{{ urlJoin (dict "scheme" 5) }}"#,
            Err("error calling urlJoin: unable to parse scheme key, must be of type string, but int found"),
        ),
        (
            r#"{{ urlJoin (dict "host" nil) }}"#,
            Err("error calling urlJoin: runtime error: invalid memory address or nil pointer dereference"),
        ),
    ]);
}

#[test]
fn huge_results_meet_the_limit() {
    for text in [
        "{{ repeat 1000000000 \"x\" }}",
        "{{ until 1000000000 }}",
        "{{ untilStep 0 9223372036854775807 1 }}",
        "{{ seq 1000000000 }}",
        "{{ seq -9223372036854775807 9223372036854775806 }}",
        "{{ indent 1000000000 \"x\" }}",
        "{{ wrapWith 1 (repeat 100000 \"x\") (repeat 100000 \"y\") }}",
        "{{ replace \"\" (repeat 100000 \"x\") (repeat 100000 \"y\") }}",
        "{{ $l := until 1000 }}{{ range until 40 }}{{ $l = concat $l $l }}{{ end }}",
        "{{ $s := \"x\" }}{{ range until 64 }}{{ $s = cat $s $s }}{{ end }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $e := dict }}{{ $_ := set $e \"d\" $e }}{{ merge $d $e }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toString $d }}",
    ] {
        let error = render(text).expect_err(text);
        assert!(error.contains("(limit: "), "{text}: {error}");
    }
}

#[test]
fn every_name_is_there() {
    let mut table = FuncTable::new();
    super::register(&mut table);
    for name in NAMES.split_whitespace() {
        assert!(table.id(name).is_some(), "{name}");
    }
}

/// Sprig 3.3's functions without `env` and `expandenv`; `fail` is Helm's here.
const NAMES: &str = "
    abbrev abbrevboth add add1 add1f addf adler32sum ago all any append atoi b32dec b32enc b64dec b64enc base bcrypt
    biggest buildCustomCert camelcase cat ceil chunk clean coalesce compact concat contains date dateInZone
    dateModify date_in_zone date_modify decryptAES deepCopy deepEqual default derivePassword dict dig dir div divf
    duration durationRound empty encryptAES ext first float64 floor genCA genCAWithKey genPrivateKey
    genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey get getHostByName has hasKey
    hasPrefix hasSuffix hello htmlDate htmlDateInZone htpasswd indent initial initials int int64 isAbs join kebabcase
    keys kindIs kindOf last list lower max maxf merge mergeOverwrite min minf mod mul mulf mustAppend mustChunk
    mustCompact mustDateModify mustDeepCopy mustFirst mustFromJson mustHas mustInitial mustLast mustMerge
    mustMergeOverwrite mustPrepend mustRegexFind mustRegexFindAll mustRegexMatch mustRegexReplaceAll
    mustRegexReplaceAllLiteral mustRegexSplit mustRest mustReverse mustSlice mustToDate mustToPrettyJson
    mustToRawJson mustUniq mustWithout must_date_modify nindent nospace now omit osBase osClean osDir osExt osIsAbs
    pick pluck plural prepend quote randAlpha randAlphaNum randAscii randBytes randInt randNumeric regexFind
    regexFindAll regexMatch regexQuoteMeta regexReplaceAll regexReplaceAllLiteral regexSplit repeat replace rest
    reverse round semver semverCompare seq set sha1sum sha256sum sha512sum shuffle slice snakecase sortAlpha split
    splitList splitn squote sub subf substr swapcase ternary title toDate toDecimal toPrettyJson toRawJson toString
    toStrings trim trimAll trimPrefix trimSuffix trimall trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset
    until untilStep untitle upper urlJoin urlParse uuidv4 values without wrap wrapWith";
