//! Holds what is for all providers to knowing none of them by name. Help texts may give examples:
//! attributes, and so doc comments, are passed over, as tests are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keyfob::testing::registry;
use syn::visit::{self, Visit};

use crate::house::{files, is_for_tests};

/// The folders whose code names no vendor.
const FOLDERS: &[&str] = &["commands", "formats", "config", "doctor", "http"];

/// The names that may stand all the same: the folder, the name, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("formats", "nosana", "a format is called so"),
    ("formats", "bytenite", "a format is called so"),
];

/// The words of a file's code, in lower case: `KEYFOB_NEO_KEY` and `NeoKey` have "neo" in them.
#[derive(Default)]
struct Words(BTreeSet<String>);

impl Words {
    fn add(&mut self, text: &str) {
        let mut word = String::new();
        let mut before = ' ';
        for c in text.chars().chain([' ']) {
            let ends = !c.is_alphabetic() || (c.is_uppercase() && before.is_lowercase());
            if ends && !word.is_empty() {
                self.0.insert(std::mem::take(&mut word).to_lowercase());
            }
            if c.is_alphabetic() {
                word.push(c);
            }
            before = c;
        }
    }
}

impl<'ast> Visit<'ast> for Words {
    fn visit_attribute(&mut self, _attribute: &'ast syn::Attribute) {}

    fn visit_item(&mut self, item: &'ast syn::Item) {
        let for_tests = matches!(item, syn::Item::Mod(it) if is_for_tests(&it.attrs));
        if !for_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_ident(&mut self, ident: &'ast syn::Ident) {
        self.add(&ident.to_string());
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.add(&text.value());
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add(&call.tokens.to_string());
    }
}

#[test]
fn no_vendor_is_named_outside_its_provider() {
    let registered = registry::PROVIDERS.iter().map(|spec| spec.name());
    // One that may come.
    let vendors: Vec<&str> = registered
        .filter(|name| *name != "local")
        .chain(["openbao"])
        .collect();
    let mut told = String::new();
    let mut excepted = BTreeSet::new();
    for folder in FOLDERS {
        let mut paths = Vec::new();
        files(
            &Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("src")
                .join(folder),
            &mut paths,
        );
        for path in paths {
            let text = fs::read_to_string(&path).unwrap();
            let mut words = Words::default();
            words.visit_file(&syn::parse_file(&text).unwrap());
            for vendor in vendors.iter().filter(|vendor| words.0.contains(**vendor)) {
                let exception = EXCEPTIONS
                    .iter()
                    .find(|it| (it.0, it.1) == (*folder, *vendor));
                match exception {
                    Some(exception) => drop(excepted.insert(exception)),
                    None => told.push_str(&format!("{} names {vendor}\n", path.display())),
                }
            }
        }
    }
    assert!(told.is_empty(), "{told}");
    let all: BTreeSet<_> = EXCEPTIONS.iter().collect();
    assert_eq!(excepted, all, "no exceptions any more");
}
