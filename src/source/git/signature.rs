//! Signatures of commits and tags, by PGP and by SSH keys.
//!
//! A commit carries its signature in the header `gpgsig`, a tag behind its message; what is signed is the object without it. The commit
//! itself must be signed, or the annotated tag that was asked for.

use gix::ObjectId;

use crate::source::verify::{pgp, ssh};
use crate::source::{Reason, SourceError, Verification};

/// Checks the commit's signature, or that of the tag that led to it.
///
/// # Errors
/// [`Reason::Unverified`]: what is missing or wrong.
pub fn verify(
    repository: &gix::Repository,
    commit: &str,
    want: &str,
    keys: &[Vec<u8>],
    place: &str,
) -> Result<Vec<Verification>, SourceError> {
    let mut unsigned = Vec::new();
    let mut objects = vec![("commit", commit)];
    if want != commit {
        objects.insert(0, ("tag", want));
    }
    for (kind, id) in objects {
        match of_object(repository, (kind, id), commit, keys, place)? {
            Some(found) => return Ok(vec![found]),
            None => unsigned.push(format!("{kind} {id}")),
        }
    }
    Err(SourceError::new(Reason::Unverified, place, format!("not signed: {}", unsigned.join(", "))))
}

/// Checks the signature of one object, `commit` or `tag` with its id; `None` without a signature.
///
/// # Errors
/// [`Reason::Unverified`]: what is wrong.
pub fn of_object(
    repository: &gix::Repository,
    (kind, id): (&str, &str),
    commit: &str,
    keys: &[Vec<u8>],
    place: &str,
) -> Result<Option<Verification>, SourceError> {
    let refuse = |why: String| SourceError::new(Reason::Unverified, place, why);
    let data = raw(repository, id).map_err(&refuse)?;
    let Some((payload, signature)) = (if kind == "tag" { of_tag(&data, commit) } else { of_commit(&data) }) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&signature);
    let found = if text.starts_with("-----BEGIN SSH SIGNATURE-----") {
        ssh::verify(&payload, &text, "git", keys).map(|(by, key)| ("git-ssh", by, key))
    } else {
        pgp::verify_detached(&payload, &signature, keys).map(|(by, key)| ("git-pgp", by, key))
    };
    let (method, by, key) = found.map_err(|e| refuse(format!("the signature of {kind} {id}: {e}")))?;
    Ok(Some(Verification { method: method.into(), by, key }))
}

fn raw(repository: &gix::Repository, id: &str) -> Result<Vec<u8>, String> {
    let id = ObjectId::from_hex(id.as_bytes()).map_err(|e| e.to_string())?;
    let object = repository.find_object(id).map_err(|e| format!("{id} can't be read: {e}"))?;
    Ok(object.detach().data)
}

/// A commit without its signature, and the signature.
fn of_commit(data: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let end = data.windows(2).position(|w| w == b"\n\n")? + 1;
    let (head, message) = data.split_at_checked(end)?;
    let (mut payload, mut signature) = (Vec::new(), Vec::new());
    let mut inside = false;
    for line in head.split_inclusive(|b| *b == b'\n') {
        if let Some(first) = line.strip_prefix(b"gpgsig ").or_else(|| line.strip_prefix(b"gpgsig-sha256 ")) {
            inside = true;
            signature.extend_from_slice(first);
        } else if let Some(more) = line.strip_prefix(b" ").filter(|_| inside) {
            signature.extend_from_slice(more);
        } else {
            inside = false;
            payload.extend_from_slice(line);
        }
    }
    payload.extend_from_slice(message);
    (!signature.is_empty()).then_some((payload, signature))
}

/// A tag without its signature, and the signature. It must be of this very commit.
fn of_tag(data: &[u8], commit: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    if !data.starts_with(format!("object {commit}\n").as_bytes()) {
        return None;
    }
    let starts = [b"-----BEGIN PGP SIGNATURE-----".as_slice(), b"-----BEGIN SSH SIGNATURE-----"];
    let at = starts.iter().filter_map(|s| data.windows(s.len()).rposition(|w| w == *s)).max()?;
    if at > 0 && data.get(at - 1) != Some(&b'\n') {
        return None;
    }
    let (payload, signature) = data.split_at_checked(at)?;
    Some((payload.to_vec(), signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_cut_out() {
        let commit =
            b"tree 1\nparent 2\ngpgsig -----BEGIN X\n a\n -----END X\nencoding x\n\nmessage\ngpgsig not this\n";
        let (payload, signature) = of_commit(commit).unwrap();
        assert_eq!(payload, b"tree 1\nparent 2\nencoding x\n\nmessage\ngpgsig not this\n");
        assert_eq!(signature, b"-----BEGIN X\na\n-----END X\n");
        assert!(of_commit(b"tree 1\n\nx").is_none());
        assert!(of_commit(b"").is_none());
        let tag = b"object 00\ntype commit\n\nv1\n-----BEGIN SSH SIGNATURE-----\nx\n";
        assert_eq!(of_tag(tag, "00").unwrap().0, b"object 00\ntype commit\n\nv1\n");
        assert!(of_tag(tag, "01").is_none());
    }
}
