//! Progress bars: on a terminal only, and only once work takes long enough to wonder.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Ui;
use crate::words::progress::Progress;

/// A bar on stderr for the work that is going on. Its clones are the same bar.
#[derive(Clone, Default)]
pub struct Bar {
    shown: bool,
    bar: Rc<RefCell<Option<ProgressBar>>>,
}

impl Bar {
    /// A bar, shown where stderr is a terminal that a person reads who has not asked for quiet.
    pub fn new(ui: &Ui) -> Self {
        Self {
            shown: ui.shows_waits(),
            bar: Rc::default(),
        }
    }

    /// Has `say` write to stderr while the bar is out of the way.
    pub fn aside(&self, say: impl FnOnce()) {
        // What is said may be told of the bar in its turn.
        let bar = self.bar.borrow().clone();
        match bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        if self.shown {
            act(&mut self.bar.borrow_mut());
        }
    }
}

impl Progress for Bar {
    fn start(&self, what: &str, total: u64) {
        self.with(|bar| {
            // One item is done before a bar could be read.
            if total < 2 {
                return;
            }
            let new = ProgressBar::new(total).with_message(what.to_owned());
            if let Ok(style) =
                ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left")
            {
                new.set_style(style);
            }
            new.enable_steady_tick(Duration::from_millis(200));
            *bar = Some(new);
        });
    }

    fn advance(&self, done: u64) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.inc(done);
            }
        });
    }

    fn finish(&self) {
        self.with(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
    }
}
