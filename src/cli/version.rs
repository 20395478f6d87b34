//! `pintle version`.

use super::Failure;
use super::args::Version;
use super::output::Streams;
use crate::render::Compat;

pub fn run(args: &Version, io: &mut Streams<'_>) -> Result<(), Failure> {
    let v = env!("CARGO_PKG_VERSION");
    if args.short {
        writeln!(io.out, "v{v}")?;
    } else {
        let kube = Compat::default().kube_version().version;
        writeln!(io.out, "pintle v{v}, renders as Helm v4.3.1 (Kubernetes {kube} assumed without a cluster)")?;
    }
    Ok(())
}
