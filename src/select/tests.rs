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
    strip_prefix: None,
    upper: false,
    add_prefix: None,
    strict: false,
};

#[test]
fn to_a_store_every_name_goes_as_it_is() {
    let all = ["a b/ü", "PATH", "db-password"].map(name);
    let plan = plan(Wanted {
        mapped: vec![("new/name".to_owned(), "old".parse().unwrap())],
        all: true,
        ..Wanted::default()
    });
    let chosen = plan.name(|_| all.iter().collect(), &TO_STORE).unwrap();
    let names: Vec<&String> = chosen.variables.keys().collect();
    assert_eq!(names, ["PATH", "a b/ü", "db-password", "new/name"]);
    assert!(chosen.skipped.is_empty());
    // An environment would not have it.
    assert!(
        plan.name(|_| all.iter().collect(), &Naming::default())
            .is_err()
    );
}

#[test]
fn two_names_that_become_one_are_a_conflict_wherever_they_go() {
    let all = ["a-b", "a.b"].map(name);
    let plan = plan(Wanted::default());
    for destination in [Destination::Store, Destination::Environment] {
        let naming = Naming {
            destination,
            upper: true,
            ..Naming::default()
        };
        let error = plan.name(|_| all.iter().collect(), &naming).unwrap_err();
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
    let chosen = plan.foresee(&TO_STORE).unwrap().unwrap();
    assert_eq!(chosen.variables.keys().collect::<Vec<_>>(), ["A"]);
    assert!(plan.reach(&TO_STORE).unwrap().is_none());
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
        (except.clone(), upper.clone(), "A_B", false),
        (except, upper.clone(), "a-b", false),
        (prefix("db-"), TO_STORE, "db-x", true),
        (prefix("db-"), TO_STORE, "DB_X", false),
        (prefix("db-"), upper.clone(), "DB_X", true),
        (prefix("db-"), upper.clone(), "db-x", false),
        (prefix("2"), upper.clone(), "_2FA", true),
        (prefix(""), upper.clone(), "x", true),
    ];
    for (wanted, naming, text, expected) in cases {
        let what = format!("{wanted:?} {naming:?} {text}");
        let plan = plan(wanted);
        assert!(plan.foresee(&naming).unwrap().is_none());
        let reach = plan.reach(&naming).unwrap().unwrap();
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
    plan.unwrap().digest(&naming)
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
    assert_eq!(digest(other, naming.clone()), digest(|_| (), naming));
}

#[test]
fn a_pattern_in_a_reference_takes_what_is_escaped_as_it_is() {
    let globs = |text: &str| {
        let plan = plan(Wanted {
            only: texts(&[text]),
            ..Wanted::default()
        });
        let globs = plan.globs.iter();
        let globs: Vec<_> = globs
            .map(|(store, glob)| (store.to_string(), glob.as_str().to_owned()))
            .collect();
        globs
    };
    let of_b = |pattern: &str| vec![("b".to_owned(), pattern.to_owned())];
    assert_eq!(globs("keyfob://b/DB_*"), of_b("DB_*"));
    assert_eq!(globs("keyfob://b/a%2A/é-[a-c]?"), of_b("a\\*/é-[a-c]?"));
    assert_eq!(globs("keyfob://b/a%2A"), []);
}

#[test]
fn an_option_s_variable_is_never_left_out_and_a_file_s_is() {
    let mapped = |name: &str| (name.to_owned(), "x".parse().unwrap());
    let literal = FileValue::Literal("1".into());
    let plan = plan(Wanted {
        except: texts(&["*"]),
        mapped: vec![mapped("NODE_OPTIONS")],
        files: vec![("F".to_owned(), literal)],
        all: true,
        ..Wanted::default()
    });
    let all = ["NODE_OPTIONS", "A"].map(name);
    let naming = Naming::default();
    let chosen = plan.name(|_| all.iter().collect(), &naming).unwrap();
    assert_eq!(
        chosen.variables.keys().collect::<Vec<_>>(),
        ["NODE_OPTIONS"]
    );
}

#[test]
fn what_is_put_before_names_stands_before_patterns_that_protect() {
    let naming = Naming {
        strip_prefix: Some("api-".to_owned()),
        upper: true,
        add_prefix: Some("x/".to_owned()),
        ..TO_STORE
    };
    let wanted = Wanted {
        prefix: Some("api-db-".to_owned()),
        except: texts(&["api-db-q*"]),
        ..Wanted::default()
    };
    let reach = plan(wanted).reach(&naming).unwrap().unwrap();
    for (text, has) in [
        ("x/DB_A", true),
        ("x/DB_QA", false),
        ("x/db-a", false),
        ("DB_A", false),
    ] {
        assert_eq!(reach.has(&name(text)), has, "{text}");
    }
}
