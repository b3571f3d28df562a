//! Why a request failed.

use std::fmt;

use assetsync_core::text;

/// A request that failed, with what was asked of whom.
#[derive(Debug, thiserror::Error)]
#[error("Can't {action} at {server}: {cause}")]
pub struct RequestError {
    /// What was asked, as `read shop/index.html`.
    pub action: String,
    /// The server.
    pub server: String,
    /// Why.
    pub cause: Cause,
}

/// Why a request failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// No answer came, for this reason.
    NoAnswer {
        /// The reason.
        reason: String,
        /// Whether another try may go well.
        may_pass: bool,
    },
    /// The server refused.
    Refused {
        /// The status.
        status: u16,
        /// What kind of refusal it is.
        refusal: Refusal,
        /// The server's code, as `AccessDenied`; empty if it gave none.
        code: String,
        /// What the server said.
        message: String,
    },
    /// The answer makes no sense.
    Invalid(&'static str),
    /// There are no credentials.
    Credentials(String),
}

/// The kinds of refusals that people can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such bucket.
    NoBucket,
    /// The credentials are good, and do not allow this.
    Forbidden,
    /// The server does not know the key, or the signature is wrong.
    BadCredentials,
    /// The credentials have expired.
    Expired,
    /// The clocks differ.
    Clock,
    /// The bucket is in another region.
    Region,
    /// The server is busy or failed; it may do it later.
    Busy,
    /// Anything else.
    Other,
}

impl Refusal {
    /// What a status and a code mean.
    pub(super) fn of(status: u16, code: &str) -> Refusal {
        match (status, code) {
            (_, "NoSuchBucket") => Refusal::NoBucket,
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => {
                Refusal::Expired
            }
            (
                _,
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "InvalidToken"
                | "InvalidClientTokenId"
                | "AuthorizationQueryParametersError",
            ) => Refusal::BadCredentials,
            (_, "RequestTimeTooSkewed" | "RequestExpired") => Refusal::Clock,
            (301 | 307, _)
            | (_, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                Refusal::Region
            }
            (_, "SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable")
            | (429 | 500 | 502..=504, _)
            | (409, "OperationAborted") => Refusal::Busy,
            (401 | 403, _) => Refusal::Forbidden,
            _ => Refusal::Other,
        }
    }
}

impl Cause {
    /// Whether another try may go well.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Cause::NoAnswer { may_pass, .. } => *may_pass,
            Cause::Refused { refusal, .. } => *refusal == Refusal::Busy,
            Cause::Invalid(_) | Cause::Credentials(_) => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::NoAnswer { reason, .. } => write!(f, "no answer: {reason}"),
            Cause::Refused { status, code, message, .. } => {
                let (code, message) = (text::line(code.as_bytes()), text::line(message.as_bytes()));
                match (code.as_str(), message.as_str()) {
                    ("", "") => write!(f, "the server answered with status {status}"),
                    (code, "") => write!(f, "the server answered {status} {code}"),
                    (code, message) => write!(f, "the server answered {status} {code}: {message}"),
                }
            }
            Cause::Invalid(what) => write!(f, "the server's answer has {what}"),
            Cause::Credentials(reason) => f.write_str(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_by_status_and_code() {
        for (status, code, refusal) in [
            (404, "NoSuchBucket", Refusal::NoBucket),
            (403, "AccessDenied", Refusal::Forbidden),
            (403, "SignatureDoesNotMatch", Refusal::BadCredentials),
            (400, "ExpiredToken", Refusal::Expired),
            (403, "RequestTimeTooSkewed", Refusal::Clock),
            (301, "PermanentRedirect", Refusal::Region),
            (503, "SlowDown", Refusal::Busy),
            (500, "", Refusal::Busy),
            (418, "", Refusal::Other),
        ] {
            assert_eq!(Refusal::of(status, code), refusal, "{status} {code}");
        }
    }
}
