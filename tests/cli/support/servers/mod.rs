//! Strict servers over real sockets: each refuses what its vendor refuses, and fails on command.
//!
//! [`server`] accepts connections, keeps the log and carries out [`faults`]; one file a backend
//! answers, in the words of the vendor's page.

pub mod clock;

pub mod faults;
pub mod jwt;
pub mod message;
pub mod nosana;
pub mod proxy;
pub mod server;
pub mod tls;
mod wire;

pub use faults::Fault;
pub use message::{Answer, Request};
pub use nosana::Nosana;
pub use proxy::Proxy;
pub use server::{Listen, Server};
pub use tls::Certificate;
