//! keyfob.toml(5): every table and key of a configuration. Those of stores come from the providers'
//! own definitions.

use super::roff::{Roff, bold};
use crate::config::schema::{Field, Shape};
use crate::providers::registry;

/// What a field is when nobody sets it, where its own words do not say it: its name, whether it is one
/// of a store behind a network, and the words.
const DEFAULTS: &[(&str, bool, &str)] = &[
    ("path", false, "`vault.age` in your data folder"),
    (
        "identity",
        false,
        "the OS keyring, else `identity.txt` in your data folder",
    ),
    ("recipients", false, "those who can read the vault already"),
    (
        "keypair",
        true,
        "the Solana CLI's own, `~/.config/solana/id.json`",
    ),
];

/// An example with all tables.
const EXAMPLE: &str = r#"default_store = "dev"

[stores.dev]
provider = "local"
path = "secrets.age"

[stores.web]
provider = "local"
path = "/srv/team/web.age"
recipients = ["age1…"]

[env]
DATABASE_URL = "keyfob://web/DATABASE_URL"
HF_TOKEN = { from = "keyfob://gpu/hf-token", required = false }
LOG_LEVEL = { default = "info" }

[profiles.prod]
default_store = "web"

[profiles.prod.env]
HF_TOKEN = "keyfob://web/HF_TOKEN"

[rotation.DB_PASSWORD]
targets = ["keyfob://web/DB_PASSWORD"]
generate = "password:40"
verify = "./check-db.sh"
every = "30d""#;

/// The page.
pub fn page() -> String {
    let mut page = Roff::new("keyfob.toml", 5);
    page.section("NAME");
    page.raw_paragraph("keyfob.toml \\- the configuration of keyfob");
    page.section("DESCRIPTION");
    page.paragraph(
        "`keyfob.toml` is found from the working directory upwards, not past the repository's root or \
         the home folder, and lies over your own `config.toml` in the platform's configuration folder \
         (`~/.config/keyfob/config.toml`). `--config FILE` or `KEYFOB_CONFIG` takes the place of both \
         look-ups; `none` there does without a project's file. `keyfob init` writes one with \
         comments, `keyfob store add` adds a store.",
    );
    page.paragraph(
        "A project's file counts whole once you trust it, and not at all before; see \
         keyfob-trust(1). Relative paths in a file start at its folder, and its commands run there.",
    );
    page.section("TABLES");
    page.item(
        &bold("default_store = \"NAME\""),
        ["The store that is used when none is named. The environment's word is `KEYFOB_STORE`, and \
          the default `local`."],
    );
    page.item(
        &bold("[stores.NAME]"),
        ["A store: its `provider`, and that provider's fields, listed below. One exists for each \
          provider without any configuration, under the provider's name."],
    );
    page.item(
        &bold("[env]"),
        [
            "What `run`, `export` and `inject` bring when nothing else is named: variables, each with \
             a name in the selected store, a reference, or a table.",
            "`from` in the table is the name or reference, `required = false` lets a missing secret go \
             unset, and `default` is the value without it.",
        ],
    );
    page.item(
        &bold("[profiles.NAME]"),
        [
            "Taken with `-P NAME` or `KEYFOB_PROFILE`: its `default_store` takes the place of the \
          file's, and its `env` lies over the table of the same name.",
        ],
    );
    page.item(
        &bold("[rotation.NAME]"),
        ["How `keyfob rotate` changes the secret NAME: `targets` (references that get the value too), \
          `generate` or `command` (where it comes from), `verify`, `on_rollback`, `derive` (secrets \
          that are made from it) and `every`; see keyfob-rotation(7)."],
    );
    page.section("STORES");
    page.paragraph(
        "Every field of a store is also a variable, `KEYFOB_`, the store's name, `_` and the field's, in \
         capitals and with `_` for `-`: it wins over the files. What is a credential never stands \
         in a file; the command or the reference that gives one may.",
    );
    for spec in registry::PROVIDERS {
        page.subsection(&format!("provider = \"{}\"", spec.name()));
        page.paragraph(&format!("{}.", spec.title));
        for field in spec.schema.fields {
            let paragraphs = told(spec.name(), spec.is_remote(), field);
            page.item(&bold(field.name), paragraphs.iter().map(String::as_str));
        }
    }
    page.section("EXAMPLES");
    page.literal(EXAMPLE.lines());
    page.section("FILES");
    page.paragraph(
        "`keyfob.toml`, `~/.config/keyfob/config.toml`, `~/.config/keyfob/trusted.json`",
    );
    page.section("SEE ALSO");
    page.paragraph(
        "keyfob(1), keyfob-init(1), keyfob-store(1), keyfob-trust(1), keyfob-stores(7), \
         keyfob-rotation(7)",
    );
    page.finish()
}

/// What is to be said of a field: what it is for, its shape and default, and who may set it.
fn told(provider: &str, remote: bool, field: &Field) -> Vec<String> {
    let help = field.help.trim_end_matches('.');
    let mut first = format!("{}{}.", help[..1].to_uppercase(), &help[1..]);
    match field.shape {
        Shape::Choice(choices) => {
            first.push_str(&format!(" One of `{}`.", choices.join("`, `")));
        }
        Shape::List => first.push_str(" A list."),
        _ => {}
    }
    let mut defaults = DEFAULTS.iter();
    if let Some((.., default)) = defaults.find(|(name, of, _)| *of == remote && *name == field.name)
    {
        first.push_str(&format!(" Default: {default}."));
    }
    let own = |name: &str| {
        format!(
            "`KEYFOB_{}_{}`",
            name.to_uppercase(),
            field.name.to_uppercase()
        )
    };
    let mut variables = vec![own(provider)];
    variables.extend(field.vendor_env.iter().map(|name| format!("`{name}`")));
    let who = if field.credential {
        "Set by a variable alone, or kept by `keyfob login` in the OS keyring"
    } else if field.inline_env {
        "Set by a file, as a path, or by a variable, which may hold the key itself"
    } else {
        "Set by a file or a variable"
    };
    vec![first, format!("{who}: {}.", variables.join(", "))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_has_its_field() {
        for (field, remote, _) in DEFAULTS {
            let of_kind = registry::PROVIDERS
                .iter()
                .filter(|it| it.is_remote() == *remote);
            let mut fields = of_kind.flat_map(|spec| spec.schema.fields);
            assert!(fields.any(|it| it.name == *field), "{field}");
        }
    }

    #[test]
    fn the_example_is_a_configuration() {
        let read: toml_edit::DocumentMut = EXAMPLE.parse().unwrap();
        assert_eq!(read.iter().count(), 5);
    }
}
