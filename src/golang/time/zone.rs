//! Go's `time.Location`, by the zone data compiled into the program.
//!
//! Go reads the system's zoneinfo files; the data bundled here are the same database, and make a render the same on every
//! machine. Names are case-sensitive as file names are.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A place on Earth, or a fixed offset.
#[derive(Clone, Debug)]
pub struct Location(Place);

#[derive(Clone, Debug)]
enum Place {
    Utc,
    /// An offset that a text named. The name may be empty.
    Fixed {
        name: Arc<str>,
        offset: i32,
    },
    Zone {
        name: Arc<str>,
        tz: TimeZone,
    },
    /// `time.Local`; UTC if `tz` is `None`.
    Local {
        name: Arc<str>,
        tz: Option<TimeZone>,
    },
}

/// What holds in a location at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    /// The abbreviation, such as `CET`; empty for an offset without a name.
    pub name: String,
    /// Seconds east of UTC.
    pub offset: i32,
    pub dst: bool,
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Place::Utc, Place::Utc) | (Place::Local { .. }, Place::Local { .. }) => true,
            (Place::Fixed { name: a, offset: x }, Place::Fixed { name: b, offset: y }) => a == b && x == y,
            (Place::Zone { name: a, .. }, Place::Zone { name: b, .. }) => a == b,
            _ => false,
        }
    }
}

fn zone(name: &str) -> Option<TimeZone> {
    let tz = BUNDLED.get(name).ok()?;
    // The database ignores case, a file system does not.
    (tz.iana_name() == Some(name)).then_some(tz)
}

impl Location {
    pub const fn utc() -> Self {
        Self(Place::Utc)
    }

    /// `time.FixedZone`.
    pub fn fixed(name: &str, offset: i32) -> Self {
        Self(Place::Fixed { name: name.into(), offset })
    }

    /// `time.Local` where `TZ` names a zone, or the path of its file; an unknown name is UTC, as in Go.
    pub fn local(name: &str) -> Self {
        let file = name.starts_with('/').then(|| name.rsplit_once("zoneinfo/")).flatten();
        let known = file.map_or(name, |(_, zone)| zone);
        match zone(known) {
            Some(tz) if known != "UTC" => Self(Place::Local { name: name.into(), tz: Some(tz) }),
            _ => Self(Place::Local { name: "UTC".into(), tz: None }),
        }
    }

    /// `time.Local` where `TZ` is not set and the system is set to a zone: it is called `Local`.
    pub fn system(zone_name: &str) -> Self {
        match zone(zone_name) {
            Some(tz) => Self(Place::Local { name: "Local".into(), tz: Some(tz) }),
            None => Self::local("UTC"),
        }
    }

    /// `time.LoadLocation`; `local` is what the name `Local` stands for. `None` if there is no such zone.
    pub fn load(name: &[u8], local: &Self) -> Option<Self> {
        match name {
            b"" | b"UTC" => Some(Self::utc()),
            b"Local" => Some(local.clone()),
            _ => {
                let name = std::str::from_utf8(name).ok()?;
                Some(Self(Place::Zone { name: name.into(), tz: zone(name)? }))
            }
        }
    }

    /// True if Go would have one pointer for both: what `==` of times looks at. Each text with an offset makes a location of its own,
    /// except for whole hours without a name; TOML's times without an offset share one of each kind.
    pub fn is_same(&self, other: &Self) -> bool {
        const HOUR: i32 = 3600;
        match (&self.0, &other.0) {
            (Place::Fixed { name: a, offset }, Place::Fixed { name: b, .. }) => {
                let hours = a.is_empty() && offset % HOUR == 0 && (-12 * HOUR..=14 * HOUR).contains(offset);
                self == other && (hours || a.ends_with("-local") || Arc::ptr_eq(a, b))
            }
            (Place::Zone { name: a, .. }, Place::Zone { name: b, .. }) => Arc::ptr_eq(a, b),
            _ => self == other,
        }
    }

