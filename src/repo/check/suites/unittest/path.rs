//! Paths into manifests, in the dialect of JSONPath that helm-unittest has from yaml-jsonpath: `spec.replicas`, `metadata.annotations["a.b/c"]`,
//! `containers[0]`, `[1:3]`, `[*]`, `..name`, `[?(@.name == "web")]`, and `~` for keys.
//!
//! A map's entries come in the order in which go-yaml writes them: helm-unittest writes a manifest before it looks into it.

use super::data::Yaml;
use super::filter::{self, Filter};

/// A path, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Child(String),
    /// `.*`
    All,
    /// `['a', 'b']`
    Children(Vec<String>),
    /// `[…]`: a map's values for `*`, else items of a list.
    Items(Vec<Slice>),
    /// `..`: the node and all below, those below first.
    Descend,
    Filter(Box<Filter>),
    /// A filter behind `..`: on each node itself.
    Each(Box<Filter>),
    /// `name~`
    Keys(Vec<String>),
    /// `[*]~`
    AllKeys,
}

#[derive(Clone, Debug, PartialEq)]
enum Slice {
    All,
    One(i64),
    Range(Option<i64>, Option<i64>, i64),
}

/// How deep filters nest in filters.
const MAX_DEPTH: usize = 32;

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        let path = reader.path(false)?;
        if reader.at < text.len() { Err(reader.wrong("invalid path syntax")) } else { Ok(path) }
    }

    /// The values that it leads to.
    pub fn find(&self, node: &Yaml, root: &Yaml) -> Vec<Yaml> {
        let mut out = Vec::new();
        walk(&self.0, node, root, &mut out);
        out
    }
}

/// A place in the text of a path.
pub struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    pub fn wrong(&self, message: &str) -> String {
        format!("{message} at position {} of {:?}", self.at, self.text)
    }

    pub fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Everything before the first character that ends it.
    pub fn until(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(ends).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A path; inside a filter it ends where the filter goes on.
    pub fn path(&mut self, in_filter: bool) -> Result<Path, String> {
        let mut steps = Vec::new();
        let rooted = in_filter || self.take("$");
        let mut first = !rooted;
        loop {
            let rest = self.rest();
            if rest.is_empty() || rest.starts_with(')') && in_filter {
                break;
            }
            if self.take("..") {
                let name = self.until(|c| matches!(c, '.' | '['));
                if name.is_empty() && !self.rest().starts_with('[') {
                    return Err(self.wrong("child name or array access or filter missing after recursive descent"));
                }
                steps.push(Step::Descend);
                match name {
                    "" => {}
                    "*" => steps.push(Step::All),
                    name => steps.push(Step::Child(unescape(name))),
                }
            } else if self.take(".") || (first && !rest.starts_with('[')) {
                // Without a dot a name ends at a closing bracket too.
                let name = self.until(|c| {
                    matches!(c, '.' | '[' | ')' | ' ' | '&' | '|' | '=' | '!' | '>' | '<' | '~') || (first && c == ']')
                });
                if name.is_empty() {
                    return Err(self.wrong("child name missing"));
                }
                if self.take("~") {
                    self.last()?;
                    steps.push(Step::Keys(vec![unescape(name)]));
                    break;
                }
                steps.push(if name == "*" { Step::All } else { Step::Child(unescape(name)) });
            } else if rest.starts_with("[?(") {
                let each = steps.last() == Some(&Step::Descend);
                self.at += 3;
                let filter = Box::new(self.filter()?);
                steps.push(if each { Step::Each(filter) } else { Step::Filter(filter) });
                first = false;
                continue;
            } else if rest.starts_with('[') {
                let step = self.brackets()?;
                let ends = matches!(step, Step::Keys(_) | Step::AllKeys);
                steps.push(step);
                if ends {
                    break;
                }
            } else if in_filter && !rest.starts_with('~') {
                break;
            } else {
                return Err(self.wrong("invalid path syntax"));
            }
            first = false;
            let ends = |c: char| matches!(c, ' ' | '&' | '|' | '=' | '!' | '>' | '<');
            if let Some(c) = self.rest().chars().next().filter(|c| ends(*c)) {
                if in_filter {
                    break;
                }
                return Err(self.wrong(&format!("invalid character {c:?}")));
            }
        }
        Ok(Path(steps))
    }

    /// `~` may only stand at the end.
    fn last(&self) -> Result<(), String> {
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(self.wrong("property name operator may only be used on last child in path"))
    }

    fn filter(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("filters nested too deeply"));
        }
        let filter = filter::parse(self)?;
        self.depth -= 1;
        if !self.take(")]") {
            return Err(self.wrong("missing end of filter"));
        }
        Ok(filter)
    }

    /// `['a', "b"]`, `[0]`, `[1:2]`, `[*]`
    fn brackets(&mut self) -> Result<Step, String> {
        self.at += 1;
        let inner = self.rest().trim_start();
        if inner.starts_with('\'') || inner.starts_with('"') {
            let mut names = Vec::new();
            loop {
                self.skip_blanks();
                let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '\'' | '"')) else {
                    return Err(self.wrong("missing \"'\" or '\"'"));
                };
                self.at += 1;
                names.push(self.quoted(quote)?);
                self.skip_blanks();
                if !self.take(",") {
                    break;
                }
            }
            if !self.take("]") {
                return Err(self.wrong("missing \"]\" or \",\""));
            }
            if self.take("~") {
                self.last()?;
                return Ok(Step::Keys(names));
            }
            return Ok(Step::Children(names));
        }
        let index = self.until(|c| c == ']');
        if !self.take("]") {
            return Err(self.wrong("unmatched ["));
        }
        if index.is_empty() {
            return Err(self.wrong("subscript missing from []"));
        }
        let slices = slices(index).map_err(|e| self.wrong(&format!("invalid array index [{index}]: {e}")))?;
        if self.take("~") {
            self.last()?;
            if slices != [Slice::All] {
                return Err(self.wrong("property name operator can only be used on map nodes"));
            }
            return Ok(Step::AllKeys);
        }
        Ok(Step::Items(slices))
    }

    /// A name up to its quote; a backslash may stand before the quote or another backslash.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut name = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                return Err(self.wrong(&format!("unmatched {quote}")));
            };
            self.at += c.len_utf8();
            if c == quote {
                return Ok(name);
            }
            if c == '\\' {
                match self.rest().chars().next().filter(|n| *n == quote || *n == '\\') {
                    Some(next) => {
                        self.at += next.len_utf8();
                        name.push(next);
                    }
                    None => return Err(self.wrong("unsupported escape sequence")),
                }
            } else {
                name.push(c);
            }
        }
    }
}

