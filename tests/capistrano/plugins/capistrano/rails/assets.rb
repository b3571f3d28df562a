# frozen_string_literal: true

# As in capistrano-rails 1.7.0, all of it stands in a file below tasks.
load File.expand_path("../tasks/assets.rake", __dir__)
