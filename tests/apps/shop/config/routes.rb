Rails.application.routes.draw do
  root "pages#home"
  get "admin", to: "pages#admin"
end