fn unescape(raw: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for c in raw.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        out.push(c);
    }
    out
}

fn slices(index: &str) -> Result<Vec<Slice>, String> {
    let union: Vec<&str> = index.split(',').collect();
    let many = union.len() > 1;
    union.into_iter().map(|part| slice(part.trim(), many)).collect()
}

fn slice(text: &str, in_union: bool) -> Result<Slice, String> {
    if text == "*" {
        return if in_union { Err("wildcard cannot be used in union".into()) } else { Ok(Slice::All) };
    }
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 {
        return Err("malformed array index, too many colons".into());
    }
    let number = |i: usize| match parts.get(i).map(|p| p.trim()).filter(|p| !p.is_empty()) {
        None => Ok(None),
        Some(p) => p.parse::<i64>().map(Some).map_err(|_| "non-integer array index".to_owned()),
    };
    let (from, to, step) = (number(0)?, number(1)?, number(2)?);
    if parts.len() == 1 {
        return from.map(Slice::One).ok_or_else(|| "array index missing".into());
    }
    match step.unwrap_or(1) {
        0 => Err("array index step value must be non-zero".into()),
        step => Ok(Slice::Range(from, to, step)),
    }
}

impl Slice {
    /// The indices in a list of this length.
    fn indices(&self, length: usize) -> Vec<usize> {
        let n = i64::try_from(length).unwrap_or(i64::MAX);
        let wrap = |i: i64| if i < 0 { i.saturating_add(n) } else { i };
        let (from, to, step) = match self {
            Self::All => (0, n, 1),
            Self::One(i) => (wrap(*i), wrap(*i).saturating_add(1), 1),
            Self::Range(from, to, step) => {
                let start = from.map_or(if *step > 0 { 0 } else { n - 1 }, wrap);
                let end = to.map_or(if *step > 0 { n } else { -1 }, wrap);
                (start, end, *step)
            }
        };
        let mut out = Vec::new();
        // Far ends would only be counted through.
        let mut i = if step > 0 && matches!(self, Self::Range(..)) { from.max(0) } else { from.min(n) };
        while if step > 0 { i < to.min(n) } else { i > to.max(-1) } {
            if let Ok(index) = usize::try_from(i)
                && index < length
            {
                out.push(index);
            }
            i = i.saturating_add(step);
        }
        out
    }
}

