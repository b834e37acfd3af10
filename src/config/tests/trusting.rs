//! One test a rule of trust.

use std::fs;
#[cfg(unix)]
use std::path::Path;

use super::World;
use crate::config::Files;
use crate::config::review::{Decision, State, list, review};
use crate::config::trust::TrustRecord;
use crate::words::error::Kind;

const TEXT: &str = "[stores.web]\nprovider = 'northflank'\nproject = 'shop'\nbase_url = 'https://nf.example.com'\n";

const NEW: &str = "/home/project/keyfob.toml has not been trusted";
const CHANGED: &str = "/home/project/keyfob.toml has changed since it was trusted";

/// The states of all files that were trusted.
fn states(world: &World) -> Vec<State> {
    let listed = world.with(list).unwrap();
    listed.into_iter().map(|listed| listed.state).collect()
}

#[test]
fn nothing_of_a_project_s_file_counts_before_it_is_trusted() {
    let world = World::distrusting();
    world.user("[stores.web]\nprovider = 'northflank'\nproject = 'mine'");
    let text = format!(
        "default_store = 'web'\n{TEXT}[stores.local]\npath = 'v.age'\n[env]\nA = 'a'\n[rotation.a]\nevery = '1d'\n"
    );
    let file = world.project(&text);
    let config = world.load().unwrap();
    assert_eq!(config.default_store().unwrap(), None);
    assert_eq!(world.store("web").text("project"), Some("mine"));
    assert_eq!(world.store("web").text("base_url"), None);
    assert_eq!(world.store("local").path("path"), None);
    assert!(config.env_table().is_empty() && config.rotations().is_empty());
    assert_eq!(config.files().len(), 1);
    let error = config.left_out().unwrap().error();
    assert_eq!(error.kind(), Kind::Untrusted);
    assert_eq!(world.message(&error), NEW);
    let hint = error.hint_text().unwrap();
    assert!(hint.starts_with("keyfob trust "), "{hint}");

    world.trust(&file);
    let config = world.load().unwrap();
    assert_eq!(config.left_out(), None);
    assert_eq!(world.store("web").text("project"), Some("shop"));
    assert_eq!((config.env_table().len(), config.rotations().len()), (1, 1));
}

#[test]
fn what_is_not_trusted_is_not_even_parsed() {
    let world = World::distrusting();
    world.project("this is no TOML");
    assert_eq!(world.left_out().as_deref(), Some(NEW));
}

#[test]
fn a_change_by_others_ends_trust() {
    let world = World::distrusting();
    let project = world.project(TEXT);
    world.trust(&project);
    assert_eq!(states(&world), [State::Trusted]);
    world.project(&TEXT.replace("nf.", "evil."));
    assert_eq!(world.left_out().as_deref(), Some(CHANGED));
    assert!(matches!(states(&world)[..], [State::Untrusted(_)]));
    world.project(TEXT);
    assert_eq!(world.left_out(), None);
    fs::remove_file(&project).unwrap();
    assert_eq!(states(&world), [State::Missing]);
}

