//= require jquery/dist/jquery
//= require bootstrap/dist/js/bootstrap.bundle
//= require flatpickr/dist/flatpickr
//= require leaflet/dist/leaflet-src

$(() => {
  flatpickr(".date", { minDate: "today" });
  const shop = [59.3293, 18.0686];
  L.marker(shop).addTo(L.map("map").setView(shop, 13));
});
