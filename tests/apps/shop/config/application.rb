ENV["BUNDLE_GEMFILE"] ||= File.expand_path("../Gemfile", __dir__)
require "bundler/setup"
require "rails"
require "action_controller/railtie"
require "sprockets/railtie"
Bundler.require

# A shop as small as a real application can be: two pages, and what their browsers load.
class Shop < Rails::Application
  config.load_defaults 6.1
  config.eager_load = true
  config.secret_key_base = "not a secret: nobody logs in here"
  config.logger = Logger.new($stderr)
  config.log_level = :warn

  # What `rails new` writes for production.
  config.public_file_server.enabled = true
  config.assets.compile = false
  config.assets.version = "1.0"
  config.assets.css_compressor = :sass
  config.assets.js_compressor = :terser
  config.assets.paths << root.join("node_modules")
  config.assets.precompile += %w[storefront.css storefront.js admin.css admin.js]
  config.assets.precompile += %w[leaflet/dist/images/*.png bootstrap-icons/font/fonts/*]
end
