//! Drives the real binary, in one test program so that it is linked once.

mod bytenite;
#[cfg(unix)]
mod check;
mod config;
mod conformance;
mod copy;
mod crash;
#[cfg(unix)]
mod credentials;
mod diff;
mod docs;
mod doctor;
#[cfg(unix)]
mod editing;
mod export;
mod fallback;
#[cfg(target_os = "linux")]
mod faults;
mod from_0_1;
mod fuzz;
mod guesses;
#[cfg(unix)]
mod identities;
mod import;
mod inject;
#[cfg(unix)]
mod keyring;
mod keys;
mod leaks;
mod local;
#[cfg(unix)]
mod logout;
#[cfg(unix)]
mod mask;
#[cfg(unix)]
mod matrix;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(unix)]
mod moving;
#[path = "../consumers/nasty.rs"]
mod nasty;
mod neo;
mod neo_bulk;
#[cfg(unix)]
mod neo_replacing;
mod network;
mod network_troubles;
#[cfg(unix)]
mod newly;
mod northflank;
mod nosana;
mod nosana_databases;
mod nosana_deletes;
mod nosana_jobs;
mod nosana_types;
mod odds;
mod openbao;
#[cfg(unix)]
mod packages;
mod pipes;
#[cfg(unix)]
mod profiles;
#[cfg(unix)]
mod prompts;
mod quoting;
#[cfg(unix)]
mod readme;
#[cfg(unix)]
mod recipes;
mod rotating;
mod run;
mod scan;
#[cfg(unix)]
mod selection;
mod sessions;
#[cfg(unix)]
mod shapes;
#[cfg(unix)]
mod shells;
#[cfg(unix)]
mod state;
mod stores;
mod support;
mod support_bytenite;
#[cfg(unix)]
mod support_harness;
mod support_neo;
mod support_northflank;
mod support_nosana;
mod support_servers;
mod sync;
#[cfg(unix)]
mod terminals;
#[cfg(target_os = "linux")]
mod transcripts;
#[cfg(unix)]
mod trust;
#[cfg(unix)]
mod vault_git;
#[cfg(unix)]
mod vault_readers;
mod versions;
