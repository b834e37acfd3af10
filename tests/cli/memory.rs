//! What other programs can read of a running keyfob, and that what it starts is as it would have
//! been.

use crate::support::home::{BINARY, Home};

const CANARY: &str = "canary-c4n4ry-value-0815";

/// Which of the files of the process `$PPID` can be opened.
const LOOK: &str = "for file in environ mem maps auxv; do \
    (: < /proc/$PPID/$file) 2>/dev/null && echo \"$file is open\"; done; echo looked";

#[test]
fn a_command_under_mask_reads_nothing_of_keyfob() {
    let mut home = Home::new();
    home.set("NEO_API_KEY", CANARY);
    home.keyfob(["set", "A"]).stdin("hunter22").run().ok();
    // That the files can be opened of others.
    let control = home.unprivileged(["run", "--all", "--", "sh", "-c"]);
    let Some(control) = control else {
        eprintln!("left out: a_command_under_mask_reads_nothing_of_keyfob needs setpriv");
        return;
    };
    let below = format!("sh -c '{LOOK}'; true");
    let all = "environ is open\nmem is open\nmaps is open\nauxv is open\nlooked\n";
    control.arg(below).run().ok().stdout_is(all);
    let masked = home.unprivileged(["run", "--all", "--mask", "--", "sh", "-c", LOOK]);
    masked.unwrap().run().ok().stdout_is("looked\n");
}

#[test]
fn a_hook_reads_nothing_of_keyfob() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("hunter22").run().ok();
    let verify = format!("cat > /dev/null; ({LOOK}) >&2");
    let args = ["rotate", "A", "--generate", "hex:8", "--verify", &verify];
    let Some(rotate) = home.unprivileged(args) else {
        eprintln!("left out: a_hook_reads_nothing_of_keyfob needs setpriv");
        return;
    };
    rotate
        .run()
        .ok()
        .stderr_has("looked")
        .stderr_lacks("is open");
}

#[test]
fn what_keyfob_starts_may_leave_core_files_and_keyfob_may_not() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("hunter22").run().ok();
    // It is put back in the moment after the command was started.
    let own = "until grep -q '^Max core file size  *0 ' /proc/$PPID/limits; do sleep 0.01; done; echo none";
    for (mask, below) in [(&[][..], ""), (&["--mask"], own)] {
        let script = format!(
            "ulimit -S -c 7; exec {BINARY} run --all {} -- sh -c \"ulimit -c; {}\"",
            mask.join(""),
            below.replace('$', "\\$"),
        );
        let run = home.program("sh", ["-c", &script]).run();
        run.ok()
            .stdout_is(if mask.is_empty() { "7\n" } else { "7\nnone\n" });
    }
    let verify = "cat > /dev/null; ulimit -c >&2";
    let script =
        format!("ulimit -S -c 7; exec {BINARY} rotate A --generate hex:8 --verify '{verify}'");
    let run = home.program("sh", ["-c", &script]).run();
    run.ok().stderr_has("7\n");
}
