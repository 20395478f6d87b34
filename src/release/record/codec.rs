//! How a record lies in its object: base64 of gzip of JSON. Source: Helm 4.3 `pkg/storage/driver/util.go`.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::golang::base64;

use super::{Record, Summary, decode, encode};

/// The text of a record may be this large. An object of a cluster holds 1.5 MiB at most, so this is a record that was made to fill memory.
const MAX_TEXT: u64 = 64 << 20;

impl Record {
    /// Reads a record's JSON.
    ///
    /// # Errors
    /// Go's text.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        decode::record(json)
    }

    /// A record's JSON.
    ///
    /// # Errors
    /// Go's text; not for records that pintle or Helm made.
    pub fn to_json(&self) -> Result<Vec<u8>, String> {
        encode::record(self)
    }

    /// The JSON that `helm status` prints: with live objects, JSON already, as `info.resources`.
    ///
    /// # Errors
    /// As [`Record::to_json`].
    pub fn to_json_with(&self, resources: &[u8]) -> Result<Vec<u8>, String> {
        encode::record_with(self, Some(resources))
    }

    /// What is stored under the key `release`.
    ///
    /// # Errors
    /// As [`Record::to_json`].
    pub fn to_stored(&self) -> Result<String, String> {
        Ok(pack(&self.to_json()?))
    }

    /// Reads what is stored under the key `release`.
    ///
    /// # Errors
    /// Go's text.
    pub fn from_stored(stored: &[u8]) -> Result<Self, String> {
        decode::record(&unpack(stored)?)
    }
}

impl Summary {
    /// Reads of what is stored under the key `release` what lists show.
    ///
    /// # Errors
    /// Go's text.
    pub fn from_stored(stored: &[u8]) -> Result<Self, String> {
        decode::summary(&unpack(stored)?)
    }

    /// Reads of a record's JSON what lists show.
    ///
    /// # Errors
    /// Go's text.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        decode::summary(json)
    }
}

/// base64 of gzip.
pub fn pack(json: &[u8]) -> String {
    base64::encode(&compress(json))
}

/// gzip at Helm's level.
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = gzip.write_all(bytes);
    gzip.finish().unwrap_or_default()
}

/// The JSON again; records from before compression are plain.
///
/// # Errors
/// Go's text where the data is no base64 or no gzip, and one of our own for a text of more than 64 MiB.
pub fn unpack(stored: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = base64::decode(stored).map_err(|at| format!("illegal base64 data at input byte {at}"))?;
    if bytes.len() <= 3 || !bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
        return Ok(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(4));
    GzDecoder::new(&bytes[..]).take(MAX_TEXT + 1).read_to_end(&mut out).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => "unexpected EOF".to_string(),
        std::io::ErrorKind::InvalidData => "gzip: invalid checksum".to_string(),
        _ => format!("gzip: {e}"),
    })?;
    if out.len() as u64 > MAX_TEXT {
        return Err(format!("the record's text is larger than {} MiB", MAX_TEXT >> 20));
    }
    Ok(out)
}
