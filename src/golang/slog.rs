//! `log/slog`'s text handler, without the time: how Helm writes its log lines.

use super::strconv;

/// One line: `level=WARN msg="…" key=value`.
pub fn text(level: &str, message: &str, attrs: &[(&'static str, String)]) -> String {
    let mut line = format!("level={level} msg=");
    push_value(&mut line, message);
    for (k, v) in attrs {
        line.push(' ');
        line.push_str(k);
        line.push('=');
        push_value(&mut line, v);
    }
    line
}

fn push_value(line: &mut String, v: &str) {
    if needs_quoting(v) {
        line.push_str(&strconv::quote(v.as_bytes()));
    } else {
        line.push_str(v);
    }
}

/// Source: `log/slog/text_handler.go`, `needsQuoting`.
fn needs_quoting(s: &str) -> bool {
    s.is_empty()
        || s.chars().any(|c| {
            if c.is_ascii() {
                c != '\\' && (c == ' ' || c == '=' || c == '"' || c.is_ascii_control())
            } else {
                c == '\u{fffd}' || c.is_whitespace() || !strconv::is_print(c)
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_what_go_quotes() {
        assert_eq!(text("WARN", "this chart is deprecated", &[]), r#"level=WARN msg="this chart is deprecated""#);
        assert_eq!(
            text("INFO", "skipping", &[("hookTypes", "crd-install".into())]),
            "level=INFO msg=skipping hookTypes=crd-install"
        );
    }
}
