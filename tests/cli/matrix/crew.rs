//! Many cases side by side: most of them wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many cases of one test are tried at once.
const AT_ONCE: usize = 8;

/// Tries every case and returns what each gave, in their order. A case that panics fails the test.
pub fn each<T: Sync, R: Send>(cases: &[T], trial: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::default();
    let panicked: Mutex<Vec<String>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(case) = cases.get(at) else { return };
                    match catch_unwind(AssertUnwindSafe(|| trial(case))) {
                        Ok(result) => results.lock().unwrap().push((at, result)),
                        Err(payload) => {
                            let text = payload.downcast_ref::<String>();
                            let text = text.cloned().unwrap_or_default();
                            panicked.lock().unwrap().push(text);
                        }
                    }
                }
            });
        }
    });
    let panicked = panicked.into_inner().unwrap();
    assert!(panicked.is_empty(), "{}", panicked.join("\n"));
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}
