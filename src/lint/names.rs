//! The names that Kubernetes allows, by kind of object.
//!
//! Source: Helm 4.3 `pkg/chart/v2/lint/rules/template.go` (`validateMetadataNameFunc`), k8s.io/apimachinery 0.37 `pkg/api/validate/content`.

use crate::golang::strconv;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

/// # Errors
/// `object name does not conform to Kubernetes naming requirements: "": metadata.name: Invalid value: "": …`.
pub(super) fn check(kind: &str, name: &str) -> Result<(), String> {
    let wrong = match kind.to_lowercase().as_str() {
        "service" => dns_1035_label(name),
        "namespace" => dns_1123_label(name),
        "certificatesigningrequest" => Vec::new(),
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => path_segment(name),
        _ => dns_1123_subdomain(name),
    };
    let quoted = strconv::quote(name.as_bytes());
    let mut told: Vec<String> = Vec::new();
    for text in wrong {
        told.push(format!("metadata.name: Invalid value: {quoted}: {text}"));
    }
    let all = match told.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Err(format!("object name does not conform to Kubernetes naming requirements: {quoted}: {all}"))
}

/// A label whose first character is one of these.
fn is_label(text: &str, first: impl Fn(u8) -> bool) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|b| first(*b))
        && bytes.last().is_some_and(|b| alphanumeric(*b))
        && bytes.iter().all(|b| alphanumeric(*b) || *b == b'-')
}

/// Whether a text is a label of DNS, as most names of Kubernetes are made of.
pub fn is_1123_label(text: &str) -> bool {
    is_label(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn too_long(name: &str, max: usize) -> Vec<String> {
    if name.len() > max { vec![format!("must be no more than {max} characters")] } else { Vec::new() }
}

fn dns_1123_subdomain(name: &str) -> Vec<String> {
    let mut wrong = too_long(name, 253);
    if !name.split('.').all(is_1123_label) {
        wrong.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end \
             with an alphanumeric character (e.g. 'example.com', regex used for validation is '{LABEL}(\\.{LABEL})*')"
        ));
    }
    wrong
}

fn dns_1123_label(name: &str) -> Vec<String> {
    let mut wrong = too_long(name, 63);
    if is_1123_label(name) {
        return wrong;
    }
    if name.split('.').all(is_1123_label) {
        wrong.push("must not contain dots".into());
    } else {
        wrong.push(format!(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
             alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
        ));
    }
    wrong
}

fn dns_1035_label(name: &str) -> Vec<String> {
    let mut wrong = too_long(name, 63);
    if !is_label(name, |b| b.is_ascii_lowercase()) {
        wrong.push(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end \
             with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                .into(),
        );
    }
    wrong
}

fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"].iter().filter(|s| name.contains(**s)).map(|s| format!("may not contain '{s}'")).collect()
}
