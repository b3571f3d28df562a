import { createApp } from "vue";
import Lamps from "./Lamps.vue";
import "./shop.css";

createApp(Lamps).mount("#lamps");
