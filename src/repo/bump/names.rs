//! Names that Git takes: those of branches, and of authors.

/// `NAME <ADDRESS>`
pub(super) fn is_author(text: &str) -> bool {
    let fine = |s: &str| !s.contains(['<', '>']) && !s.chars().any(char::is_control);
    let parts = text.strip_suffix('>').and_then(|text| text.split_once(" <"));
    parts.is_some_and(|(name, address)| !name.trim().is_empty() && fine(name) && fine(address))
}

/// A branch's name by the rules of `git check-ref-format`.
pub(super) fn is_branch(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let odd = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    name.split('/').all(part)
        && !name.contains(odd)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && !name.starts_with('-')
        && name != "@"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_git_takes_them() {
        for name in ["main", "bump/dev/web", "a@b", "x.y-z", "ä"] {
            assert!(is_branch(name), "{name}");
        }
        for name in
            ["", "x y", "/a", "a//b", "a/", ".a", "a/.b", "a.lock", "a..b", "a.", "a@{b", "@", "-a", "a:b", "a\\b"]
        {
            assert!(!is_branch(name), "{name}");
        }
        for author in ["A <a@b>", "pintle <pintle@localhost>", "Some Body <>"] {
            assert!(is_author(author), "{author}");
        }
        for author in ["", "bad", "A<a@b>", "A <a@b", "<a@b>", "A <a> <b>", "A <a\n>"] {
            assert!(!is_author(author), "{author}");
        }
    }
}
