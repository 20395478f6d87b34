//! Certificates: `genCA`, `genSelfSignedCert`, `genSignedCert`, their `WithKey` forms, `buildCustomCert`.
//!
//! Ported from Sprig 3.3 `crypto.go` and Go 1.26 `x509.CreateCertificate`: the same fields and extensions in the same order, so that
//! only numbers drawn by chance differ.

use std::any::Any;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::encoding::base64;
use super::der::{
    BIT_STRING, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, SET, bit_string, integer, oid, sequence, tlv,
};
use super::keys::PrivateKey;
use super::pem;
use crate::golang::strconv;
use crate::golang::time::{Location, Time};
use crate::gotmpl::{Arg, CallError, FuncTable, Int, Ret, State, Ty, func, pure};
use crate::value::{Heap, ListId, Object, Str, Value, print};

// Extensions and purposes, as DER has their object identifiers' content.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// Keys that Sprig makes for a certificate have so many bits.
const RSA_BITS: usize = 2048;

pub fn register(table: &mut FuncTable) {
    table.add(pure("buildCustomCert", build_custom_cert));
    table.add(func("genCA", |st: &mut State, cn: Str, days: Int| {
        let key = new_key(st)?;
        authority(st, &cn, days, &key)
    }));
    table.add(func("genCAWithKey", |st: &mut State, cn: Str, days: Int, key: Str| {
        authority(st, &cn, days, &given_key(&key)?)
    }));
    table.add(func("genSelfSignedCert", |st: &mut State, cn: Str, ips: ListId, dns: ListId, days: Int| {
        let key = new_key(st)?;
        self_signed(st, &Wish { cn: &cn, ips, dns, days }, &key)
    }));
    table.add(func(
        "genSelfSignedCertWithKey",
        |st: &mut State, cn: Str, ips: ListId, dns: ListId, days: Int, key: Str| {
            self_signed(st, &Wish { cn: &cn, ips, dns, days }, &given_key(&key)?)
        },
    ));
    table.add(func(
        "genSignedCert",
        |st: &mut State, cn: Str, ips: ListId, dns: ListId, days: Int, ca: Certificate| {
            let key = new_key(st)?;
            signed(st, &Wish { cn: &cn, ips, dns, days }, &ca, &key)
        },
    ));
    table.add(func(
        "genSignedCertWithKey",
        |st: &mut State, cn: Str, ips: ListId, dns: ListId, days: Int, ca: Certificate, key: Str| {
            signed(st, &Wish { cn: &cn, ips, dns, days }, &ca, &given_key(&key)?)
        },
    ));
}

/// `sprig.certificate`: what the functions give, with `.Cert` and `.Key` as PEM.
#[derive(Clone, Debug)]
struct Certificate {
    cert: Str,
    key: Str,
    /// What `key` says, where it was made here.
    made: Option<Arc<PrivateKey>>,
}

impl Object for Certificate {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn go_type(&self) -> Cow<'static, str> {
        "sprig.certificate".into()
    }
    fn field(&self, _heap: &mut Heap, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(self.cert.clone().into()),
            "Key" => Some(self.key.clone().into()),
            _ => None,
        }
    }
    fn fields(&self, _heap: &mut Heap) -> Vec<(&'static str, Value)> {
        vec![("Cert", self.cert.clone().into()), ("Key", self.key.clone().into())]
    }
    fn json(&self, heap: &mut Heap) -> Value {
        let entries = self.fields(heap);
        Value::Map(heap.map_of(entries))
    }
}

impl Arg for Certificate {
    const TY: Ty = Ty::Object("sprig.certificate");
    fn take(args: &mut std::slice::IterMut<'_, Value>) -> Result<Self, CallError> {
        let found = match args.next() {
            Some(Value::Object(o)) => o.as_any().downcast_ref::<Self>().cloned(),
            _ => None,
        };
        found.ok_or_else(|| CallError::msg("wrong type for value; expected sprig.certificate"))
    }
}

impl Ret for Certificate {
    const TY: Ty = Ty::Object("sprig.certificate");
    fn give(self) -> Result<Value, CallError> {
        Ok(Value::object(self))
    }
}

