//! A thousand secrets, of which ten differ: ten are written.

use serde_json::{Map, Value, json};

use super::{CANARY, World, actions, count, import};

const DIFFER: usize = 10;

/// A thousand secrets.
fn thousand() -> Map<String, Value> {
    let secrets = (0..1000).map(|number| (name(number), json!(format!("{CANARY}-{number}"))));
    secrets.collect()
}

fn name(number: usize) -> String {
    format!("s3/N{number:04}")
}

/// The numbers of those that are changed.
fn changed() -> impl Iterator<Item = usize> {
    (0..DIFFER).map(|number| number * 97)
}

#[test]
fn from_nosana_into_the_vault() {
    let world = World::new();
    for (name, value) in thousand() {
        world.nosana.put(&world.address, &name, value);
    }
    let run = world.sync(&["nosana", "local"]);
    assert_eq!(count(&actions(run.ok()), "created"), 1000);
    for number in changed() {
        world.put("nosana", &name(number), "changed");
    }
    let run = world.sync(&["nosana", "local"]);
    let actions = actions(run.ok());
    assert_eq!(count(&actions, "updated"), DIFFER);
    assert_eq!(count(&actions, "unchanged"), 1000 - DIFFER);
    for (number, versions) in [(0, 2), (97, 2), (1, 1), (999, 1)] {
        let args = ["--json", "vault", "history", &name(number)];
        let history = world.home.run(args).ok().json();
        assert_eq!(history.as_array().unwrap().len(), versions, "{number}");
    }
}

#[test]
fn from_the_vault_into_nosana() {
    let world = World::new();
    let mut secrets = thousand();
    import(&world, &secrets);
    world.sync(&["local", "nosana"]).ok();
    assert_eq!(world.nosana.secrets(&world.address).len(), 1000);
    for number in changed() {
        secrets.insert(name(number), json!("changed"));
    }
    import(&world, &secrets);
    world.forget_requests();
    let run = world.sync(&["local", "nosana"]);
    assert_eq!(count(&actions(run.ok()), "updated"), DIFFER);
    let requests = world.nosana.requests();
    let posts = requests
        .iter()
        .filter(|request| request.is("POST", "/secrets"));
    let written: Vec<String> = posts
        .flat_map(|request| {
            let body = request.json().unwrap();
            let secrets = body["secrets"].as_object().unwrap();
            secrets.keys().cloned().collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(written, changed().map(name).collect::<Vec<_>>());
    assert!(requests.len() <= 6, "{:?}", world.nosana.asked());
    assert_eq!(
        Value::Object(world.nosana.secrets(&world.address)),
        json!(secrets)
    );
}

#[test]
fn from_the_vault_into_neo_which_gives_nothing_back() {
    let world = World::new();
    let mut secrets = thousand();
    import(&world, &secrets);
    let run = world.sync(&["local", "neo"]);
    assert_eq!(count(&actions(run.ok()), "created"), 1000);
    let before = world.neo.secrets();
    for number in changed() {
        secrets.insert(name(number), json!("changed"));
    }
    import(&world, &secrets);

    world.forget_requests();
    let dry = world.sync(&["local", "neo", "--dry-run"]);
    assert_eq!(count(&actions(dry.ok()), "updated"), DIFFER);
    assert_eq!(world.changes("neo"), Vec::<String>::new());
    let run = world.sync(&["local", "neo"]);
    assert_eq!(count(&actions(run.ok()), "updated"), DIFFER);
    let changes = world.changes("neo");
    let count_of = |method: &str| {
        let changes = changes.iter();
        changes.filter(|line| line.starts_with(method)).count()
    };
    assert_eq!((count_of("DELETE"), count_of("POST")), (DIFFER, DIFFER));
    assert_eq!(changes.len(), 2 * DIFFER);
    let untouched = before.iter().filter(|old| {
        world
            .neo
            .secret(&old.name)
            .is_some_and(|new| new.id == old.id)
    });
    assert_eq!(untouched.count(), 1000 - DIFFER);
    for (name, value) in &secrets {
        assert_eq!(world.neo.value(name).as_deref(), value.as_str(), "{name}");
    }

    world.forget_requests();
    world.sync(&["local", "neo"]).ok();
    assert_eq!(world.changes("neo"), Vec::<String>::new());
    world.diff(&["local", "neo"]).ok();
}

#[test]
fn from_the_vault_into_bytenite_which_gives_nothing_back() {
    let world = World::new();
    let mut secrets = thousand();
    import(&world, &secrets);
    world.sync(&["local", "bytenite"]).ok();
    for number in changed() {
        secrets.insert(name(number), json!("changed"));
    }
    import(&world, &secrets);
    world.forget_requests();
    let run = world.sync(&["local", "bytenite"]);
    assert_eq!(count(&actions(run.ok()), "updated"), DIFFER);
    let requests = world.bytenite.requests();
    let posts = requests
        .iter()
        .filter(|request| request.is("POST", "/v1/auth/secrets"));
    let mut written: Vec<String> = posts
        .map(|request| {
            let secret = &request.json().unwrap()["secret"];
            let text = |field: &str| secret[field].as_str().unwrap().to_owned();
            format!("{}/{}", text("secretType"), text("id"))
        })
        .collect();
    written.sort();
    assert_eq!(written, changed().map(name).collect::<Vec<_>>());
    assert_eq!(world.changes("bytenite").len(), DIFFER);
    let values = world.values("bytenite");
    assert_eq!(json!(values), json!(secrets));
}

#[test]
fn from_the_vault_into_northflank_in_one_change() {
    let world = World::new();
    let mut secrets = thousand();
    import(&world, &secrets);
    world.sync(&["local", "northflank"]).ok();
    for number in changed() {
        secrets.insert(name(number), json!("changed"));
    }
    import(&world, &secrets);
    world.forget_requests();
    let run = world.sync(&["local", "northflank"]);
    assert_eq!(count(&actions(run.ok()), "updated"), DIFFER);
    assert_eq!(world.changes("northflank").len(), 1);
    assert_eq!(json!(world.values("northflank")), json!(secrets));
    world.forget_requests();
    world.sync(&["local", "northflank"]).ok();
    assert_eq!(world.changes("northflank"), Vec::<String>::new());
}
