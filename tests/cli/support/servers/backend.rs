//! A strict server of one vendor: what it keeps, behind a real socket.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};

use super::clock::Clock;
use super::server::Service;
use super::{Answer, Listen, Request, Server};

/// What a vendor's server keeps, and how it answers from that.
pub trait Keeps: Default + Send + 'static {
    fn answer(&mut self, request: &Request) -> Answer;
}

/// A server of its own. Derefs to [`Server`] for the log, the faults and the clock.
pub struct Backend<K> {
    server: Server,
    kept: Arc<Mutex<K>>,
}

struct Api<K>(Arc<Mutex<K>>);

impl<K: Keeps> Service for Api<K> {
    fn answer(&self, request: &Request, _clock: &Clock) -> Answer {
        self.0.lock().unwrap().answer(request)
    }
}

impl<K: Keeps> Backend<K> {
    /// Starts one over plain HTTP, with nothing in it.
    pub fn start() -> Self {
        Self::listen(Listen::Http)
    }

    /// Starts one.
    pub fn listen(listen: Listen) -> Self {
        let kept = Arc::<Mutex<K>>::default();
        Self {
            server: Server::start(listen, Api(Arc::clone(&kept))),
            kept,
        }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, K> {
        self.kept.lock().unwrap()
    }
}

impl<K> Deref for Backend<K> {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
