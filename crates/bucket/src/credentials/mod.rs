//! Credentials, found where the provider's own tools find them, and never shown.

mod environment;
mod profile;
mod remote;
mod source;
mod store;

pub use self::environment::{Environment, Setup};
#[cfg(test)]
pub use self::source::CredentialSource;
pub use self::source::Credentials;
pub use self::store::CredentialStore;
