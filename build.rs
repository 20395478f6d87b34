//! Linking of the program: at a fixed address, as it starts with tens of thousands of pointers in tables (functions, flags, error texts)
//! that a position-independent program has to correct one by one before it begins; and with its functions in an order of ours.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/order.ld");
    let var = |key: &str| std::env::var(key).unwrap_or_default();
    if var("CARGO_CFG_TARGET_OS") != "linux" || var("CARGO_CFG_TARGET_ENV") != "gnu" {
        return;
    }
    println!("cargo:rustc-link-arg-bins=-no-pie");
    // The unwinder is put in: a library less to find and map at every start.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    if var("PROFILE") == "release" {
        if var("CARGO_CFG_TARGET_ARCH") == "x86_64" {
            println!("cargo:rustc-link-arg-bins=-Wl,-T,{}/build/order.ld", var("CARGO_MANIFEST_DIR"));
        }
        // The profile's `strip` does not reach a package with settings of its own.
        println!("cargo:rustc-link-arg=-Wl,--strip-debug");
    }
}
