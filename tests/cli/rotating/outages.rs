//! A rotation over all five providers, one of which fails from some request on: everything is as it
//! was, or what is not is shown; once the backend is well again, it is finished or undone.

use super::{World, assert_mixture_is_shown, assert_resumed, assert_undone, outcome};
use crate::support::servers::faults::Fault;

/// How a backend fails.
#[derive(Clone, Copy, Debug)]
enum Failing {
    /// 500 to everything.
    Broken,
    /// 429 to everything, for longer than anybody waits.
    RateLimited,
    /// No answer to anything.
    Silent,
}

impl Failing {
    fn fault(self) -> Fault {
        match self {
            Self::Broken => Fault::status(500),
            Self::RateLimited => Fault::rate_limited(3600),
            Self::Silent => Fault::Hang,
        }
    }

    /// How long a rotation tries.
    fn timeout(self) -> &'static str {
        match self {
            // Nobody waits for an hour.
            Self::RateLimited => "--timeout=30s",
            Self::Broken | Self::Silent => "--timeout=400ms",
        }
    }
}

/// Lets `server` fail from its every request on, has `finish` finish once it is well, and counts.
fn fail_from_every_request(server: usize, failing: Failing, finish: fn(&World, &str)) {
    let mut failed = 0;
    for n in 0.. {
        let world = World::with_a_secret();
        let what = format!("server {server}, {failing:?} after {n} requests");
        let faults = world.servers()[server].faults();
        faults.after_first(n, failing.fault());
        let run = world.rotation().args([failing.timeout(), "--json"]).run();
        if run.code == Some(0) {
            assert!(n > 3, "it is needed");
            assert!(world.held().all_new(), "{what}");
            break;
        }
        failed += 1;
        let expected = match outcome(&run).as_str() {
            "refused" | "rolled_back" => match failing {
                Failing::RateLimited => 9,
                _ => 8,
            },
            "open" => 10,
            other => panic!("{what}: {other}"),
        };
        run.code(expected);
        let open = outcome(&run) == "open";
        assert_eq!(world.open_rotations() == 1, open, "{what}: {}", run.stderr);
        assert_mixture_is_shown(&world, &what);
        if !open {
            assert!(world.held().all_old(), "{what}: {:?}", world.held());
        }
        faults.clear();
        finish(&world, &what);
    }
    println!("server {server}: {failed} rotations failed ({failing:?}), 0 failures of keyfob's");
}

/// A test for each way to fail and each server.
macro_rules! outages {
    ($($name:ident: $failing:ident, $finish:ident;)*) => {
        $(
            mod $name {
                use super::*;

                #[test]
                fn nosana() {
                    fail_from_every_request(0, Failing::$failing, $finish);
                }

                #[test]
                fn northflank() {
                    fail_from_every_request(1, Failing::$failing, $finish);
                }

                #[test]
                fn bytenite() {
                    fail_from_every_request(2, Failing::$failing, $finish);
                }

                #[test]
                fn neo() {
                    fail_from_every_request(3, Failing::$failing, $finish);
                }
            }
        )*
    };
}

outages! {
    a_broken_backend_is_resumed: Broken, assert_resumed;
    a_broken_backend_is_undone: Broken, assert_undone;
    a_backend_that_limits_is_resumed: RateLimited, assert_resumed;
    a_backend_that_limits_is_undone: RateLimited, assert_undone;
    a_silent_backend_is_resumed: Silent, assert_resumed;
    a_silent_backend_is_undone: Silent, assert_undone;
}
