//! What a directory of a commit holds: looked up by name, listed in the order of names.
//!
//! A directory of an environment has hundreds of entries of which few are asked for, so that making a list of them has to cost little: their
//! names stand in one text, one after the other.

use gix::ObjectId;
use gix::objs::TreeRefIter;
use gix::objs::tree::EntryKind;

/// The entries of a directory whose names are texts: another name is no file that a chart or an overlay could name.
#[derive(Debug, Default)]
pub struct Items {
    names: String,
    /// In the order of their names.
    entries: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    /// Where its name stands.
    start: usize,
    end: usize,
    kind: EntryKind,
    id: ObjectId,
}

impl Items {
    /// # Errors
    /// The tree is malformed.
    pub fn of(tree: TreeRefIter<'_>) -> Result<Self, String> {
        let mut out = Self::default();
        for entry in tree {
            let entry = entry.map_err(|e| format!("a tree can't be read: {e}"))?;
            let Ok(name) = std::str::from_utf8(entry.filename) else { continue };
            let start = out.names.len();
            out.names.push_str(name);
            out.entries.push(Item { start, end: out.names.len(), kind: entry.mode.kind(), id: entry.oid.to_owned() });
        }
        // To Git a directory's name ends with a slash.
        let names = &out.names;
        out.entries.sort_by(|a, b| names.get(a.start..a.end).cmp(&names.get(b.start..b.end)));
        Ok(out)
    }

    pub fn get(&self, name: &str) -> Option<(EntryKind, ObjectId)> {
        let at = self.entries.binary_search_by(|item| self.name(item).cmp(name)).ok()?;
        self.entries.get(at).map(|item| (item.kind, item.id))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, EntryKind, ObjectId)> {
        self.entries.iter().map(|item| (self.name(item), item.kind, item.id))
    }

    fn name(&self, item: &Item) -> &str {
        self.names.get(item.start..item.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_and_listed_by_name() {
        // As Git orders them: `a` is a directory, and stands behind `a.yaml`.
        let mut tree = Vec::new();
        for (mode, name) in [("100644", "a-b"), ("100755", "a.yaml"), ("40000", "a"), ("120000", "b"), ("160000", "c")]
        {
            tree.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            tree.extend_from_slice(&[name.len() as u8; 20]);
        }
        tree.extend_from_slice(b"100644 \xff\0");
        tree.extend_from_slice(&[9; 20]);
        let items = Items::of(TreeRefIter::from_bytes(&tree, gix::hash::Kind::Sha1)).unwrap();
        let names: Vec<&str> = items.iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["a", "a-b", "a.yaml", "b", "c"]);
        assert_eq!(items.get("a").unwrap().0, EntryKind::Tree);
        assert_eq!(items.get("a.yaml").unwrap().1.as_slice(), [6; 20]);
        assert_eq!(items.get("b").unwrap().0, EntryKind::Link);
        assert!(items.get("a.yam").is_none() && items.get("").is_none());
        assert!(Items::of(TreeRefIter::from_bytes(b"100644 a", gix::hash::Kind::Sha1)).is_err());
    }
}
