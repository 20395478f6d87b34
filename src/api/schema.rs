//! From Rust types to the schema that a cluster accepts: structural, without references, with nothing nullable.
//!
//! `schemars` tells an optional field by a union with null. Flux's schemas know no null: an optional field is absent. Here unions with null
//! become the type alone, and everything that Kubernetes does not know is taken out.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// The schema of a type, ready for a CustomResourceDefinition.
pub fn structural<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
        s.transforms.clear();
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    rewrite(&mut schema);
    schema
}

/// A field that may hold anything.
pub fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// Whole numbers whose size Flux does not name.
pub fn without_format(schema: &mut Schema) {
    schema.remove("format");
}

fn rewrite(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    for word in ["title", "$schema"] {
        map.remove(word);
    }
    not_null(map);
    if let Some(Value::String(text)) = map.get_mut("description") {
        // A line of a comment is not a line of text.
        *text = text.replace('\n', " ");
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(rewrite);
    }
    for word in ["items", "additionalProperties"] {
        if let Some(part) = map.get_mut(word) {
            rewrite(part);
        }
    }
}

/// Takes null out of a type: `[T, null]`, or a choice of a schema and null.
fn not_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|t| t != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(mut choices)) = map.remove("anyOf") {
        choices.retain(|c| c["type"] != "null");
        match (choices.pop(), choices.is_empty()) {
            (Some(Value::Object(one)), true) => {
                for (key, value) in one {
                    // What is said at the field is said of it, not of its type.
                    map.entry(key).or_insert(value);
                }
            }
            (Some(last), _) => {
                choices.push(last);
                map.insert("anyOf".into(), Value::Array(choices));
            }
            (None, _) => {}
        }
    }
}
