//! `sops/decrypt.jsonl`, `edit.jsonl`, `tamper.jsonl`: what sops 3.13.3 makes of files, edits and files changed by hand.
//!
//! Beyond the stored answers each question also goes the other way: what we encrypt must have sops's form (the same text once ciphertexts, key
//! blocks and times are masked) and must decrypt to the same bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

use base64::Engine as _;
use pintle::golang::time::{Location, Time};
use pintle::sops::config::Config;
use pintle::sops::{self, AgeKeys, Error, Format, Fresh, MasterKey, PgpKeys, Services, Store};
use regex::Regex;
use serde_json::{Map, Value as Json, json};

/// A home of the length that the vectors' had: it counts where messages are wrapped.
const HOME: &str = "/tmp/homes/user";

static KEYS: OnceLock<PathBuf> = OnceLock::new();

/// The keys lie beside the vectors, or in a folder of that name.
pub fn find_keys(vectors: &Path) {
    let beside = vectors.parent().unwrap_or(Path::new("."));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sops/keys");
    let places = [beside.join("keys"), beside.join("sops/keys"), beside.join("../keys"), own];
    if let Some(found) = places.into_iter().find(|p| p.join("age-1.keyparts").exists()) {
        let _ = KEYS.set(found);
    }
}

struct Ring {
    age: AgeKeys,
    pgp: PgpKeys,
}

impl Ring {
    fn new(names: &[String]) -> Result<Self, String> {
        let dir = KEYS.get().ok_or("no keys beside the vectors")?;
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).map_err(|e| format!("{name}: {e}"));
        let (mut age, mut pgp) = (AgeKeys::default(), PgpKeys::default());
        for name in names {
            if name.starts_with("age") {
                age.add(&read(&format!("{name}.keyparts"))?.lines().collect::<String>())?;
            } else {
                let text: String = read(&format!("{name}.b64"))?.split_whitespace().collect();
                let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|e| e.to_string())?;
                pgp.add(&bytes)?;
            }
        }
        let mut empty = vec![
            "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
            "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
            "HOME/.ssh/id_ed25519",
            "HOME/.ssh/id_rsa",
        ];
        if age.is_empty() {
            empty.extend(["SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "HOME/none/sops/age/keys.txt"]);
        } else {
            empty.extend(["SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD"]);
        }
        age.empty_places = empty.into_iter().map(|p| p.replace("HOME", HOME)).collect();
        Ok(Self { age, pgp })
    }

    /// sops has one local service: each kind of key is used by its own.
    fn with<T>(&self, work: impl FnOnce(&Services<'_>) -> T) -> T {
        work(&Services(vec![&Local(self)]))
    }
}

struct Local<'a>(&'a Ring);

impl sops::KeyService for Local<'_> {
    fn decrypt(&self, key: &MasterKey) -> Result<sops::DataKey, String> {
        match key {
            MasterKey::Pgp { .. } => self.0.pgp.decrypt(key),
            _ => self.0.age.decrypt(key),
        }
    }

    fn encrypt(&self, key: &MasterKey, plain: &[u8]) -> Result<String, String> {
        match key {
            MasterKey::Pgp { .. } => self.0.pgp.encrypt(key, plain),
            _ => self.0.age.encrypt(key, plain),
        }
    }
}

fn random(bytes: &mut [u8]) -> bool {
    getrandom::fill(bytes).is_ok()
}

fn strings(json: &Json) -> Vec<String> {
    json.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

fn bytes(vector: &Json, field: &str) -> Vec<u8> {
    match vector[field].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            let text = vector[format!("{field}B64").as_str()].as_str().unwrap_or_default();
            base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
        }
    }
}

fn put(out: &mut Map<String, Json>, field: &str, value: &[u8]) {
    match std::str::from_utf8(value) {
        Ok(text) => out.insert(field.into(), text.into()),
        Err(_) => {
            let text = base64::engine::general_purpose::STANDARD.encode(value);
            out.insert(format!("{field}B64"), text.into())
        }
    };
}

fn error(out: &mut Map<String, Json>, code: &str, text: &str, e: &Error) {
    out.insert(code.into(), e.code.into());
    out.insert(text.into(), e.sops_text().trim_end().replace(HOME, "HOME").into());
}

