//! What other programs can read of this process: nothing, where the system can be told so, and no
//! core file when it crashes. Both end with the process: what it starts is as it would have been.

#[cfg(unix)]
use std::sync::OnceLock;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How large a core file might have become before [`close`].
#[cfg(unix)]
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Closes this process's memory and environment to other programs of the same user, and keeps it
/// from leaving core files. Called before anything secret is read. A system that cannot do it is
/// left as it is: everything else works without.
pub fn close() {
    // On Linux this alone does both; exec undoes it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    #[cfg(unix)]
    no_core(BEFORE.get_or_init(|| getrlimit(Resource::Core)));
}

/// Has `start` start another program, or become one, which may leave core files as it could have
/// before [`close`].
pub fn starting<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    if let Some(before) = BEFORE.get() {
        let _ = setrlimit(Resource::Core, *before);
        let started = start();
        no_core(before);
        return started;
    }
    start()
}

/// Only the soft limit: the hard one could not be put back.
#[cfg(unix)]
fn no_core(before: &Rlimit) {
    let none = Rlimit {
        current: Some(0),
        maximum: before.maximum,
    };
    let _ = setrlimit(Resource::Core, none);
}
