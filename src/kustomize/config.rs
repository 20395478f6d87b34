//! The field specs in force: kustomize's defaults ([`defaults.txt`](defaults.txt)) with what `configurations` and `crds` add.

use std::sync::{Arc, OnceLock};

use super::decode::{Decoder, Fields};
use super::error::{Error, Result};
use super::fieldspec::{FieldSpec, find, merge_all};
use super::ids::Gvk;
use super::json::Json;

/// Which kinds refer to which (`NameBackReferences`).
#[derive(Clone, Debug, PartialEq)]
pub struct NameReference {
    /// What is referred to.
    pub gvk: Gvk,
    /// Where it is referred to.
    pub referrers: Vec<FieldSpec>,
}

/// `TransformerConfig`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub name_prefix: Vec<FieldSpec>,
    pub name_suffix: Vec<FieldSpec>,
    pub namespace: Vec<FieldSpec>,
    pub common_labels: Vec<FieldSpec>,
    pub labels: Vec<FieldSpec>,
    pub template_labels: Vec<FieldSpec>,
    pub common_annotations: Vec<FieldSpec>,
    pub name_reference: Vec<NameReference>,
    pub var_reference: Vec<FieldSpec>,
    pub images: Vec<FieldSpec>,
    pub replicas: Vec<FieldSpec>,
}

