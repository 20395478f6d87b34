//! The digest by which Flux tells whether values have changed.
//!
//! It is made of go-yaml v2's text of the values, keys sorted by their bytes. Source: `github.com/fluxcd/pkg/chartutil` 1.27 `digest.go`.

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::value::{Heap, Kind, MapId, Value};

/// A hash function, by Flux's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Sha256,
    Sha384,
    Sha512,
    Blake3,
}

impl Algorithm {
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512, Self::Blake3].into_iter().find(|a| a.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
        }
    }

    /// `sha256:0a1b…`
    pub fn digest(self, bytes: &[u8]) -> String {
        let hex = match self {
            Self::Sha256 => data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)),
            Self::Sha384 => data_encoding::HEXLOWER.encode(&Sha384::digest(bytes)),
            Self::Sha512 => data_encoding::HEXLOWER.encode(&Sha512::digest(bytes)),
            Self::Blake3 => blake3::hash(bytes).to_hex().to_string(),
        };
        format!("{}:{hex}", self.name())
    }
}

/// The text that is hashed; empty for no values.
///
/// # Errors
/// Values that are nested too deep.
pub fn encoded(heap: &mut Heap, values: Option<MapId>) -> Result<Vec<u8>, String> {
    match values {
        Some(map) if !heap.map(map).is_empty() => {
            let whole = whole_numbers(heap, &Value::Map(map), 0)?;
            crate::yaml::marshal_sorted(heap, &whole)
        }
        _ => Ok(Vec::new()),
    }
}

/// The digest of a release's values.
///
/// # Errors
/// As [`encoded`].
pub fn digest(heap: &mut Heap, values: Option<MapId>, algorithm: Algorithm) -> Result<String, String> {
    Ok(algorithm.digest(&encoded(heap, values)?))
}

/// A copy in which floats without fraction are integers, as `JSONObjectToYAMLObject` of `sigs.k8s.io/yaml` makes them.
fn whole_numbers(heap: &mut Heap, value: &Value, depth: usize) -> Result<Value, String> {
    if depth > crate::chart::data::MAX_DEPTH {
        return Err(crate::chart::data::TooDeep.to_string());
    }
    Ok(match value {
        Value::Float(f) if f.fract() == 0.0 && *f >= i64::MIN as f64 && *f < i64::MAX as f64 => Value::Int64(*f as i64),
        Value::Float(f) if f.fract() == 0.0 && *f >= 0.0 && *f < u64::MAX as f64 => {
            Value::OtherInt(Kind::Uint64, (*f as i128).into())
        }
        Value::Map(m) => {
            let entries: Vec<_> = heap.map(*m).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            let mut out = Vec::with_capacity(entries.len());
            for (k, v) in entries {
                out.push((k, whole_numbers(heap, &v, depth + 1)?));
            }
            Value::Map(heap.map_of(out))
        }
        Value::List(l) => {
            let items = heap.list(*l).items.to_vec();
            let items: Vec<Value> =
                items.iter().map(|v| whole_numbers(heap, v, depth + 1)).collect::<Result<_, _>>()?;
            Value::List(heap.list_of(items))
        }
        other => other.clone(),
    })
}
