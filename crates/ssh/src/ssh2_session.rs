//! An in-process SSH connection: TCP, handshake, host key, login.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use assetsync_core::text;
use rustix::event::{PollFd, PollFlags};
use ssh2::{BlockDirections, ErrorCode, Session};

use crate::algorithms::Algorithms;
use crate::banner::{NoBanner, Socket, forward, skip_lines};
use crate::connect_phase::Phase;
use crate::error::{TransportError, excerpt};
use crate::host_config::HostConfig;
use crate::known_hosts::{KnownHost, Verdict, fingerprint, key_type};
use crate::ssh_options::{AddressFamily, CONNECT_TIMEOUT, Prompt, SshOptions};
use crate::ssh2_login::Login;
use crate::timeout_io::wait;
use crate::watchdog::Watchdog;

/// libssh2's code for a step that took longer than the session's limit.
const TIMED_OUT: ErrorCode = ErrorCode::Session(-9);
/// libssh2's code for algorithms that only one side has, and for a connection lost meanwhile.
const NOT_AGREED: ErrorCode = ErrorCode::Session(-5);
/// libssh2's "try again".
pub(crate) const EAGAIN: ErrorCode = ErrorCode::Session(-37);

/// Receive window: bytes the host may send before the window must be enlarged.
const WINDOW: u32 = 4 << 20;
/// The packet size that every SSH implementation accepts.
const PACKET: u32 = 32 * 1024;

/// A logged-in session and its socket for polling.
pub(crate) struct LoggedIn {
    pub(crate) session: Session,
    pub(crate) tcp: TcpStream,
    /// Duration of the TCP handshake.
    pub(crate) tcp_response: Duration,
    watchdog: Watchdog,
    limit: Duration,
}

pub(crate) fn log_in(
    config: &HostConfig,
    known: &KnownHost,
    options: &SshOptions,
    prompt: &dyn Prompt,
) -> Result<LoggedIn, TransportError> {
    let limit = options.connect_timeout.or(config.connect_timeout).unwrap_or(CONNECT_TIMEOUT);
    let step = Step { host: &config.hostname, limit };
    let begun = Instant::now();
    let (tcp, tcp_response) = connect(config, limit)?;
    let watchdog = Watchdog::start(&tcp, begun, limit).map_err(|source| step.io(source))?;
    let algorithms = Algorithms::of(config, &known.with_port);
    let session = algorithms
        .map_err(|detail| TransportError::Negotiation { host: config.hostname.clone(), detail })
        .and_then(|algorithms| handshake(&step, &tcp, &algorithms, begun + limit))
        .map_err(|error| step.unless_late(error, &watchdog, Phase::Handshake))?;
    verify(config, known, &session)?;
    watchdog.restart();
    Login::new(&session, config, options, prompt, &watchdog)
        .run()
        .map_err(|error| step.or_timeout(error, &session))
        .map_err(|error| step.unless_late(error, &watchdog, Phase::Login))?;
    Ok(LoggedIn { session, tcp, tcp_response, watchdog, limit })
}

/// A host and the time allowed for each step, for errors.
pub(crate) struct Step<'a> {
    pub(crate) host: &'a str,
    pub(crate) limit: Duration,
}

/// The response times of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseTimes {
    /// TCP handshake: one round trip. A forwarded port answers it in the host's place.
    pub tcp: Duration,
    /// SSH request: one round trip, and the time until both ends' processes were scheduled.
    pub ssh: Duration,
}

