//! The recipes of `docs/ci.md`, taken out of it and run: what each service would run
//! itself is run here, in the shells that it would use, against strict servers. What needs the
//! service is left out by name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::export::runner_reads;
use crate::nosana::set_up;
use crate::shells::{have, with_keyfob_on_the_path};
use crate::support::home::{BINARY, Home, set_mode};
use crate::support::run::Run;
use crate::support::servers::faults::Fault;
use crate::support::servers::northflank::API_TOKEN;
use crate::support::servers::openbao::{Granted, Policy};
use crate::support::servers::{Answer, Listen, Northflank, Nosana, OpenBao, Request, Server};
use crate::support::solana::Keypair;

type Variables = BTreeMap<String, String>;

const URL: &str = "postgres://app:c4n4ry@db.internal/app";
/// Several lines, with what a runner reads as escapes and what a shell acts on.
const TOKEN: &str = "first-line 100%25 $(touch evil)\r\nsecond-line 'of' \"it\"\n";

/// What ends a line for a runner.
const BREAKS: [char; 2] = ['\r', '\n'];

/// What age-keygen prints.
const AGE_KEY: &str = "# created: 2024-01-02T03:04:05Z
# public key: age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa
AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33
";

/// The text of the fenced block whose first line begins with `# title`.
fn block(title: &str) -> String {
    let blocks = blocks();
    let mut found = blocks.iter().filter(|block| named(block, title));
    let block = found.next().expect("a block of that name");
    assert!(found.next().is_none(), "two blocks are named {title}");
    block.clone()
}

fn named(block: &str, title: &str) -> bool {
    let rest = block
        .strip_prefix("# ")
        .and_then(|rest| rest.strip_prefix(title));
    rest.is_some_and(|rest| rest.starts_with(['\n', ',']))
}

/// All fenced blocks of the section.
fn blocks() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci.md");
    let section = std::fs::read_to_string(path).unwrap();
    let parts: Vec<&str> = section.split("\n```").collect();
    assert!(parts.len() % 2 == 1, "a block is not closed");
    let blocks = parts.iter().skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').unwrap().1.to_owned() + "\n")
        .collect()
}

