//! `pintle env` alone: `helm env`, the environment that commands work in.
//!
//! Source: Helm 4.3 `pkg/cmd/env.go`, `pkg/cli/environment.go`, `pkg/helmpath`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::golang::path;

use super::Failure;
use super::args::Global;
use super::output::Streams;

/// Prints all variables, or the value of the one that is named.
pub fn run(names: &[String], global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let all = variables(global);
    match names {
        [] => {
            for (name, value) in all {
                writeln!(io.out, "{name}=\"{value}\"")?;
            }
            Ok(())
        }
        [name] => Ok(writeln!(io.out, "{}", all.get(name.as_str()).map_or("", String::as_str))?),
        _ => Err(Failure::new("\"helm env\" accepts at most 1 argument\n\nUsage:  helm env [flags]")),
    }
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

fn joined(parts: &[&str]) -> String {
    String::from_utf8_lossy(&path::join(parts)).into_owned()
}

/// A directory of Helm's: its own variable, the one of the XDG, or a folder of the user's home.
fn home(own: &str, xdg: &str, default: &str) -> String {
    let user = || joined(&[&set("HOME").unwrap_or_default(), default]);
    set(own).map_or_else(|| joined(&[&set(xdg).unwrap_or_else(user), "helm"]), |base| joined(&[&base]))
}

/// Where plugins and starters lie.
pub(super) fn data_home() -> String {
    home("HELM_DATA_HOME", "XDG_DATA_HOME", ".local/share")
}

fn variables(global: &Global) -> BTreeMap<&'static str, String> {
    let (cache, config, data) = (
        home("HELM_CACHE_HOME", "XDG_CACHE_HOME", ".cache"),
        home("HELM_CONFIG_HOME", "XDG_CONFIG_HOME", ".config"),
        data_home(),
    );
    let below = |name: &str, base: &str, rest: &str| set(name).unwrap_or_else(|| joined(&[base, rest]));
    let file = |flag: &Option<PathBuf>, name: &str, rest: &str| {
        flag.as_ref().map_or_else(|| below(name, &config, rest), |p| p.display().to_string())
    };
    let whole = |name: &str, default: i64| set(name).and_then(|v| v.parse().ok()).unwrap_or(default).to_string();
    let target = &global.target;
    let text = |v: &Option<String>| v.clone().unwrap_or_default();
    let mut out = BTreeMap::from([
        ("HELM_BIN", std::env::args().next().unwrap_or_default()),
        ("HELM_CONTENT_CACHE", below("HELM_CONTENT_CACHE", &cache, "content")),
        ("HELM_DEBUG", global.debug.to_string()),
        ("HELM_PLUGINS", below("HELM_PLUGINS", &data, "plugins")),
        ("HELM_REGISTRY_CONFIG", file(&global.config.registry_config, "HELM_REGISTRY_CONFIG", "registry/config.json")),
        ("HELM_REPOSITORY_CACHE", below("HELM_REPOSITORY_CACHE", &cache, "repository")),
        (
            "HELM_REPOSITORY_CONFIG",
            file(&global.config.repository_config, "HELM_REPOSITORY_CONFIG", "repositories.yaml"),
        ),
        ("HELM_CACHE_HOME", cache),
        ("HELM_CONFIG_HOME", config),
        ("HELM_DATA_HOME", data),
        ("HELM_NAMESPACE", super::target::namespace(global)),
        ("HELM_MAX_HISTORY", whole("HELM_MAX_HISTORY", 10)),
        ("HELM_BURST_LIMIT", whole("HELM_BURST_LIMIT", 100)),
        ("HELM_QPS", format!("{:.2}", set("HELM_QPS").and_then(|v| v.parse::<f32>().ok()).unwrap_or(0.0))),
        ("HELM_KUBECONTEXT", text(&target.kube_context)),
        // A token is for nobody's eyes; Helm prints it.
        ("HELM_KUBETOKEN", target.kube_token.as_ref().filter(|t| !t.is_empty()).map_or("", |_| "<hidden>").into()),
        ("HELM_KUBEASUSER", text(&target.kube_as_user)),
        ("HELM_KUBEASGROUPS", target.kube_as_group.join(",")),
        ("HELM_KUBEAPISERVER", text(&target.kube_apiserver)),
        ("HELM_KUBECAFILE", target.kube_ca_file.as_ref().map(|p| p.display().to_string()).unwrap_or_default()),
        ("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", target.kube_insecure_skip_tls_verify.to_string()),
        ("HELM_KUBETLS_SERVER_NAME", text(&target.kube_tls_server_name)),
    ]);
    let kubeconfig = target.kubeconfig.as_ref().map(|p| p.display().to_string()).or_else(|| set("KUBECONFIG"));
    if let Some(kubeconfig) = kubeconfig {
        out.insert("KUBECONFIG", kubeconfig);
    }
    out
}
