//! Any constraint and any version: an answer, and the same from `check` and `validate`. Input: constraint, line feed, version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::golang::semver::Version;
use pintle::golang::semver_constraint::Constraint;

fuzz_target!(|data: &[u8]| {
    let (constraint, version) =
        data.iter().position(|&b| b == b'\n').map_or((data, &b"1.2.3"[..]), |i| (&data[..i], &data[i + 1..]));
    let _ = Version::strict(version);
    let (Ok(constraint), Ok(version)) = (Constraint::new(constraint), Version::new(version)) else {
        return;
    };
    assert_eq!(constraint.check(&version), constraint.validate(&version).is_ok());
});
