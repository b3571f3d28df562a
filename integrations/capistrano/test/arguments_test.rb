# frozen_string_literal: true

require "helper"

class ArgumentsTest < AssetsyncTest
  Arguments = Capistrano::Assetsync::Arguments
  Host = Capistrano::Assetsync::Host

  VALUES = {
    stage: :production, application: "shop", deploy_to: "/var/www/shop", shared_path: Pathname("/var/www/shop/shared"),
    current_path: Pathname("/var/www/shop/current"), rails_env: :production, build_command: "rake assets:precompile",
    build_environment: {}, cleanup: true, directories: ["public/assets"], keep: 5, max_age: "7d", delete: "retain"
  }.freeze

  EXPECTED = <<~TOML
    application = "shop"
    deploy_to = "/var/www/shop"
    shared_path = "/var/www/shop/shared"
    current_path = "/var/www/shop/current"

    [build]
    command = "rake assets:precompile"
    cleanup = true

    [build.environment]
    RAILS_ENV = "production"

    [assets]
    roles = ["assets"]
    source = "public/assets"
    delete = "retain"
    retention.keep = 5
    retention.max_age = "7d"

    [[stages.production.hosts]]
    address = "web1"
    roles = ["assets"]
    user = "deploy"
  TOML

  def hosts
    [Host.new(server("deploy@web1"))]
  end

  def text(values = {})
    Arguments.new(VALUES.merge(values), hosts).to_toml
  end

  def test_a_plain_file
    assert_equal EXPECTED, text
  end

  def test_values
    rows = {
      { rails_groups: %w[assets pdf] } => 'RAILS_GROUPS = "assets,pdf"',
      { build_environment: { node_env: "test", "A" => 1 } } => "node_env = \"test\"\nA = \"1\"",
      { deploy_to: "~/apps/shop" } => 'deploy_to = "apps/shop"',
      { stage: "eu.production" } => "[[stages.eu_production.hosts]]",
      { keep: "3" } => "retention.keep = 3",
      { manifests: %w[/r/public/assets/.sprockets-manifest* /r/public/assets/own*.json app/config/manifest.js] } =>
        'entry_points.append = ["own*.json"]',
      { directories: %w[public/assets public/vite/ public/vite] } =>
        "[assets.rails]\nsource = \"public/assets\"\n\n[assets.set2]\nsource = \"public/vite\"\n"
    }
    rows.each { |values, expected| assert_includes text(values), expected }
  end

  def test_buckets
    buckets = ["s3://shop/assets", { url: "s3://cdn", region: "nyc3", "headers" => ["*.pdf Expires: x"] }]
    expected = <<~TOML

      [[stages.production.buckets]]
      url = "s3://shop/assets"

      [[stages.production.buckets]]
      url = "s3://cdn"
      region = "nyc3"
      headers = ["*.pdf Expires: x"]
    TOML
    assert_equal EXPECTED + expected, text(buckets: buckets)
    several = text(buckets: ["s3://shop", { url: "s3://cdn", assets: "set2" }], directories: %w[public/assets public/vite])
    assert_includes several, "assets = \"rails\"\nurl = \"s3://shop\"\n"
    assert_includes several, "assets = \"set2\"\nurl = \"s3://cdn\"\n"
  end

  def test_nothing_is_built_without_a_command
    assert_includes text(build_command: nil), "[build]\ncleanup = true\n"
  end

  def test_files_are_private_and_go_afterwards
    proxy = Net::SSH::Proxy::Jump.new("bastion")
    behind = server("web2", ssh_options: { proxy: proxy, config: false })
    paths = Arguments.new(VALUES, [*hosts, Host.new(behind)]).open { |path| check_files(path) }
    paths.each { |path| refute File.exist?(path), path }
  end

  def check_files(path)
    ssh_config = File.read(path)[/^config = "(.+)"$/, 1]
    assert_equal "Host web2\n    ProxyJump bastion\n", File.read(ssh_config)
    [path, ssh_config].each { |file| assert_equal 0o600, File.stat(file).mode & 0o777 }
    directory = File.dirname(path)
    assert_equal 0o700, File.stat(directory).mode & 0o777
    [path, ssh_config, directory]
  end
end
