//! Sprig's JSON functions. Helm has its own `toJson`, `mustToJson` and `fromJson`, registered later in their place.

use crate::gotmpl::{CallError, FuncTable, State, func};
use crate::value::json::{self, EncodeError};
use crate::value::{Str, Value};

pub(super) fn register(table: &mut FuncTable) {
    // The decoded part is returned where the error is ignored: a number out of range leaves the rest.
    table.add(func("fromJson", |st: &mut State, s: Str| json::decode_into(&mut st.heap, &s, json::Target::Any).value));
    table.add(func("mustFromJson", |st: &mut State, s: Str| json::decode(&mut st.heap, &s).map_err(CallError::Msg)));
    for (name, must, html, indent) in [
        ("toJson", false, true, None),
        ("mustToJson", true, true, None),
        ("toPrettyJson", false, true, Some("  ")),
        ("mustToPrettyJson", true, true, Some("  ")),
        // Sprig panics with the error.
        ("toRawJson", true, false, None),
        ("mustToRawJson", true, false, None),
    ] {
        table.add(func(name, move |st: &mut State, v: Value| encode(st, &v, must, html, indent)));
    }
}

/// The value as JSON within what the render's limit still allows. Errors give an empty text unless `must`.
pub(crate) fn encode(
    st: &mut State,
    v: &Value,
    must: bool,
    html: bool,
    indent: Option<&str>,
) -> Result<Vec<u8>, CallError> {
    let left = usize::try_from(st.limits.output.saturating_sub(st.charged)).unwrap_or(usize::MAX);
    match json::encode_within(&mut st.heap, v, html, indent, left) {
        Ok(text) => st.charge(text.len() as u64).map(|()| text),
        Err(EncodeError::TooLong) => st.charge(u64::MAX).map(|()| Vec::new()),
        Err(EncodeError::Unsupported(_)) if !must => Ok(Vec::new()),
        Err(EncodeError::Unsupported(e)) => Err(CallError::Msg(e)),
    }
}
