//! Ports of 127.0.0.1 that no other test is given.
//!
//! What listened on a port and stopped gives it back to the machine, which hands it to the next
//! server of a test that runs at the same time: a test that means to be refused then meets a
//! stranger. A socket that is bound and does not listen refuses, and keeps the port.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::server::RUNTIME;

/// A port that is this test's until it is dropped. Connections to it are refused unless something
/// of the test listens on it.
pub struct Port {
    address: SocketAddr,
    // Elsewhere a second socket cannot be bound to the address, so the port is only known there.
    _held: Option<TcpSocket>,
}

impl Port {
    /// A free one.
    pub fn take() -> Self {
        let socket = bind(([127, 0, 0, 1], 0).into());
        Self {
            address: socket.local_addr().expect("a bound socket"),
            _held: cfg!(target_os = "linux").then_some(socket),
        }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens on it. The port stays taken after the listener is dropped.
    pub fn listen(&self) -> TcpListener {
        let _entered = RUNTIME.enter();
        let socket = bind(self.address);
        socket.listen(1024).expect("a socket that listens")
    }
}

/// A socket that shares its address with what listens on it, which has to allow it as well.
fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an address for two");
    socket.bind(address).expect("a free port");
    socket
}
