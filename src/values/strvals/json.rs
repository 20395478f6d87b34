//! One JSON value at the beginning of a text, as `encoding/json`'s `Decoder` reads it: what follows is left alone.

use crate::golang::json::{SyntaxError, Token, Tokens};
use crate::value::{Heap, Value, json};

/// Decodes the value that the text begins with; also, how many bytes it takes.
///
/// # Errors
/// The text of Go's error.
pub(super) fn decode_prefix(heap: &mut Heap, text: &[u8]) -> Result<(Value, usize), String> {
    let end = extent(text).map_err(|e| {
        // Was it the end of the text that did not fit? Then a byte that fits nowhere moves the error.
        let at_end = e.offset == text.len() && extent(&[text, &[1]].concat()).is_err_and(|e| e.offset > text.len());
        if at_end { "unexpected EOF".into() } else { e.message }
    })?;
    Ok((json::decode(heap, &text[..end])?, end))
}

/// The end of the value that the text begins with.
fn extent(text: &[u8]) -> Result<usize, SyntaxError> {
    let mut tokens = Tokens::new(text);
    let mut depth = 0_usize;
    loop {
        match tokens.next_token()? {
            Token::BeginObject | Token::BeginArray => depth += 1,
            Token::EndObject | Token::EndArray => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Ok(tokens.position());
        }
    }
}
