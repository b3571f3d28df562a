//! A project with a Capfile, its repository, and servers that Capistrano lays out.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_testbed::Sshd;
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, scratch, text};

/// What a Capfile begins with.
pub const BASE: &str = "require 'capistrano/setup'\nrequire 'capistrano/deploy'\n\
    require 'capistrano/scm/git'\ninstall_plugin Capistrano::SCM::Git\n";
/// The gem's line in a Capfile.
pub const OURS: &str = "require 'capistrano/assetsync'\n";
/// Other plugins; see `tests/capistrano/plugins`.
pub const OTHERS: &str = "require 'capistrano/rbenv'\nrequire 'capistrano/bundler'\nrequire 'capistrano/rails/assets'\n\
    require 'capistrano/puma'\ninstall_plugin Capistrano::Puma\n";

/// A build as Sprockets leaves it: names with digests, one manifest, times of this build alone.
const RAKEFILE: &str = r#"
require "digest"
require "fileutils"
require "json"

task "assets:precompile" do
  version = File.read("version").strip
  app = "console.log(#{version.inspect}, #{ENV['RAILS_ENV'].inspect}, #{ENV['RAILS_GROUPS'].inspect});\n" * 50
  app << ENV.fetch("ODD", "")
  name = "app-#{Digest::SHA256.hexdigest(app)}.js"
  manifest = ".sprockets-manifest-#{Digest::MD5.hexdigest(app)}.json"
  files = { name => app, "same-#{'0' * 64}.css" => "body {}\n" * 200, manifest => JSON.generate(assets: { "app.js" => name }) }
  FileUtils.mkdir_p "public/assets"
  FileUtils.touch ENV["TOUCH"] if ENV["TOUCH"]
  files.each do |file, content|
    path = File.join("public/assets", file)
    File.write(path, content)
    File.utime(version.to_i, version.to_i, path)
  end
  puts "Writing #{name}"
end
"#;

/// A project, its repository, and its servers.
pub struct Project {
    /// The machine that deploys.
    pub machine: Machine,
    /// Its servers.
    pub servers: Vec<Sshd>,
    room: TempDir,
    deploy_to: PathBuf,
}

impl Project {
    /// With these servers, all with the roles `app` and `web`, and one version of the application.
    pub fn new(servers: Vec<Sshd>) -> Project {
        let room = scratch();
        let deploy_to = room.path().join("app");
        let project = Project { machine: Machine::new(), servers, room, deploy_to };
        project.write("Rakefile", RAKEFILE);
        project.write(".gitignore", "/public/assets\n/log\n");
        project.begin();
        project
    }

    /// The application that was checked out to `shop` in `room`, and a server that has `deploy_to`
    /// for it.
    pub fn of_checkout(room: TempDir, server: Sshd, deploy_to: PathBuf) -> Project {
        let machine = Machine::new();
        let project = Project { machine, servers: vec![server], room, deploy_to };
        project.begin();
        project
    }

    /// Configures it, and makes its repository and its first version.
    fn begin(&self) {
        self.configure(&format!("{BASE}{OTHERS}{OURS}"), "");
        self.write("config/deploy/production.rb", &self.stage(""));
        self.git(&["init", "-q", "-b", "master", "."]);
        self.git(&["init", "-q", "-b", "master", "--bare", &text(&self.repository())]);
        self.commit("1");
    }

    /// With one server.
    pub fn simple() -> Project {
        Project::new(vec![server()])
    }

    /// Where `cap` runs.
    pub fn folder(&self) -> PathBuf {
        self.room.path().join("shop")
    }

    /// What `repo_url` names.
    pub fn repository(&self) -> PathBuf {
        self.room.path().join("shop.git")
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).or_fail();
        fs::write(path, content).or_fail();
    }

    /// Writes the Capfile, and a deploy.rb with `more` at its end.
    pub fn configure(&self, capfile: &str, more: &str) {
        self.write("Capfile", capfile);
        let mut deploy = String::from("set :application, 'shop'\nset :log_level, :info\n");
        let _ = writeln!(deploy, "set :repo_url, '{}'", text(&self.repository()));
        let _ = writeln!(deploy, "set :deploy_to, -> {{ '{}' }}", text(&self.app()));
        let _ = writeln!(deploy, "set :assetsync_program, '{}'", env!("CARGO_BIN_EXE_assetsync"));
        self.write("config/deploy.rb", &format!("{deploy}{more}"));
    }

    /// The stage's file; `options` are more of every server's `ssh_options`.
    pub fn stage(&self, options: &str) -> String {
        let mut stage = String::new();
        for server in &self.servers {
            let (key, known) = (text(&server.client_key()), text(&server.known_hosts()));
            let _ = writeln!(
                stage,
                "server '127.0.0.1', user: '{}', port: {}, roles: %w[app web], ssh_options: {{ keys: ['{key}'], \
                 user_known_hosts_file: '{known}', auth_methods: %w[publickey], forward_agent: false{options} }}",
                server.user(),
                server.port(),
            );
        }
        stage
    }

    /// Runs git in the project, which must go well.
    pub fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Anna", "-c", "user.email=anna@example.com"]);
        let ran = git
            .args(args)
            .current_dir(self.folder())
            .env("HOME", self.machine.home())
            .output()
            .or_fail();
        assert!(ran.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Makes a version of the application.
    pub fn commit(&self, version: &str) {
        self.write("version", version);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", version]);
        self.git(&["push", "-q", &text(&self.repository()), "HEAD:master"]);
    }
}

