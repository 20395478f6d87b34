//! Clusters that take the tokens of this one's service accounts: `kubeConfig.configMapRef` with the provider `generic`.
//!
//! Source: Flux `pkg/apis/meta/reference_types.go` (the ConfigMap's keys) and `pkg/auth`. Providers of clouds need programs of theirs, and are refused.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cluster::Json;
use crate::cluster::kube::Kube;

/// How long a token is asked for, and used: a reconciliation that begins with it has the rest.
const LIFE: u64 = 3600;
const USED: Duration = Duration::from_secs(1800);

/// What a ConfigMap says of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Remote {
    address: String,
    ca: String,
    audiences: Vec<String>,
    pub namespace: String,
    pub account: String,
}

impl Remote {
    /// # Errors
    /// Which key is missing, or what is not done here.
    pub fn read(map: &Json, namespace: &str) -> Result<Self, String> {
        let text = |key: &str| {
            let value = map.get("data").and_then(|d| d.get(key)).and_then(Json::as_str);
            value.unwrap_or_default().trim().to_owned()
        };
        match text("provider").as_str() {
            "generic" => {}
            "" => return Err("key 'provider' is missing".into()),
            cloud @ ("aws" | "azure" | "gcp") => {
                return Err(format!(
                    "the provider '{cloud}' is not supported: use 'generic' where the cluster trusts this one's tokens, or a secretRef"
                ));
            }
            other => return Err(format!("unknown provider '{other}': it may be generic")),
        }
        let address = text("address");
        if address.is_empty() {
            return Err("key 'address' is missing: the provider 'generic' needs it".into());
        }
        if !address.starts_with("https://") {
            return Err("the address must begin with https://".into());
        }
        let mut audiences: Vec<String> =
            text("audiences").lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
        if audiences.is_empty() {
            audiences.push(address.clone());
        }
        let account = text("serviceAccountName");
        Ok(Self { address, ca: text("ca.crt"), audiences, namespace: namespace.into(), account })
    }

    fn kubeconfig(&self, token: &str) -> String {
        let mut cluster = json!({"server": self.address});
        if !self.ca.is_empty() {
            cluster["certificate-authority-data"] = data_encoding::BASE64.encode(self.ca.as_bytes()).into();
        }
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "remote", "cluster": cluster}],
            "users": [{"name": "account", "user": {"token": token}}],
            "contexts": [{"name": "remote", "context": {"cluster": "remote", "user": "account"}}],
            "current-context": "remote",
        })
        .to_string()
    }
}

/// Tokens that are good for a while yet.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<Remote, (String, Instant)>>);

impl Tokens {
    /// # Errors
    /// The API server gives no token.
    pub async fn kubeconfig(&self, own: &Kube, remote: &Remote, now: Instant) -> Result<String, String> {
        let mut kept = self.0.lock().await;
        kept.retain(|_, (_, since)| now.duration_since(*since) < USED);
        if let Some((text, _)) = kept.get(remote) {
            return Ok(text.clone());
        }
        let token = own.token(&remote.namespace, &remote.account, &remote.audiences, LIFE).await;
        let token = token
            .map_err(|e| format!("no token of the service account '{}/{}': {e}", remote.namespace, remote.account))?;
        let text = remote.kubeconfig(&token);
        kept.insert(remote.clone(), (text.clone(), now));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_map_says_where_and_as_whom() {
        let read = |data: Json| Remote::read(&json!({"data": data}), "shop");
        let remote =
            read(json!({"provider": "generic", "address": "https://a:6443", "serviceAccountName": "deployer"}))
                .unwrap();
        assert_eq!(
            (remote.audiences.as_slice(), remote.account.as_str()),
            (&["https://a:6443".to_owned()][..], "deployer")
        );
        let remote = read(json!({"provider": "generic", "address": "https://a", "audiences": " x \n\ny"})).unwrap();
        assert_eq!(remote.audiences, ["x", "y"]);
        for (data, why) in [
            (json!({}), "key 'provider' is missing"),
            (json!({"provider": "aws", "cluster": "arn:x"}), "the provider 'aws' is not supported"),
            (json!({"provider": "ours"}), "unknown provider 'ours'"),
            (json!({"provider": "generic"}), "key 'address' is missing"),
            (json!({"provider": "generic", "address": "http://a"}), "must begin with https://"),
        ] {
            assert!(read(data).unwrap_err().contains(why), "{why}");
        }
    }
}