/// What a certificate shall say.
struct Wish<'a> {
    cn: &'a [u8],
    ips: ListId,
    dns: ListId,
    days: Int,
}

/// The checked contents of a certificate, Sprig's `getBaseCertTemplate`.
struct Template {
    serial: [u8; 16],
    /// The subject's name in DER.
    subject: Vec<u8>,
    ips: Vec<IpAddr>,
    dns: Vec<Str>,
    not_before: Time,
    not_after: Time,
    authority: bool,
}

fn new_key(st: &mut State) -> Result<Arc<PrivateKey>, CallError> {
    st.charge_steps(super::KEY_STEPS)?;
    match PrivateKey::generate(&*st.host, b"rsa", RSA_BITS) {
        Some(Ok(key)) => Ok(Arc::new(key)),
        Some(Err(e)) => Err(CallError::Msg(format!("error generating rsa key: {e}"))),
        None => Err(CallError::msg("error generating rsa key")),
    }
}

fn given_key(text: &[u8]) -> Result<Arc<PrivateKey>, CallError> {
    PrivateKey::parse(text).map(Arc::new).map_err(|e| CallError::Msg(format!("parsing private key: {e}")))
}

/// A value in a message, as `%v` prints it.
fn shown(st: &mut State, v: &Value) -> String {
    let mut out = Vec::new();
    match print::format(&mut st.heap, b"%v", std::slice::from_ref(v), &mut out) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(_) => String::new(),
    }
}

fn template(st: &mut State, wish: &Wish) -> Result<Template, CallError> {
    let mut ips = vec![];
    for v in st.heap.list(wish.ips).items.clone() {
        let Value::Str(s) = &v else {
            return Err(CallError::Msg(format!("error parsing ip: {} is not a string", shown(st, &v))));
        };
        let text = s.to_text();
        let ip = text.parse().map_err(|_| CallError::Msg(format!("error parsing ip: {text}")))?;
        ips.push(ip);
    }
    let mut dns = vec![];
    for v in st.heap.list(wish.dns).items.clone() {
        let Value::Str(s) = &v else {
            let what = shown(st, &v);
            return Err(CallError::Msg(format!("error processing alternate dns name: {what} is not a string")));
        };
        dns.push(s.clone());
    }
    let mut serial = [0; 16];
    st.host.random(&mut serial);
    let not_before = Time::now(st.host.now(), Location::utc());
    const DAY: i64 = 24 * crate::golang::duration::HOUR;
    let not_after = not_before.add(DAY.wrapping_mul(wish.days.0));
    Ok(Template { serial, subject: name(wish.cn)?, ips, dns, not_before, not_after, authority: false })
}

/// A name with one part, or none if the text is empty.
fn name(cn: &[u8]) -> Result<Vec<u8>, CallError> {
    if cn.is_empty() {
        return Ok(sequence::<&[u8]>(&[]));
    }
    let printable = |b: &u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(b);
    let tag = if cn.iter().all(printable) {
        0x13
    } else if std::str::from_utf8(cn).is_ok() {
        0x0c
    } else {
        return Err(CallError::msg("error creating certificate: asn1: string not valid UTF-8"));
    };
    let part = sequence(&[oid(COMMON_NAME), tlv(tag, &[cn])]);
    Ok(sequence(&[tlv(SET, &[part])]))
}

/// UTCTime until 2049, GeneralizedTime before 1950 and after.
fn time(t: &Time) -> Vec<u8> {
    if (1950..2050).contains(&t.date().year) {
        tlv(0x17, &[t.format(b"060102150405Z")])
    } else {
        tlv(0x18, &[t.format(b"20060102150405Z")])
    }
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&oid(id)[..], critical, &tlv(OCTET_STRING, &[value])])
}

/// The signer's part in a certificate.
struct Issuer<'a> {
    name: &'a [u8],
    key: &'a PrivateKey,
    key_id: &'a [u8],
    /// The signer's public key by its certificate, algorithm and bits, if it has one.
    public: Option<(Vec<u8>, Vec<u8>)>,
}

