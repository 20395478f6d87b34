//! A reference seen from a base: `url.URL.ResolveReference`.

use super::{Mode, Url, escape, unescape};

impl Url {
    /// True if it has a scheme.
    pub const fn is_abs(&self) -> bool {
        !self.scheme.is_empty()
    }

    /// `reference` seen from here.
    #[must_use]
    pub fn resolve(&self, reference: &Self) -> Self {
        let mut url = reference.clone();
        if reference.scheme.is_empty() {
            url.scheme.clone_from(&self.scheme);
        }
        if !reference.scheme.is_empty() || !reference.host.is_empty() || reference.user.is_some() {
            url.set_path(&resolve_path(&reference.escaped_path(), b""));
            return url;
        }
        if !reference.opaque.is_empty() {
            (url.user, url.host, url.path) = (None, Vec::new(), Vec::new());
            return url;
        }
        if reference.path.is_empty() && !reference.force_query && reference.raw_query.is_empty() {
            url.raw_query.clone_from(&self.raw_query);
            if reference.fragment.is_empty() {
                url.fragment.clone_from(&self.fragment);
                url.raw_fragment.clone_from(&self.raw_fragment);
            }
        }
        if reference.path.is_empty() && !self.opaque.is_empty() {
            url.opaque.clone_from(&self.opaque);
            (url.user, url.host, url.path) = (None, Vec::new(), Vec::new());
            return url;
        }
        url.host.clone_from(&self.host);
        url.user.clone_from(&self.user);
        url.set_path(&resolve_path(&self.escaped_path(), &reference.escaped_path()));
        url
    }

    /// The path comes from `escaped_path`, so it can be unescaped; if not, the path stays as it is, as in Go.
    fn set_path(&mut self, path: &[u8]) {
        if let Ok(plain) = unescape(path, Mode::Path) {
            self.raw_path = if escape(&plain, Mode::Path) == path { Vec::new() } else { path.to_vec() };
            self.path = plain;
        }
    }
}

/// The path of a reference beside or below `base`, without `.` and `..`.
fn resolve_path(base: &[u8], reference: &[u8]) -> Vec<u8> {
    let full = match reference.first() {
        None => base.to_vec(),
        Some(b'/') => reference.to_vec(),
        Some(_) => {
            let end = base.iter().rposition(|&c| c == b'/').map_or(0, |i| i + 1);
            [&base[..end], reference].concat()
        }
    };
    if full.is_empty() {
        return full;
    }
    let mut out = vec![b'/'];
    let mut first = true;
    let mut last: &[u8] = b"";
    for elem in full.split(|&c| c == b'/') {
        last = elem;
        match elem {
            b"." => first = false,
            b".." => {
                let end = out[1..].iter().rposition(|&c| c == b'/').map_or(1, |i| i + 1);
                out.truncate(end);
                first = out.len() == 1;
            }
            _ => {
                if !first {
                    out.push(b'/');
                }
                out.extend_from_slice(elem);
                first = false;
            }
        }
    }
    if last == b"." || last == b".." {
        out.push(b'/');
    }
    if out.get(1) == Some(&b'/') {
        out.remove(0);
    }
    out
}

#[cfg(test)]
mod tests;
