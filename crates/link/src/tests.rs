use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(300);

/// A server that sends back what it gets; returns its port. It lives as long as the process.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = stream.unwrap();
            let mut writer = reader.try_clone().unwrap();
            thread::spawn(move || {
                let _ = std::io::copy(&mut reader, &mut writer);
                let _ = writer.shutdown(Shutdown::Write);
            });
        }
    });
    port
}

fn link(spec: &str) -> Link {
    Link::to(echo(), LinkSpec::parse(spec).unwrap()).unwrap()
}

fn connect(link: &Link) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", link.port())).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Sends `bytes` and its end; returns all that comes back.
fn converse(mut stream: &TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(Shutdown::Write);
        });
        stream.read_to_end(&mut answer).map(|_| answer)
    })
}

#[test]
fn bytes_arrive_whole_and_are_counted() {
    let link = link("0");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    assert!(converse(&connect(&link), &bytes).unwrap() == bytes);
    assert!(link.wait_idle(TIMEOUT));
    let counts = Counts { connections: 1, sent: 3_000_000, received: 3_000_000 };
    assert_eq!(link.counts(), counts);
    link.reset();
    assert_eq!(link.counts(), Counts::default());
}

#[test]
fn the_first_answer_takes_two_round_trips_and_the_next_one_more() {
    let link = link("40ms");
    let start = Instant::now();
    let mut stream = connect(&link);
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(80));
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[test]
fn connections_share_the_rate() {
    let link = link("4mbit");
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| converse(&connect(&link), &[7; 50_000]).unwrap());
        }
    });
    // 100,000 bytes at 500,000 a second.
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert!(link.wait_idle(TIMEOUT));
    assert_eq!(link.counts(), Counts { connections: 2, sent: 100_000, received: 100_000 });
}

#[test]
fn a_frozen_link_keeps_silent_until_it_thaws() {
    let link = link("0");
    let mut stream = connect(&link);
    link.freeze();
    stream.write_all(b"x").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = stream.read_exact(&mut [0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert_eq!(link.counts().sent, 0);
    link.thaw();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_cut_resets_after_exactly_its_bytes() {
    for direction in [Direction::Sent, Direction::Received] {
        let link = link("0");
        link.cut_after(direction, 1_234);
        let error = converse(&connect(&link), &[7; 100_000]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(link.wait_idle(TIMEOUT));
        let counts = link.counts();
        let passed = if direction == Direction::Sent { counts.sent } else { counts.received };
        assert_eq!(passed, 1_234);
        assert_eq!(converse(&connect(&link), b"again").unwrap(), b"again");
    }
}

#[test]
fn a_freeze_stops_after_exactly_its_bytes() {
    let link = link("0");
    link.freeze_after(Direction::Received, 10);
    let mut stream = connect(&link);
    stream.write_all(&[7; 100]).unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    assert_eq!(link.counts().received, 10);
}

#[test]
fn a_flipped_bit_spoils_one_byte() {
    let link = link("0");
    link.flip_bit(Direction::Sent, 2);
    link.flip_bit(Direction::Received, 4);
    assert_eq!(converse(&connect(&link), b"aaaaaa").unwrap(), b"aa`a`a");
}

#[test]
fn cutting_now_resets_what_is_open() {
    let link = link("0");
    let mut stream = connect(&link);
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    link.cut();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(link.wait_idle(TIMEOUT));
}

#[test]
fn a_dropped_link_ends_frozen_connections() {
    let link = link("50ms,1mbit");
    let mut stream = connect(&link);
    stream.write_all(&[0; 100_000]).unwrap();
    link.freeze();
    drop(link);
    assert!(stream.read(&mut [0]).is_err());
}

#[test]
fn a_port_nobody_listens_on_resets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The port of a connection is nobody else's, and nobody listens there.
    let taken = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let link = Link::to(taken.local_addr().unwrap().port(), LinkSpec::UNSHAPED).unwrap();
    assert!(connect(&link).read(&mut [0]).is_err());
}
