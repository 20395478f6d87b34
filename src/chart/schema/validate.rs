//! A value against a compiled schema.
//!
//! A port of `validator.go` of santhosh-tekuri/jsonschema 6.0.3. Where the library goes through Go maps, and so in no fixed order,
//! this goes in the order of the names.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use super::compile::Arena;
use super::distinct::duplicates;
use super::draft::Draft;
use super::error::{At, Kind, Path, Violation, float, int};
use super::format;
use super::json::{Decimal, Json};
use super::location::{pointer, q, single_quote};
use super::members::Members;
use super::rest::Rest;
use super::rules::{
    Additional, ArrayRules, Choice, Dependency, Dynamic, Id, Items, Logic, NumberRules, ObjectRules, Schema,
    StringRules,
};
use super::types::Types;

/// Schemas inside schemas and values inside values: what no sane document reaches, and the stack still bears.
const MAX_DEPTH: usize = 50_000;

/// How many pairs of a schema and a value one validation looks at. References that fork at each of forty levels would make it
/// look for years.
const MAX_STEPS: u64 = 2_000_000;

/// Validates a value.
pub(super) fn validate(arena: &Arena, schema: Id, v: &Json) -> Result<(), Violation> {
    Whole { arena, metaschemas: None, steps: &Cell::new(0) }.validate(schema, v, None)
}

/// Validates a schema: the resources in it each against the metaschema of its own dialect, by pointer.
pub(super) fn validate_meta(
    arena: &Arena,
    meta: Id,
    v: &Json,
    metaschemas: &HashMap<Arc<str>, Id>,
) -> Result<(), Violation> {
    Whole { arena, metaschemas: Some(metaschemas), steps: &Cell::new(0) }.validate(meta, v, Some(meta))
}

/// What one validation does not change.
#[derive(Clone, Copy)]
struct Whole<'a> {
    arena: &'a Arena,
    metaschemas: Option<&'a HashMap<Arc<str>, Id>>,
    /// How many pairs were looked at.
    steps: &'a Cell<u64>,
}

impl<'a> Whole<'a> {
    fn validate(self, schema: Id, v: &'a Json, meta: Option<Id>) -> Result<(), Violation> {
        let s = self.arena.get(schema);
        let scope = Scope { schema, keyword: "", vid: 0, depth: 0, parent: None };
        let validator = Validator {
            whole: self,
            v,
            at: Path::new(),
            schema,
            scope: &scope,
            rest: Rest::of(v, s, false),
            violations: Vec::new(),
            silent: false,
            meta,
        };
        let result = validator.run();
        // `not` would take the end of the steps for a success.
        if self.steps.get() > MAX_STEPS {
            let text = format!("jsonschema validation takes more than {MAX_STEPS} steps");
            return Err(Violation { at: At::Path(Vec::new()), kind: Kind::Schema(text), causes: Vec::new() });
        }
        let Err(violation) = result else {
            return Ok(());
        };
        let causes = if matches!(violation.kind, Kind::Group) { violation.causes } else { vec![violation] };
        let text = format!("jsonschema validation failed with {}", single_quote(&s.location()));
        Err(Violation { at: At::Path(Vec::new()), kind: Kind::Schema(text), causes })
    }
}

/// The schemas on the way from the root.
struct Scope<'p> {
    schema: Id,
    /// `$ref` and the like, if that led here.
    keyword: &'static str,
    /// The same for schemas of the same value.
    vid: usize,
    depth: usize,
    parent: Option<&'p Self>,
}

impl Scope<'_> {
    /// The same schema of the same value further up.
    fn cycle(&self) -> Option<&Self> {
        let mut scope = self.parent;
        while let Some(s) = scope.filter(|s| s.vid == self.vid) {
            if s.schema == self.schema {
                return Some(s);
            }
            scope = s.parent;
        }
        None
    }

    fn keyword_location(&self, arena: &Arena) -> String {
        let mut parts = Vec::new();
        let mut scope = self;
        while let Some(parent) = scope.parent {
            if scope.keyword.is_empty() {
                let (own, above) = (arena.get(scope.schema).location(), arena.get(parent.schema).location());
                parts.push(own.get(above.len()..).unwrap_or_default().to_owned());
            } else {
                parts.push(format!("/{}", scope.keyword));
            }
            scope = parent;
        }
        parts.into_iter().rev().collect()
    }
}

