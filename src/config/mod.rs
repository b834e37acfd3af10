//! Configuration: where stores are described, how files and the environment are merged, and what
//! of a checkout's file counts before it was trusted.

pub mod schema;
