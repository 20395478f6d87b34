//! The `pintle` program.

use std::process::ExitCode;

/// A render makes very many small values and ends: that is what this allocator is quick at, on any libc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pintle::cli::main()
}