fn store(vector: &Json) -> Result<(Config, Store), String> {
    let format = vector["format"].as_str().and_then(Format::named).ok_or("unknown format")?;
    let config = match &vector["config"] {
        Json::Null => json!({}),
        config => config.clone(),
    };
    let config = Config::parse(config.to_string().as_bytes()).map_err(|e| e.to_string())?;
    let store = config.store(format);
    Ok((config, store))
}

static ENC: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"ENC\[AES256_GCM,data:([^,]*),iv:[^,]*,tag:[^,]*,type:(\w+)\]").unwrap());
static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)-----BEGIN (AGE|PGP)[^-]*-----.*?-----END (AGE|PGP)[^-]*-----(\\\\n|\\n|\n)?").unwrap()
});
static TIME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap());

/// A file with all that differs by nature masked.
fn masked(text: &str) -> String {
    let text = ENC.replace_all(text, |c: &regex::Captures<'_>| format!("ENC[{} bytes,{}]", c[1].len(), &c[2]));
    let text = BLOCK.replace_all(&text, |c: &regex::Captures<'_>| format!("<{} key>", &c[1]));
    // Whether a PGP block ends with a line break is gpg's affair.
    let text = text.replace("enc: |-\n", "enc: |\n");
    TIME.replace_all(&text, "<time>").into_owned()
}

fn encs(text: &str) -> BTreeSet<String> {
    ENC.find_iter(text).map(|m| m.as_str().to_owned()).collect()
}

pub fn decrypt(vector: &Json) -> Result<Json, String> {
    let now = Time::unix(1_800_000_000, 0, Location::utc());
    let fresh = Fresh { now: &now, random: &random };
    let (config, store) = store(vector)?;
    let ring = Ring::new(&strings(&vector["recipients"]))?;
    let name = vector["name"].as_str().unwrap_or_default();
    let input = bytes(vector, "input");
    let mut out = Map::new();
    let made = config.rule(name).and_then(|rule| {
        ring.with(|keys| sops::encrypt(&store, &store, &input, &rule.unwrap_or_default(), keys, fresh))
    });
    let made = match made {
        Ok(made) => made,
        Err(e) => {
            error(&mut out, "encryptCode", "encryptErr", &e);
            return Ok(out.into());
        }
    };
    let open = |text: &[u8], to: Format| {
        ring.with(|keys| sops::decrypt(&store, &store.with_format(to), text, keys, false))
            .map_err(|e| e.sops_text().to_owned())
    };
    let enc = vector["enc"].as_str().unwrap_or_default();
    match open(enc.as_bytes(), store.format) {
        Ok(text) => put(&mut out, "out", &text),
        Err(e) => {
            out.insert("out".into(), e.into());
        }
    }
    for (field, to) in [("outJson", Format::Json), ("outYaml", Format::Yaml)] {
        if vector.get(field).is_some() {
            put(&mut out, field, &open(enc.as_bytes(), to).unwrap_or_else(String::into_bytes));
        }
    }
    let again = open(&made, store.format).unwrap_or_else(String::into_bytes);
    // A comment that moved is no longer decrypted, by sops neither: its text is another each time.
    let want = bytes(vector, "out");
    let same = |a: &[u8], b: &[u8]| masked(&String::from_utf8_lossy(a)) == masked(&String::from_utf8_lossy(b));
    if again != want && !same(&again, &want) {
        out.insert("encrypted and decrypted".into(), String::from_utf8_lossy(&again).into());
    }
    let made = String::from_utf8_lossy(&made).into_owned();
    if masked(&made) != masked(enc) {
        out.insert("encrypted".into(), masked(&made).into());
        out.insert("encrypted by sops".into(), masked(enc).into());
    }
    Ok(out.into())
}

fn sed(text: &[u8], script: &str) -> Result<Vec<u8>, String> {
    let file = std::env::temp_dir().join(format!("pintle-vectors-{}", std::process::id()));
    std::fs::write(&file, text).map_err(|e| e.to_string())?;
    let out = Command::new("sed").args(["-e", script]).arg(&file).output().map_err(|e| e.to_string());
    let _ = std::fs::remove_file(&file);
    out.map(|o| o.stdout)
}

fn run(vector: &Json, ring: &Ring, before: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let now = Time::unix(1_800_000_000, 0, Location::utc());
    let fresh = Fresh { now: &now, random: &random };
    let (config, store) = store(vector).map_err(Error::from)?;
    let cmd = strings(&vector["cmd"]);
    let args: Vec<&str> = cmd.iter().map(String::as_str).collect();
    ring.with(|keys| match args.as_slice() {
        ["set", "--idempotent", place, value] => {
            sops::set(&store, before, &sops::parse_path(place)?, sops::parse_value(value)?, true, keys, fresh)
        }
        ["set", place, value] => {
            sops::set(&store, before, &sops::parse_path(place)?, sops::parse_value(value)?, false, keys, fresh)
        }
        ["unset", place] => sops::unset(&store, before, &sops::parse_path(place)?, keys, fresh).map(Some),
        ["rotate", flags @ ..] => {
            let (mut add, mut remove) = (Vec::new(), Vec::new());
            for pair in flags.iter().filter(|f| **f != "-i").collect::<Vec<_>>().chunks(2) {
                if let [flag, key] = pair {
                    let key = if flag.ends_with("age") { MasterKey::age(**key) } else { MasterKey::pgp(key) };
                    if flag.starts_with("--add") { add.push(key) } else { remove.push(key) }
                }
            }
            sops::rotate(&store, before, &add, &remove, keys, fresh).map(Some)
        }
        ["updatekeys", ..] => {
            let after = Config::parse(vector["configAfter"].to_string().as_bytes())?;
            let rule = after.rule(vector["name"].as_str().unwrap_or_default())?.unwrap_or_default();
            sops::update_keys(&store, before, &rule, keys, fresh)
        }
        ["edit", script] => {
            let plain = sops::decrypt(&store, &store, before, keys, false)?;
            let edited = sed(&plain, script).map_err(Error::from)?;
            sops::replace(&store, before, &edited, keys, fresh).map(Some)
        }
        other => Err(Error::from(format!("unknown command {other:?}; {}", config.rule("x").is_ok()))),
    })
}

pub fn edit(vector: &Json) -> Result<Json, String> {
    let ring = Ring::new(&["age-1".into(), "age-2".into(), "age-3".into(), "pgp-1".into()])?;
    let before = bytes(vector, "before");
    let (_, store) = store(vector)?;
    let mut out = Map::new();
    out.insert("code".into(), 0.into());
    let after = match run(vector, &ring, &before) {
        Ok(after) => after.unwrap_or_else(|| before.clone()),
        Err(e) => {
            error(&mut out, "code", "err", &e);
            before.clone()
        }
    };
    let plain = ring.with(|keys| sops::decrypt(&store, &store, &after, keys, false));
    put(&mut out, "out", &plain.unwrap_or_else(|e| e.sops_text().as_bytes().to_vec()));
    let (before, after) = (String::from_utf8_lossy(&before), String::from_utf8_lossy(&after));
    let (old, new) = (encs(&before), encs(&after));
    out.insert("sameEnc".into(), old.intersection(&new).count().into());
    out.insert("afterEnc".into(), new.len().into());
    let want = vector["after"].as_str().unwrap_or_default();
    if masked(&after) != masked(want) {
        out.insert("after".into(), after.into());
    }
    Ok(out.into())
}

pub fn tamper(vector: &Json) -> Result<Json, String> {
    let ring = Ring::new(&strings(&vector["keys"]))?;
    let (_, store) = store(vector)?;
    let enc = bytes(vector, "enc");
    let answer = |ignore: bool| {
        let mut out = Map::new();
        match ring.with(|keys| sops::decrypt(&store, &store, &enc, keys, ignore)) {
            Ok(text) => {
                out.insert("code".into(), 0.into());
                put(&mut out, "out", &text);
            }
            Err(e) => error(&mut out, "code", "msg", &e),
        }
        out
    };
    let mut out = answer(false);
    if vector.get("ignoreMac").is_some() {
        let mut ignoring = answer(true);
        ignoring.remove("msg");
        out.insert("ignoreMac".into(), ignoring.into());
    }
    Ok(out.into())
}
