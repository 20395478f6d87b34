//! The forms in which a secret could slip out, and the canaries that stand for secrets in tests.
#![allow(dead_code)]

use base64::Engine as _;
use sha2::Digest as _;

/// What tests put where secrets stand. `tests/canaries.sh` looks for all of them in what the whole suite logs and prints.
pub const ALL: [&str; 13] = [
    "canary-secret",
    "canary-token",
    "canary-password",
    "canary-plain",
    "canary-wrong",
    "canary/Quail+7 é\"x",
    "canaryOsprey-0123456789",
    "Canary Wren\tsecond",
    "4815162342108",
    "-grey-wing-and-white-tail",
    "-wagtail-in-kebab_case",
    "s3cr3t-t0ken",
    "of-the-collector",
];

pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

pub fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The forms of a value, with their names.
pub fn forms_of(value: &str) -> Vec<(&'static str, String)> {
    let bytes = value.as_bytes();
    let mut out =
        vec![("raw", value.to_owned()), ("upper case", value.to_uppercase()), ("lower case", value.to_lowercase())];
    for line in value.lines().map(str::trim).filter(|l| l.len() > 3) {
        out.push(("a line", line.to_owned()));
        out.push(("a line backwards", line.chars().rev().collect()));
    }
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    // Base64 at each of its three alignments, without the ends that depend on neighbours.
    for skip in 0..3 {
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&bytes[skip..]);
            let inner = text.get(..text.len() - text.len().min(2)).unwrap_or_default();
            if inner.len() > 5 {
                out.push(("base64", inner.to_owned()));
            }
        }
    }
    out.extend([("hex", hex(bytes)), ("hex", hex(bytes).to_uppercase())]);
    let url = |space: &str| -> String {
        let one = |b: &u8| match b {
            b' ' => space.to_owned(),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(b) => char::from(*b).to_string(),
            b => format!("%{b:02X}"),
        };
        bytes.iter().map(one).collect()
    };
    out.extend([("URL", url("+")), ("URL", url("%20")), ("URL", url("%20").to_lowercase())]);
    let json = quoted(value).trim_matches('"').to_owned();
    let json = json.as_str();
    for text in [json.to_owned(), json.replace('é', "\\u00e9").replace('☃', "\\u2603"), json.replace('é', "\\xE9")]
    {
        out.push(("JSON", text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")));
        out.push(("escapes twice", quoted(&text).trim_matches('"').to_owned()));
        out.push(("JSON", text));
    }
    out.push(("YAML", value.replace('\'', "''")));
    out.push(("HTML", value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;")));
    for text in [value.to_owned(), format!("{value}\n"), base64(value), json.to_owned(), format!("\"{json}\"")] {
        for sum in
            [hex(&sha2::Sha256::digest(&text)), hex(&sha2::Sha512::digest(&text)), hex(&sha1::Sha1::digest(&text))]
        {
            // Shortened hashes tell as much.
            out.push(("a hash", sum[..12].to_owned()));
        }
    }
    out
}
