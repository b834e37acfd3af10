//! How the policies of the configuration stand.

use jiff::Timestamp;
use serde_json::json;

use super::order;
use crate::app::App;
use crate::providers::Capability;
use crate::rotate::due::{self, Standing};
use crate::rotate::history::History;
use crate::rotate::plan::Order;
use crate::ui::{self, Table};
use crate::words::batch::Filter;
use crate::words::duration::HumanDuration;
use crate::words::error::{Error, Result};
use crate::words::secret::Reference;

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["SECRET", "EVERY", "ROTATED", "DUE"];

/// A policy that says how often, and how it stands.
struct Policy {
    order: Order,
    every: HumanDuration,
    standing: Standing,
}

/// Orders for the secrets that are due.
///
/// # Errors
/// As [`order::policies`], and what the stores answer that are asked for times.
pub async fn orders(app: &App) -> Result<Vec<Order>> {
    let policies = standing(app).await?.into_iter();
    let due = policies.filter(|policy| policy.standing.due);
    Ok(due.map(|policy| policy.order).collect())
}

/// Shows how the policies stand; fails when a secret is due.
pub async fn check(app: &App) -> Result<()> {
    let policies = standing(app).await?;
    if app.ui.json {
        let shown: Vec<_> = policies
            .iter()
            .map(|policy| {
                let mut shown = json!(policy.standing);
                shown["secret"] = json!(policy.order.secret);
                shown["every"] = json!(policy.every.to_string());
                shown
            })
            .collect();
        app.ui.document(&json!(shown))?;
    } else if policies.is_empty() {
        app.ui
            .note("no policy of the configuration says how often a secret is to be rotated");
    } else {
        let mut table = Table::new(COLUMNS, &app.ui);
        for policy in &policies {
            let standing = policy.standing;
            table.row([
                policy.order.secret.to_string(),
                policy.every.to_string(),
                standing
                    .rotated_at
                    .map_or("unknown".to_owned(), |at| app.ui.time(at)),
                match standing.due_at {
                    Some(due_at) if !standing.due => app.ui.time(due_at),
                    _ => "now".to_owned(),
                },
            ]);
        }
        table.print(&app.ui)?;
    }
    let due = policies.iter().filter(|policy| policy.standing.due).count();
    match due {
        0 => Ok(()),
        due => Err(Error::failed(match (due, policies.len()) {
            (1, 1) => "the one secret with a policy is due".to_owned(),
            (1, all) => format!("1 of {all} secrets is due"),
            (due, all) => format!("{due} of {all} secrets are due"),
        })
        .hint("keyfob rotate --due rotates what is due")),
    }
}

async fn standing(app: &App) -> Result<Vec<Policy>> {
    let now = Timestamp::now();
    let mut policies = Vec::new();
    for (secret, entry) in order::policies(app)? {
        let Some(every) = entry.rotation.every else {
            continue;
        };
        let order = order::from_policy(secret, entry)?;
        let mut standings = Vec::new();
        for target in order.targets() {
            standings.push(stands(target, &order.secret, every, now, app).await?);
        }
        let unknown = Standing::new(None, every, now);
        policies.push(Policy {
            standing: due::oldest(standings).unwrap_or(unknown),
            order,
            every,
        });
    }
    Ok(policies)
}

/// How `target`, which is rotated with `secret`, stands by keyfob's own record, and by its store's
/// times where that is not enough.
async fn stands(
    target: &Reference,
    secret: &Reference,
    every: HumanDuration,
    now: Timestamp,
    app: &App,
) -> Result<Standing> {
    let store = app.open(&target.store)?;
    let (scope, scope_of_secret) = (store.scope().await?, app.open(&secret.store)?);
    let scope_of_secret = scope_of_secret.scope().await?;
    let history = History::new(app.folders()?);
    let noted = history.last((&scope_of_secret, &secret.name), (&scope, &target.name))?;
    let doubt = |at: Option<Timestamp>, how: &str| {
        if let Some(at) = at.filter(|at| due::is_to_come(*at, now)) {
            app.ui.warn(&format!(
                "{target} is {how} at {}, which is still to come: a clock is wrong, or was, and that time does not count",
                ui::time(at)
            ));
        }
    };
    doubt(noted, "noted to be rotated");
    let standing = Standing::new(noted, every, now);
    if !standing.due || !store.can(Capability::Times) {
        return Ok(standing);
    }
    let filter = Filter {
        prefix: Some(target.name.as_str().to_owned()),
        secret_type: None,
        named: Some(target.name.clone()),
    };
    let mut entries = store.list(&filter).await?.into_iter();
    let entry = entries.find(|entry| entry.name == target.name);
    let told = entry.and_then(|entry| entry.updated_at.or(entry.created_at));
    doubt(told, "said to be changed");
    let told = Standing::new(told, every, now);
    Ok(match told.rotated_at > standing.rotated_at {
        true => told,
        false => standing,
    })
}
