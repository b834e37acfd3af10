//! Holds what keyfob says to one way of quoting, and its environment to one way in.

use std::fs;
use std::path::Path;

use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};

use crate::house::{files, is_for_tests};

/// The files whose texts have quotes of another kind, and why.
const OTHER_QUOTES: &[(&str, &str)] = &[
    ("commands/man/configuration.rs", "a page, in Markdown"),
    ("commands/man/markdown.rs", "reads Markdown"),
    ("commands/man/page.rs", "a page, in Markdown"),
    ("formats/powershell.rs", "what that shell quotes with"),
    ("providers/northflank/rules.rs", "a pattern of the API's"),
    ("redact/forms.rs", "forms that values have"),
    (
        "start/mistakes.rs",
        "the quotes of clap, which are looked for",
    ),
    ("words/word.rs", "the quotes of the shell"),
];

/// The texts of a file's code: those of attributes and tests are passed over, as help is written in
/// its own way.
#[derive(Default)]
struct Texts {
    texts: Vec<String>,
    /// Whether it reads a variable of the process itself.
    reads_variables: bool,
}

impl<'ast> Visit<'ast> for Texts {
    fn visit_attribute(&mut self, _attribute: &'ast syn::Attribute) {}

    fn visit_item(&mut self, item: &'ast syn::Item) {
        let for_tests = matches!(item, syn::Item::Mod(it) if is_for_tests(&it.attrs));
        if !for_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.texts.push(text.value());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if let [.., module, function] = words.as_slice() {
            let reads = ["var", "var_os", "vars", "vars_os"].contains(&function.as_str());
            self.reads_variables |= module == "env" && reads;
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // Those that write texts take expressions; a pattern or a document has none to look at.
        let expressions = Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        if let Ok(arguments) = expressions.parse2(call.tokens.clone()) {
            arguments.iter().for_each(|it| self.visit_expr(it));
        }
    }
}

/// What of `text` is in quotes that keyfob's messages have not: backquotes, or single ones around a
/// word, where the shell would need none.
fn other_quotes(text: &str) -> Option<&str> {
    if text.contains('`') {
        return Some("a backquote");
    }
    let of_word = |c: char| c.is_ascii_alphanumeric() || "_-./{} %".contains(c);
    let mut rest = text;
    let mut before = ' ';
    while let Some(at) = rest.find('\'') {
        before = rest[..at].chars().next_back().unwrap_or(before);
        rest = &rest[at + 1..];
        let Some(end) = rest.find('\'') else {
            break;
        };
        let (inside, after) = (&rest[..end], rest[end + 1..].chars().next());
        let stands_alone = before == ' ' && after.is_none_or(|c| " ,.;:".contains(c));
        if stands_alone && !inside.is_empty() && inside.chars().all(of_word) {
            return Some(inside);
        }
        before = '\'';
    }
    None
}

/// Every file of the crate by its path in `src`, but for what only its tests know, with its texts.
fn all() -> Vec<(String, Texts)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let all = paths.iter().map(|path| {
        let mut texts = Texts::default();
        texts.visit_file(&syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap());
        let name = path.strip_prefix(&folder).unwrap();
        (name.to_str().unwrap().replace('\\', "/"), texts)
    });
    all.filter(|(name, _)| !name.starts_with("testing") && !name.ends_with("tests.rs"))
        .collect()
}

#[test]
fn messages_quote_in_one_way() {
    let mut told = String::new();
    for (name, texts) in all() {
        if OTHER_QUOTES.iter().any(|(file, _)| *file == name) {
            continue;
        }
        for text in &texts.texts {
            if let Some(what) = other_quotes(text) {
                told.push_str(&format!("{name}: {what} in {text:?}\n"));
            }
        }
    }
    assert!(told.is_empty(), "{told}");
}

#[test]
fn variables_of_the_process_are_read_in_one_place() {
    let all = all();
    let reads = all.iter().filter(|(_, texts)| texts.reads_variables);
    let reads: Vec<&str> = reads.map(|(name, _)| name.as_str()).collect();
    assert_eq!(reads, ["words/env.rs"]);
}

#[test]
fn other_quotes_are_told() {
    for text in ["`x`", "there is no 'x'", "run 'keyfob login {}'", "x 'y'"] {
        assert!(other_quotes(text).is_some(), "{text}");
    }
    for text in [
        "the vault's readers and the store's",
        "there is no \"x\"",
        "such as --derive 'URL=postgres://app:{value|url}@db/app'",
        "-e 'VAR=a b'",
        "context.secrets.get('NAME')",
    ] {
        assert_eq!(other_quotes(text), None, "{text}");
    }
}
