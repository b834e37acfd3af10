//! Jobs: who may read whose secrets because of one, and when.

use super::{Answer, Data, internal, invalid};

/// When a job's secrets can be had, after it was claimed.
#[derive(Clone, Debug)]
pub enum Visible {
    /// At once.
    Now,
    /// The job, its claim or its document is seen after this many logins for it ended in an
    /// internal error.
    AfterErrors(usize),
    /// The claim is seen after this many logins for the job were refused with 400.
    AfterLogins(usize),
    /// The job's document is found after this many logins gave a token that lists nothing; such
    /// a token never does, and a new one is needed.
    AfterTokens(usize),
    /// It is over: its project may read the names below, of the node's secrets.
    Finished,
}

/// A job whose secrets a node may ask for.
#[derive(Clone, Debug)]
pub struct Job {
    /// The address of the project that posted it, whose secrets it names.
    pub project: String,
    /// The address of the node that claimed it.
    pub node: Option<String>,
    /// The names under `state["nosana/secrets"]`; `None` where `state` has no such list, and none of
    /// them where there is no `state`.
    pub secrets: Option<Vec<String>>,
    /// When the secrets can be had.
    pub visible: Visible,
}

impl Data {
    /// Whose secrets a job opens and which, to whoever has `address`.
    pub(super) fn job_scope(
        &mut self,
        job_address: &str,
        address: &str,
    ) -> Result<(String, Option<Vec<String>>), Answer> {
        // "Unknown, not claimed yet, its run account not visible yet … → 500."
        let job = self.jobs.get_mut(job_address).ok_or_else(internal)?;
        let unclaimed = || invalid(format!("You did not claim this job:{job_address}"));
        let node = job.node.clone().ok_or_else(internal)?;
        if matches!(job.visible, Visible::Finished) {
            // "A finished job lets its owner read the secrets that its result lists."
            return match job.project == address {
                true => Ok((node, job.secrets.clone())),
                false => Err(invalid(format!("You do not own this job:{job_address}"))),
            };
        }
        if let Visible::AfterErrors(left @ 1..) = &mut job.visible {
            *left -= 1;
            return Err(internal());
        }
        if node != address {
            return Err(unclaimed());
        }
        match &mut job.visible {
            Visible::AfterLogins(left @ 1..) => {
                *left -= 1;
                Err(unclaimed())
            }
            Visible::AfterTokens(left @ 1..) => {
                *left -= 1;
                Ok((job.project.clone(), None))
            }
            _ => Ok((job.project.clone(), job.secrets.clone())),
        }
    }
}
