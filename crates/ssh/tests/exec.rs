//! Commands over a real sshd: data both ways, status, stderr, and every way they can end.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use assetsync_ssh::{
    Channel, NoPrompt, SshOptions, TimedReader, TimedWriter, TransportError, TransportKind, connect,
};
use common::Sshd;

/// Nothing here takes long; what takes so long hangs.
const HANG: Duration = Duration::from_secs(300);

fn open(sshd: &Sshd, options: &SshOptions, command: &str) -> Channel {
    connect(&sshd.target(), options, &NoPrompt, command, Ok).unwrap().channel
}

fn output_and_exit(channel: Channel, input: &[u8]) -> (Vec<u8>, assetsync_ssh::Exit) {
    let Channel { reader, writer, end } = channel;
    File::from(writer).write_all(input).unwrap();
    let mut output = Vec::new();
    File::from(reader).read_to_end(&mut output).unwrap();
    (output, end.finish().unwrap())
}

fn ways(sshd: &Sshd) -> Vec<(&'static str, SshOptions)> {
    let plain = sshd.options();
    let openssh = SshOptions { transport: Some(TransportKind::OpenSsh), ..plain.clone() };
    let rsh = SshOptions { rsh: Some("ssh".into()), ..plain.clone() };
    vec![("ssh2", plain), ("openssh", openssh), ("-e ssh", rsh)]
}

#[test]
fn every_way_gives_output_status_and_stderr() {
    let sshd = Sshd::start();
    for (way, options) in ways(&sshd) {
        let channel = open(&sshd, &options, "cat; printf 'oops \\033[1m' >&2; exit 7");
        let (output, exit) = output_and_exit(channel, b"hello");
        assert_eq!(output, b"hello", "{way}");
        assert_eq!(exit.status, Some(7), "{way}");
        assert!(exit.stderr.contains("oops \\u{1b}[1m"), "{way}: {}", exit.stderr);
    }
}

#[test]
fn a_hundred_megabytes_go_both_ways_at_once() {
    const TOTAL: usize = 100 << 20;
    let sshd = Sshd::start();
    for (way, options) in ways(&sshd).into_iter().take(2) {
        let Channel { reader, writer, end } = open(&sshd, &options, "exec cat");
        let idle = HANG;
        let mut writer = TimedWriter::new(writer, idle).unwrap();
        let sender = thread::spawn(move || {
            let block: Vec<u8> = (0..1u32 << 18).flat_map(u32::to_le_bytes).collect();
            (0..TOTAL / block.len()).for_each(|_| writer.write_all(&block).unwrap());
        });
        let mut reader = TimedReader::new(reader, idle).unwrap();
        let (mut buffer, mut position) = (vec![0; 1 << 20], 0usize);
        loop {
            let count = reader.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            check_pattern(&buffer[..count], position);
            position += count;
        }
        assert_eq!(position, TOTAL, "{way}");
        sender.join().unwrap();
        assert_eq!(end.finish().unwrap().status, Some(0), "{way}");
    }
}

fn check_pattern(bytes: &[u8], position: usize) {
    for (at, byte) in bytes.iter().enumerate().step_by(61) {
        let index = (position + at) % (1 << 20);
        assert_eq!(*byte, (index as u32 / 4).to_le_bytes()[index % 4], "at {}", position + at);
    }
}

#[test]
fn two_hundred_megabytes_go_one_way_alone() {
    let sshd = Sshd::start();
    let channel = open(&sshd, &sshd.options(), "exec cat > /dev/null");
    let (_, exit) = output_and_exit(channel, &vec![7; 200 << 20]);
    assert_eq!(exit.status, Some(0));
    let channel = open(&sshd, &sshd.options(), "exec head -c 209715200 /dev/zero");
    let (output, _) = output_and_exit(channel, b"");
    assert_eq!(output.len(), 200 << 20);
}

#[test]
fn many_small_exchanges_on_both_outputs_never_stall() {
    let sshd = Sshd::start();
    let script = "while read -r line; do echo \"$line\"; echo \"e $line\" >&2; done";
    let Channel { reader, writer, end } = open(&sshd, &sshd.options(), script);
    let (mut reader, mut writer) = (File::from(reader), File::from(writer));
    for number in 0..5000u32 {
        let line = format!("{number:07}\n");
        writer.write_all(line.as_bytes()).unwrap();
        let mut echo = [0; 8];
        reader.read_exact(&mut echo).unwrap();
        assert_eq!(echo, line.as_bytes());
    }
    drop((reader, writer));
    assert_eq!(end.finish().unwrap().status, Some(0));
}

