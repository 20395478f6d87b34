//! An index in JSON: what is not wanted is passed over without being kept.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::value::Heap;

use super::{ChartVersion, Charts, Found, item};

/// Reads an index in JSON.
///
/// # Errors
/// It is no JSON, or no index.
pub fn read(reader: impl Read, charts: Charts<'_>) -> Result<Found, String> {
    let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::with_capacity(1 << 16, reader));
    let found = Top { charts }.deserialize(&mut json).map_err(|e| e.to_string())?;
    json.end().map_err(|e| e.to_string())?;
    found.ok_or_else(|| "no API version specified".into())
}

struct Top<'n> {
    charts: Charts<'n>,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Option<Found>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Option<Found>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Found::new();
        let mut api_version = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => api_version = !map.next_value::<String>()?.is_empty(),
                "entries" => found = map.next_value_seed(Entries { charts: self.charts })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(api_version.then_some(found))
    }
}

struct Entries<'n> {
    charts: Charts<'n>,
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = Found;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Found, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = Found;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("charts by name")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::new();
        while let Some(name) = map.next_key::<String>()? {
            if self.charts.has(&name) {
                let versions = map.next_value_seed(Versions)?;
                found.insert(name, versions);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Versions;

impl<'de> DeserializeSeed<'de> for Versions {
    type Value = Vec<ChartVersion>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Versions {
    type Value = Vec<ChartVersion>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of versions")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(raw) = seq.next_element::<Box<RawValue>>()? {
            let mut heap = Heap::new();
            // JSON's escapes are not all YAML's: written anew, the text is both.
            let text = crate::value::json::decode(&mut heap, raw.get().as_bytes())
                .and_then(|v| crate::value::json::encode(&mut heap, &v, false, None))
                .map_err(serde::de::Error::custom)?;
            out.extend(item::read(&text).map_err(serde::de::Error::custom)?);
        }
        Ok(out)
    }
}
