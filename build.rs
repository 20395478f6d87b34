//! Linking of the program: at a fixed address. It starts with tens of thousands of pointers in tables (functions, flags, error texts)
//! that a position-independent program has to correct one by one before it begins.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
        // The unwinder is put in: a library less to find and map at every start.
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}
