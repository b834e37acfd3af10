//! Profiles, and variables that can do without their secret.

use crate::support::home::Home;

const FILE: &str = r#"
default_store = "dev"
[stores.dev]
provider = "local"
path = "dev.age"
[stores.web]
provider = "local"
path = "web.age"
[env]
URL = "URL"
HF = { from = "hf", required = false }
LEVEL = { default = "info" }
SIZE = { from = "keyfob://web/size", default = "8" }
[profiles.prod]
default_store = "web"
[profiles.prod.env]
HF = "keyfob://dev/URL"
LEVEL = { default = "warn" }
[profiles.bare]
"#;

fn home() -> Home {
    let mut home = Home::new();
    home.set("KEYFOB_TRUST", "1");
    home.write("keyfob.toml", FILE);
    for (store, name) in [("dev", "URL"), ("web", "URL")] {
        let set = home.keyfob(["set", "-q", "-s", store, name]);
        set.stdin(format!("{name} of {store}")).run().ok();
    }
    home
}

const SHOW: [&str; 4] = ["--", "sh", "-c", "echo $URL, ${HF-unset}, $LEVEL, $SIZE"];

#[test]
fn a_profile_lies_over_the_rest() {
    let mut home = home();
    let run = |home: &Home, args: &[&str]| {
        let run = home.run([&["run"], args, &SHOW].concat());
        run.ok().quiet();
        run.text()
    };
    assert_eq!(run(&home, &[]), "URL of dev, unset, info, 8\n");
    assert_eq!(
        run(&home, &["-P", "prod"]),
        "URL of web, URL of dev, warn, 8\n"
    );
    assert_eq!(
        run(&home, &["--profile", "bare"]),
        "URL of dev, unset, info, 8\n"
    );
    home.set("KEYFOB_PROFILE", "prod");
    assert_eq!(run(&home, &[]), "URL of web, URL of dev, warn, 8\n");
    assert_eq!(run(&home, &["-P", "bare"]), "URL of dev, unset, info, 8\n");
    home.run(["get", "URL"]).ok().stdout_is("URL of web");
    home.run(["get", "-s", "dev", "URL"])
        .ok()
        .stdout_is("URL of dev");
}

#[test]
fn a_profile_that_is_none_is_told_those_there_are() {
    let home = home();
    let run = home.run(["run", "-P", "stage", "--", "true"]);
    run.code(125)
        .stderr_has("there is no profile stage")
        .stderr_has("bare, prod");
    for args in [
        &["get", "-P", "prodd", "URL"][..],
        &["export", "-P", "prodd"],
        &["status", "-P", "prodd"],
    ] {
        home.run(args)
            .code(11)
            .stdout_is("")
            .stderr_has("did you mean prod?");
    }
    home.write("keyfob.toml", "");
    home.run(["list", "-P", "prod"])
        .code(11)
        .stderr_has("no [profiles] table");
    // What needs no configuration does without.
    home.run(["generate", "-P", "prod"]).ok();
}

#[test]
fn what_profiles_decide_is_shown_before_it_counts() {
    let mut home = home();
    home.unset("KEYFOB_TRUST");
    let run = home.run(["trust", "--show"]);
    run.ok()
        .stderr_has("env.URL = \"URL\"\n")
        .stderr_has("env.HF.from = \"hf\"\n")
        .stderr_has("env.HF.required = \"false\"\n")
        .stderr_has("env.LEVEL.default = \"info\"\n")
        .stderr_has("env.SIZE.from = \"keyfob://web/size\"\n")
        .stderr_has("env.SIZE.default = \"8\"\n")
        .stderr_has("profiles.prod.default_store = \"web\"\n")
        .stderr_has("profiles.prod.env.HF = \"keyfob://dev/URL\"\n")
        .stderr_has("profiles.prod.env.LEVEL.default = \"warn\"\n");
    home.run(["run", "-P", "prod", "--", "true"])
        .code(125)
        .stderr_has("trusted");
    // Whether there is such a profile is not known then.
    home.run(["status", "-P", "prod"]).ok();
}

#[test]
fn only_a_missing_secret_is_done_without() {
    let home = home();
    let set = home.keyfob(["set", "-q", "-s", "web", "size"]);
    set.stdin("9").run().ok();
    let run = home.run([&["run"], &SHOW[..]].concat());
    run.ok().stdout_is("URL of dev, unset, info, 9\n");
    // Where it is looked for in vain everything counts but its absence.
    home.write("web.age", "not age");
    home.run(["run", "--", "true"])
        .code(125)
        .stderr_has("no vault");
    // A vault that nobody has made yet has no secrets.
    std::fs::remove_file(home.work().join("web.age")).unwrap();
    home.write(
        "keyfob.toml",
        "[stores.none]\nprovider = \"local\"\npath = \"none.age\"\n[env]\nX = { from = \"keyfob://none/x\", default = \"d\" }\n",
    );
    home.run(["run", "--", "sh", "-c", "echo $X"])
        .ok()
        .stdout_is("d\n");
    home.run(["export", "--format", "nosana"])
        .code(2)
        .stderr_has("X is a value in a file");
    // What programs obey stays refused, whoever says its value.
    home.write(
        "keyfob.toml",
        "[env]\nLD_PRELOAD = { default = \"/x.so\" }\n",
    );
    home.run(["run", "--", "true"])
        .code(125)
        .stderr_has("LD_PRELOAD");
}
