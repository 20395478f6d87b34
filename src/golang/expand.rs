//! `os.Expand`: `$name` and `${name}` in a text.
//!
//! Source: Go 1.26 `os/env.go`.

/// Replaces names by what `value` says of them. What is wrong is left out as Go leaves it out.
pub fn expand(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if after.is_empty() {
            rest = "$";
            break;
        }
        let (name, width) = shell_name(after);
        match (name, width) {
            // Nothing that can follow a dollar: it stays.
            ("", 0) => out.push('$'),
            ("", _) => {}
            (name, _) => out.push_str(&value(name)),
        }
        rest = after.get(width..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The name at the start of what follows a dollar, and how many bytes it takes.
fn shell_name(text: &str) -> (&str, usize) {
    let special = |b: u8| b"*#$@!?-0123456789".contains(&b);
    let bytes = text.as_bytes();
    match bytes {
        [b'{', one, b'}', ..] if special(*one) => (&text[1..2], 3),
        [b'{', ..] => match text.find('}') {
            // `${}` and a `${` that does not end are eaten.
            Some(1) => ("", 2),
            Some(end) => (&text[1..end], end + 1),
            None => ("", 1),
        },
        [first, ..] if special(*first) => (&text[..1], 1),
        _ => {
            let end = bytes.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_')).unwrap_or(bytes.len());
            (&text[..end], end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn names_are_found_as_go_finds_them() {
        // Answered by Go 1.26.
        for (text, want) in [
            ("", ""),
            ("$a-${b}", "<a>-<b>"),
            ("$a_1.x", "<a_1>.x"),
            ("$", "$"),
            ("a$", "a$"),
            ("$ a", "$ a"),
            ("$$a", "<$>a"),
            ("$1a", "<1>a"),
            ("${*}${1}${12}", "<*><1><12>"),
            ("${}x", "x"),
            ("${ax", "ax"),
            ("${a b}", "<a b>"),
            ("é$é", "é$é"),
            ("$a$b$", "<a><b>$"),
        ] {
            assert_eq!(expand(text, |name| format!("<{name}>")), want, "{text:?}");
        }
    }
}
