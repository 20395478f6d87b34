//! sops's report on keys that did not open a file, wrapped and indented as it does.

/// Breaks a text after words so that lines hold at most `limit` characters (github.com/mitchellh/go-wordwrap).
pub fn wrap(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let (mut word, mut space) = (String::new(), String::new());
    let (mut current, mut word_len, mut space_len) = (0, 0, 0);
    for c in text.chars() {
        if c == '\n' {
            if !word.is_empty() || current + space_len <= limit {
                out.push_str(&space);
                out.push_str(&word);
            }
            space.clear();
            word.clear();
            (space_len, word_len) = (0, 0);
            out.push(c);
            current = 0;
        } else if c.is_whitespace() && c != '\u{a0}' {
            if space.is_empty() || !word.is_empty() {
                current += space_len + word_len;
                out.push_str(&space);
                out.push_str(&word);
                space.clear();
                word.clear();
                (space_len, word_len) = (0, 0);
            }
            space.push(c);
            space_len += 1;
        } else {
            word.push(c);
            word_len += 1;
            if current + word_len + space_len > limit && word_len < limit {
                out.push('\n');
                current = 0;
                space.clear();
                space_len = 0;
            }
        }
    }
    if !word.is_empty() || current + space_len <= limit {
        out.push_str(&space);
        out.push_str(&word);
    }
    out
}

fn indent(text: &str, prefix: &str) -> String {
    text.split('\n').map(|line| format!("{prefix}{line}")).collect::<Vec<_>>().join("\n")
}

/// What each service said of a key.
pub fn key_failed(name: &str, errors: &[String]) -> String {
    let messages: Vec<String> = errors
        .iter()
        .map(|e| {
            let text = indent(&wrap(e, 60), "  | ");
            format!("-{}", text.get(1..).unwrap_or_default())
        })
        .collect();
    format!("{name}: FAILED\n{}", indent(&messages.join("\n\n"), "  "))
}

/// What happened with each group.
pub fn no_data_key<T>(results: &[Result<T, String>], threshold: usize) -> String {
    let groups: Vec<String> = results
        .iter()
        .enumerate()
        .map(|(i, result)| match result {
            Ok(_) => format!("Group {i}: SUCCESS"),
            Err(e) => format!("Group {i}: FAILED\n{}", indent(e, "  ")),
        })
        .collect();
    let opened = results.iter().filter(|r| r.is_ok()).count();
    let trailer = if threshold == 0 {
        "Recovery failed because no master key was able to decrypt the file. In order for SOPS to recover the file, at least one key has to be successful, but none were.".to_owned()
    } else {
        format!(
            "Recovery failed because the file was encrypted with a Shamir threshold of {threshold}, but only {opened} part(s) were successfully recovered, one for each successful key group. In order for SOPS to recover the file, at least {threshold} groups have to be successful. In order for a group to be successful, decryption has to succeed with any of the keys in that key group."
        )
    };
    format!(
        "Failed to get the data key required to decrypt the SOPS file.\n\n{}\n\n{}",
        groups.join("\n\n"),
        wrap(&trailer, 75)
    )
}
