//! What of a value no schema has looked at yet: `unevaluatedProperties` and `unevaluatedItems` say what becomes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::json::Json;
use super::rules::Schema;

/// What `unevaluated…` would see: properties and items that no schema has looked at yet.
#[derive(Default)]
pub(super) struct Rest {
    pub props: BTreeSet<Arc<str>>,
    pub items: BTreeSet<usize>,
}

impl Rest {
    pub fn of(v: &Json, s: &Schema, caller_needs: bool) -> Self {
        let mut rest = Self::default();
        match v {
            Json::Object(o) => {
                let (own, all) = s.object.as_ref().map_or((false, false), |rules| {
                    (rules.unevaluated_properties.is_some(), rules.additional_properties.is_some())
                });
                if (caller_needs || own) && !all {
                    rest.props = o.keys().cloned().collect();
                }
            }
            Json::Array(a) => {
                let (own, evaluated) = s
                    .array
                    .as_ref()
                    .map_or((false, Some(0)), |rules| (rules.unevaluated_items.is_some(), rules.evaluated(s.draft)));
                if let Some(evaluated) = evaluated.filter(|_| caller_needs || own) {
                    rest.items = (evaluated..a.len()).collect();
                }
            }
            _ => {}
        }
        rest
    }

    pub fn merge(&mut self, other: &Self) {
        self.props.retain(|p| other.props.contains(p));
        self.items.retain(|i| other.items.contains(i));
    }

    pub fn is_empty(&self) -> bool {
        self.props.is_empty() && self.items.is_empty()
    }
}
