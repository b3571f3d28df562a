//! The protocol: bytes to messages and back, without reading or writing any.
//!
//! `docs/protocol.md` is its specification. Each direction is a byte stream of [frames](FrameKind); most
//! frames carry pieces of one zstd stream, whose content is [messages](Message). An [`Outbox`] turns
//! messages into bytes, an [`Inbox`] turns bytes, delivered in pieces of any size, into messages.

mod ask;
mod codec;
mod failure;
mod frame;
mod hello;
mod inbox;
pub(crate) mod item;
mod message;
mod outbox;
mod recipe;
mod state_hasher;
mod vitals;

pub use ask::Ask;
pub use codec::{DecodeError, Fields, put_bytes, put_number, put_signed};
pub use failure::{Failure, FailureCode};
pub use frame::{FrameError, FrameKind, put_frame};
pub use hello::{Deploy, Hello, HelloError};
pub use inbox::{Inbox, InboxError, Received};
pub(crate) use item::{Memory, decode_entry, decode_order, put_entry, put_order};
pub use message::Message;
pub use outbox::Outbox;
pub use state_hasher::StateHasher;
pub use vitals::Vitals;
