//! Real conversations, changed at random.

use std::fs;
use std::io::Read;

use assetsync_core::protocol::{Message, ToAgent, ToSender};

use crate::client::{Client, push_by};
use crate::support::*;

/// Both sides of a real push of the client's source to the host, from after the *Hello* and the
/// banner.
fn record(client: &Client, host: &Host) -> (Script, Script) {
    let this = std::env::current_exe().unwrap();
    let (up, down) = (client.at("up"), client.at("down"));
    // The sender knows the destination by another name.
    fs::remove_dir_all(host.at("dest/link"))
        .or_else(|_| fs::remove_file(host.at("dest/link")))
        .unwrap();
    let target = host.at("dest").display().to_string();
    // tee writes to its standard output first, so that is the file: once the sender has received
    // the last message, the push ends and tee may be killed.
    let text = format!(
        "#!/bin/sh\nset -- ${{2#*\"' sh \"}}\nexport ASSETSYNC_TEST_NONCE=$1\n\
         tee /dev/fd/3 3>&1 >'{}' | '{}' --exact agent_process --nocapture --quiet |\n\
         tee /dev/fd/3 3>&1 >'{}'\n",
        up.display(),
        this.display(),
        down.display()
    );
    let shell = client.shell("recording", &text);
    let report = push_by(&shell, &client.at("src"), &target, WAIT_LIMIT).unwrap();
    assert_eq!(report.recipes.keys().copied().collect::<Vec<_>>(), ["delta", "whole"]);
    let after_line = |bytes: Vec<u8>, word: &[u8]| {
        let at = bytes.windows(word.len()).position(|part| part == word).unwrap();
        let end = bytes[at..].iter().position(|&byte| byte == b'\n').unwrap();
        bytes[at + end + 1..].to_vec()
    };
    host.reset();
    (
        after_line(fs::read(up).unwrap(), b"assetsync 11 "),
        after_line(fs::read(down).unwrap(), b":ready"),
    )
}

/// The bytes of all messages in a script without stored content.
fn plain(script: &[u8]) -> Vec<u8> {
    let (mut rest, mut packed) = (script, Vec::new());
    while let [kind, a, b, c, more @ ..] = rest {
        let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
        let payload = &more[..length.min(more.len())];
        if *kind == 1 {
            packed.extend_from_slice(payload);
        }
        rest = &more[payload.len()..];
    }
    let mut plain = Vec::new();
    // The last frame of the stream is open for ever.
    let _ = zstd::stream::Decoder::new(&packed[..]).unwrap().read_to_end(&mut plain);
    assert!(!plain.is_empty());
    plain
}

/// Small random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(12)).min(bytes.len());
            match self.below(7) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.below(256) as u8,
                2 => bytes[at..end].fill(0xff),
                3 => drop(bytes.drain(at..end)),
                4 => {
                    let piece = bytes[at..end].to_vec();
                    let place = self.below(bytes.len());
                    bytes.splice(place..place, piece);
                }
                5 => {
                    let noise: Vec<u8> = (at..end).map(|_| self.below(256) as u8).collect();
                    bytes.splice(at..at, noise);
                }
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
    }

    /// A mutation of a script: half of them of its frames, half of what is in them.
    fn of<M: Message>(&mut self, script: &[u8], plain: &[u8]) -> Script {
        if self.below(2) == 0 {
            let mut bytes = script.to_vec();
            self.mutate(&mut bytes);
            bytes
        } else {
            let mut bytes = plain.to_vec();
            self.mutate(&mut bytes);
            packed_turns::<M>(&bytes)
        }
    }
}

#[test]
fn no_mutation_of_a_push_breaks_an_agent_or_out_of_its_destination() {
    let (client, host) = (Client::new(), Host::new());
    let (up, _) = record(&client, &host);
    let plain = plain(&up);
    let outside = host.outside();
    let mut random = Random(1);
    let mut published = 0;
    for number in 0..3000 {
        let script = random.of::<ToAgent<'_>>(&up, &plain);
        let heard = host.hear([host.hello().line(), script].concat());
        published += u32::from(heard.published);
        assert_eq!(host.outside(), outside, "mutation {number}");
        host.reset();
    }
    assert!(published < 2000, "{published} mutations did no harm: what is mutated?");
}

#[test]
fn no_mutation_of_an_agents_answers_breaks_a_sender() {
    let (client, host) = (Client::new(), Host::new());
    let (_, down) = record(&client, &host);
    let plain = plain(&down);
    let mut random = Random(2);
    // Few mutations leave a conversation that makes sense, in some recordings none; the recording
    // itself does.
    let unchanged = client.hear(&down, "exec >&-; cat > /dev/null");
    assert!(unchanged.is_ok(), "{unchanged:?}");
    let scripts = (0..1000).map(|_| random.of::<ToSender<'_>>(&down, &plain));
    let ill = scripts.filter(|script| client.hear(script, "exec >&-; cat > /dev/null").is_err());
    let ill = ill.count();
    assert!(ill > 300, "only {ill} were refused");
}
