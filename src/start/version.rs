//! What `keyfob --version -v` says: which build this is, for reports of faults.

use crate::keyring;

/// The lines below the first one, which is the version's.
pub(super) fn build() -> String {
    format!(
        "commit: {}\ntarget: {}\nprofile: {}\nfeatures: {}\n",
        env!("KEYFOB_COMMIT"),
        env!("KEYFOB_TARGET"),
        env!("KEYFOB_PROFILE"),
        features().join(", ")
    )
}

/// What differs between the platforms that keyfob is compiled for.
fn features() -> Vec<&'static str> {
    let mut features = vec![keyring::NAME];
    if cfg!(target_os = "linux") {
        features.push("kernel keyring");
    }
    if cfg!(unix) {
        features.extend(["exec", "run --mask"]);
    }
    if cfg!(target_feature = "crt-static") {
        features.push("static");
    }
    features
}
