//! dotenv: `KEY=value` lines, `#` comments, line breaks in values as `\n`. Quotes mean nothing.

use super::{Error, replace, scalar_text};
use crate::sops::value::{Branch, Comment, Item, Key, Value};

pub fn load(text: &[u8]) -> Result<Vec<Branch>, Error> {
    let mut branch = Vec::new();
    for (n, line) in text.split(|b| *b == b'\n').enumerate() {
        match line {
            [] => {}
            [b'#', comment @ ..] => {
                branch.push(Item::comment(Comment { text: comment.to_vec().into(), inline: false }));
            }
            line => {
                let Some(at) = line.iter().position(|b| *b == b'=') else {
                    return Err(Error::masked(
                        1,
                        format!("invalid dotenv input line: {}", String::from_utf8_lossy(line)),
                        format!("invalid dotenv input line: line {} has no =", n + 1),
                    ));
                };
                let (key, value) = line.split_at(at);
                let value = replace(value.get(1..).unwrap_or_default(), b"\\n", b"\n");
                branch.push(Item { key: Key::Text(key.to_vec()), value: Value::text(value) });
            }
        }
    }
    Ok(vec![branch])
}

pub fn emit(branches: &[Branch]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for Item { key, value } in branches.first().into_iter().flatten() {
        if matches!(value, Value::Branch(_) | Value::List(_)) {
            let key = match key {
                Key::Text(key) => String::from_utf8_lossy(key).into_owned(),
                _ => String::new(),
            };
            return Err(format!("cannot use complex value in dotenv file; offending key {key}").into());
        }
        match key {
            Key::Comment(comment) => {
                out.push(b'#');
                out.extend_from_slice(comment.text.as_bytes());
            }
            Key::Text(key) => {
                out.extend_from_slice(key);
                out.push(b'=');
                let text = scalar_text(value);
                match value {
                    Value::Text(_) => out.extend(replace(text.as_bytes(), b"\n", b"\\n")),
                    _ => out.extend_from_slice(text.as_bytes()),
                }
            }
            Key::Other { shown, .. } => out.extend_from_slice(shown.as_bytes()),
        }
        out.push(b'\n');
    }
    Ok(out)
}
