//! Where commands that wait for a network run: one thread that drives the sockets, and blocking work beside it.

use std::future::Future;

use super::Failure;

/// Runs a command's future to its end.
///
/// # Errors
/// The machine gives no runtime (no file descriptors left, for example), or what the command says.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no runtime to work on: {e}"))?;
    runtime.block_on(work)
}
