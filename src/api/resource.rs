//! What makes a Rust struct an object of the Kubernetes API, and the CustomResourceDefinition that serves it.
//!
//! kube's derive would do for most. Ours reads an object without `spec` as one with an empty spec, as Go does, since Flux's schemas let it
//! pass: one such object must not keep a controller from reading all the others.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::schema::structural;

/// A column that `kubectl get` prints.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub path: &'static str,
    /// `string` or `date`.
    pub form: &'static str,
}

impl Column {
    pub const AGE: Self = Self { name: "Age", path: ".metadata.creationTimestamp", form: "date" };
    pub const READY: Self = Self::text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#);
    pub const STATUS: Self = Self::text("Status", r#".status.conditions[?(@.type=="Ready")].message"#);
    pub const URL: Self = Self::text("URL", ".spec.url");

    pub const fn text(name: &'static str, path: &'static str) -> Self {
        Self { name, path, form: "string" }
    }
}

/// What a kind is called and how it is shown. Every kind here has a namespace, one version, and a status of its own.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub short: &'static [&'static str],
    pub categories: &'static [&'static str],
    pub columns: &'static [Column],
    pub annotations: &'static [(&'static str, &'static str)],
    /// A new object has `status.observedGeneration` -1, so that no tool takes it for settled.
    pub unobserved: bool,
}

impl Definition {
    /// The definition's name and the definition, with the schemas of spec and status.
    pub fn with_schemas<Spec: JsonSchema, Status: JsonSchema>(&self, description: &str) -> (String, Value) {
        let mut status = structural::<Status>();
        if self.unobserved {
            status["default"] = json!({"observedGeneration": -1});
        }
        let columns: Vec<Value> =
            self.columns.iter().map(|c| json!({"name": c.name, "jsonPath": c.path, "type": c.form})).collect();
        let name = format!("{}.{}", self.plural, self.group);
        let mut metadata = json!({"name": name});
        if !self.annotations.is_empty() {
            let annotations: Map<String, Value> =
                self.annotations.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            metadata["annotations"] = annotations.into();
        }
        let mut names = json!({
            "kind": self.kind,
            "listKind": format!("{}List", self.kind),
            "plural": self.plural,
            "singular": self.kind.to_lowercase(),
            "categories": self.categories,
        });
        if !self.short.is_empty() {
            names["shortNames"] = json!(self.short);
        }
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": metadata,
            "spec": {
                "group": self.group,
                "names": names,
                "scope": "Namespaced",
                "versions": [{
                    "name": self.version,
                    "served": true,
                    "storage": true,
                    "additionalPrinterColumns": columns,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {
                        "description": description,
                        "type": "object",
                        "properties": {
                            "apiVersion": {"description": "Version of the object's form.", "type": "string"},
                            "kind": {"description": "Kind of the object.", "type": "string"},
                            "metadata": {"type": "object"},
                            "spec": structural::<Spec>(),
                            "status": status,
                        },
                    }},
                }],
            },
        });
        (name, definition)
    }
}

/// Makes the struct of a kind with `metadata`, `spec` and `status`, for use with `kube::Api`.
macro_rules! resource {
    ($(#[doc = $doc:literal])+ $name:ident($spec:ty, $status:ty) = $definition:expr) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
        pub struct $name {
            #[serde(default)]
            pub metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
            #[serde(default)]
            pub spec: $spec,
            #[serde(default)]
            pub status: $status,
        }

        impl $name {
            /// What the kind is called and how it is shown.
            pub const DEFINITION: $crate::api::resource::Definition = $definition;

            /// An object to be created.
            pub fn new(namespace: &str, name: &str, spec: $spec) -> Self {
                let metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                    name: Some(name.into()),
                    namespace: Some(namespace.into()),
                    ..Default::default()
                };
                Self { metadata, spec, status: Default::default() }
            }

            /// The CustomResourceDefinition, by name.
            pub fn definition() -> (String, serde_json::Value) {
                Self::DEFINITION.with_schemas::<$spec, $status>(concat!($($doc),+).trim())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let status = self.status != <$status>::default();
                let mut out = serializer.serialize_struct(stringify!($name), 4 + usize::from(status))?;
                out.serialize_field("apiVersion", &<Self as kube::Resource>::api_version(&()))?;
                out.serialize_field("kind", Self::DEFINITION.kind)?;
                out.serialize_field("metadata", &self.metadata)?;
                out.serialize_field("spec", &self.spec)?;
                if status {
                    out.serialize_field("status", &self.status)?;
                }
                out.end()
            }
        }

        impl kube::Resource for $name {
            type DynamicType = ();
            type Scope = kube::core::NamespaceResourceScope;

            fn kind(_: &()) -> std::borrow::Cow<'_, str> {
                Self::DEFINITION.kind.into()
            }

            fn group(_: &()) -> std::borrow::Cow<'_, str> {
                Self::DEFINITION.group.into()
            }

            fn version(_: &()) -> std::borrow::Cow<'_, str> {
                Self::DEFINITION.version.into()
            }

            fn plural(_: &()) -> std::borrow::Cow<'_, str> {
                Self::DEFINITION.plural.into()
            }

            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

pub(crate) use resource;
