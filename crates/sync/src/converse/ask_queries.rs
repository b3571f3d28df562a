//! Asks the agent what the comparison leaves open.

use assetsync_core::delta::Signature;
use assetsync_core::limits;
use assetsync_core::protocol::{Query, ToAgent, ToSender};

use super::session::Session;
use crate::compare::aliases::Pair;
use crate::compare::answers::{Answer, Answers};
use crate::compare::comparison::Comparison;
use crate::encode::job::send_renames;
use crate::encode::sink::MessageSink;
use crate::error::PushError;

impl Session<'_> {
    /// Asks what the comparison leaves open. Returns the answers, and the pairs of paths that are
    /// one to the destination.
    pub fn ask(&mut self, comparison: &Comparison<'_>) -> Result<(Answers, Vec<Pair>), PushError> {
        let (queries, suspects) = (comparison.queries(), comparison.suspects());
        if queries.is_empty() && suspects.is_empty() {
            return Ok((Answers::new(), Vec::new()));
        }
        self.send_queries(comparison, &queries, &suspects)?;
        let mut one = Vec::new();
        for pair in suspects {
            match self.wire.receive()? {
                ToSender::Compared(true) => one.push(pair),
                ToSender::Compared(false) => {}
                other => return Err(PushError::unexpected(&other)),
            }
        }
        let mut answers = Answers::new();
        for query in &queries {
            let size = comparison.known_bytes(query.known);
            let most = if query.rewritten { limits::rewritten_bytes(size) } else { size };
            answers.insert(query.known, self.answer(query, most)?);
        }
        match self.wire.receive()? {
            ToSender::AnswersEnd => Ok((answers, one)),
            other => Err(PushError::unexpected(&other)),
        }
    }

    fn send_queries(
        &mut self,
        comparison: &Comparison<'_>,
        queries: &[Query],
        suspects: &[Pair],
    ) -> Result<(), PushError> {
        send_renames(&mut self.wire, comparison.drafts())?;
        self.renames_sent = true;
        for &pair in suspects {
            let (path, other) = comparison.spellings(pair);
            self.wire.send(&ToAgent::Alias { path: path.clone(), other: other.clone() })?;
        }
        for query in queries {
            self.wire.send(&ToAgent::Query(*query))?;
        }
        self.wire.send(&ToAgent::QueriesEnd)?;
        self.wire.flush()
    }

    fn answer(&mut self, query: &Query, most: u64) -> Result<Answer, PushError> {
        match self.wire.receive()? {
            ToSender::Compared(true) if query.expected.is_some() => Ok(Answer::ContentMatch),
            ToSender::Compared(false) => Ok(Answer::Different),
            ToSender::Unreadable => Ok(Answer::Gone),
            ToSender::Signature { basis_bytes } if basis_bytes <= most => {
                self.signature(query, basis_bytes)
            }
            other => Err(PushError::unexpected(&other)),
        }
    }

    fn signature(&mut self, query: &Query, basis_bytes: u64) -> Result<Answer, PushError> {
        let spec = query
            .signature
            .ok_or_else(|| PushError::Protocol("a signature that was not asked for".into()))?;
        let needed = spec.signature_bytes(basis_bytes);
        let mut entries = Vec::new();
        while (entries.len() as u64) < needed {
            match self.wire.receive()? {
                ToSender::Blocks(piece)
                    if !piece.is_empty() && (entries.len() + piece.len()) as u64 <= needed =>
                {
                    entries.extend_from_slice(piece);
                }
                other => return Err(PushError::unexpected(&other)),
            }
        }
        let signature = Signature::new(spec, basis_bytes, entries);
        Ok(Answer::Signed(signature.map_err(|error| PushError::Protocol(error.to_string()))?))
    }
}
