//! Every provider, one line each.

use super::{ProviderSpec, bytenite, local, neo, northflank, nosana};
use crate::config::schema::Schemas;

/// The providers, in the order in which help and tables show them.
pub static PROVIDERS: &[ProviderSpec] = &[
    local::SPEC,
    nosana::SPEC,
    bytenite::SPEC,
    northflank::SPEC,
    neo::SPEC,
];

/// The fields of every provider's stores.
pub static SCHEMAS: Schemas = &[
    local::SPEC.schema,
    nosana::SPEC.schema,
    bytenite::SPEC.schema,
    northflank::SPEC.schema,
    neo::SPEC.schema,
];

/// The provider called `name`.
pub fn find(name: &str) -> Option<&'static ProviderSpec> {
    PROVIDERS.iter().find(|spec| spec.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::Schema;

    #[test]
    fn every_provider_has_its_schema() {
        let names: Vec<&str> = PROVIDERS.iter().map(ProviderSpec::name).collect();
        let schemas: Vec<&str> = SCHEMAS
            .iter()
            .map(|schema: &&Schema| schema.provider)
            .collect();
        assert_eq!(names, schemas);
    }
}
