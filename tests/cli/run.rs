//! `keyfob run`: what the command sees, and how it ends.

use crate::support::home::Home;

fn home_with(secrets: &[(&str, &str)]) -> Home {
    let home = Home::new();
    for (name, value) in secrets {
        home.keyfob(["set", "--", name]).stdin(*value).run().ok();
    }
    home
}

#[test]
fn the_command_gets_the_secrets_and_none_of_keyfob_s_credentials() {
    let home = home_with(&[("A", "1"), ("B", "two words")]);
    let run = home
        .keyfob(["run", "--", "env"])
        .env("KEYFOB_NOSANA_KEYPAIR", "canary")
        .env("KEYFOB_MY_STORE_KEYPAIR", "canary")
        .env("KEYFOB_FALLBACK_KEY", "canary")
        .env("KEYFOB_LOCAL_IDENTITY", home.data().join("identity.txt"))
        .env("INHERITED", "yes")
        .run();
    run.ok()
        .stdout_has("A=1\n")
        .stdout_has("B=two words\n")
        .stdout_has("INHERITED=yes\n")
        .stdout_lacks("canary")
        .stdout_lacks("IDENTITY");
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_that_no_variable_holds_is_named_before_the_command_starts() {
    let home = home_with(&[("SMALL", "1"), ("LARGE", &"x".repeat(140_000))]);
    for mask in [&["--mask"][..], &[]] {
        let started = home.work().join("started");
        let mut run = vec!["run"];
        run.extend(mask);
        run.extend(["--only", "SMALL,LARGE"]);
        run.extend(["--", "touch", started.to_str().unwrap()]);
        let told = home.run(&run);
        told.code(125)
            .stderr_has("LARGE cannot be an environment variable: it is longer than the 128 KiB")
            .stderr_has("--except");
        assert!(!started.exists());
    }
    let run = home.run(["run", "--except", "LARGE", "--", "printenv", "SMALL"]);
    run.ok().stdout_is("1\n");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_like_the_command_itself() {
    let home = home_with(&[("A", "1")]);
    let run = home.run(["run", "--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!((run.code, run.signal), (None, Some(15)));
}
