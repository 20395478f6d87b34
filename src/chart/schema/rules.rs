//! What a compiled schema demands.
//!
//! A large schema has thousands of parts, and most of them say little more than a type: what is demanded of one kind of value
//! stands in a box of its own, which only the parts have that say something of it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::draft::Draft;
use super::json::{Decimal, Json};
use super::location::Place;
use super::members::Members;
use super::types::Types;
use crate::golang::regexp::Regexp;

/// A schema in an [`Arena`](super::compile::Arena).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(NonZeroU32);

impl Id {
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// No memory holds as many schemas as there are ids.
    pub fn new(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    pub const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Schema {
    pub place: Place,
    pub draft: Draft,
    pub compiled: bool,
    pub boolean: Option<bool>,
    pub types: Types,
    /// The schema of its resource: the nearest with an id.
    pub resource: Id,
    pub reference: Option<Id>,
    pub format: Option<&'static str>,
    pub choice: Option<Box<Choice>>,
    pub logic: Option<Box<Logic>>,
    pub object: Option<Box<ObjectRules>>,
    pub array: Option<Box<ArrayRules>>,
    pub string: Option<Box<StringRules>>,
    pub number: Option<Box<NumberRules>>,
    pub dynamic: Option<Box<Dynamic>>,
}

/// The values that there may be.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub enumeration: Option<(Vec<Json>, Types)>,
    pub constant: Option<Json>,
}

/// Schemas of the same value.
#[derive(Debug, Default)]
pub(super) struct Logic {
    pub not: Option<Id>,
    pub all_of: Box<[Id]>,
    pub any_of: Box<[Id]>,
    pub one_of: Box<[Id]>,
    pub if_: Option<Id>,
    pub then: Option<Id>,
    pub else_: Option<Id>,
}

#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub max_properties: Option<i64>,
    pub min_properties: Option<i64>,
    pub required: Box<[Arc<str>]>,
    pub property_names: Option<Id>,
    pub properties: Members<Id>,
    pub pattern_properties: Vec<(Arc<Regexp>, Id)>,
    pub additional_properties: Option<Additional>,
    pub dependencies: Members<Dependency>,
    pub dependent_required: Members<Box<[Arc<str>]>>,
    pub dependent_schemas: Members<Id>,
    pub unevaluated_properties: Option<Id>,
}

#[derive(Debug, Default)]
pub(super) struct ArrayRules {
    pub min_items: Option<i64>,
    pub max_items: Option<i64>,
    pub unique_items: bool,
    pub contains: Option<Id>,
    pub min_contains: Option<i64>,
    pub max_contains: Option<i64>,
    pub items: Option<Items>,
    pub additional_items: Option<Additional>,
    pub prefix_items: Box<[Id]>,
    pub items_2020: Option<Id>,
    pub unevaluated_items: Option<Id>,
}

impl ArrayRules {
    /// How many of the first items have a schema of their own; `None` if every item has one.
    pub fn evaluated(&self, draft: Draft) -> Option<usize> {
        if draft >= Draft::D2020 {
            return if self.items_2020.is_some() { None } else { Some(self.prefix_items.len()) };
        }
        match &self.items {
            _ if self.additional_items.is_some() => None,
            Some(Items::One(_)) => None,
            Some(Items::Each(each)) => Some(each.len()),
            None => Some(0),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct StringRules {
    pub min_length: Option<i64>,
    pub max_length: Option<i64>,
    /// With its text.
    pub pattern: Option<(Arc<Regexp>, String)>,
}

#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub maximum: Option<Decimal>,
    pub minimum: Option<Decimal>,
    pub exclusive_maximum: Option<Decimal>,
    pub exclusive_minimum: Option<Decimal>,
    pub multiple_of: Option<Decimal>,
}

/// References whose target depends on the way that led there.
#[derive(Debug, Default)]
pub(super) struct Dynamic {
    pub recursive_ref: Option<Id>,
    pub recursive_anchor: bool,
    /// The target and the anchor, which may be empty.
    pub reference: Option<(Id, String)>,
    pub anchor: String,
    /// Those of the resource, if this is its schema.
    pub anchors: BTreeMap<String, Id>,
}

/// `additionalProperties` and `additionalItems`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Additional {
    Bool(bool),
    Schema(Id),
}

#[derive(Debug)]
pub(super) enum Dependency {
    Required(Box<[Arc<str>]>),
    Schema(Id),
}

/// `items` before 2020-12.
#[derive(Debug)]
pub(super) enum Items {
    One(Id),
    Each(Box<[Id]>),
}

/// The URL of metaschemas that are made of vocabularies.
pub(super) const MADE: &str = "urn:mem:metaschema";

impl Schema {
    pub const fn new(place: Place) -> Self {
        Self {
            place,
            draft: Draft::D2020,
            compiled: false,
            boolean: None,
            types: Types::NONE,
            resource: Id::FIRST,
            reference: None,
            format: None,
            choice: None,
            logic: None,
            object: None,
            array: None,
            string: None,
            number: None,
            dynamic: None,
        }
    }

    /// Where it is, as errors write it.
    pub fn location(&self) -> String {
        if &*self.place.url == MADE { MADE.into() } else { self.place.text() }
    }

    /// Makes room for what the keywords speak of.
    pub fn make_room<'k>(&mut self, keywords: impl Iterator<Item = &'k Arc<str>>) {
        fn room<T: Default>(group: &mut Option<Box<T>>) {
            group.get_or_insert_default();
        }
        for keyword in keywords {
            match &**keyword {
                "enum" | "const" => room(&mut self.choice),
                "allOf" | "anyOf" | "oneOf" | "not" | "if" => room(&mut self.logic),
                "maxProperties"
                | "minProperties"
                | "required"
                | "propertyNames"
                | "properties"
                | "patternProperties"
                | "additionalProperties"
                | "dependencies"
                | "dependentRequired"
                | "dependentSchemas"
                | "unevaluatedProperties" => room(&mut self.object),
                "minItems" | "maxItems" | "uniqueItems" | "contains" | "items" | "additionalItems" | "prefixItems"
                | "unevaluatedItems" => room(&mut self.array),
                "minLength" | "maxLength" | "pattern" => room(&mut self.string),
                "maximum" | "minimum" | "exclusiveMaximum" | "exclusiveMinimum" | "multipleOf" => {
                    room(&mut self.number);
                }
                "$recursiveRef" | "$recursiveAnchor" | "$dynamicRef" | "$dynamicAnchor" => room(&mut self.dynamic),
                _ => {}
            }
        }
    }

    pub fn recursive_anchor(&self) -> bool {
        self.dynamic.as_ref().is_some_and(|d| d.recursive_anchor)
    }

    /// Its own dynamic anchor, which may be empty.
    pub fn dynamic_anchor(&self) -> &str {
        self.dynamic.as_ref().map_or("", |d| &d.anchor)
    }

    /// The schema at a dynamic anchor of the resource that this is the schema of.
    pub fn at_dynamic_anchor(&self, anchor: &str) -> Option<Id> {
        self.dynamic.as_ref()?.anchors.get(anchor).copied()
    }
}
