//! Asks one server for files.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_core::text;
use assetsync_https::Authorities;
use ureq::Agent;
use ureq::unversioned::resolver::DefaultResolver;

use crate::address::ConnectTo;
use crate::answer::{self, Difference, Encoding};
use crate::site::Site;

/// Requests to one server at a time, as browsers make.
const AT_A_TIME: usize = 6;

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(15);

/// The pause before a server that was not ready is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// A published file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its path below the site.
    pub path: RelPath,
    /// Bytes of content.
    pub size: u64,
    /// The digest of its content.
    pub digest: Digest,
}

/// A file that visitors do not get as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlike {
    /// Its URL.
    pub url: String,
    /// What is wrong.
    pub difference: Difference,
}

/// What one server answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visited {
    /// How many files it was asked for.
    pub asked: usize,
    /// The files that were not answered as they were published, in the order in which they were
    /// asked for. After one without an answer no others are asked for.
    pub unlike: Vec<Unlike>,
}

/// How one server is asked.
#[derive(Debug, Clone)]
pub struct Visit<'a> {
    /// Where visitors find the files.
    pub site: &'a Site,
    /// The server: a name or an address, with a port if it is not the site's. If none, the one that
    /// the site's name leads to.
    pub connect_to: Option<&'a str>,
    /// For how long a server that does not answer, or with the status of one that is being
    /// restarted (502 to 504), is asked again.
    pub patience: Duration,
}

/// The requests to one server.
struct Requests<'a> {
    visit: &'a Visit<'a>,
    agent: Agent,
    files: &'a [Published],
    next: AtomicUsize,
    given_up: AtomicBool,
    deadline: Instant,
    unlike: Mutex<Vec<(usize, Unlike)>>,
}

impl Visit<'_> {
    /// Asks for all `files`, several at a time, until `cancelled`.
    pub fn ask(&self, files: &[Published], cancelled: &(dyn Fn() -> bool + Sync)) -> Visited {
        let requests = Requests {
            visit: self,
            agent: self.agent(),
            files,
            next: AtomicUsize::new(0),
            given_up: AtomicBool::new(false),
            deadline: Instant::now() + self.patience,
            unlike: Mutex::default(),
        };
        thread::scope(|scope| {
            for _ in 0..AT_A_TIME.min(files.len()) {
                scope.spawn(|| requests.run(cancelled));
            }
        });
        let asked = requests.next.into_inner().min(files.len());
        let mut unlike = requests.unlike.into_inner().unwrap_or_else(PoisonError::into_inner);
        unlike.sort_by_key(|(at, _)| *at);
        Visited { asked, unlike: unlike.into_iter().map(|(_, unlike)| unlike).collect() }
    }

    fn agent(&self) -> Agent {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections_per_host(AT_A_TIME)
            .user_agent(concat!("assetsync/", env!("CARGO_PKG_VERSION")))
            .accept_encoding(Encoding::ACCEPTED)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build();
        match self.connect_to {
            Some(server) => {
                let resolver = ConnectTo(server.to_owned());
                assetsync_https::agent(config, Authorities::System, resolver)
            }
            None => assetsync_https::agent(config, Authorities::System, DefaultResolver::default()),
        }
    }
}

