//= require echarts/dist/echarts
//= require trix/dist/trix.umd

document.addEventListener("DOMContentLoaded", () => {
  const week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
  const chart = echarts.init(document.getElementById("orders"));
  chart.setOption({
    xAxis: { data: week },
    yAxis: {},
    series: [{ type: "bar", data: [12, 9, 14, 11, 23, 31, 17] }],
  });
});
