//! The results of destinations that are the same directory as another one, whose push did the work.

use super::interaction::Interaction;
use super::pushed::Pushed;
use crate::error::PushError;
use crate::push::report::Report;

/// Gives each of them the result of the other one, and tells that its push ended.
pub fn conclude(mut results: Vec<Pushed>, interaction: &dyn Interaction) -> Vec<Pushed> {
    for at in 0..results.len() {
        if let Some(leader) = leader(&results, at) {
            let Pushed { destination, result } = &results[leader];
            let result = match result {
                Ok(report) => {
                    Ok(Report { total: report.total, same_as: Some(leader), ..Report::default() })
                }
                Err(error) => Err(PushError::FailedFor {
                    label: destination.label.clone(),
                    reason: error.to_string(),
                }),
            };
            results[at].result = result;
            interaction.finished(&results[at]);
        }
    }
    results
}

/// The destination whose push did the work for the one at `at`, if it was another one.
fn leader(results: &[Pushed], at: usize) -> Option<usize> {
    let next = |at: usize| match results[at].result {
        Err(PushError::SameDirectory(other)) => Some(other),
        _ => None,
    };
    // One that followed another one may itself have been followed before.
    std::iter::successors(next(at), |&at| next(at)).take(results.len()).last()
}
