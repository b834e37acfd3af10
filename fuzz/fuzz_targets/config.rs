#![no_main]
//! A configuration file: read, and edited where it is a good one; the edits are undone by their
//! inverse, and never make a good file a bad one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use keyfob::testing::registry::SCHEMAS;
use keyfob::testing::{
    Config, Environment, Files, Folders, LoadOptions, StoreName, add_store, remove_store,
    set_default_store,
};
use libfuzzer_sys::fuzz_target;

fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| tempfile::tempdir().expect("a folder"))
        .path()
}

fn stores(config: &Config) -> Vec<String> {
    let stores = config.stores();
    stores
        .map(|store| {
            let fields = store
                .fields()
                .map(|(field, _)| format!("{}={:?}", field.name, store.display(field.name)));
            format!(
                "{} {} {:?}",
                store.name(),
                store.provider(),
                Vec::from_iter(fields)
            )
        })
        .collect()
}

fuzz_target!(|bytes: &[u8]| {
    let folder = folder();
    let file: PathBuf = folder.join("keyfob.toml");
    fs::write(&file, bytes).expect("written");
    let env = Environment::from_vars([("HOME", folder)], folder);
    let folders = Folders {
        config: folder.join("config"),
        data: folder.join("data"),
        cache: folder.join("cache"),
        patience: Folders::PATIENCE,
    };
    let options = LoadOptions {
        env: &env,
        folders: &folders,
        files: Files::Named(file.clone()),
        schemas: &SCHEMAS,
    };
    let load = || Config::load(&options);
    let Ok(config) = load() else {
        return;
    };
    let _ = (
        config.default_store().is_ok(),
        config.env_table().len(),
        config.rotations().len(),
    );
    let before = stores(&config);
    let name = StoreName::new("brand-new").expect("a name");
    let fields = [("project".to_owned(), "a \"b\" \n ü".to_owned())];
    if add_store(&options, &file, &name, "northflank", &fields).is_err() {
        return;
    }
    let with = load().expect("a store more is a good file");
    assert_eq!(
        with.store(&name).expect("it").text("project"),
        Some(fields[0].1.as_str())
    );
    assert_eq!(stores(&with).len(), before.len() + 1);
    set_default_store(&options, &file, &name).expect("it can be the default");
    assert_eq!(
        load().expect("good").default_store().expect("good"),
        Some(&name)
    );
    remove_store(&options, &file, &name).expect("it can be removed");
    let without = load().expect("a store less is a good file");
    assert_eq!(stores(&without), before);
});
