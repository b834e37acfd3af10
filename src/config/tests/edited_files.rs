//! The files that keyfob itself changes: their trust, their permissions, links, the template.

#[cfg(unix)]
use std::path::Path;

use super::editing::{add, project_file, remove, set_default, text};
use super::{World, named};
use crate::config::edit;
use crate::config::trust::TrustRecord;
use crate::words::error::Kind;

#[test]
fn a_trusted_file_stays_trusted_and_another_does_not_become_so() {
    let world = World::distrusting();
    let file = world.project("[stores.web]\nprovider = \"neo\"\nca_file = \"ca.pem\"\n");
    add(&world, &file, "a", "neo", &[]).unwrap();
    assert!(world.left_out().is_some());
    world.trust(&file);
    add(&world, &file, "b", "neo", &[]).unwrap();
    assert_eq!(world.left_out(), None);
    remove(&world, &file, "a").unwrap();
    set_default(&world, &file, "web").unwrap();
    assert_eq!(world.left_out(), None);
    // The files that it names count as they were, and those that keyfob adds as they are.
    world.write("ca.pem", "theirs");
    assert!(world.left_out().unwrap().contains("ca.pem has changed"));
    add(&world, &file, "c", "neo", &[]).unwrap();
    assert!(world.left_out().is_some());
    world.trust(&file);
    add(
        &world,
        &file,
        "d",
        "neo",
        &[("api_key_command", "./get.sh")],
    )
    .unwrap();
    assert_eq!(world.left_out(), None);
    world.write("get.sh", "theirs");
    assert!(world.left_out().unwrap().contains("get.sh has changed"));
}

#[test]
fn the_variable_trusts_no_change_for_good() {
    let mut world = World::distrusting();
    let file = world.project("[stores.web]\nprovider = \"neo\"\nca_file = \"ca.pem\"\n");
    world.var("KEYFOB_TRUST", "1");
    add(&world, &file, "a", "neo", &[]).unwrap();
    world.vars.pop();
    assert!(world.left_out().is_some());
}

#[test]
fn the_users_own_file_is_made_with_its_folder_and_not_recorded() {
    let world = World::new();
    let file = world.folders.config.join("config.toml");
    add(&world, &file, "web", "neo", &[("ca_file", "ca.pem")]).unwrap();
    let ca_file = world.folders.config.join("ca.pem");
    assert_eq!(world.store("web").path("ca_file"), Some(ca_file.as_path()));
    assert!(TrustRecord::new(&world.folders).paths().unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn files_are_made_with_their_permissions_and_keep_them() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    let (project, user) = (
        project_file(&world),
        world.folders.config.join("config.toml"),
    );
    for (file, fresh) in [(&project, 0o644), (&user, 0o600)] {
        add(&world, file, "a", "neo", &[]).unwrap();
        assert_eq!(mode(file), fresh);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o640)).unwrap();
        add(&world, file, "b", "neo", &[]).unwrap();
        assert_eq!(mode(file), 0o640);
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let world = World::new();
    let dotfile = world.write(world.home("dotfiles/keyfob.toml"), "# mine\n");
    std::fs::create_dir_all(&world.folders.config).unwrap();
    let user = world.folders.config.join("config.toml");
    std::os::unix::fs::symlink(&dotfile, &user).unwrap();
    add(&world, &user, "a", "neo", &[]).unwrap();
    assert!(user.symlink_metadata().unwrap().is_symlink());
    assert_eq!(text(&dotfile), "# mine\n\n[stores.a]\nprovider = \"neo\"\n");
    assert!(TrustRecord::new(&world.folders).paths().unwrap().is_empty());
}

#[test]
fn the_template_says_nothing_until_its_examples_are_uncommented() {
    let world = World::distrusting();
    let file = project_file(&world);
    world
        .with(|options| edit::create(options, &file, None))
        .unwrap();
    assert_eq!(text(&file), edit::TEMPLATE);
    assert_eq!(world.load().unwrap().stores().count(), 5);
    let error = world
        .with(|options| edit::create(options, &file, None))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    // The file was keyfob's from the beginning, so what it adds counts.
    add(&world, &file, "web", "neo", &[("ca_file", "ca.pem")]).unwrap();
    assert!(text(&file).starts_with(edit::TEMPLATE));
    assert_eq!(world.left_out(), None);

    let uncommented: String = edit::TEMPLATE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(example) if !example.starts_with(' ') => format!("{example}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    world.trust(&world.project(&uncommented));
    let config = world.load().unwrap();
    assert_eq!(config.default_store().unwrap(), Some(&named("dev")));
    assert_eq!(config.stores().count(), 7);
    assert_eq!(config.env_table().len(), 4);
    assert_eq!(config.rotations().len(), 1);
}
