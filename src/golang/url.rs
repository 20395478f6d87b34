//! URLs as Go 1.26's `net/url` takes them apart and puts them together, with its error texts.

mod resolve;

use super::netip;
use super::strconv::quote;

/// What a part of a URL may contain unescaped; Go's `encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Path,
    PathSegment,
    Host,
    Zone,
    UserPassword,
    QueryComponent,
    Fragment,
}

impl Mode {
    /// Go's `shouldEscape`.
    fn escapes(self, b: u8) -> bool {
        let plain = match b {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'(' | b')' | b'*' => matches!(self, Self::Fragment | Self::Zone | Self::Host),
            b'"' | b'\'' | b'<' | b'>' | b'[' | b']' => matches!(self, Self::Zone | Self::Host),
            b'$' | b'&' | b'+' | b'=' => self != Self::QueryComponent,
            b',' | b';' => !matches!(self, Self::QueryComponent | Self::PathSegment),
            b'/' => matches!(self, Self::Fragment | Self::Path),
            b':' => matches!(self, Self::Fragment | Self::Zone | Self::Host | Self::PathSegment | Self::Path),
            b'?' => self == Self::Fragment,
            b'@' => matches!(self, Self::Fragment | Self::PathSegment | Self::Path),
            _ => false,
        };
        !plain
    }
}

/// Escapes a text for its place in a URL; in queries a space becomes `+`.
pub fn escape(s: &[u8], mode: Mode) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(s.len());
    for &b in s {
        if b == b' ' && mode == Mode::QueryComponent {
            out.push(b'+');
        } else if mode.escapes(b) {
            out.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
        } else {
            out.push(b);
        }
    }
    out
}

fn hex(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).map(|d| d as u8)
}

/// Undoes [`escape`].
///
/// # Errors
/// Go's text: `invalid URL escape "%zz"`, `invalid character " " in host name`.
pub fn unescape(s: &[u8], mode: Mode) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(s.len());
    let mut i = 0;
    while i < s.len() {
        let b = s[i];
        i += 1;
        match b {
            b'%' => {
                let text = &s[i - 1..s.len().min(i + 2)];
                let wrong = || Err(format!("invalid URL escape {}", quote(text)));
                let [_, h, l] = *text else { return wrong() };
                let (Some(h), Some(l)) = (hex(h), hex(l)) else { return wrong() };
                let v = h << 4 | l;
                let percent = text == b"%25";
                if mode == Mode::Host && h < 8 && !percent
                    || mode == Mode::Zone && !percent && v != b' ' && Mode::Host.escapes(v)
                {
                    return wrong();
                }
                out.push(v);
                i += 2;
            }
            b'+' if mode == Mode::QueryComponent => out.push(b' '),
            b if matches!(mode, Mode::Host | Mode::Zone) && b < 0x80 && mode.escapes(b) => {
                return Err(format!("invalid character {} in host name", quote(&[b])));
            }
            b => out.push(b),
        }
    }
    Ok(out)
}

/// User name and password before an `@`, unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Userinfo {
    pub username: Vec<u8>,
    pub password: Option<Vec<u8>>,
}

impl Userinfo {
    /// As it stands in a URL.
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = escape(&self.username, Mode::UserPassword);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escape(password, Mode::UserPassword));
        }
        out
    }
}

/// A URL in parts; Go's `url.URL`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    pub scheme: Vec<u8>,
    /// What follows the scheme of a URL like `mailto:x`.
    pub opaque: Vec<u8>,
    pub user: Option<Userinfo>,
    /// `host` or `host:port`
    pub host: Vec<u8>,
    /// Unescaped.
    pub path: Vec<u8>,
    /// The path as it was written, if that is not how [`escape`] would write it.
    pub raw_path: Vec<u8>,
    pub raw_query: Vec<u8>,
    /// Unescaped.
    pub fragment: Vec<u8>,
    pub raw_fragment: Vec<u8>,
    /// There was a `?` with nothing after it.
    pub force_query: bool,
    /// There was a scheme and a path, but no `//`.
    pub omit_host: bool,
}

fn cut(s: &[u8], sep: u8) -> (&[u8], Option<&[u8]>) {
    s.iter().position(|b| *b == sep).map_or((s, None), |i| (&s[..i], Some(&s[i + 1..])))
}

