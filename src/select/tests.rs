use super::*;

fn store() -> StoreName {
    StoreName::new("a").unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn plan(wanted: Wanted) -> Plan {
    Plan::new(store(), wanted, || Ok(BTreeMap::new())).unwrap()
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

const TO_STORE: Naming = Naming {
    destination: Destination::Store,
    upper: false,
    strict: false,
};

#[test]
fn to_a_store_every_name_goes_as_it_is() {
    let all = ["a b/ü", "PATH", "db-password"].map(name);
    let plan = plan(Wanted {
        except: texts(&["GONE"]),
        mapped: vec![("new/name".to_owned(), "old".parse().unwrap())],
        all: true,
        ..Wanted::default()
    });
    let chosen = plan.name(all.iter(), TO_STORE).unwrap();
    let names: Vec<&String> = chosen.variables.keys().collect();
    assert_eq!(names, ["PATH", "a b/ü", "db-password", "new/name"]);
    assert!(chosen.skipped.is_empty());
    // An environment would not have it.
    assert!(plan.name(all.iter(), Naming::default()).is_err());
}

#[test]
fn two_names_that_become_one_are_a_conflict_wherever_they_go() {
    let all = ["a-b", "a.b"].map(name);
    let plan = plan(Wanted::default());
    for destination in [Destination::Store, Destination::Environment] {
        let naming = Naming {
            destination,
            upper: true,
            strict: false,
        };
        let error = plan.name(all.iter(), naming).unwrap_err();
        assert_eq!(error.kind(), crate::words::error::Kind::Conflict);
    }
}

#[test]
fn a_selection_by_name_is_foreseen_and_reaches_nothing_else() {
    let plan = plan(Wanted {
        only: texts(&["A", "B"]),
        except: texts(&["B"]),
        ..Wanted::default()
    });
    let chosen = plan.foresee(TO_STORE).unwrap().unwrap();
    assert_eq!(chosen.variables.keys().collect::<Vec<_>>(), ["A"]);
    assert_eq!(plan.reach(TO_STORE), None);
}

#[test]
fn a_whole_store_reaches_all_but_what_is_left_out_and_a_prefix_what_begins_so() {
    let upper = Naming {
        upper: true,
        ..TO_STORE
    };
    let prefix = |text: &str| Wanted {
        prefix: Some(text.to_owned()),
        ..Wanted::default()
    };
    let except = Wanted {
        except: texts(&["a-b"]),
        ..Wanted::default()
    };
    let cases = [
        (Wanted::default(), TO_STORE, "x", true),
        (except.clone(), TO_STORE, "a-b", false),
        (except.clone(), TO_STORE, "A_B", true),
        (except.clone(), upper, "A_B", false),
        (except, upper, "a-b", false),
        (prefix("db-"), TO_STORE, "db-x", true),
        (prefix("db-"), TO_STORE, "DB_X", false),
        (prefix("db-"), upper, "DB_X", true),
        (prefix("db-"), upper, "db-x", false),
        (prefix("2"), upper, "_2FA", true),
        (prefix(""), upper, "x", true),
    ];
    for (wanted, naming, text, expected) in cases {
        let what = format!("{wanted:?} {naming:?} {text}");
        let plan = plan(wanted);
        assert!(plan.foresee(naming).unwrap().is_none());
        let reach = plan.reach(naming).unwrap();
        assert_eq!(reach.has(&name(text)), expected, "{what}");
    }
}

fn digest(change: impl FnOnce(&mut Wanted), naming: Naming) -> String {
    let mut wanted = Wanted {
        only: vec!["A".to_owned(), "B".to_owned()],
        except: vec!["C".to_owned()],
        mapped: vec![("V".to_owned(), "keyfob://gpu/x".parse().unwrap())],
        files: vec![("L".to_owned(), FileValue::Literal("one".into()))],
        ..Wanted::default()
    };
    change(&mut wanted);
    let store = StoreName::new("web").unwrap();
    let plan = Plan::new(store, wanted, || Ok(BTreeMap::new()));
    plan.unwrap().digest(naming)
}

#[test]
fn another_selection_has_another_digest() {
    let base = digest(|_| (), Naming::default());
    assert_eq!(digest(|_| (), Naming::default()), base);
    let changes: [fn(&mut Wanted); 8] = [
        |wanted| wanted.only = vec!["AB".to_owned()],
        |wanted| wanted.only.push("keyfob://gpu/C".to_owned()),
        |wanted| wanted.except.clear(),
        |wanted| wanted.prefix = Some("A".to_owned()),
        |wanted| wanted.all = true,
        |wanted| wanted.mapped[0].0 = "W".to_owned(),
        |wanted| wanted.mapped[0].1 = "keyfob://web/x".parse().unwrap(),
        |wanted| wanted.files.clear(),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        assert_ne!(digest(change, Naming::default()), base, "{at}");
    }
    for (upper, strict) in [(true, false), (false, true)] {
        let naming = Naming {
            upper,
            strict,
            ..Naming::default()
        };
        assert_ne!(digest(|_| (), naming), base);
    }
}

#[test]
fn the_digest_tells_nothing_of_values_in_files() {
    let other = |wanted: &mut Wanted| {
        wanted.files[0].1 = FileValue::Literal("two".into());
    };
    let naming = Naming::default();
    assert_eq!(digest(other, naming), digest(|_| (), naming));
}
