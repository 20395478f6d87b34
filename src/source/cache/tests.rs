//! The cache alone: what is kept, what is damaged, what goes.

use super::*;
use crate::source::{Digest, Kind, Resolved};

fn scratch(name: &str) -> (PathBuf, Cache) {
    let dir = std::env::temp_dir().join(format!("pintle-cache-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    (dir.clone(), Cache::new(Some(&dir)))
}

fn record(digest: &Digest) -> Record {
    Record {
        reference: "https://h/a.tgz".into(),
        resolved: Resolved { revision: "1.0.0".into(), ..Resolved::default() },
        kind: Kind::Archive,
        digest: digest.clone(),
        size: 1,
        verifications: Vec::new(),
        checked: jiff::Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn content_comes_back_whole_or_not_at_all() {
    let (dir, cache) = scratch("blob");
    let digest = cache.put(b"content").unwrap();
    assert_eq!(cache.blob(&digest).as_deref(), Some(&b"content"[..]));
    fs::write(cache.blob_path(&digest), b"cOntent").unwrap();
    assert_eq!(cache.blob(&digest), None);
    assert!(!cache.blob_path(&digest).exists(), "the damaged file is gone");
    let mut writer = cache.writer().unwrap();
    writer.write(b"half").unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(cache.dir().join("tmp")).unwrap().count(), 0, "nothing half-written stays");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn records_are_read_back_and_rubbish_is_not() {
    let (dir, cache) = scratch("record");
    let r = record(&cache.put(b"x").unwrap());
    cache.set_record("k", &r).unwrap();
    assert_eq!(cache.record("k"), Some(r));
    fs::write(cache.record_path("k"), b"{\"reference\":").unwrap();
    assert_eq!(cache.record("k"), None);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let (dir, cache) = scratch("evict");
    let digests: Vec<Digest> = (0..4u8).map(|n| cache.put(&vec![n; 1000]).unwrap()).collect();
    for (age, d) in [(400, &digests[0]), (300, &digests[1]), (200, &digests[2]), (100, &digests[3])] {
        let file = fs::File::options().write(true).open(cache.blob_path(d)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
    }
    cache.set_record("gone", &record(&digests[1])).unwrap();
    cache.set_record("kept", &record(&digests[0])).unwrap();
    assert!(cache.blob(&digests[0]).is_some(), "a read is a use");
    let pruned = cache.prune(2500);
    assert_eq!((pruned.files, pruned.bytes, pruned.kept), (2, 2000, 2000));
    assert!(cache.blob(&digests[0]).is_some() && cache.blob(&digests[3]).is_some());
    assert!(cache.record("gone").is_none() && cache.record("kept").is_some());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn sizes_are_read() {
    for (text, want) in [("1024", Some(1024)), ("5k", Some(5 << 10)), ("4GiB", Some(4 << 30)), ("", None), ("x", None)]
    {
        assert_eq!(size(text), want, "{text}");
    }
}
