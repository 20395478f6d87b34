//! Records as the real programs write them, read and written again. Helm 3's shape is made from Helm 4's by what tells them apart; real records
//! of Helm 3 are read in `tests/release`.

use super::{Record, Summary, codec};

const HELM3: &str = include_str!("../../../tests/fixtures/release/records/helm3.json");
const HELM4: &str = include_str!("../../../tests/fixtures/release/records/helm4.json");

fn again(json: &str) -> String {
    let record = Record::from_json(json.trim_end().as_bytes()).unwrap();
    String::from_utf8(record.to_json().unwrap()).unwrap()
}

#[test]
fn helm_4s_record_keeps_its_bytes() {
    assert_eq!(again(HELM4), HELM4.trim_end());
}

#[test]
fn helm_3s_record_becomes_helm_4s() {
    let mut want = HELM3.trim_end().replace("\"deleted\":\"\",", "");
    want = want.replace("\"started_at\":\"\",\"completed_at\":\"\",", "");
    // What Helm 3 did not know.
    want = want.replace(",\"files\":[", ",\"schemamodtime\":\"0001-01-01T00:00:00Z\",\"files\":[");
    assert_eq!(again(HELM3), want);
}

#[test]
fn what_is_stored_is_read_again() {
    let record = Record::from_json(HELM4.as_bytes()).unwrap();
    let stored = record.to_stored().unwrap();
    assert_eq!(Record::from_stored(stored.as_bytes()).unwrap(), record);
    let summary = Summary::from_stored(stored.as_bytes()).unwrap();
    assert_eq!(summary, Summary::of(&record));
    // Before compression, records were plain.
    let plain = crate::golang::base64::encode(HELM4.as_bytes());
    assert_eq!(Record::from_stored(plain.as_bytes()).unwrap(), record);
}

#[test]
fn what_is_no_record_is_told_in_gos_words() {
    for (json, want) in [
        ("", "unexpected end of JSON input"),
        ("5", "json: cannot unmarshal number into Go value of type v1.Release"),
        ("{\"name\":\"a\",}", "invalid character '}' looking for beginning of object key string"),
        ("{\"version\":1e2}", "json: cannot unmarshal number 1e2 into Go struct field Release.version of type int"),
        (
            "{\"config\":[]}",
            "json: cannot unmarshal array into Go struct field Release.config of type map[string]interface {}",
        ),
        (
            "{\"info\":{\"status\":5}}",
            "json: cannot unmarshal number into Go struct field Release.info.status of type common.Status",
        ),
        (
            "{\"hooks\":[{\"weight\":\"1\"}]}",
            "json: cannot unmarshal string into Go struct field Hook.hooks.weight of type int",
        ),
        (
            "{\"info\":{\"deleted\":\"yesterday\"}}",
            "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\"",
        ),
        ("{\"chart\":{\"templates\":[{\"data\":\"YQ\"}]}}", "illegal base64 data at input byte 0"),
        // The text comes first, whatever else does not fit.
        ("{\"config\":[],", "unexpected end of JSON input"),
    ] {
        assert_eq!(Record::from_json(json.as_bytes()).unwrap_err(), want, "{json}");
    }
    let deep = format!("{{\"config\":{{\"a\":{}{}}}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(Record::from_json(deep.as_bytes()).unwrap_err(), "values are nested more than 1000 deep");
    for (stored, want) in [("!!!!", "illegal base64 data at input byte 0"), ("H4sIAAAAAAAA", "unexpected EOF")] {
        assert_eq!(Record::from_stored(stored.as_bytes()).unwrap_err(), want);
    }
    let bomb = codec::pack(&vec![b' '; 100 << 20]);
    assert_eq!(Record::from_stored(bomb.as_bytes()).unwrap_err(), "the record's text is larger than 64 MiB");
}