impl LoggedIn {
    /// Opens a channel and leaves the session in non-blocking mode; also returns the response
    /// times.
    ///
    /// OpenSSH sends its host keys unasked right before that answer. The server's TCP (Nagle's
    /// algorithm) then delays the answer until they are acknowledged, which Linux delays by 40 ms
    /// without `TCP_QUICKACK`.
    pub(crate) fn open_channel(
        &self,
        host: &str,
    ) -> Result<(ssh2::Channel, ResponseTimes), TransportError> {
        let step = &Step { host, limit: self.limit };
        self.session.set_blocking(false);
        self.watchdog.restart();
        let begun = Instant::now();
        loop {
            match self.session.channel_open("session", WINDOW, PACKET, None) {
                Err(error) if error.code() == EAGAIN => {}
                Err(error) => {
                    let error = step.failed(Phase::Channel)(error);
                    return Err(step.unless_late(error, &self.watchdog, Phase::Channel));
                }
                Ok(channel) => {
                    return Ok((
                        channel,
                        ResponseTimes { tcp: self.tcp_response, ssh: begun.elapsed() },
                    ));
                }
            }
            acknowledge_quickly(&self.tcp);
            let mut fds = [PollFd::from_borrowed_fd(self.tcp.as_fd(), directions(&self.session))];
            let left = step.limit.saturating_sub(begun.elapsed());
            if !wait(&mut fds, Some(left)).map_err(|source| step.io(source))? {
                return Err(step.timeout(Phase::Channel));
            }
        }
    }
}

/// The directions in which libssh2 waits for the socket.
pub(crate) fn directions(session: &Session) -> PollFlags {
    match session.block_directions() {
        BlockDirections::None | BlockDirections::Inbound => PollFlags::IN,
        BlockDirections::Outbound => PollFlags::OUT,
        BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
    }
}

/// Acknowledges the next packets immediately. Best effort: failing only costs latency.
fn acknowledge_quickly(tcp: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_quickack(tcp, true);
    #[cfg(not(target_os = "linux"))]
    let _ = tcp;
}

impl Step<'_> {
    fn timeout(&self, phase: Phase) -> TransportError {
        TransportError::Timeout { host: self.host.to_owned(), phase, after: self.limit }
    }

    pub(crate) fn failed(&self, phase: Phase) -> impl Fn(ssh2::Error) -> TransportError {
        let (host, after) = (self.host.to_owned(), self.limit);
        move |error| match error.code() {
            TIMED_OUT => TransportError::Timeout { host: host.clone(), phase, after },
            _ => TransportError::Ssh {
                host: host.clone(),
                phase,
                detail: text::line(error.message()),
            },
        }
    }

    fn io(&self, source: io::Error) -> TransportError {
        TransportError::Io { host: self.host.to_owned(), source }
    }

    /// What fails after the deadline fails because the connection was shut down then.
    fn unless_late(
        &self,
        error: TransportError,
        watchdog: &Watchdog,
        phase: Phase,
    ) -> TransportError {
        if watchdog.has_fired() { self.timeout(phase) } else { error }
    }

    /// A timeout during the login is not a refused key.
    fn or_timeout(&self, error: TransportError, session: &Session) -> TransportError {
        match ssh2::Error::last_session_error(session) {
            Some(last) if last.code() == TIMED_OUT => self.failed(Phase::Login)(last),
            _ => error,
        }
    }
}

/// Tries every address in turn within one time limit; also returns the TCP handshake's duration.
fn connect(config: &HostConfig, limit: Duration) -> Result<(TcpStream, Duration), TransportError> {
    let host = config.hostname.clone();
    let addresses = addresses(config)
        .map_err(|source| TransportError::Resolve { host: host.clone(), source })?;
    let deadline = Instant::now() + limit;
    let mut last: io::Error = ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let begun = Instant::now();
        match TcpStream::connect_timeout(&address, left) {
            Ok(tcp) => return Ok((tcp, begun.elapsed())),
            Err(error) => last = error,
        }
    }
    Err(match last.kind() {
        ErrorKind::TimedOut => TransportError::Timeout { host, phase: Phase::Tcp, after: limit },
        _ => TransportError::Connect { host, port: config.port, source: last },
    })
}

fn addresses(config: &HostConfig) -> io::Result<Vec<SocketAddr>> {
    let all = (config.hostname.as_str(), config.port).to_socket_addrs()?;
    let wanted = |address: &SocketAddr| match config.address_family {
        Some(AddressFamily::Ipv4) => address.is_ipv4(),
        Some(AddressFamily::Ipv6) => address.is_ipv6(),
        None => true,
    };
    Ok(all.filter(wanted).collect())
}

