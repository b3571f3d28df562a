class PagesController < ActionController::Base
  layout "application"

  def home; end

  def admin; end
end