impl Url {
    /// Takes a URL reference apart, as Go's `url.Parse`.
    ///
    /// # Errors
    /// Go's text: `parse "http://a b/": invalid character " " in host name`.
    pub fn parse(raw: &[u8]) -> Result<Self, String> {
        let (main, fragment) = cut(raw, b'#');
        let mut url = Self::parse_main(main, false).map_err(|e| format!("parse {}: {e}", quote(main)))?;
        if let Some(fragment) = fragment {
            url.fragment = unescape(fragment, Mode::Fragment).map_err(|e| format!("parse {}: {e}", quote(raw)))?;
            if escape(&url.fragment, Mode::Fragment) != fragment {
                url.raw_fragment = fragment.to_vec();
            }
        }
        Ok(url)
    }

    /// Takes the URL of a request apart, as Go's `url.ParseRequestURI`: absolute, or an absolute path; a `#` begins no fragment.
    ///
    /// # Errors
    /// Go's text: `parse "x": invalid URI for request`.
    pub fn parse_request(raw: &[u8]) -> Result<Self, String> {
        Self::parse_main(raw, true).map_err(|e| format!("parse {}: {e}", quote(raw)))
    }

    fn parse_main(raw: &[u8], request: bool) -> Result<Self, String> {
        if raw.iter().any(u8::is_ascii_control) {
            return Err("net/url: invalid control character in URL".into());
        }
        if raw.is_empty() && request {
            return Err("empty url".into());
        }
        let mut url = Self::default();
        if raw == b"*" {
            url.path = b"*".to_vec();
            return Ok(url);
        }
        let (scheme, mut rest) = split_scheme(raw)?;
        url.scheme = scheme.to_ascii_lowercase();
        match rest.strip_suffix(b"?") {
            Some(before) if !before.contains(&b'?') => {
                url.force_query = true;
                rest = before;
            }
            _ => {
                let (before, query) = cut(rest, b'?');
                rest = before;
                url.raw_query = query.unwrap_or_default().to_vec();
            }
        }
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if request {
                return Err("invalid URI for request".into());
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".into());
            }
        }
        if rest.starts_with(b"//") && (!url.scheme.is_empty() || !request && !rest.starts_with(b"///")) {
            let authority = &rest[2..];
            let end = authority.iter().position(|b| *b == b'/').unwrap_or(authority.len());
            rest = &authority[end..];
            (url.user, url.host) = parse_authority(&url.scheme, &authority[..end])?;
        } else if !url.scheme.is_empty() && rest.starts_with(b"/") {
            url.omit_host = true;
        }
        url.path = unescape(rest, Mode::Path)?;
        if escape(&url.path, Mode::Path) != rest {
            url.raw_path = rest.to_vec();
        }
        Ok(url)
    }

    /// The host without its port and without the brackets of an IPv6 address.
    pub fn hostname(&self) -> &[u8] {
        // Go's splitHostPort: only a valid port is cut off.
        let host = &self.host[..];
        let host = match host.iter().rposition(|b| *b == b':') {
            Some(i) if valid_port(&host[i..]) => &host[..i],
            _ => host,
        };
        host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host)
    }

    /// The URL as text; Go's `URL.String`.
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if !self.opaque.is_empty() {
            out.extend_from_slice(&self.opaque);
        } else {
            let authority = !self.host.is_empty() || self.user.is_some();
            if authority || !self.scheme.is_empty() && !self.omit_host {
                if authority || !self.path.is_empty() {
                    out.extend_from_slice(b"//");
                }
                if let Some(user) = &self.user {
                    out.extend(user.encoded());
                    out.push(b'@');
                }
                out.extend(escape(&self.host, Mode::Host));
            }
            let path = self.escaped_path();
            if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
                out.push(b'/');
            }
            if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
                // Without the dot the first segment would be read as a scheme.
                out.extend_from_slice(b"./");
            }
            out.extend(path);
        }
        if self.force_query || !self.raw_query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.raw_query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(self.escaped_fragment());
        }
        out
    }

    fn escaped_path(&self) -> Vec<u8> {
        if still_right(&self.raw_path, &self.path, Mode::Path) {
            return self.raw_path.clone();
        }
        if self.path == b"*" {
            return b"*".to_vec();
        }
        escape(&self.path, Mode::Path)
    }

    fn escaped_fragment(&self) -> Vec<u8> {
        if still_right(&self.raw_fragment, &self.fragment, Mode::Fragment) {
            return self.raw_fragment.clone();
        }
        escape(&self.fragment, Mode::Fragment)
    }
}

/// Whether the text as it was written is a sound way to write this.
fn still_right(raw: &[u8], plain: &[u8], mode: Mode) -> bool {
    let fits = |b: &u8| {
        matches!(
            b,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'['
                | b']'
                | b'%'
        ) || !mode.escapes(*b)
    };
    !raw.is_empty() && raw.iter().all(fits) && unescape(raw, mode).is_ok_and(|p| p == plain)
}

