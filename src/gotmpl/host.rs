//! What a render may ask of the outside world: clock, chance, time zone, name service. One trait, so that tests can pin it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::golang::time::Location;

/// The outside world as templates see it.
pub trait Host: Send + Sync {
    /// Nanoseconds since the Unix epoch.
    fn now(&self) -> i128;
    /// Fills the buffer with random bytes fit for keys.
    fn random(&self, buf: &mut [u8]);
    /// `time.Local`: the zone that `TZ` names or the system is set to; UTC if that is not known.
    fn local_zone(&self) -> Location;
    /// The addresses of a host name; empty if there are none, and where name lookups are off.
    fn lookup_host(&self, name: &str) -> Vec<String>;
    /// Whether names are looked up at all.
    fn looks_up(&self) -> bool {
        false
    }
}

/// The real clock and the system's randomness; name lookups only if asked for (`--enable-dns`).
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemHost {
    pub enable_dns: bool,
}

impl Host for SystemHost {
    fn looks_up(&self) -> bool {
        self.enable_dns
    }
    fn now(&self) -> i128 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i128)
    }
    fn random(&self, buf: &mut [u8]) {
        // Without a random source keys would be guessable: better no answer than that.
        getrandom::fill(buf).expect("the operating system gives no random bytes");
    }
    fn local_zone(&self) -> Location {
        let tz = std::env::var("TZ");
        match tz.as_deref().map(|tz| tz.strip_prefix(':').unwrap_or(tz)) {
            Ok("") => Location::local("UTC"),
            Ok("/etc/localtime") | Err(_) => Location::system(&system_zone()),
            Ok(tz) => Location::local(tz),
        }
    }
    fn lookup_host(&self, name: &str) -> Vec<String> {
        use std::net::ToSocketAddrs;
        if !self.enable_dns {
            return Vec::new();
        }
        (name, 0).to_socket_addrs().map(|it| it.map(|a| a.ip().to_string()).collect()).unwrap_or_default()
    }
}

/// The zone that the system is set to. It mostly is the name of what `/etc/localtime` points to; to ask the library reads all names of zones
/// that there are.
fn system_zone() -> String {
    let target = std::fs::read_link("/etc/localtime").unwrap_or_default();
    match target.to_str().and_then(|path| path.rsplit_once("/zoneinfo/")) {
        Some((_, zone)) => zone.into(),
        None => jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").into(),
    }
}

/// A pinned world: one instant, a seeded byte stream, UTC, no names.
#[derive(Debug)]
pub struct FixedHost {
    pub now: i128,
    seed: std::sync::Mutex<u64>,
}

impl FixedHost {
    pub const fn new(now: i128, seed: u64) -> Self {
        Self { now, seed: std::sync::Mutex::new(seed) }
    }
}

impl Host for FixedHost {
    fn now(&self) -> i128 {
        self.now
    }
    fn random(&self, buf: &mut [u8]) {
        let mut s = self.seed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for b in buf {
            // splitmix64: good enough to look random, and the same everywhere.
            *s = s.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *s;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *b = (z ^ (z >> 31)) as u8;
        }
    }
    fn local_zone(&self) -> Location {
        Location::local("UTC")
    }
    fn lookup_host(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }
}
