//! The output of `assetsync doctor`: text or JSON.

use std::fmt::Write;

use assetsync_units::bytes;
use serde::Serialize;

/// All that was found; as JSON a contract with scripts: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// The version of this program.
    pub version: &'static str,
    /// The version of the protocol between the program and agents.
    pub protocol: u32,
    /// The agents that can be installed.
    pub agents: Vec<AgentObject>,
    /// What `ssh -V` says, or why it can't be run.
    pub ssh: String,
    /// The store's directory; `null` if there is none.
    pub store: Option<String>,
    /// What was found out about each destination.
    pub destinations: Vec<DestinationObject>,
}

/// An agent that can be installed.
#[derive(Debug, Serialize)]
pub struct AgentObject {
    /// Kernel and machine as `uname` prints them, such as `Linux-aarch64`.
    pub platform: String,
    /// The size of the program.
    pub bytes: u64,
    /// Whether the command carries it; else it is in a directory of agents.
    pub carried: bool,
}

/// How pushes get to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// By an agent that runs there.
    Agent,
    /// Over SFTP.
    Sftp,
    /// To a bucket, by requests of S3.
    #[cfg(feature = "buckets")]
    S3,
}

/// What was found out about a destination.
#[derive(Debug, Default, Serialize)]
pub struct DestinationObject {
    /// As it was given.
    pub destination: String,
    /// How the connection was made, and why in this way.
    pub reached_by: Option<String>,
    /// Kernel and machine of the host.
    pub platform: Option<String>,
    /// The login shell there.
    pub login_shell: Option<String>,
    /// Of a bucket: where the credentials come from.
    pub credentials: Option<String>,
    /// Of a bucket: what the last push left.
    pub state: Option<String>,
    /// How pushes get there; `null` if they don't.
    pub transport: Option<Way>,
    /// Where the agent was installed, if it was missing.
    pub installed: Option<String>,
    /// What is slow or refused there, and what avoids that.
    pub notes: Vec<String>,
    /// Why nothing can be pushed there.
    pub error: Option<String>,
}

/// As JSON, in one line.
pub fn json(diagnosis: &Diagnosis) -> String {
    serde_json::to_string(diagnosis).map(|line| line + "\n").unwrap_or_default()
}

/// As text.
pub fn text(diagnosis: &Diagnosis) -> String {
    let mut text = format!("assetsync {}\n", diagnosis.version);
    row(&mut text, "protocol", &diagnosis.protocol.to_string());
    let mut name = "agents";
    for agent in &diagnosis.agents {
        let from = if agent.carried { "" } else { ", from a directory of agents" };
        row(&mut text, name, &format!("{} ({}{from})", agent.platform, bytes(agent.bytes)));
        name = "";
    }
    row(&mut text, "ssh", &diagnosis.ssh);
    row(&mut text, "store", diagnosis.store.as_deref().unwrap_or("none"));
    for destination in &diagnosis.destinations {
        let _ = write!(text, "\n{}\n", destination.destination);
        rows(&mut text, destination);
    }
    text
}

fn rows(text: &mut String, found: &DestinationObject) {
    let known = [
        ("reached by", &found.reached_by),
        ("platform", &found.platform),
        ("login shell", &found.login_shell),
        ("credentials", &found.credentials),
        ("state", &found.state),
    ];
    for (name, value) in known {
        value.iter().for_each(|value| row(text, name, value));
    }
    match (found.transport, &found.installed) {
        (Some(Way::Agent), None) => row(text, "pushed by", "an agent, which is there and runs"),
        (Some(Way::Agent), Some(path)) => {
            row(text, "pushed by", &format!("an agent, installed now: {path}"));
        }
        (Some(Way::Sftp), _) => row(text, "pushed by", "SFTP"),
        #[cfg(feature = "buckets")]
        (Some(Way::S3), _) => row(text, "pushed by", "requests of S3"),
        (None, _) => {}
    }
    found.notes.iter().for_each(|note| row(text, "note", note));
    found.error.iter().for_each(|error| row(text, "error", error));
}

fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<11}  {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Diagnosis {
        let agent = |platform: &str, carried| AgentObject {
            platform: platform.into(),
            bytes: 739_040,
            carried,
        };
        let by_agent = DestinationObject {
            destination: "deploy@web1:/srv/assets".into(),
            reached_by: Some("libssh2 to web1 port 22 as deploy".into()),
            platform: Some("Linux-aarch64".into()),
            login_shell: Some("bash".into()),
            transport: Some(Way::Agent),
            ..DestinationObject::default()
        };
        let failed = DestinationObject {
            destination: "nowhere:/srv".into(),
            error: Some("Cannot resolve nowhere".into()),
            ..DestinationObject::default()
        };
        Diagnosis {
            version: "1.2.3",
            protocol: 7,
            agents: vec![agent("Linux-aarch64", true), agent("Linux-riscv64", false)],
            ssh: "OpenSSH_9.2p1".into(),
            store: None,
            destinations: vec![by_agent, failed],
        }
    }

    #[test]
    fn the_text_has_a_part_for_this_machine_and_one_for_each_destination() {
        let expected = "\
assetsync 1.2.3
  protocol     7
  agents       Linux-aarch64 (739 kB)
               Linux-riscv64 (739 kB, from a directory of agents)
  ssh          OpenSSH_9.2p1
  store        none

deploy@web1:/srv/assets
  reached by   libssh2 to web1 port 22 as deploy
  platform     Linux-aarch64
  login shell  bash
  pushed by    an agent, which is there and runs

nowhere:/srv
  error        Cannot resolve nowhere
";
        assert_eq!(text(&example()), expected);
    }

    #[test]
    fn the_json_is_one_line() {
        let line = json(&example());
        let start = r#"{"version":"1.2.3","protocol":7,"agents":[{"platform":"Linux-aarch64","bytes":739040,"carried":true},"#;
        assert!(line.starts_with(start) && line.ends_with("}\n"), "{line}");
        assert!(line.contains(r#""transport":"agent","installed":null,"notes":[],"error":null}"#));
    }
}
