//! `pintle version`.

use super::args::Version;
use super::output::Streams;
use super::{Failure, go_template};
use crate::render::{BuildInfo, Compat};
use crate::value::Value;

pub fn run(args: &Version, io: &mut Streams<'_>) -> Result<(), Failure> {
    let v = env!("CARGO_PKG_VERSION");
    if let Some(template) = args.template.as_deref().filter(|t| !t.is_empty()) {
        // What Helm tells of its building pintle has not; the libraries that it does as are of this Kubernetes.
        let own = BuildInfo {
            version: concat!("v", env!("CARGO_PKG_VERSION")),
            go_version: "",
            kube_client_version: Compat::default().kube_client_version(),
        };
        return go_template::print(template, |_| Value::object(own), io);
    }
    if args.short {
        writeln!(io.out, "v{v}")?;
    } else {
        let kube = Compat::default().kube_version().version;
        writeln!(io.out, "pintle v{v}, renders as Helm v4.3.1 (Kubernetes {kube} assumed without a cluster)")?;
    }
    Ok(())
}
