//! The project that is deployed in the recording.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assetsync_loopback_sshd::Sshd;

use crate::error::{ErrorContext, Result};

/// Gives every file of `src` a name with its digest, and writes the page that names them.
const BUILD: &str = r#"#!/bin/sh
rm -rf public/assets && mkdir -p public/assets
for file in src/*; do
    name=${file#src/} digest=$(sha256sum "$file" | cut -c1-8)
    cp "$file" "public/assets/${name%.*}-$digest.${name##*.}"
done
ls public/assets | sed 's/.*/<link href="&">/' > public/assets/index.html
"#;

/// Source files beside the large one.
const PARTS: usize = 240;

/// Creates the project in `scratch`, to be deployed to the hosts; returns its folder.
pub fn create(scratch: &Path, hosts: &[Sshd]) -> Result<PathBuf> {
    let project = scratch.join("shop");
    let source = project.join("src");
    fs::create_dir_all(&source).doing("make", &source)?;
    let write = |path: PathBuf, text: String| fs::write(&path, text).doing("write", &path);
    let line = |number: usize| format!("export const price{number} = 'Buy for {number}';\n");
    write(source.join("shop.js"), (0..9000).map(line).collect())?;
    for part in 0..PARTS {
        write(source.join(format!("part{part}.js")), (part..part + 40).map(line).collect())?;
    }
    let build = project.join("build");
    write(build.clone(), BUILD.to_owned())?;
    fs::set_permissions(&build, Permissions::from_mode(0o755)).doing("change", &build)?;
    let config = scratch.join("ssh_config");
    write(config.clone(), ssh_config(hosts))?;
    write(project.join("assetsync.toml"), settings(&config, hosts))?;
    Ok(project)
}

fn settings(config: &Path, hosts: &[Sshd]) -> String {
    let mut text = format!(
        "application = \"shop\"\nssh.config = \"{}\"\nbuild.command = \"./build\"\n\
         build.cleanup = false\n",
        config.display()
    );
    for (number, host) in (1..).zip(hosts) {
        let _ = write!(
            text,
            "[[stages.production.hosts]]\naddress = \"web{number}\"\nroles = [\"web\", \"app\"]\n\
             deploy_to = \"{}\"\n",
            host.home().join("shop").display()
        );
    }
    text
}

fn ssh_config(hosts: &[Sshd]) -> String {
    (1..).zip(hosts).fold(String::new(), |mut text, (number, host)| {
        let (port, user) = (host.port(), host.user());
        let (key, known) = (host.client_key(), host.known_hosts());
        let _ = writeln!(
            text,
            "Host web{number}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile \
             \"{}\"\n  IdentitiesOnly yes\n  UserKnownHostsFile \"{}\"",
            key.display(),
            known.display()
        );
        text
    })
}
