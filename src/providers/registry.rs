//! Every provider, one line each.

use super::{ProviderSpec, bytenite, local, neo, northflank, nosana, openbao};
use crate::config::schema::Schemas;

/// The providers, in the order in which help and tables show them.
pub static PROVIDERS: &[ProviderSpec] = &[
    local::SPEC,
    nosana::SPEC,
    bytenite::SPEC,
    northflank::SPEC,
    neo::SPEC,
    openbao::SPEC,
];

/// The fields of every provider's stores.
pub static SCHEMAS: Schemas = &{
    let mut schemas = [PROVIDERS[0].schema; PROVIDERS.len()];
    let mut at = 0;
    while at < schemas.len() {
        schemas[at] = PROVIDERS[at].schema;
        at += 1;
    }
    schemas
};

/// The provider called `name`.
pub fn find(name: &str) -> Option<&'static ProviderSpec> {
    PROVIDERS.iter().find(|spec| spec.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::edit::TEMPLATE;

    #[test]
    fn a_new_configuration_names_every_provider() {
        let sentence = TEMPLATE.split_once("Its provider is one of").unwrap().1;
        let sentence = sentence.split_once(';').unwrap().0;
        for spec in PROVIDERS {
            let mut words = sentence.split([' ', ',', '\n']);
            assert!(words.any(|word| word == spec.name()), "{}", spec.name());
        }
    }
}
