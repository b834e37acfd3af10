//! Which files are found, and what paths in them mean.

use super::World;
use crate::config::{Files, Role};
use crate::words::error::Kind;

const GROUP: &str = "[stores.northflank]\ngroup = ";

fn group(world: &World) -> Option<String> {
    world.store("northflank").text("group").map(str::to_owned)
}

#[test]
fn without_files_there_are_five_stores() {
    let world = World::new();
    let config = world.load().unwrap();
    let stores: Vec<_> = config
        .stores()
        .map(|store| (store.name().as_str(), store.provider()))
        .collect();
    let names = ["bytenite", "local", "neo", "northflank", "nosana"];
    assert_eq!(stores, names.map(|name| (name, name)));
    assert_eq!(config.default_store().unwrap(), None);
    assert!(config.files().is_empty());
}

#[test]
fn the_nearest_file_counts() {
    let mut world = World::new();
    world.project(&format!("{GROUP}'outer'"));
    world.write("a/keyfob.toml", &format!("{GROUP}'inner'"));
    world.cwd = world.home("project/a/b");
    std::fs::create_dir_all(&world.cwd).unwrap();
    assert_eq!(group(&world).as_deref(), Some("inner"));
    std::fs::remove_file(world.home("project/a/keyfob.toml")).unwrap();
    assert_eq!(group(&world).as_deref(), Some("outer"));
}

#[test]
fn the_repository_is_the_end_of_the_search() {
    let mut world = World::new();
    world.write(world.home("keyfob.toml"), &format!("{GROUP}'home'"));
    assert_eq!(group(&world), None);
    std::fs::remove_dir(world.cwd.join(".git")).unwrap();
    assert_eq!(group(&world).as_deref(), Some("home"));
    // In a worktree or submodule `.git` is a file.
    world.write(".git", "gitdir: elsewhere\n");
    assert_eq!(group(&world), None);
    world.cwd = world.home("project/sub");
    std::fs::create_dir(&world.cwd).unwrap();
    assert_eq!(group(&world), None);
}

#[test]
fn the_home_folder_is_the_end_of_the_search() {
    let world = World::new();
    std::fs::remove_dir(world.cwd.join(".git")).unwrap();
    world.write(world.root.join("keyfob.toml"), &format!("{GROUP}'above'"));
    assert_eq!(group(&world), None);
}

#[cfg(unix)]
#[test]
fn outside_of_both_a_shared_folder_is_the_end_of_the_search() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::new();
    let shared = world.root.join("shared");
    world.write(shared.join("keyfob.toml"), &format!("{GROUP}'shared'"));
    world.cwd = shared.join("a/b");
    std::fs::create_dir_all(&world.cwd).unwrap();
    assert_eq!(group(&world).as_deref(), Some("shared"));
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(group(&world), None);
    world.cwd = shared;
    assert_eq!(group(&world).as_deref(), Some("shared"));
}

#[test]
fn a_named_file_replaces_the_lookup() {
    let mut world = World::new();
    world.user("[stores.nosana]\njob = 'user'");
    world.project(&format!("{GROUP}'project'"));
    world.write("ci/ci.toml", "[stores.local]\npath = 'vault.age'");
    world.files = Files::Named("ci/ci.toml".into());
    let config = world.load().unwrap();
    assert_eq!(group(&world), None);
    assert_eq!(world.store("nosana").text("job"), None);
    assert_eq!(
        world.store("local").path("path"),
        Some(world.home("project/ci/vault.age").as_path())
    );
    let roles: Vec<_> = config.files().iter().map(|file| file.role).collect();
    assert_eq!(roles, [Role::Explicit]);
}

#[test]
fn the_projects_file_can_be_done_without() {
    let mut world = World::new();
    world.user("[stores.nosana]\njob = 'user'");
    world.project("x = 'is not even looked at'");
    world.files = Files::of("none".into());
    let config = world.load().unwrap();
    let roles: Vec<_> = config.files().iter().map(|file| file.role).collect();
    assert_eq!(roles, [Role::User]);
    assert_eq!(world.store("nosana").text("job"), Some("user"));
    assert_eq!(Files::of("./none".into()), Files::Named("./none".into()));
}

