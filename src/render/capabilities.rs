//! `.Capabilities`: what the cluster can do, or, offline, what Helm assumes of one.
//!
//! Helm 4.3 takes the offline Kubernetes version from the client library it was built with, and every group and version of that
//! library's scheme as the API versions (`pkg/chart/common/capabilities.go`). Those facts are fixed in [`Compat`].

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::value::{Elem, Heap, Kind, List, Object, ObjectRef, Value};

use super::compat::Compat;

/// A Kubernetes version as templates see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// As it was given, with a leading `v`: `v1.33.4-gke.1245000`.
    pub version: String,
    /// Without suffixes, for constraints: `v1.33.4`.
    pub normalized: String,
    pub major: String,
    pub minor: String,
}

impl KubeVersion {
    /// `String()`: without suffixes, but as it was given where that is not known.
    fn text(&self) -> &str {
        if self.normalized.is_empty() { &self.version } else { &self.normalized }
    }

    /// As `deepCopy` has it: what is in the unexported field is lost.
    fn deep_copied(&self) -> Self {
        Self { normalized: String::new(), ..self.clone() }
    }

    /// Parses as Kubernetes' `version.ParseGeneric` does: two or three numeric parts, anything behind them kept but ignored.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = parse_generic(text)?;
        let version = if text.starts_with('v') { text.to_string() } else { format!("v{text}") };
        let parts: Vec<String> = parsed.iter().map(ToString::to_string).collect();
        Ok(Self {
            version,
            normalized: format!("v{}", parts.join(".")),
            major: parts[0].clone(),
            minor: parts[1].clone(),
        })
    }
}

/// The numeric parts of a generic version, at least two.
/// Source: `k8s.io/apimachinery/pkg/util/version` (`parse(str, false)`).
fn parse_generic(text: &str) -> Result<Vec<u64>, String> {
    let no_match = || format!("could not parse {} as version", crate::golang::strconv::quote(text.as_bytes()));
    let s = text.trim_matches([' ', '\t', '\n', '\r']);
    let s = s.strip_prefix('v').unwrap_or(s);
    // ^\s*v?([0-9]+(?:\.[0-9]+)*)(.*)*$
    let end = s.bytes().position(|b| !b.is_ascii_digit() && b != b'.').unwrap_or(s.len());
    let mut numbers = &s[..end];
    while let Some(cut) = numbers.strip_suffix('.') {
        numbers = cut;
    }
    if let Some(i) = numbers.find("..") {
        numbers = &numbers[..i];
    }
    if numbers.is_empty() || numbers.starts_with('.') {
        return Err(no_match());
    }
    let components: Vec<&str> = numbers.split('.').collect();
    if components.len() < 2 {
        return Err(format!("illegal version string {}", crate::golang::strconv::quote(text.as_bytes())));
    }
    let mut parts = Vec::new();
    for (i, c) in components.into_iter().enumerate() {
        if i == 0 && c.len() > 1 && c.starts_with('0') {
            return Err(format!("illegal zero-prefixed version component {c:?} in {text:?}"));
        }
        let n: u64 = c
            .parse()
            .map_err(|_| format!(
                "illegal non-numeric version component {c:?} in {text:?}: strconv.ParseUint: parsing {c:?}: value out of range"
            ))?;
        parts.push(n);
    }
    Ok(parts)
}

/// `.Capabilities`, shared by all charts of a render.
#[derive(Clone, Debug)]
pub struct Capabilities {
    pub kube_version: KubeVersion,
    pub api_versions: Arc<Vec<String>>,
    pub compat: Compat,
    /// Told what templates ask, where somebody wants to know.
    pub asked: Option<Arc<Asked>>,
}

/// What templates have asked of the capabilities: an answer that changes matters only to who asked.
#[derive(Debug, Default)]
pub struct Asked(Mutex<Questions>);

/// See [`Asked`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    pub kube_version: bool,
    /// The whole list of API versions.
    pub list: bool,
    /// What `APIVersions.Has` was asked for.
    pub has: BTreeSet<String>,
}