impl Template {
    fn extensions(&self, key_id: &[u8], authority_key_id: &[u8]) -> Result<Vec<u8>, String> {
        // Digital signature, key encipherment, and for authorities certificate signing: the bit string's last bits are unused.
        let usage: [u8; 2] = if self.authority { [2, 0xa4] } else { [5, 0xa0] };
        let constraints: &[u8] = if self.authority { &[0x01, 0x01, 0xff] } else { &[] };
        let mut all = vec![
            extension(KEY_USAGE, true, &tlv(BIT_STRING, &[usage])),
            extension(EXTENDED_KEY_USAGE, false, &sequence(&[oid(SERVER_AUTH), oid(CLIENT_AUTH)])),
            extension(BASIC_CONSTRAINTS, true, &sequence(&[constraints])),
        ];
        if !key_id.is_empty() {
            all.push(extension(SUBJECT_KEY_ID, false, &tlv(OCTET_STRING, &[key_id])));
        }
        if !authority_key_id.is_empty() {
            all.push(extension(AUTHORITY_KEY_ID, false, &sequence(&[tlv(0x80, &[authority_key_id])])));
        }
        let mut names = vec![];
        for dns in &self.dns {
            if !dns.is_ascii() {
                return Err(format!("x509: {} cannot be encoded as an IA5String", strconv::quote(dns)));
            }
            names.push(tlv(0x82, &[&**dns]));
        }
        for ip in &self.ips {
            names.push(match ip {
                IpAddr::V4(ip) => tlv(0x87, &[ip.octets()]),
                IpAddr::V6(ip) => match Ipv6Addr::to_ipv4_mapped(ip) {
                    Some(ip) => tlv(0x87, &[ip.octets()]),
                    None => tlv(0x87, &[ip.octets()]),
                },
            });
        }
        if !names.is_empty() {
            // Without a subject, these names are all there is.
            let critical = self.subject == sequence::<&[u8]>(&[]);
            all.push(extension(SUBJECT_ALT_NAME, critical, &sequence(&names)));
        }
        Ok(tlv(0xa3, &[sequence(&all)]))
    }

    /// `x509.CreateCertificate`, in DER.
    fn create(&self, st: &State, key: &PrivateKey, issuer: &Issuer) -> Result<Vec<u8>, String> {
        let algorithm = issuer.key.signature_algorithm()?;
        let (key_algorithm, bits) = key.public()?;
        let mut key_id = [0; 20];
        key_id.copy_from_slice(&Sha256::digest(&bits)[..20]);
        let key_id: &[u8] = if self.authority { &key_id } else { &[] };
        let authority_key_id = if self.subject == issuer.name { &[] } else { issuer.key_id };
        if let Some(public) = &issuer.public
            && *public != issuer.key.public()?
        {
            return Err("x509: provided PrivateKey doesn't match parent's PublicKey".into());
        }
        let body = sequence(&[
            tlv(0xa0, &[integer(&[2])]),
            integer(&self.serial),
            algorithm.clone(),
            issuer.name.to_vec(),
            sequence(&[time(&self.not_before), time(&self.not_after)]),
            self.subject.clone(),
            sequence(&[key_algorithm, bit_string(&bits)]),
            self.extensions(key_id, authority_key_id)?,
        ]);
        let signature = issuer.key.sign(&*st.host, &body)?;
        Ok(sequence(&[body, algorithm, bit_string(&signature)]))
    }

    fn certificate(&self, st: &State, key: &Arc<PrivateKey>, issuer: &Issuer) -> Result<Certificate, CallError> {
        let der =
            self.create(st, key, issuer).map_err(|e| CallError::Msg(format!("error creating certificate: {e}")))?;
        Ok(Certificate {
            cert: pem::encode("CERTIFICATE", &der).into(),
            key: key.pem().into(),
            made: Some(key.clone()),
        })
    }

    fn signed_by_itself(&self, st: &State, key: &Arc<PrivateKey>) -> Result<Certificate, CallError> {
        self.certificate(st, key, &Issuer { name: &self.subject, key, key_id: &[], public: None })
    }
}

fn authority(st: &mut State, cn: &[u8], days: Int, key: &Arc<PrivateKey>) -> Result<Certificate, CallError> {
    let none = st.heap.list_of(vec![]);
    let template = template(st, &Wish { cn, ips: none, dns: none, days })?;
    Template { authority: true, ..template }.signed_by_itself(st, key)
}

