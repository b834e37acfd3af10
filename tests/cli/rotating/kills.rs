//! A rotation over all five providers, killed with SIGKILL at every request and every step of its
//! journal.

use std::sync::{Arc, OnceLock};

use rustix::process::{Pid, Signal, kill_process};

use super::{NEW, ROTATION, World, assert_mixture_is_shown, assert_resumed, assert_undone};
use crate::support::home::BINARY;
use crate::support::servers::Server;
use crate::support::servers::faults::Fault;
use crate::support::trace::can_trace;
use crate::support::wait::until;

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The request was sent, and had no effect.
    Unapplied,
    /// The request had its effect, and was not answered.
    Applied,
}

/// Starts the rotation and kills it at the `n`-th request to `server`; whether there was one.
fn kill_at_request(world: &World, server: &Server, n: usize, moment: Moment) -> bool {
    let process: Arc<OnceLock<Pid>> = Arc::default();
    let fault = match moment {
        Moment::Applied => {
            let process = Arc::clone(&process);
            Fault::after(move || {
                kill_process(*process.wait(), Signal::KILL).expect("a running process");
            })
        }
        Moment::Unapplied => Fault::Hang,
    };
    server.forget_requests();
    server.faults().nth(n, fault);
    let mut running = world.rotation().spawn();
    let pid = i32::try_from(running.pid()).ok().and_then(Pid::from_raw);
    process.set(pid.expect("a process id")).expect("set once");
    until("the request or the end", || {
        !running.is_running() || server.requests().len() >= n
    });
    let run = match moment {
        // It waits for an answer, unless it has ended without that many requests.
        Moment::Unapplied if server.requests().len() >= n => running.kill(),
        _ => running.wait(),
    };
    server.faults().clear();
    if run.signal == Some(9) {
        return true;
    }
    run.ok();
    false
}

/// Kills at every request to every server, has `finish` finish, and counts.
fn kill_at_every_request(moment: Moment, finish: fn(&World, &str)) {
    let mut killed = 0;
    for server in 0..4 {
        for n in 1.. {
            let world = World::with_a_secret();
            let what = format!("server {server}, request {n}, {moment:?}");
            if !kill_at_request(&world, world.servers()[server], n, moment) {
                assert!(world.held().all_new(), "{what}");
                assert!(n > 3, "there are requests to every server");
                break;
            }
            killed += 1;
            assert_mixture_is_shown(&world, &what);
            finish(&world, &what);
        }
    }
    println!("{killed} rotations killed at requests ({moment:?}), 0 failures");
}

#[test]
fn a_kill_before_a_request_has_its_effect_is_resumed() {
    kill_at_every_request(Moment::Unapplied, assert_resumed);
}

#[test]
fn a_kill_before_a_request_has_its_effect_is_undone() {
    kill_at_every_request(Moment::Unapplied, assert_undone);
}

#[test]
fn a_kill_before_an_answer_is_resumed() {
    kill_at_every_request(Moment::Applied, assert_resumed);
}

#[test]
fn a_kill_before_an_answer_is_undone() {
    kill_at_every_request(Moment::Applied, assert_undone);
}

/// What a file's change on the disk is made of: kills at all of them are kills before, between and
/// after every step of the journal, and so between an answer and its record.
const DISK: [&str; 7] = [
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
];

/// Kills `command` at every step on the disk after what `before` did, has `finish` finish, and
/// counts.
fn kill_at_every_disk_step(command: &[&str], before: fn(&World), finish: fn(&World, &str)) {
    let mut killed = 0;
    for call in DISK {
        for n in 1.. {
            let world = World::with_a_secret();
            before(&world);
            let what = format!("{call} {n} of {command:?}");
            let trace = format!("trace={call}");
            let inject = format!("inject={call}:signal=KILL:when={n}");
            let strace = [
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &trace,
                "-e",
                &inject,
                BINARY,
            ];
            let run = world.home.program("strace", strace);
            let run = run.args(command).stdin(NEW).run();
            if run.signal != Some(9) {
                break;
            }
            killed += 1;
            assert_mixture_is_shown(&world, &what);
            finish(&world, &what);
        }
    }
    assert!(killed > 8, "there are steps on the disk");
    println!("{killed} processes killed at steps on the disk, 0 failures");
}

#[test]
fn a_kill_at_any_step_of_the_journal_is_resumed() {
    if can_trace("a_kill_at_any_step_of_the_journal_is_resumed") {
        kill_at_every_disk_step(&ROTATION, |_| (), assert_resumed);
    }
}

#[test]
fn a_kill_at_any_step_of_the_journal_is_undone() {
    if can_trace("a_kill_at_any_step_of_the_journal_is_undone") {
        kill_at_every_disk_step(&ROTATION, |_| (), assert_undone);
    }
}

/// Leaves a rotation open that has written everything that can be read, and one secret that cannot.
fn interrupted(world: &World) {
    let last = &world.neo;
    assert!(kill_at_request(world, last, 3, Moment::Applied));
    assert_eq!(world.open_rotations(), 1);
}

#[test]
fn a_resume_that_is_killed_is_resumed() {
    if can_trace("a_resume_that_is_killed_is_resumed") {
        kill_at_every_disk_step(&["rotate", "--resume"], interrupted, assert_resumed);
    }
}

#[test]
fn a_resume_that_is_killed_is_undone() {
    if can_trace("a_resume_that_is_killed_is_undone") {
        kill_at_every_disk_step(&["rotate", "--resume"], interrupted, assert_undone);
    }
}

#[test]
fn an_undo_that_is_killed_is_undone() {
    if can_trace("an_undo_that_is_killed_is_undone") {
        kill_at_every_disk_step(&["rotate", "--undo"], interrupted, assert_undone);
    }
}

#[test]
fn an_undo_that_is_killed_is_resumed() {
    if can_trace("an_undo_that_is_killed_is_resumed") {
        kill_at_every_disk_step(&["rotate", "--undo"], interrupted, assert_resumed);
    }
}

#[test]
fn an_interrupt_says_what_is_open() {
    let world = World::with_a_secret();
    world.northflank.faults().after_first(1, Fault::Hang);
    let running = world.rotation().spawn();
    until("the second request", || {
        world.northflank.requests().len() >= 2
    });
    running.signal(Signal::INT);
    let run = running.wait();
    assert_eq!(run.signal, Some(2), "{}", run.stderr);
    run.stderr_has("error: interrupted").stderr_has("--resume");
    assert_eq!(world.open_rotations(), 1);
    world.northflank.faults().clear();
    assert_undone(&world, "interrupted");
}
