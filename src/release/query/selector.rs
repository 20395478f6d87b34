//! Selectors of labels, as `kubectl -l` has them. Source: `k8s.io/apimachinery/pkg/labels/selector.go`.

use std::collections::{BTreeMap, BTreeSet};

/// What an object's labels must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    Exists,
    DoesNotExist,
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Greater(i64),
    Less(i64),
}

/// A text that is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse requirement: {0}")]
pub struct SelectorError(String);

impl Selector {
    /// Reads `a=1,b!=2,c,!d,e in (f, g),h notin (i),j>1`.
    ///
    /// # Errors
    /// What does not fit.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let tokens = tokens(text);
        let mut at = 0;
        let mut out = Vec::new();
        let bad = |found: &str, expected: &str| Err(SelectorError(format!("found '{found}', expected: {expected}")));
        while at < tokens.len() {
            let token = |i: usize| tokens.get(i).map(String::as_str).unwrap_or_default();
            let negated = token(at) == "!";
            at += usize::from(negated);
            let key = token(at);
            if key.is_empty() || is_symbol(key) {
                return bad(key, "!, identifier, or 'end of string'");
            }
            at += 1;
            let operator = match token(at) {
                "" | "," => {
                    if negated {
                        Operator::DoesNotExist
                    } else {
                        Operator::Exists
                    }
                }
                found if negated => return bad(found, "',' or 'end of string'"),
                operator @ ("=" | "==" | "!=" | ">" | "<") => {
                    at += 1;
                    let value = match token(at) {
                        "" | "," => String::new(),
                        value if is_symbol(value) => return bad(value, "identifier"),
                        value => {
                            at += 1;
                            value.to_string()
                        }
                    };
                    match operator {
                        "!=" => Operator::NotIn(BTreeSet::from([value])),
                        "=" | "==" => Operator::In(BTreeSet::from([value])),
                        _ => {
                            let number = value.parse().map_err(|_| {
                                SelectorError(format!(
                                    "values[0][{key}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"
                                ))
                            })?;
                            if operator == ">" { Operator::Greater(number) } else { Operator::Less(number) }
                        }
                    }
                }
                operator @ ("in" | "notin") => {
                    at += 1;
                    if token(at) != "(" {
                        return bad(token(at), "'('");
                    }
                    at += 1;
                    let mut values = BTreeSet::new();
                    let mut value = String::new();
                    loop {
                        match token(at) {
                            ")" => {
                                at += 1;
                                values.insert(value);
                                break;
                            }
                            "," => values.insert(std::mem::take(&mut value)),
                            "" => return bad("", "',', ')' or identifier"),
                            text => {
                                value = text.to_string();
                                true
                            }
                        };
                        at += 1;
                    }
                    if operator == "in" { Operator::In(values) } else { Operator::NotIn(values) }
                }
                found => return bad(found, "in, notin, =, ==, !=, gt, lt"),
            };
            out.push(Requirement { key: key.to_string(), operator });
            match token(at) {
                "" => break,
                "," => {
                    at += 1;
                    if at >= tokens.len() {
                        return bad("", "identifier after ','");
                    }
                }
                found => return bad(found, "',' or 'end of string'"),
            }
        }
        Ok(Self(out))
    }

    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|r| {
            let value = labels.get(&r.key);
            let number = || value.and_then(|v| v.parse::<i64>().ok());
            match &r.operator {
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
                Operator::In(values) => value.is_some_and(|v| values.contains(v)),
                Operator::NotIn(values) => value.is_none_or(|v| !values.contains(v)),
                Operator::Greater(n) => number().is_some_and(|v| v > *n),
                Operator::Less(n) => number().is_some_and(|v| v < *n),
            }
        })
    }
}

fn is_symbol(token: &str) -> bool {
    matches!(token, "!" | "," | "(" | ")" | "=" | "==" | "!=" | ">" | "<")
}

fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            ' ' | '\t' | '\r' | '\n' => {
                chars.next();
            }
            ',' | '(' | ')' | '>' | '<' => {
                chars.next();
                out.push(c.to_string());
            }
            '!' | '=' => {
                chars.next();
                let twice = chars.next_if_eq(&'=').is_some();
                out.push(if twice { format!("{c}=") } else { c.to_string() });
            }
            _ => {
                let mut word = String::new();
                while let Some(c) = chars.next_if(|c| !" \t\r\n,()><!=".contains(*c)) {
                    word.push(c);
                }
                out.push(word);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_selected_as_kubectl_does() {
        let labels: BTreeMap<String, String> =
            [("app", "web"), ("tier", "x"), ("n", "5")].map(|(k, v)| (k.into(), v.into())).into();
        for (text, want) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=y", true),
            ("app = db", false),
            ("missing!=x", true),
            ("app", true),
            ("!app", false),
            ("!missing", true),
            ("app in (db, web)", true),
            ("app notin (db,web)", false),
            ("missing notin (a)", true),
            ("n>4,n<6", true),
            ("n>5", false),
            ("app=", false),
        ] {
            assert_eq!(Selector::parse(text).map(|s| s.matches(&labels)), Ok(want), "{text}");
        }
        for text in ["=", "a b", "a in b", "a in (b", ",", "a,", "n>x", "!a=b"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}
