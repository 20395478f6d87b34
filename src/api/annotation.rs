//! What people ask of a controller by annotations: reconcile now, act once more, forget failures.
//!
//! A request is a token, usually a time; a new token is a new request. Forcing and resetting act only when their token equals that of
//! `requestedAt`, so that one command asks for both. Source: fluxcd/pkg `apis/meta/annotations.go`, helm-controller `api/v2/annotations.go`.

use std::collections::BTreeMap;

/// Any new value asks to reconcile now.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// With the same value as [`REQUESTED_AT`]: install or upgrade once, even in sync or out of retries.
pub const FORCE_AT: &str = "reconcile.fluxcd.io/forceAt";
/// With the same value as [`REQUESTED_AT`]: set the failure counters to zero.
pub const RESET_AT: &str = "reconcile.fluxcd.io/resetAt";
/// A label with the value `Enabled`: changes of a ConfigMap or Secret are noticed at once (by Flux; pintle watches all that it uses).
pub const WATCH_LABEL: &str = "reconcile.fluxcd.io/watch";
/// Annotations of an object that begin so are copied to its events.
pub const EVENT_PREFIX: &str = "event.toolkit.fluxcd.io/";
/// A label or annotation with the value `disabled`: the object is left out of drift detection.
pub const DRIFT_DETECTION: &str = "helm.toolkit.fluxcd.io/driftDetection";
/// Labels that name the HelmRelease on everything that it renders.
pub const ORIGIN_NAME: &str = "helm.toolkit.fluxcd.io/name";
pub const ORIGIN_NAMESPACE: &str = "helm.toolkit.fluxcd.io/namespace";
/// The label by which Flux's shards share objects.
pub const SHARD_KEY: &str = "sharding.fluxcd.io/key";

/// What a request says, seen from the token that was handled last.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Request {
    /// It is to be acted on.
    pub act: bool,
    /// The token to remember as handled, also when it does not act; none to leave the status as it is.
    pub handled: Option<String>,
}

/// The value of `requestedAt`, when there is one.
pub fn requested_at(annotations: &BTreeMap<String, String>) -> Option<&str> {
    annotations.get(REQUESTED_AT).map(String::as_str)
}

/// Reads [`FORCE_AT`] or [`RESET_AT`]. `last_handled` is the status field of the request itself, `last_reconciled` that of `requestedAt`.
/// The token is remembered even when it does not act: it cannot act later by a stray `requestedAt`.
pub fn request(
    annotations: &BTreeMap<String, String>,
    key: &str,
    last_handled: &str,
    last_reconciled: &str,
) -> Request {
    let Some(token) = annotations.get(key) else {
        return Request::default();
    };
    if token == last_handled {
        return Request::default();
    }
    let act = requested_at(annotations).is_some_and(|at| at == token && at != last_reconciled);
    Request { act, handled: Some(token.clone()) }
}