    /// The seconds east of UTC that a text named.
    pub const fn fixed_offset(&self) -> Option<i32> {
        match &self.0 {
            Place::Fixed { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    /// True for `time.UTC`.
    pub const fn is_utc(&self) -> bool {
        matches!(self.0, Place::Utc)
    }

    /// True for `time.Local`.
    pub const fn is_local(&self) -> bool {
        matches!(self.0, Place::Local { .. })
    }

    /// `Location.String`.
    pub fn name(&self) -> &str {
        match &self.0 {
            Place::Utc => "UTC",
            Place::Fixed { name, .. } | Place::Zone { name, .. } | Place::Local { name, .. } => name,
        }
    }

    pub(super) fn go_string(&self) -> String {
        match &self.0 {
            Place::Utc => "time.UTC".into(),
            Place::Local { .. } => "time.Local".into(),
            _ => format!("time.Location({})", crate::golang::duration::quote(self.name().as_bytes())),
        }
    }

    const fn tz(&self) -> Option<&TimeZone> {
        match &self.0 {
            Place::Zone { tz, .. } | Place::Local { tz: Some(tz), .. } => Some(tz),
            _ => None,
        }
    }

    /// What holds at the second since 1970.
    pub fn lookup(&self, unix: i64) -> Offset {
        if let Place::Fixed { name, offset } = &self.0 {
            return Offset { name: name.to_string(), offset: *offset, dst: false };
        }
        let Some(tz) = self.tz() else {
            return Offset { name: "UTC".into(), offset: 0, dst: false };
        };
        let info = tz.to_offset_info(timestamp(unix));
        Offset { name: info.abbreviation().to_owned(), offset: info.offset().seconds(), dst: info.dst().is_dst() }
    }

    /// The offset of an abbreviation: of the one in effect at the reading `unix`, else of any that the zone ever had.
    pub(super) fn lookup_name(&self, name: &str, unix: i64) -> Option<i32> {
        let Some(tz) = self.tz() else {
            return match &self.0 {
                Place::Fixed { name: own, offset } if **own == *name => Some(*offset),
                // Go's UTC has no zones to look in.
                _ => None,
            };
        };
        let mut offsets = vec![];
        let first = tz.to_offset_info(Timestamp::MIN);
        if first.abbreviation() == name {
            offsets.push(first.offset().seconds());
        }
        // After 2037 the rules of today repeat.
        let end = timestamp(2_145_916_800);
        for t in tz.preceding(end) {
            if t.abbreviation() == name && !offsets.contains(&t.offset().seconds()) {
                offsets.push(t.offset().seconds());
            }
        }
        let in_effect = |&&offset: &&i32| self.lookup(unix.wrapping_sub(i64::from(offset))).name == name;
        let hit = offsets.iter().find(in_effect);
        match hit {
            Some(&offset) => Some(self.lookup(unix.wrapping_sub(i64::from(offset))).offset),
            None => offsets.last().copied(),
        }
    }
}

/// The nearest instant for which zone data can be asked. The calendar, and with it the rules of the far future, repeats every 400
/// years; before the database's first year nothing changes.
fn timestamp(unix: i64) -> Timestamp {
    const CYCLE: i64 = 146_097 * 86_400;
    const YEAR_2400: i64 = 13_569_465_600;
    let unix = if unix > YEAR_2400 + CYCLE { YEAR_2400 + (unix - YEAR_2400) % CYCLE } else { unix };
    Timestamp::from_second(unix).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_go_has_them() {
        let local = Location::local("Europe/Berlin");
        assert_eq!(Location::load(b"Local", &local), Some(local.clone()));
        assert_eq!(Location::load(b"", &local), Some(Location::utc()));
        for bad in ["europe/paris", "Mars/Base", "../etc", "/etc/localtime", "Europe"] {
            assert_eq!(Location::load(bad.as_bytes(), &local), None, "{bad}");
        }
        assert_eq!(Location::local("Nowhere").name(), "UTC");
        let file = "/usr/share/zoneinfo/Europe/Berlin";
        for (given, name) in [
            (Location::local(file), file),
            (local, "Europe/Berlin"),
            (Location::system("Europe/Berlin"), "Local"),
            (Location::system("Etc/UTC"), "Local"),
            (Location::system("Mars/Base"), "UTC"),
        ] {
            assert_eq!(given.name(), name);
            assert!(given.is_local());
        }
        assert_eq!(Location::local(file).lookup(1_690_000_000).name, "CEST");
    }

    #[test]
    fn offsets_near_and_far() {
        let berlin = Location::load(b"Europe/Berlin", &Location::utc()).unwrap();
        let cest = Offset { name: "CEST".into(), offset: 7200, dst: true };
        assert_eq!(berlin.lookup(1_690_000_000), cest);
        assert_eq!(berlin.lookup(1_690_000_000 + 146_097 * 86_400 * 1000), cest);
        assert_eq!(berlin.lookup(i64::MIN).name, "LMT");
        assert_eq!(berlin.lookup_name("CET", 1_690_000_000), Some(3600));
        assert_eq!(berlin.lookup_name("PST", 0), None);
    }
}
