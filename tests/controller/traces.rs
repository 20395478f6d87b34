//! The program's traces, as a collector receives them: OTLP over HTTP, read here by the protocol's field numbers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use pintle::cluster::{Cluster, Gvk, ObjectId};
use serde_json::json;

use crate::support::cluster::{namespace, write_options};
use crate::world::{CONFIG, World};

/// What a collector got: of each request the path, the authorization and the body.
type Received = Arc<Mutex<Vec<(String, String, Vec<u8>)>>>;

fn collector() -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let sink = received.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sink = sink.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                loop {
                    let (mut first, mut length, mut token) = (String::new(), 0, String::new());
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).unwrap();
                        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
                        match name.to_lowercase().as_str() {
                            "content-length" => length = value.parse().unwrap(),
                            "authorization" => token = value.to_owned(),
                            _ => {}
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                    sink.lock().unwrap().push((path, token, body));
                    let answer =
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
                    reader.get_mut().write_all(answer).unwrap();
                }
            });
        }
    });
    (address, received)
}

/// The fields of a message that have lengths: number and bytes. Numbers are passed over.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let length = match tag & 7 {
            0 => {
                varint(&mut bytes);
                continue;
            }
            1 => 8,
            5 => 4,
            2 => varint(&mut bytes) as usize,
            other => panic!("wire type {other}"),
        };
        all.push((tag >> 3, &bytes[..length]));
        bytes = &bytes[length..];
    }
    all
}

fn messages(bytes: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(bytes).into_iter().filter(move |(n, _)| *n == number).map(|(_, b)| b)
}

/// KeyValues with text.
fn attributes(message: &[u8], number: u64) -> BTreeMap<String, String> {
    let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
    messages(message, number)
        .map(|pair| {
            let value = messages(pair, 2).next().and_then(|v| messages(v, 1).next().map(text));
            (text(messages(pair, 1).next().unwrap()), value.unwrap_or_default())
        })
        .collect()
}

#[derive(Debug)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    attributes: BTreeMap<String, String>,
    events: usize,
}

/// The spans of an `ExportTraceServiceRequest`, and the attributes of their resource.
fn spans(body: &[u8]) -> (BTreeMap<String, String>, Vec<Span>) {
    let (mut resource, mut all) = (BTreeMap::new(), Vec::new());
    for resource_spans in messages(body, 1) {
        resource.extend(messages(resource_spans, 1).flat_map(|r| attributes(r, 1)));
        for span in messages(resource_spans, 2).flat_map(|scope| messages(scope, 2)) {
            let bytes = |n: u64| messages(span, n).next().unwrap_or_default().to_vec();
            all.push(Span {
                trace: bytes(1),
                id: bytes(2),
                parent: bytes(4),
                name: String::from_utf8(bytes(5)).unwrap(),
                attributes: attributes(span, 9),
                events: messages(span, 11).count(),
            });
        }
    }
    (resource, all)
}

#[test]
fn a_collector_gets_the_steps_of_a_reconciliation_and_no_secret() {
    let w = World::idle(namespace("traces"), |_| ());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "values", "namespace": w.name()},
        "stringData": {"text": "canary-secret-value"}});
    w.run(async |c| c.create(&secret, &write_options()).await.unwrap());
    w.chart("web", "0.1.0", &[CONFIG]);
    w.chart("bad", "0.1.0", &[("templates/bad.yaml", "{{ fail .Values.text }}")]);
    let values =
        json!({"valuesFrom": [{"kind": "Secret", "name": "values", "valuesKey": "text", "targetPath": "text"}]});
    let (address, received) = collector();
    let mut child = w
        .ns
        .command(Path::new(env!("CARGO_BIN_EXE_pintle")))
        .args(["controller", "--metrics-addr=0", "--health-addr=0", "--sources=flux", "--watch-all-namespaces=false"])
        .env("RUNTIME_NAMESPACE", w.name())
        .env("PINTLE_CACHE_DIR", crate::servers::folder("cache"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &address)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer of-the-collector")
        .env("OTEL_BSP_SCHEDULE_DELAY", "200")
        .env_remove("PINTLE_LOG")
        .env_remove("PINTLE_LOG_FILE")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    w.release("web", "web", values.clone());
    w.release("bad", "bad", values);
    w.ready("web");
    w.until("bad", "the failure", |r| r.is("Released", "False"));
    let id = ObjectId::new(Gvk::parse(pintle::api::HELM_API, "HelmRelease"), Some(w.name()), "web");
    w.run(async |c| c.delete(&id, pintle::cluster::Propagation::Background, None).await.unwrap());
    w.gone("web");
    // What is left is sent at the end.
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let mut logs = String::new();
    child.stderr.take().unwrap().read_to_string(&mut logs).unwrap();
    assert!(child.wait().unwrap().success(), "{logs}");

    let received = received.lock().unwrap();
    let mut all = Vec::new();
    for (path, token, body) in received.iter() {
        assert_eq!((path.as_str(), token.as_str()), ("/v1/traces", "Bearer of-the-collector"));
        for canary in ["canary", "of-the-collector"] {
            assert!(!body.windows(canary.len()).any(|w| w == canary.as_bytes()), "{canary} was sent");
        }
        let (resource, spans) = spans(body);
        assert_eq!(resource["service.name"], "pintle");
        assert_eq!(resource["service.namespace"], w.name());
        all.extend(spans);
    }
    let of = |name: &str, release: &str| {
        let release = format!("{}/{release}", w.name());
        all.iter().filter(move |s| s.name == name && s.attributes.get("release") == Some(&release)).collect::<Vec<_>>()
    };
    let whole = of("reconcile", "web");
    let first =
        whole.iter().find(|s| s.attributes.get("outcome").is_some_and(|o| o == "done")).expect("a span that is done");
    assert_eq!(first.attributes["revision"], "0.1.0");
    assert!(first.parent.is_empty() && first.trace.len() == 16);
    let child = |name: &str, parent: &Span, step: &str| {
        let found = of(name, "web").into_iter().find(|s| s.parent == parent.id && s.trace == parent.trace);
        let found = found.unwrap_or_else(|| panic!("no {name} below {parent:?} in {all:#?}"));
        assert_eq!(found.attributes["step"], step, "{found:?}");
        found
    };
    assert_eq!(child("fetch", first, "fetch").attributes["revision"], "0.1.0");
    let action = child("action", first, "install");
    assert_eq!((action.attributes["chart"].as_str(), action.attributes["revision"].as_str()), ("web", "0.1.0"));
    child("render", action, "render");
    assert!(of("action", "web").iter().any(|s| s.attributes["step"] == "uninstall for good"), "{all:#?}");
    assert!(of("action", "bad").iter().any(|s| s.attributes["step"] == "install"), "{all:#?}");
    assert!(all.iter().all(|s| s.events == 0), "lines of the log are not sent: {all:#?}");
    // The log has the same: release, revision and step of what is said within.
    let said =
        logs.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap_or_else(|e| panic!("{e}: {l}")));
    assert!(
        said.into_iter().any(|l| l["fields"]["reason"] == "InstallSucceeded" && l["span"]["name"] == "reconcile"),
        "{logs}"
    );
}
