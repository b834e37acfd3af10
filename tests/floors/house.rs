//! The modules of a crate and which of them know which, by the paths that stand in their code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// A module by its path from the crate's root: `providers::neo::api`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module(Vec<String>);

impl Module {
    /// The top module that it is in.
    pub fn room(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    fn child(&self, name: &str) -> Self {
        let mut path = self.0.clone();
        path.push(name.to_owned());
        Self(path)
    }

    fn parent(&self) -> Self {
        let mut path = self.0.clone();
        path.pop();
        Self(path)
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("::"))
    }
}

/// What stands in one module's file, tests left out.
#[derive(Default)]
struct Contents {
    /// The paths that its code names, each with the inline module it stands in.
    paths: Vec<(Module, Vec<String>)>,
    /// What it only passes on: name here, path there.
    passed_on: BTreeMap<String, Vec<String>>,
    /// The single words of its code.
    words: BTreeSet<String>,
}

/// All modules of the crate.
pub struct House {
    /// Each module with a file, an inline one under the file that it is in.
    modules: BTreeMap<Module, Contents>,
    /// Inline modules, and the module whose file they are in.
    inline: BTreeMap<Module, Module>,
}

impl House {
    /// Reads the crate whose `lib.rs` is in `folder`.
    pub fn read(folder: &Path) -> Self {
        let mut house = Self {
            modules: BTreeMap::new(),
            inline: BTreeMap::new(),
        };
        house.enter(Module(Vec::new()), &folder.join("lib.rs"), folder);
        house
    }

    fn enter(&mut self, module: Module, file: &Path, folder: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|why| panic!("{file:?}: {why}"));
        let syntax = syn::parse_file(&text).unwrap_or_else(|why| panic!("{file:?}: {why}"));
        let mut reader = Reader {
            at: module.clone(),
            contents: Contents::default(),
            inline: Vec::new(),
            files: Vec::new(),
        };
        reader.visit_file(&syntax);
        for inner in reader.inline {
            self.inline.insert(inner, module.clone());
        }
        let contents = self.modules.entry(module).or_default();
        contents.paths.extend(reader.contents.paths);
        contents.passed_on.extend(reader.contents.passed_on);
        contents.words.extend(reader.contents.words);
        for (child, path) in reader.files {
            let name = child.0.last().cloned().unwrap_or_default();
            let (file, below) = match path {
                // As Rust has it: beside the file that says so.
                Some(path) => {
                    let file = file.parent().unwrap_or(folder).join(path);
                    (file, folder.join(&name))
                }
                None => {
                    let plain = folder.join(format!("{name}.rs"));
                    let nested = folder.join(&name).join("mod.rs");
                    (
                        if plain.exists() { plain } else { nested },
                        folder.join(&name),
                    )
                }
            };
            self.enter(child, &file, &below);
        }
    }

    /// Which module knows which other one.
    pub fn edges(&self) -> BTreeSet<(Module, Module)> {
        let mut edges = BTreeSet::new();
        for (from, contents) in &self.modules {
            let used = contents.passed_on.iter();
            let used = used.filter(|(name, _)| contents.words.contains(*name));
            let used = used.map(|(_, path)| (from.clone(), path.clone()));
            for (at, path) in contents.paths.iter().cloned().chain(used) {
                if let Some(to) = self.owner(&at, &path)
                    && to != *from
                    && !to.0.is_empty()
                {
                    edges.insert((from.clone(), to));
                }
            }
        }
        edges
    }

    /// The module that defines what `path` names when it stands in `at`; `None` for what is not
    /// the crate's own.
    fn owner(&self, at: &Module, path: &[String]) -> Option<Module> {
        let (mut module, mut rest) = match path.first()?.as_str() {
            "crate" => (Module(Vec::new()), &path[1..]),
            "self" => (at.clone(), &path[1..]),
            "super" => (at.parent(), &path[1..]),
            first if self.knows(&at.child(first)) => (at.clone(), path),
            _ => return None,
        };
        while let Some(next) = rest.first() {
            if next == "super" {
                module = module.parent();
            } else if self.knows(&module.child(next)) {
                module = module.child(next);
            } else {
                let passed_on = self.modules.get(&module)?.passed_on.get(next);
                return match passed_on {
                    Some(path) => self.owner(&module, path),
                    None => Some(self.file_of(&module)),
                };
            }
            rest = &rest[1..];
        }
        Some(self.file_of(&module))
    }

    fn knows(&self, module: &Module) -> bool {
        self.modules.contains_key(module) || self.inline.contains_key(module)
    }

    fn file_of(&self, module: &Module) -> Module {
        self.inline.get(module).unwrap_or(module).clone()
    }

    /// The groups of modules within one top module that know each other in a circle.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let mut below: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (from, to) in self.edges() {
            if from.room() == to.room() {
                below.entry(from).or_default().insert(to);
            }
        }
        let reach = |start: &Module| {
            let mut seen = BTreeSet::new();
            let mut open = vec![start];
            while let Some(module) = open.pop() {
                for next in below.get(module).into_iter().flatten() {
                    if seen.insert(next.clone()) {
                        open.push(next);
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, _> = below.keys().map(|it| (it, reach(it))).collect();
        let mut circles = BTreeSet::new();
        for (module, far) in &reached {
            if far.contains(*module) {
                let circle = far
                    .iter()
                    .filter(|it| reached.get(it).is_some_and(|far| far.contains(*module)));
                circles.insert(circle.map(ToString::to_string).collect());
            }
        }
        circles.into_iter().collect()
    }
}

/// Reads one file's syntax.
struct Reader {
    at: Module,
    contents: Contents,
    inline: Vec<Module>,
    /// Modules in files of their own, with the path that an attribute gives.
    files: Vec<(Module, Option<PathBuf>)>,
}

impl Reader {
    fn spread(&mut self, tree: &syn::UseTree, before: &[String], pass_on: bool) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            if name != "self" || path.is_empty() {
                path.push(name.to_string());
            }
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.spread(&path.tree, &with(&path.ident), pass_on),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.spread(tree, before, pass_on);
                }
            }
            syn::UseTree::Name(name) => {
                self.take(name.ident.to_string(), with(&name.ident), pass_on)
            }
            syn::UseTree::Rename(name) => {
                self.take(name.rename.to_string(), with(&name.ident), pass_on);
            }
            syn::UseTree::Glob(_) => self.contents.paths.push((self.at.clone(), before.to_vec())),
        }
    }

    fn take(&mut self, name: String, path: Vec<String>, pass_on: bool) {
        if pass_on {
            self.contents.passed_on.insert(name, path);
        } else {
            self.contents.paths.push((self.at.clone(), path));
        }
    }
}