/// The scheme, which may be empty, and the rest.
fn split_scheme(raw: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (i, b) in raw.iter().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".into()),
            b':' => return Ok((&raw[..i], &raw[i + 1..])),
            _ => break,
        }
    }
    Ok((&[], raw))
}

fn valid_port(port: &[u8]) -> bool {
    match port.split_first() {
        None => true,
        Some((colon, digits)) => *colon == b':' && digits.iter().all(u8::is_ascii_digit),
    }
}

fn parse_authority(scheme: &[u8], authority: &[u8]) -> Result<(Option<Userinfo>, Vec<u8>), String> {
    let Some(at) = authority.iter().rposition(|b| *b == b'@') else {
        return Ok((None, parse_host(scheme, authority)?));
    };
    let host = parse_host(scheme, &authority[at + 1..])?;
    let info = &authority[..at];
    let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b);
    if !info.iter().all(valid) {
        return Err("net/url: invalid userinfo".into());
    }
    let (username, password) = cut(info, b':');
    let username = unescape(username, Mode::UserPassword)?;
    let password = password.map(|p| unescape(p, Mode::UserPassword)).transpose()?;
    Ok((Some(Userinfo { username, password }), host))
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    let port_error = |port: &[u8]| format!("invalid port {} after host", quote(port));
    match host.iter().rposition(|b| *b == b'[') {
        Some(0) => {
            let Some(close) = host.iter().rposition(|b| *b == b']') else {
                return Err("missing ']' in host".into());
            };
            let port = &host[close + 1..];
            if !valid_port(port) {
                return Err(port_error(port));
            }
            let name = &host[1..close];
            let zone = name.windows(3).position(|w| w == b"%25").unwrap_or(name.len());
            let mut plain = unescape(&name[..zone], Mode::Host)?;
            plain.extend(unescape(&name[zone..], Mode::Zone)?);
            match netip::parse(&plain) {
                Err(e) => return Err(format!("invalid host: {e}")),
                Ok(netip::Family::V4) => return Err("invalid IP-literal".into()),
                Ok(netip::Family::V6) => {}
            }
            return Ok([b"[", &plain[..], b"]", port].concat());
        }
        Some(_) => return Err("invalid IP-literal".into()),
        None => {}
    }
    if let Some(first) = host.iter().position(|b| *b == b':') {
        // Lists of hosts, as some databases have them, are allowed colons; the web's schemes are not.
        let strict = scheme == b"http" || scheme == b"https";
        let colon = if strict { first } else { host.iter().rposition(|b| *b == b':').unwrap_or(first) };
        if !valid_port(&host[colon..]) {
            return Err(port_error(&host[colon..]));
        }
    }
    unescape(host, Mode::Host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_go_s() {
        for (s, want) in [
            ("http://ex ample.com/", r#"parse "http://ex ample.com/": invalid character " " in host name"#),
            ("http://a/%zz", r#"parse "http://a/%zz": invalid URL escape "%zz""#),
            ("http://a/%z", r#"parse "http://a/%z": invalid URL escape "%z""#),
            ("http://host:port/", r#"parse "http://host:port/": invalid port ":port" after host"#),
            ("1http://x", r#"parse "1http://x": first path segment in URL cannot contain colon"#),
            ("://x", r#"parse "://x": missing protocol scheme"#),
            ("a\nb", r#"parse "a\nb": net/url: invalid control character in URL"#),
            ("http://[1.2.3.4]/", r#"parse "http://[1.2.3.4]/": invalid IP-literal"#),
            ("http://[::1", r#"parse "http://[::1": missing ']' in host"#),
            ("http://a:1:2/", r#"parse "http://a:1:2/": invalid port ":1:2" after host"#),
        ] {
            assert_eq!(Url::parse(s.as_bytes()).unwrap_err(), want);
        }
    }

    #[test]
    fn texts_come_back() {
        for s in [
            "http://user:pa%20ss@host:80/p%2Fa/th?q=1#frag",
            "mailto:a@b",
            "//host/path",
            "/a/b?",
            "file:///x",
            "unix:/x",
            "http://[fe80::1%25en0]:80/",
            "a,b;c=d",
            "http://host/[x]!$&'()*+,;=:@",
            "*",
            "",
        ] {
            let url = Url::parse(s.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(url.encoded()).unwrap(), s);
        }
    }

    #[test]
    fn hostnames() {
        for (s, want) in [("http://h:80/", "h"), ("http://[::1]:80/", "::1"), ("x://a,b:1/", "a,b"), ("/p", "")] {
            assert_eq!(Url::parse(s.as_bytes()).unwrap().hostname(), want.as_bytes(), "{s}");
        }
    }
}
