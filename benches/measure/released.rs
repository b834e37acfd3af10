//! The binary that is measured: one that users get.

/// The binary that is measured.
///
/// # Panics
/// Where `benches/run` has not named it: what `cargo bench` builds is not what users get.
pub fn binary() -> String {
    std::env::var("KEYFOB_BINARY").expect("start the benches by benches/run, which names a binary")
}