#[test]
fn a_named_file_must_be_there_and_is_told_of_as_it_was_named() {
    let mut world = World::new();
    world.files = Files::Named("ci.toml".into());
    let error = world.load().unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);
    assert!(
        error
            .message()
            .ends_with("ci.toml: no such file or directory")
    );
    world.write("ci.toml", "x = 1");
    let error = world.load().unwrap_err();
    assert_eq!(
        error.message(),
        "ci.toml:1:1: x is no key that keyfob knows"
    );
}

#[test]
fn what_is_found_but_no_file_is_an_error() {
    let world = World::new();
    std::fs::create_dir(world.cwd.join("keyfob.toml")).unwrap();
    let error = world.load().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert_eq!(
        world.message(&error),
        "/home/project/keyfob.toml: it is a folder, not a file"
    );
}

#[test]
fn paths_start_at_their_file_at_home_or_at_the_working_directory() {
    let mut world = World::new();
    world.user("[stores.nosana]\nkeypair = 'user.json'\nca_file = '~/ca.pem'");
    world.project("[stores.local]\npath = 'secrets.age'\n[stores.neo]\nca_file = '/etc/ca.pem'");
    world.cwd = world.home("project/sub");
    std::fs::create_dir(&world.cwd).unwrap();
    world.var("KEYFOB_BYTENITE_CA_FILE", "env.pem");
    // On Windows that of the drive at hand.
    let root = world.cwd.ancestors().last().unwrap();
    let path = |store: &str, field| world.store(store).path(field).unwrap().to_path_buf();
    assert_eq!(path("nosana", "keypair"), world.home("config/user.json"));
    assert_eq!(path("nosana", "ca_file"), world.home("ca.pem"));
    assert_eq!(path("local", "path"), world.home("project/secrets.age"));
    assert_eq!(path("neo", "ca_file"), root.join("etc/ca.pem"));
    assert_eq!(
        path("bytenite", "ca_file"),
        world.home("project/sub/env.pem")
    );
}

#[cfg(unix)]
#[test]
fn a_linked_project_file_is_taken_where_it_really_is() {
    let world = World::new();
    world.write(
        world.home("other/keyfob.toml"),
        "[stores.local]\npath = 'secrets.age'",
    );
    let link = world.cwd.join("keyfob.toml");
    std::os::unix::fs::symlink(world.home("other/keyfob.toml"), link).unwrap();
    let store = world.store("local");
    assert_eq!(
        store.path("path"),
        Some(world.home("other/secrets.age").as_path())
    );
}

#[cfg(unix)]
#[test]
fn a_project_file_that_is_the_users_own_is_loaded_once() {
    let world = World::new();
    let user = world.user("[stores.neo]\nbase_url = 'https://neo.example.com'");
    std::os::unix::fs::symlink(&user, world.cwd.join("keyfob.toml")).unwrap();
    let config = world.load().unwrap();
    let roles: Vec<_> = config.files().iter().map(|file| file.role).collect();
    assert_eq!(roles, [Role::User]);
}

#[cfg(unix)]
#[test]
fn paths_in_a_linked_user_file_start_at_the_configuration_folder() {
    let world = World::new();
    let dotfile = world.write(
        world.home("dotfiles/keyfob"),
        "[stores.local]\npath = 'v.age'",
    );
    std::fs::create_dir_all(&world.folders.config).unwrap();
    std::os::unix::fs::symlink(dotfile, world.folders.config.join("config.toml")).unwrap();
    assert_eq!(
        world.store("local").path("path"),
        Some(world.home("config/v.age").as_path())
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_looked_at_is_not_taken_for_none() {
    let world = World::new();
    // A file in the place of the folder; that root enters every folder makes this one certain.
    std::fs::write(&world.folders.config, "").unwrap();
    let error = world.load().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("cannot be looked at"), "{error:?}");
}