fn handshake(
    step: &Step<'_>,
    tcp: &TcpStream,
    algorithms: &Algorithms,
    deadline: Instant,
) -> Result<Session, TransportError> {
    let failed = step.failed(Phase::Handshake);
    let io_failed = |source| step.io(source);
    // Every write is a whole message; waiting to fill packets costs round trips.
    tcp.set_nodelay(true).map_err(io_failed)?;
    tcp.set_nonblocking(true).map_err(io_failed)?;
    let mut session = Session::new().map_err(&failed)?;
    session.set_timeout(u32::try_from(step.limit.as_millis()).unwrap_or(u32::MAX));
    algorithms.apply(&session).map_err(&failed)?;
    let (socket, written) = Socket::pair().map_err(io_failed)?;
    session.set_tcp_stream(socket.clone());
    session.set_blocking(false);
    // It writes its banner, and finds none of the host.
    match session.handshake() {
        Err(error) if error.code() == EAGAIN => {}
        ended => ended.map_err(&failed)?,
    }
    forward(&written, tcp).map_err(io_failed)?;
    skip_lines(tcp, deadline).map_err(|error| no_banner(step, error))?;
    socket.become_connection(tcp).map_err(io_failed)?;
    session.set_blocking(true);
    session.handshake().map_err(|error| not_agreed(step, error))?;
    session.set_keepalive(false, 0);
    Ok(session)
}

/// The error of a host that sends no SSH banner. A busy host closes the connection before, and may
/// send the reason as plain text.
fn no_banner(step: &Step<'_>, error: NoBanner) -> TransportError {
    let host = step.host.to_owned();
    match error {
        NoBanner::Closed(said) => TransportError::Busy { host, said: excerpt(&said) },
        NoBanner::TimedOut => step.timeout(Phase::Handshake),
        NoBanner::Io(source) => step.io(source),
        NoBanner::TooLong(said) => TransportError::Ssh {
            host,
            phase: Phase::Handshake,
            detail: format!("it sends no SSH banner, but: {}", excerpt(&said)),
        },
    }
}

/// The error of a handshake that failed after the banners: there are no common algorithms, or the
/// connection was lost.
fn not_agreed(step: &Step<'_>, error: ssh2::Error) -> TransportError {
    if error.code() != NOT_AGREED {
        return step.failed(Phase::Handshake)(error);
    }
    match step.failed(Phase::Handshake)(error) {
        TransportError::Ssh { host, detail, .. } => TransportError::Negotiation { host, detail },
        other => other,
    }
}

fn verify(config: &HostConfig, known: &KnownHost, session: &Session) -> Result<(), TransportError> {
    let name = config.lookup_name();
    let (key, _) = session.host_key().ok_or_else(|| TransportError::Ssh {
        host: config.hostname.clone(),
        phase: Phase::Handshake,
        detail: "the host showed no key".into(),
    })?;
    judge(config, known, &name, key)
}

fn judge(
    config: &HostConfig,
    known: &KnownHost,
    name: &str,
    key: &[u8],
) -> Result<(), TransportError> {
    let (host, fingerprint) = (name.to_owned(), fingerprint(key));
    let shown = format!("{} {fingerprint}", key_type(key));
    match known.with_port.judge(key) {
        Verdict::Known => Ok(()),
        Verdict::Revoked(entry) => {
            Err(TransportError::RevokedHostKey { host, fingerprint, entry: entry.place() })
        }
        Verdict::Changed(entry) => Err(TransportError::ChangedHostKey {
            host,
            key: shown,
            entry: entry.place(),
            file: text::path(&entry.file),
        }),
        // Like OpenSSH, accepts on any port the key that is known for the name without a port.
        Verdict::Unknown if known.without_port.judge(key) == Verdict::Known => Ok(()),
        Verdict::Unknown => Err(TransportError::UnknownHostKey {
            host,
            scan_host: config.hostname.clone(),
            port: config.port,
            key: shown,
            file: config.known_hosts.first().map(|file| text::path(file)).unwrap_or_default(),
        }),
    }
}
