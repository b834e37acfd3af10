//! `keyfob copy`: secrets of one or several stores, into another under the same names.

use std::collections::BTreeMap;

use futures_util::future::try_join;

use super::pair::{self, descriptions};
use super::plan::{self, Presented};
use super::selected;
use crate::app::App;
use crate::cli::CopyArgs;
use crate::error::{Error, Result};
use crate::providers::{Metadata, Selection, Write};
use crate::secret::{Name, Reference};
use crate::selection::{Found, Wants};
use crate::sync::{Held, Plan};

pub async fn run(args: CopyArgs, app: &App) -> Result<()> {
    let mut wants = Wants::default();
    let mut origins: BTreeMap<Name, Reference> = BTreeMap::new();
    let mut names = Vec::with_capacity(args.secrets.len());
    for target in &args.secrets {
        let reference = app.reference(target)?;
        wants.add(&reference);
        names.push(reference.name.clone());
        if let Some(other) = origins.insert(reference.name.clone(), reference.clone()) {
            return Err(Error::usage(format!(
                "{other} and {reference} would both be called {} in {}",
                reference.name, args.to
            ))
            .hint("copy one of them, or name it anew: keyfob sync FROM TO -e NEW=NAME"));
        }
    }
    let sources = selected::open(&wants, app)?;
    let target = app.open(&args.to)?;
    for name in &names {
        target
            .provider()
            .check_name(name)
            .map_err(|error| target.named(error))?;
    }
    pair::check(&sources, &target).await?;
    let read = Found::read(&sources, &wants);
    let asked = Selection::Names(names.clone());
    let (found, held) = try_join(read, Held::by(&target, &asked)).await?;
    app.services()?.http.deadline().progressed();

    let mut wanted = Vec::with_capacity(names.len());
    for name in names {
        let value = match origins.get(&name) {
            Some(origin) => found.get(origin)?.clone(),
            None => continue,
        };
        wanted.push(Write {
            name,
            value,
            metadata: Metadata::default(),
        });
    }
    plan::check(&wanted, &target)?;
    let plan = Plan::new(&wanted, &held, |_| false);
    descriptions(&mut wanted, &plan, &origins, &sources, &target).await?;
    let presented = Presented {
        source: "copy",
        empty: "nothing is named",
        question: None,
        dry_run: args.dry_run,
    };
    plan::settle(&presented, &plan, wanted, &target, app).await
}
