//! From a pattern's tree to matchers: the library's `compiler`, with all its simplifications, because they show.

use super::matcher::Matcher;
use super::syntax::Node;

/// Compiles a tree.
pub(super) fn compile(tree: &Node, separators: &[char]) -> Result<Matcher, String> {
    let matcher = match tree {
        Node::AnyOf(alternatives) => {
            if let Some(smaller) = minimize_any_of(alternatives) {
                return compile(&smaller, separators);
            }
            return Ok(Matcher::AnyOf(compile_all(alternatives, separators)?));
        }
        Node::Pattern(parts) if parts.is_empty() => return Ok(Matcher::Nothing),
        Node::Pattern(parts) => join(minimize(compile_all(parts, separators)?))?,
        Node::Any => Matcher::Any(separators.to_vec()),
        Node::Super => Matcher::Super,
        Node::Single => Matcher::Single(separators.to_vec()),
        Node::Nothing => Matcher::Nothing,
        Node::List { chars, not } => Matcher::List { chars: chars.chars().collect(), not: *not },
        Node::Range { lo, hi, not } => Matcher::Range { lo: *lo, hi: *hi, not: *not },
        Node::Text(text) => Matcher::text(text.as_bytes()),
    };
    Ok(optimize(matcher))
}

fn compile_all(parts: &[Node], separators: &[char]) -> Result<Vec<Matcher>, String> {
    parts.iter().map(|part| compile(part, separators).map(optimize)).collect()
}

/// The library's `optimizeMatcher`.
fn optimize(matcher: Matcher) -> Matcher {
    match matcher {
        Matcher::Any(separators) if separators.is_empty() => Matcher::Super,
        Matcher::AnyOf(mut all) if all.len() == 1 => all.pop().unwrap_or(Matcher::Nothing),
        Matcher::List { chars, not: false } if chars.len() == 1 => {
            Matcher::text(chars.iter().collect::<String>().as_bytes())
        }
        Matcher::Tree { value, left, right } => {
            let left = left.map(|m| Box::new(optimize(*m)));
            let right = right.map(|m| Box::new(optimize(*m)));
            optimize_tree(value, left, right)
        }
        other => other,
    }
}

type Branch = Option<Box<Matcher>>;

fn optimize_tree(value: Box<Matcher>, left: Branch, right: Branch) -> Matcher {
    let Matcher::Text { text, .. } = value.as_ref() else { return Matcher::Tree { value, left, right } };
    match (left.as_deref(), right.as_deref()) {
        (None, None) => Matcher::text(text),
        (Some(Matcher::Super), Some(Matcher::Super)) => Matcher::Contains { needle: text.clone(), not: false },
        (Some(Matcher::Super), None) => Matcher::Suffix(text.clone()),
        (None, Some(Matcher::Super)) => Matcher::Prefix(text.clone()),
        (None, Some(Matcher::Suffix(suffix))) => Matcher::PrefixSuffix(text.clone(), suffix.clone()),
        (Some(Matcher::Prefix(prefix)), None) => Matcher::PrefixSuffix(prefix.clone(), text.clone()),
        (Some(Matcher::Any(separators)), None) => Matcher::SuffixAny(text.clone(), separators.clone()),
        (None, Some(Matcher::Any(separators))) => Matcher::PrefixAny(text.clone(), separators.clone()),
        _ => Matcher::Tree { value, left, right },
    }
}

/// The library's `compileMatchers`: a tree around the longest part of fixed length.
fn join(mut matchers: Vec<Matcher>) -> Result<Matcher, String> {
    if matchers.len() <= 1 {
        return matchers.pop().ok_or_else(|| "compile error: need at least one matcher".into());
    }
    if let Some(glued) = glue(&matchers) {
        return Ok(glued);
    }
    let mut longest: Option<(usize, usize)> = None;
    for (i, matcher) in matchers.iter().enumerate() {
        if let Some(length) = matcher.length()
            && longest.is_none_or(|(_, most)| length >= most)
        {
            longest = Some((i, length));
        }
    }
    let Some((i, _)) = longest else {
        let rest = matchers.split_off(1);
        let first = matchers.pop().map(Box::new);
        let value = first.ok_or("compile error: need at least one matcher")?;
        return Ok(Matcher::Tree { value, left: None, right: Some(Box::new(join(rest)?)) });
    };
    let branch = |matchers: Vec<Matcher>| -> Result<Branch, String> {
        if matchers.is_empty() { Ok(None) } else { join(matchers).map(|m| Some(Box::new(m))) }
    };
    let right = branch(matchers.split_off(i + 1))?;
    let value = matchers.pop().map(Box::new).ok_or("compile error: need at least one matcher")?;
    Ok(Matcher::Tree { value, left: branch(matchers)?, right })
}

/// The library's `glueMatchers`: one matcher for several in a row, if there is such.
fn glue(matchers: &[Matcher]) -> Option<Matcher> {
    glue_as_every(matchers).or_else(|| glue_as_row(matchers))
}