fn self_signed(st: &mut State, wish: &Wish, key: &Arc<PrivateKey>) -> Result<Certificate, CallError> {
    template(st, wish)?.signed_by_itself(st, key)
}

fn signed(st: &mut State, wish: &Wish, ca: &Certificate, key: &Arc<PrivateKey>) -> Result<Certificate, CallError> {
    let block = pem::decode(&ca.cert).ok_or_else(|| CallError::msg("unable to decode certificate"))?;
    let parent = parse(&block.bytes)
        .map_err(|e| CallError::Msg(format!("error parsing certificate: decodedSignerCert.Bytes: {e}")))?;
    let signer = match &ca.made {
        Some(key) => key.clone(),
        None => PrivateKey::parse(&ca.key)
            .map(Arc::new)
            .map_err(|e| CallError::Msg(format!("error parsing private key: {e}")))?,
    };
    let issuer =
        Issuer { name: parent.subject, key: &signer, key_id: parent.key_id, public: Some(parent.public.clone()) };
    template(st, wish)?.certificate(st, key, &issuer)
}

fn build_custom_cert(cert: Str, key: Str) -> Result<Certificate, CallError> {
    let cert = base64(&cert).map_err(|_| CallError::msg("unable to decode base64 certificate"))?;
    let key = base64(&key).map_err(|_| CallError::msg("unable to decode base64 private key"))?;
    let block = pem::decode(&cert).ok_or_else(|| CallError::msg("unable to decode certificate"))?;
    parse(&block.bytes).map_err(|e| CallError::Msg(format!("error parsing certificate: decodedCert.Bytes: {e}")))?;
    PrivateKey::parse(&key).map_err(|e| CallError::Msg(format!("error parsing private key: {e}")))?;
    Ok(Certificate { cert: cert.into(), key: key.into(), made: None })
}

/// What is needed of a certificate that signs another.
struct Parsed<'a> {
    subject: &'a [u8],
    /// Algorithm and bits.
    public: (Vec<u8>, Vec<u8>),
    key_id: &'a [u8],
}

/// `x509.ParseCertificate`, as far as a certificate can be wrong in its structure.
fn parse(der: &[u8]) -> Result<Parsed<'_>, String> {
    let malformed = |what: &'static str| move |_: String| format!("x509: malformed {what}");
    let mut all = Reader::new(der);
    let mut outer = Reader::new(all.expect(SEQUENCE, "").map_err(malformed("certificate"))?.content);
    let mut body = Reader::new(outer.expect(SEQUENCE, "").map_err(malformed("tbs certificate"))?.content);
    let version = match body.optional(0xa0) {
        Some(e) => {
            let mut r = Reader::new(e.content);
            r.small("").ok().filter(|n| *n >= 0 && r.is_empty()).ok_or("x509: malformed version")?
        }
        None => 0,
    };
    if version > 2 {
        return Err("x509: invalid version".into());
    }
    let serial = body.expect(INTEGER, "").map_err(malformed("serial number"))?.content;
    match serial {
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => return Err("x509: malformed serial number".into()),
        [0x80..=0xff, ..] => return Err("x509: negative serial number".into()),
        _ => {}
    }
    let inner = body.expect(SEQUENCE, "").map_err(malformed("signature algorithm identifier"))?;
    let second = outer.expect(SEQUENCE, "").map_err(malformed("algorithm identifier"))?;
    if inner.content != second.content {
        return Err("x509: inner and outer signature algorithm identifiers don't match".into());
    }
    Reader::new(inner.content).expect(OID, "").map_err(malformed("OID"))?;
    check_name(body.expect(SEQUENCE, "").map_err(malformed("issuer"))?.content)?;
    let mut validity = Reader::new(body.expect(SEQUENCE, "").map_err(malformed("validity"))?.content);
    for _ in 0..2 {
        if validity.optional(0x17).is_none() && validity.optional(0x18).is_none() {
            return Err("x509: unsupported time format".into());
        }
    }
    let subject = body.expect(SEQUENCE, "").map_err(malformed("issuer"))?;
    check_name(subject.content)?;
    let mut info = Reader::new(body.expect(SEQUENCE, "").map_err(malformed("spki"))?.content);
    let algorithm = info.expect(SEQUENCE, "").map_err(malformed("public key algorithm identifier"))?;
    Reader::new(algorithm.content).expect(OID, "").map_err(malformed("OID"))?;
    let bits = info.expect(BIT_STRING, "").map_err(malformed("subjectPublicKey"))?.content;
    let (0, bits) = bits.split_first().map_or((1, bits), |(unused, rest)| (*unused, rest)) else {
        return Err("x509: malformed subjectPublicKey".into());
    };
    let mut key_id: &[u8] = &[];
    if version > 0 {
        body.optional(0x81);
        body.optional(0x82);
    }
    if version == 2
        && let Some(e) = body.optional(0xa3)
    {
        let mut extensions =
            Reader::new(Reader::new(e.content).expect(SEQUENCE, "").map_err(malformed("extensions"))?.content);
        while !extensions.is_empty() {
            let mut e = Reader::new(extensions.expect(SEQUENCE, "").map_err(malformed("extension"))?.content);
            let id = e.expect(OID, "").map_err(malformed("extension OID field"))?.content;
            e.optional(0x01);
            let value = e.expect(OCTET_STRING, "").map_err(malformed("extension value field"))?.content;
            if id == SUBJECT_KEY_ID {
                let id = Reader::new(value).expect(OCTET_STRING, "");
                key_id = id.map_err(|_| "x509: invalid subject key identifier")?.content;
            }
        }
    }
    outer.expect(BIT_STRING, "").map_err(malformed("signature"))?;
    if !all.is_empty() {
        return Err("x509: trailing data".into());
    }
    Ok(Parsed { subject: subject.raw, public: (algorithm.raw.to_vec(), bits.to_vec()), key_id })
}

