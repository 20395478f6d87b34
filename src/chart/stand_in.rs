//! Small versions of functions whose home is elsewhere in the crate, until they stand there.

pub mod strconv {
    pub fn quote(s: &[u8]) -> String {
        format!("{:?}", String::from_utf8_lossy(s))
    }
    pub fn is_print(c: char) -> bool {
        !c.is_control()
    }
}
pub mod unicode {
    pub fn is_space(c: char) -> bool {
        c.is_whitespace()
    }
}
pub mod path {
    pub fn base(p: &[u8]) -> &[u8] {
        p.rsplit(|b| *b == b'/').next().unwrap_or(p)
    }
    pub fn join(parts: &[&str]) -> String {
        parts.join("/")
    }
}
pub mod semver {
    pub struct Version;
    impl Version {
        pub fn new(s: &str) -> Result<Self, String> {
            if s.bytes().any(|b| b.is_ascii_digit()) { Ok(Self) } else { Err("invalid semantic version".into()) }
        }
    }
}