#[test]
fn a_reader_that_pauses_holds_the_command_back_without_burning_cpu() {
    let sshd = Sshd::start();
    let Channel { reader, writer, end } =
        open(&sshd, &sshd.options(), "exec head -c 50000000 /dev/zero");
    let before = thread_seconds();
    thread::sleep(Duration::from_millis(700));
    assert!(thread_seconds() - before < 0.4, "the pump spins");
    drop(writer);
    let mut output = Vec::new();
    File::from(reader).read_to_end(&mut output).unwrap();
    assert_eq!(output.len(), 50_000_000);
    assert_eq!(end.finish().unwrap().status, Some(0));
}

/// CPU time of the thread named "ssh pump" of this process whose time is greatest.
fn thread_seconds() -> f64 {
    let mut greatest: f64 = 0.0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.split_once(')') else { continue };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        if name.contains("ssh pump") {
            let ticks: f64 = [11, 12].iter().map(|&i| fields[i].parse::<f64>().unwrap()).sum();
            greatest = greatest.max(ticks / 100.0);
        }
    }
    greatest
}

#[test]
fn a_command_that_does_not_read_ends_with_its_own_status() {
    let sshd = Sshd::start();
    for (way, options) in ways(&sshd) {
        let Channel { reader, writer, end } = open(&sshd, &options, "echo early; exit 3");
        let _ = File::from(writer).write_all(&vec![0; 8 << 20]);
        let mut output = String::new();
        File::from(reader).read_to_string(&mut output).unwrap();
        assert_eq!(output, "early\n", "{way}");
        assert_eq!(end.finish().unwrap().status, Some(3), "{way}");
    }
}

#[test]
fn dropping_a_channel_ends_it_at_once() {
    let sshd = Sshd::start();
    for (way, options) in ways(&sshd) {
        let channel = open(&sshd, &options, "exec sleep 600");
        let before = Instant::now();
        drop(channel);
        assert!(before.elapsed() < HANG, "{way}: {:?}", before.elapsed());
    }
}

#[test]
fn a_lost_connection_is_reported_with_standard_error() {
    let sshd = Sshd::start();
    let script = "echo last words >&2; read -r word; kill -9 $PPID; sleep 600";
    let channel = open(&sshd, &sshd.options(), script);
    while !channel.stderr_so_far().contains("last words") {
        thread::yield_now();
    }
    let Channel { reader, writer, end } = channel;
    File::from(writer).write_all(b"go\n").unwrap();
    let mut output = Vec::new();
    File::from(reader).read_to_end(&mut output).unwrap();
    let error = end.finish().unwrap_err();
    assert!(matches!(error, TransportError::Closed { exit: None, .. }), "{error}");
    assert!(error.to_string().contains("last words"), "{error}");
}

#[test]
fn a_signal_is_reported() {
    let sshd = Sshd::start();
    let (_, exit) = output_and_exit(open(&sshd, &sshd.options(), "kill -9 $$"), b"");
    assert_eq!((exit.status, exit.signal.as_deref()), (None, Some("KILL")));
}

#[test]
fn a_refused_connection_and_a_silent_host_are_different_errors() {
    let sshd = Sshd::start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut target = sshd.target();
    target.port = Some(silent.local_addr().unwrap().port());
    let options =
        SshOptions { connect_timeout: Some(Duration::from_millis(600)), ..sshd.options() };
    let error = connect(&target, &options, &NoPrompt, "true", Ok).unwrap_err();
    assert!(matches!(error, TransportError::Timeout { .. }), "{error}");
    // The port of a connection is nobody else's, and nobody listens there.
    let taken = TcpStream::connect(silent.local_addr().unwrap()).unwrap();
    target.port = Some(taken.local_addr().unwrap().port());
    let error = connect(&target, &sshd.options(), &NoPrompt, "true", Ok).unwrap_err();
    assert!(error.to_string().starts_with("Cannot connect to 127.0.0.1 port "), "{error}");
}

#[test]
fn a_missing_remote_shell_is_named() {
    let sshd = Sshd::start();
    let options = SshOptions { rsh: Some("no-such-rsh -q".into()), ..sshd.options() };
    let error = connect(&sshd.target(), &options, &NoPrompt, "true", Ok).unwrap_err();
    assert!(error.to_string().starts_with("Cannot run no-such-rsh: "), "{error}");
}

#[test]
fn a_jump_host_in_the_configuration_chooses_the_ssh_program() {
    let sshd = Sshd::start();
    let jump = format!("Host testhost\n  ProxyJump root@jump:{}\n", sshd.port);
    std::fs::write(sshd.at("ssh_config"), sshd.config(&jump)).unwrap();
    let connected = connect(&sshd.target(), &sshd.options(), &NoPrompt, "echo jumped", Ok).unwrap();
    assert!(connected.how.contains("proxyjump root@jump"), "{}", connected.how);
    let (output, exit) = output_and_exit(connected.channel, b"");
    assert_eq!(String::from_utf8_lossy(&output), "jumped\n", "{}", exit.stderr);
}