/// Go's `parseName`: sets of attributes, each a type and a text.
fn check_name(content: &[u8]) -> Result<(), String> {
    let bad = |what: &'static str| move |_: String| format!("x509: invalid RDNSequence{what}");
    let mut sets = Reader::new(content);
    while !sets.is_empty() {
        let mut set = Reader::new(sets.expect(SET, "").map_err(bad(""))?.content);
        while !set.is_empty() {
            let attribute = set.expect(SEQUENCE, "").map_err(bad(": invalid attribute"))?;
            let mut attribute = Reader::new(attribute.content);
            attribute.expect(OID, "").map_err(bad(": invalid attribute type"))?;
            let value = attribute.any().map_err(bad(": invalid attribute value"))?;
            let problem = match value.tag {
                0x13 if !value.content.iter().all(is_printable) => "invalid PrintableString",
                0x0c if std::str::from_utf8(value.content).is_err() => "invalid UTF-8 string",
                0x16 if !value.content.is_ascii() => "invalid IA5String",
                0x0c | 0x12 | 0x13 | 0x14 | 0x16 | 0x1e => continue,
                tag => {
                    let what = format!("unsupported string type: {tag}");
                    return Err(format!("x509: invalid RDNSequence: invalid attribute value: {what}"));
                }
            };
            return Err(format!("x509: invalid RDNSequence: invalid attribute value: {problem}"));
        }
    }
    Ok(())
}