fn walk(steps: &[Step], node: &Yaml, root: &Yaml, out: &mut Vec<Yaml>) {
    let Some((step, rest)) = steps.split_first() else {
        out.push(node.clone());
        return;
    };
    match step {
        Step::Child(name) => {
            if let Some(child) = node.get(name) {
                walk(rest, child, root, out);
            }
        }
        Step::Children(names) => {
            for child in names.iter().filter_map(|n| node.get(n)) {
                walk(rest, child, root, out);
            }
        }
        Step::All => match node {
            Yaml::List(items) => items.iter().for_each(|i| walk(rest, i, root, out)),
            node => node.sorted().into_iter().for_each(|(_, v)| walk(rest, v, root, out)),
        },
        Step::Items(slices) => match node {
            Yaml::List(items) => {
                for i in slices.iter().flat_map(|s| s.indices(items.len())) {
                    if let Some(item) = items.get(i) {
                        walk(rest, item, root, out);
                    }
                }
            }
            node if *slices == [Slice::All] => node.sorted().into_iter().for_each(|(_, v)| walk(rest, v, root, out)),
            _ => {}
        },
        Step::Descend => descend(rest, node, root, out),
        Step::Filter(filter) => match node {
            Yaml::List(items) => {
                for item in items.iter().filter(|i| filter.holds(i, root)) {
                    walk(rest, item, root, out);
                }
            }
            node if filter.holds(node, root) => walk(rest, node, root, out),
            _ => {}
        },
        Step::Each(filter) => {
            if filter.holds(node, root) {
                walk(rest, node, root, out);
            }
        }
        Step::Keys(names) => out.extend(names.iter().filter(|n| node.get(n).is_some()).cloned().map(Yaml::Text)),
        Step::AllKeys => out.extend(node.sorted().into_iter().map(|(k, _)| Yaml::Text(k.clone()))),
    }
}

fn descend(rest: &[Step], node: &Yaml, root: &Yaml, out: &mut Vec<Yaml>) {
    match node {
        Yaml::List(items) => items.iter().for_each(|i| descend(rest, i, root, out)),
        node => node.sorted().into_iter().for_each(|(_, v)| descend(rest, v, root, out)),
    }
    walk(rest, node, root, out);
}

#[cfg(test)]
mod tests {
    use super::super::data::Doc;
    use super::*;

    const TEXT: &str = r#"
spec:
  replicas: 2
  list: [a, b, c, d]
  containers:
    - name: web
      image: w:1
      ports: [{port: 80}, {port: 443}]
    - name: side
      image: s:2
      cpu: 0.5
  on: true
  none: null
metadata:
  annotations: {"a.b/c": x, d: y}
"#;

    #[test]
    fn paths_lead_where_yaml_jsonpath_leads() {
        let doc = Doc::parse(TEXT.as_bytes(), 0).unwrap();
        let root = doc.yaml(doc.root().unwrap()).unwrap();
        for (path, want) in [
            ("spec.replicas", "2"),
            ("$.spec.replicas", "2"),
            ("$['spec'].replicas", "2"),
            ("spec.list[0]", "\"a\""),
            ("spec.list[-1]", "\"d\""),
            ("spec.list[1:3]", "\"b\" \"c\""),
            ("spec.list[::-1]", "\"d\" \"c\" \"b\" \"a\""),
            ("spec.list[0,2]", "\"a\" \"c\""),
            ("spec.list[9]", ""),
            ("spec.list[-9]", ""),
            ("spec.list.x", ""),
            ("metadata.annotations[\"a.b/c\"]", "\"x\""),
            ("metadata.annotations['a.b/c', 'd']", "\"x\" \"y\""),
            ("metadata.annotations.a\\.b/c", ""),
            ("metadata.annotations.*", "\"x\" \"y\""),
            ("metadata.annotations[*]", "\"x\" \"y\""),
            ("metadata.annotations[*]~", "\"a.b/c\" \"d\""),
            ("spec.containers[*].name", "\"web\" \"side\""),
            ("..port", "80 443"),
            ("spec.containers[?(@.name == \"side\")].image", "\"s:2\""),
            ("spec.containers[?(@.name == 'side' || @.image == 'w:1')].name", "\"web\" \"side\""),
            ("spec.containers[?(@.name != 'side')].name", "\"web\""),
            ("spec.containers[?(!@.cpu)].name", "\"web\""),
            ("spec.containers[?(@.cpu < 1 && @.name =~ /^s/)].name", "\"side\""),
            ("spec.containers[?(@.ports[?(@.port == 443)])].name", "\"web\""),
            ("spec.containers[?(@.ports[0].port >= 80)].name", "\"web\""),
            ("spec.list[?(@ == 'b')]", "\"b\""),
            ("spec[?(@.on == true)].replicas", "2"),
            ("spec[?(@.none == null)].replicas", "2"),
            ("spec.containers[?(@.name == $.spec.containers[1].name)].image", "\"s:2\""),
            ("..[?(@.name == 'web')].image", "\"w:1\""),
        ] {
            let found = Path::parse(path).unwrap_or_else(|e| panic!("{path}: {e}")).find(&root, &root);
            let found: Vec<String> = found.iter().map(Yaml::shown).collect();
            assert_eq!(found.join(" "), want, "{path}");
        }
        for path in
            ["spec.", "spec[", "spec[]", "spec[a]", "spec[?(@.a]", "a b", "spec..", "[?()]", "a['b", "a[?(@.b == )]"]
        {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }
}
