//! Senders that fall silent or stop reading: the agent ends, and so does its lock.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc;

use assetsync_core::digest::Digest;
use assetsync_core::protocol::{Hello, Inbox, Received, ToAgent, ToSender, word_of_line};
use assetsync_receiver::{AgentError, ServeOptions, serve, serve_with};

use crate::support::*;

/// An agent on two pipes whose other ends are held, and its end.
fn held_agent(
    host: &Host,
    timeout_ms: u32,
) -> (File, File, mpsc::Receiver<Result<(), AgentError>>) {
    let (input, to_agent) = io::pipe().unwrap();
    let (from_agent, output) = io::pipe().unwrap();
    let agent = within(move || serve(input.into(), output.into(), NONCE));
    let mut to_agent = File::from(OwnedFd::from(to_agent));
    to_agent.write_all(&Hello { timeout_ms, ..host.hello() }.line()).unwrap();
    (to_agent, File::from(OwnedFd::from(from_agent)), agent)
}

#[test]
fn an_agent_times_out_when_its_sender_is_silent() {
    let host = Host::new();
    let (_to_agent, _from_agent, agent) = held_agent(&host, 100);
    let ended = agent.recv_timeout(WAIT_LIMIT).expect("the agent ends");
    assert!(matches!(ended, Err(AgentError::SenderGone)), "{ended:?}");
}

#[test]
fn an_agent_times_out_when_its_sender_stops_reading() {
    let host = Host::new();
    // More names than fit into a pipe, and none like the other.
    for number in 0..4000_u32 {
        let name = Digest::of(&number.to_le_bytes()).0.map(|byte| format!("{byte:02x}")).concat();
        fs::write(host.at("dest").join(name), "").unwrap();
    }
    let (_to_agent, _from_agent, agent) = held_agent(&host, 100);
    let ended = agent.recv_timeout(WAIT_LIMIT).expect("the agent ends");
    assert!(matches!(ended, Err(AgentError::SenderGone)), "{ended:?}");
    // Its lock went with it. (So few paths now that an agent nobody listens to gets them into the
    // pipe.)
    fs::remove_dir_all(host.at("dest")).unwrap();
    let again = host.hear_messages(&[ToAgent::Quit]).ended;
    assert!(again.is_ok(), "{again:?}");
}

/// Of one that has its *Hello* on the command line, nothing is awaited before the survey.
#[test]
fn an_agent_with_its_hello_as_a_word_answers_before_anything_has_come() {
    let host = Host::new();
    let (input, mut to_agent) = io::pipe().unwrap();
    let (mut from_agent, output) = io::pipe().unwrap();
    let line = host.hello().line();
    let options = ServeOptions { hello: word_of_line(&line), ..ServeOptions::default() };
    let agent = within(move || serve_with(input.into(), output.into(), NONCE, options));
    let mut inbox = Inbox::<ToSender<'_>>::new().unwrap();
    let banner = format!("assetsync:{NONCE}:ready\n");
    let mut said = vec![0; banner.len()];
    from_agent.read_exact(&mut said).unwrap();
    assert_eq!(said, banner.as_bytes());
    loop {
        while !inbox.ready().unwrap() {
            let mut piece = [0; 4096];
            let count = from_agent.read(&mut piece).unwrap();
            assert_ne!(count, 0, "it goes on");
            inbox.receive(&piece[..count]);
        }
        if let Received::Message(ToSender::StateEnd(_)) = inbox.pop().unwrap() {
            break;
        }
    }
    to_agent.write_all(&[line, packed(&[ToAgent::Quit])].concat()).unwrap();
    assert!(agent.recv_timeout(WAIT_LIMIT).unwrap().is_ok());
}
