//! The `pintle` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    pintle::cli::main()
}
