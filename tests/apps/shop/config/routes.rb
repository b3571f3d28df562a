Rails.application.routes.draw do
  root "pages#home"
  get "admin", to: "pages#admin"
  # Answers as soon as the application has started, whatever its assets.
  get "up", to: ->(_) { [200, { "Content-Type" => "text/plain" }, ["up"]] }
end