/// Whether what carries these attributes is for tests alone.
pub fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        // `any(windows, test)` is for Windows too.
        let when = list.tokens.to_string();
        attribute.path().is_ident("cfg") && when.contains("test") && !when.starts_with("any")
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(it) => &it.attrs,
            syn::Item::Use(it) => &it.attrs,
            syn::Item::Fn(it) => &it.attrs,
            syn::Item::Impl(it) => &it.attrs,
            syn::Item::Struct(it) => &it.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let child = self.at.child(&item.ident.to_string());
        if item.content.is_some() {
            self.inline.push(child.clone());
            let outer = std::mem::replace(&mut self.at, child);
            visit::visit_item_mod(self, item);
            self.at = outer;
            return;
        }
        let path = item
            .attrs
            .iter()
            .find_map(|attribute| match &attribute.meta {
                syn::Meta::NameValue(it) if it.path.is_ident("path") => match &it.value {
                    syn::Expr::Lit(syn::ExprLit {
                        lit: syn::Lit::Str(text),
                        ..
                    }) => Some(PathBuf::from(text.value())),
                    _ => None,
                },
                _ => None,
            });
        self.files.push((child, path));
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let pass_on = !matches!(item.vis, syn::Visibility::Inherited);
        self.spread(&item.tree, &[], pass_on);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.contents.words.insert(words[0].clone());
        if words.len() > 1 {
            self.contents.paths.push((self.at.clone(), words));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // What stands in a macro call is not parsed: its words are enough here.
        let text = call.tokens.to_string();
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut path: Vec<String> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            if *word == "::" {
                continue;
            }
            let is_name = word.chars().all(|c| c.is_alphanumeric() || c == '_');
            if at == 0 || words[at - 1] != "::" {
                path.clear();
            }
            if is_name {
                path.push((*word).to_owned());
                self.contents.words.insert((*word).to_owned());
                if path.len() > 1 && words.get(at + 1) != Some(&"::") {
                    self.contents.paths.push((self.at.clone(), path.clone()));
                }
            }
        }
        visit::visit_macro(self, call);
    }
}

/// Adds the sources below `folder` to `found`, but for what only tests know.
pub fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}