impl Asked {
    /// What has been asked so far.
    pub fn questions(&self) -> Questions {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(asked: Option<&Arc<Self>>, write: impl FnOnce(&mut Questions)) {
        if let Some(asked) = asked {
            write(&mut asked.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Capabilities {
    /// What Helm assumes without a cluster, with `--kube-version` and `--api-versions` applied.
    pub fn offline(compat: Compat, kube_version: Option<KubeVersion>, extra_apis: &[String]) -> Self {
        let mut apis: Vec<String> = compat.api_versions().iter().map(ToString::to_string).collect();
        apis.extend(extra_apis.iter().cloned());
        Self {
            kube_version: kube_version.unwrap_or_else(|| compat.kube_version()),
            api_versions: Arc::new(apis),
            compat,
            asked: None,
        }
    }

    fn versions(&self) -> VersionSet {
        VersionSet { versions: self.api_versions.clone(), asked: self.asked.clone() }
    }

    fn note_kube_version(&self) {
        Asked::note(self.asked.as_ref(), |q| q.kube_version = true);
    }
}

/// `*common.Capabilities`.
#[derive(Debug)]
pub struct CapabilitiesObject(pub Arc<Capabilities>);

impl Object for CapabilitiesObject {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn go_type(&self) -> Cow<'static, str> {
        "*common.Capabilities".into()
    }
    fn kind(&self) -> Kind {
        Kind::Ptr
    }
    fn field(&self, heap: &mut Heap, name: &str) -> Option<Value> {
        match name {
            "KubeVersion" => {
                self.0.note_kube_version();
                Some(Value::object(KubeVersionObject { version: self.0.kube_version.clone(), addressable: true }))
            }
            "APIVersions" => Some(Value::object(self.0.versions())),
            "HelmVersion" => Some(Value::object(BuildInfo::of(self.0.compat))),
            _ => {
                let _ = heap;
                None
            }
        }
    }
    fn method(&self, _heap: &mut Heap, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        (name == "Copy").then(|| no_args(name, args).map(|()| Value::object(Self(self.0.clone()))))
    }
    fn fields(&self, heap: &mut Heap) -> Vec<(&'static str, Value)> {
        ["KubeVersion", "APIVersions", "HelmVersion"]
            .into_iter()
            .filter_map(|n| Some((n, copied(self.field(heap, n)?))))
            .collect()
    }
    fn json_fields(&self, _heap: &mut Heap) -> Option<Vec<(&'static str, Value)>> {
        self.0.note_kube_version();
        Some(vec![
            (
                "KubeVersion",
                Value::object(KubeVersionObject { version: self.0.kube_version.clone(), addressable: false }),
            ),
            ("APIVersions", Value::object(self.0.versions())),
            ("HelmVersion", Value::object(BuildInfo::of(self.0.compat))),
        ])
    }
    fn deep_copied(&self) -> Option<ObjectRef> {
        let copy = Capabilities { kube_version: self.0.kube_version.deep_copied(), ..Capabilities::clone(&self.0) };
        Some(Arc::new(Self(Arc::new(copy))))
    }
}

/// A struct copied out of an interface is no longer addressable: its pointer methods are gone.
fn copied(v: Value) -> Value {
    if let Value::Object(o) = &v
        && let Some(k) = o.as_any().downcast_ref::<KubeVersionObject>()
    {
        return Value::object(KubeVersionObject { version: k.version.clone(), addressable: false });
    }
    v
}

fn no_args(name: &str, args: &[Value]) -> Result<(), String> {
    if args.is_empty() { Ok(()) } else { Err(format!("wrong number of args for {name}: want 0 got {}", args.len())) }
}

/// `common.KubeVersion`: it prints itself through `String()` only where Go can take its address, that is directly behind
/// `.Capabilities`; handed to a function it has been copied and prints as a struct.
#[derive(Debug, Clone)]
pub struct KubeVersionObject {
    pub version: KubeVersion,
    pub addressable: bool,
}

impl Object for KubeVersionObject {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn go_type(&self) -> Cow<'static, str> {
        "common.KubeVersion".into()
    }
    fn field(&self, _heap: &mut Heap, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(Value::str(&self.version.version)),
            "Major" => Some(Value::str(&self.version.major)),
            "Minor" => Some(Value::str(&self.version.minor)),
            _ => None,
        }
    }
    fn method(&self, _heap: &mut Heap, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        match name {
            _ if !self.addressable => None,
            "String" => Some(no_args(name, args).map(|()| Value::str(self.version.text()))),
            "GitVersion" => Some(no_args(name, args).map(|()| Value::str(&self.version.version))),
            _ => None,
        }
    }
    fn method_params(&self, name: &str) -> Option<&'static [&'static str]> {
        (self.addressable && matches!(name, "String" | "GitVersion")).then_some(&[])
    }
    fn copied(&self) -> Option<ObjectRef> {
        self.addressable.then(|| Arc::new(Self { version: self.version.clone(), addressable: false }) as ObjectRef)
    }
    fn string(&self) -> Option<String> {
        self.addressable.then(|| self.version.text().to_owned())
    }
    fn fields(&self, _heap: &mut Heap) -> Vec<(&'static str, Value)> {
        vec![
            ("Version", Value::str(&self.version.version)),
            ("normalizedVersion", Value::str(&self.version.normalized)),
            ("Major", Value::str(&self.version.major)),
            ("Minor", Value::str(&self.version.minor)),
        ]
    }
    fn json_fields(&self, _heap: &mut Heap) -> Option<Vec<(&'static str, Value)>> {
        Some(vec![
            ("Version", Value::str(&self.version.version)),
            ("Major", Value::str(&self.version.major)),
            ("Minor", Value::str(&self.version.minor)),
        ])
    }
    fn deep_copied(&self) -> Option<ObjectRef> {
        Some(Arc::new(Self { version: self.version.deep_copied(), addressable: self.addressable }))
    }
}

/// `common.VersionSet`: a `[]string` with `Has`.
#[derive(Debug)]
pub struct VersionSet {
    pub versions: Arc<Vec<String>>,
    asked: Option<Arc<Asked>>,
}

impl VersionSet {
    fn all(&self) -> &[String] {
        Asked::note(self.asked.as_ref(), |q| q.list = true);
        &self.versions
    }
}

impl Object for VersionSet {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn go_type(&self) -> Cow<'static, str> {
        "common.VersionSet".into()
    }
    fn kind(&self) -> Kind {
        Kind::Slice
    }
    fn truth(&self) -> bool {
        !self.versions.is_empty()
    }
    fn method(&self, _heap: &mut Heap, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        if name != "Has" {
            return None;
        }
        Some(match args {
            [Value::Str(s)] => {
                Asked::note(self.asked.as_ref(), |q| _ = q.has.insert(s.to_text().into_owned()));
                Ok(Value::Bool(self.versions.iter().any(|v| *s == v.as_str())))
            }
            [other] => Err(format!("wrong type for value; expected string; got {}", other.kind().name())),
            _ => Err(format!("wrong number of args for Has: want 1 got {}", args.len())),
        })
    }
    fn method_params(&self, name: &str) -> Option<&'static [&'static str]> {
        (name == "Has").then_some(&["string"])
    }
    fn json(&self, heap: &mut Heap) -> Value {
        Value::List(heap.strings(self.all().iter().map(String::as_str)))
    }
    fn part(&self, start: usize, end: usize) -> Option<Value> {
        let versions = self.all().get(start..end)?.to_vec();
        // All were asked for already.
        Some(Value::object(Self { versions: Arc::new(versions), asked: None }))
    }
    fn elements(&self, _heap: &mut Heap) -> Option<Vec<(Value, Value)>> {
        Some(self.all().iter().enumerate().map(|(i, v)| (Value::Int(i as i64), Value::str(v))).collect())
    }
}

