//! The libraries' answers for chosen questions; the file holds cases of every branch, and every error.

use super::*;

/// A question's answer in the vectors' form.
fn answer(vector: &Json) -> Json {
    let text = |key: &str| vector[key].as_str().unwrap_or_default();
    let gvk = Gvk::parse(text("apiVersion"), text("kind"));
    let current = vector.get("current").filter(|c| !c.is_null());
    let mut out = serde_json::json!({});
    let patch = if text("mode") == "apply" {
        Ok(Patch { strategic: text("type") == "strategic", body: vector["patch"].clone() })
    } else {
        client_side(&gvk, &vector["original"], &vector["modified"], current, text("mode") == "3way-cr")
    };
    match patch {
        Err(e) => out["err"] = e.into(),
        Ok(patch) => {
            out["patch"] = patch.body.clone();
            match applied(&gvk, &vector["current"], &patch) {
                // To an object that is gone nothing is applied.
                Ok(_) if vector["current"].is_null() => {}
                Ok(result) => out["result"] = result,
                Err(e) => out["err"] = format!("applying: {e}").into(),
            }
        }
    }
    out
}

#[test]
fn patches_as_the_libraries_do() {
    let mut count = 0;
    for line in include_str!("../../../tests/fixtures/cluster/patch.jsonl").lines() {
        let vector: Json = serde_json::from_str(line).unwrap();
        let got = answer(&vector);
        for key in ["patch", "result", "err"] {
            assert_eq!(got.get(key), vector.get(key), "{} {key}", vector["id"]);
        }
        count += 1;
    }
    assert!(count > 30, "{count} vectors");
}
