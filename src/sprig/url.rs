//! `urlParse` and `urlJoin` (Sprig `url.go`), and the one function that asks the network.

use super::convert::{NIL_DEREF, fail};
use crate::golang::url::{Url, Userinfo};
use crate::gotmpl::{CallError, FuncTable, State, func};
use crate::value::{Kind, MapId, Str, Value};

pub fn register(table: &mut FuncTable) {
    table.add(func("urlParse", url_parse));
    table.add(func("urlJoin", url_join));
    table.add(func("getHostByName", get_host_by_name));
}

/// A dict of the parts; all of them texts, the missing ones empty.
fn url_parse(st: &mut State, s: Str) -> Result<MapId, CallError> {
    let url = match Url::parse(&s) {
        Ok(url) => url,
        Err(e) => return fail(format!("unable to parse url: {e}")),
    };
    let hostname = url.hostname().to_vec();
    let userinfo = url.user.as_ref().map(Userinfo::encoded).unwrap_or_default();
    Ok(st.heap.map_of([
        ("fragment", Value::str(url.fragment)),
        ("host", Value::str(url.host)),
        ("hostname", Value::str(hostname)),
        ("opaque", Value::str(url.opaque)),
        ("path", Value::str(url.path)),
        ("query", Value::str(url.raw_query)),
        ("scheme", Value::str(url.scheme)),
        ("userinfo", Value::str(userinfo)),
    ]))
}

/// The text under a key; "" if there is none.
fn part(st: &State, d: MapId, key: &str) -> Result<Vec<u8>, CallError> {
    match st.heap.map(d).get(key) {
        None => Ok(Vec::new()),
        Some(Value::Nil) => fail(NIL_DEREF),
        Some(Value::Str(s)) => Ok(s.to_vec()),
        Some(v) if v.kind() == Kind::String => Ok(Vec::new()),
        Some(v) => fail(format!("unable to parse {key} key, must be of type string, but {} found", v.kind().name())),
    }
}

/// The URL of such a dict. The user information is parsed as part of a URL, so what would end it there ends it here.
fn url_join(st: &mut State, d: MapId) -> Result<Vec<u8>, CallError> {
    let mut url = Url {
        scheme: part(st, d, "scheme")?,
        host: part(st, d, "host")?,
        path: part(st, d, "path")?,
        raw_query: part(st, d, "query")?,
        opaque: part(st, d, "opaque")?,
        fragment: part(st, d, "fragment")?,
        ..Url::default()
    };
    let userinfo = part(st, d, "userinfo")?;
    if !userinfo.is_empty() {
        match Url::parse(&[b"proto://", &userinfo[..], b"@host"].concat()) {
            Ok(parsed) => url.user = parsed.user,
            Err(e) => return fail(format!("unable to parse userinfo in dict: {e}")),
        }
    }
    Ok(url.encoded())
}

/// One of the host's addresses by chance; "" while lookups are off, as in Helm without `--enable-dns`. For a name without
/// addresses the original's draw of one panics.
fn get_host_by_name(st: &mut State, name: Str) -> Result<String, CallError> {
    if !st.host.looks_up() {
        return Ok(String::new());
    }
    let mut addresses = st.host.lookup_host(&name.to_text());
    if addresses.is_empty() {
        return fail("invalid argument to Intn");
    }
    let mut chance = [0u8; 8];
    st.host.random(&mut chance);
    let i = (u64::from_le_bytes(chance) % addresses.len() as u64) as usize;
    Ok(addresses.swap_remove(i))
}
