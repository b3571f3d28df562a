//! The protocol: bytes to messages and back, without reading or writing any.
//!
//! `docs/protocol.md` is its specification. Each direction is a byte stream of [frames](FrameKind);
//! most frames carry pieces of one zstd stream, whose content is [messages](Message). An [`Outbox`]
//! turns messages into bytes, an [`Inbox`] turns bytes, delivered in pieces of any size, into
//! messages.

mod agent_statistics;
mod codec;
mod codec_context;
mod detached_frame;
mod failure;
mod frame;
mod hello;
mod inbox;
mod item;
mod message;
#[cfg(test)]
mod message_tests;
mod outbox;
mod query;
mod receipt;
mod recipe;
mod run_member;
mod state_hasher;
mod stream_digest;
mod to_agent;
mod to_sender;

pub use agent_statistics::AgentStatistics;
pub use codec::{DecodeError, Fields, put_bytes, put_number, put_signed};
pub use codec_context::CodecContext;
pub use detached_frame::detached_frame;
pub use failure::{Failure, FailureCode};
pub use frame::{FrameError, FrameKind, put_frame};
pub use hello::{Deploy, Hello, HelloError, line_of_word, word_of_line};
pub use inbox::{Inbox, InboxError, Received};
pub use item::{decode_action, decode_entry, put_action, put_entry};
pub use message::Message;
pub use outbox::Outbox;
pub use query::Query;
pub use receipt::Receipt;
pub use run_member::{LockReport, RunMember};
pub use state_hasher::StateHasher;
pub use stream_digest::StreamDigest;
pub use to_agent::ToAgent;
pub use to_sender::ToSender;