struct Validator<'a, 'p> {
    whole: Whole<'a>,
    v: &'a Json,
    at: Path,
    schema: Id,
    scope: &'p Scope<'p>,
    rest: Rest,
    violations: Vec<Violation>,
    /// Only whether there is a violation matters.
    silent: bool,
    /// The metaschema, while a schema is validated.
    meta: Option<Id>,
}

impl<'a> Validator<'a, '_> {
    fn schema(&self) -> &'a Schema {
        self.whole.arena.get(self.schema)
    }

    fn run(mut self) -> Result<Rest, Violation> {
        let s = self.schema();
        match s.boolean {
            Some(true) => return Ok(self.rest),
            Some(false) => return Err(self.other(|| "false schema".into())),
            None => {}
        }
        let steps = self.whole.steps;
        steps.set(steps.get() + 1);
        if steps.get() > MAX_STEPS {
            return Err(self.other(|| format!("validation takes more than {MAX_STEPS} steps")));
        }
        if self.scope.depth > MAX_DEPTH {
            return Err(self.other(|| "nested too deeply".into()));
        }
        if let Some(earlier) = self.scope.cycle() {
            let arena = self.whole.arena;
            let (here, there) = (self.scope.keyword_location(arena), earlier.keyword_location(arena));
            let url = q(&s.location());
            return Err(self.other(|| format!("both {here} and {there} resolve to {url} causing reference cycle")));
        }
        self.check_value(s)?;
        if let Some(target) = s.reference {
            let result = self.validate_ref(target, "$ref");
            if s.draft < Draft::D2019 {
                return result.map(|()| self.rest);
            }
            self.note(result);
        }
        self.by_type(s);
        if self.violations.is_empty() || !self.silent {
            if let Some(dynamic) = s.dynamic.as_deref().filter(|_| s.draft >= Draft::D2019) {
                self.dynamic_refs(dynamic);
            }
            if let Some(logic) = &s.logic {
                self.conditions(logic);
            }
            if s.draft >= Draft::D2019 {
                self.unevaluated(s);
            }
        }
        match self.violations.len() {
            0 => Ok(self.rest),
            1 => Err(self.violations.swap_remove(0)),
            _ => {
                let mut group = self.violation(Kind::Group);
                group.causes = self.violations;
                Err(group)
            }
        }
    }

    /// What the schema demands of values of this type.
    fn by_type(&mut self, s: &Schema) {
        match self.v {
            Json::Object(o) => {
                if let Some(rules) = &s.object {
                    self.object(s.draft, rules, o);
                }
            }
            Json::Array(a) => {
                if let Some(rules) = &s.array {
                    self.array(s.draft, rules, a);
                }
            }
            Json::String(t) => {
                if let Some(rules) = &s.string {
                    self.string(rules, t);
                }
            }
            Json::Number(_) => {
                if let Some(rules) = &s.number {
                    self.number(rules);
                }
            }
            _ => {}
        }
    }

    /// Type, `const`, `enum`, `format`: with one of these wrong nothing else is said.
    fn check_value(&self, s: &Schema) -> Result<(), Violation> {
        let v = self.v;
        let t = Types::of(v);
        if let Json::Invalid(go_type) = v {
            return Err(self.other(|| format!("invalid jsonType {go_type}")));
        }
        let is_int = || t == Types::NUMBER && v.decimal().is_some_and(|n| n.is_int());
        let right = s.types.is_empty() || s.types.contains(t) || (s.types.contains(Types::INTEGER) && is_int());
        if !right {
            return Err(self.other(|| format!("got {}, want {}", t.names().concat(), s.types.names().join(" or "))));
        }
        if let Some(choice) = &s.choice {
            self.check_choice(choice)?;
        }
        if let Some(name) = s.format
            && let Json::String(text) = v
            && let Err(e) = format::check(name, text)
        {
            return Err(self.other(|| format!("{} is not valid {name}: {e}", single_quote(text))));
        }
        Ok(())
    }

    fn check_choice(&self, choice: &Choice) -> Result<(), Violation> {
        let v = self.v;
        let t = Types::of(v);
        if let Some(want) = &choice.constant
            && !self.equal(v, want)?
        {
            return Err(self.other(|| match want {
                Json::Array(_) | Json::Object(_) => "'const' failed".into(),
                _ => format!("value must be {}", display(want)),
            }));
        }
        if let Some((values, types)) = &choice.enumeration {
            let mut matched = false;
            if types.contains(t) {
                for want in values {
                    if self.equal(v, want)? {
                        matched = true;
                        break;
                    }
                }
            }
            if !matched {
                return Err(self.other(|| enum_text(values)));
            }
        }
        Ok(())
    }

    fn equal(&self, a: &Json, b: &Json) -> Result<bool, Violation> {
        a.equals(b).map_err(|t| self.other(|| format!("invalid jsonType {t}")))
    }

    fn object(&mut self, draft: Draft, rules: &ObjectRules, obj: &'a Members<Json>) {
        let n = obj.len() as i64;
        if let Some(want) = rules.min_properties.filter(|want| n < *want) {
            self.add(|| format!("minProperties: got {}, want {}", int(n), int(want)));
        }
        if let Some(want) = rules.max_properties.filter(|want| n > *want) {
            self.add(|| format!("maxProperties: got {}, want {}", int(n), int(want)));
        }
        if let Some(missing) = missing(obj, &rules.required) {
            self.add(|| match &missing[..] {
                [one] => format!("missing property {}", single_quote(one)),
                all => format!("missing properties {}", quoted(all)),
            });
        }
        if self.done() {
            return;
        }
        for (name, dependency) in rules.dependencies.iter() {
            if obj.contains_key(name) {
                match dependency {
                    Dependency::Required(wanted) => self.required_with(obj, name, wanted),
                    Dependency::Schema(id) => {
                        let result = self.validate_self(*id, "", false);
                        self.note(result);
                    }
                }
            }
        }
        self.properties(rules, obj);
        if draft == Draft::D4 {
            return;
        }
        if let Some(id) = rules.property_names {
            for name in obj.keys() {
                self.property_name(id, name);
            }
        }
        if draft == Draft::D6 {
            return;
        }
        for (name, id) in rules.dependent_schemas.iter() {
            if obj.contains_key(name) {
                let result = self.validate_self(*id, "", false);
                self.note(result);
            }
        }
        for (name, wanted) in rules.dependent_required.iter() {
            if obj.contains_key(name) {
                self.required_with(obj, name, wanted);
            }
        }
    }

    fn required_with(&mut self, obj: &Members<Json>, name: &str, wanted: &[Arc<str>]) {
        if let Some(missing) = missing(obj, wanted) {
            self.add(|| format!("properties {} required, if {} exists", quoted(&missing), single_quote(name)));
        }
    }

    fn properties(&mut self, rules: &ObjectRules, obj: &'a Members<Json>) {
        let mut additional = Vec::new();
        for (name, v) in obj.iter() {
            if self.done() {
                return;
            }
            let mut evaluated = false;
            if let Some(id) = rules.properties.get(name) {
                evaluated = true;
                self.validate_value(*id, v, name.clone());
            }
            for (pattern, id) in &rules.pattern_properties {
                if pattern.is_match(name.as_bytes()) {
                    evaluated = true;
                    self.validate_value(*id, v, name.clone());
                }
            }
            if !evaluated && let Some(a) = rules.additional_properties {
                evaluated = true;
                match a {
                    Additional::Bool(true) => {}
                    Additional::Bool(false) => additional.push(name.clone()),
                    Additional::Schema(id) => self.validate_value(id, v, name.clone()),
                }
            }
            if evaluated {
                self.rest.props.remove(name);
            }
        }
        if !additional.is_empty() {
            self.add(|| format!("additional properties {} not allowed", quoted(&additional)));
        }
    }

    fn property_name(&mut self, id: Id, name: &Arc<str>) {
        let (mut schema, mut meta) = (id, self.meta);
        if let Some(other) = self.meta_of(id) {
            (schema, meta) = (other, Some(other));
        }
        // A value of its own: the name.
        let v = Json::String(name.clone());
        let whole = Whole { arena: self.whole.arena, metaschemas: self.whole.metaschemas, steps: self.whole.steps };
        if let Err(mut violation) = whole.validate(schema, &v, meta) {
            violation.at = At::Shared(self.at.clone());
            violation.kind = Kind::Other(format!("invalid propertyName {}", single_quote(name)));
            self.violations.push(violation);
        }
    }

    fn array(&mut self, draft: Draft, rules: &ArrayRules, arr: &'a [Json]) {
        let n = arr.len() as i64;
        if let Some(want) = rules.min_items.filter(|want| n < *want) {
            self.add(|| format!("minItems: got {}, want {}", int(n), int(want)));
        }
        if let Some(want) = rules.max_items.filter(|want| n > *want) {
            self.add(|| format!("maxItems: got {}, want {}", int(n), int(want)));
        }
        if rules.unique_items {
            match duplicates(arr) {
                Ok(None) => {}
                Ok(Some((i, j))) => {
                    self.add(|| format!("items at {} and {} are equal", int(i as i64), int(j as i64)));
                }
                Err(t) => self.add(|| format!("invalid jsonType {t}")),
            }
        }
        if draft < Draft::D2020 {
            self.items(rules, arr);
        } else {
            for (i, v) in arr.iter().enumerate() {
                if let Some(id) = rules.prefix_items.get(i).copied().or(rules.items_2020) {
                    self.validate_value(id, v, i.to_string().into());
                }
            }
        }
        if let Some(id) = rules.contains {
            self.contains(draft, rules, id, arr);
        }
    }

    /// `items` and `additionalItems` before 2020-12.
    fn items(&mut self, rules: &ArrayRules, arr: &'a [Json]) {
        let evaluated = match &rules.items {
            None => 0,
            Some(Items::One(id)) => {
                for (i, v) in arr.iter().enumerate() {
                    self.validate_value(*id, v, i.to_string().into());
                }
                arr.len()
            }
            Some(Items::Each(ids)) => {
                for (i, (v, id)) in arr.iter().zip(ids).enumerate() {
                    self.validate_value(*id, v, i.to_string().into());
                }
                arr.len().min(ids.len())
            }
        };
        match rules.additional_items {
            Some(Additional::Bool(false)) if evaluated != arr.len() => {
                let rest = (arr.len() - evaluated) as i64;
                self.add(|| format!("last {} additionalItem(s) not allowed", int(rest)));
            }
            Some(Additional::Schema(id)) => {
                for (i, v) in arr.iter().enumerate().skip(evaluated) {
                    self.validate_value(id, v, i.to_string().into());
                }
            }
            _ => {}
        }
    }

    fn contains(&mut self, draft: Draft, rules: &ArrayRules, id: Id, arr: &'a [Json]) {
        let (mut matched, mut violations) = (Vec::new(), Vec::new());
        for (i, v) in arr.iter().enumerate() {
            match self.try_value(id, v, i.to_string().into()) {
                Err(violation) => violations.push(violation),
                Ok(()) => {
                    matched.push(i.to_string());
                    if draft >= Draft::D2020 {
                        self.rest.items.remove(&i);
                    }
                }
            }
        }
        let n = matched.len() as i64;
        let found = || format!("but matched {} items at {}", int(n), matched.join(" "));
        if let Some(want) = rules.min_contains {
            if n < want {
                let found = if n == 0 { "but none matched".into() } else { found() };
                let text = || format!("min {} items required to match contains schema, {found}", int(want));
                self.add_all(violations, text);
            }
        } else if n == 0 {
            self.add_all(violations, || "no items match contains schema".into());
        }
        if let Some(want) = rules.max_contains.filter(|want| n > *want) {
            self.add(|| format!("max {} items required to match contains schema, {}", int(want), found()));
        }
    }

    fn string(&mut self, rules: &StringRules, text: &str) {
        let n = || text.chars().count() as i64;
        if let Some(want) = rules.min_length.filter(|want| n() < *want) {
            self.add(|| format!("minLength: got {}, want {}", int(n()), int(want)));
        }
        if let Some(want) = rules.max_length.filter(|want| n() > *want) {
            self.add(|| format!("maxLength: got {}, want {}", int(n()), int(want)));
        }
        if let Some((regexp, pattern)) = &rules.pattern
            && !regexp.is_match(text.as_bytes())
        {
            self.add(|| format!("{} does not match pattern {}", single_quote(text), single_quote(pattern)));
        }
    }

    fn number(&mut self, rules: &NumberRules) {
        let bounds = [
            ("minimum", &rules.minimum, (|a, b| a.compare(b).is_lt()) as fn(&Decimal, &Decimal) -> bool),
            ("maximum", &rules.maximum, |a, b| a.compare(b).is_gt()),
            ("exclusiveMinimum", &rules.exclusive_minimum, |a, b| a.compare(b).is_le()),
            ("exclusiveMaximum", &rules.exclusive_maximum, |a, b| a.compare(b).is_ge()),
            ("multipleOf", &rules.multiple_of, |a, b| !a.is_multiple_of(b)),
        ];
        if bounds.iter().all(|(_, want, _)| want.is_none()) {
            return;
        }
        let Some(got) = self.v.decimal() else {
            return;
        };
        for (name, want, wrong) in bounds {
            if let Some(want) = want
                && wrong(&got, want)
            {
                self.add(|| format!("{name}: got {}, want {}", float(got.to_f64()), float(want.to_f64())));
            }
        }
    }

    fn conditions(&mut self, logic: &Logic) {
        if let Some(id) = logic.not
            && self.validate_self(id, "", true).is_ok()
        {
            self.add(|| "'not' failed".into());
        }
        if !logic.all_of.is_empty() {
            let mut violations = Vec::new();
            for id in &logic.all_of {
                if let Err(violation) = self.validate_self(*id, "", false) {
                    violations.push(violation);
                    if self.silent {
                        break;
                    }
                }
            }
            if !violations.is_empty() {
                self.add_all(violations, || "'allOf' failed".into());
            }
        }
        if !logic.any_of.is_empty() {
            let (mut matched, mut violations) = (false, Vec::new());
            for id in &logic.any_of {
                match self.validate_self(*id, "", false) {
                    Err(violation) => violations.push(violation),
                    Ok(()) => {
                        matched = true;
                        // All are needed to know what was evaluated.
                        if self.rest.is_empty() {
                            break;
                        }
                    }
                }
            }
            if !matched {
                self.add_all(violations, || "'anyOf' failed".into());
            }
        }
        if !logic.one_of.is_empty() {
            self.one_of(logic);
        }
        if let Some(id) = logic.if_ {
            let branch = if self.validate_self(id, "", true).is_ok() { logic.then } else { logic.else_ };
            if let Some(id) = branch {
                let result = self.validate_self(id, "", false);
                self.note(result);
            }
        }
    }

    fn one_of(&mut self, logic: &Logic) {
        let (mut matched, mut violations) = (None, Vec::new());
        for (i, id) in logic.one_of.iter().enumerate() {
            match (self.validate_self(*id, "", matched.is_some()), matched) {
                (Err(violation), None) => violations.push(violation),
                (Err(_), Some(_)) => {}
                (Ok(()), None) => matched = Some(i),
                (Ok(()), Some(first)) => {
                    let (first, second) = (int(first as i64), int(i as i64));
                    self.add(|| format!("'oneOf' failed, subschemas {first}, {second} matched"));
                    break;
                }
            }
        }
        if matched.is_none() {
            self.add_all(violations, || "'oneOf' failed, none matched".into());
        }
    }

    fn unevaluated(&mut self, s: &Schema) {
        let properties = s.object.as_ref().and_then(|rules| rules.unevaluated_properties);
        let items = s.array.as_ref().and_then(|rules| rules.unevaluated_items);
        match (self.v, properties, items) {
            (Json::Object(o), Some(id), _) => {
                for name in std::mem::take(&mut self.rest.props) {
                    if let Some(v) = o.get(&name) {
                        self.validate_value(id, v, name);
                    }
                }
            }
            (Json::Array(a), _, Some(id)) => {
                for i in std::mem::take(&mut self.rest.items) {
                    if let Some(v) = a.get(i) {
                        self.validate_value(id, v, i.to_string().into());
                    }
                }
            }
            _ => {}
        }
    }

    fn dynamic_refs(&mut self, dynamic: &Dynamic) {
        let arena = self.whole.arena;
        if let Some(mut target) = dynamic.recursive_ref {
            if arena.get(target).recursive_anchor() {
                let mut scope = Some(self.scope);
                while let Some(sc) = scope {
                    if arena.get(arena.get(sc.schema).resource).recursive_anchor() {
                        target = sc.schema;
                    }
                    scope = sc.parent;
                }
            }
            let result = self.validate_ref(target, "$recursiveRef");
            self.note(result);
        }
        if let Some((first, anchor)) = &dynamic.reference {
            let mut target = *first;
            if !anchor.is_empty() && arena.get(target).dynamic_anchor() == anchor {
                let mut scope = Some(self.scope);
                while let Some(sc) = scope {
                    if let Some(id) = arena.get(arena.get(sc.schema).resource).at_dynamic_anchor(anchor) {
                        target = id;
                    }
                    scope = sc.parent;
                }
            }
            let result = self.validate_ref(target, "$dynamicRef");
            self.note(result);
        }
    }

    fn validate_ref(&mut self, target: Id, keyword: &'static str) -> Result<(), Violation> {
        self.validate_self(target, keyword, false).map_err(|violation| {
            let mut reference = self.violation(Kind::Reference);
            reference.causes = if matches!(violation.kind, Kind::Group) { violation.causes } else { vec![violation] };
            reference
        })
    }

    /// The same value against another schema.
    fn validate_self(&mut self, schema: Id, keyword: &'static str, silent: bool) -> Result<(), Violation> {
        let (vid, depth) = (self.scope.vid, self.scope.depth + 1);
        let scope = Scope { schema, keyword, vid, depth, parent: Some(self.scope) };
        let (schema, meta) = self.through_meta(schema, &self.at);
        let rest = Rest::of(self.v, self.whole.arena.get(scope.schema), !self.rest.is_empty());
        let validator = Validator {
            whole: self.whole,
            v: self.v,
            at: self.at.clone(),
            schema,
            scope: &scope,
            rest,
            violations: Vec::new(),
            silent: self.silent || silent,
            meta,
        };
        let rest = validator.run()?;
        self.rest.merge(&rest);
        Ok(())
    }

    /// A value inside this one; its violations become this one's.
    fn validate_value(&mut self, schema: Id, v: &'a Json, token: Arc<str>) {
        let result = self.try_value(schema, v, token);
        self.note(result);
    }

    fn try_value(&self, schema: Id, v: &'a Json, token: Arc<str>) -> Result<(), Violation> {
        let (vid, depth) = (self.scope.vid + 1, self.scope.depth + 1);
        let scope = Scope { schema, keyword: "", vid, depth, parent: Some(self.scope) };
        let at = self.at.join(token);
        let (schema, meta) = self.through_meta(schema, &at);
        let validator = Validator {
            whole: self.whole,
            v,
            at,
            schema,
            scope: &scope,
            rest: Rest::of(v, self.whole.arena.get(scope.schema), false),
            violations: Vec::new(),
            silent: self.silent,
            meta,
        };
        validator.run().map(|_| ())
    }

    /// While a schema is validated: the schema to use at a place, and the metaschema from there on.
    fn through_meta(&self, schema: Id, at: &Path) -> (Id, Option<Id>) {
        if self.meta == Some(schema)
            && let Some(id) = self.whole.metaschemas.and_then(|m| m.get(&*pointer(&at.tokens())))
        {
            return (*id, Some(*id));
        }
        (schema, self.meta)
    }

    fn meta_of(&self, schema: Id) -> Option<Id> {
        let metaschemas = self.whole.metaschemas.filter(|_| self.meta == Some(schema))?;
        metaschemas.get(&*pointer(&self.at.tokens())).copied()
    }

    const fn done(&self) -> bool {
        self.silent && !self.violations.is_empty()
    }

    fn violation(&self, kind: Kind) -> Violation {
        if self.silent {
            return Violation::silent();
        }
        Violation { at: At::Path(self.at.tokens()), kind, causes: Vec::new() }
    }

    /// The text is made only if somebody may read it.
    fn other(&self, text: impl FnOnce() -> String) -> Violation {
        if self.silent { Violation::silent() } else { self.violation(Kind::Other(text())) }
    }

    fn note(&mut self, result: Result<(), Violation>) {
        self.violations.extend(result.err());
    }

    fn add(&mut self, text: impl FnOnce() -> String) {
        let violation = self.other(text);
        self.violations.push(violation);
    }

    fn add_all(&mut self, causes: Vec<Violation>, text: impl FnOnce() -> String) {
        let mut violation = self.other(text);
        violation.causes = causes;
        self.violations.push(violation);
    }
}

fn missing(obj: &Members<Json>, wanted: &[Arc<str>]) -> Option<Vec<Arc<str>>> {
    let missing: Vec<Arc<str>> = wanted.iter().filter(|w| !obj.contains_key(w)).cloned().collect();
    (!missing.is_empty()).then_some(missing)
}

fn quoted(names: &[Arc<str>]) -> String {
    names.iter().map(|n| single_quote(n)).collect::<Vec<_>>().join(", ")
}

/// A value in a message.
fn display(v: &Json) -> String {
    match v {
        Json::String(s) => single_quote(s),
        Json::Number(n) => (**n).into(),
        Json::Bool(b) => b.to_string(),
        Json::Null => "<nil>".into(),
        Json::Array(_) | Json::Object(_) | Json::Invalid(_) => "value".into(),
    }
}

fn enum_text(values: &[Json]) -> String {
    if values.iter().any(|v| matches!(v, Json::Array(_) | Json::Object(_))) {
        return "'enum' failed".into();
    }
    let all: Vec<String> = values.iter().map(display).collect();
    match &all[..] {
        [one] => format!("value must be {one}"),
        all => format!("value must be one of {}", all.join(", ")),
    }
}
