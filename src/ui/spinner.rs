//! A spinner that says who is waited for, once that takes long enough to wonder: on a terminal only.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::escape;
use crate::words::progress::Waits;

/// How long nothing is said.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often it turns.
const TICK: Duration = Duration::from_millis(120);

/// The waits of this process, one of which is shown.
#[derive(Default)]
pub struct Spinner(Mutex<State>);

#[derive(Default)]
struct State {
    waits: usize,
    shown: Option<Shown>,
}

struct Shown {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

/// The spinner on the terminal, where there is one: what is written to stderr moves it out of the way.
static ON_TERMINAL: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Has `say` write to the terminal while no spinner is in the way.
pub fn aside<T>(say: impl FnOnce() -> T) -> T {
    let spinner = lock(&ON_TERMINAL).clone();
    match spinner {
        Some(spinner) => spinner.suspend(say),
        None => say(),
    }
}

impl Waits for Spinner {
    fn begin(&self, whom: &str) {
        let mut state = lock(&self.0);
        state.waits += 1;
        if state.waits == 1 {
            state.shown = Shown::after_a_while(whom);
        }
    }

    fn end(&self) {
        let mut state = lock(&self.0);
        state.waits = state.waits.saturating_sub(1);
        if state.waits == 0
            && let Some(shown) = state.shown.take()
        {
            shown.end();
        }
    }
}

impl Shown {
    /// `None` where no thread can be had, which is no reason to fail.
    fn after_a_while(whom: &str) -> Option<Self> {
        let message = format!("waiting for {}", escape(whom));
        let over: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let until = Arc::clone(&over);
        let thread = thread::Builder::new().spawn(move || show(&message, &until));
        Some(Self {
            over,
            thread: thread.ok()?,
        })
    }

    fn end(self) {
        *lock(&self.over.0) = true;
        self.over.1.notify_all();
        let _ = self.thread.join();
    }
}

fn show(message: &str, (over, changed): &(Mutex<bool>, Condvar)) {
    let waited = changed.wait_timeout_while(lock(over), PATIENCE, |over| !*over);
    let (is_over, _) = waited.unwrap_or_else(PoisonError::into_inner);
    if *is_over {
        return;
    }
    drop(is_over);
    let spinner = ProgressBar::new_spinner().with_message(message.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(TICK);
    *lock(&ON_TERMINAL) = Some(spinner.clone());
    let until = changed.wait_while(lock(over), |over| !*over);
    drop(until);
    *lock(&ON_TERMINAL) = None;
    spinner.finish_and_clear();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
