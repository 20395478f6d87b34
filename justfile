# The words of CI.
fmt:
    cargo fmt --check
clippy:
    cargo clippy --release --locked --features otel --all-targets -- -D warnings
    cargo clippy --release --locked --no-default-features --lib --example render -- -D warnings
    cargo clippy --release --locked --manifest-path fuzz/Cargo.toml -- -D warnings
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --features otel --no-deps
deny:
    cargo deny check bans licenses sources
unused:
    cargo machete
test:
    tests/run.sh
bench:
    benches/side-by-side.sh
ci:
    .ci/run
