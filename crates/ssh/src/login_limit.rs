//! Limits the concurrent logins to a server, and retries those that it rejected as too many.
//!
//! sshd closes connections at random while more than `MaxStartups` are logging in, and all beyond
//! `PerSourceMaxStartups` of one address, before it sends its SSH banner. Here every server has a
//! limit: a few concurrent logins at first, half as many after each one that was closed in this
//! way, and that login is retried after a short wait. Nothing else is retried: servers penalise
//! that.

use std::collections::HashMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};

use crate::connect_phase::LOGIN_ATTEMPTS;
use crate::error::TransportError;

/// The initial number of concurrent logins to one server: `MaxStartups` allows 10 by default.
const AT_FIRST: usize = 8;
/// The number of retries of a login.
const RETRIES: usize = LOGIN_ATTEMPTS - 1;

/// All limits of this process: to a server, it is one client.
static LOGIN_LIMITS: LazyLock<LoginLimits> = LazyLock::new(LoginLimits::default);

/// Which logins share a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LoginKey {
    /// The logins of this process to one server.
    Server { host: String, port: u16 },
    /// All logins of a program: they may all go through one bastion.
    Program { why: String },
}

/// Connects: waits for a permit, and retries if the server was busy.
pub(crate) fn connecting<T>(
    key: &LoginKey,
    connect: impl FnMut() -> Result<T, TransportError>,
) -> Result<T, TransportError> {
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(RETRIES)
        .with_jitter();
    LOGIN_LIMITS.connecting(key, waits, connect)
}

#[derive(Default)]
struct LoginLimits {
    traffic: Mutex<HashMap<LoginKey, Traffic>>,
    changed: Condvar,
}

/// The logins under one limit.
struct Traffic {
    under_way: usize,
    allowed: usize,
}

/// The permission to log in; returned when dropped.
struct SemaphorePermit<'a>(&'a LoginLimits, &'a LoginKey);

impl LoginLimits {
    fn connecting<T>(
        &self,
        key: &LoginKey,
        waits: ExponentialBuilder,
        mut connect: impl FnMut() -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let attempt = || {
            // No permit is held while waiting for the next attempt.
            let permit = self.take(key);
            let made = connect();
            if made.as_ref().is_err_and(TransportError::is_busy) {
                permit.narrow();
            }
            made
        };
        attempt.retry(waits).when(TransportError::is_busy).call()
    }

    fn take<'a>(&'a self, key: &'a LoginKey) -> SemaphorePermit<'a> {
        let is_full = |traffic: &mut HashMap<LoginKey, Traffic>| {
            let there = traffic.entry(key.clone()).or_default();
            there.under_way >= there.allowed
        };
        let waited = self.changed.wait_while(self.lock(), is_full);
        let mut traffic = waited.unwrap_or_else(PoisonError::into_inner);
        traffic.entry(key.clone()).or_default().under_way += 1;
        SemaphorePermit(self, key)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LoginKey, Traffic>> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Traffic {
    fn default() -> Traffic {
        Traffic { under_way: 0, allowed: AT_FIRST }
    }
}

impl SemaphorePermit<'_> {
    /// Halves the number of concurrent logins.
    fn narrow(&self) {
        let mut traffic = self.0.lock();
        let there = traffic.entry(self.1.clone()).or_default();
        there.allowed = (there.allowed / 2).max(1);
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.0.lock().entry(self.1.clone()).or_default().under_way -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn server(host: &str) -> LoginKey {
        LoginKey::Server { host: host.into(), port: 22 }
    }

    fn busy() -> TransportError {
        TransportError::Busy { host: "web1".into(), said: String::new() }
    }

    fn at_once() -> ExponentialBuilder {
        ExponentialBuilder::default().with_min_delay(Duration::ZERO).with_max_times(RETRIES)
    }

    #[test]
    fn a_busy_server_is_tried_again_and_others_are_not() {
        let (limits, mut tries) = (LoginLimits::default(), 0);
        let done = limits.connecting(&server("web1"), at_once(), || {
            tries += 1;
            if tries < LOGIN_ATTEMPTS { Err(busy()) } else { Ok(tries) }
        });
        assert_eq!(done.expect("the last try"), LOGIN_ATTEMPTS);
        let mut tries = 0;
        let refused = limits.connecting(&server("web1"), at_once(), || {
            tries += 1;
            Err::<(), _>(TransportError::Options("no"))
        });
        assert!(matches!(refused, Err(TransportError::Options(_))));
        assert_eq!(tries, 1);
        let ended = limits.connecting(&server("web1"), at_once(), || Err::<(), _>(busy()));
        assert!(ended.expect_err("always busy").is_busy());
    }

    #[test]
    fn a_server_that_closes_connections_gets_fewer_at_a_time() {
        let (limits, key) = (LoginLimits::default(), server("web1"));
        let allowed =
            |key: &LoginKey| limits.lock().get(key).map_or(AT_FIRST, |there| there.allowed);
        for expected in [4, 2, 1, 1] {
            let permit = limits.take(&key);
            permit.narrow();
            drop(permit);
            assert_eq!(allowed(&key), expected);
        }
        assert_eq!(allowed(&server("web2")), AT_FIRST);
    }

    #[test]
    fn no_more_are_under_way_than_allowed() {
        let (limits, key) = (LoginLimits::default(), server("web1"));
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 * AT_FIRST {
                scope.spawn(|| {
                    let connect = || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    };
                    limits.connecting(&key, at_once(), connect).expect("it connects");
                });
            }
        });
        assert!(most.into_inner() <= AT_FIRST);
    }

    #[test]
    fn a_panic_gives_the_permit_back() {
        let (limits, key) = (LoginLimits::default(), server("web1"));
        let panics = std::panic::AssertUnwindSafe(|| {
            let _permit = limits.take(&key);
            panic!("on purpose");
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(limits.lock()[&key].under_way, 0);
    }
}
