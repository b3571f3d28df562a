# frozen_string_literal: true

Gem::Specification.new do |gem|
  gem.name = "capistrano-assetsync"
  gem.version = File.read(File.expand_path("lib/capistrano/assetsync/version.rb", __dir__))[/VERSION = "(.+)"/, 1]
  gem.authors = ["The assetsync authors"]
  gem.summary = "Compile assets where you deploy from, and push them with assetsync"
  gem.description = "Takes the place of deploy:compile_assets: assets are compiled where Capistrano runs, " \
                    "and assetsync brings them to all web servers at once, or to none."
  gem.licenses = %w[MIT Apache-2.0]
  gem.required_ruby_version = ">= 2.7"
  gem.files = Dir["lib/**/*.{rb,rake}", "README.md", base: __dir__]
  gem.require_paths = ["lib"]
  # A gem for a platform has the program in it: scripts/pack puts it there.
  if (platform = ENV["GEM_PLATFORM"]) && platform != "ruby"
    gem.platform = platform
    gem.files += Dir["libexec/assetsync", "LICENSE-*", "THIRD-PARTY.txt", "exe/assetsync", base: __dir__]
    gem.bindir = "exe"
    gem.executables = ["assetsync"]
  end
  gem.metadata = { "rubygems_mfa_required" => "true" }

  gem.add_dependency "capistrano", "~> 3.7"
  gem.add_dependency "rake", ">= 11"
end
