//! System calls of a program, seen and spoilt by strace.

/// Whether system calls can be traced here; where they cannot, the test of this name says so.
pub fn can_trace(test: &str) -> bool {
    let traced = std::process::Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .output();
    let can = traced.is_ok_and(|output| output.status.success());
    if !can {
        println!("skipped: {test}: strace is not installed or may not trace");
    }
    can
}