impl Requests<'_> {
    /// Asks for one file after the other.
    fn run(&self, cancelled: &dyn Fn() -> bool) {
        while !self.given_up.load(Ordering::Relaxed) && !cancelled() {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(at) else { return };
            let url = self.visit.site.url(file.path.as_bytes());
            if let Some(difference) = self.patiently(&url, file, cancelled) {
                if matches!(difference, Difference::NoAnswer(_)) {
                    self.given_up.store(true, Ordering::Relaxed);
                }
                let mut unlike = self.unlike.lock().unwrap_or_else(PoisonError::into_inner);
                unlike.push((at, Unlike { url, difference }));
            }
        }
    }

    /// Asks again while the server may be about to be ready.
    fn patiently(
        &self,
        url: &str,
        file: &Published,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Difference> {
        loop {
            let difference = self.ask(url, file)?;
            let is_over = Instant::now() + PAUSE > self.deadline || cancelled();
            if is_over || !difference.may_pass() {
                return Some(difference);
            }
            thread::sleep(PAUSE);
        }
    }

    /// What is wrong with the answer.
    fn ask(&self, url: &str, file: &Published) -> Option<Difference> {
        let mut response = match self.agent.get(url).call() {
            Ok(response) => response,
            Err(error) => return Some(Difference::NoAnswer(assetsync_https::reason(&error))),
        };
        let (path, status) = (file.path.as_bytes(), response.status());
        let encoding = match answer::of_head(path, status, response.headers()) {
            Ok(encoding) => encoding,
            Err(difference) => return Some(difference),
        };
        let body = response.body_mut().as_reader();
        let content: Box<dyn Read> = match encoding {
            Some(encoding) => encoding.decode(body),
            None => Box::new(body),
        };
        // One byte more shows that there is more.
        let content = content.take(file.size.saturating_add(1));
        match Digest::of_reader(content, &mut vec![0; 64 * 1024]) {
            Ok((digest, _)) if digest == file.digest => None,
            Ok(_) => Some(Difference::Content { encoding }),
            // What is not compressed as it says can't be read, and is no failure of the connection.
            Err(_) if encoding.is_some() => Some(Difference::Content { encoding }),
            Err(error) => Some(Difference::NoAnswer(text::line(error.to_string().as_bytes()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Answers each request with the next of `answers`, and the last of them for ever.
    fn serve(answers: &'static [&'static [u8]]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let given = AtomicUsize::new(0);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let at = given.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                let _ = answer(stream.unwrap(), answers[at]);
            }
        });
        address
    }

    fn answer(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        stream.write_all(answer)
    }

    fn ask(address: &str, patience: Duration, names: &[&str]) -> Visited {
        let site = "http://shop.example.com".parse().unwrap();
        let visit = Visit { site: &site, connect_to: Some(address), patience };
        let files: Vec<Published> = names
            .iter()
            .map(|name| Published {
                path: RelPath::new(name.as_bytes()).unwrap(),
                size: 2,
                digest: Digest::of(b"ok"),
            })
            .collect();
        visit.ask(&files, &|| false)
    }

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    const LONGER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok!";
    const RESTARTING: &[u8] =
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    #[test]
    fn a_server_that_is_being_restarted_is_asked_again() {
        let address = serve(&[RESTARTING, b"", RESTARTING, OK]);
        let visited = ask(&address, Duration::from_secs(600), &["a"]);
        assert_eq!(visited, Visited { asked: 1, unlike: Vec::new() });
        let visited = ask(&serve(&[RESTARTING]), Duration::ZERO, &["a"]);
        assert_eq!(visited.unlike[0].difference, Difference::Status(502));
    }

    /// `ok`, compressed with Brotli.
    const BROTLI: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 6\r\nConnection: close\r\n\r\n\
          \x8b\x00\x80ok\x03";

    #[test]
    fn compressed_answers_are_compared_by_their_content() {
        let visited = ask(&serve(&[BROTLI]), Duration::ZERO, &["a"]);
        assert_eq!(visited.unlike, []);
    }

    #[test]
    fn a_longer_content_is_another_one() {
        let visited = ask(&serve(&[LONGER]), Duration::ZERO, &["a"]);
        assert_eq!(visited.unlike[0].difference, Difference::Content { encoding: None });
        assert_eq!(visited.unlike[0].url, "http://shop.example.com/a");
    }

    #[test]
    fn after_no_answer_no_more_is_asked_for() {
        let names: Vec<String> = (0..1000).map(|at| format!("{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let visited = ask(&serve(&[b""]), Duration::ZERO, &names);
        assert!(visited.asked <= 2 * AT_A_TIME, "{}", visited.asked);
        assert!(matches!(visited.unlike[0].difference, Difference::NoAnswer(_)), "{visited:?}");
    }
}