/// The sections of `defaults.txt` and of configuration files: the list of each, its name, and what errors call it.
macro_rules! sections {
    ($($field:ident $name:literal $label:literal),* $(,)?) => {
        const SECTIONS: &[(&str, &str)] = &[$(($name, $label)),*];

        impl Config {
            fn list(&self, section: &str) -> &[FieldSpec] {
                match section {
                    $($name => &self.$field,)*
                    _ => &[],
                }
            }

            fn list_mut(&mut self, section: &str) -> Option<&mut Vec<FieldSpec>> {
                match section {
                    $($name => Some(&mut self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

sections! {
    name_prefix "namePrefix" "NamePrefix",
    name_suffix "nameSuffix" "NameSuffix",
    namespace "namespace" "NameSpace",
    common_annotations "commonAnnotations" "CommonAnnotations",
    common_labels "commonLabels" "CommonLabels",
    labels "labels" "Labels",
    template_labels "templateLabels" "TemplateLabels",
    var_reference "varReference" "VarReference",
    images "images" "Images",
    replicas "replicas" "Replicas",
}

fn sort(specs: &mut [FieldSpec]) {
    specs.sort_by(|a, b| a.gvk.compare(&b.gvk));
}

impl Config {
    fn sort(&mut self) {
        for (name, _) in SECTIONS {
            if let Some(list) = self.list_mut(name) {
                sort(list);
            }
        }
        self.name_reference.sort_by(|a, b| a.gvk.compare(&b.gvk));
    }

    /// The defaults as they stand after they were merged into nothing once, which is what every build begins with. It changes nothing in them: a
    /// test merges them.
    pub fn default_merged() -> Arc<Self> {
        static DEFAULT: OnceLock<Arc<Config>> = OnceLock::new();
        DEFAULT.get_or_init(|| Arc::new(Self::parse_defaults())).clone()
    }

    fn parse_defaults() -> Self {
        let mut config = Self::default();
        let mut section = "";
        let gvk = |text: &str| {
            let mut parts = text.split('|').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            Gvk { group: next(), version: next(), kind: next() }
        };
        for line in include_str!("defaults.txt").lines().filter(|l| !l.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["nameReference", target] => {
                    section = "nameReference";
                    config.name_reference.push(NameReference { gvk: gvk(target), referrers: Vec::new() });
                }
                [name] => section = name,
                [kind, path, ref create @ ..] => {
                    let spec = FieldSpec::new(gvk(kind), path, *create == ["create"]);
                    match config.name_reference.last_mut() {
                        Some(last) if section == "nameReference" => last.referrers.push(spec),
                        _ => config.list_mut(section).into_iter().for_each(|list| list.push(spec.clone())),
                    }
                }
                [] => {}
            }
        }
        config.sort();
        config
    }

    /// Whether adding another one would add nothing, as [`Config::merged`] would find; with its errors. This is told at a fraction of the cost.
    pub fn covers(&self, other: &Self) -> Result<bool> {
        for (name, label) in SECTIONS {
            let own = self.list(name);
            for spec in other.list(name) {
                match find(own, spec).map_err(|e| e.wrap(format!("failed to merge {label} fieldSpec")))? {
                    Some(_) => {}
                    None => return Ok(false),
                }
            }
        }
        for reference in &other.name_reference {
            let mut found = false;
            for own in self.name_reference.iter().filter(|own| own.gvk == reference.gvk) {
                for spec in &reference.referrers {
                    let spec = find(&own.referrers, spec);
                    if spec.map_err(|e| e.wrap("failed to merge NameReference fieldSpec"))?.is_none() {
                        return Ok(false);
                    }
                }
                found = true;
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// This with another one added (`Merge`).
    pub fn merged(&self, other: &Self) -> Result<Self> {
        let mut out = self.clone();
        for (name, label) in SECTIONS {
            if let Some(list) = out.list_mut(name) {
                merge_all(list, other.list(name)).map_err(|e| e.wrap(format!("failed to merge {label} fieldSpec")))?;
            }
        }
        for reference in &other.name_reference {
            out.add_name_reference(reference).map_err(|e| e.wrap("failed to merge NameReference fieldSpec"))?;
        }
        out.sort();
        Ok(out)
    }

    pub fn add_name_reference(&mut self, reference: &NameReference) -> Result<()> {
        let mut found = false;
        for own in self.name_reference.iter_mut().filter(|own| own.gvk == reference.gvk) {
            merge_all(&mut own.referrers, &reference.referrers)?;
            found = true;
        }
        if !found {
            self.name_reference.push(reference.clone());
        }
        Ok(())
    }

    /// From a configuration file. Errors are kustomize's texts.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let json =
            super::read::to_json_strict(text).map_err(|e| Error::new(format!("error converting YAML to JSON: {e}")))?;
        let mut decoder = Decoder::new(true, true);
        let mut config = Self::default();
        decoder.root(&json, "TransformerConfig", &mut |fields: &mut Fields<'_, '_>| {
            for (name, _) in SECTIONS {
                fields.list(name, "types.FsSlice", "FieldSpec", &mut |f| {
                    let spec = field_spec(f);
                    config.list_mut(name).into_iter().for_each(|list| list.push(spec.clone()));
                });
            }
            fields.list("nameReference", "builtinconfig.nbrSlice", "NameBackReferences", &mut |f| {
                let gvk = gvk(f);
                let mut referrers = Vec::new();
                f.list("fieldSpecs", "types.FsSlice", "FieldSpec", &mut |f| referrers.push(field_spec(f)));
                config.name_reference.push(NameReference { gvk, referrers });
            });
        });
        decoder.finish().map_err(|e| Error::new(format!("error unmarshaling JSON: while decoding JSON: {e}")))?;
        config.sort();
        Ok(config)
    }
}

pub fn gvk(f: &mut Fields<'_, '_>) -> Gvk {
    f.embed("Gvk", &mut |f| Gvk { group: f.string("group"), version: f.string("version"), kind: f.string("kind") })
}

pub fn field_spec(f: &mut Fields<'_, '_>) -> FieldSpec {
    let gvk = gvk(f);
    FieldSpec::new(gvk, &f.string("path"), f.bool("create"))
}

/// The field specs that an OpenAPI document of custom resources adds (`crds`).
pub fn from_crds(text: &[u8]) -> Result<Config> {
    let json = match text.first() {
        None => return Err(Error::new("the file is empty")),
        Some(b'{') => {
            let json = Json::decode(text)?;
            definitions(&json)?;
            json
        }
        Some(_) => {
            let json =
                super::read::to_json(text).map_err(|e| Error::new(format!("error converting YAML to JSON: {e}")))?;
            definitions(&json).map_err(|e| e.wrap("error unmarshaling JSON: while decoding JSON"))?;
            json
        }
    };
    let Json::Map(types) = &json else { return Ok(Config::default()) };
    let mut out = Config::default();
    for (name, api) in types {
        let Some(properties) = schema_properties(api) else { continue };
        if !["kind", "apiVersion", "metadata"].iter().all(|key| properties.iter().any(|(k, _)| k == key)) {
            continue;
        }
        let kind = name.rsplit('.').next().unwrap_or_default();
        let gvk = Gvk { kind: kind.to_owned(), ..Gvk::default() };
        let mut config = Config::default();
        crd_type(&mut config, &gvk, &json, name, &mut Vec::new(), 0)?;
        out = out.merged(&config)?;
    }
    Ok(out)
}

/// Whether this is types by their names, each with its schema. A CustomResourceDefinition, which is easily taken for what is wanted here, is none.
fn definitions(json: &Json) -> Result<()> {
    let wrong = |json: &Json, ty: &str| {
        Err(Error::new(format!("json: cannot unmarshal {} into Go value of type accumulator.{ty}", json.kind())))
    };
    let types = match json {
        Json::Null => return Ok(()),
        Json::Map(types) => types,
        other => return wrong(other, "nameToApiMap"),
    };
    for (_, api) in types {
        match api {
            Json::Null => {}
            Json::Map(fields) => {
                for (_, value) in fields.iter().filter(|(k, _)| k.eq_ignore_ascii_case("schema")) {
                    schema(value, 0)?;
                }
            }
            other => return wrong(other, "OpenAPIDefinition"),
        }
    }
    Ok(())
}

/// kube-openapi's decoder says one thing in several ways, by chance; this is one of them.
fn schema(json: &Json, depth: usize) -> Result<()> {
    let wrong = |json: &Json, ty: &str| {
        Err(Error::new(format!(
            "json: cannot unmarshal Go value of type spec.Schema: json: cannot unmarshal JSON {} into Go value of type {ty}",
            json.kind()
        )))
    };
    match json {
        Json::Map(_) if depth <= 100 => match json.get("properties") {
            None | Some(Json::Null) => Ok(()),
            Some(Json::Map(properties)) => properties.iter().try_for_each(|(_, property)| schema(property, depth + 1)),
            Some(other) => wrong(other, "map[string]spec.Schema"),
        },
        Json::Null | Json::Map(_) => Ok(()),
        other => wrong(other, "struct { spec.Extensions; spec.SchemaProps; spec.SwaggerSchemaProps }"),
    }
}

fn schema_properties(api: &Json) -> Option<&Vec<(String, Json)>> {
    // Go's decoder matches field names in any case.
    let Json::Map(fields) = api else { return None };
    let schema = fields.iter().find(|(k, _)| k.eq_ignore_ascii_case("schema"))?;
    match schema.1.get("properties") {
        Some(Json::Map(properties)) => Some(properties),
        _ => None,
    }
}

fn crd_type(
    config: &mut Config,
    gvk: &Gvk,
    all: &Json,
    name: &str,
    path: &mut Vec<String>,
    depth: usize,
) -> Result<()> {
    if depth > 100 {
        return Err(Error::new(format!("type {name} refers to itself")));
    }
    let Some(properties) = all.get(name).and_then(schema_properties) else { return Ok(()) };
    for (property_name, property) in properties {
        path.push(property_name.clone());
        let text = |key: &str| property.get(key).and_then(Json::as_str);
        let spec = FieldSpec::new(gvk.clone(), &path.join("/"), false);
        let lists = [
            ("x-kubernetes-annotation", &mut config.common_annotations),
            ("x-kubernetes-label-selector", &mut config.common_labels),
            ("x-kubernetes-identity", &mut config.name_prefix),
        ];
        for (key, list) in lists {
            if text(key).is_some() {
                super::fieldspec::merge_one(list, &spec)?;
            }
        }
        if let (Some(version), Some(kind)) =
            (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"))
        {
            let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
            config.add_name_reference(&NameReference {
                gvk: Gvk { group: String::new(), version: version.to_owned(), kind: kind.to_owned() },
                referrers: vec![FieldSpec::new(gvk.clone(), &format!("{}/{key}", path.join("/")), false)],
            })?;
        }
        if let Some(target) = text("$ref") {
            crd_type(config, gvk, all, target, path, depth + 1)?;
        }
        path.pop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_agree_with_themselves() {
        let defaults = Config::parse_defaults();
        let merged = Config::default().merged(&defaults).unwrap();
        assert_eq!(merged, *Config::default_merged());
        assert_eq!(merged.merged(&defaults).unwrap(), merged, "merging again changes nothing");
        assert!(merged.name_reference.len() > 10);
    }

    #[test]
    fn what_is_covered_is_what_merging_adds_nothing_of() {
        let defaults = Config::default_merged();
        for text in [
            "images: []",
            "images: [{path: spec/image, kind: Foo}]",
            "images: [{path: \"spec/initContainers[]/image\"}]",
            "namespace: [{path: metadata/namespace, kind: Foo, create: false}]",
            "namespace: [{path: metadata/namespace, create: false}]",
            "nameReference: [{kind: ConfigMap, version: v1, fieldSpecs: [{path: spec/x, kind: Foo}]}]",
            "nameReference: [{kind: ConfigMap, version: v1, fieldSpecs: [{path: spec/volumes/configMap/name, kind: Pod, version: v1}]}]",
            "nameReference: [{kind: ConfigMap, version: v1, fieldSpecs: [{path: spec/volumes/configMap/name, kind: Pod, version: v1, create: true}]}]",
            "nameReference: [{kind: New}]",
        ] {
            let own = Config::parse(text.as_bytes()).unwrap();
            let all = defaults.merged(&own);
            let pairs = [(Ok((*defaults).clone()), own.clone()), (all, (*defaults).clone())];
            for (a, b) in pairs {
                let Ok(a) = a else { continue };
                let (covers, merged) = (a.covers(&b), a.merged(&b));
                match merged {
                    Ok(merged) => assert_eq!(covers.unwrap(), merged == a, "{text}"),
                    Err(e) => assert_eq!(covers.unwrap_err().to_string(), e.to_string(), "{text}"),
                }
            }
        }
    }
}