#[test]
fn the_files_that_it_names_are_part_of_what_is_trusted() {
    let world = World::distrusting();
    let project = world.project(
        "[stores.web]\nprovider = 'northflank'\nca_file = 'ca.pem'\napi_token_command = 'sh tools/token.sh'\n\
         [stores.gpu]\nprovider = 'nosana'\nkeypair = 'id.json'\n\
         [stores.dev]\nprovider = 'local'\npath = 'v.age'\n\
         [rotation.a]\ncommand = './mint'\nverify = './check.sh'\non_rollback = './back.sh'\n",
    );
    let files = [
        "ca.pem",
        "tools/token.sh",
        "id.json",
        "./mint",
        "./check.sh",
        "./back.sh",
    ];
    for file in &files[1..] {
        world.write(file, "1");
    }
    let found = world.with(|options| review(options, &project)).unwrap();
    let mut sorted = files;
    sorted.sort_unstable();
    assert_eq!(found.files, sorted);
    world.trust(&project);
    assert_eq!(world.left_out(), None);
    // A vault is data, which changes all the time.
    world.write("v.age", "1");
    assert_eq!(world.left_out(), None);
    for file in files {
        let before = fs::read(world.cwd.join(file)).ok();
        let path = world.write(file, "2");
        let message = world.left_out().unwrap();
        let name = file.trim_start_matches("./");
        assert!(
            message.contains(name) && message.contains("has changed"),
            "{message}"
        );
        match before {
            Some(before) => fs::write(path, before).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        assert_eq!(world.left_out(), None, "{file}");
    }
}

#[test]
fn what_earlier_versions_trusted_stays_so_unless_it_names_files() {
    let world = World::distrusting();
    let project = world.project(TEXT);
    let record = |text: &str| {
        let sha256 = crate::config::trust::digest(text.as_bytes());
        let path = project.to_str().unwrap();
        let record = serde_json::json!({ "version": 1, "files": { path: sha256 } });
        world.write(
            world.folders.config.join("trusted.json"),
            &record.to_string(),
        );
    };
    record(TEXT);
    assert_eq!(world.left_out(), None);
    let text = format!("{TEXT}ca_file = 'ca.pem'\n");
    world.project(&text);
    record(&text);
    let message = world.left_out().unwrap();
    assert!(
        message.ends_with("keyfob.toml names /home/project/ca.pem, which was not trusted with it"),
        "{message}"
    );
    // Its form changes with the next thing that is trusted, and nothing is lost.
    let other = world.write("other/keyfob.toml", "");
    world.trust(&other);
    world.project(TEXT);
    record(TEXT);
    world.trust(&other);
    assert_eq!(world.left_out(), None);
}

#[test]
fn the_same_content_elsewhere_is_not_trusted() {
    let mut world = World::distrusting();
    let project = world.project(TEXT);
    world.trust(&project);
    world.write(world.home("clone/keyfob.toml"), TEXT);
    world.cwd = world.home("clone");
    assert!(world.left_out().is_some());
}

#[cfg(unix)]
#[test]
fn a_link_is_what_it_leads_to() {
    let mut world = World::distrusting();
    let project = world.project(&format!("{TEXT}ca_file = 'ca.pem'\n"));
    world.trust(&project);
    let clone = world.home("clone");
    fs::create_dir(&clone).unwrap();
    std::os::unix::fs::symlink(&project, clone.join("keyfob.toml")).unwrap();
    // Another one, to a file that was not trusted.
    let other = world.write(world.home("other.toml"), TEXT);
    let linked = world.home("linked");
    fs::create_dir(&linked).unwrap();
    std::os::unix::fs::symlink(other, linked.join("keyfob.toml")).unwrap();
    world.cwd = clone;
    assert_eq!(world.left_out(), None);
    assert_eq!(
        world.store("web").path("ca_file"),
        Some(world.home("project/ca.pem").as_path())
    );
    world.cwd = linked;
    assert!(world.left_out().unwrap().starts_with("/home/other.toml "));
}

#[test]
fn trust_can_be_revoked() {
    let world = World::distrusting();
    let project = world.project(TEXT);
    let record = TrustRecord::new(&world.folders);
    assert!(!record.revoke(&project).unwrap());
    world.trust(&project);
    assert!(record.revoke(&project).unwrap());
    assert_eq!(world.left_out().as_deref(), Some(NEW));
    assert!(states(&world).is_empty());
}

#[test]
fn the_variable_trusts_for_this_process_alone() {
    let mut world = World::distrusting();
    world.project(TEXT);
    world.var("KEYFOB_TRUST", "1");
    assert_eq!(world.left_out(), None);
    world.vars.pop();
    world.var("KEYFOB_TRUST", "0");
    assert!(world.left_out().is_some());
}

#[test]
fn a_named_file_is_trusted() {
    let mut world = World::distrusting();
    world.project(TEXT);
    world.files = Files::Named("keyfob.toml".into());
    assert_eq!(world.left_out(), None);
    assert_eq!(world.store("web").text("project"), Some("shop"));
}

#[test]
fn a_keyfob_toml_in_keyfob_s_own_folder_is_a_checkout_s() {
    let mut world = World::distrusting();
    world.cwd = world.folders.config.clone();
    world.project(TEXT);
    assert!(world.left_out().is_some());
    // Nor is anything else there taken for one.
    fs::remove_file(world.cwd.join("keyfob.toml")).unwrap();
    let other = world.write(world.home("x/keyfob.toml"), "");
    world.trust(&other);
    #[cfg(unix)]
    {
        let record = world.folders.config.join("trusted.json");
        world.cwd = world.home("y");
        fs::create_dir(&world.cwd).unwrap();
        std::os::unix::fs::symlink(record, world.cwd.join("keyfob.toml")).unwrap();
        assert!(world.left_out().is_some());
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_that_everybody_can_write_ends_trust_whatever_is_remembered() {
        let world = World::distrusting();
        let project = world.project(TEXT);
        world.trust(&project);
        for (mode, counts) in [
            (0o777, false),
            (0o1777, false),
            (0o1703, false),
            (0o775, true),
        ] {
            chmod(&world.cwd, mode);
            assert_eq!(world.left_out().is_none(), counts, "{mode:o}");
        }
        chmod(&world.cwd, 0o1777);
        let message = world.left_out().unwrap();
        assert_eq!(
            message,
            "everybody can write to /home/project, the folder of /home/project/keyfob.toml"
        );
        let found = world.with(|options| review(options, &project)).unwrap();
        let error = found.allow(&TrustRecord::new(&world.folders)).unwrap_err();
        assert_eq!(error.kind(), Kind::Untrusted);
        assert!(matches!(states(&world)[..], [State::Untrusted(_)]));
        // A link elsewhere does not make it another file.
        let clone = world.home("clone");
        fs::create_dir(&clone).unwrap();
        std::os::unix::fs::symlink(&project, clone.join("keyfob.toml")).unwrap();
        let mut world = world;
        world.cwd = clone;
        assert_eq!(world.left_out().as_deref(), Some(message.as_str()));
    }

    #[test]
    fn a_file_of_another_user_s_does_not_count() {
        // Only root may give files away; the folder's own owner does not matter.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let mut world = World::distrusting();
        let project = world.project(TEXT);
        world.trust(&project);
        std::os::unix::fs::chown(&world.cwd, Some(65534), None).unwrap();
        assert_eq!(world.left_out(), None);
        std::os::unix::fs::chown(&project, Some(65534), None).unwrap();
        assert_eq!(
            world.left_out().as_deref(),
            Some("/home/project/keyfob.toml belongs to the user 65534")
        );
        world.var("KEYFOB_TRUST", "1");
        assert_eq!(world.left_out(), None);
    }

    #[test]
    fn a_pipe_in_its_place_is_refused_and_not_waited_for() {
        let world = World::distrusting();
        let pipe = world.cwd.join("keyfob.toml");
        let made = std::process::Command::new("mkfifo").arg(pipe).status();
        assert!(made.unwrap().success());
        let error = world.load().unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.message().ends_with("it is not a regular file"));
    }

    #[test]
    fn the_user_s_own_files_are_refused_where_others_can_write_them() {
        let world = World::distrusting();
        let user = world.user(TEXT);
        let project = world.project("");
        world.trust(&project);
        let record = world.folders.config.join("trusted.json");
        for path in [user.as_path(), &record, &world.folders.config] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            chmod(path, mode | 0o002);
            let error = world.load().unwrap_err();
            assert_eq!(error.kind(), Kind::Config);
            let hint = error.hint_text().unwrap();
            assert!(hint.starts_with("chmod o-w /"), "{hint}");
            chmod(path, mode | 0o020);
            assert!(world.load().is_ok(), "a group may");
            chmod(path, mode);
        }
        if rustix::process::geteuid().is_root() {
            for path in [user, record] {
                std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
                let error = world.load().unwrap_err();
                assert_eq!(error.kind(), Kind::Config);
                assert!(error.hint_text().unwrap().starts_with("chown 0 /"));
                std::os::unix::fs::chown(&path, Some(0), None).unwrap();
            }
            // As under sudo, which may keep the home folder.
            for path in [
                &world.folders.config,
                &world.folders.config.join("config.toml"),
            ] {
                std::os::unix::fs::chown(path, Some(65534), None).unwrap();
            }
            assert!(world.load().is_ok());
        }
    }

    #[test]
    fn the_record_is_the_users_alone() {
        let world = World::distrusting();
        world.trust(&world.project(TEXT));
        let record = fs::metadata(world.folders.config.join("trusted.json")).unwrap();
        assert_eq!(record.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_review_shows_all_that_it_decides() {
    let world = World::distrusting();
    let project = world.project(&format!(
        "default_store = 'web'\n[env]\nDB = 'keyfob://web/a%20b'\n{TEXT}[stores.local]\nprovider = 'neo'\napi_key_command = 'pass x'\n[stores.dev]\nprovider = 'local'\npath = '~/.bash_profile'\nrecipients = ['age1a', 'age1b']\n[rotation.a]\ntargets = ['keyfob://web/x']\ncommand = 'mint'\nevery = '1d'\n[rotation.b]\n"
    ));
    let found = world.with(|options| review(options, &project)).unwrap();
    assert_eq!(found.path, project);
    assert!(found.untrusted.is_some());
    let decides = |line, key: &str, value: &str| Decision {
        key: key.into(),
        value: value.into(),
        line,
    };
    assert_eq!(
        found.decides,
        [
            decides(1, "default_store", "web"),
            decides(3, "env.DB", "keyfob://web/a%20b"),
            decides(5, "stores.web.provider", "northflank"),
            decides(6, "stores.web.project", "shop"),
            decides(7, "stores.web.base_url", "https://nf.example.com"),
            decides(9, "stores.local.provider", "neo"),
            decides(10, "stores.local.api_key_command", "pass x"),
            decides(12, "stores.dev.provider", "local"),
            decides(13, "stores.dev.path", "~/.bash_profile"),
            decides(14, "stores.dev.recipients", "age1a, age1b"),
            decides(15, "rotation.a.targets", "keyfob://web/x"),
            decides(15, "rotation.a.command", "mint"),
            decides(15, "rotation.a.every", "1d"),
            decides(19, "rotation.b.generate", "a value of the usual kind"),
        ]
    );
}

#[test]
fn what_was_reviewed_is_trusted_and_not_what_came_after() {
    let world = World::distrusting();
    let project = world.project(TEXT);
    let reviewed = world.with(|options| review(options, &project)).unwrap();
    world.project(&TEXT.replace("nf.", "evil."));
    reviewed.allow(&TrustRecord::new(&world.folders)).unwrap();
    assert_eq!(world.left_out().as_deref(), Some(CHANGED));
}

#[test]
fn a_file_that_is_wrong_cannot_be_reviewed() {
    let world = World::distrusting();
    let project = world.project("x = 1");
    let error = world
        .with(|options| review(options, &project))
        .err()
        .unwrap();
    assert_eq!(error.kind(), Kind::Config);
}

#[test]
fn a_damaged_record_is_told_of() {
    let world = World::distrusting();
    let project = world.project(TEXT);
    world.trust(&project);
    for text in ["{", "{\"version\":2,\"files\":{}}", "[]"] {
        world.write(world.folders.config.join("trusted.json"), text);
        let error = world.load().unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(
            world
                .message(&error)
                .starts_with("/home/config/trusted.json "),
            "{error}"
        );
        assert!(error.hint_text().unwrap().starts_with("delete it"));
    }
}

#[test]
fn a_record_that_cannot_be_read_trusts_nothing() {
    let world = World::distrusting();
    world.project(TEXT);
    fs::create_dir_all(world.folders.config.join("trusted.json")).unwrap();
    assert!(world.left_out().is_some());
}
