//! Many requests at once: bounded, on few connections, stopping where going on is pointless.

use std::cell::RefCell;
use std::future::Future;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::{Services, Steps};
use crate::words::batch::{Action, Outcome};
use crate::words::env::Environment;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Mark, Name};

const VARIABLE: &str = "KEYFOB_CONCURRENCY";

/// How many requests are under way at once, and so how many connections there are.
const DEFAULT: usize = 16;

/// More would look like an attack to most servers.
const MAX: usize = 256;

/// How many requests may be under way at once.
///
/// # Errors
/// `usage` for a `KEYFOB_CONCURRENCY` that is no number from 1 to 256.
pub fn concurrency(env: &Environment) -> Result<usize> {
    let Some(text) = env.var(VARIABLE) else {
        return Ok(DEFAULT);
    };
    match text.trim().parse() {
        Ok(number @ 1..=MAX) => Ok(number),
        _ => Err(Error::usage(format!(
            "{VARIABLE} is {text:?}, which is no whole number from 1 to {MAX}"
        ))),
    }
}

/// Does `act` to each of `items`, several at once, and returns the results in their order. Each
/// that is done moves the deadline on. A failure does not; it leaves the others alone, unless all
/// would meet it: then what was not begun fails without being tried.
///
/// # Errors
/// As [`concurrency`], before anything is begun.
pub async fn each<'a, I, T, F>(
    services: &Services,
    what: &str,
    items: &'a [I],
    act: impl Fn(&'a I) -> F,
) -> Result<Vec<Result<T>>>
where
    F: Future<Output = Result<T>>,
{
    let bound = concurrency(&services.env)?;
    let steps = Steps::start(services, what, items.len());
    let stuck: RefCell<Option<Error>> = RefCell::new(None);
    let (act, steps, stuck) = (&act, &steps, &stuck);
    let work = items.iter().enumerate().map(|(at, item)| async move {
        if let Some(error) = &*stuck.borrow() {
            return (
                at,
                Err(error.clone().context("not tried, as another failed")),
            );
        }
        let result = act(item).await;
        match &result {
            Err(error) if concerns_all(error.kind()) => {
                stuck.borrow_mut().get_or_insert_with(|| error.clone());
            }
            _ => steps.ended(&result),
        }
        give_connection_back().await;
        (at, result)
    });
    give_connection_back().await;
    let mut results: Vec<_> = stream::iter(work).buffer_unordered(bound).collect().await;
    results.sort_by_key(|(at, _)| *at);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// Lets the task that has the connection of the last request put it back, so that the next request
/// takes it and opens no other.
pub async fn give_connection_back() {
    tokio::task::yield_now().await;
}

/// The outcomes of `names`, whose results are in the same order.
pub fn outcomes(
    names: impl IntoIterator<Item = Name>,
    results: Vec<Result<Action>>,
) -> Vec<Outcome> {
    let pairs = names.into_iter().zip(results);
    pairs
        .map(|(name, result)| Outcome::new(name, result))
        .collect()
}

/// What was done with a secret, and the mark of the one that was stored where there is one.
pub type Stored = (Action, Option<Mark>);

/// The outcomes of writing `names`, whose results are in the same order.
pub fn marked(names: impl IntoIterator<Item = Name>, results: Vec<Result<Stored>>) -> Vec<Outcome> {
    let pairs = names.into_iter().zip(results);
    pairs
        .map(|(name, result)| {
            let (result, mark) = match result {
                Ok((action, mark)) => (Ok(action), mark),
                Err(error) => (Err(error), None),
            };
            Outcome { name, result, mark }
        })
        .collect()
}

/// Says that `count` secrets were stored by the server's word alone, as its list could not be had.
pub fn tell_of_unseen(services: &Services, count: usize, error: &Error) {
    if count > 0 {
        let many = match count {
            1 => "it was".to_owned(),
            count => format!("{count} secrets were"),
        };
        (services.notice)(&format!(
            "{many} stored by the server's word alone, and could not be looked at: {}",
            error.message()
        ));
    }
}

/// Whether every other request would fail in the same way.
fn concerns_all(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Unauthenticated | Kind::Unavailable | Kind::RateLimited
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_a_number_in_range() {
        let bound = |text| concurrency(&Environment::from_vars([(VARIABLE, text)], "/"));
        assert_eq!(bound("").unwrap(), DEFAULT);
        assert_eq!(bound("1").unwrap(), 1);
        assert_eq!(bound("256").unwrap(), 256);
        for text in ["0", "257", "-1", "1.5", "many", "18446744073709551616"] {
            assert_eq!(bound(text).unwrap_err().kind(), Kind::Usage, "{text}");
        }
    }
}