fn yaml(title: &str) -> Value {
    serde_saphyr::from_str(&block(title)).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// The variables of an `env` or `variables` block, and none where there is no such block.
fn variables(block: &Value) -> Variables {
    let entries = block.as_object().into_iter().flatten();
    entries
        .map(|(name, value)| (name.clone(), text(value).to_owned()))
        .collect()
}

/// Writes a program that a recipe runs: it keeps its environment in `NAME.env` and shows all of it.
fn program(home: &Home, name: &str) {
    let path = home.write(
        name,
        format!("#!/bin/sh\nenv -0 > {name}.env\necho \"$0 $*\"\nenv\nenv >&2\n"),
    );
    set_mode(&path, 0o755);
}

/// The environment that a program of [`program`] was run in.
fn environment_of(home: &Home, name: &str) -> Variables {
    let bytes = home.read(format!("{name}.env"));
    let entries = bytes
        .split(|byte| *byte == 0)
        .filter(|part| !part.is_empty());
    entries
        .map(|entry| {
            let (name, value) = std::str::from_utf8(entry).unwrap().split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn was_run(home: &Home, name: &str) -> bool {
    home.work().join(format!("{name}.env")).exists()
}

fn left_out(what: &str) {
    eprintln!("left out: {what}");
}

#[test]
fn every_block_of_the_section_is_run_here() {
    let titles = [
        ".github/workflows/deploy.yml",
        "keyfob.toml",
        ".gitlab-ci.yml",
        ".github/workflows/release.yml",
        ".gitlab/release.yml",
        "beside the job's definition",
        ".nosana-ci.yml",
        "deploy.sh",
        "test.sh",
    ];
    for block in blocks() {
        let known = titles.iter().any(|title| named(&block, title));
        assert!(known, "no test runs\n{block}");
    }
    for title in titles {
        block(title);
    }
}

/// What a runner of GitHub Actions shows and keeps from step to step.
#[derive(Default)]
struct Runner {
    env: Variables,
    masks: Vec<String>,
    log: String,
}

impl Runner {
    /// Runs a script as a step with these variables of its own.
    fn step(&mut self, home: &Home, script: &str, own: &Variables) -> Run {
        let step = home.write("step.sh", script);
        // Each step has a file of its own, which is read when it has ended.
        let file = home.write("github_env", "");
        let mut run = home.program("bash", ["-e"]).arg(&step);
        for (name, value) in self.env.iter().chain(own) {
            run = run.env(name, value);
        }
        let run = run
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_ENV", &file);
        let run = with_keyfob_on_the_path(run).run();
        let stdout = run.text();
        // It ends lines at either break.
        let lines = stdout.split(BREAKS).chain(run.stderr.split(BREAKS));
        for line in lines {
            self.show(line);
        }
        let written = runner_reads(&String::from_utf8(home.read("github_env")).unwrap());
        self.env.extend(written);
        run
    }

    /// Takes a line of output, in the order it comes in.
    fn show(&mut self, line: &str) {
        if let Some(mask) = line.strip_prefix("::add-mask::") {
            let mask = mask.replace("%0D", "\r").replace("%0A", "\n");
            self.mask(&mask.replace("%25", "%"));
            return;
        }
        let mut line = line.to_owned();
        for mask in &self.masks {
            line = line.replace(mask, "***");
        }
        self.log.push_str(&line);
        self.log.push('\n');
    }

    fn mask(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.masks.push(text.to_owned());
        }
    }

    /// `text` with the job's secrets in the place of their expressions.
    fn evaluated(&self, text: &str, secrets: &Variables) -> String {
        let mut text = text.to_owned();
        for (name, value) in secrets {
            text = text.replace(&format!("${{{{ secrets.{name} }}}}"), value);
        }
        assert!(!text.contains("${{"), "{text}");
        text
    }
}

#[test]
fn github_actions() {
    if !have("bash", "github_actions") {
        return;
    }
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let mut home = Home::new();
    home.set("KEYFOB_NOSANA_BASE_URL", server.url());
    server.put(&keypair.address(), "DATABASE_URL", URL);
    server.put(&keypair.address(), "API_TOKEN", TOKEN);
    server.put(&keypair.address(), "OTHER", "not-asked-for");
    program(&home, "migrate");
    program(&home, "deploy");

    let workflow = yaml(".github/workflows/deploy.yml");
    let job = &workflow["jobs"]["deploy"];
    let secrets = Variables::from([("SOLANA_KEYPAIR".to_owned(), keypair.json())]);
    let mut runner = Runner {
        env: variables(&job["env"]),
        ..Runner::default()
    };
    for secret in secrets.values() {
        runner.mask(secret);
    }
    let mut shown = String::new();
    let mut skipped = Vec::new();
    for step in job["steps"].as_array().unwrap() {
        if let Some(action) = step["uses"].as_str() {
            left_out(&format!("the action {action}, which GitHub has"));
            skipped.push(action.split('@').next().unwrap());
            continue;
        }
        let script = text(&step["run"]);
        let own = variables(&step["env"]);
        let own = own
            .iter()
            .map(|(name, value)| (name.clone(), runner.evaluated(value, &secrets)))
            .collect();
        let run = runner.step(&home, script, &own);
        run.ok();
        shown.push_str(&run.text());
    }
    assert_eq!(skipped, ["actions/checkout", "keyfob/keyfob"]);

    let migrate = environment_of(&home, "migrate");
    assert_eq!(migrate["DATABASE_URL"], URL);
    assert_eq!(migrate.get("API_TOKEN"), None);
    assert_eq!(migrate.get("KEYFOB_NOSANA_KEYPAIR"), None);
    let deploy = environment_of(&home, "deploy");
    assert_eq!(deploy["API_TOKEN"], TOKEN);
    assert_eq!(deploy.get("DATABASE_URL"), None);
    assert_eq!(deploy.get("KEYFOB_NOSANA_KEYPAIR"), None);
    // The last step showed the value, and the job's log has stars there.
    assert!(shown.contains(TOKEN));
    for secret in [URL, "not-asked-for", "touch evil", "second-line"] {
        assert!(!runner.log.contains(secret), "{}", runner.log);
    }
    assert!(runner.log.contains("API_TOKEN=***\n"), "{}", runner.log);
    assert!(runner.log.contains("DATABASE_URL=***\n"), "{}", runner.log);
}

#[test]
fn gitlab_ci() {
    let server = Northflank::start();
    server
        .groups()
        .put_variables("api-env", json!({"DATABASE_URL": URL, "OTHER": "o"}));
    let pipeline = yaml(".gitlab-ci.yml");
    let job = &pipeline["deploy"];
    left_out("the job's image, rules and cache, which GitLab sees to");
    let lines = |part: &str| -> Vec<String> {
        let lines = job[part].as_array().unwrap();
        lines.iter().map(|line| text(line).to_owned()).collect()
    };
    let script = [lines("before_script"), lines("script")]
        .concat()
        .join("\n");
    for shell in [&["bash", "-eo", "pipefail"][..], &["sh", "-eu"]] {
        if !have(shell[0], "a part of gitlab_ci") {
            continue;
        }
        let mut home = Home::new();
        home.set("KEYFOB_WEB_BASE_URL", server.url());
        home.set("NORTHFLANK_API_TOKEN", API_TOKEN);
        home.set("CI", "true");
        home.write("keyfob.toml", block("keyfob.toml"));
        program(&home, "deploy");
        // The cache has the binary.
        home.write(".keyfob/bin/.keep", "");
        let cached = home.work().join(".keyfob/bin/keyfob");
        std::os::unix::fs::symlink(BINARY, cached).unwrap();
        let run = || home.program(shell[0], &shell[1..]).args(["-c", &script]);
        run().run().code(125).stderr_has("KEYFOB_TRUST=1");
        assert!(!was_run(&home, "deploy"), "the file is not trusted yet");
        let mut trusting = run();
        for (name, value) in variables(&job["variables"]) {
            trusting = trusting.env(name, value);
        }
        let run = trusting.run();
        run.ok().stdout_has("DATABASE_URL=***\n").lacks(URL);
        let deploy = environment_of(&home, "deploy");
        assert_eq!(deploy["DATABASE_URL"], URL);
        assert_eq!(deploy.get("OTHER"), None);
        assert_eq!(deploy.get("NORTHFLANK_API_TOKEN"), None);
    }
}

/// What stands in the place of the server's address in the recipes.
const BAO: &str = "https://bao.example:8200";

const ID_TOKEN: &str = "eyJ.id-token-of-the-job.c2ln";

/// A server that takes the id token for the role `ci`, and these variables with its address.
fn bao(mut variables: Variables) -> (OpenBao, Variables) {
    let server = OpenBao::start();
    server.put("ci/app", "TOKEN", TOKEN);
    server.put("ci/app", "OTHER", "not-asked-for");
    let may = Policy::none().allowing("secret/data/ci/*", &["read"]);
    server.methods(|methods| {
        let role = (
            Some("ci".to_owned()),
            ID_TOKEN.to_owned(),
            Granted::new(may),
        );
        methods.jwt.insert("jwt".to_owned(), vec![role]);
    });
    assert_eq!(variables["BAO_ADDR"], BAO);
    variables.insert("BAO_ADDR".to_owned(), server.url());
    (server, variables)
}

/// Checks what the program saw of the job's secrets.
fn saw_the_token_alone(home: &Home, server: &OpenBao, run: &Run) {
    run.ok().lacks(ID_TOKEN).lacks("not-asked-for");
    let deploy = environment_of(home, "deploy");
    assert_eq!(deploy["TOKEN"], TOKEN);
    for name in ["OTHER", "VAULT_ID_TOKEN", "BAO_TOKEN"] {
        assert_eq!(deploy.get(name), None, "{name}");
    }
    assert_eq!(server.logins(), 1);
}

#[test]
fn github_signs_in_with_its_id_token() {
    if !have("bash", "github_signs_in_with_its_id_token") {
        return;
    }
    let workflow = yaml(".github/workflows/release.yml");
    // Without it there is nothing to ask for.
    assert_eq!(workflow["permissions"]["id-token"], "write");
    let job = &workflow["jobs"]["release"];
    let runner = Server::start(Listen::Http, |request: &Request| {
        let asked = request.parameter("audience").as_deref() == Some("https://bao.example")
            && request.header("authorization") == Some("Bearer request-token");
        match asked {
            true => Answer::json(200, &json!({"value": ID_TOKEN})),
            false => Answer::status(401),
        }
    });
    let (server, env) = bao(variables(&job["env"]));
    let home = Home::new();
    program(&home, "deploy");
    let url = format!("{}/token?api-version=2.0", runner.url());
    let request_token = "request-token".to_owned();
    let given = Variables::from([
        ("ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), url),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), request_token),
    ]);
    let mut job_of = Runner {
        env,
        ..Runner::default()
    };
    for step in job["steps"].as_array().unwrap() {
        let run = job_of.step(&home, text(&step["run"]), &given);
        saw_the_token_alone(&home, &server, &run);
    }
}

#[test]
fn gitlab_signs_in_with_its_id_token() {
    if !have("bash", "gitlab_signs_in_with_its_id_token") {
        return;
    }
    let job = &yaml(".gitlab/release.yml")["release"];
    let (server, variables) = bao(variables(&job["variables"]));
    let home = Home::new();
    program(&home, "deploy");
    let tokens = job["id_tokens"].as_object().unwrap();
    for line in job["script"].as_array().unwrap() {
        let mut run = home.program("bash", ["-eo", "pipefail", "-c", text(line)]);
        for (name, value) in &variables {
            run = run.env(name, value);
        }
        for name in tokens.keys() {
            run = run.env(name, ID_TOKEN);
        }
        let run = with_keyfob_on_the_path(run.env("CI", "true")).run();
        saw_the_token_alone(&home, &server, &run);
    }
}

/// What stands in the place of a server's address in the recipe, where it is one that Nosana has.
const MANAGER: &str = "https://secrets.nosana.ci";

#[test]
fn nosana() {
    let (server, mut home, keypair) = set_up();
    home.unset("KEYFOB_STORE");
    server.put(&keypair.address(), "hf-token", TOKEN);
    server.put(&keypair.address(), "northflank-token", API_TOKEN);
    let northflank = Northflank::start();
    northflank
        .groups()
        .put_variables("api-env", json!({"TOKEN": URL}));
    home.set("KEYFOB_NORTHFLANK_BASE_URL", northflank.url());
    for name in ["train", "publish"] {
        program(&home, name);
    }

    // What the command prints is what the pipeline has.
    let command = block("beside the job's definition");
    let printed = with_keyfob_on_the_path(home.program("sh", ["-euc", &command])).run();
    let printed = printed.ok().quiet().text();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&printed).unwrap();
    assert_eq!(
        documents[0],
        json!({"state": {"nosana/secrets": ["hf-token"]}})
    );
    let pipeline = yaml(".nosana-ci.yml");
    let jobs = pipeline["jobs"].as_array().unwrap();
    let train = &jobs[0]["environment"];
    let expected = printed.replace(&server.url(), MANAGER);
    let expected: Vec<Value> = serde_saphyr::from_multiple(&expected).unwrap();
    assert_eq!(expected[1]["environment"], *train);

    left_out("the node and the image, which are Nosana's");
    for job in jobs {
        // As the node does: secrets of its Secret Manager go where the environment says.
        let mut environment = Variables::new();
        for (variable, entry) in job["environment"].as_object().unwrap() {
            let value = match entry {
                Value::Object(entry) => {
                    let fields: Vec<&String> = entry.keys().collect();
                    assert_eq!(fields, ["endpoint", "type", "value"]);
                    assert_eq!(entry["type"], "nosana/secret");
                    assert_eq!(entry["endpoint"], MANAGER);
                    let secrets = server.secrets(&keypair.address());
                    text(&secrets[text(&entry["value"])]).to_owned()
                }
                plain => text(plain).to_owned(),
            };
            environment.insert(variable.clone(), value);
        }
        for command in job["commands"].as_array().unwrap() {
            let mut run = home.program("sh", ["-c", text(command)]);
            run = run.env_remove("KEYFOB_NOSANA_KEYPAIR");
            for (name, value) in &environment {
                run = run.env(name, value);
            }
            let run = with_keyfob_on_the_path(run).run();
            run.ok().lacks(URL).lacks(API_TOKEN);
        }
    }
    assert_eq!(environment_of(&home, "train")["HF_TOKEN"], TOKEN);
    let publish = environment_of(&home, "publish");
    assert_eq!(publish["TOKEN"], URL);
    assert_eq!(publish.get("NORTHFLANK_API_TOKEN"), None);
}

#[test]
fn any_shell() {
    let script = block("deploy.sh");
    for shell in ["sh", "bash", "dash", "zsh", "ksh"] {
        if !have(shell, "a part of any_shell") {
            continue;
        }
        let (server, home, keypair) = set_up();
        server.put(&keypair.address(), "DATABASE_URL", URL);
        server.put(&keypair.address(), "API_TOKEN", TOKEN);
        server.put(&keypair.address(), "REGION", "eu west");
        program(&home, "migrate");
        program(&home, "deploy");
        let run = || with_keyfob_on_the_path(home.program(shell, ["-c", &script])).run();
        let good = run();
        good.ok().stdout_has("./deploy eu west\n").lacks(URL);
        assert_eq!(environment_of(&home, "migrate")["DATABASE_URL"], URL);
        let deploy = environment_of(&home, "deploy");
        assert_eq!(deploy["API_TOKEN"], TOKEN);
        assert_eq!(deploy.get("DATABASE_URL"), None);
        assert_eq!(deploy.get("KEYFOB_NOSANA_KEYPAIR"), None);
        assert!(!home.work().join("evil").exists());

        // The second time that the values are asked for, and then the first.
        for (nth, code, migrated) in [(2, 4, true), (1, 125, false)] {
            for name in ["migrate", "deploy"] {
                let _ = std::fs::remove_file(home.work().join(format!("{name}.env")));
            }
            server.faults().clear();
            server
                .faults()
                .nth_on(nth, "POST", "/login", Fault::status(401));
            run().code(code);
            assert_eq!(was_run(&home, "migrate"), migrated);
            assert!(!was_run(&home, "deploy"));
        }
    }
}

#[test]
fn when_the_backend_is_down() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "DATABASE_URL", URL);
    // What it runs, in the place of make.
    program(&home, "make");
    let script = format!("PATH=.:$PATH\n{}", block("test.sh"));
    let run = || {
        let run = home
            .program("sh", ["-euc", &script])
            .env("KEYFOB_FALLBACK_KEY", AGE_KEY);
        with_keyfob_on_the_path(run).run()
    };
    run()
        .ok()
        .stdout_has("make test\n")
        .stderr_lacks("snapshot");
    assert_eq!(environment_of(&home, "make")["DATABASE_URL"], URL);
    std::fs::remove_file(home.work().join("make.env")).unwrap();
    // What the CI system's cache keeps gives nothing away.
    let kept = home.read(".cache/secrets.age");
    assert!(!kept.windows(6).any(|part| part == b"c4n4ry"));

    server.stop();
    run().ok().stderr_has("snapshot");
    let make = environment_of(&home, "make");
    assert_eq!(make["DATABASE_URL"], URL);
    assert!(!make.values().any(|value| value.contains("AGE-SECRET-KEY-")));
    std::fs::remove_file(home.work().join("make.env")).unwrap();
    std::fs::remove_dir_all(home.work().join(".cache")).unwrap();
    run().code(125);
    assert!(!was_run(&home, "make"));
}