fn glue_as_row(matchers: &[Matcher]) -> Option<Matcher> {
    if matchers.len() <= 1 {
        return None;
    }
    let length = matchers.iter().map(Matcher::length).sum::<Option<usize>>()?;
    Some(Matcher::Row { matchers: matchers.to_vec(), length })
}

fn glue_as_every(matchers: &[Matcher]) -> Option<Matcher> {
    if matchers.len() <= 1 {
        return None;
    }
    let (mut has_any, mut has_super, mut min) = (false, false, 0);
    let mut separators: &[char] = &[];
    for (i, matcher) in matchers.iter().enumerate() {
        let these: &[char] = match matcher {
            Matcher::Super => {
                has_super = true;
                &[]
            }
            Matcher::Any(separators) => {
                has_any = true;
                separators
            }
            Matcher::Single(separators) => {
                min += 1;
                separators
            }
            Matcher::List { chars, not: true } => {
                min += 1;
                chars
            }
            _ => return None,
        };
        if i == 0 {
            separators = these;
        }
        if these != separators {
            return None;
        }
    }
    if has_super && !has_any && min == 0 {
        return Some(Matcher::Super);
    }
    if has_any && !has_super && min == 0 {
        return Some(Matcher::Any(separators.to_vec()));
    }
    if (has_any || has_super) && min > 0 && separators.is_empty() {
        return Some(Matcher::Min(min));
    }
    let mut every = Vec::new();
    if min > 0 {
        every.push(Matcher::Min(min));
        if !has_any && !has_super {
            every.push(Matcher::Max(min));
        }
    }
    if !separators.is_empty() {
        // The separators as one text: a slip of the library, seen only with several.
        let needle = separators.iter().collect::<String>().into_bytes();
        every.push(Matcher::Contains { needle, not: true });
    }
    Some(Matcher::EveryOf(every))
}

/// The library's `minimizeMatchers`: glues the longest runs until nothing more can be glued.
fn minimize(mut matchers: Vec<Matcher>) -> Vec<Matcher> {
    loop {
        let mut done: Option<(Matcher, usize, usize)> = None;
        for l in 0..matchers.len() {
            for r in (l + 1..=matchers.len()).rev() {
                let Some(glued) = glue(&matchers[l..r]) else { continue };
                let swap = match &done {
                    None => true,
                    Some((best, left, right)) => {
                        let longer = best.length().zip(glued.length()).is_some_and(|(best, this)| this > best);
                        longer || right - left < r - l
                    }
                };
                if swap {
                    done = Some((glued, l, r));
                }
            }
        }
        let Some((glued, left, right)) = done else { return matchers };
        let before = matchers.len();
        matchers.splice(left..right, [glued]);
        if matchers.len() == before {
            return matchers;
        }
    }
}

/// The library's `minimizeTreeAnyOf`: `{ab,ac}` is `a{b,c}`.
fn minimize_any_of(alternatives: &[Node]) -> Option<Node> {
    let patterns: Vec<&[Node]> = alternatives
        .iter()
        .map(|a| match a {
            Node::Pattern(parts) => Some(parts.as_slice()),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let (left, right) = common(&patterns);
    if left.is_empty() && right.is_empty() {
        return None;
    }
    let mut any_of: Vec<Node> = Vec::new();
    for parts in &patterns {
        let rest = parts.get(left.len()..parts.len().saturating_sub(right.len())).unwrap_or_default();
        let node = if rest.is_empty() { Node::Nothing } else { Node::Pattern(rest.to_vec()) };
        if !any_of.contains(&node) {
            any_of.push(node);
        }
    }
    let mut result = Vec::new();
    if !left.is_empty() {
        result.push(Node::Pattern(left));
    }
    if any_of.len() > 1 {
        result.push(Node::AnyOf(any_of));
    } else {
        result.extend(any_of.pop().filter(|n| *n != Node::Nothing));
    }
    if !right.is_empty() {
        result.push(Node::Pattern(right));
    }
    Some(Node::Pattern(result))
}

/// The library's `commonChildren`: what all patterns begin and end with.
fn common(patterns: &[&[Node]]) -> (Vec<Node>, Vec<Node>) {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    // The first of the shortest.
    let Some((least, tree)) = patterns.iter().enumerate().min_by_key(|(_, p)| p.len()) else { return (left, right) };
    if patterns.len() <= 1 {
        return (left, right);
    }
    let (mut break_left, mut break_right, mut total) = (false, false, 0);
    for i in 0..tree.len() {
        let j = tree.len() - 1 - i;
        if total >= tree.len() || (break_left && break_right) {
            break;
        }
        for (k, other) in patterns.iter().enumerate() {
            if break_left && break_right {
                break;
            }
            if k == least {
                continue;
            }
            break_left = break_left || tree[i] != other[i];
            break_right = break_right || (!break_left && j <= i);
            break_right = break_right || tree[j] != other[j + other.len() - tree.len()];
        }
        if !break_left {
            total += 1;
            left.push(tree[i].clone());
        }
        if !break_right {
            total += 1;
            right.push(tree[j].clone());
        }
    }
    right.reverse();
    (left, right)
}
