//! Two states of a repository: commits straight from the object store, or the working tree.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use gix::ObjectId;

use super::concerned;
use super::working::Working;
use crate::repo::git_survey::{Link, Links};
use crate::repo::{Checkout, Store};

/// What is compared.
pub struct Range {
    pub base: Checkout,
    pub head: Checkout,
    /// For headings: a short id, `working tree`.
    pub base_name: String,
    pub head_name: String,
    /// The files that are not the same.
    pub changed: BTreeSet<String>,
    /// Links are looked for from the start, on a thread of their own.
    search: Mutex<Option<Links>>,
    /// The links that both states have; nothing if they can't be had, or if one of them is changed.
    links: OnceLock<Option<Vec<Link>>>,
}

impl Range {
    /// `BASE..HEAD`; `BASE...HEAD` begins where the two parted; `BASE` alone or with `..` ends at the working tree. Without a range it
    /// begins where HEAD parted from the default branch, and ends at the working tree.
    ///
    /// # Errors
    /// There is no Git repository, a name is of no commit, the commits have nothing in common.
    pub fn open(path: &Path, range: Option<&str>) -> Result<Self, String> {
        let (store, below) = Store::open(path)?;
        let (base, head) = match range {
            None => {
                let Some((_, branch)) = store.default_branch() else {
                    return Err(
                        "no default branch is known here (origin/HEAD, main, master): name a range as BASE..HEAD"
                            .into(),
                    );
                };
                (store.merge_base(branch, store.commit("HEAD")?)?, None)
            }
            Some(text) => match (text.split_once("..."), text.split_once("..")) {
                (Some((a, b)), _) => {
                    let head = store.commit(or_head(b))?;
                    (store.merge_base(store.commit(or_head(a))?, head)?, Some(head))
                }
                (None, Some((a, ""))) => (store.commit(or_head(a))?, None),
                (None, Some((a, b))) => (store.commit(or_head(a))?, Some(store.commit(b)?)),
                (None, None) => (store.commit(text)?, None),
            },
        };
        let base_tree = store.tree(base, &below)?;
        let name = |id: ObjectId| id.to_hex_with_len(12).to_string();
        let base_name = name(base);
        // The links, where they are known already or looked for.
        let (mut known, mut search) = (None, None);
        let (head_checkout, head_name, changed) = match head {
            Some(id) => {
                let tree = store.tree(id, &below)?;
                let changes = base_tree.changed(&tree)?;
                let changed = changes.paths;
                if !changes.links {
                    search = Some(Links::of([&base_tree, &tree], &below)?);
                }
                (Checkout::of_commit(path, tree), name(id), changed)
            }
            None => {
                if store.work_tree().is_none() {
                    return Err("a bare repository has no working tree: name a range as BASE..HEAD".into());
                }
                let working = Working::of(&base_tree, &store, path, &below)?;
                let changed = working.changed;
                let is_link = |path: &String| base_tree.is_link(path) || working.links.iter().any(|l| l.path == *path);
                if !changed.iter().any(is_link) {
                    known = Some(working.links);
                }
                let checkout = Checkout::new(path)?.without(working.ignored);
                (checkout, "working tree".to_owned(), changed)
            }
        };
        let links = if search.is_some() { OnceLock::new() } else { OnceLock::from(known) };
        Ok(Self {
            base: Checkout::of_commit(path, base_tree),
            head: head_checkout,
            base_name,
            head_name,
            changed,
            search: Mutex::new(search),
            links,
        })
    }

    /// The symbolic links that both states have; `None` if they can't be had, or if one is changed.
    pub(super) fn links(&self) -> Option<&[Link]> {
        let found = self.links.get_or_init(|| {
            let search = self.search.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            search.wait().ok()
        });
        found.as_deref()
    }

    /// The changed files, and the other paths by which links lead to them. `None` if there is no telling.
    pub(super) fn reached(&self) -> Option<BTreeSet<String>> {
        concerned::aliases(&self.changed, self.links()?)
    }
}

fn or_head(name: &str) -> &str {
    if name.is_empty() { "HEAD" } else { name }
}
