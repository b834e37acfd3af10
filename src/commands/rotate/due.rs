//! How the policies of the configuration stand.

use jiff::Timestamp;
use serde_json::json;

use super::order;
use crate::app::App;
use crate::config::RotationEntry;
use crate::providers::Capability;
use crate::rotate::due::Standing;
use crate::rotate::history::History;
use crate::rotate::plan::Order;
use crate::ui::{self, Table};
use crate::words::batch::Filter;
use crate::words::duration::HumanDuration;
use crate::words::error::{Error, Result};
use crate::words::secret::Reference;

/// A policy that says how often, and how it stands.
struct Policy<'a> {
    secret: Reference,
    entry: &'a RotationEntry,
    every: HumanDuration,
    standing: Standing,
}

/// Orders for the secrets that are due.
///
/// # Errors
/// As [`order::policies`], and what the stores answer that are asked for times.
pub async fn orders(app: &App) -> Result<Vec<Order>> {
    let policies = standing(app).await?.into_iter();
    policies
        .filter(|policy| policy.standing.due)
        .map(|policy| order::from_policy(policy.secret, policy.entry))
        .collect()
}

/// Shows how the policies stand; fails when a secret is due.
pub async fn check(app: &App) -> Result<()> {
    let policies = standing(app).await?;
    if app.ui.json {
        let shown: Vec<_> = policies
            .iter()
            .map(|policy| {
                let mut shown = json!(policy.standing);
                shown["secret"] = json!(policy.secret);
                shown["every"] = json!(policy.every.to_string());
                shown
            })
            .collect();
        app.ui.document(&json!(shown))?;
    } else if policies.is_empty() {
        app.ui
            .note("no policy of the configuration says how often a secret is to be rotated");
    } else {
        let mut table = Table::new(&["SECRET", "EVERY", "ROTATED", "DUE"]);
        for policy in &policies {
            let standing = policy.standing;
            table.row([
                policy.secret.to_string(),
                policy.every.to_string(),
                standing.rotated_at.map_or("unknown".to_owned(), ui::time),
                match standing.due_at {
                    Some(due_at) if !standing.due => ui::time(due_at),
                    _ => "now".to_owned(),
                },
            ]);
        }
        table.print(&app.ui)?;
    }
    let due = policies.iter().filter(|policy| policy.standing.due).count();
    match due {
        0 => Ok(()),
        due => Err(Error::failed(format!(
            "{due} of {} secrets {} due",
            policies.len(),
            if due == 1 { "is" } else { "are" }
        ))
        .hint("keyfob rotate --due rotates what is due")),
    }
}

async fn standing(app: &App) -> Result<Vec<Policy<'_>>> {
    let now = Timestamp::now();
    let mut policies = Vec::new();
    for (secret, entry) in order::policies(app)? {
        let Some(every) = entry.rotation.every else {
            continue;
        };
        policies.push(Policy {
            standing: stands(&secret, every, now, app).await?,
            secret,
            entry,
            every,
        });
    }
    Ok(policies)
}

/// How `secret` stands, by keyfob's own record, and by its store's times where that is not enough.
async fn stands(
    secret: &Reference,
    every: HumanDuration,
    now: Timestamp,
    app: &App,
) -> Result<Standing> {
    let store = app.open(&secret.store)?;
    let history = History::new(app.folders()?);
    let noted = history.last(&store.scope().await?, &secret.name)?;
    let standing = Standing::new(noted, every, now);
    if !standing.due || !store.can(Capability::Times) {
        return Ok(standing);
    }
    let filter = Filter {
        prefix: Some(secret.name.to_string()),
        secret_type: None,
        named: Some(secret.name.clone()),
    };
    let mut entries = store.list(&filter).await?.into_iter();
    let entry = entries.find(|entry| entry.name == secret.name);
    let told = entry.and_then(|entry| entry.updated_at.or(entry.created_at));
    Ok(Standing::new(noted.max(told), every, now))
}
