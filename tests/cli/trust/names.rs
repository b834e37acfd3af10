//! Secrets called like something that decides what programs run.

use crate::support::home::Home;

#[test]
fn all_of_them_are_named_at_once_and_e_holds_beside_the_rest() {
    let home = Home::new();
    for name in [
        "LD_PRELOAD",
        "git_ok",
        "GIT_DIR",
        "http_proxy",
        "CARGO_REGISTRY_TOKEN",
    ] {
        home.keyfob(["set", name]).stdin("v").run().ok();
    }
    for (command, code) in [(&["export"][..], 2), (&["run", "--", "true"], 125)] {
        home.run(command)
            .code(code)
            .stdout_is("")
            .stderr_has("secrets named GIT_DIR, LD_PRELOAD, http_proxy would")
            .stderr_has("--except GIT_DIR,LD_PRELOAD,http_proxy leaves them out");
    }
    home.run(["export", "--except", "GIT_DIR,LD_PRELOAD,http_proxy"])
        .ok()
        .stdout_is("CARGO_REGISTRY_TOKEN=v\ngit_ok=v\n");
    let mapped = ["-e", "LD_PRELOAD=LD_PRELOAD", "-e", "GIT_DIR=GIT_DIR"];
    for whole in [
        &["--all"][..],
        &["--only", "LD_PRELOAD,GIT_DIR,git_ok"],
        &["--prefix", ""],
    ] {
        home.keyfob(["export", "--except", "http_proxy"])
            .args(whole)
            .args(mapped)
            .run()
            .ok()
            .stdout_has("LD_PRELOAD=v\n")
            .stdout_has("GIT_DIR=v\n");
    }
    home.keyfob(["export", "--all"])
        .args(mapped)
        .run()
        .code(2)
        .stderr_has("a secret named http_proxy would")
        .stderr_has("-e http_proxy=http_proxy");
    // Neither a file of the user's nor a configuration brings them.
    home.write("x.env", "NODE_OPTIONS=x\nPS1=keyfob://local/git_ok\n");
    home.run(["export", "--env-file", "x.env"])
        .code(2)
        .stderr_has("NODE_OPTIONS, PS1");
    home.write("keyfob.toml", "[env]\nKEYFOB_TRUST = \"git_ok\"\n");
    home.run(["trust", "-y"]).ok();
    home.run(["export"]).code(2).stderr_has("KEYFOB_TRUST");
}