/// Reading, Go lets `*` and `&` pass as well.
fn is_printable(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotmpl::{FixedHost, Limits};

    const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIEYdEE4wskiGpPczXzaYt6nHU7JFl8K1vqnU33h26M1D
-----END PRIVATE KEY-----
";

    fn state() -> State {
        State::new(Arc::new(FixedHost::new(1_700_000_000_000_000_000, 7)), Limits::default())
    }

    fn lists(st: &mut State, ips: &[&str], dns: &[&str]) -> (ListId, ListId) {
        let ips = st.heap.list_of(ips.iter().map(Value::str).collect());
        let dns = st.heap.list_of(dns.iter().map(Value::str).collect());
        (ips, dns)
    }

    #[test]
    fn a_certificate_is_what_go_writes() {
        let st = &mut state();
        let key = given_key(ED25519.as_bytes()).unwrap();
        let ca = authority(st, b"my ca", Int(30), &key).unwrap();
        assert_eq!(ca.key, ED25519);
        assert_eq!(
            ca.cert,
            "-----BEGIN CERTIFICATE-----
MIIBPzCB8qADAgECAhEA1xwCy9oR9v5haessTjDm+DAFBgMrZXAwEDEOMAwGA1UE
AxMFbXkgY2EwHhcNMjMxMTE0MjIxMzIwWhcNMjMxMjE0MjIxMzIwWjAQMQ4wDAYD
VQQDEwVteSBjYTAqMAUGAytlcAMhAOqrjwyaa2UNcbS5LbAk7hdB3J4j6j44SvnL
AUtV0KVyo2EwXzAOBgNVHQ8BAf8EBAMCAqQwHQYDVR0lBBYwFAYIKwYBBQUHAwEG
CCsGAQUFBwMCMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFA3/h0hx2u9Jr+ky
p84qMWAPni3pMAUGAytlcANBAJlDAj0QMTcGGoHxlgPUEf/oRzDsdPDpiqtWcTXv
5nzWTV/c1qINx/Y/sisgsGa/Hv0AP8O9gsE1lNV+hMdR7g0=
-----END CERTIFICATE-----
"
        );
        let (ips, dns) = lists(st, &["10.0.0.5", "::1", "::ffff:1.2.3.4"], &["x.io"]);
        let leaf = signed(st, &Wish { cn: b"*.x.io", ips, dns, days: Int(40_000) }, &ca, &key).unwrap();
        assert_eq!(
            leaf.cert,
            "-----BEGIN CERTIFICATE-----
MIIBczCCASWgAwIBAgIRAK/HNfgvzZ3/MOm6X0cdeKwwBQYDK2VwMBAxDjAMBgNV
BAMTBW15IGNhMCAXDTIzMTExNDIyMTMyMFoYDzIxMzMwNTIxMjIxMzIwWjARMQ8w
DQYDVQQDDAYqLnguaW8wKjAFBgMrZXADIQDqq48MmmtlDXG0uS2wJO4XQdyeI+o+
OEr5ywFLVdClcqOBkDCBjTAOBgNVHQ8BAf8EBAMCBaAwHQYDVR0lBBYwFAYIKwYB
BQUHAwEGCCsGAQUFBwMCMAwGA1UdEwEB/wQCMAAwHwYDVR0jBBgwFoAUDf+HSHHa
70mv6TKnzioxYA+eLekwLQYDVR0RBCYwJIIEeC5pb4cECgAABYcQAAAAAAAAAAAA
AAAAAAAAAYcEAQIDBDAFBgMrZXADQQAJDSTfkV0dFT/1ciivkcPaGk9Nll1GUOFw
BUNTJ6bixr84hD5ZGGGIqUkd4pylE/Y4XnRIYkHv8HNymshnK5sD
-----END CERTIFICATE-----
"
        );
    }

    #[test]
    fn refuses_as_sprig() {
        let st = &mut state();
        let key = given_key(ED25519.as_bytes()).unwrap();
        let mut error = |cn: &[u8], ip: Value, dns: Value| {
            let ips = st.heap.list_of(vec![ip]);
            let dns = st.heap.list_of(vec![dns]);
            match self_signed(st, &Wish { cn, ips, dns, days: Int(1) }, &key) {
                Err(CallError::Msg(e)) => e,
                other => panic!("{other:?}"),
            }
        };
        let ip = || Value::str("10.0.0.1");
        for (got, want) in [
            (error(b"x", Value::Int(5), "x".into()), "error parsing ip: 5 is not a string"),
            (error(b"x", "010.0.0.1".into(), "x".into()), "error parsing ip: 010.0.0.1"),
            (error(b"x", ip(), Value::Float(1e6)), "error processing alternate dns name: 1e+06 is not a string"),
            (
                error(b"x", ip(), "\u{e9}".into()),
                "error creating certificate: x509: \"\u{e9}\" cannot be encoded as an IA5String",
            ),
            (error(b"\xff", ip(), "x".into()), "error creating certificate: asn1: string not valid UTF-8"),
        ] {
            assert_eq!(got, want);
        }
        assert!(matches!(
            build_custom_cert("bad".into(), "bad".into()),
            Err(CallError::Msg(e)) if e == "unable to decode base64 certificate"
        ));
    }
}
