//= require jquery/dist/jquery
//= require bootstrap/dist/js/bootstrap.bundle
//= require flatpickr/dist/flatpickr
//= require leaflet/dist/leaflet-src

$(() => {
  flatpickr(".date", { minDate: "today", weekNumbers: true });
  const shops = [[59.3293, 18.0686], [57.7089, 11.9746]];
  const map = L.map("map").fitBounds(shops);
  for (const shop of shops) L.marker(shop).addTo(map);
});
