//! Whether a text is an e-mail address or a URL, by the measure of asaskevich/govalidator, which Helm uses: its patterns, and Go's URLs.

use crate::golang::regexp::Regexp;
use crate::golang::url::Url;

const WIDE: &str = r"[\x{00A0}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFEF}]";
const SCHEME: &str = r"((ftp|tcp|udp|wss?|https?):\/\/)";
const USER: &str = r"(\S+(:\S*)?@)";
const PATH: &str = r"((\/|\?|#)[^\s]*)";
const PORT: &str = r"(:(\d{1,5}))";
const IPV4: &str = r"([1-9]\d?|1\d\d|2[01]\d|22[0-3]|24\d|25[0-5])(\.(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])){2}(?:\.([0-9]\d?|1\d\d|2[0-4]\d|25[0-5]))";
const IPV6: &str = r"(([0-9a-fA-F]{1,4}:){7,7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:((:[0-9a-fA-F]{1,4}){1,6})|:((:[0-9a-fA-F]{1,4}){1,7}|:)|fe80:(:[0-9a-fA-F]{0,4}){0,4}%[0-9a-zA-Z]{1,}|::(ffff(:0{1,4}){0,1}:){0,1}((25[0-5]|(2[0-4]|1{0,1}[0-9]){0,1}[0-9])\.){3,3}(25[0-5]|(2[0-4]|1{0,1}[0-9]){0,1}[0-9])|([0-9a-fA-F]{1,4}:){1,4}:((25[0-5]|(2[0-4]|1{0,1}[0-9]){0,1}[0-9])\.){3,3}(25[0-5]|(2[0-4]|1{0,1}[0-9]){0,1}[0-9]))";
const SUBDOMAIN: &str = r"((www\.)|([a-zA-Z0-9]+([-_\.]?[a-zA-Z0-9])*[a-zA-Z0-9]\.[a-zA-Z0-9]+))";

fn matches(pattern: &str, text: &str) -> bool {
    Regexp::cached(pattern.as_bytes()).is_ok_and(|r| r.is_match(text.as_bytes()))
}

/// govalidator's `IsEmail`.
pub(super) fn is_email(text: &str) -> bool {
    let word = format!(r"([a-zA-Z]|\d|[!#\$%&'\*\+\-\/=\?\^_`{{\|}}~]|{WIDE})+");
    let space = r"(((\x20|\x09)*(\x0d\x0a))?(\x20|\x09)+)?";
    // The repetition takes the opening quote in: a slip of the original, that counts.
    let quoted = format!(
        r"(((\x22)({space}(([\x01-\x08\x0b\x0c\x0e-\x1f\x7f]|\x21|[\x23-\x5b]|[\x5d-\x7e]|{WIDE})|(\([\x01-\x09\x0b\x0c\x0d-\x7f]|{WIDE}))))*{space}(\x22))"
    );
    let part =
        format!(r"(([a-zA-Z]|\d|{WIDE})|(([a-zA-Z]|\d|{WIDE})([a-zA-Z]|\d|-|\.|_|~|{WIDE})*([a-zA-Z]|\d|{WIDE})))\.");
    let last = format!(r"(([a-zA-Z]|{WIDE})|(([a-zA-Z]|{WIDE})([a-zA-Z]|\d|-|_|~|{WIDE})*([a-zA-Z]|{WIDE})))\.?");
    matches(&format!(r"^(({word}(\.{word})*)|{quoted})@({part})+{last}$"), text)
}

/// govalidator's `IsURL`.
pub(super) fn is_url(text: &str) -> bool {
    if text.chars().count() >= 2083 || text.len() <= 3 || text.starts_with('.') {
        return false;
    }
    let with_scheme =
        if text.contains(':') && !text.contains("://") { format!("http://{text}") } else { text.to_string() };
    let Ok(url) = Url::parse(with_scheme.as_bytes()) else { return false };
    if url.host.starts_with(b".") || (url.host.is_empty() && !url.path.is_empty() && !url.path.contains(&b'.')) {
        return false;
    }
    let host = format!(
        r"(({IPV4}|(\[{IPV6}\])|(([a-zA-Z0-9]([a-zA-Z0-9-_]+)?[a-zA-Z0-9]([-\.][a-zA-Z0-9]+)*)|({SUBDOMAIN}?))?(([a-zA-Z\x{{00a1}}-\x{{ffff}}0-9]+-?-?)*[a-zA-Z\x{{00a1}}-\x{{ffff}}0-9]+)(?:\.([a-zA-Z\x{{00a1}}-\x{{ffff}}]{{1,}}))?))"
    );
    matches(&format!(r"^{SCHEME}?{USER}?{host}\.?{PORT}?{PATH}?$"), text)
}

/// govalidator's `IsRequestURL`.
pub(super) fn is_request_url(text: &str) -> bool {
    Url::parse_request(text.as_bytes()).is_ok_and(|url| !url.scheme.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_are_taken() {
        for (text, email, url, request) in [
            ("a@b.example", true, true, false),
            ("\"a b\"@b.example", false, false, false),
            ("\"a\"@b.example", true, true, false),
            ("\" a\"@b.example", true, false, false),
            ("\"a\"b\"@b.example", true, true, false),
            ("\"@b.example", true, true, false),
            ("a@b", false, false, false),
            ("a@bc", false, false, false),
            ("a..b@c.example", false, true, false),
            ("https://example.com/x?y#z", false, true, true),
            ("example.com", false, true, false),
            ("https://", false, false, true),
            ("http://[::1]:80/", false, true, true),
            ("mailto:x", false, false, true),
            ("https://example.com#x", false, true, false),
            ("https://a b/", false, false, false),
            ("/icon.png", false, false, false),
        ] {
            assert_eq!((is_email(text), is_url(text), is_request_url(text)), (email, url, request), "{text}");
        }
    }
}
