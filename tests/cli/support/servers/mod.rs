//! Strict servers over real sockets: each refuses what its vendor refuses, and fails on command.
//!
//! [`server`] accepts connections, keeps the log and carries out [`faults`]; one file a backend
//! answers, in the words of the vendor's page.

pub mod backend;
pub mod bytenite;
pub mod clock;
pub mod faults;
pub mod jwt;
pub mod limit;
pub mod message;
pub mod neo;
pub mod northflank;
pub mod nosana;
pub mod openbao;
pub mod port;
pub mod proxy;
pub mod server;
pub mod tls;
mod wire;

pub use bytenite::ByteNite;
pub use faults::{Ending, Fault};
pub use message::{Answer, Request};
pub use neo::Neo;
pub use northflank::Northflank;
pub use nosana::Nosana;
pub use openbao::OpenBao;
pub use port::Port;
pub use proxy::Proxy;
pub use server::{Listen, Server};
pub use tls::Certificate;
