//! Without the feature `buckets`, a stage that has buckets is refused.

use super::AssetSet;
use super::build::DeploymentBuilder;
use crate::config::bucket::Bucket;
use crate::config::problem::{Diagnostic, Problem};

impl DeploymentBuilder<'_> {
    pub(super) fn buckets(&mut self, _: &[AssetSet]) -> Vec<Bucket> {
        let refused = self.settings.buckets.iter().map(|given| {
            let problem = Problem::Refused {
                key: "buckets".to_owned(),
                why: "can't be used: this assetsync was built without them".to_owned(),
                hint: "build it with --features buckets",
            };
            Diagnostic::at(problem, given.span.clone())
        });
        let refused: Vec<Diagnostic> = refused.collect();
        self.problems.extend(refused);
        Vec::new()
    }
}