/// `version.BuildInfo`: which program this is.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    pub version: &'static str,
    pub go_version: &'static str,
    /// Of client-go, as the minor version of Kubernetes: `v1.37`.
    pub kube_client_version: &'static str,
}

impl BuildInfo {
    /// What Helm says of itself.
    const fn of(compat: Compat) -> Self {
        Self {
            version: compat.helm_version(),
            go_version: compat.go_version(),
            kube_client_version: compat.kube_client_version(),
        }
    }

    fn pairs(self) -> [(&'static str, &'static str, &'static str); 5] {
        [
            ("Version", "version", self.version),
            ("GitCommit", "git_commit", ""),
            ("GitTreeState", "git_tree_state", ""),
            ("GoVersion", "go_version", self.go_version),
            ("KubeClientVersion", "kube_client_version", self.kube_client_version),
        ]
    }
}

impl Object for BuildInfo {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn go_type(&self) -> Cow<'static, str> {
        "version.BuildInfo".into()
    }
    fn field(&self, _heap: &mut Heap, name: &str) -> Option<Value> {
        self.pairs().into_iter().find(|p| p.0 == name).map(|p| Value::str(p.2))
    }
    fn fields(&self, _heap: &mut Heap) -> Vec<(&'static str, Value)> {
        self.pairs().into_iter().map(|p| (p.0, Value::str(p.2))).collect()
    }
    fn json_fields(&self, _heap: &mut Heap) -> Option<Vec<(&'static str, Value)>> {
        // Every field is `omitempty`.
        Some(self.pairs().into_iter().filter(|p| !p.2.is_empty()).map(|p| (p.1, Value::str(p.2))).collect())
    }
}

/// A `[]interface {}` of strings, as Helm's struct-to-map conversion makes of `[]string` fields.
pub(super) fn any_list(heap: &mut Heap, items: impl IntoIterator<Item = String>) -> Value {
    let items = items.into_iter().map(Value::from).collect();
    Value::List(heap.add_list(List { elem: Elem::Any, nil: false, items }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kube_versions_keep_their_suffix_and_lose_it_for_constraints() {
        for (text, version, normalized) in [
            ("1.30.4-gke.5", "v1.30.4-gke.5", "v1.30.4"),
            ("v1.29", "v1.29", "v1.29"),
            ("1.34.0", "v1.34.0", "v1.34.0"),
            ("v1.22.0+k3s1", "v1.22.0+k3s1", "v1.22.0"),
        ] {
            let v = KubeVersion::parse(text).unwrap();
            assert_eq!((v.version.as_str(), v.normalized.as_str()), (version, normalized), "{text}");
        }
        assert!(KubeVersion::parse("1").is_err());
        assert!(KubeVersion::parse("x").is_err());
    }
}