/// A server whose sessions begin in a home of their own.
pub fn server() -> Sshd {
    Sshd::builder().in_home().start().or_fail()
}

impl Project {
    /// Where Capistrano deploys to.
    pub fn app(&self) -> PathBuf {
        self.deploy_to.clone()
    }

    /// The assets that are served.
    pub fn served(&self) -> PathBuf {
        self.app().join("shared/public/assets")
    }

    /// Where the build leaves assets.
    pub fn built(&self) -> PathBuf {
        self.folder().join("public/assets")
    }

    /// `cap` in a project's folder, on a machine with its own home.
    pub fn cap_on(&self, machine: &Machine, folder: &Path, words: &str) -> Command {
        cap(machine, folder, words)
    }

    /// Runs `cap` to its end, however that is.
    pub fn try_cap(&self, words: &str) -> Ran {
        Ran(self.cap_on(&self.machine, &self.folder(), words).output().or_fail())
    }

    /// The same, which must go well; gives what it printed.
    #[track_caller]
    pub fn cap(&self, words: &str) -> String {
        printed(&self.try_cap(words), words)
    }

    /// What the release that is current says of its assets.
    pub fn recorded(&self) -> String {
        fs::read_to_string(self.app().join("current/ASSETSYNC_DEPLOY")).or_fail().trim().to_owned()
    }

    /// The only manifest that is served.
    #[track_caller]
    pub fn live_manifest(&self) -> String {
        let names = names(&self.served());
        let manifests: Vec<_> =
            names.iter().filter(|name| name.starts_with(".sprockets-manifest-")).collect();
        assert_eq!(manifests.len(), 1, "{names:?}");
        manifests[0].clone()
    }

    /// The version whose assets the live manifest names, found by what is served.
    #[track_caller]
    pub fn live_version(&self) -> String {
        let manifest = fs::read(self.served().join(self.live_manifest())).or_fail();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).or_fail();
        let app = manifest["assets"]["app.js"].as_str().unwrap_or_default();
        let app = fs::read_to_string(self.served().join(app)).or_fail();
        app.split('"').nth(1).unwrap_or_default().to_owned()
    }
}

/// `cap` in a folder, on a machine with its own home, with the gem and with stand-ins for plugins.
/// `ASSETSYNC_TEST_RUBYLIB` puts other versions of Capistrano and its libraries before those that
/// are installed.
pub fn cap(machine: &Machine, folder: &Path, words: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let gem = text(&root.join("integrations/capistrano/lib"));
    let plugins = text(&root.join("tests/capistrano/plugins"));
    let versions = env::var("ASSETSYNC_TEST_RUBYLIB").unwrap_or_default();
    let mut command = Command::new("cap");
    command.args(words.split_whitespace()).current_dir(folder);
    command.env("HOME", machine.home()).env("RUBYLIB", format!("{gem}:{plugins}:{versions}"));
    for name in [
        "SSH_AUTH_SOCK",
        "RUBYOPT",
        "BUNDLE_GEMFILE",
        "ASSETSYNC_STORE",
        "XDG_STATE_HOME",
        "XDG_CACHE_HOME",
    ] {
        command.env_remove(name);
    }
    command
}

/// What a `cap` that went well printed.
#[track_caller]
pub fn printed(ran: &Ran, words: &str) -> String {
    let all = format!("{}{}", ran.stdout(), ran.stderr());
    assert_eq!(ran.code(), Some(0), "cap {words}: {all}");
    all
}

/// The names in a directory, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).or_fail().map(|entry| entry.or_fail().file_name());
    let mut names: Vec<String> =
        entries.map(|name| name.into_string().unwrap_or_default()).collect();
    names.sort();
    names
}

/// The tasks that did something, in the order Capistrano shows them.
pub fn tasks(printed: &str) -> Vec<&str> {
    let is_clock = |clock: &str| clock.len() == 5 && clock.as_bytes()[2] == b':';
    let headings = printed.lines().filter_map(|line| line.split_once(' '));
    headings.filter(|(clock, _)| is_clock(clock)).map(|(_, task)| task).collect()
}
