//! Who we are to a registry: Helm's and Docker's configuration files, credential helpers, and the challenges of RFC 7235.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use docker_credential::DockerCredential;

use crate::source::{Credentials, Secret};

/// How to log in to a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    Basic(String, Secret),
    /// A refresh token, for which the token server gives access tokens.
    Identity(Secret),
    /// An access token as it is.
    Bearer(Secret),
}

impl From<&Credentials> for Login {
    fn from(c: &Credentials) -> Self {
        match c {
            Credentials::Basic { username, password } if username.is_empty() => Self::Identity(password.clone()),
            Credentials::Basic { username, password } => Self::Basic(username.clone(), password.clone()),
            Credentials::Bearer(token) => Self::Bearer(token.clone()),
        }
    }
}

/// A configuration file is some kilobytes; what is larger is none.
const MAX_CONFIG: u64 = 1 << 20;

/// Helm's registry configuration: `HELM_REGISTRY_CONFIG`, or `helm/registry/config.json` in the user's configuration folder.
pub fn helm_config() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("HELM_REGISTRY_CONFIG").or_else(|| {
        let folder = set("HELM_CONFIG_HOME")
            .or_else(|| set("XDG_CONFIG_HOME").map(|d| d.join("helm")))
            .or_else(|| set("HOME").map(|d| d.join(".config/helm")))?;
        Some(folder.join("registry/config.json"))
    })
}

/// Docker's own: `config.json` in `DOCKER_CONFIG` or `~/.docker`.
fn docker_config() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("DOCKER_CONFIG").or_else(|| set("HOME").map(|h| h.join(".docker"))).map(|d| d.join("config.json"))
}

/// What the configuration files say of a registry: Helm's first, then Docker's. Credential helpers are asked.
pub fn configured(helm: Option<&Path>, host: &str) -> Option<Login> {
    let docker = docker_config();
    [helm, docker.as_deref()].into_iter().flatten().find_map(|file| from_file(file, host))
}

/// The key that Docker Hub's credentials stand under.
pub fn key(host: &str) -> &str {
    if matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io") {
        "https://index.docker.io/v1/"
    } else {
        host
    }
}

fn from_file(file: &Path, host: &str) -> Option<Login> {
    let mut text = Vec::new();
    std::fs::File::open(file).ok()?.take(MAX_CONFIG).read_to_end(&mut text).ok()?;
    // The error may quote what a helper printed: it is not shown.
    match docker_credential::get_credential_from_reader(text.as_slice(), key(host)) {
        Ok(DockerCredential::UsernamePassword(user, password)) if user == "<token>" => {
            Some(Login::Identity(Secret::new(password)))
        }
        Ok(DockerCredential::UsernamePassword(user, password)) => Some(Login::Basic(user, Secret::new(password))),
        Ok(DockerCredential::IdentityToken(token)) => Some(Login::Identity(Secret::new(token))),
        Err(_) => None,
    }
}

/// What a registry wants: `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads a header's value; `None` for schemes that are not known. With several schemes in one header the last that is known counts,
    /// as registries name the better one last.
    pub fn parse(header: &str) -> Option<Self> {
        let mut found = None;
        let mut rest = header.trim();
        while !rest.is_empty() {
            let end = rest.find(' ').unwrap_or(rest.len());
            let (scheme, tail) = rest.split_at(end);
            let (parameters, tail) = parameters(tail);
            rest = tail;
            if scheme.eq_ignore_ascii_case("basic") {
                found = Some(Self::Basic);
            } else if scheme.eq_ignore_ascii_case("bearer") {
                let get = |name: &str| parameters.get(name).cloned().filter(|v| !v.is_empty());
                if let Some(realm) = get("realm") {
                    found = Some(Self::Bearer { realm, service: get("service"), scope: get("scope") });
                }
            }
        }
        found
    }
}

/// `name="value", name=value …` up to the next scheme, and what is left.
fn parameters(mut rest: &str) -> (HashMap<String, String>, &str) {
    let mut out = HashMap::new();
    loop {
        rest = rest.trim_start_matches([' ', ',', '\t']);
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        let Some(tail) = tail.strip_prefix('=').filter(|_| !name.is_empty()) else {
            // Not a parameter: the next scheme, or something that is skipped.
            if name.is_empty() {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
                if rest.is_empty() {
                    return (out, rest);
                }
                continue;
            }
            return (out, rest);
        };
        let (value, tail) = value(tail);
        out.insert(name.to_ascii_lowercase(), value);
        rest = tail;
    }
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, tail) = text.split_at(end);
        return (value.to_string(), tail);
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            c => out.push(c),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.into(),
                service: service.map(String::from),
                scope: scope.map(String::from),
            })
        };
        for (header, want) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a:pull,push\"",
                bearer("https://a/t", Some("s"), Some("repository:a:pull,push")),
            ),
            ("Bearer realm=https://a/t", bearer("https://a/t", None, None)),
            ("Basic realm=\"x\", Bearer realm=\"https://a/t\"", bearer("https://a/t", None, None)),
            ("Bearer service=\"s\"", None),
            ("Negotiate", None),
            ("Bearer realm=\"unclosed", bearer("unclosed", None, None)),
            ("Bearer realm=\"a\\\"b\"", bearer("a\"b", None, None)),
            ("", None),
            ("=,=\"", None),
            ("é é=ü", None),
        ] {
            assert_eq!(Challenge::parse(header), want, "{header}");
        }
    }
}
